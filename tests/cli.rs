//! The built program, as people and scripts see it: what it prints where, and its exit codes.
//!
//! The transcripts are in `tests/cli/*.txt`. In them, `$` begins a command, `~` one that is given again
//! for a while, because events are told a moment after what they tell of; `>` is a line of
//! standard output, `!` one of standard error, `?` an exit code other than 0. `@ NAME` begins a
//! file, whose lines follow after `|`; `@daemon NAME` runs a daemon with that file as its
//! configuration until the end of the transcript. `[..]` stands for anything in a line, and
//! `[...]` for any lines.
//! `FIELDWARDEN_REWRITE=1 cargo test --test cli` writes what came into the files.
// Tests run the program that they test, and wait for it.
#![allow(clippy::disallowed_methods)]

#[path = "cli/bundle.rs"]
mod bundle;
#[path = "cli/daemon.rs"]
mod daemon;
#[path = "cli/led.rs"]
mod led;
#[path = "cli/logs.rs"]
mod logs;
#[path = "cli/past.rs"]
mod past;
#[path = "cli/transcript.rs"]
mod transcript;
#[path = "cli/why.rs"]
mod why;

use daemon::{Place, config_with};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const SLEEPER: &str = "[service.web]\ncommand = [\"/bin/sleep\", \"300\"]\n";

/// Every transcript comes out as it is written.
#[test]
fn transcripts() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("tests/cli")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 6, "transcripts are missing: {files:?}");
    let threads: Vec<_> = files
        .into_iter()
        .map(|file| std::thread::spawn(move || transcript::run(&file)))
        .collect();
    let failures: Vec<String> = threads
        .into_iter()
        .filter_map(|thread| thread.join().expect("a transcript panicked").err())
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// A reader that goes away ends a command quietly, as `| head -1` does.
#[test]
fn closed_pipe_is_quiet() {
    let place = Place::new();
    let _daemon = place.daemon(&config_with(SLEEPER));
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["events", "--follow"],
        &["replay", "run/trace"],
    ] {
        let mut child = place
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("spawned");
        drop(child.stdout.take());
        if args[0] == "events" {
            // It notices at its first line, so there has to be one.
            assert!(place.run(&["restart", "web"]).status.success());
        }
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("piped");
        stderr.read_to_string(&mut said).expect("text");
        let status = child.wait().expect("ended");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
        assert!(status.success(), "{args:?}: {status}: {said}");
    }
}

/// No two orders of a daemon have the same number, or the outcome of one would be taken for that of
/// the other.
#[test]
fn orders_have_numbers_of_their_own() {
    let place = Place::new();
    let _daemon = place.daemon(&config_with(SLEEPER));
    assert!(place.run(&["restart", "web"]).status.success());
    let trace = std::fs::read_to_string(place.path("run/trace")).expect("a trace");
    let orders = trace.lines().filter(|line| line.starts_with("        > "));
    let numbers: Vec<u64> = orders
        .map(|line| line.rsplit_once(" order=").expect("a number").1)
        .map(|number| number.parse().expect("a number"))
        .collect();
    assert!(numbers.len() > 5, "{trace}");
    assert!(numbers.is_sorted_by(|a, b| a < b), "{trace}");
}

