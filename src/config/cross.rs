//! What values of different sections must not be beside each other.
//!
//! What could only end in a service or a machine that does not work is an error; what works, and
//! hardly as its author thinks, is a warning. Deadlines of services are compared in
//! `super::order`.

use super::board::{Board, Cut, Taken, taken};
use super::build::Rtc;
use super::led::LedPlan;
use super::schema::brief;
use super::table::{At, Table};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// Least timeout of a watchdog under which everything that the daemon promises has time: an essential
/// thread that is stuck is known, and written down, after 3 s, and at a reload the threads of the
/// old program have 5 s to end, in which nobody pets.
const CALM: Duration = Duration::from_secs(10);

/// The timeout of the hardware watchdog, and whether it is this daemon that asks for it.
pub(super) struct Timeout {
    pub(super) at: At<Duration>,
    pub(super) ours: bool,
}

/// The times of an outage.
pub(super) struct Outage {
    /// `None` for as long as the battery lasts.
    pub(super) ride_through: At<Option<Duration>>,
    pub(super) shed_optional: At<Duration>,
    /// What the battery is known to last for; compared in `super::outlast`.
    pub(super) battery_lasts: Option<At<Duration>>,
}

/// The first of these that was given anywhere.
fn given<const N: usize>(
    spans: [&Option<Range<usize>>; N],
    otherwise: Range<usize>,
) -> Range<usize> {
    let first = spans.into_iter().find_map(Clone::clone);
    first.unwrap_or(otherwise)
}

/// Warns of a watchdog that bites before what it guards can be done, and of time to unmount that is not
/// what it seems.
pub(super) fn times(
    top: &mut Table<'_, '_, '_>,
    timeout: Option<&Timeout>,
    unmount: Option<&At<Duration>>,
    board: Option<&Board>,
) {
    let header = top.header();
    if let Some(Timeout { at, ours: true }) = timeout {
        if at.value < CALM {
            let what = format!(
                "`watchdog.timeout` ({}) is shorter than what is promised: a stuck thread is told \
                 after 3s, and a reload may go without a pet for 5s",
                brief(at.value)
            );
            let help = "write \"10s\" or more, unless a reset in the middle of that does no harm";
            let span = given([&at.span], header.clone());
            top.report().warning(span, what, help.to_owned());
        }
        if let Some(unmount) = unmount.filter(|unmount| unmount.value < at.value) {
            let what = format!(
                "`stop.unmount` ({}{}) is shorter than `watchdog.timeout` ({}{}), which holds instead",
                brief(unmount.value),
                unmount.origin(),
                brief(at.value),
                at.origin(),
            );
            let help = "raise stop.unmount, or shorten watchdog.timeout".to_owned();
            let span = given([&unmount.span, &at.span], header.clone());
            top.report().warning(span, what, help);
        }
    }
    let delay = board.and_then(|board| match board.cut {
        Cut::Register {
            after_unmount: false,
            delay,
            ..
        } => Some((board, delay)),
        Cut::Register { .. } | Cut::Line { .. } | Cut::Alive | Cut::None => None,
    });
    // Nobody has chosen the default.
    let chosen = unmount.filter(|unmount| unmount.span.is_some());
    if let (Some(unmount), Some((board, delay))) = (chosen, delay)
        && unmount.value > delay
    {
        let what = format!(
            "`stop.unmount` ({}) is longer than board {} leaves: it cuts the power {} after it is told",
            brief(unmount.value),
            board.name,
            brief(delay),
        );
        let help = "shorten it, or raise `cut.register.delay` in the file of the board".to_owned();
        let span = given([&unmount.span], header);
        top.report().warning(span, what, help);
    }
}

/// Warns of services that are to be stopped early on battery, and of a halt that comes before that.
pub(super) fn outage(top: &mut Table<'_, '_, '_>, outage: Option<&Outage>) {
    let Some(Outage {
        ride_through,
        shed_optional,
        ..
    }) = outage
    else {
        return;
    };
    let Some(ride) = ride_through
        .value
        .filter(|ride| *ride <= shed_optional.value)
    else {
        return;
    };
    let what = format!(
        "`power.shed_optional` ({}{}) is not before the end of `ride_through` ({}{}): no service is \
         stopped early",
        brief(shed_optional.value),
        shed_optional.origin(),
        brief(ride),
        ride_through.origin(),
    );
    let help = "shorten power.shed_optional, or raise power.ride_through".to_owned();
    let span = given([&shed_optional.span, &ride_through.span], top.header());
    top.report().warning(span, what, help);
}

/// Warns of an LED on a line that something else of the header needs. False if it is: it is not driven.
pub(super) fn lines(
    top: &mut Table<'_, '_, '_>,
    led: Option<&At<LedPlan>>,
    board: &Board,
    clock: Option<&Rtc>,
) -> bool {
    let Some((line, led)) = led.and_then(|led| Some((led.value.line()?, led))) else {
        return true;
    };
    let chip = clock.is_some_and(|clock| clock.chip);
    let Some(why) = taken(line, board.on_header_bus() || chip) else {
        return true;
    };
    let whose = match (why, board.on_header_bus()) {
        (Taken::Memory, _) => String::new(),
        (Taken::Bus, true) => format!(", which board {} needs", board.name),
        (Taken::Bus, false) => ", which the DS3231 needs".to_owned(),
    };
    let what = format!(
        "line {} is {}{whose}: it is not driven as an LED",
        line.line,
        why.words()
    );
    let help = "name the line that the LED is wired to, by its GPIO number".to_owned();
    let span = given([&led.span], top.header());
    top.report().warning(span, what, help);
    false
}

/// Reports one directory for what a reboot may wipe out and for what outlives it: files of the same
/// name lie in both.
pub(super) fn directories(
    top: &mut Table<'_, '_, '_>,
    runtime_dir: &At<PathBuf>,
    state_dir: &At<PathBuf>,
) {
    if runtime_dir.value != state_dir.value {
        return;
    }
    let what = format!(
        "`runtime_dir` and `state_dir` are the same, {}",
        state_dir.value.display()
    );
    let help = "give each its own: files of the same name lie in both".to_owned();
    let span = given([&state_dir.span, &runtime_dir.span], top.header());
    top.report().error(span, what, help);
}
