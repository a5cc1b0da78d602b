//! The health endpoint of the built daemon.

use super::rig::{Rig, python, sleeper};
use fieldwarden::status::Status;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A port that was free a moment ago.
pub fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The table of a configuration that switches it on at this port.
pub fn table(port: u16, more: &str) -> String {
    format!("[health]\nenabled = true\nlisten = [\"127.0.0.1:{port}\"]\n{more}\n")
}

fn read(mut stream: impl Read) -> String {
    let mut text = String::new();
    // What came before the other side let go counts.
    let _ = stream.read_to_string(&mut text);
    text
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    Some(stream)
}

/// What is answered to these bytes; empty if nobody does.
pub fn send(port: u16, bytes: &str) -> String {
    let Some(mut stream) = connect(port) else {
        return String::new();
    };
    let _ = stream.write_all(bytes.as_bytes());
    read(stream)
}

/// The code and the text of a page.
pub fn get(port: u16, page: &str) -> (u16, String) {
    let answer = send(
        port,
        &format!("GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    );
    parts(&answer)
}

fn parts(answer: &str) -> (u16, String) {
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let text = answer.split_once("\r\n\r\n").map_or("", |(_, text)| text);
    (code.unwrap_or(0), text.to_owned())
}

/// The pages say what the status says; they are to be read, and nothing else can be done there.
#[test]
fn the_pages_say_what_the_status_says() {
    let port = free();
    let late = python(
        "web",
        "ready = \"notify\"",
        "while not os.path.exists(os.environ['GO']): time.sleep(0.01)\nsay('READY=1')\n\
         time.sleep(1000)",
    );
    let mut rig = Rig::new("");
    let (go, socket) = (rig.path("go"), rig.path("health.sock"));
    let late = format!("{late}environment = {{ GO = \"{}\" }}\n", go.display());
    let unix = format!("unix:{}", socket.display());
    let health = table(port, "").replace("\"]", &format!("\", \"{unix}\"]"));
    rig.configure(&(health + &late));
    rig.start();
    rig.until("somebody listens", |_| get(port, "/livez").0 != 0);
    assert_eq!(get(port, "/livez"), (200, "ok\n".to_owned()));
    assert_eq!(
        get(port, "/readyz"),
        (503, "[-]service web not ready\nnot ready\n".to_owned())
    );
    fs::write(&go, "").unwrap();
    rig.up("web");
    rig.until("it is ready", |_| {
        get(port, "/readyz") == (200, "ok\n".to_owned())
    });
    let (code, json) = get(port, "/status.json");
    let status: Status = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &*status.services[0].state), (200, "up"));
    assert_eq!(status.services[0].class, "normal");
    assert_eq!(status.daemon.health_why, None);
    let (code, text) = get(port, "/healthz?verbose");
    assert_eq!(code, 200, "{text}");
    assert!(text.contains("[+]services ok\n"), "{text}");
    assert!(text.ends_with(&format!("{}\n", status.headline)), "{text}");

    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(b"HEAD /livez HTTP/1.0\r\n\r\n").unwrap();
    let answer = read(stream);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Length: 3\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");

    for (request, wanted) in [
        (
            "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
            405,
        ),
        (
            "POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
            400,
        ),
        ("{\"v\":1,\"request\":\"exit\"}\n\r\n\r\n", 400),
        ("GET /restart HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
    ] {
        let (code, text) = parts(&send(port, request));
        assert_eq!(code, wanted, "{request}: {text}");
    }
    assert_eq!(rig.service("web").run, 1);
}

/// A port that somebody has is told of, and nothing else suffers; it is had when it is free.
#[test]
fn a_port_that_is_taken_is_told_of() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let mut rig = Rig::new(&(table(port, "") + &sleeper("web", "")));
    rig.start();
    rig.up("web");
    rig.until("it is told", |rig| rig.status().daemon.health_why.is_some());
    let status = rig.status();
    assert_eq!(status.verdicts.daemon, "warn");
    assert!(
        status.headline.contains("health endpoint"),
        "{}",
        status.headline
    );
    drop(holder);
    rig.until("it is had", |rig| rig.status().daemon.health_why.is_none());
    assert_eq!(get(port, "/livez").0, 200);
    assert_eq!(rig.journaled("health-away").len(), 1);
    rig.until("that is told", |rig| {
        rig.log()
            .contains("the health endpoint listens wherever it should")
    });
}

/// Nobody who knocks while one daemon takes over from another is sent away, and what is not configured
/// any more is shut.
#[test]
fn doors_outlive_a_reload() {
    let port = free();
    let mut rig = Rig::new(&(table(port, "") + &sleeper("web", "")));
    rig.start();
    rig.up("web");
    rig.until("somebody listens", |_| get(port, "/livez").0 == 200);
    let listens = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        let knocks = scope.spawn(|| {
            let mut knocked = 0;
            while listens.load(std::sync::atomic::Ordering::SeqCst) {
                assert!(connect(port).is_some(), "nobody listens");
                knocked += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            knocked
        });
        for _ in 0..2 {
            assert!(rig.reload().status.success());
        }
        listens.store(false, std::sync::atomic::Ordering::SeqCst);
        assert!(knocks.join().unwrap() > 10);
    });
    rig.until("it answers again", |_| get(port, "/livez").0 == 200);
    rig.configure(&sleeper("web", ""));
    assert!(rig.reload().status.success());
    rig.until("it is shut", |_| connect(port).is_none());
}
