//! Probes, from the configuration to a service that is ended: programs, and a server on this machine.

use super::rig::{Rig, alive, kill, python, sleeper};
use std::fs;

/// Programs that probe run for a real daemon: one that says so takes readiness away and gives it back,
/// and nothing is restarted; the other one has the service restarted.
#[test]
fn programs_probe_a_service() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let probe = |kind: &str, test: &str| {
        format!(
            "[service.web.probe.{kind}]\nexec = [\"/bin/sh\", \"-c\", \"test {test}\"]\n\
             interval = \"1s\"\ntimeout = \"20s\"\nfailure_threshold = 1\n"
        )
    };
    let probes = probe("readiness", &format!("-e {at}/ready"))
        + &probe("liveness", &format!("! -e {at}/sick"));
    let after = sleeper("page", "requires = [\"web\"]");
    let mut rig = Rig::new(&(sleeper("web", "") + &probes + &after));
    rig.start();
    let web = rig.up("web");
    let readiness =
        |word: &'static str| move |rig: &Rig| rig.service("web").readiness.as_deref() == Some(word);
    rig.until("it is found not to be ready", readiness("lost"));
    assert_eq!(rig.service("page").waits_for, ["web"]);
    fs::write(directory.path().join("ready"), "").unwrap();
    rig.until("it is ready", readiness("ready"));
    let page = rig.up("page");
    fs::remove_file(directory.path().join("ready")).unwrap();
    rig.until("it is not ready any more", readiness("lost"));
    let why = rig.service("web").probes[0].why.clone();
    assert_eq!(why.as_deref(), Some("exited with status 1"));
    assert!((rig.up("web"), rig.up("page")) == (web, page) && alive(web));

    fs::write(directory.path().join("sick"), "").unwrap();
    rig.until("it is restarted", |rig| rig.service("web").run >= 2);
    fs::remove_file(directory.path().join("sick")).unwrap();
    assert!(
        !rig.traced("! probe-failed service=web probe=liveness")
            .is_empty()
    );
}

/// A server that takes connections and answers nothing is found out by HTTP; the next one starts, as
/// its startup probe finds; and the next daemon finds it up and goes on probing.
#[test]
fn a_server_is_asked() {
    let server = python(
        "web",
        "[service.web.probe.startup]\ntcp = \"unix:@/socket\"\ninterval = \"1s\"\n\
         failure_threshold = 30\n\
         [service.web.probe.liveness]\nhttp = \"http://unix:@/socket:/alive\"\ninterval = \"1s\"\n\
         failure_threshold = 2\n",
        "import pathlib\nat = '@'\ntime.sleep(0.3)\n\
         pathlib.Path(at + '/socket').unlink(missing_ok=True)\n\
         s = socket.socket(socket.AF_UNIX)\ns.bind(at + '/socket')\ns.listen()\n\
         while True:\n    c, _ = s.accept()\n    asked = c.recv(4096)\n    \
         if asked and not os.path.exists(at + '/mute'):\n        \
         c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n')\n        c.close()\n",
    );
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display().to_string();
    let mut rig = Rig::new(&server.replace('@', &at));
    rig.start();
    let first = rig.up("web");
    // It keeps the connections of those whom it does not answer.
    fs::write(directory.path().join("mute"), "").unwrap();
    rig.until("it is restarted", |rig| rig.service("web").run >= 2);
    fs::remove_file(directory.path().join("mute")).unwrap();
    assert!(!alive(first));
    let second = rig.up("web");
    rig.signal(nix::sys::signal::Signal::SIGKILL);
    rig.wait();
    rig.start();
    let adopted = rig.service("web");
    assert_eq!((adopted.pid, adopted.state.as_str()), (Some(second), "up"));
    fs::write(directory.path().join("mute"), "").unwrap();
    rig.until("it is restarted again", |rig| rig.service("web").run >= 3);
    fs::remove_file(directory.path().join("mute")).unwrap();
    kill(rig.up("web"));
}
