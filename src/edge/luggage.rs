//! Descriptors that pass from a daemon to its successor in the same process.
//!
//! An exec keeps the process and replaces the program. What it must not close is noted here as the
//! threads let go of it; then it is listed in a file in memory, whose number the successor finds in its
//! environment. Everything else is closed by the kernel, as all descriptors of ours are.
//!
//! Descriptors belong to a process, and so there is one luggage in it. It stays shut unless this
//! process is to be handed over: then whatever is put in is dropped, as it would be anyway.

use super::foreign;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The variable in which a successor finds the number of the list.
pub const VARIABLE: &str = "FIELDWARDEN_LUGGAGE";

/// The first line of the list, before its version. What has none is not ours.
const HEADER: &str = "fieldwarden-luggage ";

/// The version that is written and read.
const VERSION: u32 = 1;

/// Longest list in bytes: some descriptors of each of a thousand services, with long names.
const LONGEST: u64 = 4 * 1024 * 1024;

static LUGGAGE: Mutex<Luggage> = Mutex::new(Luggage::shut());

struct Luggage {
    open: bool,
    came: bool,
    things: Vec<(String, OwnedFd)>,
}

fn luggage() -> MutexGuard<'static, Luggage> {
    // Whoever broke off has left it as it was between two calls.
    LUGGAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on what is put in goes along: this process is to be handed over.
pub fn open() {
    luggage().open = true;
}

/// This process is to be handed over.
pub fn is_open() -> bool {
    luggage().open
}

/// This program was handed its process by another one.
pub fn came() -> bool {
    luggage().came
}

/// Puts in a descriptor, under a name without a line feed. If it is shut, it is closed instead.
pub fn put(name: String, descriptor: OwnedFd) {
    luggage().put(name, descriptor);
}

/// Puts in again what was taken out.
pub fn put_back(name: String, descriptor: OwnedFd) {
    luggage().things.push((name, descriptor));
}

/// Takes out the descriptor of this name, if it came along.
pub fn take(name: &str) -> Option<OwnedFd> {
    luggage().take(name)
}

/// Takes out all whose names begin so, with what follows, in the order in which they were put in.
pub fn take_all(prefix: &str) -> Vec<(String, OwnedFd)> {
    luggage().take_all(prefix)
}

/// Closes what nobody takes out whose name begins so.
pub fn discard(prefixes: &[&str]) {
    for prefix in prefixes {
        for (_, descriptor) in take_all(prefix) {
            foreign::close(descriptor);
        }
    }
}

/// Keeps a text that may go along, in memory that is not this process's. Whoever is handed it cannot
/// change it.
pub fn keep_text(text: &str) -> Option<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memory(flags).ok()?);
    file.write_all(text.as_bytes()).ok()?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals).ok()?;
    Some(file.into())
}

/// Takes out a text that came along.
pub fn take_text(name: &str) -> Option<String> {
    read_text(&File::from(take(name)?)).ok()
}

/// Reads a text that was kept, wherever others who have the same file have come to in it.
///
/// # Errors
/// What the kernel said; that it is no text.
pub fn read_text(file: &File) -> io::Result<String> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// A file in memory. Some machines take none that could be executed, and old kernels do not know one
/// that cannot.
fn memory(flags: MemfdFlags) -> rustix::io::Result<OwnedFd> {
    memfd_create("luggage", flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create("luggage", flags))
}

/// Lists what goes along, and keeps it open over an exec. Returns the number of the list.
///
/// # Errors
/// What the kernel said.
pub fn pack() -> io::Result<RawFd> {
    luggage().pack()
}

/// Unpacks the list with this number. One that is not ours is left alone.
pub fn unpack(number: &str) {
    luggage().unpack(number);
}

impl Luggage {
    const fn shut() -> Luggage {
        Luggage {
            open: false,
            came: false,
            things: Vec::new(),
        }
    }

    fn put(&mut self, name: String, descriptor: OwnedFd) {
        if self.open && !name.contains('\n') {
            self.things.push((name, descriptor));
        }
    }

    fn take(&mut self, name: &str) -> Option<OwnedFd> {
        if self.open {
            return None;
        }
        let at = self.things.iter().position(|(n, _)| n == name)?;
        Some(self.things.swap_remove(at).1)
    }

    fn take_all(&mut self, prefix: &str) -> Vec<(String, OwnedFd)> {
        if self.open {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.things).into_iter();
        let (taken, left): (Vec<_>, Vec<_>) = all.partition(|(name, _)| name.starts_with(prefix));
        self.things = left;
        let rest = |(name, fd): (String, OwnedFd)| (name[prefix.len()..].to_owned(), fd);
        taken.into_iter().map(rest).collect()
    }

    fn pack(&self) -> io::Result<RawFd> {
        let mut list = File::from(memory(MemfdFlags::empty())?);
        let mut text = format!("{HEADER}{VERSION}\n");
        for (name, fd) in &self.things {
            fcntl_setfd(fd, FdFlags::empty())?;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {name}", fd.as_raw_fd());
        }
        list.write_all(text.as_bytes())?;
        // It is the successor's from now on.
        Ok(list.into_raw_fd())
    }

