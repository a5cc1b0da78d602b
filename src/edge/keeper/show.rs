//! Reads what `systemctl show` says of units.
//!
//! A unit that went down may have been *told to*, if it left its active state before its main process
//! ended, or left being down after that and is down again: systemd notes the times. One that ends by
//! itself ends first, and systemd finds out then. What systemd itself ends for a fault of the unit (its
//! watchdog, memory) is no wish of anybody. The journal has the last word: `doubt.rs`.
//! Source: systemd 252, src/core/service.c (`service_set_state`, `service_sigchld_event`,
//! `service_enter_dead`, `service_stop`) and src/core/unit.c (`unit_notify`); the names of
//! states: systemctl(1), `--state=help`.

use super::span::span;
use crate::core::fact::{Exit, Health, Life, Obstacle, Pid, Standing};
use std::collections::BTreeMap;

/// The properties that are asked for.
pub(super) const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,InvocationID,MainPID,\
    ControlPID,NRestarts,Job,ExecMainCode,ExecMainStatus,ExecMainStartTimestampMonotonic,\
    ExecMainExitTimestampMonotonic,ActiveEnterTimestampMonotonic,ActiveExitTimestampMonotonic,\
    InactiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic,ControlGroup,Slice,\
    TimeoutStopUSec";

/// What is known of a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub standing: Standing,
    /// It is marked as failed, and may have been started too often for systemd's taste.
    pub failed: bool,
    /// systemd has forgotten all about its latest life: it lets go of units that are down, have not
    /// failed, and are named by no other unit.
    pub blank: bool,
    /// It is down, and perhaps somebody has stopped it: the journal tells.
    pub doubtful: bool,
    /// When it went down, by systemd's clock.
    pub end: u64,
    /// Its control group below the root of all groups, while it has one.
    pub group: Option<String>,
    /// The slice that its group is or will be in, and the name of that group.
    pub slice: String,
    pub id: String,
}

/// The properties of one unit.
struct Properties<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Properties<'a> {
    fn text(&self, key: &str) -> &'a str {
        self.0.get(key).copied().unwrap_or_default()
    }

    fn number(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or(0)
    }

    fn pid(&self, key: &str) -> Option<Pid> {
        Pid::new(u32::try_from(self.number(key)).ok()?)
    }
}

/// What was said of each unit, in the order in which they were asked for; `None` if it was not said of
/// all of them. `first`: a process of this control group.
pub(super) fn seen(
    text: &str,
    units: usize,
    first: impl Fn(&str) -> Option<Pid>,
) -> Option<Vec<Seen>> {
    let blocks = text.split("\n\n").map(str::trim).filter(|b| !b.is_empty());
    let seen: Vec<Seen> = blocks
        .filter_map(|block| {
            let pairs = block.lines().filter_map(|line| line.split_once('='));
            one(&Properties(pairs.collect()), &first)
        })
        .collect();
    (seen.len() == units).then_some(seen)
}

fn one(of: &Properties<'_>, first: &impl Fn(&str) -> Option<Pid>) -> Option<Seen> {
    let group = Some(of.text("ControlGroup")).filter(|group| group.starts_with('/'));
    let slice = match of.text("Slice") {
        "" => "system.slice",
        slice => slice,
    };
    let standing = standing(of, || first(group?))?;
    let blank = of.number("ExecMainStartTimestampMonotonic") == 0;
    Some(Seen {
        failed: of.text("ActiveState") == "failed",
        doubtful: matches!(standing, Standing::Down { told, .. } if told || blank),
        blank,
        end: of.number("InactiveEnterTimestampMonotonic"),
        standing,
        group: group.map(str::to_owned),
        slice: slice.to_owned(),
        id: of.text("Id").to_owned(),
    })
}

