//! A spawner thread: starts processes and does nothing else. There are two, each with services of its
//! own.
//!
//! It is suspended from the birth of a child until its program has been executed, and the card may
//! make that last for minutes. So nobody waits for it: a start that brings no news is, after a while,
//! a start that is stuck, and not a daemon that hangs. Of many starts one half
//! goes on while the other waits for an exec, and processors that would be idle meanwhile are not.
//!
//! Terms: a *recipe* says how to run a service; *preparing* it makes its directory, FIFO and control
//! group, once.

mod making;
mod probing;
mod rights;
mod sandbox;

use super::children::Births;
use super::clock;
use super::fd_store::FdStore;
use super::inbox::Inbox;
use super::orders::{Orders, Work};
use super::output::Taps;
use super::places::Places;
use super::pool::{self, Leaf, Pool};
use super::prober::{ProbeOrder, ProberOrder};
use super::run_record::RunRecord;
use super::run_table::RunTable;
use super::spawn::{self, Limit, Program, SpawnError, Spawned, Spawner};
use crate::config::accounts::Account;
use crate::config::{Command, Fingerprint, Output};
use crate::core::fact::{Change, Errno, Fact, Lack, Pid, Reading, RunId, ServiceId, Stage};
use crate::sorted::Set;
use rights::Roster;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// What the spawner can be told to do.
pub enum SpawnOrder {
    /// Start a run.
    Start {
        /// Whose.
        service: ServiceId,
        /// Its number.
        run: RunId,
    },
    /// Make what a service needs around its process, for one that was adopted.
    Prepare {
        /// Which service.
        service: ServiceId,
    },
    /// Start the program of a probe, and hand it to the prober.
    Probe(ProbeOrder),
    /// Show that this thread still takes orders.
    RollCall,
}

/// The spawner of a service: they take turns, so that services that stand side by side start side by
/// side.
pub fn spawner_of(spawners: &[Orders<SpawnOrder>; 2], service: ServiceId) -> &Orders<SpawnOrder> {
    let [even, odd] = spawners;
    match service.0 % 2 {
        0 => even,
        _ => odd,
    }
}

/// How to run a service.
pub struct Recipe {
    /// Its name.
    pub name: Box<str>,
    /// Program, arguments and surroundings, as configured.
    pub command: Command,
    /// It has a notify socket.
    pub notify: bool,
    /// The number of the descriptor to which it writes a newline when it is ready.
    pub newline: Option<u8>,
    /// What it has left for its next run; the children thread has it too.
    pub store: FdStore,
    /// Its heartbeat window, which it is told.
    pub heartbeat: Option<Duration>,
    /// How it is run, in short.
    pub fingerprint: Fingerprint,
}

impl Recipe {
    /// It is handed secrets.
    fn has_secrets(&self) -> bool {
        let sandbox = self.command.sandbox.as_ref();
        sandbox.is_some_and(|sandbox| !sandbox.secrets.is_empty())
    }
}

/// How to run all of them.
#[derive(Clone)]
pub struct Recipes {
    /// Each.
    pub each: Arc<[Recipe]>,
    /// The environment that all of them begin with.
    pub inherited: Arc<[(OsString, OsString)]>,
    /// The limit of open descriptors that they are to have, if that is not ours.
    pub descriptors: Option<Limit>,
}

/// What was made around the process of a service, to be used by all of its runs.
struct Prepared {
    /// Who it runs as, where that is somebody else.
    account: Option<Box<Account>>,
    /// It was adopted with a FIFO that an earlier version has made.
    old_output: bool,
}

/// A spawner thread's own state.
pub struct Spawning {
    spawner: Spawner,
    recipes: Arc<[Recipe]>,
    inherited: Arc<[(OsString, OsString)]>,
    descriptors: Option<Limit>,
    prepared: Vec<Option<Prepared>>,
    leaves: Vec<Option<Leaf>>,
    roster: Roster,
    /// All memory of this machine in bytes, of which limits may be shares; 0 without a pool, where
    /// there are no limits.
    memory: u64,
    places: Places,
    table: Arc<RunTable>,
    pool: Option<Pool>,
    taps: Taps,
    births: Births,
    /// Where programs of probes go, where there are any.
    prober: Option<Orders<ProberOrder>>,
    /// Services whose leftovers of probes were ended.
    tidied: Set<ServiceId>,
    inbox: Inbox,
}

