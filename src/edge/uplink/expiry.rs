//! When certificates expire, and when a file was written. The only place that reads certificates.

use crate::core::fact::Fault;
use crate::edge::power_supply::fault_of;
use crate::units::Wall;
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use x509_cert::Certificate;
use x509_cert::der::DecodePem;

/// Longest file. The certificates of all authorities that a browser knows have a quarter of that.
const MOST: u64 = 1024 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The first end of all certificates in a file. Whatever else it has, such as a private key, is not
/// looked at.
///
/// # Errors
/// What the kernel said; [`Fault::Implausible`] if it has none, or one that cannot be read.
pub(super) fn first_end(path: &Path) -> Result<Wall, Fault> {
    let mut text = Vec::new();
    let file = open(path).map_err(|e| fault_of(&e))?;
    let read = file.take(MOST).read_to_end(&mut text);
    read.map_err(|e| fault_of(&e))?;
    let text = std::str::from_utf8(&text).map_err(|_| Fault::Implausible)?;
    let ends: Result<Vec<Wall>, Fault> = blocks(text).map(end).collect();
    ends?.into_iter().min().ok_or(Fault::Implausible)
}

/// When it was written last.
///
/// # Errors
/// What the kernel said; [`Fault::Implausible`] for a time before 1970.
pub(super) fn written(path: &Path) -> Result<Wall, Fault> {
    let metadata = open(path).and_then(|file| file.metadata());
    let metadata = metadata.map_err(|e| fault_of(&e))?;
    Wall::new(metadata.mtime()).ok_or(Fault::Implausible)
}

/// Only a regular file: nothing else is waited for.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file = options.read(true).custom_flags(flags.bits()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::from_raw_os_error(libc::ENXIO)),
    }
}

/// Each certificate with its first and last line; one that does not end is not whole, and is none.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let from = rest.find(BEGIN)?;
        let length = rest[from..].find(END).map(|at| at + END.len());
        let length = length.unwrap_or(rest.len() - from);
        let block = &rest[from..from + length];
        rest = &rest[from + length..];
        Some(block)
    })
}

fn end(block: &str) -> Result<Wall, Fault> {
    let certificate = Certificate::from_pem(block).map_err(|_| Fault::Implausible)?;
    let end = certificate.tbs_certificate().validity().not_after;
    let seconds = end.to_unix_duration().as_secs();
    // One that never ends has the last second of the year 9999 (RFC 5280, 4.1.2.5).
    Ok(i64::try_from(seconds)
        .ok()
        .and_then(Wall::new)
        .unwrap_or(Wall::MAX))
}

/// Reads whatever somebody has put where certificates should be.
#[cfg(any(test, fuzzing))]
pub(crate) fn hostile(text: &str) {
    for block in blocks(text) {
        let _ = end(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Errno;
    use proptest::prelude::*;
    use std::fs;

    /// Made with OpenSSL; they end on 2027-01-01 and 2030-01-01, at the same minute.
    const FIRST: &str = include_str!("../../../tests/fixtures/expiry-first.pem");
    const SECOND: &str = include_str!("../../../tests/fixtures/expiry-second.pem");

    fn found(text: &str) -> Result<Wall, Fault> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.pem");
        fs::write(&path, text).unwrap();
        first_end(&path)
    }

    fn at(seconds: i64) -> Result<Wall, Fault> {
        Ok(Wall::new(seconds).unwrap())
    }

    /// The first to end counts, wherever it stands, and a key beside it is no matter.
    #[test]
    fn the_first_end_counts() {
        let key = "-----BEGIN PRIVATE KEY-----\nnothing of ours\n-----END PRIVATE KEY-----\n";
        let (first, second) = (1_798_761_600, 1_893_456_000);
        assert_eq!(found(FIRST), at(first));
        assert_eq!(found(SECOND), at(second));
        assert_eq!(found(&format!("{key}{SECOND}{FIRST}")), at(first));
        assert_eq!(found(&format!("bag\n{FIRST}\n{key}")), at(first));
    }

    /// What cannot be read is told, and is not taken for one that is good for ever.
    #[test]
    fn what_cannot_be_read() {
        let half = &FIRST[..FIRST.len() / 2];
        for text in ["", "hello", half, &FIRST.replace('M', "N")] {
            assert_eq!(found(text), Err(Fault::Implausible), "{text}");
        }
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(first_end(&dir.path().join("none")), Err(Fault::Absent));
        let no_file = Err(Fault::Errno(Errno(libc::ENXIO)));
        assert_eq!(first_end(dir.path()), no_file);
        assert_eq!(written(Path::new("/dev/null")), no_file);
    }

    proptest! {
        /// Nothing that stands there brings it down.
        #[test]
        fn any_text(text in "[A-Za-z0-9+/=\n-]{0,200}") {
            hostile(&text);
            hostile(&format!("{BEGIN}\n{text}\n{END}"));
        }
    }
}
