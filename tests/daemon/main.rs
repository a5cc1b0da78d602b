//! The built daemon with real processes on a simulated board: no root, no hardware.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "these tests run a real daemon and wait for it; one that cannot go on has failed"
)]

mod assault;
mod foreign;
mod health;
mod hold;
mod legacy;
mod log;
mod memory;
mod notify;
mod probes;
mod reload;
mod rig;
mod stand_in;
mod start;
mod uplink;

use nix::sys::signal::Signal;
use rig::{Rig, alive, kill, python, shell, sleeper};
use std::fs;

/// Order at the start is readiness, not luck; order at the end is its reverse.
#[test]
fn starts_in_order_and_stops_in_reverse() {
    let db = python(
        "db",
        "ready = \"notify\"",
        "time.sleep(0.3)\nsay('READY=1')\ntime.sleep(1000)",
    );
    let mut rig = Rig::new(&(db + &sleeper("web", "after = [\"db\"]")));
    rig.start();
    rig.up("web");
    let order = |rig: &Rig, note: &str| -> Vec<String> {
        rig.traced(note)
            .iter()
            .map(|l| l.split("service=").nth(1).unwrap().into())
            .collect()
    };
    rig.until("both starts are traced", |rig| {
        order(rig, "! service-up").len() == 2
    });
    assert!(order(&rig, "! service-up")[0].starts_with("db"));
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    let stops = order(&rig, "! service-exited");
    assert!(
        stops[0].starts_with("web") && stops[1].starts_with("db"),
        "{stops:?}"
    );
    assert!(!rig.path("run/control.sock").exists());
}

/// A killed service is back at once, with another process, and its neighbour is not touched.
#[test]
fn a_crash_is_answered_at_once() {
    let mut rig = Rig::new(&(sleeper("a", "") + &sleeper("b", "")));
    rig.start();
    let (a, b) = (rig.up("a"), rig.up("b"));
    kill(a);
    rig.until("a is back", |rig| {
        rig.service("a").pid.is_some_and(|p| p != a)
    });
    assert_eq!(rig.service("a").restarts, 1);
    assert_eq!((rig.service("b").pid, rig.service("b").run), (Some(b), 1));
}

/// Where the output of a service goes may be removed by a careless hand; the next start makes it anew.
#[test]
fn a_lost_fifo_is_made_again() {
    let mut rig = Rig::new(&shell("a", "", "echo said by $$; exec sleep 1000"));
    rig.start();
    let first = rig.up("a");
    fs::remove_file(rig.path("run/output/a")).unwrap();
    kill(first);
    rig.until("it is back and heard", |rig| {
        let pid = rig.service("a").pid.filter(|pid| *pid != first);
        pid.is_some_and(|pid| rig.log().contains(&format!("said by {pid}")))
    });
}

/// A service that falls silent is ended and started again.
#[test]
fn a_hang_is_noticed_by_silence() {
    let body = "say('READY=1')\nfor i in range(5):\n    say('WATCHDOG=1')\n    time.sleep(0.1)\n\
                time.sleep(1000)";
    let settings = "ready = \"notify\"\nheartbeat = \"1s\"";
    let mut rig = Rig::new(&python("loop", settings, body));
    rig.start();
    let first = rig.up("loop");
    rig.until("it is ended for silence", |rig| {
        !rig.traced("! service-hung").is_empty()
    });
    rig.until("it is back", |rig| {
        rig.service("loop").pid.is_some_and(|p| p != first)
    });
    assert!(!alive(first));
}

/// What a service says about another one is not believed.
#[test]
fn nobody_speaks_for_another_service() {
    let quiet = python(
        "quiet",
        "ready = \"notify\"\nstart_timeout = \"2s\"",
        "time.sleep(1000)",
    );
    let liar = python(
        "liar",
        "ready = \"notify\"",
        "p = os.environ['NOTIFY_SOCKET'].replace('/liar/', '/quiet/')\n\
         s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
         for i in range(200):\n    try:\n        s.sendto(b'READY=1', p)\n    except OSError:\n        pass\n    \
         time.sleep(0.01)\n    if i == 100: say('READY=1')\ntime.sleep(1000)",
    );
    let mut rig = Rig::new(&(quiet + &liar));
    rig.start();
    rig.up("liar");
    rig.until("quiet is ended for not being ready", |rig| {
        !rig.traced("! service-not-ready service=quiet").is_empty()
    });
    assert!(rig.traced("! service-up service=quiet").is_empty());
}