impl Spawning {
    /// Two that are ready to start what these recipes say. Each service is to be left to one of them.
    ///
    /// # Errors
    /// When this kernel offers no way to start a process.
    pub fn pair(
        recipes: Recipes,
        (places, table): (Places, Arc<RunTable>),
        pool: Option<Pool>,
        taps: Taps,
        (births, prober): (Births, Option<Orders<ProberOrder>>),
        inbox: Inbox,
    ) -> io::Result<[Spawning; 2]> {
        let spawner = Spawner::new()?;
        log::debug!("starting processes with {}", spawner.method().name());
        let memory = pool.as_ref().map_or(0, |_| pool::all_memory());
        let with = |spawner| {
            let Recipes {
                each: recipes,
                inherited,
                descriptors,
            } = recipes.clone();
            let prepared = recipes.iter().map(|_| None).collect();
            let leaves = recipes.iter().map(|_| None).collect();
            Spawning {
                spawner,
                roster: Roster::new(recipes.len()),
                recipes,
                inherited,
                descriptors,
                prepared,
                leaves,
                memory,
                places: places.clone(),
                table: table.clone(),
                pool: pool.clone(),
                taps: taps.clone(),
                births: births.clone(),
                prober: prober.clone(),
                tidied: Set::new(),
                inbox: inbox.clone(),
            }
        };
        let twin = spawner.twin()?;
        Ok([with(spawner), with(twin)])
    }

    /// Carries out orders until nobody gives any.
    pub fn run(mut self, work: &Work<SpawnOrder>) {
        while let Some(order) = work.wait() {
            match order {
                SpawnOrder::Start { service, run } => self.start(service, run),
                SpawnOrder::Prepare { service } => {
                    // It runs already. What fails here fails again, and is told, at its next start.
                    let _ = self.prepare(service, true);
                    self.limit(usize::from(service.0));
                    self.tidy_up(service);
                }
                SpawnOrder::Probe(order) => self.start_probe(order),
                SpawnOrder::RollCall => {}
            }
            work.finish(clock::now());
        }
    }

    fn start(&mut self, service: ServiceId, run: RunId) {
        if let Err((stage, errno)) = self.try_start(service, run) {
            let change = Change::StartFailed { stage, errno };
            self.inbox.send(Fact::Child {
                service,
                run,
                change,
            });
        }
    }

    fn try_start(&mut self, service: ServiceId, run: RunId) -> Result<(), (Stage, Errno)> {
        self.prepare(service, false)?;
        let at = usize::from(service.0);
        self.enter_leaf(at)
            .map_err(|e| (Stage::Cgroup, errno(&e)))?;
        let (program, mut newline) = self.make(at)?;
        let births = self.births.clone();
        let _coming = births.begin();
        let spawned = match self.spawn(at, &program) {
            Err((
                stage @ (Stage::Clone | Stage::Cgroup | Stage::Output),
                Errno(libc::ENOENT | libc::ENODEV),
            )) => {
                self.renew(service, stage)?;
                let (program, again) = self.make(at)?;
                newline = again;
                self.spawn(at, &program)?
            }
            outcome => outcome?,
        };
        let pid = u32::try_from(spawned.pid.as_raw()).ok().and_then(Pid::new);
        let pid = pid.ok_or((Stage::Clone, Errno(libc::ERANGE)))?;
        // The record is written before anybody hears of the process, so that a successor of ours
        // cannot miss it.
        let start = spawned.start_time().unwrap_or(0);
        let ready = !self.recipes[at].notify && newline.is_none();
        let recipe = &self.recipes[at];
        let record = RunRecord {
            fingerprint: Some(recipe.fingerprint),
            ..RunRecord::new(run, pid, start, ready)
        };
        if let Err(e) = self.table.store(service, &record) {
            log::warn!("{}: run not recorded for a successor: {e}", recipe.name);
        }
        let (pidfd, speaks) = (spawned.pidfd, recipe.notify);
        self.births
            .tell_with(service, record, pidfd, speaks, newline);
        Ok(())
    }

