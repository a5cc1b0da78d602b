//! What the way out and what expires come to, in the report.

use super::quantity::Seconds;
use super::table::Cell;
use super::{Status, screen};
use crate::core::fact::{Found, Step};
use crate::core::picture::Verdict;
use crate::core::settings::Rung;
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
    /// How often it was tried within its window.
    pub tried: u32,
    /// How often it may be.
    pub most: u32,
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
    let step = |(step, found): (Step, Found)| {
        // A VPN that is up may be broken for its age.
        let judged = broken.filter(|(broken, _)| *broken == step);
        StepStatus {
            step: step_word(step).to_owned(),
            found: found_word(judged.map_or(found, |(_, found)| found)).to_owned(),
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
        most: rung.most,
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
        let tried = format!("tried {} of {} times", r.tried, r.most);
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
        (true, _) => "not looked at yet".to_owned(),
        (false, _) => parts.join("; "),
    }
}
