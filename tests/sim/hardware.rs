//! The watchdog device, and init's watchdog over the daemon.

use crate::daemon::LifeEvent;
use crate::faults::Kind;
use crate::plan::{LATE_ESSENTIAL, Plan};
use crate::rng::Rng;
use crate::verdict::How;
use crate::world::{EVER, Event, World};
use fieldwarden::core::fact::{Errno, Fact, Fault, OrderId, Reading, Thread, WatchdogSeen};
use std::time::Duration;

/// Latency of threads between order and pet that S6 does not count, in milliseconds.
const LATENCY: u64 = 150;

/// The watchdog device. Its timer runs on without us.
pub struct Device {
    pub exists: bool,
    pub taken_until: u64,
    pub gone_until: u64,
    /// Shortest and longest timeout that it takes.
    range: (u64, u64),
    nowayout: bool,
    /// Timeout, while it runs.
    pub armed: Option<u64>,
    petted: u64,
    armed_at: u64,
    /// Trouble at that time.
    trouble: u64,
    pub fails_next: bool,
    caused_reset: bool,
    /// Its driver says whether it ended the boot before.
    pub tells: bool,
    /// When its timer looks next; `EVER` if it does not.
    looks_at: u64,
}

impl Device {
    pub fn of(plan: &Plan, rng: &mut Rng) -> Device {
        Device {
            exists: !plan.faults.contains(&Kind::DeviceAbsent),
            taken_until: 0,
            gone_until: 0,
            range: match plan.faults.contains(&Kind::DeviceClamps) {
                true => rng.pick(&[(1_000, 14_000), (10_000, 60_000), (4_000, 4_000)]),
                false => (1_000, 600_000),
            },
            nowayout: rng.chance(40),
            armed: None,
            petted: 0,
            armed_at: 0,
            trouble: 0,
            fails_next: false,
            caused_reset: false,
            tells: rng.chance(50),
            looks_at: EVER,
        }
    }

    pub fn reset(&mut self, by_itself: bool) {
        self.armed = None;
        self.caused_reset = by_itself && self.tells;
        self.taken_until = 0;
        self.gone_until = 0;
        self.fails_next = false;
    }

    pub fn heal(&mut self, now: u64) {
        self.taken_until = now;
        self.gone_until = now;
        self.fails_next = false;
    }

    /// The time since the last pet was longer than healthy threads can need.
    fn overdue(&self, now: u64, trouble: u64) -> Option<String> {
        let timeout = self.armed?;
        gap(now - self.petted, trouble - self.trouble, timeout)
    }
}

/// S6: a gap between two pets of more than 0.6 of the timeout, not counting the time in which the
/// daemon could not pet.
fn gap(gap: u64, trouble: u64, timeout: u64) -> Option<String> {
    let healthy = gap.saturating_sub(trouble + LATENCY);
    (healthy * 10 > timeout * 6).then(|| {
        format!("S6: {gap} ms between pets ({trouble} ms of it in trouble), timeout {timeout} ms")
    })
}

impl World {
    /// Somebody looks after a daemon that stands still.
    pub fn guarded(&self) -> bool {
        self.device.armed.is_some() || self.plan.init_watchdog.is_some()
    }

    pub fn take_device(&mut self) {
        if !self.device.exists {
            return;
        }
        self.tally.fault(Kind::DeviceTaken);
        self.device.taken_until = self.now + self.rng.range(1_000, 60_000);
    }

    pub fn arm(&mut self, order: OrderId, timeout: Duration) {
        let wanted = u64::try_from(timeout.as_millis()).unwrap_or(0);
        let device = &mut self.device;
        if !device.exists {
            self.tally.fault(Kind::DeviceAbsent);
        }
        if !device.exists || device.gone_until > self.now {
            return self.done(Thread::Watchdog, order, Err(Fault::Absent));
        }
        if device.taken_until > self.now {
            let by = Some("watchdogd (pid 77)".into());
            return self.done(Thread::Watchdog, order, Err(Fault::Taken { by }));
        }
        let timeout = wanted.clamp(device.range.0, device.range.1);
        if timeout != wanted {
            self.tally.fault(Kind::DeviceClamps);
        }
        device.armed = Some(timeout);
        (device.petted, device.armed_at) = (self.now, self.now);
        device.trouble = self.trouble.upto(self.now);
        let seen = WatchdogSeen {
            identity: "simulated timer".into(),
            timeout: Duration::from_millis(timeout),
            nowayout: device.nowayout,
            caused_reset: device.caused_reset,
        };
        if let Some(life) = &mut self.life {
            life.armed = true;
        }
        self.look_later();
        self.send(Thread::Watchdog, Fact::Seen(Reading::Watchdog(seen)));
        self.done(Thread::Watchdog, order, Ok(()));
    }

