//! How the boot before this one ended: a verdict from what its last daemon wrote down, and from what
//! else it has left.
//!
//! ```text
//! marker ──► what was to come ──┐
//! driver of the watchdog: it bit┼──► the end, and how sure that is
//! firmware, panic, gap, power ──┘
//! ```
//!
//! Never certain where two ends leave the same traces: a power cut, a kernel that hung and a reset
//! button look alike, and the Pi's driver does not tell its own resets. A driver that denies a bite
//! denies only that, and a last sign of life grows old on a card that cannot be written. Where nothing
//! was found, nothing is known.

use super::fact::{Asker, Fault, HaltKind, Thread};
use super::intent::{CutTold, FoundMarker, HaltPhase, Intent};
use super::picture::HaltCause;
use super::traces::{Firmware, Traces};
use crate::units::Permille;
use std::time::Duration;

/// From the last sign of life to the next start it takes no longer than this, if the machine had power
/// all the time: ten minutes to the next sign of life, the watchdog's timeout, and a slow start.
/// Longer: short cuts are not told from hangs. Shorter: a slow start is taken for a cut.
const NO_POWER: Duration = Duration::from_secs(20 * 60);

/// From the last sign of life in a drill to the next start, if the bite led to it. Longer: a boot that
/// could write nothing may lie in between. Shorter: a slow firmware makes it less sure.
const AT_ONCE: Duration = Duration::from_secs(60);

/// A battery that held no more than this at the last sign of life may have run empty since.
const NEARLY_EMPTY: Permille = Permille(200);

/// How a boot ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// No daemon has run here before.
    FirstBoot,
    /// We halted the machine.
    Halted {
        /// How.
        kind: HaltKind,
        /// Why.
        cause: HaltCause,
    },
    /// We turned the machine off, and its board cut the power as it was told.
    PlannedCut {
        /// Why it was turned off.
        cause: HaltCause,
    },
    /// It went down in the middle of a halt of ours: by a reset, or because the power was gone.
    InHalt {
        /// Why it was halted.
        cause: HaltCause,
    },
    /// It was a drill: the watchdog was to bite, and did.
    Drill {
        /// Who asked for it.
        by: Asker,
        /// From the last pet to the last sign of life.
        took: Duration,
        /// The timeout that was in force.
        timeout: Duration,
    },
    /// The daemon was asked to end, as at every shutdown; then the machine went down.
    AskedToEnd,
    /// The power was gone while it ran on its battery.
    CutOnBattery,
    /// The battery ran empty.
    BatteryEmpty,
    /// The supply was too weak, and broke down.
    BrownOut,
    /// Mains were cut.
    MainsCut,
    /// It went down without any warning: a power cut, or a hang that nobody can prove.
    CutOrHang,
    /// The watchdog reset it because one of our threads was stuck.
    Withheld {
        /// The thread.
        thread: Thread,
    },
    /// It was reset, and nothing of ours was known to be stuck: the whole machine hung, or the daemon
    /// did before it could tell.
    Hang,
    /// Its kernel panicked.
    Panic,
    /// Nothing is known.
    Unknown,
}

/// How sure a verdict is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Confidence {
    /// Other ends would have left the same traces.
    Possible,
    /// Other ends could have left the same traces, but they are rare.
    Likely,
    /// Nothing else leaves these traces.
    Certain,
}

/// The verdict on the boot before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastBoot {
    /// How it ended.
    pub end: End,
    /// How sure that is.
    pub confidence: Confidence,
}

/// The verdict on what was found. `None`: this boot goes on, the daemon was only started again.
/// `guarded`: somebody is to pet a hardware watchdog on this machine.
pub(super) fn judge(found: &Result<FoundMarker, Fault>, guarded: bool) -> Option<LastBoot> {
    use Confidence::{Likely, Possible};
    let (end, confidence) = match found {
        Ok(left) if left.same_boot => return None,
        Err(Fault::Absent) => (End::FirstBoot, Likely),
        Err(_) => (End::Unknown, Possible),
        // What is left there is of some boot, and nobody knows of which.
        Ok(left) if !left.lasts => (End::Unknown, Possible),
        Ok(left) => of(left, guarded),
    };
    Some(LastBoot { end, confidence })
}

/// The same of a marker that the boot before has left.
fn of(left: &FoundMarker, guarded: bool) -> (End, Confidence) {
    use Confidence::{Likely, Possible};
    let (marker, traces) = (&left.marker, &left.traces);
    if let Some(verdict) = drill(left) {
        return verdict;
    }
    match marker.intent {
        Intent::Halt { kind, cause, phase } => match phase {
            HaltPhase::Committed => committed(left, kind, cause),
            HaltPhase::Begun => (End::InHalt { cause }, Likely),
        },
        Intent::Exit => {
            let odd = left.reset == Some(true) || traces.panic;
            (End::AskedToEnd, if odd { Possible } else { Likely })
        }
        // A thread that goes on is written down only after a while.
        Intent::Withhold { thread } if may_have_bitten(left) => (End::Withheld { thread }, Likely),
        Intent::Withhold { .. } => {
            let (end, _) = sudden(left, guarded);
            (end, Possible)
        }
        Intent::Run => sudden(left, guarded),
        // Nobody wrote signs of life after that, so how long ago it was says nothing.
        Intent::Leave => {
            let mut left = *left;
            left.traces.gap = None;
            (sudden(&left, guarded).0, Possible)
        }
    }
}