fn standing(of: &Properties<'_>, first: impl Fn() -> Option<Pid>) -> Option<Standing> {
    let sub = of.text("SubState");
    Some(match of.text("ActiveState") {
        "active" | "reloading" | "refreshing" => match of.pid("MainPID").or_else(first) {
            Some(pid) => Standing::Up {
                life: life(of.text("InvocationID")),
                pid,
                again: u32::try_from(of.number("NRestarts")).unwrap_or(u32::MAX),
                health: Health::Untold,
                patience: span(of.text("TimeoutStopUSec")),
            },
            None => Standing::Down {
                exit: Exit::Unknown,
                told: false,
                obstacle: Some(Obstacle::NoProcess),
            },
        },
        "activating" if sub.starts_with("auto-restart") => Standing::Coming {
            pid: None,
            after: Some(exit(of)),
        },
        "activating" => Standing::Coming {
            after: None,
            pid: of.pid("MainPID").or_else(|| of.pid("ControlPID")),
        },
        "deactivating" | "maintenance" => Standing::Going,
        // It passes through these on its way to being started again, and a job is its start.
        "inactive" | "failed" if sub.ends_with("before-auto-restart") || of.number("Job") > 0 => {
            Standing::Coming {
                pid: None,
                after: sub.ends_with("before-auto-restart").then(|| exit(of)),
            }
        }
        "inactive" | "failed" => Standing::Down {
            exit: exit(of),
            told: was_told(of),
            obstacle: obstacle(of.text("LoadState")),
        },
        _ => return None,
    })
}

/// A random number of 128 bits, of which half is enough to tell two of them apart.
fn life(invocation: &str) -> Life {
    let half = invocation.get(..16).unwrap_or_default();
    Life(u64::from_str_radix(half, 16).unwrap_or(0))
}

fn obstacle(load: &str) -> Option<Obstacle> {
    match load {
        "loaded" | "merged" | "stub" => None,
        "not-found" => Some(Obstacle::Missing),
        "masked" => Some(Obstacle::Masked),
        _ => Some(Obstacle::Broken),
    }
}

/// How its main process ended: `CLD_EXITED`, `CLD_KILLED` and `CLD_DUMPED`, with what belongs to it.
fn exit(of: &Properties<'_>) -> Exit {
    let status = u8::try_from(of.number("ExecMainStatus"));
    match (of.text("ExecMainCode"), status) {
        ("1", Ok(code)) => Exit::Code(code),
        ("2" | "3", Ok(signal)) => Exit::Signal(signal),
        _ => Exit::Unknown,
    }
}

/// As far as the times tell, it was told to end.
fn was_told(of: &Properties<'_>) -> bool {
    // One that takes too long to end when it is told to is killed, and its result is `timeout`.
    let fault = [
        "watchdog",
        "oom-kill",
        "resources",
        "protocol",
        "start-limit-hit",
    ];
    if fault.contains(&of.text("Result")) {
        return false;
    }
    let at = |key| of.number(key);
    let (began, ended) = (
        at("ExecMainStartTimestampMonotonic"),
        at("ExecMainExitTimestampMonotonic"),
    );
    let (up, left) = (
        at("ActiveEnterTimestampMonotonic"),
        at("ActiveExitTimestampMonotonic"),
    );
    let while_up = began <= left && left < ended;
    // It never came up, and was ended by TERM: a stop does that, or systemd if it took too long.
    let patient = of.text("Result") == "success";
    let before_up = began > up && exit(of) == Exit::Signal(15) && patient;
    // It had ended and was to be started again (`auto-restart`), and is down with no other life.
    let waited = of.text("ActiveState") == "inactive"
        && ended > 0
        && at("InactiveExitTimestampMonotonic") > ended;
    began > 0 && (while_up || before_up || waited)
}

