//! The cast: the bundled service programs, and the door through which they are told what to do.
//!
//! Terms: the *door* is a socket in the demo's directory; each program connects to it once in each
//! of its lives and tells its name. While the demo lives the door is open.
//!
//! Never waits for a program.

use super::services::Mischief;
use crate::edge::thread;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest time a program may take to tell its name after it has connected. It tells it at once;
/// nobody else knows the door.
const NAME_WITHIN: Duration = Duration::from_secs(2);

/// Longest name that is read, in bytes.
const LONGEST_NAME: usize = 64;

/// The programs that have come through the door.
#[derive(Clone, Default)]
pub struct Cast {
    present: Arc<Mutex<BTreeMap<String, UnixStream>>>,
}

impl Cast {
    /// Opens the door at this path, for as long as the demo lives.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open(door: &Path) -> io::Result<Cast> {
        let place = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", door.display()));
        let listener = UnixListener::bind(door).map_err(place)?;
        let cast = Cast::default();
        let present = cast.clone();
        thread::start("door", move || {
            for stream in listener.incoming().flatten() {
                present.admit(stream);
            }
        })?;
        Ok(cast)
    }

    fn admit(&self, mut stream: UnixStream) {
        if let Ok(name) = name_of(&mut stream) {
            self.lock().insert(name, stream);
        }
    }

    /// Tells a program what to do. `false` if it is not there, or not there yet.
    pub fn tell(&self, name: &str, order: Mischief) -> bool {
        let mut present = self.lock();
        let told = present
            .get_mut(name)
            .is_some_and(|door| door.write_all(order.line().as_bytes()).is_ok());
        if !told {
            present.remove(name);
        }
        told
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, UnixStream>> {
        // Every change is complete before the lock is given back.
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name that a program tells, up to the end of its line.
fn name_of(stream: &mut UnixStream) -> io::Result<String> {
    stream.set_read_timeout(Some(NAME_WITHIN))?;
    let mut name = Vec::new();
    let mut byte = [0u8];
    loop {
        stream.read_exact(&mut byte)?;
        if byte == [b'\n'] {
            return String::from_utf8(name).map_err(io::Error::other);
        }
        name.push(byte[0]);
        if name.len() > LONGEST_NAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;

    /// A program that told its name gets its orders; one that is gone cannot be told.
    #[test]
    fn tells_the_right_program() {
        let dir = tempfile::tempdir().unwrap();
        let door = dir.path().join("door");
        let cast = Cast::open(&door).unwrap();
        assert!(!cast.tell("camera", Mischief::Hang));
        let mut program = UnixStream::connect(&door).unwrap();
        program.write_all(b"camera\n").unwrap();
        while !cast.tell("camera", Mischief::Hang) {
            std::thread::yield_now();
        }
        assert!(!cast.tell("sensor", Mischief::Crash));
        let mut heard = String::new();
        io::BufReader::new(&program).read_line(&mut heard).unwrap();
        assert_eq!(heard, Mischief::Hang.line());
        drop(program);
        // The first write after the end may still be taken by the socket.
        while cast.tell("camera", Mischief::Hang) {
            std::thread::yield_now();
        }
    }
}
