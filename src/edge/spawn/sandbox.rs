//! What a child sees of the machine, prepared for it: paths, a /tmp, a network, secrets of its own.

use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::program::{BadProgram, text};

/// Most paths that are read-only or writable, together.
pub const PATHS_MAX: usize = 64;

/// Most secrets.
pub const SECRETS_MAX: usize = 32;

/// Largest secret in bytes.
pub const SECRET_MAX: usize = 256 * 1024;

/// Bytes for which a private /tmp may have one file. What files are made of takes memory of the
/// kernel, too.
const BYTES_OF_A_FILE: u64 = 4096;

/// What a child may do below a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Change nothing.
    ReadOnly,
    /// What it could do without a sandbox.
    AsBefore,
}

/// What a child sees of the machine. It starts as all of it; whatever is changed here takes root, and
/// holds for the child and all that it starts, and for nobody else.
#[derive(Debug, Default)]
pub struct Sandbox {
    network: Network,
    /// Options of the file systems on /tmp and /var/tmp.
    tmp: Option<CString>,
    /// Sorted, so that each stands behind those that it is below.
    paths: Vec<(CString, Access)>,
    secrets: Option<Secrets>,
}

/// Which network a child has.
#[derive(Debug, Default)]
pub(super) enum Network {
    /// That of the machine.
    #[default]
    Shared,
    /// One of its own.
    Private,
    /// One that is there already, by the path of its name space.
    Of(CString),
}

/// Files that only the child's user can read, in memory.
#[derive(Debug)]
pub(super) struct Secrets {
    /// Where they are mounted.
    pub directory: CString,
    /// Options of that file system, where it is never swapped out.
    pub options: CString,
    pub each: Vec<Secret>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Secret {
    /// Where it is read.
    pub source: CString,
    /// Where the child finds it.
    pub copy: CString,
}

impl Sandbox {
    /// A /tmp and a /var/tmp of its own, empty, each with room for so many bytes.
    pub fn set_private_tmp(&mut self, size: u64) {
        let files = (size / BYTES_OF_A_FILE).max(16);
        let options = format!("mode=1777,size={size},nr_inodes={files}");
        // Digits and words have no NUL.
        self.tmp = CString::new(options).ok();
    }

    /// Only a loopback interface, which is up.
    pub fn set_private_network(&mut self) {
        self.network = Network::Private;
    }

    /// The network of this process, instead of that of the machine or one of its own.
    pub fn join_network(&mut self, pid: u32) {
        // Digits and words have no NUL.
        if let Ok(path) = CString::new(format!("/proc/{pid}/ns/net")) {
            self.network = Network::Of(path);
        }
    }

    /// It would have a network of its own.
    pub fn has_private_network(&self) -> bool {
        matches!(self.network, Network::Private)
    }

    /// What it may do below these paths; the one that says it most exactly counts.
    ///
    /// # Errors
    /// A path with a NUL, or more of them than [`PATHS_MAX`].
    pub fn set_paths<'p>(
        &mut self,
        paths: impl IntoIterator<Item = (&'p Path, Access)>,
    ) -> Result<(), BadProgram> {
        let mut sorted: Vec<(&Path, Access)> = paths.into_iter().collect();
        sorted.sort_by_key(|(path, _)| *path);
        if sorted.len() > PATHS_MAX {
            return Err(BadProgram::TooMany("paths", PATHS_MAX));
        }
        let checked = sorted.into_iter().map(|(path, access)| {
            let path = text(path.as_os_str(), "a path of a sandbox")?;
            Ok((path, access))
        });
        self.paths = checked.collect::<Result<_, BadProgram>>()?;
        Ok(())
    }

    /// Copies of these files (name, source) in `directory`, which must be there, for the child's user
    /// alone.
    ///
    /// # Errors
    /// A path with a NUL, a name that leads elsewhere, or more of them than [`SECRETS_MAX`].
    pub fn set_secrets<'p>(
        &mut self,
        directory: &Path,
        secrets: impl IntoIterator<Item = (&'p str, &'p Path)>,
    ) -> Result<(), BadProgram> {
        let one = |(name, source): (&str, &Path)| {
            if name.is_empty() || name.contains('/') || name.starts_with('.') {
                return Err(BadProgram::BadName(OsString::from(name)));
            }
            Ok(Secret {
                source: text(source.as_os_str(), "the source of a secret")?,
                copy: text(directory.join(name).as_os_str(), "the path of a secret")?,
            })
        };
        let each: Vec<Secret> = secrets.into_iter().map(one).collect::<Result<_, _>>()?;
        if each.len() > SECRETS_MAX {
            return Err(BadProgram::TooMany("secrets", SECRETS_MAX));
        }
        // One page more for each: of the last one, most may be empty.
        let (size, files) = (each.len() * (SECRET_MAX + 65536), each.len() + 8);
        let options = format!("mode=0500,size={size},nr_inodes={files},noswap");
        self.secrets = Some(Secrets {
            directory: text(directory.as_os_str(), "the directory of secrets")?,
            options: text(options.as_ref(), "the size of secrets")?,
            each,
        });
        Ok(())
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn tmp(&self) -> Option<&CStr> {
        self.tmp.as_deref()
    }

    pub(super) fn paths(&self) -> &[(CString, Access)] {
        &self.paths
    }

    pub(super) fn secrets(&self) -> Option<&Secrets> {
        self.secrets.as_ref()
    }

    /// Whether it has a view of the file systems of its own.
    pub(super) fn has_mounts(&self) -> bool {
        self.tmp.is_some() || !self.paths.is_empty() || self.secrets.is_some()
    }
}

/// Whether it is the root of all, which is mounted already.
pub(super) fn is_root(path: &CStr) -> bool {
    path.to_bytes() == Path::new("/").as_os_str().as_bytes()
}
