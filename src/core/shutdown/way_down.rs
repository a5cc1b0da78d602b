//! What a power-off for want of mains comes to, before there is one: its rungs, and the longest that
//! each may take.
//!
//! Never acts.

use super::ladder::{can_be_taken_back, limit_with};
use crate::core::picture::{HaltCause, Rung};
use crate::core::settings::Settings;
use std::time::Duration;

/// A rung of a power-off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WayDownStep {
    /// Which.
    pub rung: Rung,
    /// The longest that it may take.
    pub at_most: Duration,
    /// The halt can be taken back while it lasts.
    pub can_be_taken_back: bool,
}

/// The rungs in their order, up to the one in which init is asked. `lasts`: what the battery gives, at
/// least; `None` where nobody knows.
pub(super) fn way_down(
    cause: HaltCause,
    settings: &Settings,
    lasts: Option<Duration>,
) -> Vec<WayDownStep> {
    let cuts = settings.board.cut_ahead.map(|_| Rung::Cutting);
    [
        Rung::Stopping,
        Rung::Killing,
        Rung::Recording,
        Rung::Syncing,
    ]
    .into_iter()
    .chain(cuts)
    .chain([Rung::Asked])
    .map(|rung| WayDownStep {
        rung,
        at_most: limit_with(rung, cause, settings, lasts),
        can_be_taken_back: can_be_taken_back(rung, settings),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::settings::CutAhead;

    fn seconds(cause: HaltCause, settings: &Settings, lasts: Option<u64>) -> Vec<(Rung, u64)> {
        let lasts = lasts.map(Duration::from_secs);
        let steps = way_down(cause, settings, lasts);
        let steps = steps.iter().map(|s| (s.rung, s.at_most.as_secs()));
        steps.collect()
    }

    /// A battery that gives little shortens what services get, and what init gets; never below their
    /// least.
    #[test]
    fn it_fits_into_what_the_battery_gives() {
        let mut settings = Settings::nothing();
        settings.stop_budget = Duration::from_secs(80);
        for (lasts, stop, init) in [
            (None, 80, 30),
            (Some(600), 80, 100),
            (Some(100), 70, 70),
            (Some(50), 20, 30),
            (Some(20), 5, 30),
            (Some(0), 5, 30),
        ] {
            let is = seconds(HaltCause::LowBattery, &settings, lasts);
            let wanted = [
                (Rung::Stopping, stop),
                (Rung::Killing, 5),
                (Rung::Recording, 3),
                (Rung::Syncing, 10),
                (Rung::Asked, init),
            ];
            assert_eq!(is, wanted, "{lasts:?}");
        }
    }

    /// The point of no return: the signal to init, or before it a board that cannot forget the cut.
    #[test]
    fn where_it_can_be_taken_back() {
        let mut settings = Settings::nothing();
        let last = |settings: &Settings| {
            let steps = way_down(HaltCause::RideThrough, settings, None);
            let last = steps.iter().rfind(|s| s.can_be_taken_back);
            last.map(|s| s.rung)
        };
        assert_eq!(last(&settings), Some(Rung::Syncing));
        for (can_be_cancelled, rung) in [(true, Rung::Cutting), (false, Rung::Syncing)] {
            settings.board.cut_ahead = Some(CutAhead {
                can_be_cancelled,
                delay: Duration::from_secs(60),
            });
            assert_eq!(last(&settings), Some(rung));
        }
    }
}
