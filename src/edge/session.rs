//! Which session a process is in. Every main process leads one of its own.

use crate::core::fact::Pid;

/// The leader of the session that a process is in; none if it is out of sight or the process is gone.
///
/// A leader outside of our own namespace of process numbers is out of sight, as it is of everything
/// that a container's first process started: the kernel then answers 0, which nix passes on and
/// rustix takes for impossible.
pub fn leader(pid: Pid) -> Option<Pid> {
    let asked = nix::unistd::Pid::from_raw(i32::try_from(pid.number()).ok()?);
    let leader = nix::unistd::getsid(Some(asked)).ok()?;
    Pid::new(u32::try_from(leader.as_raw()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// `setsid` gives a process a session of its own, and one that is gone has none.
    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "any process will do, as long as it leads"
    )]
    fn leaders_are_told() {
        let mut leads = Command::new("setsid")
            .args(["sleep", "60"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::new(leads.id()).unwrap();
        while leader(pid) != Some(pid) {
            std::thread::yield_now();
        }
        leads.kill().unwrap();
        leads.wait().unwrap();
        assert_eq!(leader(pid), None);
    }
}
