//! The simulated watchdog: a chip that bites, and a driver that behaves as the kernel's do.

use super::{GONE, SimBoard, World};
use crate::core::fact::Errno;
use crate::edge::watchdog_device::{
    DrivenWatchdog, Support, WDIOF_CARDRESET, WDIOF_KEEPALIVEPING, WDIOF_MAGICCLOSE,
    WDIOF_SETTIMEOUT, WatchdogDriver,
};
use crate::units::Mono;
use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

/// The watchdog of a simulated board, with the very decisions of a real one.
pub type SimWatchdog = DrivenWatchdog<SimDriver>;

/// Tells the time to the simulated watchdog: the daemon's clock, a scaled one, or a test's.
pub type TimeSource = Arc<dyn Fn() -> Mono + Send + Sync>;

/// Timeout of the chip before anybody sets one, in seconds; that of the Pi's.
const DEFAULT_TIMEOUT: u32 = 15;

/// The watchdog reset the simulated machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bite {
    /// When.
    pub at: Mono,
    /// The last sign of life before it: the arming or a pet.
    pub last_pet: Mono,
}

/// What happened to the simulated watchdog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// It runs.
    pub running: bool,
    /// Timeout in force.
    pub timeout: Duration,
    /// Pets since the board was made.
    pub pets: u64,
    /// The last sign of life, of whoever gave it.
    pub last_pet: Option<Mono>,
    /// Bites since the board was made.
    pub bites: u64,
}

/// The chip and the kernel's state around it.
#[derive(Debug)]
pub struct Chip {
    present: bool,
    /// The number of our opening, while we have it open.
    open: Option<u64>,
    openings: u64,
    /// Another process has it open.
    holder: Option<Box<str>>,
    running: bool,
    /// In seconds.
    timeout: u32,
    /// Longest timeout that the driver accepts, in seconds.
    limit: Option<u32>,
    nowayout: bool,
    /// The letter that announces a stop was the last thing written.
    may_stop: bool,
    caused_reset: bool,
    /// The machine is down since this bite.
    down: bool,
    untold: Option<Bite>,
    pets: u64,
    last_pet: Option<Mono>,
    bites: u64,
}

impl Default for Chip {
    fn default() -> Chip {
        Chip {
            present: true,
            open: None,
            openings: 0,
            holder: None,
            running: false,
            timeout: DEFAULT_TIMEOUT,
            limit: None,
            nowayout: false,
            may_stop: false,
            caused_reset: false,
            down: false,
            untold: None,
            pets: 0,
            last_pet: None,
            bites: 0,
        }
    }
}

impl Chip {
    /// Bites if it is time to. Another holder is taken to pet well.
    pub fn pass(&mut self, now: Mono) {
        if self.holder.is_some() {
            self.last_pet = Some(now);
            return;
        }
        let Some(at) = self.deadline().filter(|&at| at <= now) else {
            return;
        };
        let last_pet = self.last_pet.unwrap_or(at);
        self.untold = Some(Bite { at, last_pet });
        self.bites += 1;
        self.running = false;
        self.open = None;
        self.down = true;
    }

    pub fn deadline(&self) -> Option<Mono> {
        let timeout = Duration::from_secs(self.timeout.into());
        let counts = self.running && self.holder.is_none();
        self.last_pet.filter(|_| counts).map(|at| at.after(timeout))
    }

    pub fn take_bite(&mut self) -> Option<Bite> {
        self.untold.take()
    }

    pub fn record(&self) -> Record {
        Record {
            running: self.running,
            timeout: Duration::from_secs(self.timeout.into()),
            pets: self.pets,
            last_pet: self.last_pet,
            bites: self.bites,
        }
    }

    pub fn boot(&mut self) {
        if self.down {
            self.down = false;
            self.caused_reset = true;
            self.timeout = DEFAULT_TIMEOUT;
        }
    }

    pub fn take(&mut self, by: &str) -> bool {
        let free = self.present && self.open.is_none();
        if free {
            self.holder = Some(by.into());
            self.running = true;
        }
        free
    }

    pub fn free(&mut self) {
        if self.holder.take().is_some() {
            self.running = self.nowayout;
        }
    }

    pub fn vanish(&mut self) {
        // Whoever had it open has a dead descriptor from now on.
        self.open = None;
        self.present = false;
        self.running = false;
        self.holder = None;
    }

    pub fn come_back(&mut self) {
        self.present = true;
    }

    pub fn refuse_above(&mut self, limit: Option<Duration>) {
        let seconds = |limit: Duration| u32::try_from(limit.as_secs()).unwrap_or(u32::MAX);
        self.limit = limit.map(seconds);
    }

