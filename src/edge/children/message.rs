//! What is written in one datagram of `sd_notify(3)`: text to words, and nothing else.
//!
//! A datagram is a list of lines `KEY=VALUE`. Keys that nobody knows are somebody else's and are
//! passed over, as the protocol wants it; of a key that comes twice the first counts. Anything may be
//! in it: what cannot be true is told, and everything that is kept is bounded.

use crate::core::fact::{Errno, NotifyKey, Pid, Refusal, Said};
use crate::text::shown;
use crate::units::Mono;
use std::time::Duration;

/// Heartbeats closer than this cannot be asked for: the least that `heartbeat` can be.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);

/// A longer silence than this is none that anybody waits for.
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// The most that one message can put a deadline off: as much as `start_timeout` can be.
const LONGEST_EXTENSION: Duration = Duration::from_secs(3600);

/// Largest error number of the kernel (`MAX_ERRNO`, include/linux/err.h).
const LARGEST_ERRNO: i32 = 4095;

/// What one datagram says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// `READY=1`
    pub ready: bool,
    /// `WATCHDOG=1`
    pub heartbeat: bool,
    /// `WATCHDOG=trigger`
    pub trigger: bool,
    /// `RELOADING=1`
    pub reloading: bool,
    /// `MONOTONIC_USEC=`
    pub since: Option<Mono>,
    /// `STOPPING=1`
    pub stopping: bool,
    /// `STATUS=`, harmless and bounded.
    pub status: Option<Box<str>>,
    /// `ERRNO=`
    pub errno: Option<Errno>,
    /// `MAINPID=`
    pub main: Option<Pid>,
    /// `WATCHDOG_USEC=`; the inner `None` is 0.
    pub window: Option<Option<Duration>>,
    /// `EXTEND_TIMEOUT_USEC=`
    pub extend: Option<Duration>,
    /// `FDSTORE=1`: keep what comes along.
    pub store: bool,
    /// `FDSTOREREMOVE=1`: let go of what has that name.
    pub remove: bool,
    /// `FDNAME=`
    pub name: Option<Box<str>>,
    /// `FDPOLL=0`: keep them even when their other ends are gone.
    pub unpolled: bool,
    /// `BARRIER=1`: nothing else in it counts.
    pub barrier: bool,
    /// A key whose value makes no sense, the first one.
    pub wrong: Option<NotifyKey>,
}

impl Message {
    /// Reads a datagram.
    ///
    /// # Errors
    /// When nothing of it counts: there is a NUL in it, other than one at the end.
    pub fn parse(bytes: &[u8]) -> Result<Message, Refusal> {
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        if bytes.contains(&0) {
            return Err(Refusal::Nul);
        }
        let mut message = Message::default();
        for line in bytes.split(|b| *b == b'\n') {
            let Some(at) = line.iter().position(|b| *b == b'=') else {
                continue;
            };
            message.take(&line[..at], &line[at + 1..]);
        }
        Ok(message)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) {
        let yes = value == b"1";
        match key {
            b"READY" => self.ready |= yes,
            b"RELOADING" => self.reloading |= yes,
            b"STOPPING" => self.stopping |= yes,
            b"BARRIER" => self.barrier |= yes,
            b"FDSTORE" => self.store |= yes,
            b"FDSTOREREMOVE" => self.remove |= yes,
            b"FDPOLL" => self.unpolled |= value == b"0",
            b"FDNAME" if self.name.is_none() => {
                self.name = std::str::from_utf8(value).ok().map(Into::into);
            }
            b"WATCHDOG" => match value {
                b"1" => self.heartbeat = true,
                b"trigger" => self.trigger = true,
                _ => self.is_wrong(NotifyKey::Watchdog),
            },
            b"STATUS" if self.status.is_none() => match std::str::from_utf8(value) {
                Ok(text) => self.status = Some(harmless(text)),
                Err(_) => self.is_wrong(NotifyKey::Status),
            },
            b"ERRNO" if self.errno.is_none() => {
                let errno = number(value).and_then(|n| i32::try_from(n).ok());
                self.errno = errno.filter(|n| *n <= LARGEST_ERRNO).map(Errno);
                self.need(self.errno.is_some(), NotifyKey::Errno);
            }
            b"MAINPID" if self.main.is_none() => {
                let pid = number(value).and_then(|n| u32::try_from(n).ok());
                self.main = pid.and_then(Pid::new);
                self.need(self.main.is_some(), NotifyKey::MainPid);
            }
            b"WATCHDOG_USEC" if self.window.is_none() => {
                let window = number(value).map(Duration::from_micros);
                self.window = window.map(|window| {
                    let bounded = window.clamp(SHORTEST_WINDOW, LONGEST_WINDOW);
                    (!window.is_zero()).then_some(bounded)
                });
                self.need(self.window.is_some(), NotifyKey::WatchdogUsec);
            }
            b"EXTEND_TIMEOUT_USEC" if self.extend.is_none() => {
                let time = number(value).map(Duration::from_micros);
                self.extend = time.map(|time| time.min(LONGEST_EXTENSION));
                self.need(self.extend.is_some(), NotifyKey::ExtendTimeoutUsec);
            }
            b"MONOTONIC_USEC" if self.since.is_none() => {
                self.since = number(value).map(|usec| Mono(usec / 1000));
                self.need(self.since.is_some(), NotifyKey::MonotonicUsec);
            }
            _ => {}
        }
    }

