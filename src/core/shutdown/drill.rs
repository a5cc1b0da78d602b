//! The drill of the watchdog: it really bites, once, because somebody asked for it.
//!
//! ```text
//! asked ──► Counting ──written──► Stopping ► Recording ► Syncing ► WatchdogReset ──► it bites
//!   │           │                     └──on battery, a hold──┐          │ it does not
//!   └──unsafe───┴──► refused                                 └► cancel ◄┘ and that is told
//! ```
//!
//! Services end in order and file systems are synced first, so nothing is lost but the time. The next
//! boot finds what was written down ahead, and how long it took: see `core/past.rs`.
//!
//! Never where a restart on purpose would not be made, never beside a thread that is late, and never
//! without its word in the marker. Where the device does not bite in twice its time, the machine stays
//! on, and is known to be unguarded.

use super::escalation::Wanted;
use super::halt::Halt;
use super::ladder::Came;
use super::{Shutdown, State};
use crate::core::Pass;
use crate::core::action::Answer;
use crate::core::fact::{Asker, HaltKind};
use crate::core::intent::LetGo;
use crate::core::note::{DrillRefused, HaltNote, MachineKept};
use crate::core::picture::{HaltCause, Rung};
use std::time::Duration;

/// Beyond twice its timeout, the device has this much time to bite. Longer: services are down for
/// nothing. Shorter: a driver that rounds is taken for one that does not bite.
const SPARE: Duration = Duration::from_secs(5);

/// Init must not be heard to complain before the device has bitten, by this much.
const BEFORE_INIT: Duration = Duration::from_secs(5);

/// Time for a bite where nobody knows the timeout any more.
const BLIND: Duration = Duration::from_secs(60);

impl Shutdown {
    /// An operator asks for it.
    pub(super) fn ask_drill(&mut self, by: Asker, pass: &mut Pass) -> Answer {
        match self.state {
            State::Running if self.counts() => return Answer::Already,
            State::Running => {}
            State::Halting(halt) if halt.is_drill() => return Answer::Already,
            State::Halting(_) | State::Stopping { .. } | State::Parting { .. } | State::Over => {
                return Answer::Ending;
            }
        }
        if let Some(why) = self.refuses(pass) {
            pass.tell(HaltNote::DrillRefused { why });
            return Answer::NoDrill(why);
        }
        self.count(Wanted::Drill(by), pass);
        Answer::Accepted
    }

    /// Why there is no drill now.
    fn refuses(&self, pass: &Pass) -> Option<DrillRefused> {
        let why = self.keeps_from_drill(pass).map(DrillRefused::Kept);
        why.or_else(|| unsafe_now(pass))
    }

    /// It is written down that there will be one.
    pub(super) fn begin_drill(&mut self, by: Asker, pass: &mut Pass) {
        if let Some(why) = unsafe_now(pass) {
            return pass.tell(HaltNote::DrillRefused { why });
        }
        let cause = HaltCause::Drill { by };
        pass.picture.ask_halt(cause);
        self.enter(Rung::Stopping, Halt::new(HaltKind::Reboot, cause), pass);
    }

    /// What a rung has come to in a drill; whether that was all there is to it.
    pub(super) fn go_on_drilling(&mut self, halt: Halt, came: &Came, pass: &mut Pass) -> bool {
        match halt.rung {
            Rung::Recording if *came != Came::Done || pass.picture.record_failed => {
                let why = DrillRefused::Kept(MachineKept::NotWritten);
                self.cancel(&halt, HaltNote::DrillRefused { why }, pass);
            }
            Rung::Syncing => {
                if let Some(why) = unsafe_now(pass) {
                    self.cancel(&halt, HaltNote::DrillRefused { why }, pass);
                } else {
                    pass.picture.let_go = Some(LetGo {
                        since: pass.picture.last_pet.unwrap_or(pass.now),
                        timeout: pass.picture.guard.unwrap_or_default(),
                    });
                    self.enter(Rung::WatchdogReset, halt, pass);
                }
            }
            Rung::WatchdogReset => {
                let since = pass.picture.let_go.map_or(pass.now, |gone| gone.since);
                let waited = pass.now.since(since);
                self.cancel(&halt, HaltNote::DrillFailed { waited }, pass);
            }
            Rung::Looking
            | Rung::Stopping
            | Rung::Killing
            | Rung::Recording
            | Rung::Cutting
            | Rung::Asked
            | Rung::Rescuing
            | Rung::Forced => return false,
        }
        true
    }
}

/// Nothing would bite, or the daemon would be ended before.
fn unsafe_now(pass: &Pass) -> Option<DrillRefused> {
    let Some(timeout) = pass.picture.guard else {
        return Some(DrillRefused::Unguarded);
    };
    if let Some(window) = pass
        .picture
        .init_window
        .filter(|w| *w < timeout + BEFORE_INIT)
    {
        return Some(DrillRefused::InitFirst { window });
    }
    let late = pass.picture.stuck.or(pass.picture.late);
    late.map(|thread| DrillRefused::Late { thread })
}

/// How long the device has to bite.
pub(super) fn bites_within(pass: &Pass) -> Duration {
    let timeout = pass.picture.guard;
    timeout.map_or(BLIND, |timeout| timeout.saturating_mul(2) + SPARE)
}

impl Halt {
    /// It is a drill of the watchdog.
    pub(super) fn is_drill(&self) -> bool {
        matches!(self.cause, HaltCause::Drill { .. })
    }
}
