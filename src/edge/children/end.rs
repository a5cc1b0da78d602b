//! The end of a run: that it has come, how it went, and what is left behind.

use super::{Children, Key, Run};
use crate::core::fact::{Exit, Pid};
use crate::edge::pool::Pool;
use crate::edge::spawn::start_time;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::process::{self, WaitId, WaitIdOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Whether the main process of a run has ended; it is not reaped.
pub(super) fn has_come(run: &Run) -> bool {
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match process::waitid(WaitId::PidFd(run.pidfd.as_fd()), flags) {
        Ok(status) => status.is_some(),
        // Not our child; then only its pidfd can tell.
        Err(_) => has_ended(&run.pidfd),
    }
}

/// Waits for the main process of a run to end, at most for so long; tells whether it has. Only for a
/// run that was killed: nothing else is waited for in this thread.
pub(super) fn comes_within(run: &Run, wait: Duration) -> bool {
    let mut fds = [PollFd::new(&run.pidfd, PollFlags::IN)];
    // An interrupted wait is one that is over: the answer below is right all the same.
    let _ = poll(&mut fds, Timespec::try_from(wait).ok().as_ref());
    fds[0].revents().contains(PollFlags::IN)
}

/// Kills what belongs to a run, whether its main process has ended or not.
pub(super) fn kill_remains(run: &Run, name: &str, pool: Option<&Pool>) {
    match pool {
        Some(pool) => {
            let _ = pool.kill(name);
        }
        None => kill_group(run),
    }
}

/// Reaps the main process of a run that has ended, kills what it left behind, and tells how it
/// ended.
pub(super) fn clear_up(run: &Run, name: &str, pool: Option<&Pool>) -> Exit {
    match pool {
        Some(pool) => {
            let exit = reap_main(run);
            // The remains are known by their group, whatever has become of the main process.
            if pool.is_populated(name) {
                let _ = pool.kill(name);
            }
            exit
        }
        None => {
            // While the main process is a zombie its number cannot be given out again, so this
            // reaches its remains and nobody else.
            kill_group(run);
            reap_main(run)
        }
    }
}

/// Reaps the main process of a run that has ended, and tells how it did.
fn reap_main(run: &Run) -> Exit {
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    match process::waitid(WaitId::PidFd(run.pidfd.as_fd()), flags) {
        Ok(Some(status)) => exit_of(&status),
        // Not our child, and its parent has reaped it.
        Ok(None) | Err(_) => Exit::Unknown,
    }
}

fn exit_of(status: &process::WaitIdStatus) -> Exit {
    if let Some(code) = status.exit_status() {
        return Exit::Code(u8::try_from(code & 0xFF).unwrap_or(u8::MAX));
    }
    let signal = status
        .terminating_signal()
        .and_then(|s| u8::try_from(s).ok());
    signal.map_or(Exit::Unknown, Exit::Signal)
}

/// Kills the process group that a run leads, if there is any of it left.
pub(super) fn kill_group(run: &Run) {
    // One that we do not reap ourselves may be reaped already.
    let (leader, start) = run.record.leader();
    if run.adopted && is_given_out_again(leader, start) {
        return;
    }
    if let Some(pid) = raw(leader) {
        let _ = process::kill_process_group(pid, process::Signal::KILL);
    }
}

/// Another process has the number of the one that a run began with. Then nothing is left of the run:
/// the kernel gives no number out as long as a process group has it.
fn is_given_out_again(leader: Pid, began: u64) -> bool {
    let Some(pid) = raw(leader) else {
        return false;
    };
    let pid = nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get());
    start_time(pid).is_ok_and(|start| start != began)
}

/// The process behind a pidfd has ended, whoever is to reap it.
pub(super) fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    !matches!(poll(&mut fds, Some(&Timespec::default())), Ok(0))
}

impl Children {
    /// Reaps the process that a run which is over began with: at once, or when it is gone.
    pub(super) fn bury(&mut self, at: u16, first: Option<Arc<OwnedFd>>) {
        let Some(first) = first.filter(|first| !is_reaped(first)) else {
            return;
        };
        let key = Key::Former(at).data();
        if epoll::add(&self.epoll, &first, key, epoll::EventFlags::IN).is_ok() {
            self.slots[usize::from(at)].former.push(first);
        }
    }

    /// One that was killed before is gone now.
    pub(super) fn reap_former(&mut self, at: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(at)) else {
            return;
        };
        let epoll = &self.epoll;
        slot.former.retain(|former| {
            let reaped = is_reaped(former);
            if reaped {
                let _gone = epoll::delete(epoll, former);
            }
            !reaped
        });
    }
}

/// Reaps a process if it has ended; it is gone as well if it is none of ours.
fn is_reaped(pidfd: &OwnedFd) -> bool {
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    !matches!(
        process::waitid(WaitId::PidFd(pidfd.as_fd()), flags),
        Ok(None)
    )
}

/// The number in the form that system calls take.
pub(super) fn raw(pid: Pid) -> Option<process::Pid> {
    process::Pid::from_raw(i32::try_from(pid.number()).ok()?)
}
