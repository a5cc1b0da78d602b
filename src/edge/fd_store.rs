//! Descriptors that a service has left with the daemon, to be handed back at its next start.
//!
//! Shared by the children thread, which puts them in, and the spawner, which hands copies out. Nobody
//! holds the lock for longer than it takes to look at a list of a few dozen entries: the spawner, which
//! may be suspended for minutes, takes its copies and lets go.

use super::foreign::Foreign;
use super::luggage;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Name of a descriptor that was left without one, as with systemd.
const UNNAMED: &str = "stored";

/// Words in the luggage of a process that is handed over.
const LEFT: &str = "store";
const POLLED: &str = "polled";
const UNPOLLED: &str = "unpolled";

/// Longest name, as with systemd.
const LONGEST_NAME: usize = 255;

/// One that was left.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its name.
    pub name: Box<str>,
    /// Itself.
    pub descriptor: Foreign,
    /// It is let go of when the other end is gone.
    polled: bool,
}

/// What one service has left. Most may leave nothing, and have no list.
#[derive(Clone, Debug)]
pub struct FdStore(Option<Arc<Mutex<Vec<Stored>>>>);

/// The name that a descriptor is left under: what cannot be one becomes systemd's word for it.
pub fn name_of(given: Option<&str>) -> &str {
    let fits = |name: &&str| {
        let plain = |c: char| c.is_ascii() && !c.is_ascii_control() && c != ':';
        !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain)
    };
    given.filter(fits).unwrap_or(UNNAMED)
}

impl FdStore {
    /// That of a service which may leave so many.
    pub fn of(most: u32) -> FdStore {
        FdStore((most > 0).then(Arc::default))
    }

    fn list(&self) -> Option<MutexGuard<'_, Vec<Stored>>> {
        // Whoever broke off has left the list as it was between two calls.
        let list = self.0.as_ref()?;
        Some(list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts in a descriptor, unless it is there already; returns it if it is new and `polled`, and
    /// gives it back as an error if there is no room.
    ///
    /// # Errors
    /// There are `most` already.
    pub fn put(
        &self,
        most: u32,
        name: &str,
        descriptor: Foreign,
        polled: bool,
    ) -> Result<Option<Foreign>, Foreign> {
        let Some(mut list) = self.list() else {
            return Err(descriptor);
        };
        if list.iter().any(|s| is_same(&s.descriptor, &descriptor)) {
            return Ok(None);
        }
        if list.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(descriptor);
        }
        list.push(Stored {
            name: name.into(),
            descriptor: descriptor.clone(),
            polled,
        });
        Ok(polled.then_some(descriptor))
    }

    /// It cannot be waited for, as a plain file cannot.
    pub fn is_not_polled(&self, descriptor: &Foreign) {
        for stored in self.list().iter_mut().flat_map(|list| list.iter_mut()) {
            if stored.descriptor.is(descriptor) {
                stored.polled = false;
            }
        }
    }

    /// Takes out those of this name.
    pub fn remove(&self, name: &str) -> Vec<Stored> {
        let named = |s: &mut Stored| *s.name == *name;
        self.take_out(named)
    }

    /// Takes out those whose other end is gone.
    pub fn remove_dead(&self) -> Vec<Stored> {
        let dead = |s: &mut Stored| s.polled && has_hung_up(&s.descriptor);
        self.take_out(dead)
    }

    fn take_out(&self, which: impl FnMut(&mut Stored) -> bool) -> Vec<Stored> {
        let list = self.list();
        list.map_or(Vec::new(), |mut list| list.extract_if(.., which).collect())
    }

    /// Takes out all.
    pub fn clear(&self) -> Vec<Stored> {
        let list = self.list();
        list.map_or(Vec::new(), |mut list| std::mem::take(&mut *list))
    }

    /// Copies of all, in the order in which they came.
    pub fn all(&self) -> Vec<Stored> {
        self.list().map_or(Vec::new(), |list| list.clone())
    }