/// `check` says which board file is in force, and what its owner has to do by hand.
#[test]
fn check_names_the_board() {
    let place = Place::new();
    place.write("board.toml", "board = \"x728\"\n");
    let output = place.run(&["check", "board.toml"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let board = "board: Geekworm X728 v2.1 and later, from x728.toml (built in)\n";
    assert!(output.status.success() && said.contains(board), "{said}");
    assert!(said.contains("  fit the PLD jumper"), "{said}");
}

/// Nobody reads what goes wrong: the command ends with its own code, and not by a panic.
#[test]
fn closed_standard_error_is_quiet() {
    let place = Place::new();
    place.write("broken.toml", "comand = 1\n");
    let lacking = "[service.web]\ncommand = [\"/usr/bin/no-such-program\"]\n";
    place.write("lacking.toml", &config_with(lacking));
    let trace =
        "#:fieldwarden-trace 1\n#:first yes\nwatchdog.owner = \"nobody\"\n----\n1.000 tick\n";
    place.write("short.trace", trace);
    let services = "[service.lost]\ncommand = [\"/usr/bin/no-such-program\"]\nautostart = false\n\
                    [service.mute]\ncommand = [\"/bin/sleep\", \"300\"]\nautostart = false\n\
                    ready = \"notify\"\n";
    let daemon = place.daemon(&config_with(services));
    let ended = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("pipe");
        drop(reader);
        let mut command = place.command(args);
        command.stdout(Stdio::null()).stderr(writer);
        let status = command.status().expect("ran");
        assert!(status.code().is_some(), "{args:?}: {status}");
        status.code().unwrap_or_default()
    };
    assert_eq!(ended(&["check", "broken.toml"]), 78);
    assert_eq!(ended(&["check", "lacking.toml"]), 0);
    assert_eq!(ended(&["replay", "short.trace"]), 1);
    assert_eq!(ended(&["start", "lost"]), 1);
    assert_eq!(ended(&["start", "mute", "--timeout", "100ms"]), 1);
    assert_eq!(ended(&["start", "nosuch"]), 1);
    assert_eq!(ended(&["no-such-command"]), 2);
    daemon.end();
    let journal = std::fs::read_dir(place.path("state/journal")).expect("journal");
    let segment = journal.map(|e| e.expect("entry").path()).next();
    let torn = std::fs::OpenOptions::new()
        .append(true)
        .open(segment.expect("a segment"));
    torn.expect("opened").write_all(b"torn").expect("written");
    assert_eq!(ended(&["export", "state/journal"]), 0);
}

/// A byte that the card has lost costs a line at most, and the line is named.
#[test]
fn a_bad_byte_in_a_trace_is_named() {
    let place = Place::new();
    let mut trace =
        b"#:fieldwarden-trace 1\n#:first yes\nwatchdog.owner = \"nobody\"\n----\n# caf".to_vec();
    trace.push(0xE9);
    trace.extend_from_slice(b"\n1.000 tick\n2.000 ti");
    trace.push(0xFF);
    trace.extend_from_slice(b"ck\n");
    std::fs::write(place.path("bad.trace"), trace).expect("written");
    let output = place.run(&["replay", "bad.trace"]);
    let (out, said) = (
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    );
    assert!(out.contains("1.000 tick\n"), "{out}");
    assert!(said.contains("bad.trace:5: not UTF-8"), "{said}");
    assert!(said.contains("bad.trace:7: not UTF-8"), "{said}");
    assert!(said.contains("bad.trace:7: expected `tick`"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// Whoever follows events sees each one while it happens, and is told when the daemon ends.
#[test]
fn events_are_followed() {
    let place = Place::new();
    let daemon = place.daemon(&config_with(SLEEPER));
    let mut follower = place
        .command(&["events", "--follow", "--last", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawned");
    let mut lines = BufReader::new(follower.stdout.take().expect("piped")).lines();
    let mut next_with = |part: &str| {
        let found = lines
            .by_ref()
            .map(|l| l.expect("text"))
            .find(|l| l.contains(part));
        assert!(found.is_some(), "no line with {part:?}");
    };
    // It may not follow yet; it does once it has seen the first of several restarts.
    let restarts = std::thread::scope(|scope| {
        let restarts =
            scope.spawn(|| (0..3).all(|_| place.run(&["restart", "web"]).status.success()));
        next_with("info    stopping web");
        next_with("web is up after");
        restarts.join().expect("joined")
    });
    assert!(restarts);
    daemon.end();
    next_with("info    ended");
    let mut said = String::new();
    let mut stderr = follower.stderr.take().expect("piped");
    stderr.read_to_string(&mut said).expect("text");
    assert!(follower.wait().expect("ended").success());
    assert_eq!(said, "fieldwarden: the daemon has ended\n");
}

/// Whoever watches the status sees that the daemon has gone, and sees its successor.
#[test]
fn watching_goes_on_through_a_restart() {
    let place = Place::new();
    let daemon = place.daemon(&config_with(SLEEPER));
    let mut watcher = place
        .command(&["status", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawned");
    let mut lines = BufReader::new(watcher.stdout.take().expect("piped")).lines();
    let mut next_with = |part: &str| {
        let found = lines
            .by_ref()
            .map(|l| l.expect("text"))
            .find(|l| l.contains(part));
        assert!(found.is_some(), "no line with {part:?}");
    };
    next_with("ok: 1 of 1 services up");
    daemon.end();
    next_with("no fieldwarden answers in");
    let _successor = place.daemon(&config_with(SLEEPER));
    next_with("ok: 1 of 1 services up");
    watcher.kill().expect("killed");
    watcher.wait().expect("ended");
}

/// A user who may connect may look, and is told why that is all; one who may not connect is told
/// what to do. Only root can become somebody else, so nobody else can run this, and it says so.
#[test]
fn strangers_may_look_at_most() {
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can become another user: run this as root (`sudo -E env PATH=$PATH cargo test \
         --test cli`)"
    );
    let place = Place::new();
    let _daemon = place.daemon(&config_with(SLEEPER));
    let as_nobody = |args: &[&str]| {
        let mut command = place.command(args);
        command.uid(65534).gid(65534);
        let output = command.output().expect("ran");
        let said = String::from_utf8(output.stderr).expect("text");
        (output.status.code().expect("exited"), said)
    };
    let (code, said) = as_nobody(&["status"]);
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("you may not ask"), "{said}");
    let socket = place.path("run/control.sock");
    std::fs::set_permissions(socket, PermissionsExt::from_mode(0o666)).expect("chmod");
    let (code, said) = as_nobody(&["status"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = as_nobody(&["stop", "web"]);
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("user 65534 may look, but not"), "{said}");
}

/// A second daemon in the same directory is refused and told by whom, and the first goes on.
#[test]
fn second_daemon_is_refused() {
    let place = Place::new();
    let daemon = place.daemon(&config_with(SLEEPER));
    let output = place.run(&["run", "--config", "daemon.toml"]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = format!("another fieldwarden (pid {}) runs", daemon.pid());
    assert!(said.contains(&expected), "{said}");
    assert!(place.run(&["status"]).status.success());
}

/// A daemon that has no descriptors left neither spins nor loses its clients: it serves them as
/// soon as there are some again.
#[test]
fn no_descriptors_left() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let place = Place::new();
    let daemon = place.daemon(&config_with(SLEEPER));
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).expect("pid"));
    // Its threads open files for moments, which must not be taken for ones that stay open.
    let looks = (0..20).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        lowest_free_descriptor(daemon.pid())
    });
    let free = looks.min().expect("a number");
    let limit = |current: u64| Rlimit {
        current: Some(current),
        maximum: Some(1024),
    };
    // What is open stays open, and every new descriptor would have a number that is too large.
    prlimit(pid, Resource::Nofile, limit(free)).expect("prlimit");
    let connect = || {
        let socket = place.path("run/control.sock");
        let mut stream = UnixStream::connect(socket).expect("queued");
        let request = b"{\"v\":1,\"request\":\"status\"}\n";
        stream.write_all(request).expect("sent");
        stream
    };
    let others: Vec<_> = (0..8).map(|_| connect()).collect();
    let mut asking = connect();
    let before = cpu_ticks(daemon.pid());
    let wait = |stream: &UnixStream, s| stream.set_read_timeout(Some(Duration::from_secs(s)));
    wait(&asking, 2).expect("timeout");
    let mut answer = [0u8; 11];
    let silence = asking
        .read_exact(&mut answer)
        .expect_err("no descriptor, and yet an answer");
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    let used = cpu_ticks(daemon.pid()) - before;
    assert!(used < 50, "{used} hundredths of a second in 2 s");
    prlimit(pid, Resource::Nofile, limit(1024)).expect("prlimit");
    wait(&asking, 5).expect("timeout");
    asking.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"{\"v\":1,\"ok\"");
    drop(others);
}

/// The number that the next descriptor of a process will have.
fn lowest_free_descriptor(pid: u32) -> u64 {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("procfs");
    let used: Vec<u64> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    (0..)
        .find(|number| !used.contains(number))
        .expect("one is free")
}

/// Processor time that a process has used, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("procfs");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in brackets");
    let fields: Vec<&str> = rest.split(' ').collect();
    // utime and stime are the 14th and 15th field; two have gone before the rest.
    let number = |at: usize| fields[at].parse::<u64>().expect("a number");
    number(11) + number(12)
}
