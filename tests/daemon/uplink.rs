//! The way out and what expires, looked at by a child of the built daemon.

use super::rig::Rig;
use std::io::Write;
use std::net::TcpListener;

const CERTIFICATE: &str = include_str!("../fixtures/expiry-first.pem");

/// The child sees what is there, the daemon tells it; and what is refused is told as soon as it has
/// lasted, without any harm to the verdict on a machine that is well.
#[test]
fn a_child_looks_at_the_way_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeter = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.write_all(b"SSH-2.0-test\r\n").unwrap();
        // From here on it is refused.
        drop(listener);
    });
    let mut rig = Rig::new(&format!(
        "[network]\nssh = \"127.0.0.1:{port}\"\nevery = \"10s\"\nfailures = 1\n"
    ));
    rig.start();
    rig.until("the server was heard", |rig| {
        let steps = rig.status().uplink.map(|uplink| uplink.steps);
        let steps = steps.unwrap_or_default();
        steps.iter().any(|s| s.step == "ssh" && s.found == "well")
    });
    greeter.join().unwrap();
    rig.until("a refusal is told", |rig| {
        !rig.journaled("uplink-broken").is_empty()
    });
    rig.until("the machine is well all the same", |rig| {
        let status = rig.status();
        let uplink = status.uplink.map(|uplink| uplink.verdict);
        status.verdict == "ok" && uplink.as_deref() == Some("warn")
    });
}

/// What expires is read by the same child; a file that is not there is told.
#[test]
fn a_child_looks_at_certificates() {
    let mut rig = Rig::new("");
    let pem = rig.path("web.pem");
    std::fs::write(&pem, CERTIFICATE).unwrap();
    let (pem, gone) = (pem.display(), rig.path("gone.key"));
    rig.configure(&format!(
        "[expiry.web]\ncertificate = \"{pem}\"\n\
         [expiry.key]\nfile = \"{}\"\nlasts = \"9d\"\n",
        gone.display()
    ));
    rig.start();
    rig.until("the certificate was looked at", |rig| {
        let expiries = rig.status().expiries;
        let ends = expiries.iter().find(|e| e.name == "web");
        let ends = ends.and_then(|e| e.ends.clone());
        ends.as_deref() == Some("2027-01-01T00:00:00Z")
    });
    let key = rig.status().expiries[0].clone();
    assert_eq!(key.name, "key");
    assert_eq!(key.verdict, "warn", "a file that is not there");
}
