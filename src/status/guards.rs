//! What canaries, caps and the want of memory come to, in the report.

use super::quantity::{Percent, Seconds};
use super::table::Cell;
use super::{MachineStatus, Status};
use crate::core::Core;
use crate::core::picture::Verdict;
use crate::text::{self, for_people};
use serde::{Deserialize, Serialize};

/// A canary.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CanaryStatus {
    /// Its directory.
    pub directory: String,
    /// `ok`, `unknown`, `warn` (slow) or `critical` (it failed).
    pub verdict: String,
    /// How long the latest one took: writing, syncing and reading back; null if it failed.
    pub latest_seconds: Option<Seconds>,
    /// Half of the latest ones took no longer; null before the first.
    pub median_seconds: Option<Seconds>,
    /// Nineteen of twenty of them took no longer.
    pub p95_seconds: Option<Seconds>,
    /// The longest of them.
    pub longest_seconds: Option<Seconds>,
}

/// A cap.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CapStatus {
    /// Its name.
    pub name: String,
    /// `ok`, `unknown`, or `warn`: it is not kept.
    pub verdict: String,
    /// What its files take up together; null while that is not known.
    pub size_bytes: Option<u64>,
    /// Most that they may take up.
    pub max_bytes: u64,
}

/// Want of memory.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct WantStatus {
    /// Share of time in which everything waits for memory; null where the kernel does not tell.
    pub pressure_percent: Option<Percent>,
    /// Read back from swap, in KiB a second; null without swap.
    pub swap_read_kib: Option<u32>,
    /// Written to it.
    pub swap_written_kib: Option<u32>,
    /// Some of it lies on a disk or card.
    pub swap_on_disk: Option<bool>,
    /// What is thought of both: `ok`, `unknown`, `warn` or `critical`.
    pub verdict: String,
    /// The machine works for its swap.
    pub thrashing: bool,
    /// Which services are stopped for want of memory: `nothing`, `optional` or `normal`.
    pub shed: String,
}

pub(super) fn canaries(core: &Core) -> Vec<CanaryStatus> {
    let settings = core.settings();
    let of = |view: crate::core::CanaryView| {
        let share = |at: usize| view.percentiles.map(|all| Seconds(all[at]));
        CanaryStatus {
            directory: settings.canary(view.canary).to_owned(),
            verdict: view.verdict.word().to_owned(),
            latest_seconds: view.latest.map(Seconds),
            median_seconds: share(0),
            p95_seconds: share(1),
            longest_seconds: share(2),
        }
    };
    core.canaries().map(of).collect()
}

pub(super) fn caps(core: &Core) -> Vec<CapStatus> {
    let caps = core.caps().zip(&core.settings().caps);
    let of = |(view, cap): (crate::core::CapView, &crate::core::settings::Cap)| CapStatus {
        name: cap.name.to_string(),
        verdict: view.verdict.word().to_owned(),
        size_bytes: view.size,
        max_bytes: cap.max,
    };
    caps.map(of).collect()
}

pub(super) fn want(core: &Core) -> WantStatus {
    let (pressure, swap, thrashing, verdict) = core.memory_want();
    WantStatus {
        pressure_percent: pressure.map(Percent),
        swap_read_kib: swap.map(|s| s.read),
        swap_written_kib: swap.map(|s| s.written),
        swap_on_disk: swap.map(|s| s.on_disk),
        verdict: verdict.word().to_owned(),
        thrashing,
        shed: text::shed_word(core.picture().shed_for_memory).to_owned(),
    }
}

fn is_bad(verdict: &str) -> bool {
    verdict == Verdict::Warn.word() || verdict == Verdict::Critical.word()
}

/// What is wrong with canaries and caps, in a few words each.
pub(super) fn troubles(status: &Status) -> Vec<String> {
    let canaries = status.canaries.iter().filter(|c| is_bad(&c.verdict));
    let canaries = canaries.map(|c| match c.verdict.as_str() {
        "critical" => format!("the canary in {} failed", c.directory),
        _ => format!("the canary in {} is slow", c.directory),
    });
    let caps = status.caps.iter().filter(|c| is_bad(&c.verdict));
    let caps = caps.map(|c| format!("cap {} is not kept", c.name));
    canaries.chain(caps).collect()
}

/// Why memory is not well, where that is not how much is left.
pub(super) fn memory_trouble(machine: &MachineStatus) -> Option<String> {
    if machine.want.thrashing {
        return Some("the machine thrashes: it works for its swap".to_owned());
    }
    let full = machine.want.pressure_percent?;
    is_bad(&machine.want.verdict)
        .then(|| format!("everything waits for memory for {} of the time", full.0))
}

/// Rows of the screen.
pub(super) fn rows(status: &Status) -> Vec<Vec<Cell>> {
    let style = super::screen::verdict_style;
    let canaries = status.canaries.iter().map(|c| {
        let time = |s: Option<Seconds>| s.map_or_else(|| "?".to_owned(), |s| for_people(s.0));
        let times = format!(
            "takes {}; half of them {}, most {}",
            time(c.latest_seconds),
            time(c.median_seconds),
            time(c.p95_seconds)
        );
        let name = format!("canary in {}", c.directory);
        vec![
            Cell::plain(&name),
            Cell::new(&c.verdict, style(&c.verdict)),
            Cell::plain(&times),
        ]
    });
    let caps = status.caps.iter().map(|c| {
        let mib = |bytes: u64| format!("{} KiB", bytes / 1024);
        let size = c.size_bytes.map_or_else(|| "?".to_owned(), mib);
        vec![
            Cell::plain(&format!("cap {}", c.name)),
            Cell::new(&c.verdict, style(&c.verdict)),
            Cell::plain(&format!("{size} of {}", mib(c.max_bytes))),
        ]
    });
    canaries.chain(caps).collect()
}
