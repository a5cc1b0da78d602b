//! The token that clients from elsewhere show.

use crate::core::fact::{Errno, Fault};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Shortest token in bytes. What can be guessed keeps nobody out.
const LEAST: usize = 16;

/// Longest token in bytes: the head of a request has to have room for it.
const MOST: usize = 1024;

/// A token: visible ASCII.
pub(super) struct Token(Vec<u8>);

impl Token {
    /// Reads it from its file. A line end behind it does not belong to it.
    ///
    /// # Errors
    /// What the kernel said; [`Fault::Implausible`] for what can be no token; `EACCES` for a file that
    /// others may read or write.
    pub fn read(path: &Path) -> Result<Token, Fault> {
        let errno = |e: std::io::Error| Fault::Errno(Errno(e.raw_os_error().unwrap_or(libc::EIO)));
        // A FIFO under that name must not hold us up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| errno(e.into()))?;
        let file = File::from(file);
        let facts = file.metadata().map_err(errno)?;
        if !facts.is_file() {
            return Err(Fault::Implausible);
        }
        if facts.permissions().mode() & 0o007 != 0 {
            return Err(Fault::Errno(Errno(libc::EACCES)));
        }
        let mut bytes = Vec::new();
        let room = MOST as u64 + 2;
        file.take(room).read_to_end(&mut bytes).map_err(errno)?;
        let token = bytes.trim_ascii_end();
        let sound = (LEAST..=MOST).contains(&token.len()) && token.iter().all(u8::is_ascii_graphic);
        match sound {
            true => Ok(Token(token.to_vec())),
            false => Err(Fault::Implausible),
        }
    }

    /// Whether this is it. Takes as long for one that is nearly right as for one that is all wrong; one
    /// of another length is told from it at once, which gives away its length only.
    pub fn is(&self, shown: &[u8]) -> bool {
        if shown.len() != self.0.len() {
            return false;
        }
        let pairs = self.0.iter().zip(shown);
        // Without it the compiler could stop at the first difference.
        let differences = pairs.fold(0u8, |all, (a, b)| black_box(all | (a ^ b)));
        black_box(differences) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn written(text: &str, mode: u32) -> Result<Token, Fault> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        Token::read(file.path())
    }

    /// It is what its file holds, without the end of the line; and nothing else is.
    #[test]
    fn a_token_is_its_own_and_no_other() {
        let token = written("0123456789abcdef\n", 0o640).ok().unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for wrong in [
            &b""[..],
            b"0123456789abcde",
            b"0123456789abcdef0",
            b"0123456789abcdeF",
            b"1123456789abcdef",
            b"0123456789abcdef\n",
        ] {
            assert!(!token.is(wrong), "{wrong:?}");
        }
    }

    /// What can be guessed, is no text, or is open to others is no token.
    #[test]
    fn what_can_be_no_token_is_refused() {
        let read = |text: &str, mode| written(text, mode).map(|_| ());
        assert_eq!(read("0123456789abcdef", 0o600), Ok(()));
        for mode in [0o604, 0o602, 0o644] {
            let refused = Err(Fault::Errno(Errno(libc::EACCES)));
            assert_eq!(read("0123456789abcdef", mode), refused, "{mode:o}");
        }
        let long = "x".repeat(MOST + 1);
        for text in [
            "",
            "\n",
            "short",
            "0123456789 abcdef",
            "0123456789\u{e9}abcdef",
            &long,
        ] {
            assert_eq!(read(text, 0o600), Err(Fault::Implausible), "{text}");
        }
        assert_eq!(read(&long[1..], 0o600), Ok(()));
        let missing = Token::read("/nonexistent/token".as_ref()).map(|_| ());
        assert_eq!(missing, Err(Fault::Errno(Errno(libc::ENOENT))));
        assert_eq!(
            Token::read("/".as_ref()).map(|_| ()),
            Err(Fault::Implausible)
        );
    }
}
