//! Descriptors that take long to close, which anybody may send along.

use super::super::customs;
use super::*;
use crate::edge::foreign::tests::{Lingering, lingering, nested};
use std::os::fd::RawFd;

/// Far below what closing one of them takes, and far above what a busy machine needs.
const PROMPT: Duration = Duration::from_secs(5);

/// What the thread does, in less time than any of this may take.
fn promptly<T>(what: impl FnOnce() -> T) -> T {
    let begun = clock::now();
    let done = what();
    let took = clock::now().since(begun);
    assert!(took < PROMPT, "{took:?}");
    done
}

/// Whatever comes along with a message, the thread does not wait for it, and what was said counts.
#[test]
fn what_comes_along_holds_up_nobody() {
    let mut stage = stage();
    let run = stage.born(1);
    let mut held: Vec<Lingering> = Vec::new();
    for number in 0..3 {
        let (fd, peer) = lingering();
        held.push(peer);
        stage.say_with(format!("STATUS={number}").as_bytes(), &[fd]);
        promptly(|| stage.hear());
    }
    let expected = [(1, "started"), (1, "status"), (1, "status"), (1, "status")];
    assert_eq!(stage.told(), expected);
    // Those for which the linger alone does not do: as many hang as may, and the next one waits.
    for number in 3..6 {
        let (fd, peer) = nested();
        held.push(peer);
        stage.say_with(format!("STATUS={number}").as_bytes(), &[fd]);
        promptly(|| stage.hear_until(|stage| stage.customs_hang() == 2.min(number - 2)));
    }
    promptly(|| stage.children.hear(0));
    assert_eq!(stage.told(), [(1, "status"), (1, "status")]);
    assert!(stage.children.patience().is_some());
    // When one of them is through, it goes on.
    held.clear();
    stage.hear_until(|stage| stage.customs_hang() == 0);
    stage.open_ears();
    stage.hear();
    assert_eq!(stage.told(), [(1, "status")]);
    kill(&run);
    promptly(|| stage.reap());
}

/// The same of strangers: what they do is not to end a service, which counts as alive meanwhile.
#[test]
fn strangers_who_hang_end_no_service() {
    let mut stage = stage();
    let run = stage.born(1);
    stage.say(b"WATCHDOG_USEC=100000");
    stage.hear();
    stage.told();
    stage.estrange(&run);
    let mut held = Vec::new();
    for number in 1..=3usize {
        let (fd, peer) = nested();
        held.push(peer);
        stage.say_with(b"READY=1", &[fd]);
        promptly(|| stage.hear_until(|stage| stage.customs_hang() == 2.min(number)));
    }
    promptly(|| stage.children.hear(0));
    assert!(stage.told().contains(&(1, "heartbeat")));
    kill(&run);
    promptly(|| stage.reap());
}

/// A run that ends is not waited for longer than a pet can wait, and what it left last is kept.
#[test]
fn the_last_words_of_a_run_bring_descriptors() {
    let mut stage = stage();
    let run = stage.born(1);
    let (a, _x) = std::os::unix::net::UnixStream::pair().unwrap();
    stage.say_with(b"FDSTORE=1\nFDNAME=a", &[a.into()]);
    stage.say(b"STATUS=going");
    kill(&run);
    stage.reap();
    let expected = [(1, "started"), (1, "kept"), (1, "status"), (1, "exited")];
    assert_eq!(stage.told(), expected);
    let (fd, peer) = nested();
    let run = stage.born(2);
    stage.say_with(b"STATUS=x", &[fd]);
    kill(&run);
    promptly(|| stage.reap());
    drop(peer);
}

/// A file that a program may be behind is not kept, whatever it is called.
#[test]
fn files_are_not_kept() {
    let mut stage = stage();
    let run = stage.born(1);
    let path = stage.directory.path().join("anon_inode:[eventfd]");
    let file = std::fs::File::create(path).unwrap();
    let memory = rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    stage.say_with(b"FDSTORE=1\nFDNAME=a", &[file.into()]);
    stage.hear();
    assert_eq!(stage.told(), [(1, "started"), (1, "store")]);
    stage.say_with(b"FDSTORE=1\nFDNAME=a", &[memory]);
    stage.say_with(b"FDSTORE=1\nFDNAME=a", &[event]);
    stage.hear();
    assert_eq!(stage.told(), [(1, "kept"), (1, "kept")]);
    kill(&run);
    stage.reap();
}

/// The thread that takes something in has a table of its own, with nothing of ours but what it needs.
#[test]
fn what_is_taken_in_does_not_lie_in_our_table() {
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let kept = std::fs::File::open("/dev/null").unwrap();
    let numbers = [one.as_raw_fd(), other.as_raw_fd()];
    let its = std::thread::spawn(move || {
        customs::have_own_table(numbers[0], numbers[1]);
        let entries = std::fs::read_dir("/proc/thread-self/fd").unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .map(|name| name.parse().unwrap())
            .collect::<Vec<RawFd>>()
    });
    let its = its.join().unwrap();
    assert!(numbers.iter().all(|number| its.contains(number)), "{its:?}");
    // With the one by which they were listed.
    assert_eq!(its.len(), 3, "{its:?}");
    assert!(kept.metadata().is_ok() && one.local_addr().is_ok());
}

impl Stage {
    /// Threads that have taken something in and are not done.
    fn customs_hang(&self) -> usize {
        self.children.customs.hang()
    }

    fn open_ears(&mut self) {
        while let Some(patience) = self.children.patience() {
            let _ = poll(&mut [], Some(&patience));
            self.children.open_due_ears();
        }
    }
}