    /// Makes again what was taken away while we ran: the FIFO, or the pool with the leaf in it.
    fn renew(&mut self, service: ServiceId, stage: Stage) -> Result<(), (Stage, Errno)> {
        let at = usize::from(service.0);
        self.leaves[at] = None;
        if stage == Stage::Output {
            self.prepared[at] = None;
            self.prepare(service, false)?;
        }
        self.enter_leaf(at).map_err(|e| (Stage::Cgroup, errno(&e)))
    }

    /// Sees to it that the next run of a service is born into a leaf that it can live in.
    fn enter_leaf(&mut self, at: usize) -> io::Result<()> {
        let (Some(pool), Some(recipe)) = (&self.pool, self.recipes.get(at)) else {
            return Ok(());
        };
        let name = &recipe.name;
        let leaf = self.leaves[at].as_ref();
        if leaf.is_some_and(|leaf| pool.is_fresh(name, leaf)) {
            return Ok(());
        }
        let leaf = pool.open_leaf(name)?;
        // In force before its first process is born.
        self.limit(at);
        self.leaves[at] = Some(leaf);
        Ok(())
    }

    /// Sets the limits of a service's group. One that is refused is told, and holds up nothing.
    fn limit(&self, at: usize) {
        let (Some(pool), Some(recipe)) = (&self.pool, self.recipes.get(at)) else {
            return;
        };
        let share = &recipe.command.share;
        for refusal in pool.limit(&recipe.name, share, self.memory) {
            let controller = refusal.controller;
            log::warn!("{}: {}", recipe.name, refusal.error);
            let asked = share.asked.iter().any(|(c, _)| *c == controller);
            self.inbox.send(Fact::Seen(Reading::Unenforced {
                controller,
                lack: Lack::Refused,
                asked,
            }));
        }
    }

    fn spawn(&mut self, at: usize, program: &Program) -> Result<Spawned, (Stage, Errno)> {
        let spawned = self.spawner.spawn(program);
        spawned.map_err(|e| {
            let (stage, errno) = failure(&e);
            sandbox::say_which(&self.recipes[at], stage);
            rights::step_of_exec(&self.recipes[at], (stage, errno))
        })
    }

    /// Makes everything around the process of a service: the first time, and when who it runs as may
    /// be another one now. `adopted`: it runs already, and may have been started by an earlier
    /// version.
    fn prepare(&mut self, service: ServiceId, adopted: bool) -> Result<(), (Stage, Errno)> {
        let at = usize::from(service.0);
        let Some(recipe) = self.recipes.get(at) else {
            return Err((Stage::Prepare, Errno(libc::ENOENT)));
        };
        if self.roster.is_stale(at, recipe) {
            (self.prepared[at], self.leaves[at]) = (None, None);
        }
        if self.prepared[at].is_some() {
            return Ok(());
        }
        let account = self.roster.find(at, recipe)?;
        let prepared = Prepared {
            account: account.map(Box::new),
            old_output: adopted && self.places.old_output(&recipe.name).exists(),
        };
        if recipe.command.output == Output::Log {
            let tapped = self.tap(service, recipe, &prepared);
            tapped.map_err(|e| (Stage::Prepare, errno(&e)))?;
        }
        self.prepared[at] = Some(prepared);
        Ok(())
    }

    /// Makes the FIFO of a service, and has our end of it watched.
    fn tap(&self, service: ServiceId, recipe: &Recipe, prepared: &Prepared) -> io::Result<()> {
        let path = self.output(recipe, prepared);
        let ours = match fifo(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.places.make()?;
                fifo(&path)?
            }
            outcome => outcome?,
        };
        if let Some(account) = &prepared.account {
            // So that it can open /dev/stdout again. If refused, its start says why.
            let (uid, gid) = (account.user, account.group);
            let _ = std::os::unix::fs::fchown(&ours, Some(uid), Some(gid));
        }
        self.taps.watch(service, &recipe.name, ours)
    }
}