/// The daemon is killed; the next one takes over what runs, and nothing is doubled or restarted.
#[test]
fn services_survive_the_daemon() {
    let slow = python(
        "slow",
        "ready = \"notify\"",
        "say('READY=1')\ntime.sleep(1000)",
    );
    let mut rig = Rig::new(&(slow + &sleeper("plain", "") + &sleeper("odd", "")));
    rig.start();
    let before = [rig.up("slow"), rig.up("plain"), rig.up("odd")];
    rig.signal(Signal::SIGKILL);
    rig.wait();
    kill(before[2]);
    rig.until("odd is gone", |_| !alive(before[2]));
    rig.start();
    assert_eq!([rig.up("slow"), rig.up("plain")], [before[0], before[1]]);
    assert!(rig.service("slow").adopted && rig.service("plain").adopted);
    let odd = rig.service("odd");
    assert!(!odd.adopted);
    // One that was taken over and ends is started again like any other.
    kill(before[1]);
    rig.until("plain is back", |rig| {
        rig.service("plain").pid.is_some_and(|p| p != before[1])
    });
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    assert!(before.iter().all(|p| !alive(*p)));
}

/// QUIT ends the daemon and leaves the services; a service that is no longer configured is ended by
/// the next daemon.
#[test]
fn quit_leaves_the_services() {
    let mut rig = Rig::new(&(sleeper("stays", "") + &sleeper("goes", "")));
    rig.start();
    let (stays, goes) = (rig.up("stays"), rig.up("goes"));
    rig.signal(Signal::SIGQUIT);
    assert!(rig.wait().success());
    assert!(alive(stays) && alive(goes));
    rig.configure(&sleeper("stays", ""));
    rig.start();
    assert_eq!(rig.up("stays"), stays);
    rig.until("the stranger is ended", |_| !alive(goes));
}

/// What the main process leaves behind does not live on beside its successor.
#[test]
fn remains_are_killed() {
    let script = "sleep 1000 & echo $! > $PIDFILE; sleep 0.5; exit 1";
    let mut rig = Rig::new("");
    let file = rig.path("pid");
    let settings = format!("environment = {{ PIDFILE = \"{}\" }}", file.display());
    rig.configure(&shell("forks", &settings, script));
    rig.start();
    rig.until("it has forked", |_| {
        fs::read_to_string(&file).is_ok_and(|t| t.ends_with('\n'))
    });
    let left: u32 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    rig.until("it was restarted", |rig| rig.service("forks").run > 1);
    rig.until("the remains are gone", |_| !alive(left));
}

/// A service that ignores TERM is killed when its time is over, and not before.
#[test]
fn deaf_services_are_killed_in_time() {
    let mut rig = Rig::new(&python(
        "deaf",
        "ready = \"notify\"\nstop_timeout = \"500ms\"",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay('READY=1')\ntime.sleep(1000)",
    ));
    rig.start();
    let pid = rig.up("deaf");
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    assert!(!alive(pid));
    assert_eq!(rig.traced("! service-killed service=deaf").len(), 1);
}

/// A program that is not there: said so, tried again with growing waits, and given up.
#[test]
fn a_missing_program_is_told() {
    let settings = "backoff = { immediate = 1, first = \"100ms\", cap = \"200ms\", restarts = 3 }";
    let mut rig = Rig::new(&format!(
        "[service.gone]\ncommand = [\"/nowhere/gone\"]\n{settings}\n"
    ));
    rig.start();
    rig.until("it gave up", |rig| rig.service("gone").state == "gave-up");
    assert!(rig.log().contains("start of gone failed"), "{}", rig.log());
    assert_eq!(rig.status().verdict, "critical");
}

/// A file that is no program of this machine: said so.
#[test]
fn a_foreign_program_is_told() {
    let mut rig = Rig::new("");
    let file = rig.path("strange");
    // The head of a RISC-V program of 64 bits.
    let mut head = [0_u8; 64];
    head[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    (head[16], head[18]) = (2, 243);
    fs::write(&file, head).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&file, mode).unwrap();
    rig.configure(&format!(
        "[service.strange]\ncommand = [\"{}\"]\n",
        file.display()
    ));
    rig.start();
    rig.until("it was tried", |rig| {
        !rig.traced("! service-start-failed").is_empty()
    });
    let failed = &rig.traced("! service-start-failed")[0];
    assert!(failed.contains("stage=machine errno=ENOEXEC"), "{failed}");
    let named = "was built for riscv, and this machine is";
    // The log is written by another thread than the trace.
    rig.until("it is in the log", |rig| rig.log().contains(named));
}

/// A user that is not there is told at each start, and who it is; a service without one is not hurt.
#[test]
fn a_user_that_is_not_there_is_told() {
    let mut rig = Rig::new(&format!(
        "[service.lost]\ncommand = [\"/bin/true\"]\nuser = \"no-such-user\"\n\
         [service.alone]\ncommand = [\"/bin/true\"]\ngroups = [\"no-such-group\"]\n{}",
        sleeper("a", "")
    ));
    rig.start();
    rig.up("a");
    rig.until("both were tried", |rig| {
        let failed = rig.traced("! service-start-failed");
        let at = |stage: &str| failed.iter().any(|line| line.contains(stage));
        at("lost stage=user errno=ENOENT") && at("alone stage=groups errno=ENOENT")
    });
    for said in [
        "lost: there is no user \"no-such-user\" in /etc/passwd",
        "start of lost failed at user: there is no such user: check `user`",
        "start of alone failed at groups: there is no such group: check `group` and `groups`",
    ] {
        rig.until(said, |rig| rig.log().contains(said));
    }
}

