//! The record of one run of a service, by which a successor of this daemon finds it again.
//!
//! One line in the runtime directory. It names the process by its number and its start time, so that
//! a number that was given out again is not mistaken for it.
//!
//! A new record overwrites the old one in a single write of always the same length. So it is there
//! as a whole or not at all when the daemon dies, which is all that is needed: the directory is memory
//! and does not outlive the machine. And no file is made for it, which could fail for want of space.

use crate::core::fact::{Pid, RunId};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

/// Bytes of a record, the line feed included; the longest numbers fit in.
const LENGTH: usize = 160;

/// What stands in the place of a record whose run is over.
const NOTHING: [u8; LENGTH] = {
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
        }
    }

    /// The process that leads the session of the run, and when it was started; it may be gone.
    pub fn leader(&self) -> (Pid, u64) {
        self.first.unwrap_or((self.pid, self.start))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn store(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.write_all(self.to_line().as_bytes())
    }

    /// Reads it; `None` if there is none or it makes no sense.
    pub fn load(path: &Path) -> Option<RunRecord> {
        RunRecord::from_line(&std::fs::read_to_string(path).ok()?)
    }

    /// Makes it mean nothing: the run is over, and somebody has seen its end. Its file stays for the
    /// next one.
    pub fn strike_out(path: &Path) {
        // If that fails, its reader finds out that the process is gone.
        if let Ok(mut file) = OpenOptions::new().write(true).open(path) {
            let _ = file.write_all(&NOTHING);
        }
    }

    /// Removes it: the run is over, and there will not be another.
    pub fn remove(path: &Path) {
        // A record that cannot be removed names a process that is gone; its reader finds that out.
        let _ = std::fs::remove_file(path);
    }

    fn to_line(&self) -> String {
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
        format!("{words:width$}\n", width = LENGTH - 1)
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
        };
        words.next().is_none().then_some(record)
    }
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
        };
        let silent = RunRecord {
            window: Some(None),
            ..record.clone()
        };
        for record in [&record, &longest, &silent] {
            let line = record.to_line();
            assert_eq!(line.len(), LENGTH);
            assert_eq!(RunRecord::from_line(&line).as_ref(), Some(record));
        }
        let line = record.to_line();
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
        ] {
            assert_eq!(RunRecord::from_line(bad), None);
        }
    }

    /// A record takes the place of one that was longer, and every one has the same length.
    #[test]
    fn the_next_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let record = |number: u32, start| {
            let pid = Pid::new(number).unwrap();
            RunRecord::new(RunId(number), pid, start, start == 0)
        };
        for record in [record(1 << 22, u64::MAX), record(7, 0)] {
            record.store(&path).unwrap();
            assert_eq!(RunRecord::load(&path), Some(record));
            assert_eq!(std::fs::metadata(&path).unwrap().len(), LENGTH as u64);
        }
        RunRecord::strike_out(&path);
        assert_eq!(RunRecord::load(&path), None);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), LENGTH as u64);
    }
}
