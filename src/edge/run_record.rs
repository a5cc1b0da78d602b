//! The record of one run of a service, by which a successor of this daemon finds it again.
//!
//! One line in the [table](super::run_table) of runs, always of the same length. It names the process
//! by its number and its start time, so that a number that was given out again is not mistaken for it.

use crate::config::Fingerprint;
use crate::core::fact::{Pid, RunId};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Bytes of a record, the line feed included; the longest numbers fit in.
pub const LENGTH: usize = 160;

/// The word for how a run was begun.
const FINGERPRINT: &str = "fingerprint";

/// An empty line.
pub const NOTHING: [u8; LENGTH] = {
    let mut line = [b' '; LENGTH];
    line[LENGTH - 1] = b'\n';
    line
};

/// What a successor has to know about a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunRecord {
    /// Number of the run.
    pub run: RunId,
    /// The main process.
    pub pid: Pid,
    /// When it was started, in clock ticks since the boot.
    pub start: u64,
    /// It has said that it is ready.
    pub ready: bool,
    /// The interval of heartbeats that it has set itself; the inner `None` is none at all.
    pub window: Option<Option<Duration>>,
    /// The process that it began with, and when that was started, where another one is the main process
    /// by now. It leads the session of both.
    pub first: Option<(Pid, u64)>,
    /// How it was begun; `None` where an earlier version has begun it.
    pub fingerprint: Option<Fingerprint>,
}

impl RunRecord {
    /// The record of a run that has just begun, or of one of which no more is known.
    pub fn new(run: RunId, pid: Pid, start: u64, ready: bool) -> RunRecord {
        RunRecord {
            run,
            pid,
            start,
            ready,
            window: None,
            first: None,
            fingerprint: None,
        }
    }

    /// The process that leads the session of the run, and when it was started; it may be gone.
    pub fn leader(&self) -> (Pid, u64) {
        self.first.unwrap_or((self.pid, self.start))
    }

    /// Reads the file in which an earlier version kept it; `None` if there is none or it makes no
    /// sense.
    pub fn load(path: &Path) -> Option<RunRecord> {
        RunRecord::from_bytes(&std::fs::read(path).ok()?)
    }

    /// Removes that file.
    pub fn remove(path: &Path) {
        // A record that cannot be removed names a process that is gone; its reader finds that out.
        let _ = std::fs::remove_file(path);
    }

    /// Its line. A number would have to be longer than any of ours for it not to fit, and would make
    /// it no record.
    pub fn to_line(&self) -> [u8; LENGTH] {
        let ready = if self.ready { "yes" } else { "no" };
        let (run, pid) = (self.run.0, self.pid.number());
        let mut words = format!("run={run} pid={pid} start={} ready={ready}", self.start);
        if let Some(window) = self.window {
            // Writing to a string cannot fail.
            let _ = write!(words, " window={}", window.unwrap_or_default().as_millis());
        }
        if let Some((pid, start)) = self.first {
            let _ = write!(words, " first={} first-start={start}", pid.number());
        }
        if let Some(fingerprint) = self.fingerprint {
            let _ = write!(words, " {FINGERPRINT}={fingerprint}");
        }
        filled_up(&words)
    }

    /// The record that a line holds, if it does.
    pub fn from_bytes(line: &[u8]) -> Option<RunRecord> {
        RunRecord::from_line(std::str::from_utf8(line).ok()?)
    }

    fn from_line(line: &str) -> Option<RunRecord> {
        let line = line.strip_suffix('\n')?.trim_end_matches(' ');
        let mut words = line.split(' ').peekable();
        let mut value = |key: &str| {
            let word = words.next_if(|word| word.split('=').next() == Some(key))?;
            word.split_once('=').map(|(_, value)| value)
        };
        let record = RunRecord {
            run: RunId(value("run")?.parse().ok()?),
            pid: Pid::new(value("pid")?.parse().ok()?)?,
            start: value("start")?.parse().ok()?,
            ready: match value("ready")? {
                "yes" => true,
                "no" => false,
                _ => return None,
            },
            window: match value("window").map(str::parse).transpose().ok()? {
                None => None,
                Some(0) => Some(None),
                Some(millis) => Some(Some(Duration::from_millis(millis))),
            },
            first: match value("first") {
                None => None,
                Some(pid) => {
                    let start = value("first-start")?.parse().ok()?;
                    Some((Pid::new(pid.parse().ok()?)?, start))
                }
            },
            fingerprint: match value(FINGERPRINT) {
                None => None,
                Some(fingerprint) => Some(Fingerprint::read(fingerprint)?),
            },
        };
        words.next().is_none().then_some(record)
    }
}

/// What stands in the place of a record whose run is over: how that was begun, if it is known.
pub fn over(fingerprint: Option<Fingerprint>) -> [u8; LENGTH] {
    match fingerprint {
        None => NOTHING,
        Some(fingerprint) => filled_up(&format!("{FINGERPRINT}={fingerprint}")),
    }
}

/// How the run was begun that stood here and is over.
pub fn fingerprint_of_over(line: &[u8]) -> Option<Fingerprint> {
    let line = std::str::from_utf8(line).ok()?;
    let word = line.strip_suffix('\n')?.trim_end_matches(' ');
    let (key, value) = word.split_once('=')?;
    Fingerprint::read(value).filter(|_| key == FINGERPRINT)
}

fn filled_up(words: &str) -> [u8; LENGTH] {
    let mut line = NOTHING;
    if let Some(room) = line[..LENGTH - 1].get_mut(..words.len()) {
        room.copy_from_slice(words.as_bytes());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written is read; what is torn or strange is not.
    #[test]
    fn survives_a_round_trip_and_nothing_less() {
        let pid = Pid::new(4711).unwrap();
        let record = RunRecord::new(RunId(3), pid, 99, true);
        let longest = RunRecord {
            run: RunId(u32::MAX),
            pid: Pid::new(1 << 22).unwrap(),
            start: u64::MAX,
            ready: false,
            window: Some(Some(Duration::from_secs(24 * 3600))),
            first: Some((Pid::new(1 << 22).unwrap(), u64::MAX)),
            fingerprint: Some(Fingerprint::any(u64::MAX)),
        };
        let silent = RunRecord {
            window: Some(None),
            ..record.clone()
        };
        for record in [&record, &longest, &silent] {
            let line = record.to_line();
            assert_eq!(RunRecord::from_bytes(&line).as_ref(), Some(record));
        }
        assert_eq!(RunRecord::from_bytes(&NOTHING), None);
        let one = Some(Fingerprint::any(7));
        assert_eq!(RunRecord::from_bytes(&over(one)), None);
        assert_eq!(fingerprint_of_over(&over(one)), one);
        for line in [over(None), record.to_line(), longest.to_line()] {
            assert_eq!(fingerprint_of_over(&line), None);
        }
        let line = record.to_line();
        let line = std::str::from_utf8(&line).unwrap();
        let short = "run=3 pid=4711 start=99 ready=yes\n";
        assert_eq!(RunRecord::from_line(short), Some(record));
        for end in 0..line.len() {
            assert_eq!(RunRecord::from_line(&line[..end]), None);
        }
        for bad in [
            "\n",
            "run=1 pid=1 start=1 ready=yes\n",
            "run=1 pid=2 start=1 ready=yes more\n",
            "run=1 pid=2 start=1 ready=yes window=x\n",
            "run=1 pid=2 start=1 ready=yes first=9\n",
            "run=1 pid=2 start=1 ready=yes fingerprint=9\n",
        ] {
            assert_eq!(RunRecord::from_line(bad), None);
        }
    }
}