/// What the newest job of each unit was, as systemd has told the journal: true for one that stopped it.
/// The newest lines come first.
pub(super) fn stopped(text: &str) -> BTreeMap<String, bool> {
    let mut stopped = BTreeMap::new();
    for line in text.lines() {
        let fields: Option<BTreeMap<String, serde_json::Value>> = serde_json::from_str(line).ok();
        let text = |key: &str| Some(fields.as_ref()?.get(key)?.as_str()?.to_owned());
        if let (Some(unit), Some(job)) = (text("UNIT"), text("JOB_TYPE")) {
            stopped.entry(unit).or_insert(job == "stop");
        }
    }
    stopped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd 252 says it, shortened.
    const UP: &str = "Id=web.service\nLoadState=loaded\nActiveState=active\nSubState=running\n\
        Result=success\nInvocationID=00000000000000ff1111111111111111\nMainPID=812\nControlPID=0\n\
        NRestarts=2\nExecMainCode=0\nExecMainStatus=0\nExecMainStartTimestampMonotonic=100\n\
        ExecMainExitTimestampMonotonic=0\nActiveEnterTimestampMonotonic=110\n\
        ActiveExitTimestampMonotonic=0\nControlGroup=/system.slice/web.service\n\
        Slice=system.slice\nTimeoutStopUSec=1min 30s\n";

    fn with(changes: &[(&str, &str)]) -> Seen {
        let mut lines: Vec<String> = UP.lines().map(str::to_owned).collect();
        for (key, value) in changes {
            lines.retain(|line| !line.starts_with(&format!("{key}=")));
            lines.push(format!("{key}={value}"));
        }
        let text = lines.join("\n");
        seen(&text, 1, |_| None).unwrap().remove(0)
    }

    fn down(changes: &[(&str, &str)]) -> (Exit, bool, Option<Obstacle>) {
        let mut all = vec![
            ("ActiveState", "inactive"),
            ("SubState", "dead"),
            ("MainPID", "0"),
        ];
        all.extend_from_slice(changes);
        match with(&all).standing {
            Standing::Down {
                exit,
                told,
                obstacle,
            } => (exit, told, obstacle),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_runs_is_up() {
        let web = with(&[]);
        let pid = Pid::new(812).unwrap();
        let up = Standing::Up {
            life: Life(255),
            pid,
            again: 2,
            health: Health::Untold,
            patience: Some(std::time::Duration::from_secs(90)),
        };
        assert_eq!(web.standing, up);
        assert_eq!(web.group.as_deref(), Some("/system.slice/web.service"));
        let two = format!("{UP}\n{UP}");
        assert_eq!(seen(&two, 2, |_| None).unwrap().len(), 2);
        assert_eq!(seen(&two, 3, |_| None), None);
        assert_eq!(seen("", 1, |_| None), None);
        assert_eq!(seen("ActiveState=happy\n", 1, |_| None), None);
    }

    /// A unit without a main process is as alive as any other, and one without any is not watched.
    #[test]
    fn a_process_of_the_group_will_do() {
        let text = UP.replace("MainPID=812", "MainPID=0");
        let found = seen(&text, 1, |group| {
            assert_eq!(group, "/system.slice/web.service");
            Pid::new(900)
        });
        let found = found.unwrap().remove(0).standing;
        assert!(matches!(found, Standing::Up { pid, .. } if pid.number() == 900));
        let none = with(&[("MainPID", "0"), ("SubState", "exited")]).standing;
        let Standing::Down { obstacle, .. } = none else {
            panic!("{none:?}")
        };
        assert_eq!(obstacle, Some(Obstacle::NoProcess));
    }

    /// The order of the two times tells a stop from an end of its own.
    #[test]
    fn who_ended_it() {
        let of = |left, ended, code, status, result| {
            down(&[
                ("ActiveExitTimestampMonotonic", left),
                ("ExecMainExitTimestampMonotonic", ended),
                ("ExecMainCode", code),
                ("ExecMainStatus", status),
                ("Result", result),
            ])
        };
        let told = (Exit::Signal(15), true, None);
        assert_eq!(of("200", "210", "2", "15", "success"), told);
        assert_eq!(
            of("200", "210", "1", "0", "success"),
            (Exit::Code(0), true, None)
        );
        assert_eq!(
            of("200", "210", "2", "9", "timeout"),
            (Exit::Signal(9), true, None)
        );
        assert_eq!(
            of("210", "200", "1", "0", "success"),
            (Exit::Code(0), false, None)
        );
        assert_eq!(
            of("210", "210", "1", "3", "exit-code"),
            (Exit::Code(3), false, None)
        );
        assert_eq!(
            of("210", "200", "3", "11", "core-dump"),
            (Exit::Signal(11), false, None)
        );
        let bitten = (Exit::Signal(6), false, None);
        assert_eq!(of("200", "210", "2", "6", "watchdog"), bitten);
    }

    /// A life that never came up has an earlier one's times beside its own.
    #[test]
    fn one_that_never_came_up_was_not_told() {
        let young = |code, status| {
            down(&[
                ("ActiveExitTimestampMonotonic", "200"),
                ("ExecMainStartTimestampMonotonic", "300"),
                ("ExecMainExitTimestampMonotonic", "310"),
                ("ExecMainCode", code),
                ("ExecMainStatus", status),
            ])
        };
        assert_eq!(young("1", "203"), (Exit::Code(203), false, None));
        assert_eq!(young("2", "15"), (Exit::Signal(15), true, None));
        // It did not say in time that it is ready.
        let late = down(&[
            ("ActiveState", "failed"),
            ("SubState", "failed"),
            ("ActiveExitTimestampMonotonic", "200"),
            ("ExecMainStartTimestampMonotonic", "300"),
            ("ExecMainExitTimestampMonotonic", "310"),
            ("ExecMainCode", "2"),
            ("ExecMainStatus", "15"),
            ("Result", "timeout"),
        ]);
        assert_eq!(late, (Exit::Signal(15), false, None));
        let never = down(&[("ExecMainStartTimestampMonotonic", "0")]);
        assert_eq!(never, (Exit::Unknown, false, None));
    }

    /// It crashed and waited to be started again: a stop of that shows by when it left being down last.
    #[test]
    fn one_that_waited_to_be_started_again_was_told() {
        let of = |active, left_being_down| {
            let seen = with(&[
                ("ActiveState", active),
                ("SubState", "dead"),
                ("MainPID", "0"),
                ("Result", "exit-code"),
                ("ExecMainExitTimestampMonotonic", "200"),
                ("ExecMainCode", "1"),
                ("ExecMainStatus", "3"),
                ("ActiveExitTimestampMonotonic", "201"),
                ("InactiveEnterTimestampMonotonic", "320"),
                ("InactiveExitTimestampMonotonic", left_being_down),
            ]);
            let Standing::Down { exit, told, .. } = seen.standing else {
                panic!("{seen:?}")
            };
            assert_eq!((exit, seen.end), (Exit::Code(3), 320));
            assert_eq!(seen.doubtful, told);
            told
        };
        assert!(of("inactive", "202"));
        // It left being down for the life that has ended, as any other.
        assert!(!of("inactive", "100"));
        // It was started again too often.
        assert!(!of("failed", "202"));
    }

    /// Of the lines that the journal has of a unit the newest counts, and nonsense counts for nothing.
    #[test]
    fn the_newest_job_tells() {
        let text = "{\"UNIT\":\"a.service\",\"JOB_TYPE\":\"stop\",\"_BOOT_ID\":\"x\"}\nnonsense\n\
            {\"UNIT\":\"b.service\",\"JOB_TYPE\":\"start\"}\n{\"UNIT\":7,\"JOB_TYPE\":\"stop\"}\n\
            {\"UNIT\":\"a.service\",\"JOB_TYPE\":\"start\"}\n";
        let all = [
            ("a.service".to_owned(), true),
            ("b.service".to_owned(), false),
        ];
        assert_eq!(stopped(text), BTreeMap::from(all));
    }

    #[test]
    fn what_is_on_its_way() {
        let coming = |after| Standing::Coming { pid: None, after };
        let again = coming(Some(Exit::Unknown));
        let of = |active, sub, job| {
            with(&[("ActiveState", active), ("SubState", sub), ("Job", job)]).standing
        };
        assert_eq!(of("activating", "auto-restart", "7"), again);
        assert_eq!(of("activating", "auto-restart-queued", "0"), again);
        assert_eq!(of("failed", "failed-before-auto-restart", "0"), again);
        assert_eq!(of("inactive", "dead", "7"), coming(None));
        let pid = Pid::new(812);
        let started = Standing::Coming { pid, after: None };
        assert_eq!(of("activating", "start", "7"), started);
        assert_eq!(of("deactivating", "stop-sigterm", "7"), Standing::Going);
    }

    #[test]
    fn what_cannot_be_started() {
        let of = |load| down(&[("LoadState", load)]).2;
        assert_eq!(of("loaded"), None);
        assert_eq!(of("not-found"), Some(Obstacle::Missing));
        assert_eq!(of("masked"), Some(Obstacle::Masked));
        assert_eq!(of("bad-setting"), Some(Obstacle::Broken));
    }
}
