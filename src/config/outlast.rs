//! Compares what an outage may take with what the battery is known to last for.
//!
//! Services are stopped by their class, as the policies of power and of services do it: the optional
//! ones after `shed_optional`, normal ones after half of the ride-through, the others at its end;
//! whoever others come after goes no sooner than these, and when they are down.

use super::cross::Outage;
use super::order::list;
use super::report::Report;
use super::schema::brief;
use super::service::Draft;
use super::table::At;
use crate::core::settings::{BESIDE, Class};
use std::time::Duration;

/// Warns of a battery that may be empty before everything is stopped. Without a word on how long it
/// lasts there is nothing to compare with. `after`: whom each service comes after, as indices; `order`:
/// all of them, each after those.
pub(super) fn check(
    report: &mut Report<'_>,
    drafts: &[Draft],
    (after, order): (&[Vec<usize>], &[usize]),
    budget: Duration,
    outage: &Outage,
) {
    let Some((lasts, span)) = outage.battery_lasts.as_ref().and_then(told) else {
        return;
    };
    let ride = outage.ride_through.value.unwrap_or_default();
    let (begins, worst) = worst(drafts, after, order, outage);
    // What is left by then is killed.
    let stopped = worst.ends.min(ride.saturating_add(budget)).max(ride);
    let all = stopped.saturating_add(BESIDE);
    if all <= lasts {
        return;
    }
    let begin = match worst.chain.first() {
        Some(first) if worst.ends >= ride => begins[*first],
        Some(_) | None => ride,
    };
    let mut parts = Vec::new();
    if !begin.is_zero() {
        parts.push(format!("{} on battery", brief(begin)));
    }
    if stopped > begin {
        let names = worst.chain.iter().map(|at| drafts[*at].shown.as_str());
        let apart = if worst.chain.len() > 1 {
            " one after another"
        } else {
            ""
        };
        let long = brief(stopped.saturating_sub(begin));
        parts.push(format!("{long} to stop {}{apart}", list(names)));
    }
    let what = format!(
        "`power.battery_lasts` ({}) is less than an outage may take, {}: {}, and {} for file systems and \
         records",
        brief(lasts),
        brief(all),
        parts.join(", "),
        brief(BESIDE),
    );
    let help = "shorten power.ride_through, the stop_timeout of these or stop.budget, so that all of it \
                fits; the battery may be empty before what is last is in order";
    report.warning(span, what, help.to_owned());
}

fn told(lasts: &At<Duration>) -> Option<(Duration, std::ops::Range<usize>)> {
    Some((lasts.value, lasts.span.clone()?))
}

/// The services that are the last to be down.
struct Worst {
    /// When, from the beginning of the outage.
    ends: Duration,
    /// In the order in which they stop.
    chain: Vec<usize>,
}

/// When each service is told to stop, and those that are the last to be down.
fn worst(
    drafts: &[Draft],
    after: &[Vec<usize>],
    order: &[usize],
    outage: &Outage,
) -> (Vec<Duration>, Worst) {
    let mut begins: Vec<Duration> = drafts.iter().map(|draft| begin(draft, outage)).collect();
    // For each: when those that stop before it are down, and the last of them.
    let mut waits: Vec<(Duration, Option<usize>)> = vec![(Duration::ZERO, None); drafts.len()];
    let mut last = (Duration::ZERO, None);
    for at in order.iter().rev() {
        let stop = drafts[*at].stop_timeout.as_ref();
        let own = stop.map_or(Duration::ZERO, |timeout| timeout.value);
        let ends = begins[*at].max(waits[*at].0).saturating_add(own);
        if ends > last.0 {
            last = (ends, Some(*at));
        }
        for before in &after[*at] {
            begins[*before] = begins[*before].max(begins[*at]);
            if ends > waits[*before].0.max(begins[*before]) {
                waits[*before] = (ends, Some(*at));
            }
        }
    }
    let mut chain: Vec<usize> = std::iter::successors(last.1, |at| waits[*at].1).collect();
    chain.reverse();
    (
        begins,
        Worst {
            ends: last.0,
            chain,
        },
    )
}

/// When a service is told to stop, by its own class.
fn begin(draft: &Draft, outage: &Outage) -> Duration {
    let Some(ride) = outage.ride_through.value else {
        // The level of the battery decides, and all of it is to be had from then on.
        return Duration::ZERO;
    };
    let optional = outage.shed_optional.value.min(ride);
    match draft.rest.as_ref().map(|(service, _)| service.class) {
        Some(Class::Optional) => optional,
        Some(Class::Normal) => optional.max(ride / 2),
        Some(Class::Essential) | None => ride,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    const SERVICES: &str = "[service.db]\ncommand = [\"/bin/db\"]\nstop_timeout = \"30s\"\n\
         [service.web]\ncommand = [\"/bin/web\"]\nafter = [\"db\"]\nstop_timeout = \"20s\"\n\
         [service.album]\ncommand = [\"/bin/album\"]\nclass = \"optional\"\nstop_timeout = \"45s\"\n";

    fn told(power: &str, rest: &str) -> Option<String> {
        let text = format!("[power]\n{power}\n{rest}\n{SERVICES}");
        let warnings = parse("f.toml", &text).unwrap().warnings;
        let mut warnings = warnings.iter().map(|w| w.what().to_owned());
        warnings.find(|what| what.contains("battery_lasts"))
    }

    /// Told by the second at which it does not fit any more, by the chain that is the last to be down.
    #[test]
    fn what_does_not_fit_is_told() {
        // Shed from 10 s and from 30 s of 60 s on, and down by then: the ride-through is what counts.
        assert_eq!(told("", ""), None);
        assert_eq!(told("battery_lasts = \"110s\"", ""), None);
        let said = told("battery_lasts = \"109s\"", "").unwrap();
        let parts = "1m 50s: 30s on battery, 50s to stop web and db one after another, and 30s for";
        assert!(said.contains(parts), "{said}");
        // What the database is for has to outlast the ride-through, and so has the database.
        let essential = "[service.web.environment]\n[service.pump]\ncommand = [\"/bin/pump\"]\n\
                         after = [\"db\"]\nclass = \"essential\"\nstop_timeout = \"1s\"\n";
        assert_eq!(told("battery_lasts = \"121s\"", essential), None);
        let said = told("battery_lasts = \"120s\"", essential).unwrap();
        let parts = "2m 1s: 1m on battery, 31s to stop pump and db one after another, and 30s for";
        assert!(said.contains(parts), "{said}");
    }

    /// What overruns the budget is killed, and with "never" the battery has to last for the end alone.
    #[test]
    fn no_stop_takes_longer_than_the_budget() {
        let never = "ride_through = \"never\"\nbattery_lasts = ";
        assert_eq!(told(&format!("{never}\"80s\""), ""), None);
        let said = told(&format!("{never}\"79s\""), "").unwrap();
        assert!(said.contains("1m 20s: 50s to stop web and db"), "{said}");
        let short = "[stop]\nbudget = \"46s\"";
        assert_eq!(told(&format!("{never}\"76s\""), short), None);
        assert!(told(&format!("{never}\"75s\""), short).is_some());
    }

    /// Without services there is still the ride-through.
    #[test]
    fn a_battery_has_to_last_for_the_ride_through() {
        let text = "[power]\nride_through = \"5min\"\nbattery_lasts = \"3min\"\n";
        let warnings = parse("f.toml", text).unwrap().warnings;
        let what = warnings.first().unwrap().what().to_owned();
        assert!(what.contains("5m 30s: 5m on battery, and 30s"), "{what}");
    }
}
