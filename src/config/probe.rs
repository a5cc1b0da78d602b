//! Reads the probes of a service: how each is made, and how often.

use super::schema::quoted;
use super::table::{At, Table};
use super::target::{self, Target, Url};
use super::{command, reach};
use crate::core::fact::ProbeKind;
use crate::core::settings::{Probe, Probes};
use std::path::PathBuf;
use std::time::Duration;

/// How a probe is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// By running a program: its absolute path, then its arguments.
    Exec(Vec<String>),
    /// By connecting.
    Tcp(Target),
    /// By asking for something.
    Http(Url),
    /// By looking when a file has changed last.
    File {
        /// The file; absolute.
        path: PathBuf,
        /// How long ago that may be.
        max_age: Duration,
    },
    /// By trying to connect to these, which must fail.
    Unreachable(Vec<String>),
}

/// How the probe of a service of one kind is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbePlan {
    /// What it is for.
    pub kind: ProbeKind,
    /// How it is made.
    pub way: Way,
    /// Time that it gets.
    pub timeout: Duration,
    /// Time from one to the next.
    pub interval: Duration,
}

impl ProbePlan {
    /// The key of its kind.
    pub(super) fn word(&self) -> &'static str {
        word(self.kind)
    }
}

/// The kinds that are keys of `probe`.
const KINDS: [ProbeKind; 3] = [
    ProbeKind::Startup,
    ProbeKind::Readiness,
    ProbeKind::Liveness,
];

/// The words of the kinds.
fn word(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Startup => "startup",
        ProbeKind::Readiness => "readiness",
        ProbeKind::Liveness => "liveness",
        ProbeKind::Isolation => "isolation",
    }
}

/// The ways to probe, which are keys.
const WAYS: [&str; 4] = ["exec", "tcp", "http", "file"];

/// What the core has to know of the probes of a service, and what the edges have to.
pub(super) type Read = (Option<Box<Probes>>, Box<[ProbePlan]>);

/// Reads `probe` and `must_not_reach`. `None` if anything in them is wrong.
pub(super) fn probes(table: &mut Table<'_, '_, '_>) -> Option<Read> {
    let mut probes = Probes::default();
    let mut plans = Vec::new();
    let closed = isolation(table, &mut probes, &mut plans);
    let good = !table.gives("probe") || ways_of_life(table, &mut probes, &mut plans);
    let probes = Some(Box::new(probes)).filter(|_| !plans.is_empty());
    (closed && good).then(|| (probes, plans.into()))
}

/// Reads `must_not_reach`. False if anything in it is wrong.
fn isolation(
    table: &mut Table<'_, '_, '_>,
    probes: &mut Probes,
    plans: &mut Vec<ProbePlan>,
) -> bool {
    let Some(targets) = table.other("must_not_reach", reach::targets) else {
        return false;
    };
    if !targets.value.is_empty() {
        let own = Probe::ISOLATION;
        probes.isolation = Some(own);
        plans.push(ProbePlan {
            kind: ProbeKind::Isolation,
            way: Way::Unreachable(targets.value),
            timeout: own.timeout,
            interval: own.interval,
        });
    }
    true
}

/// Reads `probe`. False if anything in it is wrong.
fn ways_of_life(
    table: &mut Table<'_, '_, '_>,
    probes: &mut Probes,
    plans: &mut Vec<ProbePlan>,
) -> bool {
    let mut good = true;
    let mut all = table.inner("probe");
    for kind in KINDS {
        if !all.gives(word(kind)) {
            continue;
        }
        match probe(all.inner(word(kind)), kind) {
            Some((probe, way)) => {
                *probes.get_mut(kind) = Some(probe);
                plans.push(ProbePlan {
                    kind,
                    way,
                    timeout: probe.timeout,
                    interval: probe.interval,
                });
            }
            None => good = false,
        }
    }
    good
}

fn probe(mut table: Table<'_, '_, '_>, kind: ProbeKind) -> Option<(Probe, Way)> {
    let interval = table.duration("interval");
    let timeout = table.duration("timeout");
    let initial_delay = table.duration("initial_delay");
    let failure_threshold = table.count("failure_threshold");
    let success_threshold = table.count("success_threshold");
    let network = table.flag("network");
    let way = way(&mut table, network.as_ref());
    if let Some(threshold) = success_threshold.as_ref().filter(|t| t.value > 1)
        && kind != ProbeKind::Readiness
    {
        let what = format!(
            "`{}` must be 1: the first success of a {} probe is enough",
            table.full("success_threshold"),
            word(kind)
        );
        let span = threshold.span.clone().unwrap_or(table.header());
        let help = "remove it; only readiness may ask for several".to_owned();
        table.report().error(span, what, help);
        return None;
    }
    let probe = Probe {
        initial_delay: initial_delay?.value,
        interval: interval?.value,
        timeout: timeout?.value,
        failure_threshold: failure_threshold?.value,
        success_threshold: success_threshold?.value,
        network: network?.value,
    };
    Some((probe, way?))
}

/// Reads how it is made: in exactly one way.
fn way(table: &mut Table<'_, '_, '_>, network: Option<&At<bool>>) -> Option<Way> {
    let given: Vec<&str> = WAYS.into_iter().filter(|way| table.gives(way)).collect();
    let max_age = table.duration("max_age");
    let [way] = given[..] else {
        let sound = table.sound();
        let path = table.full("");
        let path = path.trim_end_matches(['.', '"']);
        let what = match given.len() {
            0 => format!("`{path}` does not say how to probe"),
            _ => format!("`{path}` says in {} ways how to probe", given.len()),
        };
        if sound || !given.is_empty() {
            let help = format!("write one of {}", quoted(&WAYS));
            let span = table.header();
            table.report().error(span, what, help);
        }
        return None;
    };
    if let (Some(age), true) = (&max_age, way != "file") {
        let what = format!("`{}` is of no use without file", table.full("max_age"));
        let span = age.span.clone().unwrap_or(table.header());
        table.report().error(span, what, "remove it".to_owned());
    }
    let networked = network.is_none_or(|network| network.value);
    match way {
        "exec" => table
            .other("exec", command::argv)
            .map(|argv| Way::Exec(argv.value)),
        "tcp" => {
            let target = table.other("tcp", target::tcp)?;
            reachable(table, "tcp", &target, &target.value, networked)?;
            Some(Way::Tcp(target.value))
        }
        "http" => {
            let url = table.other("http", target::http)?;
            reachable(table, "http", &url, &url.value.target, networked)?;
            Some(Way::Http(url.value))
        }
        _ => {
            let path = table.path("file")?.value;
            let Some(max_age) = max_age else {
                if !table.gives("max_age") {
                    let what = format!("`{}` is missing", table.full("max_age"));
                    let span = table.header();
                    let help = "add a line such as max_age = \"60s\"".to_owned();
                    table.report().error(span, what, help);
                }
                return None;
            };
            let max_age = max_age.value;
            Some(Way::File { path, max_age })
        }
    }
}

/// What lies beyond this machine is asked only if its owner says that this is meant.
fn reachable<T>(
    table: &mut Table<'_, '_, '_>,
    name: &str,
    at: &At<T>,
    target: &Target,
    networked: bool,
) -> Option<()> {
    if networked || target.is_here() {
        return Some(());
    }
    let what = format!(
        "`{}` names an address beyond this machine",
        table.full(name)
    );
    let help =
        "probe the service itself, at 127.0.0.1, [::1] or a Unix socket; if it is to depend on \
                the network, write network = true"
            .to_owned();
    let span = at.span.clone().unwrap_or(table.header());
    table.report().error(span, what, help);
    None
}
