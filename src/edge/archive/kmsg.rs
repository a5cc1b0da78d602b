//! Reads what the kernel has said, out of `/dev/kmsg`.
//!
//! Each read of it gives one record, `PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT`: kernel,
//! Documentation/ABI/testing/dev-kmsg. Only what the kernel itself has said is kept: any program of
//! root may write there, too, and by its facility that is told apart.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Records that are read at most; the ring of a Pi holds a few thousand.
const RECORDS: usize = 100_000;

/// Longest record. The kernel refuses to give a longer one into less.
const RECORD: usize = 8 * 1024;

/// What there is of the kernel's log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// The latest lines, each with its time since the boot: `[   12.345678] text`.
    pub lines: VecDeque<String>,
    /// Earlier ones were left out.
    pub cut: bool,
}

/// The latest lines of the kernel's log, in at most so many bytes.
///
/// # Errors
/// What the kernel said: without the right to, nobody may read it.
pub fn kernel_log(device: &Path, limit: usize) -> io::Result<Kept> {
    let mut log = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(device)?;
    let (mut kept, mut size) = (Kept::default(), 0);
    let mut record = vec![0; RECORD];
    for _ in 0..RECORDS {
        let length = match log.read(&mut record) {
            Ok(0) => break,
            Ok(length) => length,
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            // It was overwritten while we read: the next one is there.
            Err(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted) => {
                continue;
            }
            Err(e) => return Err(e),
        };
        let Some(line) = record.get(..length).and_then(line) else {
            continue;
        };
        size += line.len() + 1;
        kept.lines.push_back(line);
        while size > limit {
            let Some(oldest) = kept.lines.pop_front() else {
                break;
            };
            size -= oldest.len() + 1;
            kept.cut = true;
        }
    }
    Ok(kept)
}

/// The line of a record, if the kernel itself said it.
fn line(record: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(record);
    let (head, text) = text.split_once(';')?;
    let mut fields = head.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let micros: u64 = fields.nth(1)?.parse().ok()?;
    // Behind the first line stands what the record is about, for programs.
    let text = text.lines().next()?;
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    (priority >> 3 == 0).then(|| format!("[{seconds:5}.{rest:06}] {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel said is a line; what a program wrote there is none, and neither is rubbish.
    #[test]
    fn only_what_the_kernel_said() {
        let told = |record: &str| line(record.as_bytes());
        let usb = "6,339,5140900,-;usb 1-1: new device\n SUBSYSTEM=usb\n DEVICE=+usb:1-1\n";
        assert_eq!(
            told(usb).as_deref(),
            Some("[    5.140900] usb 1-1: new device")
        );
        assert_eq!(told("4,1,0,-;a;b\n").as_deref(), Some("[    0.000000] a;b"));
        // Facility 1 and 3: a program, a daemon.
        for other in ["12,340,6,-;password=x\n", "30,341,7,-;systemd[1]: x\n"] {
            assert_eq!(told(other), None, "{other}");
        }
        for rubbish in ["", ";", "6,1", "x,1,2,-;t", "6,1;t", "6,1,x,-;t"] {
            assert_eq!(told(rubbish), None, "{rubbish}");
        }
    }
}
