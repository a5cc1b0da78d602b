//! The rungs of a halt: how long each may last, and which one follows.

use super::super::comeback::{Ability, Stage};
use super::super::fact::Fault;
use super::super::picture::{HaltCause, Rung};
use super::super::settings::Settings;
use std::time::Duration;

/// Time to learn whether mains are there, at a boot that may have to finish a halt. Longer: a
/// battery is drained for nothing. Shorter: the sensors have not been read and believed yet.
const LOOKING: Duration = Duration::from_secs(10);

/// Time that killed processes get to vanish. One in uninterruptible sleep does not, and waiting for
/// it would only make init kill us.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// Time for the marker to reach the card. It is one block; what takes longer is a card that stalls.
const RECORDING: Duration = Duration::from_secs(3);

/// Time for a sync. Services are gone, so little is left to be written, unless the card stalls: then
/// waiting for it would use up the battery.
const SYNCING: Duration = Duration::from_secs(10);

/// Time to tell the board to cut the power. A bus that does not answer gives up after a second, several
/// times over; a board that does not hear it keeps the power on, which is better than no halt.
pub(super) const CUTTING: Duration = Duration::from_secs(5);

/// Time in which init must begin to stop us after it was asked, where the battery gives no more.
/// systemd does so within a second, unless it hangs or stops something before us that takes its time.
pub(super) const ASKED: Duration = Duration::from_secs(30);

/// The same where there is time: systemd gives a unit 90 s to stop (`DefaultTimeoutStopSec=`), and one
/// that is ordered after ours is stopped before it. Longer: an init that hangs uses up the battery.
/// Shorter: such a unit is cut off in the middle of what it writes.
pub(super) const ASKED_AT_EASE: Duration = Duration::from_secs(100);

/// What the battery must still give after the services are down: for the rungs up to init, and for
/// init to unmount. Larger: services are cut short without need. Smaller: file systems are cut off.
const RESERVE: Duration = Duration::from_secs(30);

/// Least time that services get to end, however little the battery gives: what they write in it is
/// worth more than five seconds of the reserve.
const LEAST: Duration = Duration::from_secs(5);

/// Time for the last sync.
const RESCUING: Duration = Duration::from_secs(5);

/// Time for the kernel to halt. It includes making all file systems read-only; a board whose line is
/// held meanwhile gets that time as well.
const FORCED: Duration = Duration::from_secs(10);

/// What has to fit in between an init that does not stop us and a board that cuts the power: the last
/// sync, and the kernel's halt, which makes file systems read-only first.
pub(super) const AT_THE_END: Duration = Duration::from_secs(15);

/// Time between two attempts to halt without init, where no watchdog ends it.
const AGAIN: Duration = Duration::from_secs(60);

/// What a rung has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Came {
    /// What it is for is done.
    Done,
    /// It failed.
    Failed(Fault),
    /// Its time is over.
    Late,
}

/// How long a rung may last. The budget of the services is the only one that can be chosen.
pub(super) fn limit(rung: Rung, settings: &Settings) -> Duration {
    match rung {
        Rung::Looking => LOOKING,
        Rung::Stopping => settings.stop_budget,
        Rung::Killing => GRACE,
        Rung::Recording => RECORDING,
        Rung::Syncing => SYNCING,
        Rung::Cutting => CUTTING,
        Rung::Asked => ASKED,
        Rung::Rescuing => RESCUING,
        Rung::Forced => FORCED + settings.board.cut_hold,
        Rung::WatchdogReset => AGAIN,
    }
}

/// The same of a halt for this, with a battery that lasts for so long, at least; `None`: nobody knows.
pub(super) fn limit_with(
    rung: Rung,
    cause: HaltCause,
    settings: &Settings,
    lasts: Option<Duration>,
) -> Duration {
    match rung {
        Rung::Stopping => stop_time(settings.stop_budget, lasts),
        Rung::Asked => match (lasts, cause) {
            (Some(lasts), _) => ASKED_AT_EASE.min(lasts.saturating_sub(RESERVE).max(ASKED)),
            (
                None,
                HaltCause::Asked { .. }
                | HaltCause::Drill { .. }
                | HaltCause::Services
                | HaltCause::Network
                | HaltCause::RideThrough,
            ) => ASKED_AT_EASE,
            // It is empty soon, or may be.
            (None, HaltCause::LowBattery | HaltCause::GaugeSilent | HaltCause::BatterySinks) => {
                ASKED
            }
        },
        Rung::Looking
        | Rung::Killing
        | Rung::Recording
        | Rung::Syncing
        | Rung::Cutting
        | Rung::Rescuing
        | Rung::Forced
        | Rung::WatchdogReset => limit(rung, settings),
    }
}

/// Time for the services to end: the budget, or what the battery gives.
pub(super) fn stop_time(budget: Duration, lasts: Option<Duration>) -> Duration {
    match lasts {
        Some(lasts) => budget.min(lasts.saturating_sub(RESERVE).max(LEAST)),
        None => budget,
    }
}

/// The rung that follows. `None`: this one goes on.
///
/// `cuts`: the board has to be told of a power-off before init is. Nothing of the services is left to
/// be lost then.
pub(super) fn next(rung: Rung, came: &Came, cuts: bool) -> Option<Rung> {
    match (rung, came) {
        (Rung::Looking, _) => Some(Rung::Stopping),
        (Rung::Stopping, Came::Done) => Some(Rung::Recording),
        (Rung::Stopping, Came::Failed(_) | Came::Late) => Some(Rung::Killing),
        (Rung::Killing, _) => Some(Rung::Recording),
        (Rung::Recording, _) => Some(Rung::Syncing),
        (Rung::Syncing, _) if cuts => Some(Rung::Cutting),
        // Whatever the board says to it: a halt is not held up for that.
        (Rung::Syncing | Rung::Cutting, _) => Some(Rung::Asked),
        // Init took the signal; now it is to stop us.
        (Rung::Asked, Came::Done) => None,
        (Rung::Asked, Came::Failed(_) | Came::Late) => Some(Rung::Rescuing),
        (Rung::Rescuing, _) => Some(Rung::Forced),
        // A kernel that is halting does not come back.
        (Rung::Forced, _) => Some(Rung::WatchdogReset),
        (Rung::WatchdogReset, Came::Late) => Some(Rung::Forced),
        (Rung::WatchdogReset, Came::Done | Came::Failed(_)) => None,
    }
}

/// Everything up to here can be taken back.
pub(super) fn can_be_taken_back(rung: Rung, settings: &Settings) -> bool {
    Stage::of(rung).can_be_taken_back(Ability::of(settings.board.cut_ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that has to be held for long does not make the kernel late.
    #[test]
    fn a_board_gets_the_time_that_its_line_is_held() {
        let mut settings = Settings::nothing();
        assert_eq!(limit(Rung::Forced, &settings), FORCED);
        settings.board.cut_hold = Duration::from_secs(4);
        let limits = |rung| limit(rung, &settings);
        assert_eq!(limits(Rung::Forced), Duration::from_secs(14));
        assert_eq!(limits(Rung::Rescuing), RESCUING);
        assert_eq!(AT_THE_END, RESCUING + FORCED);
    }
}
