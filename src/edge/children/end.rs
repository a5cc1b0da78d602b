//! The end of a run: that it has come, how it went, and what is left behind.

use super::Run;
use crate::core::fact::{Exit, Pid};
use crate::edge::pool::Pool;
use crate::edge::run_record::RunRecord;
use crate::edge::spawn::start_time;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{self, WaitId, WaitIdOptions};
use std::os::fd::AsFd;
use std::time::Duration;

/// Whether the main process of a run has ended; it is not reaped.
pub(super) fn has_come(run: &Run) -> bool {
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match process::waitid(WaitId::PidFd(run.pidfd.as_fd()), flags) {
        Ok(status) => status.is_some(),
        // Not our child; then only its pidfd can tell, and that has.
        Err(_) => true,
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
    if run.adopted && is_given_out_again(&run.record) {
        return;
    }
    if let Some(pid) = raw(run.record.pid) {
        let _ = process::kill_process_group(pid, process::Signal::KILL);
    }
}

/// Another process has the number of this run. Then nothing is left of the run: the kernel gives no
/// number out as long as a process group has it.
fn is_given_out_again(record: &RunRecord) -> bool {
    let Some(pid) = raw(record.pid) else {
        return false;
    };
    let pid = nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get());
    start_time(pid).is_ok_and(|start| start != record.start)
}

/// The number in the form that system calls take.
pub(super) fn raw(pid: Pid) -> Option<process::Pid> {
    process::Pid::from_raw(i32::try_from(pid.number()).ok()?)
}
