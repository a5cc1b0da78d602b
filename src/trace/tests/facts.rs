//! Single facts, there and back.

use super::arbitrary::{fact, mono, names, paths};
use crate::core::settings::Settings;
use crate::text::samples;
use crate::trace::{fact_line, parse_fact};
use crate::units::Mono;
use proptest::prelude::*;

fn settings() -> Settings {
    samples::settings(&names(), &paths())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Whatever is written is read back as exactly the same fact, and takes exactly one line.
    #[test]
    fn what_is_written_is_read(at in mono(), fact in fact()) {
        let line = fact_line(at, &fact, &settings());
        prop_assert_eq!(line.lines().count(), 1);
        prop_assert_eq!(parse_fact(&line, &settings()), Ok((at, fact)), "{}", line);
    }

    /// No line whatsoever makes the reader panic.
    #[test]
    fn no_line_panics(line in any::<String>()) {
        drop(parse_fact(&line, &settings()));
    }

    /// A line with one character changed is refused, or read as what it then says; and what it
    /// says is written in a form that is read the same.
    #[test]
    fn damaged_lines_do_not_panic(
        fact in fact(),
        at in any::<prop::sample::Index>(),
        with in any::<char>(),
    ) {
        let mut line: Vec<char> = fact_line(Mono(12_400), &fact, &settings()).chars().collect();
        let at = at.index(line.len());
        line[at] = with;
        let line: String = line.into_iter().collect();
        if let Ok((time, fact)) = parse_fact(&line, &settings()) {
            let again = fact_line(time, &fact, &settings());
            prop_assert_eq!(parse_fact(&again, &settings()), Ok((time, fact)));
        }
    }
}

/// The lines that the documentation shows, each in its canonical form.
#[test]
fn canonical_lines() {
    let settings = samples::field();
    let lines = [
        "0.000 tick",
        "12.400 seen temperature 61.234C",
        "12.400 seen memory available=14.5%",
        "12.400 seen load per-cpu=1.25",
        "12.400 seen clock synced=yes",
        "12.400 seen clock synced=no time=2031-07-04T12:34:56Z at=12.398",
        "12.400 seen rtc stopped=unknown time=2031-07-04T12:34:57Z at=12.399 temperature=25.25C",
        "12.400 seen rtc stopped=yes",
        "0.000 seen floor time=2026-03-01T00:00:00Z",
        "12.400 seen mains present=no",
        "12.400 seen throttle flags=0x50005",
        "12.400 seen mount / space=9% inodes=none read-only=no",
        r#"12.400 seen mount "/srv/my data" space=100% inodes=0.5% read-only=yes"#,
        r#"3.000 seen watchdog identity="i6300ESB timer" timeout=30s nowayout=no caused-reset=yes"#,
        "3.000 lost temperature errno=EIO",
        r#"3.000 lost watchdog taken by="systemd (pid 1)""#,
        "3.000 lost watchdog taken",
        "3.000 lost clock implausible",
        "3.000 lost mains absent",
        "12.400 child web run=1 started pid=812",
        "12.400 child web run=1 start-failed stage=exec errno=ENOENT",
        "12.400 child web run=1 adopted pid=812 ready=yes",
        "12.400 child web run=1 ready",
        "12.400 child web run=1 heartbeat",
        "12.400 child web run=1 exited code=1",
        "12.400 child web run=1 exited signal=SIGKILL",
        "12.400 child web run=1 exited unknown",
        "20.000 asked ticket=3 user=1000 restart sensor-bridge",
        "20.000 asked ticket=0 signal=SIGTERM exit",
        "20.000 done order=5 ok",
        "20.000 done order=5 failed busy",
        "20.000 thread disk late since=12.000",
        "20.000 thread disk on-time",
    ];
    for line in lines {
        let (at, fact) = parse_fact(line, &settings).unwrap();
        assert_eq!(fact_line(at, &fact, &settings), line);
    }
}

/// What people may write differently: fewer places in a time, spaces, quotes where none are needed.
#[test]
fn lenient_forms() {
    let settings = samples::field();
    let cases = [
        ("12 tick", "12.000 tick"),
        ("12.4   tick  ", "12.400 tick"),
        ("1 lost \"clock\" busy", "1.000 lost clock busy"),
        (
            "1 child \"web\" run=01 exited signal=9",
            "1.000 child web run=1 exited signal=SIGKILL",
        ),
        ("1 lost clock errno=5", "1.000 lost clock errno=EIO"),
    ];
    for (given, canonical) in cases {
        let (at, fact) = parse_fact(given, &settings).unwrap();
        assert_eq!(fact_line(at, &fact, &settings), canonical);
    }
}

/// Errors say what is expected, and what stands there instead.
#[test]
fn errors() {
    let settings = samples::field();
    let cases = [
        (
            "12.400 child wbe run=1 ready",
            "the configuration has no service `wbe`; did you mean `web`?",
        ),
        (
            "12.400 child database run=1 ready",
            "the configuration has no service `database`",
        ),
        (
            "12.400 lost mount /srv busy",
            "the configuration has no mount point `/srv`",
        ),
        (
            "12.400 child web ready",
            "expected `run=NUMBER`, found `ready`",
        ),
        (
            "12.400 child web run=1 ready now",
            "expected the end of the line, found `now`",
        ),
        (
            "12.400 tock",
            "expected `tick`, `seen`, `lost`, `child`, `kept`, `asked`, `done` or `thread`, found `tock`",
        ),
        (
            "soon tick",
            "expected a time in seconds such as `12.400`, found `soon`",
        ),
        (
            "12.4001 tick",
            "expected a time in seconds such as `12.400`, found `12.4001`",
        ),
        (
            "12.400",
            "expected `tick`, `seen`, `lost`, `child`, `kept`, `asked`, `done` or `thread`, \
             found the end of the line",
        ),
        (
            "1 seen memory available=101%",
            "`101%` is out of range: a share is at most `100%`",
        ),
        (
            "1 seen throttle flags=50005",
            "expected throttle flags such as `0x50005`, found `50005`",
        ),
        (
            "1 seen throttle flags=0x100000000",
            "`0x100000000` is out of range: flags have 32 bits",
        ),
        (
            "1 child web run=1 started pid=1",
            "`1` is out of range: a pid of ours is 2 to 4194304",
        ),
        (
            "1 child web run=4294967296 ready",
            "`4294967296` is out of range: it is too large",
        ),
        (
            "1 lost watchdog taken by=\"systemd",
            "bad quoted text: it has no closing quote",
        ),
        (
            "1 lost watchdog taken by=\"a\\x\"",
            "bad quoted text: the escapes are \\\" \\\\ \\n \\r \\t and \\u{HEX}",
        ),
        (
            "1 asked ticket=1 root status",
            "expected `user=NUMBER` or `signal=NAME`, found `root`",
        ),
        (
            " 1 tick",
            "expected a time at the start of the line, or `>` or `!` behind the indentation, \
             found `1`",
        ),
    ];
    for (line, message) in cases {
        assert_eq!(
            parse_fact(line, &settings).unwrap_err().to_string(),
            message
        );
    }
}
