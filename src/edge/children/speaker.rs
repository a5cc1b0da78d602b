//! Whose message is it? Each service has a socket of its own, but anybody may write to it.
//!
//! A sender that lives is known by its control group, or by its session where there is none. One that
//! is gone already, as the helper `systemd-notify` may be, is known by the user that it ran as: root,
//! the daemon's own user, or the user of the main process. So no other user of the machine can keep
//! a service that hangs from being noticed.

use super::notify::Sender;
use super::{Children, Run, Slot};
use crate::core::fact::Pid;
use crate::edge::session;
use rustix::process;
use std::fs;

impl Children {
    /// Whether a message came from this run.
    pub(super) fn is_of(&self, slot: &Slot, run: &Run, sender: Sender) -> bool {
        let main = run.record.pid;
        let known = match sender.pid {
            Some(pid) if pid == main => Some(true),
            Some(pid) => match &self.pool {
                Some(pool) => pool.holds(&slot.child.name, main, pid),
                None => self.is_of_session(slot, run.record.leader().0, pid),
            },
            None => None,
        };
        known.unwrap_or_else(|| may_be_of(main, sender))
    }

    /// As far as sessions can tell, which a helper may leave.
    fn is_of_session(&self, slot: &Slot, leader: Pid, sender: Pid) -> Option<bool> {
        let session = session::leader(sender)?;
        if session == leader {
            return Some(true);
        }
        let leads = |run: &Run| run.record.leader().0 == session;
        let others = self
            .slots
            .iter()
            .filter(|s| s.child.name != slot.child.name);
        let other = others.filter_map(|s| s.run.as_ref()).any(leads);
        other.then_some(false)
    }
}

/// Whether the sender ran as somebody who could have been part of the run.
fn may_be_of(main: Pid, sender: Sender) -> bool {
    let trusted = [0, process::geteuid().as_raw()];
    trusted.contains(&sender.uid) || user_of(main) == Some(sender.uid)
}

/// The effective user of a process.
///
/// Not the owner of its directory in procfs: for a process that has changed its user that is root.
fn user_of(pid: Pid) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{}/status", pid.number())).ok()?;
    let users = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root, our own user and the main process's user may have sent what nobody can be asked about.
    #[test]
    fn other_users_are_not_believed() {
        let main = Pid::new(std::process::id()).unwrap();
        let own = process::geteuid().as_raw();
        assert_eq!(user_of(main), Some(own));
        for (uid, believed) in [(0, true), (own, true), (own + 1, false), (u32::MAX, false)] {
            assert_eq!(
                may_be_of(main, Sender { pid: None, uid }),
                believed,
                "{uid}"
            );
        }
    }
}