/// How a halt ended that was past taking back.
fn committed(left: &FoundMarker, kind: HaltKind, cause: HaltCause) -> (End, Confidence) {
    let traces = &left.traces;
    let in_halt = End::InHalt { cause };
    // A drill never asks init: what came in between was no halt.
    let drill = matches!(cause, HaltCause::Drill { .. });
    if left.reset == Some(true) || traces.panic || drill {
        let told = left.reset == Some(true) || left.marker.dated;
        let sure = drill || told && !had_no_power(traces);
        let confidence = match sure {
            true => Confidence::Likely,
            false => Confidence::Possible,
        };
        return (in_halt, confidence);
    }
    // What was to be turned off kept its power: it was reset on the way, or init was told to restart it
    // instead, as our hook does when mains are back.
    if kind == HaltKind::PowerOff && traces.firmware == Some(Firmware::Reset) {
        return (in_halt, Confidence::Possible);
    }
    halted(left, kind, cause)
}

/// A halt that was past taking back was carried out.
fn halted(left: &FoundMarker, kind: HaltKind, cause: HaltCause) -> (End, Confidence) {
    use Confidence::{Likely, Possible};
    let no_power = had_no_power(&left.traces);
    match (kind, left.marker.cut) {
        // The card says `Maybe` of an order that was taken, too: that it was is kept in memory alone.
        (HaltKind::PowerOff, CutTold::Maybe | CutTold::Taken { .. }) => {
            (End::PlannedCut { cause }, Likely)
        }
        (HaltKind::PowerOff, CutTold::No) => (End::Halted { kind, cause }, Likely),
        // What was to be restarted has lost its power on the way, or behind it.
        (HaltKind::Reboot, _) => (
            End::Halted { kind, cause },
            if no_power { Possible } else { Likely },
        ),
    }
}

/// A drill has come to its bite, if it was one.
fn drill(left: &FoundMarker) -> Option<(End, Confidence)> {
    let Intent::Halt {
        cause: HaltCause::Drill { by },
        phase: HaltPhase::Committed,
        ..
    } = left.marker.intent
    else {
        return None;
    };
    let let_go = left.marker.let_go.filter(|_| may_have_bitten(left))?;
    let (timeout, since) = (let_go.timeout, let_go.since);
    let took = left.traces.alive.unwrap_or_default().since(since);
    let end = End::Drill { by, took, timeout };
    // No other boot fits in between, and the driver says that it was the watchdog.
    let at_once = left.traces.gap.is_some_and(|gap| gap <= AT_ONCE);
    let sure = at_once && left.reset == Some(true);
    let confidence = match sure {
        true => Confidence::Certain,
        false => Confidence::Likely,
    };
    Some((end, confidence))
}

/// The watchdog may have reset it, by all that is known.
fn may_have_bitten(left: &FoundMarker) -> bool {
    let denied = left.reset == Some(false) || had_no_power(&left.traces);
    !denied && !left.traces.panic
}

/// The firmware saw the power come back.
fn had_no_power(traces: &Traces) -> bool {
    matches!(traces.firmware, Some(Firmware::PowerOn | Firmware::Weak))
}

/// The machine was reset, and nobody meant that: it counts like a restart on purpose.
pub(super) fn was_reset(left: &FoundMarker) -> bool {
    if left.same_boot || !left.lasts {
        return false;
    }
    match of(left, true).0 {
        End::Withheld { .. } | End::Hang | End::Panic => true,
        End::FirstBoot
        | End::Halted { .. }
        | End::PlannedCut { .. }
        | End::InHalt { .. }
        | End::Drill { .. }
        | End::AskedToEnd
        | End::CutOnBattery
        | End::BatteryEmpty
        | End::BrownOut
        | End::MainsCut
        | End::CutOrHang
        | End::Unknown => false,
    }
}

/// The end of a boot that was to go on.
fn sudden(left: &FoundMarker, guarded: bool) -> (End, Confidence) {
    use Confidence::{Likely, Possible};
    let (traces, sample) = (&left.traces, &left.marker.sample);
    let stayed_on = left.reset == Some(true) || traces.firmware == Some(Firmware::Reset);
    if traces.panic {
        // The record of a panic is told from older ones by clocks.
        let odd = had_no_power(traces) && !stayed_on || !left.marker.dated;
        return (End::Panic, if odd { Possible } else { Likely });
    }
    if stayed_on {
        // The driver alone tells a bite from a reset button and a restart out of hand.
        let sure = left.reset == Some(true) && !had_no_power(traces);
        return (End::Hang, if sure { Likely } else { Possible });
    }
    // A machine that hangs does not wait for long, where a watchdog guards it.
    let long = guarded && traces.gap.is_some_and(|gap| gap >= NO_POWER);
    if left.marker.mains == Some(false) && left.marker.intent == Intent::Run {
        let empty = sample.low || sample.level.is_some_and(|level| level <= NEARLY_EMPTY);
        // A battery that ran empty is not full again at once.
        let short = traces.gap.is_some_and(|gap| gap < NO_POWER);
        let end = match empty && !short {
            true => End::BatteryEmpty,
            false => End::CutOnBattery,
        };
        let sure = had_no_power(traces) || long;
        return (end, if sure { Likely } else { Possible });
    }
    let weak = sample.weak == Some(true);
    if weak || traces.firmware == Some(Firmware::Weak) {
        // A supply that is unplugged is too weak on its way out.
        let sure = weak && had_no_power(traces);
        return (End::BrownOut, if sure { Likely } else { Possible });
    }
    // Its driver would tell of a bite; of a reset button, or a restart out of hand, it would not.
    let unbitten = guarded && left.reset == Some(false);
    let sure = traces.firmware == Some(Firmware::PowerOn) || long && unbitten;
    match sure || long || unbitten {
        true => (End::MainsCut, if sure { Likely } else { Possible }),
        false => (End::CutOrHang, Possible),
    }
}

#[cfg(test)]
mod tests;
