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

/// What a program says to a text on its standard input.
fn judged(program: &str, arguments: &[&str], text: &str) -> (bool, String) {
    use std::process::{Command, Stdio};
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{program}: {e}; `cargo xtask test edges` installs it"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

/// Prometheus's own tool finds nothing to say of the metrics, and a reader of OpenMetrics takes them;
/// both as curl gets them.
#[test]
fn metrics_are_as_prometheus_wants_them() {
    let port = free();
    let job = "[service.job]\nkind = \"job\"\ncommand = [\"/bin/true\"]\nevery = \"1h\"\n";
    let mut rig = Rig::new(&(table(port, "") + &sleeper("web", "") + job));
    rig.start();
    rig.up("web");
    rig.until("somebody listens", |_| get(port, "/livez").0 == 200);
    let url = format!("http://127.0.0.1:{port}/metrics");
    let (fine, text) = judged("curl", &["-sS", "--fail", &url], "");
    assert!(fine, "{text}");
    for told in [
        "fieldwarden_service_up{service=\"web\"} 1\n",
        "fieldwarden_verdict{subject=\"watchdog\"} 0\n",
        "fieldwarden_watchdog_pets_total ",
        "fieldwarden_battery_charge_ratio ",
        "fieldwarden_filesystem_free_ratio{mountpoint=\"/\"} ",
        "fieldwarden_daemon_resident_memory_bytes ",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let (fine, said) = judged("promtool", &["check", "metrics"], &text);
    assert!(fine && said.is_empty(), "{said}\n{text}");

    let accept = "Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5";
    let (fine, answer) = judged("curl", &["-sSi", "--fail", "-H", accept, &url], "");
    assert!(fine, "{answer}");
    let kind = "\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(answer.contains(kind), "{answer}");
    let (_, text) = parts(&answer);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let reads = "import sys\nfrom prometheus_client.openmetrics import parser\n\
                 n = sum(len(f.samples) for f in \
                 parser.text_string_to_metric_families(sys.stdin.read()))\nassert n > 60, n\n";
    let (fine, said) = judged("/usr/bin/python3", &["-c", reads], &text);
    assert!(fine, "{said}\n{text}");
}

/// Beyond this machine, and within it where there is a token, nobody is told anything without it.
#[test]
fn a_token_keeps_strangers_out() {
    use std::os::unix::fs::PermissionsExt;
    let port = free();
    let mut rig = Rig::new("");
    let file = rig.path("token");
    let more = format!("token_file = \"{}\"", file.display());
    let far = table(port, &more).replace("127.0.0.1", "0.0.0.0");
    rig.configure(&(far + &sleeper("web", "")));
    fs::write(&file, "0123456789abcdef\n").unwrap();
    // Others may read it: then it is none, and nobody gets in.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    rig.start();
    rig.until("it is told", |rig| rig.status().daemon.health_why.is_some());
    assert!(connect(port).is_none());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    rig.until("it listens", |_| connect(port).is_some());
    let ask = |header: &str| {
        let head = format!("GET /livez HTTP/1.1\r\nHost: pi.example\r\n{header}\r\n");
        parts(&send(port, &head)).0
    };
    assert_eq!(ask("Authorization: Bearer 0123456789abcdef\r\n"), 200);
    assert_eq!(ask("Authorization: Bearer 0123456789abcdee\r\n"), 401);
    assert_eq!(ask(""), 401);
}

/// A socket that init passes is served, also by a successor in the same process, where what had its
/// number may be something else by then.
#[test]
fn sockets_of_systemd_are_taken_over() {
    let mut rig = Rig::new("");
    let socket = rig.path("passed.sock");
    let health = "[health]\nenabled = true\nlisten = [\"systemd\"]\n";
    rig.configure(&(health.to_owned() + &sleeper("web", "")));
    let program = rig.path("starter");
    let script = format!(
        "#!/usr/bin/env python3\nimport os, socket, sys\ns = socket.socket(socket.AF_UNIX)\n\
         s.bind('{}')\ns.listen(5)\nos.dup2(s.fileno(), 3)\nos.set_inheritable(3, True)\n\
         os.environ['LISTEN_FDS'] = '1'\nos.environ['LISTEN_PID'] = str(os.getpid())\n\
         r = '{}'\nos.execv(r, [r] + sys.argv[1:])\n",
        socket.display(),
        env!("CARGO_BIN_EXE_fieldwarden"),
    );
    fs::write(&program, script).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    rig.start_program(&program);
    rig.up("web");
    let alive = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(b"GET /livez HTTP/1.0\r\n\r\n").unwrap();
        parts(&read(stream)).0
    };
    assert_eq!(alive(), 200);
    assert!(rig.reload().status.success());
    assert_eq!(alive(), 200);
    assert_eq!(rig.status().daemon.health_why, None);
    // It is init's, and stays.
    rig.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(rig.wait().success());
    assert!(socket.exists());
}

/// Where init passes nothing, that is told.
#[test]
fn a_socket_that_is_not_passed_is_told_of() {
    let health = "[health]\nenabled = true\nlisten = [\"systemd\"]\n";
    let mut rig = Rig::new(&(health.to_owned() + &sleeper("web", "")));
    rig.start();
    rig.until("it is told", |rig| rig.status().daemon.health_why.is_some());
}

/// Who looks leaves no trace of it: else whoever may look could fill the recorder with that.
#[test]
fn looking_is_not_traced() {
    let port = free();
    let mut rig = Rig::new(&(table(port, "") + &sleeper("web", "")));
    rig.start();
    rig.up("web");
    rig.until("somebody listens", |_| get(port, "/livez").0 == 200);
    // Each is told afresh.
    let told = || {
        let (_, json) = get(port, "/status.json");
        let status: Option<Status> = serde_json::from_str(&json).ok();
        status.map(|status| status.uptime_seconds)
    };
    const LOOKS: usize = 12;
    for _ in 0..LOOKS {
        let before = told();
        rig.until("there is a fresh report", |_| {
            told().is_some_and(|now| Some(now) != before)
        });
    }
    let asked = format!("asked ticket={} ", u64::MAX);
    // Who looks over the control socket leaves none either; what else is asked there is in it, and came
    // after.
    for _ in 0..LOOKS {
        rig.status();
    }
    rig.ask_about("stop", Some("web"));
    rig.until("what is asked otherwise is traced", |rig| {
        !rig.traced(" stop web").is_empty()
    });
    rig.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(rig.wait().success());
    // Those that came together with something else that was due are in it.
    let traced = rig.traced(&asked);
    assert!(traced.len() < LOOKS / 2, "{traced:?}");
    let replies = format!("> reply ticket={} ", u64::MAX);
    assert_eq!(rig.traced(&replies).len(), traced.len());
    let all = rig.traced(" asked ticket=");
    let looks = all.iter().filter(|line| line.contains(" status"));
    assert!(looks.count() < LOOKS / 2, "{all:?}");
}

/// In safe mode the endpoint listens as it is configured to, and says that the board is not ready,
/// although nothing is there that could be missing. So does one whose essential service has failed for
/// good.
#[test]
fn who_does_not_do_its_work_is_not_ready() {
    let port = free();
    let mut rig = Rig::new(&(table(port, "") + "[service.web]\ncomand = [\"/bin/true\"]\n"));
    rig.start();
    rig.until("somebody listens", |_| get(port, "/livez").0 == 200);
    assert!(rig.status().services.is_empty());
    let (code, text) = get(port, "/readyz");
    assert_eq!(code, 503, "{text}");
    assert!(text.starts_with("[-]safe mode: "), "{text}");
    assert_eq!(get(port, "/healthz").0, 503);

    let web = "[service.web]\ncommand = [\"/bin/false\"]\nrestart = \"never\"\n\
               class = \"essential\"\n";
    rig.configure(&(table(port, "") + web));
    // That it is not up is told there, too.
    assert!(!rig.reload().status.success());
    rig.until("it has failed for good", |rig| {
        let service = rig.status().services.into_iter().next();
        service.is_some_and(|web| web.why.as_deref() == Some("failed"))
    });
    let unready = (503, "[-]service web not ready\nnot ready\n".to_owned());
    rig.until("that is told", |_| get(port, "/readyz") == unready);
}
