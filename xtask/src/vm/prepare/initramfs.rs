//! Writes a cpio archive in the "newc" form, the one the kernel takes as an initramfs.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// Mode bits of a directory and of a plain file.
const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

/// Name of the entry that ends an archive.
const END: &str = "TRAILER!!!";

/// An archive being written.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory.
    pub fn directory(&mut self, name: &str) {
        self.entry(name, DIRECTORY, &[]);
    }

    /// Adds a file with these permission bits.
    pub fn file(&mut self, name: &str, permissions: u32, contents: &[u8]) {
        self.entry(name, FILE | permissions, contents);
    }

    /// Adds everything below a directory of the host: directories, files and links, by name.
    pub fn tree(&mut self, root: &Path) -> Result<()> {
        self.branch(root, Path::new(""))
    }

    fn branch(&mut self, root: &Path, inside: &Path) -> Result<()> {
        let place = root.join(inside);
        let mut names: Vec<_> = fs::read_dir(&place)
            .with_context(|| format!("list {}", place.display()))?
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<Result<_, _>>()?;
        names.sort_unstable();
        for name in names {
            let inside = inside.join(name);
            let (place, name) = (root.join(&inside), inside.to_string_lossy().into_owned());
            let about = fs::symlink_metadata(&place)?;
            if about.is_dir() {
                self.directory(&name);
                self.branch(root, &inside)?;
            } else if about.is_symlink() {
                let target = fs::read_link(&place)?;
                self.entry(&name, LINK, target.as_os_str().as_bytes());
            } else {
                self.file(
                    &name,
                    about.permissions().mode() & 0o777,
                    &fs::read(&place)?,
                );
            }
        }
        Ok(())
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry(END, 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.entries += 1;
        let sizes = (contents.len(), name.len() + 1);
        // inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name, check
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            sizes.0 as u32,
            0,
            0,
            0,
            0,
            sizes.1 as u32,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    /// Header with name, and contents, each end at a multiple of four.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree keeps its names, its modes and its links, each directory before what is in it.
    #[test]
    fn a_tree_with_a_link() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("lib")).unwrap();
        fs::write(root.path().join("lib/a.so.1"), "code").unwrap();
        std::os::unix::fs::symlink("a.so.1", root.path().join("lib/a.so")).unwrap();
        let mut archive = Archive::new();
        archive.tree(root.path()).unwrap();
        let bytes = archive.finish();
        let text = String::from_utf8_lossy(&bytes);
        let names = ["lib\0", "lib/a.so\0", "lib/a.so.1\0", "TRAILER!!!\0"];
        let places: Vec<_> = names.iter().map(|name| text.find(name).unwrap()).collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(
            text.contains("0000a1ff") && text.contains("a.so.1\0\0"),
            "{text:?}"
        );
    }

    /// The bytes of a one-file archive, laid out by hand from the format's description.
    #[test]
    fn one_file_by_hand() {
        let mut archive = Archive::new();
        archive.file("a", 0o644, b"hi");
        let text = String::from_utf8(archive.finish()).unwrap();
        let zero = "00000000";
        let head = [
            "00000001", "000081a4", zero, zero, "00000001", zero, "00000002",
        ]
        .concat();
        let first = [
            "070701",
            &head,
            &zero.repeat(4),
            "00000002",
            zero,
            "a\0hi\0\0",
        ]
        .concat();
        assert!(text.starts_with(&first), "{text:?}");
        assert!(text.contains("TRAILER!!!\0"));
        assert_eq!(text.len() % 4, 0);
    }
}
