//! Finds the services that an earlier daemon of this boot started and that live on.
//!
//! Found by its record, a run is known for certain: the process number together with its start time.
//! Where a control group is not empty although no record fits, the leader of its session is the main
//! process; without such a one there are only remains, and they are killed so that nothing is
//! doubled.
//!
//! Never adopts a process because its number fits.

use super::pool::Pool;
use super::run_record::RunRecord;
use super::run_table::{Leavings, Left, RunTable};
use super::session;
use super::spawn::start_time;
use crate::core::fact::{Pid, RunId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{self, PidfdFlags, Signal, WaitId, WaitIdOptions};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Seconds that a service which is no longer configured gets to end by itself: the default of
/// `stop_timeout`.
const PATIENCE: i64 = 10;

/// A run that lives on.
pub struct Survivor {
    /// Its record, in force from now on.
    pub record: RunRecord,
    /// Its main process.
    pub pidfd: OwnedFd,
}

/// What there is of a service.
#[derive(Default)]
struct Seen {
    /// A run that lives on where it belongs.
    run: Option<Survivor>,
    /// It was found by its group, and not by its record.
    unrecorded: bool,
    /// The run of the record, outside its group, where we cannot reach all of it.
    astray: Option<Survivor>,
    /// There is a group of its own with processes, and no main process among them.
    remains: bool,
}

/// Looks for a run of this service. What is out of its place is ended, so that nothing is doubled.
///
/// `record`: of a run whose end nobody has seen.
pub fn find(name: &str, record: Option<RunRecord>, pool: Option<&Pool>) -> Option<Survivor> {
    let seen = see(record, name, pool);
    if let Some(astray) = &seen.astray {
        let _ = process::pidfd_send_signal(&astray.pidfd, Signal::KILL);
    }
    if let (true, Some(pool)) = (seen.remains, pool) {
        log::warn!("{name}: remains of an earlier run were found and killed");
        let _ = pool.kill(name);
    }
    if seen.unrecorded {
        log::warn!("{name}: found running without a record, taken over");
    }
    seen.run
}

/// The run that [`find`] would take over. Touches nothing.
pub fn look(name: &str, record: Option<RunRecord>, pool: Option<&Pool>) -> Option<Survivor> {
    see(record, name, pool).run
}

fn see(record: Option<RunRecord>, name: &str, pool: Option<&Pool>) -> Seen {
    let ended = record.as_ref().is_some_and(has_ended);
    let mut seen = Seen::default();
    if let Some(survivor) = record.and_then(known_alive) {
        match pool.is_some_and(|pool| !pool.is_home(name, survivor.record.pid)) {
            true => seen.astray = Some(survivor),
            false => {
                seen.run = Some(survivor);
                return seen;
            }
        }
    }
    let in_pool = pool.map(|pool| pool.processes(name)).unwrap_or_default();
    // A record is struck out when the end of its run was seen. So if there is one, and its process is
    // gone, whatever leads a session here is not the main process but some helper of it.
    let mut leaders = in_pool.iter().copied().filter(|_| !ended);
    seen.run = leaders.find_map(led_by_itself);
    seen.unrecorded = seen.run.is_some();
    seen.remains = seen.run.is_none() && !in_pool.is_empty();
    seen
}

/// The process of this record is not there any more; its number may be another one's.
fn has_ended(record: &RunRecord) -> bool {
    let Some(pid) = nix_pid(record.pid) else {
        return false;
    };
    // Zero stands for a time that could not be read: such a record proves nothing.
    record.start != 0
        && match start_time(pid) {
            Ok(start) => start != record.start,
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        }
}

/// The process of this record, if it is still the same one.
fn known_alive(record: RunRecord) -> Option<Survivor> {
    let pidfd = open(record.pid)?;
    // In this order: the pidfd pins the process, then its start time proves that it is the one.
    let is_it = start_time(nix_pid(record.pid)?).ok()? == record.start;
    // One that has ended and is our own child began under a predecessor in this process: it is taken
    // over all the same, and whoever reaps it sees how it ended.
    (is_it && (alive(&pidfd) || is_our_child(&pidfd))).then_some(Survivor { record, pidfd })
}

/// A process without a record that leads a session, as every main process of ours does.
fn led_by_itself(pid: Pid) -> Option<Survivor> {
    let pidfd = open(pid)?;
    if session::leader(pid)? != pid || !alive(&pidfd) {
        return None;
    }
    let start = start_time(nix_pid(pid)?).ok()?;
    // That it was ready cannot be known; taking it for ready keeps it from being ended for
    // silence. A heartbeat, where it has one, will tell.
    Some(Survivor {
        record: RunRecord::new(RunId(1), pid, start, true),
        pidfd,
    })
}

fn open(pid: Pid) -> Option<OwnedFd> {
    let raw = process::Pid::from_raw(i32::try_from(pid.number()).ok()?)?;
    process::pidfd_open(raw, PidfdFlags::empty()).ok()
}

fn nix_pid(pid: Pid) -> Option<nix::unistd::Pid> {
    Some(nix::unistd::Pid::from_raw(
        i32::try_from(pid.number()).ok()?,
    ))
}

/// The process has ended, and waits for us to reap it.
fn is_our_child(pidfd: &OwnedFd) -> bool {
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(
        process::waitid(WaitId::PidFd(pidfd.as_fd()), flags),
        Ok(Some(_))
    )
}

/// The process has not ended (one that waits to be reaped has).
fn alive(pidfd: &OwnedFd) -> bool {
    !ends_within(pidfd, 0)
}

/// Names of services that the configuration no longer has, and of which there is something left.
pub fn strangers(known: &BTreeSet<&str>, left: &Leavings, pool: Option<&Pool>) -> Leavings {
    let pooled = pool.map(Pool::names).unwrap_or_default();
    let pooled = pooled.into_iter().map(|name| (name, Left::default()));
    let left = left.iter().map(|(name, left)| (name.clone(), left.clone()));
    // What was left about a service goes before its being in the pool.
    let mut names: Leavings = pooled.collect();
    names.extend(left);
    names.retain(|name, _| !known.contains(name.as_str()));
    names
}

/// Something of a service that is nobody's any more still runs.
pub fn is_there(name: &str, left: &Left, pool: Option<&Pool>) -> bool {
    // What probed it may have outlived it, too.
    let grouped = |pool: &Pool| !pool.processes(name).is_empty() || pool.is_populated(name);
    left.record.clone().and_then(known_alive).is_some() || pool.is_some_and(grouped)
}

/// Ends these services if they still run: nobody else would.
///
/// Takes as long as they take to end, up to [`PATIENCE`] each.
pub fn end_strangers(strangers: &Leavings, table: &RunTable, pool: Option<&Pool>) {
    for (name, left) in strangers {
        if !is_there(name, left, pool) {
            table.forget(name);
            continue;
        }
        log::warn!("{name} runs but is no longer configured: ending it");
        if let Some(survivor) = left.record.clone().and_then(known_alive) {
            end(&survivor.pidfd);
        }
        if let Some(pool) = pool {
            let _ = pool.kill(name);
        }
        table.forget(name);
    }
}

/// Asks a process to end, and kills it if it does not.
fn end(pidfd: &OwnedFd) {
    let _ = process::pidfd_send_signal(pidfd, Signal::TERM);
    if !ends_within(pidfd, PATIENCE) {
        let _ = process::pidfd_send_signal(pidfd, Signal::KILL);
    }
}

fn ends_within(pidfd: &OwnedFd, seconds: i64) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    let wait = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    !matches!(poll(&mut fds, Some(&wait)), Ok(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::spawn::{Program, Spawned, Spawner};
    use std::fs;
    use std::path::Path;

    /// A process that leads a session, as a helper may, and as every main process does.
    fn sleeper() -> Spawned {
        let none: [(&str, &str); 0] = [];
        let program = Program::new(Path::new("/bin/sleep"), ["60"], none).unwrap();
        Spawner::new().unwrap().spawn(&program).unwrap()
    }

    fn end_now(process: &Spawned) {
        process::pidfd_send_signal(&process.pidfd, Signal::KILL).unwrap();
        let who = process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&process.pidfd));
        process::waitid(who, process::WaitIdOptions::EXITED).unwrap();
    }

    /// A directory that looks like a pool with this process in it.
    fn pool_with(directory: &Path, process: &Spawned) -> Pool {
        let leaf = directory.join("service-web/run-1");
        fs::create_dir_all(&leaf).unwrap();
        for file in ["cgroup.procs", "cgroup.kill"] {
            fs::write(directory.join(file), "").unwrap();
        }
        fs::write(leaf.join("cgroup.procs"), format!("{}\n", process.pid)).unwrap();
        Pool::at(directory).unwrap()
    }

    /// Without a record, what leads a session was started a moment before the daemon died. With the
    /// record of a process that is gone it is a helper of that one, and the service is not up.
    #[test]
    fn a_helper_is_not_taken_for_a_main_process_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let (main, helper) = (sleeper(), sleeper());
        let pool = pool_with(&directory.path().join("pool"), &helper);

        let looked = look("web", None, Some(&pool)).unwrap();
        let found = find("web", None, Some(&pool)).unwrap();
        assert_eq!(looked.record, found.record);
        assert_eq!(
            found.record.pid.number(),
            helper.pid.as_raw().unsigned_abs()
        );

        let pid = Pid::new(main.pid.as_raw().unsigned_abs()).unwrap();
        let record = RunRecord::new(RunId(7), pid, main.start_time().unwrap(), true);
        end_now(&main);
        assert!(find("web", Some(record), Some(&pool)).is_none());
        end_now(&helper);
    }
}
