//! Has several places looked at side by side, none of which can hold up the others, nor the command.

use super::packet::Packet;
use crate::edge::archive;
use crate::edge::clock;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

/// What was found, or not.
pub enum Found {
    /// A file of the archive.
    File {
        name: String,
        bytes: Vec<u8>,
        /// What is to be known of it, such as that it was cut.
        note: Option<&'static str>,
    },
    /// Something that should be there, and why it is not.
    Unread { what: String, why: String },
    /// Something that many machines do not have.
    Absent(String),
    /// This part has looked at everything.
    Done(&'static str),
}

/// Where what was found goes to. What nobody waits for any more is lost.
pub struct Basket(Sender<Found>);

impl Basket {
    fn put(&self, found: Found) {
        let _ = self.0.send(found);
    }

    /// A text as a file of the archive.
    pub fn text(&self, name: &str, text: String) {
        self.cut(name, text.into_bytes(), None);
    }

    /// A file of the archive, and what is to be known of it.
    pub fn cut(&self, name: &str, bytes: Vec<u8>, note: Option<&'static str>) {
        let name = name.to_owned();
        self.put(Found::File { name, bytes, note });
    }

    /// Something could not be read.
    pub fn unread(&self, what: &str, why: impl Into<String>) {
        self.put(Found::Unread {
            what: what.to_owned(),
            why: why.into(),
        });
    }

    /// Something could not be read because the system said no, or is not there.
    pub fn failed(&self, what: &str, error: &io::Error) {
        match error.kind() {
            ErrorKind::NotFound => self.put(Found::Absent(what.to_owned())),
            _ => self.unread(what, archive::why(error)),
        }
    }
}

/// One part of the work.
pub struct Part {
    name: &'static str,
    work: Box<dyn FnOnce(&Basket) + Send>,
}

impl Part {
    pub fn new(name: &'static str, work: impl FnOnce(&Basket) + Send + 'static) -> Part {
        let work = Box::new(work);
        Part { name, work }
    }
}

/// Has all parts done at once, and takes what they find. Who is not through in time is left to itself:
/// what it had found by then counts.
pub fn gather(parts: Vec<Part>, patience: Duration) -> Packet {
    let (send, found) = mpsc::channel();
    let mut packet = Packet::default();
    let mut missing = BTreeSet::new();
    for Part { name, work } in parts {
        let basket = Basket(send.clone());
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
            work(&basket);
            basket.put(Found::Done(name));
        });
        match spawned {
            Ok(_) => drop(missing.insert(name)),
            Err(e) => packet.take(Found::Unread {
                what: name.to_owned(),
                why: format!("nothing of it was looked at: {e}"),
            }),
        }
    }
    drop(send);
    let end = clock::now().after(patience);
    while !missing.is_empty() {
        match found.recv_timeout(end.since(clock::now())) {
            Ok(Found::Done(name)) => drop(missing.remove(name)),
            Ok(found) => packet.take(found),
            Err(_) => break,
        }
    }
    for name in missing {
        packet.take(Found::Unread {
            what: name.to_owned(),
            why: format!(
                "not through after {} s: what is missing of it hung there",
                patience.as_secs()
            ),
        });
    }
    packet
}

/// Does something that may hang; `None` if it is not through in time, and is left to itself.
pub fn in_time<T: Send + 'static>(
    patience: Duration,
    work: impl Fn() -> T + Send + Sync + 'static,
) -> Option<T> {
    let work = Arc::new(work);
    let theirs = Arc::clone(&work);
    let (send, done) = mpsc::channel();
    let thread = thread::Builder::new().name("patient".to_owned());
    match thread.spawn(move || send.send(theirs())) {
        Ok(_) => done.recv_timeout(patience).ok(),
        // There is no room for a thread: better late than never.
        Err(_) => Some(work()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that hangs holds up nobody, what it had found is there, and it is told that it hung.
    #[test]
    fn who_hangs_is_left_to_itself() {
        let (hold, held) = mpsc::channel::<()>();
        let parts = vec![
            Part::new("hung", move |basket| {
                basket.text("early", "1".to_owned());
                // Until the test is over.
                let _ = held.recv();
                basket.text("late", "2".to_owned());
            }),
            Part::new("well", |basket| {
                basket.text("fine", "3".to_owned());
                basket.failed("none", &ErrorKind::NotFound.into());
                basket.failed("shut", &ErrorKind::PermissionDenied.into());
            }),
        ];
        let packet = gather(parts, Duration::from_millis(300));
        let manifest = packet.manifest(&Default::default());
        for part in ["\n  early  1 byte\n", "\n  fine  1 byte\n", "\n  none\n"] {
            assert!(manifest.contains(part), "{manifest}");
        }
        assert!(
            manifest.contains("  shut: permission denied\n"),
            "{manifest}"
        );
        assert!(
            manifest.contains("  hung: not through after 0 s"),
            "{manifest}"
        );
        assert!(!manifest.contains("  late "), "{manifest}");
        drop(hold);
    }
}
