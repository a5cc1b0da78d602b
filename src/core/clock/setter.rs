//! When the battery-backed clock is to be set by the kernel's.
//!
//! Only by a clock that has been synced for a while without a break: one that a time source has just
//! set wrong, and sets right again soon, must not be what the next boot begins with.

use super::super::Pass;
use super::super::fact::{Fault, OrderId};
use super::super::note::{GuardNote, Note, RtcDoubt, Trust};
use super::RtcView;
use crate::units::Mono;
use std::time::Duration;

/// For how long the clock must have been synced. Time sources settle in seconds; longer only leaves
/// the other one wrong for so long.
const STEADY: Duration = Duration::from_secs(30);

/// Least time between two tries where it is wrong. A chip that takes a time and forgets it is written
/// to for ever otherwise.
const AGAIN: Duration = Duration::from_secs(3600);

/// The same where nothing speaks against it, and it is only a little off: a DS3231 drifts by 0.2 s a
/// day.
const DAILY: Duration = Duration::from_secs(86_400);

/// Difference in seconds from which on that is worth a write. Clocks are read to the second.
const OFF: u64 = 2;

/// State of it.
#[derive(Default)]
pub(super) struct Setter {
    /// Synced without a break since then.
    since: Option<Mono>,
    order: Option<OrderId>,
    tried: Option<Mono>,
    /// Why it could not be set, as it was told.
    told: Option<Fault>,
}

impl Setter {
    /// It is to be set now. Whoever gets this answer gives the order, and [`Setter::ordered`] is told.
    pub fn wants(&mut self, trust: Trust, rtc: Option<RtcView>, stepped: bool, now: Mono) -> bool {
        let since = match (trust, stepped) {
            (Trust::Synced, false) => *self.since.get_or_insert(now),
            (Trust::Synced, true) => *self.since.insert(now),
            (Trust::Unset | Trust::Floor | Trust::Rtc | Trust::Holdover, _) => {
                self.since = None;
                return false;
            }
        };
        let Some(rtc) = rtc.filter(|rtc| rtc.seen.is_some()) else {
            return false;
        };
        let is_off = rtc.ahead_seconds.is_some_and(|by| by.unsigned_abs() >= OFF);
        let pause = match (rtc.doubt, is_off) {
            // That one stays until the next boot, however often it is set.
            (Some(RtcDoubt::Stopped), false) => DAILY,
            (Some(_), _) => AGAIN,
            (None, true) => DAILY,
            (None, false) => return false,
        };
        let rested = self.tried.is_none_or(|at| now.since(at) >= pause);
        self.order.is_none() && rested && now.since(since) >= STEADY
    }

    pub fn ordered(&mut self, order: OrderId, now: Mono) {
        (self.order, self.tried) = (Some(order), Some(now));
    }

    /// An order ended; nothing, if it was not ours.
    pub fn done(&mut self, order: OrderId, outcome: &Result<(), Fault>, pass: &mut Pass) {
        if self.order != Some(order) {
            return;
        }
        self.order = None;
        match outcome {
            Ok(()) => {
                self.told = None;
                pass.out.note(Note::Guard(GuardNote::RtcSet));
            }
            Err(why) if self.told.as_ref() != Some(why) => {
                self.told = Some(why.clone());
                let why = why.clone();
                pass.out.note(Note::Guard(GuardNote::RtcNotSet { why }));
            }
            Err(_) => {}
        }
    }
}
