//! Descriptors that take an hour to close, and floods, on every socket that others may write to: pets
//! stay in time, and whoever asks gets an answer.

use super::rig::{Rig, python};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use rustix::net::sockopt::set_socket_linger;
use std::io::{IoSlice, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// As in `assault.rs`: a third of the timeout of 15 s, and room for a busy machine.
const GAP: Duration = Duration::from_secs(8);

/// A socket that lingers, and who does not read what is in it.
fn lingering() -> (OwnedFd, TcpStream) {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ours = TcpStream::connect(door.local_addr().unwrap()).unwrap();
    let (theirs, _) = door.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    let bytes = vec![0; 1 << 20];
    while ours.write(&bytes).is_ok() {}
    set_socket_linger(&ours, Some(Duration::from_secs(3_600))).unwrap();
    (ours.into(), theirs)
}

/// The same in the queue of another socket, where a `SO_LINGER` does not reach it.
fn nested() -> (OwnedFd, TcpStream) {
    let (inner, peer) = lingering();
    let (one, other) = UnixStream::pair().unwrap();
    assert!(send(&one, None, b"x", &inner));
    (other.into(), peer)
}

/// Whether the kernel took it.
fn send(from: &impl AsRawFd, to: Option<&Path>, bytes: &[u8], along: &OwnedFd) -> bool {
    let (fds, parts) = ([along.as_raw_fd()], [IoSlice::new(bytes)]);
    let with = [ControlMessage::ScmRights(&fds)];
    let to = to.map(|path| UnixAddr::new(path).unwrap());
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg(from.as_raw_fd(), &parts, &with, flags, to.as_ref()).is_ok()
}

/// Tells the crowd that it is over.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// The number of pets, unless whoever asks is sent away in this crowd.
fn petted(rig: &Rig) -> Option<u64> {
    let answer = rig.ask("status")?;
    answer["status"]["watchdog"]["pets"].as_u64()
}

#[test]
fn nothing_that_is_sent_delays_a_pet() {
    let body = "say('READY=1')\nwhile True:\n    say('WATCHDOG=1')\n    time.sleep(0.3)";
    let keys = "ready = \"notify\"\nheartbeat = \"5s\"";
    let mut rig = Rig::new(&(python("web", keys, body) + &python("db", keys, body)));
    rig.start();
    let pids = [rig.up("web"), rig.up("db")];
    let pets = rig.status().watchdog.pets;
    let notify = rig.path("run/service/web/notify");
    let control = rig.path("run/control.sock");
    let from = UnixDatagram::unbound().unwrap();
    // Nobody is held up who floods a socket that is full.
    from.set_nonblocking(true).unwrap();
    let mut held = Vec::new();
    for number in 0..4 {
        let (one, peer) = lingering();
        assert!(send(&from, Some(&notify), b"STATUS=x", &one));
        // Who does not read goes first: what is left then is closed at once.
        held.push((peer, one));
        if number < 2 {
            // One is left for the service itself.
            continue;
        }
        let (one, peer) = nested();
        // Refused where the kernel can be told that none is wanted.
        let client = UnixStream::connect(&control).unwrap();
        send(&client, None, b"{\"v\":1,\"request\":\"status\"}\n", &one);
        held.push((peer, one));
    }
    let (one, peer) = nested();
    assert!(send(&from, Some(&notify), b"STATUS=hangs", &one));
    held.push((peer, one));
    // And meanwhile as much as goes, on both sockets.
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // They end whatever comes of it.
        let _end = Over(&over);
        scope.spawn(|| {
            while !over.load(SeqCst) {
                let _full = from.send_to(b"STATUS=flood", &notify);
            }
        });
        scope.spawn(|| {
            while !over.load(SeqCst) {
                if let Ok(mut client) = UnixStream::connect(&control) {
                    let _busy = client.write_all(b"{\"v\":1,\"request\":\"status\"}\n");
                }
            }
        });
        rig.until("pets go on", |rig| petted(rig) >= Some(pets + 2));
    });
    rig.until("who asks gets an answer", |rig| petted(rig).is_some());
    let status = rig.status();
    let gap = status.watchdog.longest_gap_seconds.unwrap().0;
    assert!(gap < GAP, "{gap:?}");
    assert!(status.late_threads.is_empty(), "{:?}", status.late_threads);
    assert_eq!(rig.service("web").restarts, 0);
    assert_eq!([rig.up("web"), rig.up("db")], pids, "{}", rig.log());
    // It is handed over all the same, and so is what could not be closed.
    rig.reloads();
    assert_eq!([rig.up("web"), rig.up("db")], pids, "{}", rig.log());
    drop(held);
}
