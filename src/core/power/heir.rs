//! An outage that outlives the daemon: what is left to a successor in the same boot, and what that
//! takes up.
//!
//! Time of the boot alone is compared: wall time may be set meanwhile. What is left by another boot, or
//! says that mains were there, or is of the future, is not taken up; then the outage begins when it is
//! seen, as any other.

use super::look::Look;
use super::supply::Supply;
use super::{Power, plan};
use crate::core::Pass;
use crate::core::intent::{FoundMarker, Outage};
use crate::core::note::Note;
use crate::core::settings::Settings;
use crate::units::{Mono, Permille};
use std::time::Duration;

/// A gauge that said nothing of the level for so long when the outage began was silent before it: twice
/// the time between two looks on mains.
const QUIET: Duration = Duration::from_secs(10);

/// The outage in a marker that goes on for who finds it now.
fn of(left: &FoundMarker, now: Mono) -> Option<Outage> {
    let outage = left.marker.outage?;
    let ours = left.same_boot && left.marker.mains == Some(false);
    (ours && outage.since <= now).then_some(outage)
}

impl Power {
    /// Goes on with the outage of an earlier daemon of this boot.
    pub(super) fn inherit(&mut self, left: &FoundMarker, pass: &mut Pass) {
        let Some(outage) = of(left, pass.now).filter(|_| self.supply.is_none()) else {
            return;
        };
        let since = outage.since;
        self.supply = Some(Supply::OnBattery {
            since,
            returning: None,
        });
        self.look = Look::inherited(pass.now);
        self.confirmed = outage.confirmed;
        self.charge_then = outage.charge.map(|c| c.0);
        self.gauge.expect(plan::inherited(outage.dark, pass.now));
        // What is stopped stays so, and nothing more is until somebody has looked.
        self.shed = outage.shed;
        let lasted = pass.now.since(since);
        pass.out.note(Note::OutageTakenUp { lasted });
    }

    /// What a successor has to know.
    pub(super) fn outage(&self, now: Mono, settings: &Settings) -> Option<Outage> {
        let since = self.supply?.outage()?;
        let missed = plan::unseen(since, &self.gauge, settings).is_some();
        let dark = plan::dark(since, &self.gauge);
        // With one daemon after the other the time of a silence would have no end. Only where it does
        // not move with every reading: what is left is written to the card.
        let quiet = |at: Mono| at.after(QUIET) <= since;
        let known = dark <= now || self.gauge.level_at().is_none_or(quiet);
        Some(Outage {
            since,
            confirmed: self.confirmed,
            shed: self.shed,
            charge: self.charge_then.map(Permille),
            dark: (missed && known).then_some(dark),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::intent::{CutTold, Intent, Marker};
    use crate::core::picture::Shed;

    /// Only what this boot left, and only an outage that has begun.
    #[test]
    fn what_is_taken_up() {
        let found = |same_boot, mains, since: Option<u64>| FoundMarker {
            lasts: true,
            marker: Marker {
                reboots: crate::core::reboots::Reboots::default(),
                intent: Intent::Run,
                mains,
                attempts: 0,
                in_vain: 0,
                sunk: 0,
                cut: CutTold::No,
                outage: since.map(|since| Outage {
                    since: Mono(since),
                    confirmed: true,
                    shed: Shed::Nothing,
                    charge: None,
                    dark: None,
                }),
                before: None,
                ..Marker::default()
            },
            same_boot,
            reset: None,
            ..FoundMarker::default()
        };
        let now = Mono(50_000);
        for (left, taken) in [
            (found(true, Some(false), Some(20_000)), true),
            (found(true, Some(false), Some(50_000)), true),
            (found(true, Some(false), Some(50_001)), false),
            (found(false, Some(false), Some(20_000)), false),
            (found(true, Some(true), Some(20_000)), false),
            (found(true, None, Some(20_000)), false),
            (found(true, Some(false), None), false),
        ] {
            assert_eq!(of(&left, now).is_some(), taken, "{left:?}");
        }
    }
}
