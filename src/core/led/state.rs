//! What the picture comes to for somebody who stands before the machine: one state, the worst one.

use crate::core::fact::Fact;
use crate::core::light::LedState;
use crate::core::picture::{Ending, Halting, Picture, Strain, Verdict};
use crate::units::Mono;
use std::time::Duration;

/// For this long at most, services that are not up yet are being started and are not missed. Longer: a
/// service that fails from the first moment is told of late, on this LED alone.
const STARTING: Duration = Duration::from_secs(120);

/// The start of the services.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Start {
    /// The daemon has not begun.
    #[default]
    Ahead,
    /// They are being started.
    Under {
        /// Until when that excuses a service that is not up.
        until: Mono,
    },
    /// All of them have been up, or time is over.
    Over,
}

impl Start {
    /// When its time is over.
    pub fn until(self) -> Option<Mono> {
        match self {
            Start::Under { until } => Some(until),
            Start::Ahead | Start::Over => None,
        }
    }

    /// Begins with the first tick. Tells whether it has begun.
    pub fn begin(&mut self, fact: &Fact, now: Mono) -> bool {
        if *self == Start::Ahead && *fact == Fact::Tick {
            *self = Start::Under {
                until: now.after(STARTING),
            };
        }
        *self != Start::Ahead
    }

    /// Goes on to this time, with this verdict on the services.
    fn go_on(&mut self, services: Verdict, now: Mono) {
        *self = match *self {
            Start::Ahead => Start::Ahead,
            // None of them is missing, or one has failed for good.
            Start::Under { .. } if matches!(services, Verdict::Ok | Verdict::Critical) => {
                Start::Over
            }
            Start::Under { until } if now >= until => Start::Over,
            Start::Under { until } => Start::Under { until },
            Start::Over => Start::Over,
        };
    }
}

/// The state that the LED is to show. What the LED itself is thought of is left out: it could not be
/// seen on it.
pub(super) fn of(picture: &Picture, start: &mut Start, now: Mono) -> LedState {
    start.go_on(picture.services, now);
    let ending = match picture.ending {
        Ending::No | Ending::Halting { .. } => None,
        Ending::Stopping { .. } | Ending::Parting { .. } => Some(LedState::Stopping),
    };
    let starts = match start {
        Start::Ahead | Start::Under { .. } => Some(LedState::Starting),
        Start::Over => None,
    };
    let guard = guard(picture.watchdog);
    let power = power(picture);
    let services = match (picture.services, starts) {
        (Verdict::Warn | Verdict::Unknown, Some(starting)) => starting,
        (verdict, Some(_) | None) => plain(verdict),
    };
    let others = [
        picture.clock,
        picture.thermal,
        picture.memory,
        picture.storage,
        picture.daemon,
        picture.threads,
    ];
    let others = others.into_iter().chain(picture.throttle);
    let others = others.chain(picture.jobs).map(plain);
    let all = others.chain(picture.halting.map(halting)).chain(ending);
    let all = all.chain(starts).chain([guard, power, services]);
    all.max().unwrap_or(LedState::Unknown)
}

fn plain(verdict: Verdict) -> LedState {
    match verdict {
        Verdict::Ok => LedState::Well,
        Verdict::Unknown => LedState::Unknown,
        Verdict::Warn => LedState::Degraded,
        Verdict::Critical => LedState::Critical,
    }
}

fn guard(verdict: Verdict) -> LedState {
    match verdict {
        Verdict::Critical => LedState::Unguarded,
        Verdict::Ok | Verdict::Unknown | Verdict::Warn => plain(verdict),
    }
}

fn power(picture: &Picture) -> LedState {
    let low = Some(Strain::LowBattery);
    match (picture.power, picture.mains) {
        (None, _) => LedState::Well,
        // A line that is doubted is broken, and says nothing of the battery.
        (Some(Verdict::Critical), _) if picture.strain_of_power != low => LedState::Critical,
        (Some(Verdict::Critical), _) => LedState::LowBattery,
        (Some(Verdict::Ok | Verdict::Unknown | Verdict::Warn), Some(false)) => LedState::OnBattery,
        (Some(verdict), Some(true) | None) => plain(verdict),
    }
}

fn halting(halting: Halting) -> LedState {
    match halting.can_be_taken_back {
        true => LedState::Stopping,
        false => LedState::Halting,
    }
}
