//! What the way out and what expires come to, in the report.

use super::quantity::Seconds;
use super::table::Cell;
use super::{Status, screen};
use crate::core::fact::{Found, Step};
use crate::core::picture::Verdict;
use crate::core::settings::{Judged, Rung};
use crate::core::{Core, ExpiryView, RungView, UplinkView};
use crate::text::{for_people, found_word, step_trouble, step_word, wall};
use crate::units::Mono;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The way out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UplinkStatus {
    /// `ok`, `unknown`, or `warn`: it is broken. No part of how the machine as a whole stands.
    pub verdict: String,
    /// The steps that were looked at, from inside outwards.
    pub steps: Vec<StepStatus>,
    /// The first of them that is broken.
    pub broken: Option<String>,
    /// What is wrong with it, in a few words.
    pub text: Option<String>,
    /// Looks in a row that have found one.
    pub failures: u32,
    /// Time since the first of these.
    pub broken_seconds: Option<Seconds>,
    /// Time since the latest handshake of the VPN, when it was looked at.
    pub handshake_seconds: Option<Seconds>,
    /// Time since the latest look; null before the first.
    pub seen_seconds: Option<Seconds>,
    /// What is tried while it is broken, in this order.
    #[serde(default)]
    pub repairs: Vec<RepairStatus>,
}

/// A rung of repair.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RepairStatus {
    /// Its name.
    pub repair: String,
    /// How often it was tried within its window; 0 for a restart of the machine, which is counted with
    /// all others.
    pub tried: u32,
    /// How often it may be; null for a restart of the machine.
    pub most: Option<u32>,
}

/// A step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StepStatus {
    /// `link`, `address`, `route`, `gateway`, `name`, `vpn`, `peer` or `ssh`.
    pub step: String,
    /// `well`, `missing`, `down`, `silent`, `refused`, `wrong` or `unsure`.
    pub found: String,
}

/// Something that expires.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExpiryStatus {
    /// Its name.
    pub name: String,
    /// `ok`, `unknown`, `warn` or `critical`.
    pub verdict: String,
    /// When it ends (RFC 3339, UTC); null while that cannot be read.
    pub ends: Option<String>,
    /// Time until then, 0 once it is over; null while the clock cannot be trusted.
    pub left_seconds: Option<Seconds>,
}

pub(super) fn uplink(core: &Core, now: Mono) -> Option<UplinkStatus> {
    let UplinkView {
        verdict,
        latest,
        broken,
        failures,
        since,
    } = core.uplink()?;
    let seen = latest.map(|(uplink, _)| uplink).unwrap_or_default();
    let network = core.settings().network.as_ref();
    let judged = network.map(|network| network.judge(&seen));
    let step = |(step, found): (Step, Found)| {
        // A VPN that is up may be broken for its age: by this very look, not by an earlier one.
        let found = match judged {
            Some(Judged::Broken(broken, how)) if broken == step => how,
            Some(_) | None => found,
        };
        StepStatus {
            step: step_word(step).to_owned(),
            found: found_word(found).to_owned(),
        }
    };
    Some(UplinkStatus {
        verdict: verdict.word().to_owned(),
        steps: seen.found().map(step).collect(),
        broken: broken.map(|(step, _)| step_word(step).to_owned()),
        text: broken.map(|(step, found)| step_trouble(step, found).to_owned()),
        failures,
        broken_seconds: since.map(|since| Seconds(now.since(since))),
        handshake_seconds: seen.handshake.map(Seconds),
        seen_seconds: latest.map(|(_, at)| Seconds(now.since(at))),
        repairs: repairs(core, now),
    })
}

fn repairs(core: &Core, now: Mono) -> Vec<RepairStatus> {
    let settings = core.settings();
    let known = settings.network.iter().flat_map(|network| &network.rungs);
    let all = core.rungs(now).into_iter().zip(known);
    let of = |(view, rung): (RungView, &Rung)| RepairStatus {
        repair: rung.name.to_string(),
        tried: view.made,
        most: rung.budget.map(|budget| budget.most),
    };
    all.map(of).collect()
}

pub(super) fn expiries(core: &Core, now: Mono) -> Vec<ExpiryStatus> {
    let picture = core.picture();
    let shown = picture.shown.filter(|_| picture.time == Some(true));
    let today = shown.map(|shown| shown.time.later(now.since(shown.at)));
    let of = |view: ExpiryView| {
        let left = view.ends.zip(today);
        let left = left.map(|(ends, today)| ends.beyond(today).unwrap_or(Duration::ZERO));
        ExpiryStatus {
            name: core.settings().expiry(view.expiry).to_owned(),
            verdict: view.verdict.word().to_owned(),
            ends: view.ends.map(wall),
            left_seconds: left.map(Seconds),
        }
    };
    core.expiries().map(of).collect()
}

fn is_bad(verdict: &str) -> bool {
    verdict == Verdict::Warn.word() || verdict == Verdict::Critical.word()
}

