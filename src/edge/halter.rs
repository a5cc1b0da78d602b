//! Ends the machine: asks init, or does without it.
//!
//! Never without an order, and never without a [`HaltRight`]; a simulated machine is ended by
//! [`SimHalter`], which can reach nothing. No process is started for any of it: when a machine has to
//! be halted there may be no memory, no card and no time for one.

use super::clock;
use super::hardware::HaltRight;
use super::hold_file::HoldFile;
use super::inbox::Inbox;
use super::marker_file::MarkerFiles;
use super::orders::Work;
use super::power_cut::{PowerCut, Pulled};
use crate::core::fact::{Asker, Errno, Fact, Fault, HaltKind, Hold, OrderId, Request};
use crate::core::intent::Marker;
use crate::core::settings::Settings;
use crate::edge::signals;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where systemd shows that it is init (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";

/// systemd's signals, counted from `SIGRTMIN` (`systemd(1)`, SIGNALS): they start `poweroff.target`
/// and `reboot.target`.
const POWEROFF_TARGET: i32 = 4;
/// See [`POWEROFF_TARGET`].
const REBOOT_TARGET: i32 = 5;

/// Time for the kernel to make all file systems read-only. It does so on a thread of its own, so this
/// cannot be waited for in any other way; one that takes longer has its journal.
const READ_ONLY: Duration = Duration::from_secs(2);

/// Time between two looks at the mounts.
const LOOK: Duration = Duration::from_millis(50);

/// What the halting thread can be told to do.
pub enum HaltOrder {
    /// Write the marker of this boot. It is answered only if it fails: whoever waits for the marker
    /// waits for the one that outlives the boot.
    Keep {
        /// To be quoted in the outcome.
        order: OrderId,
        /// What to write.
        marker: Marker,
    },
    /// Keep a hold for a successor of this boot. It is answered only if it fails.
    KeepHold {
        /// To be quoted in the outcome.
        order: OrderId,
        /// What to keep; `None`: there is none any more.
        hold: Option<Hold>,
    },
    /// Ask init to halt.
    Ask {
        /// To be quoted in the outcome.
        order: OrderId,
        /// How it is to end.
        kind: HaltKind,
    },
    /// Halt without init.
    Force {
        /// To be quoted in the outcome.
        order: OrderId,
        /// How it is to end.
        kind: HaltKind,
    },
}

/// What is kept for a successor of this boot.
pub struct Kept {
    /// What is to come.
    pub marker: MarkerFiles,
    /// The hold that is in force.
    pub hold: HoldFile,
    /// Names of services.
    pub settings: Arc<Settings>,
}

/// Something that can end a machine.
pub trait Halter: Send {
    /// Asks init. Returns as soon as init has been told.
    ///
    /// # Errors
    /// [`Fault::Absent`] where init is none that can be asked; what the kernel said.
    fn ask(&mut self, kind: HaltKind) -> Result<(), Fault>;

    /// Makes the file systems read-only as far as that can be done, and halts. On success this does
    /// not return.
    ///
    /// # Errors
    /// What the kernel said.
    fn force(&mut self, kind: HaltKind) -> Result<(), Fault>;
}

/// This machine.
pub struct ThisMachine {
    right: HaltRight,
    cut: Option<PowerCut>,
}

impl ThisMachine {
    /// The permission is used up. `cut`: the board cuts the power when a line is held.
    pub fn new(right: HaltRight, cut: Option<PowerCut>) -> ThisMachine {
        ThisMachine { right, cut }
    }
}

impl Halter for ThisMachine {
    fn ask(&mut self, kind: HaltKind) -> Result<(), Fault> {
        if !Path::new(SYSTEMD).is_dir() {
            return Err(Fault::Absent);
        }
        let above = match kind {
            HaltKind::PowerOff => POWEROFF_TARGET,
            HaltKind::Reboot => REBOOT_TARGET,
        };
        tell_init(&self.right, libc::SIGRTMIN() + above)
    }

    fn force(&mut self, kind: HaltKind) -> Result<(), Fault> {
        make_read_only(&self.right);
        // Without init there is no hook either: a board that is not told now keeps the power on, and
        // such a machine does not start when mains return.
        match (kind, &mut self.cut) {
            (HaltKind::PowerOff, Some(cut)) => match cut.pull() {
                Pulled::Cut { .. } | Pulled::Written => {}
                missed @ (Pulled::NotHeld { .. }
                | Pulled::NotWritten { .. }
                | Pulled::AliveStays { .. }) => {
                    log::warn!("{missed}");
                }
            },
            (HaltKind::PowerOff | HaltKind::Reboot, _) => {}
        }
        halt_now(&self.right, kind)
    }
}

/// Sends a signal to init.
fn tell_init(_: &HaltRight, signal: i32) -> Result<(), Fault> {
    // SAFETY: no memory is involved; the number is one of the real-time signals.
    if unsafe { libc::kill(1, signal) } == 0 {
        return Ok(());
    }
    Err(last_fault())
}

/// The kernel's emergency remount (`Documentation/admin-guide/sysrq.rst`, `u`). A kernel that was
/// built or set not to offer it leaves the file systems to their journals.
fn make_read_only(_: &HaltRight) {
    let trigger = OpenOptions::new().write(true).open("/proc/sysrq-trigger");
    if trigger.is_ok_and(|mut trigger| trigger.write_all(b"u").is_ok()) {
        let until = clock::now().after(READ_ONLY);
        while clock::now() < until && any_is_writable() {
            std::thread::sleep(LOOK);
        }
    }
}

/// Some file system on a block device can still be written to.
fn any_is_writable() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| {
        let mut words = line.split(' ');
        let (device, options) = (words.next(), words.nth(2));
        device.is_some_and(|d| d.starts_with("/dev/"))
            && options.is_some_and(|o| o.split(',').any(|o| o == "rw"))
    })
}

