//! Writes a cpio archive in the "newc" form, the one the kernel takes as an initramfs.

/// Mode bits of a directory and of a plain file.
const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_000;

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
