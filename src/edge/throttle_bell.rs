//! Tells the vitals thread when the kernel's own driver sees under-voltage begin or end.
//!
//! raspberrypi-hwmon asks the firmware every two seconds, clears what it finds, and notifies whoever
//! polls its alarm of a change. So a sag that is over before anybody looks need not be looked for.
//! Source: kernel, drivers/hwmon/raspberrypi-hwmon.c; what polling such a file means:
//! Documentation/filesystems/sysfs.rst and fs/kernfs/file.c.
//!
//! Costs a thread on machines with that driver, which sleeps until the driver has news.

use super::thread;
use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, poll};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// After news the next are waited for a little later: half the driver's own interval. A driver that
/// had news all the time must not make us busy.
const REST: Duration = Duration::from_secs(1);

/// What listens to the driver's alarm, if anything does.
pub struct ThrottleBell {
    ring: Sender<()>,
    listening: Arc<AtomicBool>,
}

impl ThrottleBell {
    /// Rings here; nothing is listened to yet.
    pub fn new(ring: Sender<()>) -> ThrottleBell {
        let listening = Arc::new(AtomicBool::new(false));
        ThrottleBell { ring, listening }
    }

    /// Sees to it that this alarm is listened to, and tells whether it is.
    pub fn listen(&self, alarm: &Path) -> bool {
        if self.listening.swap(true, SeqCst) {
            return true;
        }
        let began = File::open(alarm).and_then(|file| {
            let (ring, listening) = (self.ring.clone(), self.listening.clone());
            // It ends with the process, or with the driver.
            thread::start("alarm", move || {
                let look = |file: &File| file.read_at(&mut [0; 8], 0).map(|_| ());
                ring_for(&file, look, &ring, REST);
                listening.store(false, SeqCst);
            })
        });
        self.listening.fetch_and(began.is_ok(), SeqCst);
        began.is_ok()
    }
}

/// Rings at each news of a file that tells of them by `POLLPRI`, until it cannot be looked at any
/// more. The look comes first: news are what came after it.
fn ring_for<F: AsFd>(
    file: &F,
    mut look: impl FnMut(&F) -> io::Result<()>,
    ring: &Sender<()>,
    rest: Duration,
) {
    while look(file).is_ok() {
        let mut watched = [PollFd::new(file, PollFlags::PRI | PollFlags::ERR)];
        match poll(&mut watched, None) {
            // One ring that has not been heard is as good as two.
            Ok(_) => drop(ring.try_send(())),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        std::thread::sleep(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;
    use rustix::net::{RecvFlags, SendFlags, recv, send};
    use std::net::{TcpListener, TcpStream};

    /// Each news rings once, however long nobody listens, and it ends with what it listens to. (A
    /// socket tells of urgent data as such a file tells of news.)
    #[test]
    fn news_ring_and_the_end_is_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let driver = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (file, _) = listener.accept().unwrap();
        let (ring, rung) = bounded(1);
        let (looked, looks) = bounded(0);
        let listening = std::thread::spawn(move || {
            let look = |file: &TcpStream| {
                // Takes the urgent byte, if there is one; until the test has ended.
                let _ = recv(file, &mut [0u8; 1], RecvFlags::OOB | RecvFlags::DONTWAIT);
                looked.send(()).map_err(io::Error::other)
            };
            ring_for(&file, look, &ring, Duration::ZERO);
        });
        looks.recv().unwrap();
        assert!(rung.try_recv().is_err());
        for _ in 0..2 {
            send(&driver, b"!", SendFlags::OOB).unwrap();
            rung.recv().unwrap();
            looks.recv().unwrap();
        }
        assert!(rung.try_recv().is_err());
        drop(looks);
        send(&driver, b"!", SendFlags::OOB).unwrap();
        listening.join().unwrap();
    }

    /// What is not there is not listened to, and is looked for again.
    #[test]
    fn an_alarm_that_is_missing_is_not_listened_to() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, _rung) = bounded(1);
        let bell = ThrottleBell::new(ring);
        let alarm = dir.path().join("in0_lcrit_alarm");
        assert!(!bell.listen(&alarm));
        assert!(!bell.listen(&alarm));
    }
}
