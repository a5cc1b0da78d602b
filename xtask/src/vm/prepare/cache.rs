//! Cache of what is expensive to make: layers named by kind and by a hash of all their inputs.
//!
//! A layer is a directory that is complete or absent: it is built under a temporary name beside
//! its final place and renamed when done, so an interruption leaves nothing that looks finished,
//! and two runs at the same time at worst do the work twice. A layer is never changed later.

// Shows how long making a layer took, and tells old layers from new.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Layers nobody used for this long are removed: long enough for a holiday, short enough that
/// months of work do not fill the disk with snapshots of 200 MB.
const KEEP: Duration = Duration::from_secs(14 * 24 * 3600);

/// Unfinished layers older than this were interrupted; no build takes nearly as long.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Start of the name of an unfinished layer.
const UNFINISHED: &str = "unfinished-";

/// File in each layer whose time says when it was last used.
const USED: &str = "used";

/// The cache directory.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens `$FIELDWARDEN_VM_CACHE` or `~/.cache/fieldwarden/vm`, and removes what is too old.
    pub fn open() -> Result<Self> {
        let root = match std::env::var_os("FIELDWARDEN_VM_CACHE") {
            Some(place) => PathBuf::from(place),
            None => std::env::home_dir()
                .context("no home directory; set FIELDWARDEN_VM_CACHE to a directory")?
                .join(".cache/fieldwarden/vm"),
        };
        fs::create_dir_all(&root).with_context(|| format!("create {}", root.display()))?;
        let cache = Cache { root };
        cache.remove_old()?;
        Ok(cache)
    }

    /// The layer `kind` made from `inputs`; `build` fills the directory it is given if the layer
    /// does not exist yet. Returns the finished directory.
    pub fn layer(
        &self,
        kind: &str,
        inputs: &Inputs,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let place = self.root.join(format!("{kind}-{:016x}", inputs.0));
        if !place.is_dir() {
            let started = Instant::now();
            println!("vm: {kind}: making it");
            let work = self.scratch()?;
            build(work.path()).with_context(|| format!("make the VM lab's {kind}"))?;
            fs::write(work.path().join(USED), "")?;
            finish(work, &place)?;
            println!(
                "vm: {kind}: made in {:.1} s",
                started.elapsed().as_secs_f32()
            );
        }
        fs::write(place.join(USED), "").with_context(|| format!("touch {}", place.display()))?;
        Ok(place)
    }

    /// An empty directory in the cache that disappears when dropped.
    pub fn scratch(&self) -> Result<TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNFINISHED);
        builder
            .tempdir_in(&self.root)
            .with_context(|| format!("create in {}", self.root.display()))
    }

    fn remove_old(&self) -> Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            let (stamp, limit) = match unfinished {
                true => (entry.path(), ABANDONED),
                false => (entry.path().join(USED), KEEP),
            };
            // Another run may remove the same directory at this moment.
            let Ok(modified) = fs::metadata(stamp).and_then(|meta| meta.modified()) else {
                continue;
            };
            if SystemTime::now()
                .duration_since(modified)
                .unwrap_or_default()
                > limit
            {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(())
    }
}

/// Gives a finished layer its name; if another run was faster, its result is used.
fn finish(work: TempDir, place: &Path) -> Result<()> {
    match fs::rename(work.path(), place) {
        Ok(()) => {
            let _ = work.keep(); // it moved, there is nothing left to remove
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
        Err(error) => bail!(
            "rename {} to {}: {error}",
            work.path().display(),
            place.display()
        ),
    }
}

/// Hash of everything that goes into a layer (FNV-1a, 64 bit: it tells versions of our own files
/// apart, nobody attacks it).
#[derive(Debug, Clone)]
pub struct Inputs(u64);

impl Inputs {
    /// Starts with the version of the recipe in words; change them when the recipe changes.
    pub fn new(recipe: &str) -> Self {
        Inputs(0xcbf2_9ce4_8422_2325).with(recipe.as_bytes())
    }

    /// Adds one input; its length counts too, so `ab`+`c` differs from `a`+`bc`.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        let length = (bytes.len() as u64).to_le_bytes();
        for byte in length.iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }

    /// Adds a file, or every file below a directory, with its name.
    pub fn with_path(self, path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let named = self.with(name);
        if !path.is_dir() {
            let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
            return Ok(named.with(&bytes));
        }
        let mut entries: Vec<PathBuf> = fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
            .with_context(|| format!("list {}", path.display()))?;
        entries.sort();
        entries
            .iter()
            .try_fold(named, |inputs, entry| inputs.with_path(entry))
    }

    /// Adds another layer by its place, whose name holds that layer's own hash.
    #[must_use]
    pub fn with_layer(self, layer: &Path) -> Self {
        self.with(layer.file_name().unwrap_or_default().as_encoded_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interrupted build leaves no layer, a finished one is not built again.
    #[test]
    fn layer_is_complete_or_absent() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache {
            root: home.path().to_owned(),
        };
        let inputs = Inputs::new("test");
        let broken = cache.layer("thing", &inputs, |dir| {
            fs::write(dir.join("half"), "x")?;
            bail!("interrupted")
        });
        assert!(broken.is_err());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        let place = cache.layer("thing", &inputs, |dir| {
            Ok(fs::write(dir.join("whole"), "x")?)
        });
        assert!(place.unwrap().join("whole").exists());
        let again = cache.layer("thing", &inputs, |_| bail!("built a second time"));
        assert!(again.is_ok());
    }

    /// Inputs that differ only in where one ends and the next starts differ.
    #[test]
    fn inputs_know_their_borders() {
        let of = |parts: &[&str]| {
            parts
                .iter()
                .fold(Inputs::new("r"), |inputs, part| {
                    inputs.with(part.as_bytes())
                })
                .0
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    }
}
