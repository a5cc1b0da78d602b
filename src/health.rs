//! What the health endpoint tells: pages made of a status report.
//!
//! Pure: a report in, whether all is as the page asks for and its text out. None of it depends on the
//! network: a network that is gone is no ill health of this machine.
//!
//! Never decides anything; what it calls bad, a policy has called bad before.

mod exposition;
mod metrics;
mod table;

pub use exposition::{Kind, Metric};
pub use metrics::{Own, metrics};
pub use table::METRICS;

use crate::status::Status;
use std::fmt::Write;

/// Whether the core's loop turns. There is a report, so it does.
pub fn livez(status: &Status, verbose: bool) -> (bool, String) {
    let mut text = String::new();
    if verbose {
        text.push_str("[+]core ok\n");
        for late in &status.late_threads {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "[-]thread {} late", late.thread);
        }
    }
    text.push_str("ok\n");
    (true, text)
}

/// Whether the services that count are up, and nothing is being ended. Not while the daemon knows only
/// a part of what it is to run: nobody can tell then what is missing.
pub fn readyz(status: &Status, verbose: bool) -> (bool, String) {
    let unready = status.unready();
    let running = status.phase == "running";
    let mut text = String::new();
    if verbose {
        let mark = if running { "[+]" } else { "[-]" };
        let _ = writeln!(text, "{mark}phase {}", status.phase);
    }
    for name in &unready {
        let _ = writeln!(text, "[-]service {name} not ready");
    }
    let daemon = &status.daemon;
    let safe_mode = daemon.stand_in.as_ref().filter(|by| by.is_safe_mode());
    if safe_mode.is_some() {
        text.push_str("[-]safe mode: the configuration cannot be used, no service is started\n");
    }
    if let Some(daemons) = daemon.safe_after {
        let _ = writeln!(
            text,
            "[-]safe start after {daemons} daemons that broke off: drop-ins are left out"
        );
    }
    let whole = safe_mode.is_none() && daemon.safe_after.is_none();
    let good = running && whole && unready.is_empty();
    text.push_str(match good {
        true => "ok\n",
        false if !running => "not ready: the end has begun\n",
        false => "not ready\n",
    });
    (good, text)
}

/// Whether nothing is critical. What is merely degraded goes on to work.
pub fn healthz(status: &Status, verbose: bool) -> (bool, String) {
    let mut text = String::new();
    if verbose {
        for (subject, verdict) in verdicts(status) {
            let mark = match verdict {
                "ok" => "[+]",
                "critical" => "[-]",
                _ => "[~]",
            };
            let _ = writeln!(text, "{mark}{subject} {verdict}");
        }
    }
    let _ = writeln!(text, "{}", status.headline);
    (status.verdict != "critical", text)
}

/// What there is a verdict about, each with its verdict.
fn verdicts(status: &Status) -> Vec<(&'static str, &str)> {
    let v = &status.verdicts;
    let all = [
        ("watchdog", Some(&v.watchdog)),
        ("services", Some(&v.services)),
        ("jobs", v.jobs.as_ref()),
        ("power", v.power.as_ref()),
        ("temperature", Some(&v.temperature)),
        ("throttle", v.throttle.as_ref()),
        ("memory", Some(&v.memory)),
        ("load", Some(&v.load)),
        ("storage", Some(&v.storage)),
        ("clock", Some(&v.clock)),
        ("led", v.led.as_ref()),
        ("daemon", Some(&v.daemon)),
        ("threads", Some(&v.threads)),
    ];
    let known = all
        .into_iter()
        .filter_map(|(name, verdict)| Some((name, verdict?)));
    known
        .map(|(name, verdict)| (name, verdict.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ServiceStatus, StandInStatus, Verdicts};

    fn status(verdict: &str, phase: &str) -> Status {
        Status {
            verdict: verdict.to_owned(),
            headline: format!("{verdict}: so it is"),
            phase: phase.to_owned(),
            verdicts: Verdicts {
                watchdog: "ok".to_owned(),
                services: verdict.to_owned(),
                clock: "unknown".to_owned(),
                ..Verdicts::default()
            },
            ..Status::default()
        }
    }

    /// Only what is critical is ill; every verdict that there is can be shown.
    #[test]
    fn ill_is_what_is_critical() {
        for (verdict, good) in [
            ("ok", true),
            ("unknown", true),
            ("warn", true),
            ("critical", false),
        ] {
            let (told, text) = healthz(&status(verdict, "running"), false);
            assert_eq!((told, text), (good, format!("{verdict}: so it is\n")));
        }
        let (_, text) = healthz(&status("critical", "running"), true);
        assert!(
            text.starts_with("[+]watchdog ok\n[-]services critical\n"),
            "{text}"
        );
        assert!(text.contains("[~]clock unknown\n"), "{text}");
        assert!(!text.contains("power"), "{text}");
    }

    /// A machine whose end has begun is not ready, and is alive.
    #[test]
    fn an_end_is_alive_and_not_ready() {
        assert_eq!(
            readyz(&status("ok", "running"), false),
            (true, "ok\n".into())
        );
        let mut ends = status("ok", "halting");
        assert!(!readyz(&ends, false).0);
        assert_eq!(livez(&ends, false), (true, "ok\n".into()));
        ends.phase = "running".to_owned();
        ends.services = vec![ServiceStatus {
            name: "web".to_owned(),
            state: "starting".to_owned(),
            wish: "run".to_owned(),
            ..ServiceStatus::default()
        }];
        let (good, text) = readyz(&ends, true);
        assert!(!good);
        assert_eq!(
            text,
            "[+]phase running\n[-]service web not ready\nnot ready\n"
        );
    }

    /// Who knows a part of the services only is not ready; a copy knows all of them.
    #[test]
    fn who_knows_a_part_only_is_not_ready() {
        let by = |goes_by: &str, taken: Option<&str>| {
            Some(StandInStatus {
                goes_by: goes_by.to_owned(),
                taken: taken.map(str::to_owned),
                problem: "f.toml:1: no".to_owned(),
            })
        };
        let mut board = status("ok", "running");
        board.daemon.stand_in = by("copy", Some("2026-11-27"));
        assert!(readyz(&board, false).0);
        board.daemon.stand_in = by("safe-mode", None);
        assert_eq!(
            readyz(&board, false),
            (
                false,
                "[-]safe mode: the configuration cannot be used, no service is started\n\
                 not ready\n"
                    .to_owned()
            )
        );
        board.daemon.stand_in = None;
        board.daemon.safe_after = Some(3);
        assert_eq!(
            readyz(&board, false),
            (
                false,
                "[-]safe start after 3 daemons that broke off: drop-ins are left out\nnot ready\n"
                    .to_owned()
            )
        );
        assert!(livez(&board, false).0 && healthz(&board, false).0);
    }
}