    /// The pet has passed the other threads and reaches the guards.
    pub fn pet(&mut self, order: OrderId) {
        let (now, trouble) = (self.now, self.trouble.upto(self.now));
        let Some(life) = &mut self.life else { return };
        if let Some(timeout) = self.plan.init_watchdog {
            let late = gap(now - life.init_heard, trouble - life.init_trouble, timeout);
            (life.init_heard, life.init_trouble) = (now, trouble);
            if let Some(why) = late {
                self.failure.get_or_insert(format!("{why} (init)"));
            }
        }
        if !life.armed {
            return self.done(Thread::Watchdog, order, Ok(()));
        }
        let broken = if self.device.gone_until > now || self.device.armed.is_none() {
            Some(Errno(19))
        } else if std::mem::take(&mut self.device.fails_next) {
            self.tally.fault(Kind::DeviceFails);
            Some(Errno(5))
        } else {
            None
        };
        if let Some(errno) = broken {
            life.armed = false;
            return self.done(Thread::Watchdog, order, Err(Fault::Errno(errno)));
        }
        if let Some(why) = self.device.overdue(now, trouble) {
            self.fail(why);
        }
        (self.device.petted, self.device.trouble) = (now, trouble);
        self.done(Thread::Watchdog, order, Ok(()));
    }

    pub fn disarm(&mut self, order: OrderId) {
        let outcome = match self.device.nowayout {
            true => Err(Fault::Errno(Errno(16))),
            false => Ok(()),
        };
        if outcome.is_ok() {
            self.device.armed = None;
        }
        self.done(Thread::Watchdog, order, outcome);
    }

    fn look_later(&mut self) {
        let Some(timeout) = self.device.armed else {
            return;
        };
        let at = self.device.petted + timeout;
        // A shorter timeout than before does not wait for the look that was planned.
        if at < self.device.looks_at {
            self.device.looks_at = at;
            self.at(at, Event::Bite);
        }
    }

    /// The timer of the device: the machine is reset if it was not petted in time.
    pub fn device_looks(&mut self) {
        if self.device.looks_at > self.now {
            return;
        }
        self.device.looks_at = EVER;
        let Some(timeout) = self.device.armed else {
            return;
        };
        if self.device.petted + timeout > self.now {
            return self.look_later();
        }
        if let Some(why) = self.device.overdue(self.now, self.trouble.upto(self.now)) {
            return self.fail(format!("reset of a machine that is well; {why}"));
        }
        self.tally.bites += 1;
        self.board_sees_a_reset();
        self.reboot(How::Bitten);
    }

    /// Init ends a daemon that it has not heard from.
    pub fn init_looks(&mut self, no: u32) {
        let (Some(life), Some(timeout)) = (&self.life, self.plan.init_watchdog) else {
            return;
        };
        if life.no != no {
            return;
        }
        if life.init_heard + timeout > self.now {
            return self.at(life.init_heard + timeout, Event::InitLooks(no));
        }
        let trouble = self.trouble.upto(self.now) - life.init_trouble;
        if let Some(why) = gap(self.now - life.init_heard, trouble, timeout) {
            return self.fail(format!("init ended a daemon that is well; {why}"));
        }
        self.tally.init_kills += 1;
        self.kill_daemon();
    }

    /// L2: what was stuck all the time since must have led to a reset.
    pub fn must_have_reset(&mut self, no: u32) {
        let now = self.now;
        let Some(life) = self.life.as_ref().filter(|l| l.no == no) else {
            return;
        };
        if !life.cannot_pet(now) || self.device.gone_until > now {
            return;
        }
        let Some(timeout) = self.device.armed else {
            return;
        };
        // A device that was armed meanwhile has its whole time; and a pet that was on its way when the
        // daemon was suspended arrives when it goes on.
        let gone_on = if life.still { 0 } else { life.frozen_since };
        let due = (self.device.armed_at + timeout + 1_000).max(gone_on + reset_limit(timeout));
        if due > now {
            self.at(due, Event::MustReset(no));
        } else {
            self.fail("L2: an essential thread is stuck and the machine was not reset");
        }
    }

    /// For a thread that is stuck for ever: this is how long it may take.
    pub fn reset_due(&mut self, no: u32) {
        if let Some(timeout) = self.device.armed {
            self.after(reset_limit(timeout), Event::MustReset(no));
        }
    }

    /// Later.
    pub fn life_at(&mut self, at: u64, event: LifeEvent) {
        if let Some(no) = self.life.as_ref().map(|l| l.no) {
            self.at(at, Event::Life(no, event));
        }
    }
}

/// How long it may take from the time when a thread is stuck for ever to the reset, in milliseconds.
fn reset_limit(timeout: u64) -> u64 {
    LATE_ESSENTIAL + timeout + 1_000
}
