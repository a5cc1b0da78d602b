//! The pool: the control group under which every service has one of its own.
//!
//! Terms: the *pool* is a group (cgroup version 2) that was delegated to us, in a unit that is never
//! restarted, so that services outlive this daemon. A service's group is `service-NAME`; the prefix
//! keeps a service named `cgroup.procs` from being mistaken for a file of the kernel. Its processes
//! live in a *leaf* below it, `run-N`. A leaf whose processes were once killed together is not used
//! again, because kernels kill whatever is later born into it (`docs/decisions/0005-leaves.md`).
//!
//! Never touches a group outside the pool.

mod probe;
mod share;

use super::lock::lock;
use crate::config::CgroupChoice;
use crate::core::fact::Pid;
use crate::sorted::Map;
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

pub use probe::ProbeLeaf;
pub use share::{Refusal, all_memory};

/// Unit that holds the services (`systemd/fieldwarden-pool.service`).
const UNIT: &str = "/sys/fs/cgroup/system.slice/fieldwarden-pool.service";

/// Beginning of the name of a leaf.
const LEAF: &str = "run-";

/// The control group of all services.
#[derive(Clone, Debug)]
pub struct Pool {
    directory: PathBuf,
    /// How often the processes of a service were killed together.
    kills: Arc<Mutex<Map<Box<str>, u64>>>,
    /// Leaves of probes that were made.
    probes: Arc<AtomicU64>,
    /// Held for as long as the daemon lives: a second one would take our services for its own, and
    /// end those that it does not know. A file that only its owner may open, and so lock. `None` for
    /// somebody who only looks.
    _lock: Option<Arc<fs::File>>,
}

/// A leaf, open, and what there was to know when it was made.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Its directory.
    pub directory: Arc<OwnedFd>,
    kills: u64,
}

impl Pool {
    /// The pool in this directory of a cgroup file system.
    ///
    /// # Errors
    /// It is not the directory of a version 2 group; or, with the kind `WouldBlock`, another daemon
    /// keeps its services there.
    pub fn at(directory: &Path) -> io::Result<Pool> {
        let procs = directory.join("cgroup.procs");
        fs::metadata(&procs).map_err(|e| place(&procs, &e))?;
        let kill = directory.join("cgroup.kill");
        let file = fs::OpenOptions::new()
            .write(true)
            .open(&kill)
            .map_err(|e| place(&kill, &e))?;
        // Where nothing can be locked, there is still the lock of the runtime directory.
        let locked = lock(&file);
        if locked == Err(rustix::io::Errno::WOULDBLOCK) {
            let whose = directory.display().to_string();
            return Err(io::Error::new(io::ErrorKind::WouldBlock, whose));
        }
        Ok(Pool {
            _lock: Some(Arc::new(file)),
            ..Pool::seen(directory)
        })
    }

    /// The pool in this directory as somebody sees it who only looks: another daemon may have it.
    fn seen(directory: &Path) -> Pool {
        Pool {
            directory: directory.to_owned(),
            kills: Arc::default(),
            probes: Arc::default(),
            _lock: None,
        }
    }

    /// The pool that a daemon with this choice has or would have, for somebody who only looks.
    pub fn look(choice: &CgroupChoice) -> Option<Pool> {
        let directory = match choice {
            CgroupChoice::None => return None,
            CgroupChoice::At(path) => path,
            CgroupChoice::Auto => Path::new(UNIT),
        };
        let there = directory.join("cgroup.procs").exists();
        there.then(|| Pool::seen(directory))
    }

    /// The pool of the unit that ships with us.
    ///
    /// # Errors
    /// As [`Pool::at`].
    pub fn of_unit() -> io::Result<Pool> {
        Pool::at(Path::new(UNIT))
    }

    /// Directory of a service's group.
    pub fn group(&self, name: &str) -> PathBuf {
        self.directory.join(format!("service-{name}"))
    }

