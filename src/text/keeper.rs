//! Services whose process somebody else keeps, in words.

use super::describe::{Fields, Value, cause, count};
use super::quantity::{for_people, seconds};
use super::sentence::fault_sentence;
use super::words::{exit, fault, flag, health_word, obstacle_word};
use crate::core::fact::{Health, Obstacle, Standing};
use crate::core::note::KeeperNote;
use crate::core::settings::{Engine, Keeper};
use std::time::Duration;

/// Who keeps it: `systemd`, `docker` or `podman`.
pub fn keeper_word(keeper: &Keeper) -> &'static str {
    match keeper {
        Keeper::Systemd { .. } => "systemd",
        Keeper::Engine { engine, .. } => match engine {
            Engine::Docker => "docker",
            Engine::Podman => "podman",
        },
    }
}

/// What it is called there.
pub fn name_there(keeper: &Keeper) -> &str {
    match keeper {
        Keeper::Systemd { unit, .. } => unit,
        Keeper::Engine { container, .. } => container,
    }
}

/// The command that shows what it writes.
pub fn where_logs_are(keeper: &Keeper) -> String {
    let (by, name) = (keeper_word(keeper), name_there(keeper));
    match keeper {
        Keeper::Systemd { .. } => format!("journalctl -u {name}"),
        Keeper::Engine { .. } => format!("{by} logs {name}"),
    }
}

/// The command that shows how it stands there.
fn where_to_look(keeper: &Keeper) -> String {
    let (by, name) = (keeper_word(keeper), name_there(keeper));
    match keeper {
        Keeper::Systemd { .. } => format!("systemctl status {name}"),
        Keeper::Engine { .. } => format!("{by} inspect {name}"),
    }
}

/// Why it cannot be started, and what to do.
pub fn obstacle_sentence(keeper: &Keeper, obstacle: Obstacle) -> String {
    let (by, name) = (keeper_word(keeper), name_there(keeper));
    let unit = matches!(keeper, Keeper::Systemd { .. });
    match obstacle {
        Obstacle::Unseen => format!("{by} has not said yet how {name} stands"),
        Obstacle::Silent => format!("{by} does not say how {name} stands"),
        Obstacle::Ending => format!("{name} is still on its way down"),
        Obstacle::Missing if unit => {
            format!("{by} has no unit {name}: install what it belongs to, or correct `unit`")
        }
        Obstacle::Missing => {
            format!("{by} has no container {name}: make it, or correct `container`")
        }
        Obstacle::Masked => format!("{name} is masked: `systemctl unmask {name}`"),
        Obstacle::Paused => format!("{name} is paused: `{by} unpause {name}`"),
        Obstacle::Broken => {
            format!(
                "{by} cannot use {name}: `{}` says why",
                where_to_look(keeper)
            )
        }
        Obstacle::NoProcess => {
            format!("{name} is active without a process: only a unit that runs on can be kept")
        }
    }
}

/// It is to run, and waits for this.
pub(super) fn barred(name: &str, keeper: Option<&Keeper>, obstacle: Obstacle) -> String {
    let why = keeper.map(|keeper| obstacle_sentence(keeper, obstacle));
    format!("{name} waits: {}", why.unwrap_or_default())
}

/// A start that is under way for long.
pub(super) fn start_stuck(name: &str, keeper: &Keeper, waited: Duration) -> String {
    format!(
        "{name} has been starting for {} and has no process yet: `{}` says what it waits for",
        for_people(waited),
        where_to_look(keeper)
    )
}

/// A start that its keeper has refused.
pub(super) fn start_refused(name: &str, keeper: &Keeper) -> String {
    let (by, there) = (keeper_word(keeper), name_there(keeper));
    let why = match keeper {
        Keeper::Systemd { .. } => where_to_look(keeper),
        Keeper::Engine { .. } => format!("{by} start {there}"),
    };
    format!("start of {name} was refused by {by}: `{why}` says why")
}

/// Name and fields of a note; `service` is the first of them.
pub(super) fn describe(note: &KeeperNote, mut fields: Fields) -> (&'static str, Fields) {
    match note {
        KeeperNote::StoppedElsewhere => ("stopped-elsewhere", fields),
        KeeperNote::StartedElsewhere => ("started-elsewhere", fields),
        KeeperNote::RestartedElsewhere { failures } => {
            fields.push(("failures", count(*failures)));
            ("restarted-elsewhere", fields)
        }
        KeeperNote::KeeperSilent { why } => {
            fields.extend(cause(why));
            ("keeper-silent", fields)
        }
        KeeperNote::KeeperHeard => ("keeper-heard", fields),
        KeeperNote::Unhealthy { ended } => {
            fields.push(("ended", Value::Flag(*ended)));
            ("unhealthy", fields)
        }
        KeeperNote::Healthy => ("healthy", fields),
    }
}

