//! The control group of a probe's program: a leaf beside those of its service's runs, `probe-N`.
//!
//! So it has the service's limits, and ends when all of the service is killed. Each program has one of
//! its own, because what was once killed is not used again.

use super::{Pool, place};
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Beginning of its name.
const LEAF: &str = "probe-";

/// The leaf of one program. It is taken away when this is dropped, if nothing lives in it.
pub struct ProbeLeaf {
    /// Its directory.
    pub directory: Arc<OwnedFd>,
    path: PathBuf,
}

impl Pool {
    /// Makes a leaf for a program that probes this service.
    ///
    /// # Errors
    /// What the kernel said, with the path; the service's group is not there before its first run.
    pub fn open_probe_leaf(&self, name: &str) -> io::Result<ProbeLeaf> {
        let group = self.group(name);
        loop {
            let number = self.probes.fetch_add(1, Ordering::Relaxed);
            let path = group.join(format!("{LEAF}{number}"));
            match fs::create_dir(&path) {
                // An earlier daemon has left it.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                outcome => outcome.map_err(|e| place(&path, &e))?,
            }
            let directory = fs::File::open(&path).map_err(|e| place(&path, &e))?;
            return Ok(ProbeLeaf {
                directory: Arc::new(directory.into()),
                path,
            });
        }
    }

    /// Kills programs that probed this service for an earlier daemon, and takes their leaves away.
    pub fn end_probes(&self, name: &str) {
        let entries = fs::read_dir(self.group(name))
            .into_iter()
            .flatten()
            .flatten();
        let probes = entries.filter(|e| {
            e.file_name()
                .as_encoded_bytes()
                .starts_with(LEAF.as_bytes())
        });
        for path in probes.map(|e| e.path()) {
            let _ = kill(&path);
            // One that is not gone yet stays until the group goes.
            let _ = fs::remove_dir(&path);
        }
    }
}

impl ProbeLeaf {
    /// Kills all that lives in it.
    pub fn kill(&self) {
        let _ = kill(&self.path);
    }

    /// Whether anything lives in it.
    pub fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.path.join("cgroup.events"));
        events.is_ok_and(|text| text.lines().any(|line| line == "populated 1"))
    }
}

impl Drop for ProbeLeaf {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

fn kill(leaf: &std::path::Path) -> io::Result<()> {
    let file = leaf.join("cgroup.kill");
    fs::OpenOptions::new()
        .write(true)
        .open(file)?
        .write_all(b"1")
}
