//! What services say of themselves, in the ways that people use: our own command, systemd's helper,
//! its library, and Python.

use crate::rig::{Rig, alive, kill, python, shell};
use nix::sys::signal::Signal;
use std::fs;

/// The built program, for a service to call.
const PROGRAM: &str = env!("CARGO_BIN_EXE_fieldwarden");

/// Goes on when the test has made this file.
fn wait_for(rig: &Rig, name: &str) -> String {
    let path = rig.path(name);
    format!("until [ -e {} ]; do sleep 0.02; done\n", path.display())
}

fn go_on(rig: &Rig, name: &str) {
    fs::write(rig.path(name), "").unwrap();
}

/// A service in shell tells its whole life with `fieldwarden notify`.
#[test]
fn our_own_command() {
    let mut rig = Rig::new("");
    let say = format!("{PROGRAM} notify");
    let script = [
        "[ -e said ] && exec sleep 1000\n".replace("said", rig.path("said").to_str().unwrap()),
        format!("{say} --status 'warming up' --errno ENOSPC || exit 3\n"),
        wait_for(&rig, "a"),
        format!("{say} --ready --errno 0 STATUS=open || exit 3\n"),
        wait_for(&rig, "b"),
        format!("{say} --reloading --more-time 1h || exit 3\n"),
        wait_for(&rig, "c"),
        format!("{say} --ready --status '' || exit 3\n"),
        wait_for(&rig, "d"),
        format!("touch {}\n", rig.path("said").display()),
        format!("{say} --trigger\nsleep 1000\n"),
    ];
    let service = shell(
        "web",
        "ready = \"notify\"\nstart_timeout = \"60s\"",
        &script.concat(),
    );
    rig.configure(&service);
    rig.start();
    let text = |rig: &Rig| rig.service("web").status_text.unwrap_or_default();
    rig.until("it warms up", |rig| text(rig) == "warming up");
    let web = rig.service("web");
    assert_eq!(
        (web.state.as_str(), web.errno.as_deref()),
        ("starting", Some("ENOSPC"))
    );
    go_on(&rig, "a");
    let first = rig.up("web");
    assert_eq!(
        (text(&rig), rig.service("web").errno),
        ("open".to_owned(), None)
    );
    go_on(&rig, "b");
    rig.until("it reloads", |rig| {
        rig.service("web").reloading_seconds.is_some()
    });
    assert_eq!(rig.service("web").state, "up");
    go_on(&rig, "c");
    rig.until("it has reloaded", |rig| {
        rig.service("web").reloading_seconds.is_none()
    });
    assert_eq!(text(&rig), "");
    go_on(&rig, "d");
    rig.until("it is ended and started again", |rig| {
        let web = rig.service("web");
        web.run == 2 && web.pid.is_some_and(|pid| pid != first)
    });
    for event in [
        "service-errno",
        "service-reloading",
        "service-reloaded",
        "service-triggered",
    ] {
        rig.until(event, |rig| rig.journaled(event).len() == 1);
    }
}

/// `systemd-notify` from a loop in shell, and from Python by way of a shell: helpers that are gone
/// before anybody can ask who they were.
#[test]
fn systemds_helper() {
    let loops = "systemd-notify --ready --status='in a loop'\n\
                 while :; do systemd-notify WATCHDOG=1; sleep 0.2; done\n";
    let keys = "ready = \"notify\"\nheartbeat = \"3s\"";
    let script = shell("script", keys, loops);
    let snake = python(
        "snake",
        keys,
        "os.system('systemd-notify --ready')\n\
         while True:\n    os.system('systemd-notify WATCHDOG=1')\n    time.sleep(0.2)",
    );
    let mut rig = Rig::new(&(script + &snake));
    rig.start();
    let pids = [rig.up("script"), rig.up("snake")];
    assert_eq!(
        rig.service("script").status_text.as_deref(),
        Some("in a loop")
    );
    rig.until("they have lived longer than one window", |rig| {
        ["script", "snake"].iter().all(|name| {
            let since = rig.service(name).since_seconds;
            since.is_some_and(|since| since.0.as_secs() >= 4)
        })
    });
    assert_eq!([rig.up("script"), rig.up("snake")], pids, "{}", rig.log());
}