/// `reboot(2)`: on success this does not return.
///
/// # Errors
/// What the kernel said.
pub fn halt_now(_: &HaltRight, kind: HaltKind) -> Result<(), Fault> {
    use nix::sys::reboot::{RebootMode, reboot};
    let mode = match kind {
        HaltKind::PowerOff => RebootMode::RB_POWER_OFF,
        HaltKind::Reboot => RebootMode::RB_AUTOBOOT,
    };
    match reboot(mode) {
        Ok(never) => match never {},
        Err(errno) => Err(Fault::Errno(Errno(errno as i32))),
    }
}

fn last_fault() -> Fault {
    let error = std::io::Error::last_os_error();
    Fault::Errno(Errno(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// The machine of a simulated board: its init asks the daemon to end, and that is all there is to
/// be ended.
pub struct SimHalter(Inbox);

impl SimHalter {
    /// The daemon behind this inbox is asked to end.
    pub fn new(inbox: Inbox) -> SimHalter {
        SimHalter(inbox)
    }
}

impl Halter for SimHalter {
    fn ask(&mut self, _: HaltKind) -> Result<(), Fault> {
        self.0.send(Fact::Asked {
            ticket: signals::TICKET,
            by: Asker::Signal(15),
            request: Request::Exit,
        });
        Ok(())
    }

    fn force(&mut self, _: HaltKind) -> Result<(), Fault> {
        Err(Fault::Absent)
    }
}

/// Carries out orders until nobody gives any.
pub fn run(mut halter: Box<dyn Halter>, kept: &Kept, work: &Work<HaltOrder>, inbox: &Inbox) {
    while let Some(order) = work.wait() {
        let (order, outcome, tell) = match order {
            HaltOrder::Keep { order, marker } => (order, kept.marker.keep(&marker), false),
            HaltOrder::KeepHold { order, hold } => {
                (order, kept.hold.keep(hold.as_ref(), &kept.settings), false)
            }
            HaltOrder::Ask { order, kind } => (order, halter.ask(kind), true),
            HaltOrder::Force { order, kind } => (order, halter.force(kind), true),
        };
        if tell || outcome.is_err() {
            inbox.send(Fact::Done { order, outcome });
        }
        work.finish(clock::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::inbox::inbox;

    /// A simulated machine is ended by asking its daemon to end, and by nothing else.
    #[test]
    fn a_simulated_machine_ends_with_its_daemon() {
        let (inbox, mut facts) = inbox();
        let mut halter = SimHalter::new(inbox);
        assert_eq!(halter.ask(HaltKind::PowerOff), Ok(()));
        let now = clock::now();
        let heard = facts.wait_until(now, Some(now));
        assert!(matches!(
            heard,
            Some(Fact::Asked {
                request: Request::Exit,
                ..
            })
        ));
        assert_eq!(halter.force(HaltKind::PowerOff), Err(Fault::Absent));
    }
}