    fn need(&mut self, right: bool, key: NotifyKey) {
        if !right {
            self.is_wrong(key);
        }
    }

    fn is_wrong(&mut self, key: NotifyKey) {
        self.wrong.get_or_insert(key);
    }
}

/// A number as the protocol has it: decimal digits alone.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits)?;
    text.parse().ok()
}

/// A text that does nothing to a terminal, cut to the length that is kept.
fn harmless(text: &str) -> Box<str> {
    let mut kept = String::with_capacity(text.len().min(Said::STATUS_MAX));
    for c in text.trim().chars() {
        let c = shown(c);
        if kept.len() + c.len_utf8() > Said::STATUS_MAX {
            break;
        }
        kept.push(c);
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Message {
        Message::parse(text.as_bytes()).unwrap()
    }

    /// Whole lines count, in any company; near misses do not.
    #[test]
    fn reads_the_lines_that_matter() {
        let message = read("STATUS=x\nREADY=1\nWATCHDOG=1\nX_MINE=1\n");
        assert!(message.ready && message.heartbeat);
        assert_eq!(message.status.as_deref(), Some("x"));
        assert_eq!(message.wrong, None);
        for miss in ["READY=11", " READY=1", "READY=1 ", "X_READY=1", "READY", ""] {
            assert_eq!(read(miss), Message::default(), "{miss}");
        }
        assert_eq!(Message::parse(b"\xff=\xfe\n\xff"), Ok(Message::default()));
    }

    /// Every key that we know.
    #[test]
    fn every_key() {
        let message = read(
            "RELOADING=1\nMONOTONIC_USEC=12400999\nSTOPPING=1\nERRNO=2\nMAINPID=812\n\
             WATCHDOG=trigger\nWATCHDOG_USEC=20000000\nEXTEND_TIMEOUT_USEC=5000000\nBARRIER=1",
        );
        let expected = Message {
            reloading: true,
            since: Some(Mono(12_400)),
            stopping: true,
            errno: Some(Errno(2)),
            main: Pid::new(812),
            trigger: true,
            window: Some(Some(Duration::from_secs(20))),
            extend: Some(Duration::from_secs(5)),
            barrier: true,
            ..Message::default()
        };
        assert_eq!(message, expected);
    }

    /// Values that cannot be are told, the first of them; values out of bounds are brought into them.
    #[test]
    fn values_are_bounded() {
        for (line, wrong) in [
            ("ERRNO=-2", NotifyKey::Errno),
            ("ERRNO=4096", NotifyKey::Errno),
            ("MAINPID=1", NotifyKey::MainPid),
            ("MAINPID=", NotifyKey::MainPid),
            ("MAINPID=99999999999999999999", NotifyKey::MainPid),
            ("WATCHDOG=2", NotifyKey::Watchdog),
            ("WATCHDOG_USEC=1s", NotifyKey::WatchdogUsec),
            ("EXTEND_TIMEOUT_USEC=+5", NotifyKey::ExtendTimeoutUsec),
            ("MONOTONIC_USEC=x\nERRNO=x", NotifyKey::MonotonicUsec),
        ] {
            assert_eq!(read(line).wrong, Some(wrong), "{line}");
        }
        assert_eq!(
            Message::parse(b"STATUS=\xff").unwrap().wrong,
            Some(NotifyKey::Status)
        );
        assert_eq!(read("WATCHDOG_USEC=0").window, Some(None));
        assert_eq!(read("WATCHDOG_USEC=1").window, Some(Some(SHORTEST_WINDOW)));
        let most = u64::MAX;
        assert_eq!(
            read(&format!("WATCHDOG_USEC={most}")).window,
            Some(Some(LONGEST_WINDOW))
        );
        assert_eq!(
            read(&format!("EXTEND_TIMEOUT_USEC={most}")).extend,
            Some(LONGEST_EXTENSION)
        );
        assert_eq!(
            read("STATUS=one\nSTATUS=two").status.as_deref(),
            Some("one")
        );
        assert_eq!(
            read("STATUS=\u{1b}[2Ja\tb").status.as_deref(),
            Some("?[2Ja?b")
        );
    }

    /// A NUL at the end is somebody's habit; one within is none.
    #[test]
    fn a_nul_spoils_all() {
        assert!(Message::parse(b"READY=1\0").unwrap().ready);
        assert_eq!(Message::parse(b"READY=1\0\0"), Err(Refusal::Nul));
        assert_eq!(Message::parse(b"READY=1\0WATCHDOG=1"), Err(Refusal::Nul));
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let keys = [
            "READY",
            "RELOADING",
            "STOPPING",
            "STATUS",
            "ERRNO",
            "MAINPID",
            "WATCHDOG",
            "WATCHDOG_USEC",
            "EXTEND_TIMEOUT_USEC",
            "MONOTONIC_USEC",
            "BARRIER",
            "FDSTORE",
        ];
        let value = prop_oneof![
            "[0-9]{0,24}".prop_map(String::into_bytes),
            "1|trigger|-1|0x1| 1".prop_map(String::into_bytes),
            any::<String>().prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..600),
        ];
        (proptest::sample::select(keys.to_vec()), value)
            .prop_map(|(key, value)| [key.as_bytes(), b"=", &value].concat())
    }

    proptest! {
        /// Whatever is sent: what is kept of it is bounded and does nothing to a terminal.
        #[test]
        fn anything_may_be_sent(lines in prop::collection::vec(line(), 0..12)) {
            let bytes = lines.join(&b'\n');
            let Ok(message) = Message::parse(&bytes) else {
                prop_assert!(bytes[..bytes.len() - 1].contains(&0));
                return Ok(());
            };
            if let Some(status) = &message.status {
                prop_assert!(status.len() <= Said::STATUS_MAX);
                prop_assert!(!status.chars().any(char::is_control));
            }
            if let Some(Some(window)) = message.window {
                prop_assert!((SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&window));
            }
            prop_assert!(message.extend.unwrap_or_default() <= LONGEST_EXTENSION);
            prop_assert!((0..=LARGEST_ERRNO).contains(&message.errno.map_or(0, |e| e.0)));
            // What each line says does not depend on the others, but for the first that is wrong.
            let says = |line: &[u8]| Message::parse(line).unwrap();
            let of = |b: &[u8]| b.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
            let parts = of(bytes.strip_suffix(b"\0").unwrap_or(&bytes));
            prop_assert_eq!(message.ready, parts.iter().any(|l| says(l).ready));
            prop_assert_eq!(message.stopping, parts.iter().any(|l| says(l).stopping));
            prop_assert_eq!(message.trigger, parts.iter().any(|l| says(l).trigger));
            prop_assert_eq!(message.main, parts.iter().find_map(|l| says(l).main));
            prop_assert_eq!(message.status, parts.iter().find_map(|l| says(l).status));
        }

        /// Nothing makes it fall over.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&bytes);
        }
    }
}
