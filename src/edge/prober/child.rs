//! The program of a probe, from its birth to its end.
//!
//! It lives in a control group of its own below that of its service, where there is a pool: so it has
//! the service's limits, ends with it, and can be ended with all that it has started.

use crate::config::reach;
use crate::core::fact::{Exit, Ill, ProbeKind, Probed};
use crate::edge::children::Others;
use crate::edge::pool::ProbeLeaf;
use crate::edge::spawn::Spawned;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{self, WaitId, WaitIdOptions};
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How long the end of a killed program is waited for that nobody will look at any more.
const LAST_LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// What a look has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// It runs.
    NotYet,
    /// It has ended so, is reaped, and nothing of it is left.
    Reaped(Exit),
}

/// The program of a probe. Dropped, it is killed, and reaped if it goes at once.
pub struct ProbeChild {
    pid: Option<process::Pid>,
    pidfd: OwnedFd,
    leaf: Option<ProbeLeaf>,
    reaped: Cell<bool>,
    others: Others,
}

impl ProbeChild {
    /// A program that was just started, in this leaf. It is named among `others`, so that nobody else
    /// reaps it.
    pub fn new(spawned: Spawned, leaf: Option<ProbeLeaf>, others: &Others) -> ProbeChild {
        others.add(spawned.pid.as_raw());
        ProbeChild {
            others: others.clone(),
            pid: process::Pid::from_raw(spawned.pid.as_raw()),
            pidfd: spawned.pidfd,
            leaf,
            reaped: Cell::new(false),
        }
    }

    /// Looks whether it has ended. What it has left behind is killed then.
    pub(super) fn look(&self) -> End {
        let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if let Ok(None) = process::waitid(WaitId::PidFd(self.pidfd.as_fd()), peek) {
            return End::NotYet;
        }
        // While it is a zombie its number cannot be given out again.
        self.kill_group();
        if let Some(leaf) = &self.leaf
            && leaf.is_populated()
        {
            leaf.kill();
        }
        let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let exit = match process::waitid(WaitId::PidFd(self.pidfd.as_fd()), flags) {
            Ok(Some(status)) => exit_of(&status),
            Ok(None) | Err(_) => Exit::Unknown,
        };
        self.reaped.set(true);
        self.forget();
        End::Reaped(exit)
    }

    /// Kills it and all that it has started.
    pub(super) fn kill(&self) {
        let _ = process::pidfd_send_signal(&self.pidfd, process::Signal::KILL);
        self.kill_group();
        if let Some(leaf) = &self.leaf {
            leaf.kill();
        }
    }

    fn forget(&self) {
        if let Some(pid) = self.pid {
            self.others.remove(pid.as_raw_nonzero().get());
        }
    }

    fn kill_group(&self) {
        // It leads a session, and so a group, of its own; and it is not reaped.
        if let (Some(pid), false) = (self.pid, self.reaped.get()) {
            let _ = process::kill_process_group(pid, process::Signal::KILL);
        }
    }
}

impl AsFd for ProbeChild {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for ProbeChild {
    fn drop(&mut self) {
        if self.reaped.get() {
            return;
        }
        self.kill();
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&LAST_LOOK));
        self.look();
        // Whoever reaps what nobody else does may have it.
        self.forget();
    }
}

fn exit_of(status: &process::WaitIdStatus) -> Exit {
    if let Some(code) = status.exit_status() {
        return Exit::Code(u8::try_from(code & 0xFF).unwrap_or(u8::MAX));
    }
    let signal = status.terminating_signal();
    let signal = signal.and_then(|signal| u8::try_from(signal).ok());
    signal.map_or(Exit::Unknown, Exit::Signal)
}

/// What the end of a program tells, by what it was run for.
pub(super) fn judge(exit: Exit, kind: ProbeKind) -> Probed {
    match (kind, exit) {
        (_, Exit::Code(0)) => Probed::Good,
        (_, Exit::Unknown) => Probed::Unsure(Ill::Exit(exit)),
        // Our own program, which ends with the number of what it reaches, and with others for faults.
        (ProbeKind::Isolation, Exit::Code(code)) if usize::from(code) <= reach::MOST => {
            Probed::Bad(Ill::Reaches(code))
        }
        (ProbeKind::Isolation, Exit::Code(_) | Exit::Signal(_)) => Probed::Unsure(Ill::Exit(exit)),
        (ProbeKind::Startup | ProbeKind::Readiness | ProbeKind::Liveness, _) => {
            Probed::Bad(Ill::Exit(exit))
        }
    }
}