/// With systemd's library: once its barrier is over, everybody who asks knows what was said before.
#[test]
fn the_barrier_of_libsystemd() {
    let mut rig = Rig::new("");
    let body = format!(
        "import ctypes, json\n\
         lib = ctypes.CDLL('libsystemd.so.0')\n\
         assert lib.sd_notify(0, b'READY=1\\nSTATUS=through') > 0\n\
         assert lib.sd_notify_barrier(0, ctypes.c_uint64(10000000)) > 0\n\
         c = socket.socket(socket.AF_UNIX)\n\
         c.connect('{}')\n\
         c.sendall(b'{{\"v\":1,\"request\":\"status\"}}\\n')\n\
         told = json.loads(c.makefile().readline())['status']['services'][0]\n\
         print('told', told['state'], told['status_text'], flush=True)\n\
         time.sleep(1000)",
        rig.path("run/control.sock").display()
    );
    rig.configure(&python("web", "ready = \"notify\"", &body));
    rig.start();
    rig.until("it has asked", |rig| rig.log().contains("told"));
    assert!(rig.log().contains("told up through"), "{}", rig.log());
}

/// A service whose first process starts another one, names it as the main one and ends: it is the
/// other one that is shown, taken over by the next daemon, missed when it is gone, and stopped.
#[test]
fn another_main_process() {
    let mut rig = Rig::new("");
    let body = format!("sleep 1000 &\n{PROGRAM} notify --pid=$! --ready || exit 3\nexit 0\n");
    rig.configure(&shell("web", "ready = \"notify\"", &body));
    rig.start();
    let main = |rig: &Rig| {
        rig.until("another one is the main process", |rig| {
            let web = rig.service("web");
            let name = web
                .pid
                .map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")));
            web.state == "up" && name.is_some_and(|name| name.unwrap_or_default() == "sleep\n")
        });
        rig.service("web").pid.unwrap()
    };
    let first = main(&rig);
    assert_eq!(rig.service("web").run, 1);
    rig.signal(Signal::SIGKILL);
    rig.wait();
    rig.start();
    assert_eq!(main(&rig), first);
    assert!(rig.service("web").adopted);
    kill(first);
    rig.until("it is missed", |rig| rig.service("web").run == 2);
    let second = main(&rig);
    rig.ask_about("stop", Some("web"));
    rig.until("it is stopped", |rig| rig.service("web").state == "down");
    assert!(!alive(second));
}

/// What a service has said of its heartbeat holds for the next daemon, too.
#[test]
fn a_window_outlives_the_daemon() {
    let keys = "ready = \"notify\"\nheartbeat = \"1s\"";
    let body = "say('WATCHDOG_USEC=3600000000\\nREADY=1')\ntime.sleep(1000)";
    let mut rig = Rig::new(&python("web", keys, body));
    rig.start();
    let pid = rig.up("web");
    rig.signal(Signal::SIGKILL);
    rig.wait();
    rig.start();
    rig.until("it has been silent for longer than is configured", |rig| {
        let silent = rig.service("web").silent_seconds;
        silent.is_some_and(|silent| silent.0.as_secs() >= 2)
    });
    assert_eq!(rig.up("web"), pid);
}

/// What nobody should send is told, and changes nothing.
#[test]
fn nonsense_is_told() {
    let body = "say('READY=1')\n\
                say('READY=1\\0WATCHDOG=1')\n\
                say('STATUS=' + 'x' * 5000)\n\
                say('MAINPID=1')\n\
                say('MAINPID=%d' % os.getppid())\n\
                for i in range(400): say('STATUS=%d' % i)\n\
                time.sleep(1000)";
    let mut rig = Rig::new(&python("web", "ready = \"notify\"", body));
    rig.start();
    let pid = rig.up("web");
    rig.until("all of it is told", |rig| {
        let told = rig.journaled("service-refused").concat();
        ["nul", "too-long", "value", "main", "flood"]
            .iter()
            .all(|why| told.contains(&format!("\"why\":\"{why}\"")))
    });
    // What comes too fast comes later.
    rig.until("the last is heard", |rig| {
        rig.service("web").status_text.as_deref() == Some("399")
    });
    assert_eq!(rig.up("web"), pid);
}