    /// Makes a new leaf for a service, and takes away old ones that are empty.
    ///
    /// # Errors
    /// What the kernel said, with the path.
    pub fn open_leaf(&self, name: &str) -> io::Result<Leaf> {
        let kills = self.kills_of(name);
        let group = self.group(name);
        match fs::create_dir(&group) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(place(&group, &e)),
            Ok(()) | Err(_) => {}
        }
        // Here and not once for all: the pool may have been made anew while we ran.
        if let Err(e) = self.enable_controllers() {
            log::warn!("{e}");
        }
        let old = leaves(&group);
        for (_, path) in &old {
            // One that is not empty stays, and is looked at again next time.
            let _ = fs::remove_dir(path);
        }
        let number = old
            .iter()
            .map(|(number, _)| *number)
            .max()
            .map_or(1, |n| n.saturating_add(1));
        let path = group.join(format!("{LEAF}{number}"));
        fs::create_dir(&path).map_err(|e| place(&path, &e))?;
        let directory = fs::File::open(&path).map_err(|e| place(&path, &e))?;
        Ok(Leaf {
            directory: Arc::new(directory.into()),
            kills,
        })
    }

    /// Whether a process may be born into this leaf.
    pub fn is_fresh(&self, name: &str, leaf: &Leaf) -> bool {
        self.kills_of(name) == leaf.kills
    }

    fn kills_of(&self, name: &str) -> u64 {
        let kills = self.kills.lock().unwrap_or_else(PoisonError::into_inner);
        kills.get(name).copied().unwrap_or(0)
    }

    /// Kills every process in the group of a service. A group that is not there has none.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn kill(&self, name: &str) -> io::Result<()> {
        {
            let mut kills = self.kills.lock().unwrap_or_else(PoisonError::into_inner);
            *kills.entry(name.into()).or_default() += 1;
        }
        match fs::OpenOptions::new()
            .write(true)
            .open(self.group(name).join("cgroup.kill"))
        {
            Ok(mut file) => file.write_all(b"1"),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Whether any process lives in the group of a service.
    pub fn is_populated(&self, name: &str) -> bool {
        let events = fs::read_to_string(self.group(name).join("cgroup.events"));
        events.is_ok_and(|text| text.lines().any(|line| line == "populated 1"))
    }

    /// The processes in the group of a service.
    pub fn processes(&self, name: &str) -> Vec<Pid> {
        let group = self.group(name);
        let leaves = leaves(&group).into_iter().map(|(_, path)| path);
        leaves
            .chain([group])
            .flat_map(|path| fs::read_to_string(path.join("cgroup.procs")))
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|line| line.parse().ok().and_then(Pid::new))
            .collect()
    }

    /// The process belongs to the group of this service, as its main process does; `None` when it
    /// is gone.
    pub fn holds(&self, name: &str, main: Pid, pid: Pid) -> Option<bool> {
        let theirs = group_of(pid)?;
        let Some(theirs) = up_to_service(&theirs, name) else {
            return Some(false);
        };
        // Users may have groups of their own, and name them as they like: the whole path counts.
        let ours = group_of(main);
        let ours = ours.as_deref().and_then(|path| up_to_service(path, name));
        Some(ours.is_none_or(|ours| ours == theirs))
    }

    /// The process lives in the group of this service or below it, as far as its name tells.
    pub fn is_home(&self, name: &str, pid: Pid) -> bool {
        group_of(pid).is_some_and(|path| up_to_service(&path, name).is_some())
    }

    /// Names of the services that have a group here.
    pub fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|e| {
                e.file_name()
                    .to_str()?
                    .strip_prefix("service-")
                    .map(str::to_owned)
            })
            .collect()
    }
}

/// Path of the version 2 group that a process is in; `None` when it is gone.
fn group_of(pid: Pid) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", pid.number())).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.to_owned())
}

/// The path as far as the group of this service, if it leads into it.
fn up_to_service<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let wanted = format!("/service-{name}");
    let mut ends = path.match_indices(&wanted).map(|(at, _)| at + wanted.len());
    let end = ends.find(|end| path[*end..].is_empty() || path[*end..].starts_with('/'))?;
    path.get(..end)
}

/// The leaves of a group, with their numbers.
fn leaves(group: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries
        .filter_map(|e| {
            let number = e.file_name().to_str()?.strip_prefix(LEAF)?.parse().ok()?;
            Some((number, e.path()))
        })
        .collect()
}

fn place(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second daemon would end the services of the first as ones that nobody has configured.
    #[test]
    fn a_pool_has_one_daemon() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["cgroup.procs", "cgroup.kill"] {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let first = Pool::at(directory.path()).unwrap();
        let second = Pool::at(directory.path()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        Pool::at(directory.path()).unwrap();
    }

    /// The whole name counts, at any depth.
    #[test]
    fn a_path_leads_into_one_service_only() {
        for (path, found) in [
            ("/pool/service-web/run-1", Some("/pool/service-web")),
            ("/pool/service-web", Some("/pool/service-web")),
            ("/pool/service-web2/run-1", None),
            (
                "/pool/service-web2/service-web/a/b",
                Some("/pool/service-web2/service-web"),
            ),
            ("/user/app/service-web/run-1", Some("/user/app/service-web")),
            ("/pool/a-service-web/run-1", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(up_to_service(path, "web"), found, "{path}");
        }
    }
}
