//! Words about drills: why there is none, and what one has shown.

use super::describe::{Fields, service, time, word};
use super::quantity::for_people;
use super::sentence::{kept_because, person};
use super::words::thread_word;
use crate::core::fact::Asker;
use crate::core::intent::in_time;
use crate::core::note::{DrillRefused, MachineKept};
use std::time::Duration;

/// Why the watchdog is not tried out.
pub fn undrilled(why: DrillRefused) -> String {
    match why {
        DrillRefused::Unguarded => {
            "the daemon does not pet a hardware watchdog now, so there is none that could bite"
                .to_owned()
        }
        DrillRefused::InitFirst { window } => format!(
            "init ends the daemon after {} without a pet, before the watchdog bites: allow for more \
             with `WatchdogSec=` of its unit, or set a shorter `timeout` in [watchdog]",
            for_people(window)
        ),
        DrillRefused::Late { thread } => format!(
            "the thread {} of the daemon is late: nobody would know what the bite was for",
            thread_word(thread)
        ),
        DrillRefused::Kept(MachineKept::UsedUp { reboots, window }) if reboots > 0 => format!(
            "the machine was restarted on purpose {reboots} times within {}, which is as often as it \
             may be",
            for_people(window)
        ),
        DrillRefused::Kept(why) => kept_because(why),
    }
}

/// The same as an event.
pub(super) fn refusal(why: DrillRefused) -> String {
    format!("the watchdog is not tried out: {}", undrilled(why))
}

/// The same for programs.
pub(super) fn refused(why: DrillRefused) -> Fields {
    match why {
        DrillRefused::Unguarded => vec![("why", word("unguarded"))],
        DrillRefused::InitFirst { window } => {
            vec![("why", word("init-first")), ("window", time(window))]
        }
        DrillRefused::Late { thread } => {
            vec![("why", word("late")), ("thread", word(thread_word(thread)))]
        }
        DrillRefused::Kept(why) => service::kept(Vec::new(), why),
    }
}

/// The same as the answer to whoever asked.
pub(super) fn answer(why: &DrillRefused) -> String {
    let fields = refused(*why).into_iter();
    let fields = fields.map(|(key, value)| format!(" {key}={value}"));
    format!("no-drill{}", fields.collect::<String>())
}

/// How a boot ended that was ended by a drill.
pub(super) fn end(by: Asker, took: Duration, timeout: Duration) -> String {
    let who = person(by);
    format!(
        "was ended by a drill that {who} asked for: {}",
        proven(took, timeout)
    )
}

/// What a drill has shown.
pub fn proven(took: Duration, timeout: Duration) -> String {
    let verdict = match in_time(took, timeout) {
        true => "in time",
        false => "too late",
    };
    format!(
        "the watchdog bit {} after the last pet, or up to a second later, with a timeout of {}: {verdict}",
        for_people(took),
        for_people(timeout)
    )
}

pub(super) fn bites(within: Duration) -> String {
    format!(
        "no more pets, for the drill: the hardware watchdog is to reset this machine; if it does not \
         within {}, the services come back",
        for_people(within)
    )
}

pub(super) fn failed(waited: Duration) -> String {
    format!(
        "the hardware watchdog has not bitten {} after the last pet: nothing guards this machine; services \
         come back",
        for_people(waited)
    )
}
