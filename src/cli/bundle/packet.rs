//! What was found, and the archive of it.

use super::gather::Found;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use std::fmt::Write;
use std::io;
use tar::{Builder, EntryType, Header};

/// Largest sum of all files, in bytes. The parts have bounds of their own, which come to less on a
/// machine as it should be; this holds on one that is not.
const TOTAL: usize = 16 << 20;

/// Most files, and most things that could not be read.
const MOST: usize = 1000;

/// The version of the form, which stands in the first line of the manifest.
const VERSION: u32 = 1;

/// Whose archive it is, and when it was made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    /// The name of the machine.
    pub host: String,
    /// By its clock.
    pub at: Timestamp,
    /// Somebody disciplines that.
    pub synced: bool,
}

impl Stamp {
    fn folder(&self) -> String {
        let at = self.at.strftime("%Y%m%dT%H%M%SZ");
        format!("fieldwarden-{}-{at}", self.host)
    }

    /// The name of the archive.
    pub fn name(&self) -> String {
        format!("{}.tar.gz", self.folder())
    }
}

/// What was found.
#[derive(Default)]
pub struct Packet {
    files: Vec<(String, Vec<u8>, Option<&'static str>)>,
    unread: Vec<(String, String)>,
    absent: Vec<String>,
    size: usize,
}

/// Said of what is never packed.
const NEVER: [&str; 5] = [
    "values of the configuration that may hold a secret, its comments, and what this program does not know",
    "the trace, which holds the whole configuration",
    "what services wrote",
    "files that a later version has left: only their names and sizes",
    "words of the kernel's command line and of mounts that are not known to be harmless",
];

impl Packet {
    /// Takes something in.
    pub fn take(&mut self, found: Found) {
        match found {
            Found::File { name, bytes, note } => {
                let size = self.size + bytes.len();
                if size > TOTAL || self.files.len() >= MOST {
                    let why = "left out: the archive would have become too large".to_owned();
                    return self.missed(name, why);
                }
                self.size = size;
                self.files.push((name, bytes, note));
            }
            Found::Unread { what, why } => self.missed(what, why),
            Found::Absent(what) if self.absent.len() < MOST => self.absent.push(what),
            Found::Absent(_) | Found::Done(_) => {}
        }
    }

    fn missed(&mut self, what: String, why: String) {
        if self.unread.len() < MOST {
            self.unread.push((what, why));
        }
    }

    /// How much it is, for people.
    pub fn summary(&self) -> String {
        let files = self.files.len();
        match self.unread.len() {
            0 => format!("{files} files"),
            n => format!("{files} files; {n} could not be read, as MANIFEST.txt in it says"),
        }
    }

    /// What is in the archive, what is not, and why.
    pub fn manifest(&self, stamp: &Stamp) -> String {
        let clock = match stamp.synced {
            true => "kept by somebody",
            false => "kept by nobody, so this time may be wrong",
        };
        let mut text = format!(
            "fieldwarden-bundle {VERSION}\nof {} at {:.0}, a clock that is {clock}\nby fieldwarden {}\n",
            stamp.host,
            stamp.at,
            env!("CARGO_PKG_VERSION"),
        );
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort();
        let files = files.into_iter().map(|(name, bytes, note)| {
            let size = bytes.len();
            let plural = if size == 1 { "" } else { "s" };
            let note = note.map_or_else(String::new, |note| format!("; {note}"));
            format!("{name}  {size} byte{plural}{note}")
        });
        let unread = self.unread.iter();
        let unread = unread.map(|(what, why)| format!("{what}: {}", one_line(why)));
        let absent = self.absent.iter().cloned();
        let never = NEVER.iter().map(|&what| what.to_owned());
        for (title, lines) in [
            ("in this archive", files.collect::<Vec<_>>()),
            ("could not be read", unread.collect()),
            ("not there, as on many machines", absent.collect()),
            ("removed, or never packed", never.collect()),
        ] {
            if !lines.is_empty() {
                // Writing into memory cannot fail.
                let _ = writeln!(text, "\n{title}");
            }
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
        text
    }

    /// The archive: a folder with the manifest and the files, as a compressed tar.
    ///
    /// # Errors
    /// That a name does not fit into it.
    pub fn pack(&self, stamp: &Stamp) -> io::Result<Vec<u8>> {
        let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        let manifest = self.manifest(stamp);
        let files = self
            .files
            .iter()
            .map(|(name, bytes, _)| (&**name, &**bytes));
        let manifest = ("MANIFEST.txt", manifest.as_bytes());
        for (name, bytes) in std::iter::once(manifest).chain(files) {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o600);
            header.set_mtime(u64::try_from(stamp.at.as_second()).unwrap_or(0));
            header.set_size(bytes.len() as u64);
            let path = format!("{}/{name}", stamp.folder());
            archive.append_data(&mut header, path, bytes)?;
        }
        archive.into_inner()?.finish()
    }
}

/// On one line, and without what could play tricks on a terminal.
fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(300).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn file(name: &str, size: usize) -> Found {
        Found::File {
            name: name.to_owned(),
            bytes: vec![b'x'; size],
            note: None,
        }
    }

    /// What does not fit is told, and what comes after it and fits is there.
    #[test]
    fn it_has_an_end() {
        let mut packet = Packet::default();
        packet.take(file("small", 10));
        packet.take(file("large", TOTAL));
        packet.take(file("last", 10));
        let manifest = packet.manifest(&Stamp::default());
        let told = "large: left out: the archive would have become too large";
        assert!(manifest.contains(told), "{manifest}");
        assert_eq!(packet.files.len(), 2);
        (0..2 * MOST).for_each(|n| packet.take(file(&n.to_string(), 1)));
        (0..2 * MOST).for_each(|n| packet.take(Found::Absent(n.to_string())));
        assert_eq!(packet.files.len(), MOST);
        assert_eq!((packet.unread.len(), packet.absent.len()), (MOST, MOST));
    }

    /// Anybody's tar reads it, and finds files that only their owner may read.
    #[test]
    fn an_archive_like_any_other() {
        let mut packet = Packet::default();
        packet.take(file("kernel/x.txt", 3));
        let stamp = Stamp {
            host: "pi".to_owned(),
            at: "2026-11-28T06:00:00Z".parse().unwrap(),
            synced: true,
        };
        assert_eq!(stamp.name(), "fieldwarden-pi-20261128T060000Z.tar.gz");
        let bytes = packet.pack(&stamp).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            assert_eq!(entry.header().mode().unwrap(), 0o600);
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.push((entry.path().unwrap().display().to_string(), text));
        }
        let folder = "fieldwarden-pi-20261128T060000Z";
        assert_eq!(found[0].0, format!("{folder}/MANIFEST.txt"));
        assert_eq!(found[1], (format!("{folder}/kernel/x.txt"), "xxx".into()));
        assert!(
            found[0]
                .1
                .starts_with("fieldwarden-bundle 1\nof pi at 2026-11-28T06:00:00Z, ")
        );
    }
}
