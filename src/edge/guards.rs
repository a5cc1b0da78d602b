//! The watchdog thread: pets every guard there is.
//!
//! The guards are the hardware watchdog, if it is ours, and init. A pet reaches them together, so
//! neither can be told that all is well while the other is not.
//!
//! Never pets without an order, and never stops the hardware watchdog because the daemon ends.

use super::clock;
use super::inbox::Inbox;
use super::orders::Work;
use super::systemd::Init;
use super::watchdog_device::WatchdogDevice;
use crate::core::action::Announcement;
use crate::core::fact::{Fact, Fault, OrderId, Reading};
use crate::text::goes_by;
use crate::units::Mono;
use std::time::Duration;

/// What the watchdog thread can be told to do.
pub enum GuardOrder {
    /// Open the device and set it.
    Arm {
        /// To be quoted in the outcome.
        order: OrderId,
        /// Wanted timeout.
        timeout: Duration,
    },
    /// Pet every guard.
    Pet {
        /// To be quoted in the outcome.
        order: OrderId,
        /// When the core looks for the outcome, at the latest. Only a failure is told before.
        by: Mono,
    },
    /// Stop the device.
    Disarm {
        /// To be quoted in the outcome.
        order: OrderId,
    },
    /// Tell init how we stand.
    Announce(Announcement),
}

/// The guards.
pub struct Guards {
    /// The hardware watchdog; `None` if it is not ours.
    pub device: Option<Box<dyn WatchdogDevice>>,
    /// Init; one that does not listen is told nothing.
    pub init: Init,
    armed: bool,
    /// Init did not take our readiness. Unless it hears of it, it ends us when its time to start is
    /// over.
    ready_owed: bool,
}

impl Guards {
    /// The guards, none of them armed by us yet.
    pub fn new(device: Option<Box<dyn WatchdogDevice>>, init: Init) -> Guards {
        Guards {
            device,
            init,
            armed: false,
            ready_owed: false,
        }
    }

    /// Carries out orders until nobody gives any.
    pub fn run(mut self, work: &Work<GuardOrder>, inbox: &Inbox) {
        while let Some(order) = work.wait() {
            self.carry_out(order, inbox);
            work.finish(clock::now());
        }
    }

    fn carry_out(&mut self, order: GuardOrder, inbox: &Inbox) {
        let (order, outcome, by) = match order {
            GuardOrder::Arm { order, timeout } => (order, self.arm(timeout, inbox), None),
            GuardOrder::Pet { order, by } => (order, self.pet(), Some(by)),
            GuardOrder::Disarm { order } => (order, self.disarm(), None),
            GuardOrder::Announce(announcement) => return self.announce(announcement),
        };
        let by = by.filter(|_| outcome.is_ok());
        let done = Fact::Done { order, outcome };
        match by {
            Some(by) => inbox.send_by(done, by),
            None => inbox.send(done),
        }
    }

    fn arm(&mut self, timeout: Duration, inbox: &Inbox) -> Result<(), Fault> {
        let device = self.device.as_mut().ok_or(Fault::Absent)?;
        let seen = device.arm(timeout)?;
        self.armed = true;
        inbox.send(Fact::Seen(Reading::Watchdog(seen)));
        Ok(())
    }

    fn pet(&mut self) -> Result<(), Fault> {
        // Init first: it must not end us because the device is in trouble. What it does not take
        // now it will take with the next pet; its own watchdog allows for three.
        let _ = self.init.pet();
        if self.ready_owed {
            self.announce(Announcement::Ready);
        }
        match &mut self.device {
            Some(device) if self.armed => {
                let outcome = device.pet();
                // One that is still open is petted on, whatever it said.
                self.armed = !outcome.as_ref().is_err_and(is_gone);
                outcome
            }
            Some(_) | None => Ok(()),
        }
    }

    fn disarm(&mut self) -> Result<(), Fault> {
        let device = self.device.as_mut().ok_or(Fault::Absent)?;
        device.disarm()?;
        self.armed = false;
        Ok(())
    }

    fn announce(&mut self, announcement: Announcement) {
        // Init's queue may be full; then the next announcement tells it.
        let _ = match announcement {
            Announcement::Ready => {
                let told = self.init.ready();
                self.ready_owed = told == Err(Fault::Busy);
                told
            }
            Announcement::Stopping => self.init.stopping(),
            Announcement::Reloading => self.init.reloading(),
            Announcement::Extend(time) => self.init.extend(time),
            Announcement::Status {
                up,
                wanted,
                worst,
                stand_in,
            } => {
                let by = stand_in.map_or_else(String::new, |by| format!("; {}", goes_by(by)));
                let worst = worst.word();
                self.init
                    .status(&format!("{worst}: {up} of {wanted} services up{by}"))
            }
        };
    }
}

/// The device was closed, because it is no longer there.
fn is_gone(fault: &Fault) -> bool {
    let gone = [libc::ENODEV, libc::ENXIO, libc::EBADF];
    matches!(fault, Fault::Errno(e) if gone.contains(&e.0)) || *fault == Fault::Absent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::systemd::Environment;
    use std::ffi::OsString;
    use std::os::unix::net::UnixDatagram;

    /// Init is told of our readiness until it takes it: it would end us otherwise.
    #[test]
    fn readiness_is_told_until_it_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let init = UnixDatagram::bind(&path).unwrap();
        init.set_nonblocking(true).unwrap();
        let named = (OsString::from("NOTIFY_SOCKET"), path.into_os_string());
        let environment: Environment = [named].into_iter().collect();
        let mut guards = Guards::new(None, Init::of(&environment).unwrap());
        while guards.init.pet().is_ok() {}
        guards.announce(Announcement::Ready);
        let told = || {
            let mut buffer = [0u8; 64];
            let messages = std::iter::from_fn(|| init.recv(&mut buffer).ok().map(|n| n == 8));
            messages.filter(|is_ready| *is_ready).count()
        };
        assert_eq!(told(), 0);
        guards.pet().unwrap();
        assert_eq!(told(), 1, "READY=1 and a line feed have eight bytes");
        guards.pet().unwrap();
        assert_eq!(told(), 0);
    }
}