    pub fn forbid_disarming(&mut self) {
        self.nowayout = true;
    }

    /// Gives the number of the opening.
    fn open(&mut self, now: Mono) -> Result<u64, Errno> {
        if !self.present || self.down {
            return Err(GONE);
        }
        if self.open.is_some() || self.holder.is_some() {
            return Err(Errno(libc::EBUSY));
        }
        self.openings += 1;
        self.open = Some(self.openings);
        self.running = true;
        self.may_stop = false;
        self.last_pet = Some(now);
        Ok(self.openings)
    }

    fn set_timeout(&mut self, seconds: u32, now: Mono) -> Result<(), Errno> {
        if self.limit.is_some_and(|limit| seconds > limit) {
            return Err(Errno(libc::EINVAL));
        }
        self.timeout = seconds;
        self.last_pet = Some(now);
        Ok(())
    }

    fn pet(&mut self, now: Mono) {
        self.pets += 1;
        self.last_pet = Some(now);
    }

    fn close(&mut self, opening: u64) {
        if self.open != Some(opening) {
            return;
        }
        if self.may_stop && !self.nowayout {
            self.running = false;
        }
        self.open = None;
    }

    fn attribute(&self, name: &str) -> Option<Box<str>> {
        if !self.present {
            return None;
        }
        let text: String = match name {
            "nowayout" => u8::from(self.nowayout).to_string(),
            "state" if self.running => "active".into(),
            "state" => "inactive".into(),
            "timeout" => self.timeout.to_string(),
            "max_timeout" => self.limit?.to_string(),
            _ => return None,
        };
        Some(text.into())
    }
}

/// The driver's side of the simulated watchdog.
pub struct SimDriver {
    board: SimBoard,
    time: TimeSource,
    /// The number of our opening, until we close it.
    open: Option<u64>,
}

impl SimDriver {
    pub(super) fn new(board: SimBoard, time: TimeSource) -> SimDriver {
        SimDriver {
            board,
            time,
            open: None,
        }
    }

    /// The world now.
    fn world(&self) -> MutexGuard<'_, World> {
        let now = (self.time)();
        self.board.at(now)
    }

    /// The world now, if our descriptor is still good.
    fn opened(&self) -> Result<MutexGuard<'_, World>, Errno> {
        let opening = self.open.ok_or(Errno(libc::EBADF))?;
        let world = self.world();
        let alive = world.chip.open == Some(opening);
        alive.then_some(world).ok_or(GONE)
    }
}

impl fmt::Debug for SimDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDriver")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl WatchdogDriver for SimDriver {
    fn open(&mut self) -> Result<(), Errno> {
        let mut world = self.world();
        let now = world.now;
        let opening = world.chip.open(now)?;
        drop(world);
        self.open = Some(opening);
        Ok(())
    }

    fn support(&mut self) -> Result<Support, Errno> {
        let _world = self.opened()?;
        Ok(Support {
            identity: "simulated watchdog".into(),
            options: WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE | WDIOF_KEEPALIVEPING,
        })
    }

    fn boot_status(&mut self) -> Result<u32, Errno> {
        let caused = self.opened()?.chip.caused_reset;
        Ok(if caused { WDIOF_CARDRESET } else { 0 })
    }

    fn set_timeout(&mut self, seconds: u32) -> Result<(), Errno> {
        let mut world = self.opened()?;
        let now = world.now;
        world.chip.set_timeout(seconds, now)
    }

    fn timeout(&mut self) -> Result<u32, Errno> {
        Ok(self.opened()?.chip.timeout)
    }

    fn keep_alive(&mut self) -> Result<(), Errno> {
        self.board.gate.pass();
        let mut world = self.opened()?;
        let now = world.now;
        world.chip.pet(now);
        Ok(())
    }

    fn write(&mut self, byte: u8) -> Result<(), Errno> {
        let mut world = self.opened()?;
        let now = world.now;
        world.chip.may_stop = byte == b'V';
        world.chip.pet(now);
        Ok(())
    }

    fn close(&mut self) {
        if let Some(opening) = self.open.take() {
            self.world().chip.close(opening);
        }
    }

    fn attribute(&self, name: &str) -> Option<Box<str>> {
        self.world().chip.attribute(name)
    }

    fn holder(&self) -> Option<Box<str>> {
        self.world().chip.holder.clone()
    }
}

impl Drop for SimDriver {
    /// The file is closed, as when a process ends; without the letter the watchdog runs on.
    fn drop(&mut self) {
        self.close();
    }
}