/// A listening socket that a service has left with the daemon is handed to its next run, under its name
/// and for that process alone; a stop lets go of it.
#[test]
fn a_socket_is_kept_over_a_restart() {
    let body = "import array\n\
        if 'LISTEN_FDS' in os.environ:\n    \
            assert os.environ['LISTEN_PID'] == str(os.getpid())\n    \
            assert os.environ['LISTEN_FDNAMES'] == 'front:pipe', os.environ['LISTEN_FDNAMES']\n    \
            s = socket.socket(fileno=3)\n    \
            os.fstat(4)\n    \
            print('kept', s.getsockname()[1], os.environ['LISTEN_FDS'], flush=True)\n\
        else:\n    \
            s = socket.create_server(('127.0.0.1', 0))\n    \
            n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n    \
            n.connect(os.environ['NOTIFY_SOCKET'])\n    \
            r, w = os.pipe()\n    \
            for name, fd in (('front', s.fileno()), ('pipe', r)):\n        \
                n.sendmsg([b'FDSTORE=1\\nFDPOLL=0\\nFDNAME=' + name.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])\n    \
            print('made', s.getsockname()[1], os.environ['FDSTORE'], flush=True)\n\
        say('READY=1')\n\
        time.sleep(1000)";
    let mut rig = Rig::new(&python("web", "ready = \"notify\"\nfd_store = 4", body));
    rig.start();
    let first = rig.up("web");
    assert_eq!(rig.service("web").kept_descriptors, 2);
    // They pass from one daemon to the next.
    rig.reloads();
    assert_eq!(
        (rig.up("web"), rig.service("web").kept_descriptors),
        (first, 2)
    );
    kill(first);
    rig.until("the next run has them", |rig| rig.log().contains("kept"));
    rig.until("it is up", |rig| rig.service("web").state == "up");
    let word = |line: &str, at: usize| line.split_whitespace().rev().nth(at).unwrap().to_owned();
    let log = rig.log();
    let line = |what: &str| log.lines().find(|l| l.contains(what)).unwrap();
    let (made, kept) = (line("made"), line("kept"));
    assert_eq!(word(made, 1), word(kept, 1), "{log}");
    assert_eq!((word(made, 0), word(kept, 0)), ("4".into(), "2".into()));
    let port: u16 = word(made, 1).parse().unwrap();
    let connects = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(connects());
    rig.ask_about("stop", Some("web"));
    rig.until("it is stopped, and nobody listens", |rig| {
        rig.service("web").state == "down" && !connects()
    });
    assert_eq!(rig.service("web").kept_descriptors, 0);
}

/// Readiness as s6 has it: a newline on a descriptor, before which others wait.
#[test]
fn a_newline_on_a_descriptor() {
    let mut rig = Rig::new("");
    let script = wait_for(&rig, "a") + "echo >&3\nexec 3>&-\nls -l /proc/self/fd\nsleep 1000\n";
    let first = shell("first", "ready = \"fd:3\"", &script);
    let mute = shell(
        "mute",
        "ready = \"fd:4\"\nstart_timeout = \"1s\"",
        "exec 4>&-; sleep 1000",
    );
    rig.configure(&(first + &shell("second", "after = [\"first\"]", "sleep 1000") + &mute));
    rig.start();
    rig.until("one that closes it says nothing by that", |rig| {
        !rig.traced("! service-not-ready service=mute").is_empty()
    });
    let pid = rig.service("first").pid;
    assert_eq!(rig.service("first").state, "starting");
    assert_eq!(rig.service("second").state, "down");
    // The next daemon waits for it as this one did.
    rig.signal(Signal::SIGKILL);
    rig.wait();
    rig.start();
    assert_eq!(rig.service("first").pid, pid);
    assert_eq!(rig.service("first").state, "starting");
    go_on(&rig, "a");
    assert_eq!(Some(rig.up("first")), pid);
    rig.up("second");
    assert!(rig.traced("! service-up service=mute").is_empty());
}
