//! Descriptors that take long to close, which anybody may send along.

use super::super::customs;
use super::*;
use crate::edge::foreign::{
    self,
    tests::{Lingering, lingering, nested},
};
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
    // Those for which no option of ours is in reach.
    for number in 3..6 {
        let (fd, peer) = nested();
        held.push(peer);
        stage.say_with(format!("STATUS={number}").as_bytes(), &[fd]);
        promptly(|| stage.hear());
        assert_eq!(stage.told(), [(1, "status")]);
    }
    // And of what hangs all the same, as many do as may, and the next one waits.
    stage.children.customs.feign_hanging(0, false);
    let (fd, _peer) = nested();
    stage.say_with(b"STATUS=6", &[fd]);
    promptly(|| stage.children.hear(0));
    assert_eq!(stage.told(), []);
    assert!(stage.children.patience().is_some());
    // When they are through, it goes on.
    stage.children.customs.end_feigned();
    stage.hear_until(|stage| stage.children.customs.is_idle());
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
    for _ in 0..3 {
        let (fd, peer) = nested();
        held.push(peer);
        stage.say_with(b"READY=1", &[fd]);
        promptly(|| stage.hear());
    }
    assert!(!stage.told().contains(&(1, "heartbeat")));
    stage.children.customs.feign_hanging(0, true);
    let (fd, _peer) = nested();
    stage.say_with(b"READY=1", &[fd]);
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
        assert!(foreign::have_own_table(numbers[0], numbers[1]));
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

/// What cannot be sent on by the thread is refused, and it says so.
#[test]
fn what_cannot_be_passed_on_is_refused() {
    let (link, theirs) = link();
    let one = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    // One more than the kernel takes.
    let many: Vec<OwnedFd> = (0..254).map(|_| one.try_clone().unwrap()).collect();
    customs::tell_taken(&theirs, 7, 2, &many);
    let (number, _, refused, kept) = customs::hear_link(&link).unwrap();
    assert_eq!((number, refused, kept.len()), (7, 256, 0));
    customs::tell_taken(&theirs, 8, 2, &many[..3]);
    let (number, _, refused, kept) = customs::hear_link(&link).unwrap();
    assert_eq!((number, refused, kept.len()), (8, 2, 3));
}

/// A thread that has received nothing says that.
#[test]
fn a_thread_that_fails_says_so() {
    let (link, theirs) = link();
    let (socket, _other) = UnixDatagram::pair().unwrap();
    let socket = OwnedFd::from(socket);
    let thread = std::thread::spawn(move || customs::take_in(&socket, &theirs, 7, true));
    thread.join().unwrap();
    let (number, what, ..) = customs::hear_link(&link).unwrap();
    assert_eq!((number, what), (7, customs::FAILED));
}

/// A service is listened to again when a thread has ended without a word of its message; one that has
/// failed is followed by a rest.
#[test]
fn a_thread_that_is_lost_leaves_no_service_unheard() {
    let mut stage = stage();
    let run = stage.born(1);
    stage.told();
    for what in [customs::OVER, customs::FAILED] {
        stage.children.customs.feign(0, what);
        stage.say(b"READY=1");
        stage.children.hear(0);
        assert_eq!(stage.told(), []);
        stage.children.hear_customs();
        assert!(stage.children.customs.is_idle());
        if what == customs::FAILED {
            assert!(!stage.wakes(), "it rests");
            assert!(stage.children.patience().is_some());
            stage.say(b"STATUS=x");
            stage.open_ears();
        }
        assert!(stage.wakes());
        stage.hear();
        let expected: &[_] = match what {
            customs::OVER => &[(1, "ready")],
            _ => &[(1, "status")],
        };
        assert_eq!(stage.told(), expected);
    }
    kill(&run);
    stage.reap();
}

/// Without a thread a message that brings something is not heard at all, so that it is heard once.
#[test]
fn what_cannot_be_taken_in_is_not_heard_yet() {
    let mut stage = stage();
    let run = stage.born(1);
    stage.told();
    stage.children.customs.starved = true;
    let (fd, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    stage.say_with(b"ERRNO=2", &[fd.into()]);
    for _ in 0..3 {
        stage.children.hear(0);
        assert_eq!(stage.told(), []);
        stage.open_ears();
    }
    stage.children.customs.starved = false;
    stage.hear();
    assert_eq!(stage.told(), [(1, "errno")]);
    kill(&run);
    stage.reap();
}

/// What is taken in when the process is handed over reaches the successor.
#[test]
fn what_is_under_way_is_waited_for() {
    let mut stage = stage();
    let run = stage.born(1);
    let (fd, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    stage.say_with(b"FDSTORE=1\nFDNAME=a", &[fd.into()]);
    stage.children.hear(0);
    let store = stage.children.slots[0].child.store.clone();
    assert_eq!(store.count(), 0);
    promptly(|| stage.children.finish_customs());
    assert_eq!(store.count(), 1);
    // Not for longer than a moment.
    stage.children.customs.feign_stuck(0);
    promptly(|| stage.children.finish_customs());
    kill(&run);
    stage.reap();
}

/// What comes when the service is not to run any more is not kept.
#[test]
fn what_comes_too_late_is_not_kept() {
    let mut stage = stage();
    let run = stage.born(1);
    let (fd, other) = std::os::unix::net::UnixStream::pair().unwrap();
    stage.say_with(b"FDSTORE=1\nFDNAME=a", &[fd.into()]);
    stage.children.hear(0);
    stage.children.empty_store(0);
    stage.hear_until(|stage| stage.children.customs.is_idle());
    assert_eq!(stage.children.slots[0].child.store.count(), 0);
    let mut other = other;
    other.set_read_timeout(Some(PROMPT)).unwrap();
    let end = std::io::Read::read(&mut other, &mut [0; 1]).unwrap();
    assert_eq!(end, 0, "it is closed");
    kill(&run);
    stage.reap();
}

/// Both ends of a link.
fn link() -> (OwnedFd, OwnedFd) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    let flags = SocketFlags::CLOEXEC;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
}

impl Stage {
    fn open_ears(&mut self) {
        while let Some(patience) = self.children.patience() {
            let _ = poll(&mut [], Some(&patience));
            self.children.open_due_ears();
        }
    }
}
