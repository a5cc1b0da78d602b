//! How the boot before this one ended: a verdict from what its last daemon wrote down and from what
//! the driver of the watchdog says.
//!
//! Never certain where two ends leave the same traces: a power cut, a kernel that hung and a reset
//! button look alike, and the Pi's driver does not tell its own resets.

use super::fact::{Fault, HaltKind, Thread};
use super::intent::{FoundMarker, HaltPhase, Intent};
use super::picture::HaltCause;

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
    /// It went down in the middle of a halt of ours: by a reset, or because the power was gone.
    InHalt {
        /// Why it was halted.
        cause: HaltCause,
    },
    /// The daemon was asked to end, as at every shutdown; then the machine went down.
    AskedToEnd,
    /// The power was gone while it ran on its battery.
    CutOnBattery,
    /// It went down without any warning: a power cut, or a hang that nobody can prove.
    CutOrHang,
    /// The watchdog reset it because one of our threads was stuck.
    Withheld {
        /// The thread.
        thread: Thread,
    },
    /// The watchdog reset it, and nothing of ours was known to be stuck: the whole machine hung.
    Hang,
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
pub(super) fn judge(found: &Result<FoundMarker, Fault>) -> Option<LastBoot> {
    use Confidence::{Certain, Likely, Possible};
    let (end, confidence) = match found {
        Ok(left) if left.same_boot => return None,
        Err(Fault::Absent) => (End::FirstBoot, Likely),
        Err(_) => (End::Unknown, Possible),
        Ok(left) => match (left.marker.intent, left.reset) {
            (Intent::Halt { cause, .. }, Some(true)) => (End::InHalt { cause }, Certain),
            (
                Intent::Halt {
                    cause,
                    phase: HaltPhase::Begun,
                    ..
                },
                _,
            ) => (End::InHalt { cause }, Likely),
            (
                Intent::Halt {
                    kind,
                    cause,
                    phase: HaltPhase::Committed,
                },
                _,
            ) => (End::Halted { kind, cause }, Likely),
            (Intent::Withhold { thread }, Some(true)) => (End::Withheld { thread }, Certain),
            (Intent::Withhold { thread }, None) => (End::Withheld { thread }, Likely),
            (Intent::Withhold { .. }, Some(false)) => (End::CutOrHang, Possible),
            (Intent::Run | Intent::Leave, Some(true)) => (End::Hang, Certain),
            (Intent::Exit, Some(true)) => (End::AskedToEnd, Possible),
            (Intent::Exit, _) => (End::AskedToEnd, Likely),
            (Intent::Run, _) if left.marker.mains == Some(false) => (End::CutOnBattery, Likely),
            (Intent::Run | Intent::Leave, _) => (End::CutOrHang, Possible),
        },
    };
    Some(LastBoot { end, confidence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::intent::{CutTold, Marker};

    fn verdict(intent: Intent, mains: Option<bool>, reset: Option<bool>) -> String {
        let left = FoundMarker {
            lasts: true,
            marker: Marker {
                intent,
                mains,
                attempts: 0,
                in_vain: 0,
                sunk: 0,
                reboots: crate::core::reboots::Reboots::default(),
                outage: None,
                cut: CutTold::No,
                before: None,
            },
            same_boot: false,
            reset,
        };
        let LastBoot { end, confidence } = judge(&Ok(left)).unwrap();
        let end = format!("{end:?}");
        let word = end.split([' ', '{']).next().unwrap_or_default();
        format!("{word} {confidence:?}")
    }

    /// Every intent with everything that a driver can say, on mains and on battery.
    #[test]
    fn every_trace() {
        let halt = |phase| Intent::Halt {
            kind: HaltKind::PowerOff,
            cause: HaltCause::LowBattery,
            phase,
        };
        let thread = Thread::Watchdog;
        for (intent, mains, silent, denies, admits) in [
            (
                Intent::Run,
                Some(true),
                "CutOrHang Possible",
                "CutOrHang Possible",
                "Hang Certain",
            ),
            (
                Intent::Run,
                None,
                "CutOrHang Possible",
                "CutOrHang Possible",
                "Hang Certain",
            ),
            (
                Intent::Run,
                Some(false),
                "CutOnBattery Likely",
                "CutOnBattery Likely",
                "Hang Certain",
            ),
            (
                Intent::Leave,
                None,
                "CutOrHang Possible",
                "CutOrHang Possible",
                "Hang Certain",
            ),
            (
                Intent::Exit,
                None,
                "AskedToEnd Likely",
                "AskedToEnd Likely",
                "AskedToEnd Possible",
            ),
            (
                Intent::Withhold { thread },
                None,
                "Withheld Likely",
                "CutOrHang Possible",
                "Withheld Certain",
            ),
            (
                halt(HaltPhase::Begun),
                Some(false),
                "InHalt Likely",
                "InHalt Likely",
                "InHalt Certain",
            ),
            (
                halt(HaltPhase::Committed),
                Some(false),
                "Halted Likely",
                "Halted Likely",
                "InHalt Certain",
            ),
        ] {
            assert_eq!(verdict(intent, mains, None), silent, "{intent:?}");
            assert_eq!(verdict(intent, mains, Some(false)), denies, "{intent:?}");
            assert_eq!(verdict(intent, mains, Some(true)), admits, "{intent:?}");
        }
    }

    /// Only the driver's own word makes a verdict certain; without a marker nothing does.
    #[test]
    fn what_was_not_found() {
        let judged = |why| judge(&Err(why)).map(|v| (v.end, v.confidence));
        let first = (End::FirstBoot, Confidence::Likely);
        assert_eq!(judged(Fault::Absent), Some(first));
        let unknown = (End::Unknown, Confidence::Possible);
        assert_eq!(judged(Fault::Implausible), Some(unknown));
    }
}
