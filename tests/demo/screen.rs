//! What needs a terminal: the screen, and the story with colours and a live line.

use crate::SPEED;
use crate::bench::{Bench, signal, wait};
use crate::terminal::Terminal;
use rustix::process::Signal;
use rustix::termios::{Action, tcflow};
use std::io::Write;
use std::process::Command;
use std::time::Duration;

/// Leaves the alternate screen and shows the cursor again.
const GIVEN_BACK: [&str; 2] = ["\x1b[?1049l", "\x1b[?25h"];

/// Keys cause trouble, the screen shows what comes of it, and q gives the terminal back.
#[test]
fn interactive() {
    let bench = Bench::new();
    let mut terminal = Terminal::start(&bench, &["--interactive", "--speed", SPEED]);
    terminal.see("vision is up");
    terminal.ours.write_all(b"c").unwrap();
    terminal.see("camera is up again");
    terminal.ours.write_all(b"w").unwrap();
    terminal.see("NOT ARMED");
    terminal.ours.write_all(b"w").unwrap();
    terminal.see("watchdog armed");
    terminal.ours.write_all(b"p").unwrap();
    terminal.see("mains are gone");
    terminal.ours.write_all(b"p").unwrap();
    terminal.see("mains are back");
    terminal.ours.write_all(b"s").unwrap();
    terminal.see("you step the clock: 12:");
    terminal.see("somebody set the clock ahead by");
    terminal.see("nothing counts with that clock");
    terminal.ours.write_all(b"q").unwrap();
    let (status, text) = terminal.end();
    assert!(status.success(), "{text}");
    for code in GIVEN_BACK {
        assert!(text.contains(code), "{text}");
    }
    assert!(text.contains("services left running        0"), "{text}");
    assert_eq!(bench.processes(), Vec::<u32>::new());
    assert_eq!(bench.left_over(), Vec::<String>::new());
}

/// Mains that stay away power the board off. What led to it stays to be read until q leaves.
#[test]
fn interactive_until_the_board_is_off() {
    let bench = Bench::new();
    let mut terminal = Terminal::start(&bench, &["--interactive", "--speed", SPEED]);
    terminal.see("vision is up");
    terminal.ours.write_all(b"p").unwrap();
    terminal.see("mains are gone");
    terminal.see("(off)");
    assert!(terminal.demo.try_wait().unwrap().is_none(), "it left");
    terminal.ours.write_all(b"cq").unwrap();
    let (status, text) = terminal.end();
    assert!(status.success(), "{text}");
    assert!(text.contains("services left running        0"), "{text}");
    assert_eq!(bench.processes(), Vec::<u32>::new());
}

/// A signal gives the terminal back too.
#[test]
fn interactive_and_terminated() {
    let bench = Bench::new();
    let mut terminal = Terminal::start(&bench, &["--interactive", "--speed", SPEED]);
    terminal.see("vision is up");
    signal(&terminal.demo, Signal::TERM);
    let (_, text) = terminal.end();
    for code in GIVEN_BACK {
        assert!(text.contains(code), "{text}");
    }
    assert_eq!(bench.processes(), Vec::<u32>::new());
}

/// A terminal that vanishes, as when a connection is lost, ends the demo.
#[test]
fn interactive_and_hung_up() {
    let bench = Bench::new();
    let mut terminal = Terminal::start(&bench, &["--interactive", "--speed", SPEED]);
    terminal.see("vision is up");
    let Terminal { ours, demo, .. } = terminal;
    drop(ours);
    wait(demo);
    bench.wait_for_nobody();
    assert_eq!(bench.left_over(), Vec::<String>::new());
}

/// A terminal that takes nothing holds up the demo; the second signal ends it even so.
#[test]
fn interactive_and_stopped() {
    let bench = Bench::new();
    let mut terminal = Terminal::start(&bench, &["--interactive", "--speed", SPEED]);
    terminal.see("vision is up");
    tcflow(terminal.theirs.as_ref().unwrap(), Action::OOff).unwrap();
    signal(&terminal.demo, Signal::TERM);
    // Long enough for it to draw, which it cannot.
    std::thread::sleep(Duration::from_millis(500));
    assert!(terminal.demo.try_wait().unwrap().is_none(), "not held up");
    signal(&terminal.demo, Signal::TERM);
    assert_eq!(wait(terminal.demo).code(), Some(130));
    bench.wait_for_nobody();
}

/// On a terminal the story has colours and a live line.
#[test]
fn story_on_a_terminal() {
    let bench = Bench::new();
    let mut terminal = Terminal::start(&bench, &["--speed", SPEED]);
    terminal.see("5 of 5 up,");
    signal(&terminal.demo, Signal::INT);
    let (status, text) = terminal.end();
    assert_eq!(status.code(), Some(130));
    assert!(text.contains("\x1b[32m✓\x1b[0m uplink has ended"), "{text}");
}

/// Without colours there is not a single control code, and still a live line.
#[test]
fn story_without_colours() {
    let bench = Bench::new();
    let mut command = Command::new("env");
    command.arg("NO_COLOR=1").arg(&bench.program);
    let mut terminal = Terminal::run(&bench, command, &["--speed", SPEED]);
    terminal.see("5 of 5 up,");
    signal(&terminal.demo, Signal::INT);
    let (_, text) = terminal.end();
    assert!(text.contains("uplink has ended"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}