/// Makes the FIFO to which one run writes a newline, in place of that of the run before, of which some
/// process may still have the other end; and opens it, without waiting for the run.
fn fifo_for_reading(path: &std::path::Path) -> io::Result<OwnedFd> {
    use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(open(path, flags, Mode::empty())?)
}

/// Makes the FIFO for a service's output, if it is not there, and opens our end.
///
/// The service's end is open for reading too: so the FIFO has a reader for as long as the service
/// lives, and the death of this daemon breaks no pipe.
fn fifo(path: &std::path::Path) -> io::Result<OwnedFd> {
    use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
    match mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        Err(rustix::io::Errno::EXIST) | Ok(()) => {}
        Err(e) => return Err(e.into()),
    }
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(open(path, flags, Mode::empty())?)
}

/// The error number of a failed step. One whose text was given a place has lost it, but not its kind.
pub fn errno(e: &io::Error) -> Errno {
    let of_kind = || match e.kind() {
        io::ErrorKind::NotFound => libc::ENOENT,
        io::ErrorKind::PermissionDenied => libc::EACCES,
        io::ErrorKind::AlreadyExists => libc::EEXIST,
        io::ErrorKind::NotADirectory => libc::ENOTDIR,
        io::ErrorKind::StorageFull => libc::ENOSPC,
        io::ErrorKind::ReadOnlyFilesystem => libc::EROFS,
        io::ErrorKind::ResourceBusy => libc::EBUSY,
        io::ErrorKind::WouldBlock => libc::EAGAIN,
        io::ErrorKind::OutOfMemory => libc::ENOMEM,
        _ => libc::EIO,
    };
    Errno(e.raw_os_error().unwrap_or_else(of_kind))
}

fn failure(e: &SpawnError) -> (Stage, Errno) {
    let stage = match e.stage {
        spawn::Stage::Clone => Stage::Clone,
        spawn::Stage::Session => Stage::Session,
        spawn::Stage::Cgroup => Stage::Cgroup,
        spawn::Stage::Output => Stage::Output,
        spawn::Stage::Mounts => Stage::Mounts,
        spawn::Stage::Secrets => Stage::Secrets,
        spawn::Stage::Paths => Stage::Paths,
        spawn::Stage::Tmp => Stage::Tmp,
        spawn::Stage::Network => Stage::Network,
        spawn::Stage::OomScore
        | spawn::Stage::Priority
        | spawn::Stage::Limits
        | spawn::Stage::Privileges => Stage::Limits,
        spawn::Stage::Capabilities => Stage::Capabilities,
        spawn::Stage::Groups => Stage::Groups,
        spawn::Stage::User => Stage::User,
        spawn::Stage::Directory => Stage::Directory,
        spawn::Stage::Exec => Stage::Exec,
    };
    (stage, Errno(e.errno as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be a thousand services on a small machine: what is kept of each between two starts.
    #[test]
    fn a_service_takes_little_room() {
        let recipe = size_of::<Recipe>();
        let made = size_of::<Option<Prepared>>() + size_of::<Option<Leaf>>();
        assert!(recipe <= 408 && made <= 32, "{recipe} {made}");
    }

    /// A place in the text of an error must not turn "no such file" into "the card is broken".
    #[test]
    fn errors_keep_their_number_where_a_place_was_added() {
        for number in [
            libc::ENOENT,
            libc::EACCES,
            libc::EEXIST,
            libc::ENOTDIR,
            libc::ENOSPC,
            libc::EROFS,
            libc::EBUSY,
            libc::EAGAIN,
            libc::ENOMEM,
            libc::EIO,
        ] {
            let plain = io::Error::from_raw_os_error(number);
            let placed = io::Error::new(plain.kind(), format!("/somewhere: {plain}"));
            assert_eq!(errno(&plain), Errno(number));
            assert_eq!(errno(&placed), Errno(number));
        }
    }
}