/// A service runs as the user that is named, with what bounds it, and can open its output again.
#[test]
fn a_service_runs_as_its_user() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "only root can start a service as another user: run this as root"
    );
    let script = "id -u; id -g; id -G; umask; ulimit -n; nice; echo home=$HOME user=$USER; \
                  grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status; \
                  echo again > /dev/stdout; exec sleep 1000";
    let mut rig = Rig::new(&format!(
        "[service.web]\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\nuser = \"daemon\"\n\
         groups = [\"12345\"]\ncapabilities = [\"net_bind_service\"]\numask = \"027\"\nnice = 7\n\
         limits = {{ nofile = 99 }}\n"
    ));
    // The directory of a test is for its owner alone.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    fs::set_permissions(rig.path("."), mode).unwrap();
    rig.start();
    rig.up("web");
    let told = |line: &str| format!("web: {line}\n");
    for line in [
        "1",
        "1 12345",
        "0027",
        "99",
        "7",
        "home=/usr/sbin user=daemon",
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000400",
        "CapBnd:\t0000000000000400",
        "again",
    ] {
        rig.until(line, |rig| rig.log().contains(&told(line)));
    }
}

/// Two daemons do not share a directory.
#[test]
fn a_second_daemon_is_refused() {
    let mut rig = Rig::new(&sleeper("a", ""));
    rig.start();
    let second = rig.command().output().unwrap();
    assert!(!second.status.success());
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(text.contains("another fieldwarden"), "{text}");
    rig.up("a");
}

/// A service that writes without end fills no log and slows nobody down.
#[test]
fn a_flood_of_output_is_bounded() {
    let flood = shell("flood", "", "exec yes flooding");
    let beats = "say('READY=1')\nwhile True:\n    say('WATCHDOG=1')\n    time.sleep(0.2)";
    let calm = python("calm", "ready = \"notify\"\nheartbeat = \"3s\"", beats);
    let mut rig = Rig::new(&(flood + &calm));
    rig.start();
    rig.up("calm");
    rig.until("lines are left out", |rig| {
        rig.log().contains("lines were left out")
    });
    let lines = rig.log().lines().filter(|l| l.contains("flooding")).count();
    assert!(lines < 2_000, "{lines} lines");
    assert_eq!(rig.service("calm").restarts, 0);
}

/// Operators stop, start and restart; only what they name moves.
#[test]
fn operators_are_obeyed() {
    let mut rig = Rig::new(&(sleeper("a", "") + &sleeper("b", "")));
    rig.start();
    let (a, b) = (rig.up("a"), rig.up("b"));
    assert_eq!(
        rig.ask_about("stop", Some("a")).unwrap()["answer"],
        "accepted"
    );
    rig.until("a is down", |rig| rig.service("a").state == "down");
    assert!(!alive(a));
    assert_eq!(
        rig.ask_about("stop", Some("a")).unwrap()["answer"],
        "already"
    );
    rig.ask_about("start", Some("a")).unwrap();
    let again = rig.up("a");
    rig.ask_about("restart", Some("a")).unwrap();
    rig.until("a was restarted", |rig| {
        rig.service("a").pid.is_some_and(|p| p != again)
    });
    assert_eq!(rig.service("a").restarts, 0);
    assert_eq!(rig.service("b").pid, Some(b));
}

/// The daemon needs descriptors for each of up to a thousand services; programs that use `select`
/// cannot work with so many, and are given the limit that the daemon was given.
#[test]
fn services_have_the_usual_limit_of_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 256, hard).unwrap();
    let script = "limit() { grep 'open files' /proc/$1/limits; }; \
                  { limit self; limit $PPID; } > $LIMITS; sleep 1000";
    let mut rig = Rig::new("");
    let file = rig.path("limits");
    let settings = format!("environment = {{ LIMITS = \"{}\" }}", file.display());
    rig.configure(&shell("looks", &settings, script));
    rig.start();
    let limits = || -> Vec<u64> {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let words = text.lines().filter_map(|l| l.split_whitespace().nth(3));
        words.filter_map(|soft| soft.parse().ok()).collect()
    };
    rig.until("both limits are written", |_| limits().len() == 2);
    // The type of a limit differs from one processor to the next.
    let most = hard.to_string().parse::<u64>().unwrap().min(8192);
    assert_eq!(limits(), [256, most]);
}