/// A note about the service of this name, for people.
pub(super) fn sentence(name: &str, keeper: Option<&Keeper>, note: &KeeperNote) -> String {
    let by = keeper.map_or("its keeper", keeper_word);
    match note {
        KeeperNote::StoppedElsewhere => format!(
            "{name} was stopped by another, through {by}: it is left alone until `fieldwarden start \
             {name}`, or until it is started there"
        ),
        KeeperNote::StartedElsewhere => {
            format!("{name} was started by another, through {by}: it is kept up from now on")
        }
        KeeperNote::RestartedElsewhere { failures } => {
            let times = match failures {
                1 => "ended".to_owned(),
                n => format!("failed {n} times in a row"),
            };
            format!("{name} {times} and {by} itself starts it again: that counts as a restart")
        }
        KeeperNote::KeeperSilent { why } => format!(
            "{by} does not say how {name} stands ({}): nothing is decided about it",
            fault_sentence(why)
        ),
        KeeperNote::KeeperHeard => format!("{by} says again how {name} stands"),
        KeeperNote::Unhealthy { ended } => {
            let then = match ended {
                true => "ended and started again",
                false => "left running, as is configured",
            };
            format!("{by} finds {name} unhealthy: {then}")
        }
        KeeperNote::Healthy => format!("{by} finds {name} healthy again"),
    }
}

/// How it stands, as a fact: `up life=3f2a pid=812 again=0`.
pub(super) fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Up {
            life,
            pid,
            again,
            health,
            patience,
        } => {
            let (life, pid) = (life.0, pid.number());
            let health = match health {
                Health::Untold => String::new(),
                Health::Awaited | Health::Well | Health::Ill => {
                    format!(" health={}", health_word(*health))
                }
            };
            let patience = patience.map(|time| format!(" patience={}", seconds(time)));
            let patience = patience.unwrap_or_default();
            format!("up life={life:x} pid={pid} again={again}{health}{patience}")
        }
        Standing::Coming { pid, after } => {
            let pid = pid.map_or_else(|| "none".to_owned(), |pid| pid.number().to_string());
            let after = after.map(|how| format!(" {}", exit(how)));
            format!("coming pid={pid}{}", after.unwrap_or_default())
        }
        Standing::Going => "going".to_owned(),
        Standing::Down {
            exit: how,
            told,
            obstacle,
        } => format!(
            "down told={} obstacle={} {}",
            flag(*told),
            obstacle.map_or("none", obstacle_word),
            exit(*how)
        ),
        Standing::Unknown { why } => format!("unknown {}", fault(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::settings::Unhealthy;
    use crate::text::words::OBSTACLES;

    fn keeper() -> Keeper {
        Keeper::Systemd {
            unit: "web.service".into(),
            own_start: true,
            own_stop: true,
        }
    }

    fn container() -> Keeper {
        Keeper::Engine {
            engine: Engine::Podman,
            socket: "/run/podman/podman.sock".into(),
            container: "web-1".into(),
            unhealthy: Unhealthy::Restart,
        }
    }

    /// Each obstacle has a sentence that names the unit or the container, and what to do where
    /// something can be done.
    #[test]
    fn obstacles_are_told() {
        for (keeper, name) in [(keeper(), "web.service"), (container(), "web-1")] {
            let told: Vec<_> = OBSTACLES
                .iter()
                .map(|o| barred("shop", Some(&keeper), *o))
                .collect();
            assert!(told.iter().all(|text| text.contains(name)), "{told:?}");
        }
        let masked = barred("shop", Some(&keeper()), Obstacle::Masked);
        assert_eq!(
            masked,
            "shop waits: web.service is masked: `systemctl unmask web.service`"
        );
        let of = |obstacle| barred("shop", Some(&container()), obstacle);
        assert_eq!(
            of(Obstacle::Paused),
            "shop waits: web-1 is paused: `podman unpause web-1`"
        );
        assert_eq!(
            of(Obstacle::Missing),
            "shop waits: podman has no container web-1: make it, or correct `container`"
        );
        assert_eq!(
            of(Obstacle::Broken),
            "shop waits: podman cannot use web-1: `podman inspect web-1` says why"
        );
    }

    #[test]
    fn notes_name_the_keeper() {
        let by = |note| sentence("shop", Some(&keeper()), &note);
        assert!(by(KeeperNote::StoppedElsewhere).contains("by another, through systemd"));
        assert!(
            by(KeeperNote::RestartedElsewhere { failures: 1 }).contains("systemd itself starts it")
        );
        assert_eq!(
            start_refused("shop", &keeper()),
            "start of shop was refused by systemd: `systemctl status web.service` says why"
        );
        assert_eq!(
            start_refused("shop", &container()),
            "start of shop was refused by podman: `podman start web-1` says why"
        );
        let stuck = start_stuck("shop", &keeper(), Duration::from_secs(30));
        assert!(stuck.contains("has been starting for 30 s"), "{stuck}");
        assert_eq!(where_logs_are(&container()), "podman logs web-1");
    }
}
