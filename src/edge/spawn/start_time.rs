//! When a process was created, as the kernel's own table says it.

use std::{fs, io};

use nix::unistd::Pid;

/// When a process was created, in clock ticks since the boot: field 22 of `/proc/PID/stat`.
/// With the pid it names a process for good, as no pid comes round within one tick.
pub fn start_time(pid: Pid) -> io::Result<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat"))?;
    start_time_in(&stat).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("/proc/{pid}/stat has no start time"),
        )
    })
}

/// Field 22. The second field is a name in parentheses that may contain anything, so the count
/// begins after the last closing one.
fn start_time_in(stat: &[u8]) -> Option<u64> {
    let name_ends = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(stat.get(name_ends + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::start_time_in;

    #[test]
    fn start_time_is_found_behind_any_name() {
        let stat = b"7 (a ) R (b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 2\n";
        assert_eq!(start_time_in(stat), Some(4711));
        assert_eq!(start_time_in(b"7 (a) S 1"), None);
        assert_eq!(start_time_in(b""), None);
    }
}
