//! The flight recorder: a pair of trace files in the runtime directory.
//!
//! `trace` is written, `trace.1` is the one before. Each begins with the same header and
//! configuration and with *checkpoint* facts that say which services were running when it began,
//! so that each can be replayed by itself. Batches of whole steps are appended; nothing is synced,
//! because the runtime directory is memory and dies with the boot.
//!
//! A batch that cannot be written (full, read-only, gone) is counted and forgotten. Since the file
//! then has a gap, the recorder begins a new one as soon as it can: a file never has a hole in it.
//! The count of what was lost stands in the header of the new file.
//!
//! Never: a failure that stops anything; a clock; a file that others may read (mode 0600: the
//! configuration may hold secrets).

use super::write::{fact_line, opening};
use crate::core::fact::Fact;
use crate::core::settings::Settings;
use crate::units::Mono;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest size of each of the two files. More would take memory from the services of a board with
/// 512 MiB; less than this would not hold the day before a reset.
pub const LIMIT: u64 = 512 * 1024;

/// Time between two attempts after a failure. Shorter would repeat a failing system call with every
/// fact; longer would lose more of the story once there is room again.
const RETRY: Duration = Duration::from_secs(10);

/// The flight recorder.
#[derive(Debug)]
pub struct Ring {
    dir: PathBuf,
    limit: u64,
    boot: String,
    config: String,
    meta: Vec<(&'static str, String)>,
    state: State,
    lost: Lost,
}

/// What could not be written since the daemon began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Batches.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
}

#[derive(Debug)]
enum State {
    /// A whole file of this size is open.
    Open(File, u64),
    /// There is none; the next attempt is due at this time.
    Closed(Mono),
}

impl Ring {
    /// A recorder for `dir`, which must exist, with the boot id and configuration for its headers.
    /// Nothing is touched before the first [`Ring::append`]. A file of an earlier daemon becomes
    /// `trace.1` then.
    pub fn new(dir: &Path, boot: &str, config: &str) -> Ring {
        Ring {
            dir: dir.to_owned(),
            limit: LIMIT,
            boot: boot.to_owned(),
            config: config.to_owned(),
            meta: Vec::new(),
            state: State::Closed(Mono(0)),
            lost: Lost::default(),
        }
    }

    /// The same with more facts for the headers of its files.
    #[must_use]
    pub fn with_meta(self, meta: Vec<(&'static str, String)>) -> Ring {
        Ring { meta, ..self }
    }

    /// The same with another limit for the size of a file, in bytes.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> Ring {
        Ring { limit, ..self }
    }

    /// What could not be written so far; files that come after say how many batches.
    #[cfg(test)]
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// Appends `batch`, one or more whole steps. Where that takes a new file, `checkpoint` is asked
    /// for the facts that it begins with; they must hold *before* the batch.
    pub fn append(
        &mut self,
        now: Mono,
        batch: &str,
        settings: &Settings,
        checkpoint: impl FnOnce() -> Vec<(Mono, Fact)>,
    ) {
        if let Err(_error) = self.try_append(now, batch, settings, checkpoint) {
            self.state = State::Closed(now.after(RETRY));
            self.count(batch);
        }
    }

    fn count(&mut self, batch: &str) {
        self.lost.batches += 1;
        self.lost.bytes += batch.len() as u64;
    }

    fn try_append(
        &mut self,
        now: Mono,
        batch: &str,
        settings: &Settings,
        checkpoint: impl FnOnce() -> Vec<(Mono, Fact)>,
    ) -> io::Result<()> {
        let length = batch.len() as u64;
        let fits = match &self.state {
            State::Open(file, size) => size + length <= self.limit && named(file),
            State::Closed(due) if now < *due => {
                self.count(batch);
                return Ok(());
            }
            State::Closed(_) => false,
        };
        if !fits {
            let start = self.start_text(settings, checkpoint());
            if start.len() as u64 + length > self.limit {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            self.begin(&start)?;
        }
        let State::Open(file, size) = &mut self.state else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Err(error) = file.write_all(batch.as_bytes()) {
            // Half a batch would be half a line. Where even this fails, the reader reports the cut.
            drop(file.set_len(*size));
            return Err(error);
        }
        *size += length;
        Ok(())
    }

    fn start_text(&self, settings: &Settings, checkpoint: Vec<(Mono, Fact)>) -> String {
        let batches = self.lost.batches.to_string();
        let mut meta = vec![
            ("boot", self.boot.as_str()),
            ("software", env!("CARGO_PKG_VERSION")),
            ("lost-batches", &batches),
        ];
        meta.extend(self.meta.iter().map(|(key, value)| (*key, value.as_str())));
        let mut text = opening(&meta, &self.config);
        for (at, fact) in &checkpoint {
            text.push_str(&fact_line(*at, fact, settings));
            text.push('\n');
        }
        text
    }

    /// Begins a new file. It is complete before it takes the name of the old one, so a full file
    /// system costs none of the old ones.
    fn begin(&mut self, text: &str) -> io::Result<()> {
        let [current, before, new] =
            ["trace", "trace.1", "trace.new"].map(|name| self.dir.join(name));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        if let Err(error) = file.write_all(text.as_bytes()) {
            drop(fs::remove_file(&new));
            return Err(error);
        }
        match fs::rename(&current, &before) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::rename(&new, &current)?;
        self.state = State::Open(file, text.len() as u64);
        Ok(())
    }
}

/// Whether the file still has a name. Without one, nobody would ever read what is written.
fn named(file: &File) -> bool {
    file.metadata().is_ok_and(|meta| meta.nlink() > 0)
}