    /// Leaves all to a successor in this process.
    pub fn leave(&self, service: &str) {
        for stored in self.clear() {
            // The spawner may have a copy, until it ends.
            if let Ok(descriptor) = stored.descriptor.as_fd().try_clone_to_owned() {
                let polled = if stored.polled { POLLED } else { UNPOLLED };
                let name = format!("{LEFT} {service} {polled} {}", stored.name);
                luggage::put(name, descriptor);
            }
        }
    }

    /// Takes up what a predecessor in this process has left, as far as there may be so much now.
    pub fn take_up(&self, most: u32, service: &str) {
        for (rest, descriptor) in luggage::take_all(&format!("{LEFT} {service} ")) {
            let (polled, name) = rest.split_once(' ').unwrap_or((UNPOLLED, UNNAMED));
            // What is beyond that is closed.
            let _ = self.put(most, name, Foreign::new(descriptor), polled == POLLED);
        }
    }

    /// How many there are.
    pub fn count(&self) -> u16 {
        let count = self.list().map_or(0, |list| list.len());
        u16::try_from(count).unwrap_or(u16::MAX)
    }
}

impl Stored {
    /// It is waited for.
    pub fn is_polled(&self) -> bool {
        self.polled
    }
}

fn has_hung_up(descriptor: &Foreign) -> bool {
    let mut fds = [PollFd::new(descriptor, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Both lead to one open file, whatever their numbers are. Where the kernel does not tell, they count
/// as different: then a service that leaves one again and again runs into its limit, and is told.
fn is_same(one: &Foreign, other: &Foreign) -> bool {
    const KCMP_FILE: libc::c_int = 0;
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let (one, other): (RawFd, RawFd) = (one.as_fd().as_raw_fd(), other.as_fd().as_raw_fd());
    // SAFETY: the call compares two numbers of descriptors that are open here, and touches no memory.
    let compared = unsafe { libc::syscall(libc::SYS_kcmp, own, own, KCMP_FILE, one, other) };
    compared == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn pair() -> (Foreign, UnixStream) {
        let (one, other) = UnixStream::pair().unwrap();
        (Foreign::new(one.into()), other)
    }

    /// So many and no more; the same one is kept once; names take out what they name.
    #[test]
    fn is_bounded_and_keeps_each_once() {
        let none = FdStore::of(0);
        assert!(none.put(0, "a", pair().0, true).is_err());
        assert_eq!(
            (none.count(), none.all().len(), none.clear().len()),
            (0, 0, 0)
        );
        let store = FdStore::of(2);
        let ((a, _x), (b, _y), (c, _z)) = (pair(), pair(), pair());
        let again = Foreign::new(a.as_fd().try_clone_to_owned().unwrap());
        assert!(store.put(2, "a", a, true).unwrap().is_some());
        assert!(store.put(2, "b", b, false).unwrap().is_none());
        assert!(store.put(2, "a", again, true).unwrap().is_none());
        assert_eq!(store.count(), 2);
        assert!(store.put(2, "c", c, true).is_err());
        assert_eq!(store.remove("b").len(), 1);
        let names: Vec<_> = store.all().into_iter().map(|s| s.name).collect();
        assert_eq!(names, ["a".into()]);
        assert_eq!(store.clear().len(), 1);
        assert_eq!(store.count(), 0);
    }

    /// One whose other end is gone is of no use, unless its owner says so.
    #[test]
    fn the_dead_are_let_go() {
        let store = FdStore::of(9);
        let ((a, x), (b, y)) = (pair(), pair());
        store.put(9, "a", a, true).unwrap();
        store.put(9, "b", b, false).unwrap();
        assert!(store.remove_dead().is_empty());
        drop((x, y));
        let dead: Vec<_> = store.remove_dead().into_iter().map(|s| s.name).collect();
        assert_eq!(dead, ["a".into()]);
    }

    /// Names are systemd's.
    #[test]
    fn names_are_checked() {
        for (given, name) in [
            (Some("db"), "db"),
            (Some("a b/1"), "a b/1"),
            (Some("a:b"), UNNAMED),
            (Some(""), UNNAMED),
            (Some("\u{e9}"), UNNAMED),
            (None, UNNAMED),
        ] {
            assert_eq!(name_of(given), name);
        }
        assert_eq!(name_of(Some(&"x".repeat(256))), UNNAMED);
    }
}
