//! What passes from one daemon to the next about services, between the core and its files; and signals
//! that come in between.

use crate::core::Core;
use crate::core::fact::{Asker, Change, Fact, RunId, ServiceId};
use crate::core::memo::{Left, Memo, Progress};
use crate::core::settings::Settings;
use crate::edge::signals;
use crate::text;
use crate::trace::parse_fact;
use crate::units::Mono;

/// What was found about a service.
pub(super) type Found = (ServiceId, RunId, Memo);

/// A signal that comes while this daemon hands over is for its successor: it cannot be acted upon any
/// more.
pub(super) fn keep_signal(fact: &Fact) {
    if let Fact::Asked {
        by: Asker::Signal(number),
        ..
    } = fact
    {
        signals::keep(i32::from(*number));
    }
}

/// The line of a memo: as it will be told to a successor.
pub(super) fn line(service: ServiceId, run: RunId, memo: &Memo, settings: &Settings) -> Box<str> {
    let change = Change::Recalled(memo.clone());
    let fact = Fact::Child {
        service,
        run,
        change,
    };
    // Its time is that of the successor's beginning.
    format!("{} {}", Mono(0), text::fact(&fact, settings)).into()
}

/// What an earlier daemon of this boot left about this service, as the line says. One that makes no
/// sense, or is about another service, counts as none.
pub(super) fn find(service: ServiceId, settings: &Settings, line: &str) -> Option<Found> {
    match parse_fact(line, settings) {
        Ok((
            _,
            Fact::Child {
                service: whose,
                run,
                change: Change::Recalled(memo),
            },
        )) if whose == service => Some((service, run, memo)),
        Ok(_) | Err(_) => {
            log::warn!(
                "{}: what the daemon before this one left about it is not understood",
                settings.name(service)
            );
            None
        }
    }
}

/// The memos of a daemon that ends in good order: the next one begins anew, but for the numbers of
/// runs, which stay unique in a boot.
pub(super) fn closing(core: &Core) -> Vec<Found> {
    let over = Memo {
        left: Left::Over,
        failures: 0,
        restarts: Box::default(),
        progress: Progress::FULL,
    };
    core.services()
        .map(|view| (view.service, view.run, over.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::memo;

    /// The longest name with the most restarts fits into its file, and comes back.
    #[test]
    fn the_longest_memo_fits() {
        // The longest that the configuration allows.
        let name = "n".repeat(64);
        let text = format!("[service.{name}]\ncommand = [\"/bin/true\"]\n");
        let settings = crate::config::parse("test", &text).unwrap().config.settings;
        let memo = Memo {
            left: Left::GaveUp {
                until: Mono(u64::MAX / 1000),
            },
            failures: u32::MAX,
            restarts: vec![Mono(u64::MAX / 1000); Memo::RESTARTS].into(),
            progress: Progress {
                started: false,
                ready: false,
            },
        };
        let (id, run) = (ServiceId(0), RunId(u32::MAX));
        let kept = memo::of(&memo::padded(&line(id, run, &memo, &settings)).unwrap()).unwrap();
        assert_eq!(find(id, &settings, &kept), Some((id, run, memo)));
    }
}