    fn unpack(&mut self, number: &str) {
        let Some(list) = number.parse().ok().and_then(list) else {
            log::warn!("{VARIABLE}: there is no list of descriptors; nothing was handed over");
            return;
        };
        self.came = true;
        let (version, list) = list;
        for line in list.lines() {
            let (number, name) = line.split_once(' ').unwrap_or((line, ""));
            if let Some(fd) = number.parse().ok().and_then(own) {
                self.things.push((name.to_owned(), fd));
            }
        }
        if version > VERSION {
            // What is not understood must not stay open either: nobody would pet the watchdog, and
            // nobody could open it. Closed, it runs on, and is opened anew in time.
            log::warn!(
                "{VARIABLE}: a list of version {version}, which this program is too old for: all that \
                 came along is closed"
            );
            self.things.clear();
        }
    }
}

/// The version of a list, and its lines without the first.
fn list(number: RawFd) -> Option<(u32, String)> {
    let mut text = String::new();
    // It is looked at before it is taken for ours, and before it is read: the number may be anything,
    // and reading from a pipe may take for ever.
    let path = format!("/proc/self/fd/{number}");
    if number <= 2 || !std::fs::metadata(&path).ok()?.is_file() {
        return None;
    }
    let mut file = File::open(path).ok()?.take(LONGEST);
    file.read_to_string(&mut text).ok()?;
    let (version, lines) = text.strip_prefix(HEADER)?.split_once('\n')?;
    let (version, lines) = (version.parse().ok()?, lines.to_owned());
    drop(own(number));
    Some((version, lines))
}

/// Makes a descriptor ours that an exec has left open, and lets no other exec do so. Not one of the
/// three that every program has.
fn own(number: RawFd) -> Option<OwnedFd> {
    if number <= 2 {
        return None;
    }
    // SAFETY: it is only asked whether there is such a descriptor.
    let there = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    fcntl_getfd(there).ok()?;
    fcntl_setfd(there, FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, and our predecessor has listed it once, for us alone; nobody in this program
    // has opened anything yet that could have its number, because it never was closed.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text is there again as it was kept.
    #[test]
    fn a_text_that_was_kept_is_taken_out() {
        let text = "board = \"sim\"\n".repeat(500);
        put_back("text of a test".to_owned(), keep_text(&text).unwrap());
        let kept = File::from(take("text of a test").unwrap());
        let path = format!("/proc/self/fd/{}", kept.as_raw_fd());
        let mut other = File::options().read(true).write(true).open(path).unwrap();
        assert!(other.write_all(b"x").is_err() && other.set_len(0).is_err());
        put_back("text of a test".to_owned(), kept.into());
        assert_eq!(take_text("text of a test"), Some(text));
        assert_eq!(take_text("text of a test"), None);
    }

    /// What a later version hands over is not believed, and not left open.
    #[test]
    fn a_later_list_is_closed() {
        let mut new = Luggage::shut();
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let handed = write.into_raw_fd();
        let mut list = File::from(memory(MemfdFlags::empty()).unwrap());
        writeln!(list, "{HEADER}2\n{handed} watchdog").unwrap();
        let number = list.into_raw_fd();
        new.unpack(&number.to_string());
        assert!(new.came && new.things.is_empty());
        // The kernel says so once nobody has the other end any more.
        let mut watched = [rustix::event::PollFd::new(
            &read,
            rustix::event::PollFlags::IN,
        )];
        let patience = rustix::event::Timespec {
            tv_sec: 10,
            tv_nsec: 0,
        };
        assert_eq!(rustix::event::poll(&mut watched, Some(&patience)), Ok(1));
        assert!(watched[0].revents().contains(rustix::event::PollFlags::HUP));
    }

    /// What is put in while it is shut is closed; what goes along is listed, kept over an exec, and
    /// taken out by its name; nonsense is not taken for a list, and a pipe is not read.
    #[test]
    fn what_is_packed_is_unpacked() {
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let mut old = Luggage::shut();
        let (read, write) = pipe();
        old.put("lost".to_owned(), read);
        assert!(old.things.is_empty());
        let (other, silent) = (tempfile::tempfile().unwrap(), pipe());
        for strange in [other.as_raw_fd(), silent.0.as_raw_fd(), 0, 1, 2, -1, 99_999] {
            old.unpack(&strange.to_string());
        }
        old.unpack("");
        assert!(!old.came && fcntl_getfd(&other).is_ok() && fcntl_getfd(&silent.0).is_ok());

        old.open = true;
        let (read, second) = pipe();
        let number = read.as_raw_fd();
        old.put("store web a b".to_owned(), read);
        old.put("two\nlines".to_owned(), second);
        assert!(old.take("store web a b").is_none() && old.take_all("store ").is_empty());
        let list = old.pack().unwrap();
        // As an exec would: what was ours is the next one's.
        for (_, fd) in old.things {
            assert_eq!(fcntl_getfd(&fd).unwrap(), FdFlags::empty());
            let _ = fd.into_raw_fd();
        }
        let mut new = Luggage::shut();
        new.unpack(&list.to_string());
        assert!(new.came && new.take("lost").is_none());
        let all = new.take_all("store web ");
        assert_eq!(all.len(), 1);
        assert_eq!((&*all[0].0, all[0].1.as_raw_fd()), ("a b", number));
        assert_eq!(fcntl_getfd(&all[0].1).unwrap(), FdFlags::CLOEXEC);
        drop(write);
    }
}
