//! The demo as a reader meets it: the real binary, its real services, and a terminal.
//!
//! Each test runs a link to the binary under a name of its own, so that the services of its demo
//! can be told from those of any other.
// A test starts programs and waits for them in real time; what it cannot do at all is a failure.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod bench;
mod screen;
mod terminal;

use bench::{Bench, signal, wait};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

/// Factor of time. At ten a machine that builds something else meanwhile can make a heartbeat look
/// missed; at six it cannot, and the story takes 12 s.
const SPEED: &str = "6";

/// Reads lines until one contains `text`; returns what is left to read.
fn read_until<R: Read>(output: R, text: &str) -> BufReader<R> {
    let mut output = BufReader::new(output);
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "no {text:?}");
    }
    output
}

/// It is noticed after 3 s, or with the next pet.
const STUCK: &str = "✗ fieldwarden's watchdog thread has been stuck for ";

/// The whole story: every act in its order with its causes and effects, plain text, exit code 0,
/// and nothing left: no process, no file.
#[test]
fn tells_its_story() {
    let bench = Bench::new();
    let output = bench.command(&["--speed", SPEED]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(!text.contains('\x1b'), "colours without a terminal");
    let mut rest = &*text;
    for part in [
        "Simulated:",
        "── 1. ",
        "uplink is up",
        "── 2. ",
        "✗ logger crashed (exit status 1)",
        "→ starts logger again at once",
        "✓ logger is up again: it was down for",
        "before it starts logger again: 2 failures in a row",
        "✓ logger is up again",
        "3 failures in a row",
        "4 failures in a row",
        "── 3. ",
        "✗ camera has sent no heartbeat for 5",
        "→ ends camera by force",
        "✓ camera is up again",
        "── 4. ",
        "critical",
        "fine again",
        "its neighbours sent",
        "── 5. ",
        "✗ the watchdog device is gone",
        "▶ the demo cuts the mains",
        "of memory available: critical",
        "✗ mains are gone: running on battery",
        "✓ mains are back",
        "✓ watchdog armed",
        "── 6. ",
        STUCK,
        "→ gives no more pets",
        "✗ the watchdog resets the simulated board, 15 s after the last pet",
        "✓ watchdog armed",
        "! the previous boot was ended by the hardware watchdog",
        "── 7. ",
        "▶ the demo cuts the mains",
        "✗ mains are gone: running on battery",
        "→ on battery: services of the class optional are stopped",
        "✓ vision has ended",
        "→ on battery: services of the classes optional and normal are stopped",
        "→ turning this machine off, because mains stayed away for too long",
        "✓ uplink has ended",
        "→ asks sensor to end: what depends on it has ended",
        "✓ sensor has ended",
        "→ asked init: turning this machine off; nothing can be taken back now",
        "✓ fieldwarden has ended",
        "the board is off",
        "slowest restart",
        "power-off                    in order, ",
        "services left running        0",
    ] {
        let Some(at) = rest.find(part) else {
            panic!("no {part:?} in what is left:\n{rest}\nof:\n{text}");
        };
        rest = &rest[at + part.len()..];
    }
    let stuck = text
        .split(STUCK)
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let seconds: f64 = stuck.unwrap_or_default().parse().unwrap();
    assert!((3.0..=5.5).contains(&seconds), "{text}");
    let taken = "✗ the watchdog device is back, but taken by wd_keepalive (pid 412)";
    assert!(text.contains(taken), "{text}");
    assert!(!text.contains("the demo goes on\n"), "{text}");
    assert_eq!(bench.processes(), Vec::<u32>::new());
    assert_eq!(bench.left_over(), Vec::<String>::new());
}

/// The signals that ask a program to end lead to an orderly end, with the code of an interrupted
/// command.
#[test]
fn can_be_interrupted() {
    let bench = Bench::new();
    let mut command = bench.command(&["--speed", SPEED]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = read_until(child.stdout.take().unwrap(), "makes logger crash");
    signal(&child, Signal::INT);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(wait(child).code(), Some(130), "{rest}");
    assert!(rest.contains("fieldwarden has ended"), "{rest}");
    assert!(rest.contains("services left running        0"), "{rest}");
    assert_eq!(bench.processes(), Vec::<u32>::new());
    assert_eq!(bench.left_over(), Vec::<String>::new());
}

/// A demo that is killed takes its services with it, though nobody can end them in order.
#[test]
fn services_do_not_outlive_it() {
    let bench = Bench::new();
    let mut command = bench.command(&["--speed", SPEED]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = read_until(child.stdout.take().unwrap(), "makes logger crash");
    assert!(bench.processes().len() > 4, "{:?}", bench.processes());
    signal(&child, Signal::KILL);
    assert!(!wait(child).success());
    drop(output);
    bench.wait_for_nobody();
}

/// When nobody reads any more, the demo ends, in order and quietly, as every command does.
#[test]
fn ends_without_a_reader() {
    let bench = Bench::new();
    let mut command = bench.command(&["--speed", SPEED]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(read_until(child.stdout.take().unwrap(), "── 1. "));
    let mut told = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert!(wait(child).success());
    assert_eq!(told, "");
    assert_eq!(bench.processes(), Vec::<u32>::new());
    assert_eq!(bench.left_over(), Vec::<String>::new());
}

/// What cannot be done is said before anything is started.
#[test]
fn refuses_what_makes_no_sense() {
    let bench = Bench::new();
    for (args, told) in [
        (&["--interactive"][..], "needs a terminal"),
        (&["--speed", "0"][..], "--speed"),
        (&["--speed", "11"][..], "--speed"),
    ] {
        let output = bench.command(args).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{args:?}");
        assert!(text.contains(told), "{args:?}: {text}");
        assert_eq!(bench.left_over(), Vec::<String>::new());
    }
}
