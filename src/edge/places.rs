//! Where things lie in the runtime directory. Everything in it is of this boot only.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The runtime directory, `/run/fieldwarden` in the field.
#[derive(Clone, Debug)]
pub struct Places(Arc<Path>);

impl Places {
    /// The places under this directory.
    pub fn new(runtime_dir: &Path) -> Places {
        Places(runtime_dir.into())
    }

    /// Makes the directories that are missing.
    ///
    /// # Errors
    /// The directory that cannot be made, in the text.
    pub fn make(&self) -> io::Result<()> {
        // Others may pass through to the control socket; the rest is ours alone.
        make_dir(&self.0, 0o755)?;
        make_dir(&self.outputs(), 0o711)?;
        make_dir(&self.services(), 0o711)
    }

    /// Looks whether a directory that everybody could have made is ours, or not there yet.
    ///
    /// # Errors
    /// That it is not; what the kernel said.
    pub fn check_ours(dir: &Path) -> io::Result<()> {
        const OTHERS_WRITE: u32 = 0o022;
        let found = match dir.symlink_metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        let us = rustix::process::geteuid().as_raw();
        match found.is_dir() && found.uid() == us && found.mode() & OTHERS_WRITE == 0 {
            true => Ok(()),
            false => Err(io::Error::other("it is not ours alone")),
        }
    }

    /// The runtime directory itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The parent of all directories of services.
    pub fn services(&self) -> PathBuf {
        self.0.join("service")
    }

    /// The directory of one service.
    pub fn service(&self, name: &str) -> PathBuf {
        self.services().join(name)
    }

    /// Makes the directory of one service.
    ///
    /// # Errors
    /// What the kernel said, with the path.
    pub fn make_service(&self, name: &str) -> io::Result<()> {
        make_dir(&self.service(name), 0o711)
    }

    /// Does something in the directory of a service, which is made if it turns out to be missing: it
    /// nearly always is there, and looking first would cost as much as the work.
    ///
    /// # Errors
    /// Those of the work, and of making the directory.
    pub fn within<T>(&self, name: &str, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match work() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.make_service(name)?;
                work()
            }
            outcome => outcome,
        }
    }

    /// Names of the services that an earlier daemon of this boot has left something about.
    pub fn left(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.services());
        let entries = entries.into_iter().flatten().flatten();
        entries
            .filter_map(|e| e.file_name().into_string().ok())
            .collect()
    }

    /// Where each service that is handed secrets sees its own, and everybody else an empty directory.
    pub fn secrets(&self) -> PathBuf {
        self.0.join("secrets")
    }

    /// Makes that directory.
    ///
    /// # Errors
    /// What the kernel said, with the path.
    pub fn make_secrets(&self) -> io::Result<()> {
        make_dir(&self.secrets(), 0o555)
    }

    /// Table of runs, for a successor of this daemon: see [`RunTable`](super::run_table::RunTable).
    pub fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// What a successor of this daemon has to know about services.
    pub fn memos(&self) -> PathBuf {
        self.0.join("memos")
    }

    /// Record of the run of a service, where an earlier version kept it.
    pub fn run_record(&self, name: &str) -> PathBuf {
        self.service(name).join("run")
    }

    /// Memo about a service, where an earlier version kept it.
    pub fn memo(&self, name: &str) -> PathBuf {
        self.service(name).join("memo")
    }

    /// Socket on which a service says that it is ready and alive.
    pub fn notify(&self, name: &str) -> PathBuf {
        self.service(name).join("notify")
    }

    /// FIFO to which a service writes a newline when it is ready.
    pub fn newline(&self, name: &str) -> PathBuf {
        self.service(name).join("ready")
    }

    /// The parent of all FIFOs. They have one together, because most services need no directory of
    /// their own, and to make one would take as long as to make the FIFO.
    fn outputs(&self) -> PathBuf {
        self.0.join("output")
    }

    /// FIFO that takes the output of a service.
    pub fn output(&self, name: &str) -> PathBuf {
        self.outputs().join(name)
    }

    /// The same, where an earlier version made it.
    pub fn old_output(&self, name: &str) -> PathBuf {
        self.service(name).join("output")
    }

    /// What a service wrote last.
    pub fn kept_output(&self, name: &str) -> PathBuf {
        self.service(name).join("log")
    }

    /// Socket on which operators ask.
    pub fn control(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// What the daemon means to do, for its successor and for the hook of systemd's last moments.
    pub fn marker(&self) -> PathBuf {
        self.0.join("marker")
    }

    /// The hold that is in force, for a successor of the daemon.
    pub fn hold(&self) -> PathBuf {
        self.0.join("hold")
    }

    /// The board that the daemon works with, for the hook of systemd's last moments.
    pub fn board(&self) -> PathBuf {
        self.0.join("board")
    }

    /// Starts of this boot that were not followed by an end in good order.
    pub fn starts(&self) -> PathBuf {
        self.0.join("starts")
    }

    /// The version of all in this directory that has none of its own.
    pub fn form(&self) -> PathBuf {
        self.0.join("form")
    }

    /// What the status LED was before it was ours, in this boot.
    pub fn led(&self) -> PathBuf {
        self.0.join("led")
    }

    /// Left by the first daemon of this boot.
    pub fn began(&self) -> PathBuf {
        self.0.join("began")
    }

    /// Tells whether no daemon was here before in this boot; from now on one was.
    pub fn begin(&self) -> bool {
        let began = self.began();
        let first = !began.exists();
        if let Err(e) = std::fs::write(&began, "") {
            let began = began.display();
            log::warn!("{began}: {e}; the next daemon takes itself for the first");
        }
        first
    }
}

fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}