/// What expires, in a few words each. A broken way out is none of it.
pub(super) fn troubles(status: &Status) -> Vec<String> {
    let bad = status.expiries.iter().filter(|e| is_bad(&e.verdict));
    bad.map(|e| format!("{} {}", e.name, term(e))).collect()
}

fn term(expiry: &ExpiryStatus) -> String {
    match (&expiry.ends, expiry.left_seconds) {
        (None, _) => "cannot be looked at".to_owned(),
        (Some(_), Some(left)) if left.0.is_zero() => "has expired".to_owned(),
        (Some(_), Some(left)) => format!("expires in {}", for_people(left.0)),
        (Some(ends), None) => format!("expires at {ends}"),
    }
}

/// Rows of the screen: the way out, and what expires.
pub(super) fn rows(status: &Status) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    if let Some(uplink) = &status.uplink {
        let style = screen::verdict_style(&uplink.verdict);
        rows.push(vec![
            Cell::plain("way out"),
            Cell::new(&uplink.verdict, style),
            Cell::plain(&way_out(uplink)),
        ]);
    }
    let repairs = status.uplink.iter().flat_map(|uplink| &uplink.repairs);
    rows.extend(repairs.filter(|r| r.tried > 0).map(|r| {
        let tried = format!("tried {} of {} times", r.tried, r.most.unwrap_or_default());
        let name = format!("repair {}", r.repair);
        vec![Cell::plain(&name), Cell::plain(""), Cell::plain(&tried)]
    }));
    rows.extend(status.expiries.iter().map(|e| {
        let style = screen::verdict_style(&e.verdict);
        let name = format!("expiry {}", e.name);
        vec![
            Cell::plain(&name),
            Cell::new(&e.verdict, style),
            Cell::plain(&term(e)),
        ]
    }));
    rows
}

fn way_out(uplink: &UplinkStatus) -> String {
    let steps = uplink.steps.iter().filter(|s| s.found == "well");
    let well: Vec<&str> = steps.map(|s| s.step.as_str()).collect();
    let mut parts = Vec::new();
    if let Some(text) = &uplink.text {
        let since = uplink.broken_seconds.map(|s| for_people(s.0));
        let looks = match uplink.failures {
            1 => "1 look".to_owned(),
            n => format!("{n} looks in a row"),
        };
        parts.push(format!("{text} ({looks}, {})", since.unwrap_or_default()));
    }
    if !well.is_empty() {
        parts.push(format!("well: {}", well.join(", ")));
    }
    if let Some(age) = uplink.handshake_seconds {
        parts.push(format!("latest handshake {} before", for_people(age.0)));
    }
    match (parts.is_empty(), uplink.seen_seconds) {
        (true, None) => "not looked at yet".to_owned(),
        (true, Some(_)) => "cannot be told".to_owned(),
        (false, _) => parts.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::BootFacts;
    use crate::core::action::Actions;
    use crate::core::fact::{Fact, Reading, Uplink};
    use crate::core::settings::{Network, Settings};

    /// What is told after these looks, each with the age of the handshake.
    fn after(looks: &[(&[(Step, Found)], u64)]) -> UplinkStatus {
        let network = Network {
            every: Duration::from_secs(300),
            failures: 3,
            handshake: Duration::from_secs(300),
            rungs: Vec::new(),
        };
        let settings = Settings {
            network: Some(network),
            ..Settings::nothing()
        };
        let boot = BootFacts {
            seed: 1,
            init_watchdog: None,
            first: true,
        };
        let (mut core, mut out) = (Core::new(settings, boot), Actions::default());
        core.step(Mono(0), &Fact::Tick, &mut out);
        for (steps, age) in looks {
            let mut look = Uplink::default();
            steps
                .iter()
                .for_each(|(step, found)| look.put(*step, *found));
            look.handshake = Some(Duration::from_secs(*age));
            core.step(Mono(1000), &Fact::Seen(Reading::Uplink(look)), &mut out);
        }
        uplink(&core, Mono(2000)).unwrap()
    }

    /// A step is shown as the latest look found it, whatever an earlier look has found broken.
    #[test]
    fn steps_are_those_of_the_latest_look() {
        use Found::{Unsure, Well};
        let old: (&[_], _) = (&[(Step::Link, Well), (Step::Vpn, Well)], 900);
        let found = |status: &UplinkStatus| -> Vec<String> {
            status.steps.iter().map(|s| s.found.clone()).collect()
        };
        assert_eq!(found(&after(&[old])), ["well", "silent"]);
        let young = after(&[old, (&[(Step::Link, Unsure), (Step::Vpn, Well)], 10)]);
        assert_eq!(found(&young), ["unsure", "well"]);
        // It cannot tell, so what was found before stands.
        assert_eq!(young.broken.as_deref(), Some("vpn"));
    }

    /// A look that cannot tell anything was one all the same.
    #[test]
    fn a_look_that_cannot_tell_was_one() {
        assert_eq!(way_out(&after(&[])), "not looked at yet");
        let mut unsure = after(&[(&[(Step::Link, Found::Unsure)], 0)]);
        unsure.handshake_seconds = None;
        assert_eq!(way_out(&unsure), "cannot be told");
    }
}
