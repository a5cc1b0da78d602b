//! Reads what an engine says of one container.
//!
//! Source: Docker Engine API v1.41, `ContainerInspect`; Podman 4.3 answers it with its own words for
//! some states (libpod/define/containerstate.go).

use crate::core::fact::{Exit, Health, Life, Obstacle, Pid, Standing};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Exit codes of a program that a signal has ended: 128 and the number of the signal.
const BY_SIGNAL: u8 = 128;

/// In seconds: what an engine gives a container to end where nothing else is said.
const STOP_TIMEOUT: i64 = 10;

/// The largest number of a signal.
const LAST_SIGNAL: u8 = 64;

/// What is known of a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// How it stands. Of one that is down nobody knows yet whether somebody has stopped it.
    pub standing: Standing,
    /// Its number there.
    pub id: String,
    /// The signal that asks it to end.
    pub stop_signal: String,
    /// Seconds that it has to do so when somebody stops it.
    pub stop_timeout: u32,
    /// The engine itself may start it again, by this rule.
    pub policy: Option<String>,
    /// It is frozen.
    pub paused: bool,
    /// The kernel has killed something of it for want of memory.
    pub out_of_memory: bool,
    /// When its latest life began and ended.
    pub began: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

impl Seen {
    /// It had a life, and that is over: whether somebody ended it is to be asked.
    pub fn has_ended(&self) -> bool {
        matches!(self.standing, Standing::Down { obstacle: None, .. }) && self.ended.is_some()
    }

    /// It has ended as those do that are told to: well, or by a signal that asks for it.
    pub fn may_be_stopped(&self) -> bool {
        let asks = [2, 3, 9, 15];
        match self.standing {
            Standing::Down { exit, .. } => match exit {
                Exit::Code(code) => code == 0,
                Exit::Signal(signal) => asks.contains(&signal),
                Exit::Unknown => true,
            },
            _ => false,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspect {
    id: String,
    state: State,
    #[serde(default)]
    restart_count: u32,
    #[serde(default)]
    host_config: HostConfig,
    #[serde(default)]
    config: Config,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default)]
    pid: u32,
    #[serde(default)]
    exit_code: i64,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    started_at: Option<String>,
    finished_at: Option<String>,
    health: Option<Check>,
    healthcheck: Option<Check>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    status: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    restart_policy: Option<Policy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Config {
    /// A name or a number, and Podman may not quote the number.
    stop_signal: Option<Value>,
    /// In seconds; less than none for no end.
    stop_timeout: Option<i64>,
}

/// What an answer says; `None` if it cannot be understood.
pub(super) fn seen(text: &[u8]) -> Option<Seen> {
    let all: Inspect = serde_json::from_slice(text).ok()?;
    let policy = all
        .host_config
        .restart_policy
        .and_then(|policy| policy.name);
    let policy = policy.filter(|name| !matches!(name.as_str(), "" | "no" | "none"));
    let time = |text: &Option<String>| {
        let time: Timestamp = text.as_ref()?.parse().ok()?;
        // One that never was stands for none.
        (time > Timestamp::UNIX_EPOCH).then_some(time)
    };
    let began = time(&all.state.started_at);
    let life = life(&all.id, all.state.started_at.as_deref().unwrap_or_default());
    Some(Seen {
        standing: standing(&all.state, life, all.restart_count)?,
        id: all.id,
        stop_signal: signal(all.config.stop_signal.as_ref()),
        stop_timeout: patience(all.config.stop_timeout),
        policy,
        paused: all.state.status == "paused",
        out_of_memory: all.state.oom_killed,
        began,
        ended: time(&all.state.finished_at).filter(|_| began.is_some()),
    })
}

fn standing(state: &State, life: Life, again: u32) -> Option<Standing> {
    let down = |obstacle| Standing::Down {
        exit: exit(state.exit_code),
        told: false,
        obstacle,
    };
    Some(match state.status.as_str() {
        "running" => match Pid::new(state.pid) {
            Some(pid) => Standing::Up {
                life,
                pid,
                again,
                health: health(state),
                patience: None,
            },
            None => Standing::Coming {
                pid: None,
                after: None,
            },
        },
        "restarting" => Standing::Coming {
            pid: None,
            after: Some(exit(state.exit_code)),
        },
        // Whoever freezes one does not want it to be used, and does not want it restarted for that.
        "paused" => Standing::Down {
            exit: Exit::Unknown,
            told: true,
            obstacle: Some(Obstacle::Paused),
        },
        "stopping" | "removing" => Standing::Going,
        "created" | "configured" | "initialized" | "exited" | "stopped" => down(None),
        "dead" => down(Some(Obstacle::Broken)),
        _ => return None,
    })
}

/// What its HEALTHCHECK has found. Podman has said it under another name.
fn health(state: &State) -> Health {
    let check = state.health.as_ref().or(state.healthcheck.as_ref());
    match check.and_then(|check| check.status.as_deref()) {
        Some("starting") => Health::Awaited,
        Some("healthy") => Health::Well,
        Some("unhealthy") => Health::Ill,
        Some(_) | None => Health::Untold,
    }
}

/// Its number and the time of its start (FNV-1a of 64 bits): enough to tell two of them apart.
fn life(id: &str, began: &str) -> Life {
    let bytes = id.bytes().chain([0]).chain(began.bytes());
    Life(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

fn exit(code: i64) -> Exit {
    match u8::try_from(code) {
        Ok(code) if code > BY_SIGNAL && code <= BY_SIGNAL + LAST_SIGNAL => {
            Exit::Signal(code - BY_SIGNAL)
        }
        Ok(code) => Exit::Code(code),
        Err(_) => Exit::Unknown,
    }
}

fn patience(given: Option<i64>) -> u32 {
    let given = given.unwrap_or(STOP_TIMEOUT);
    u32::try_from(given).unwrap_or(u32::MAX)
}

/// A signal as the engine itself may be told it: nothing but letters, digits and signs.
fn signal(given: Option<&Value>) -> String {
    let text = match given {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-".contains(c);
    let usable = !matches!(text.as_str(), "" | "0") && text.len() <= 16 && text.chars().all(plain);
    match usable {
        // A sign would be read as a space.
        true => text.replace('+', "%2B"),
        false => "SIGTERM".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Docker 20.10 says it, shortened.
    const UP: &str = r#"{"Id":"4d4f","Created":"2026-11-27T10:00:00Z","Path":"sleep","State":{
        "Status":"running","Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,
        "Dead":false,"Pid":812,"ExitCode":0,"Error":"","StartedAt":"2026-11-27T10:00:01.5Z",
        "FinishedAt":"0001-01-01T00:00:00Z"},"Name":"/web","RestartCount":2,"HostConfig":{
        "Binds":null,"RestartPolicy":{"Name":"no","MaximumRetryCount":0}},"Config":{
        "StopSignal":"SIGQUIT"}}"#;

    fn with(changes: &[(&str, &str)]) -> Seen {
        let text = changes
            .iter()
            .fold(UP.to_owned(), |text, (old, new)| text.replacen(old, new, 1));
        seen(text.as_bytes()).unwrap()
    }

    fn status(word: &str) -> Standing {
        with(&[("\"running\"", &format!("\"{word}\""))]).standing
    }

    #[test]
    fn what_runs_is_up() {
        let web = with(&[]);
        let Standing::Up {
            life,
            pid,
            again,
            health,
            ..
        } = web.standing
        else {
            panic!("{web:?}")
        };
        assert_eq!((pid.number(), again, health), (812, 2, Health::Untold));
        assert_eq!((web.stop_signal.as_str(), web.policy), ("SIGQUIT", None));
        assert!(web.began.is_some() && web.ended.is_none());
        let other = with(&[("10:00:01.5Z", "10:00:01.6Z")]).standing;
        assert!(matches!(other, Standing::Up { life: other, .. } if other != life));
        let always = with(&[("\"no\"", "\"always\"")]);
        assert_eq!(always.policy.as_deref(), Some("always"));
    }

    /// One without a HEALTHCHECK has no health, or an empty one.
    #[test]
    fn how_healthy_it_is() {
        let of = |text: &str| {
            let seen = with(&[("\"Dead\"", &format!("{text},\"Dead\""))]);
            match seen.standing {
                Standing::Up { health, .. } => health,
                other => panic!("{other:?}"),
            }
        };
        let docker = |word: &str| of(&format!(r#""Health":{{"Status":"{word}","Log":null}}"#));
        assert_eq!(docker("starting"), Health::Awaited);
        assert_eq!(docker("healthy"), Health::Well);
        assert_eq!(docker("unhealthy"), Health::Ill);
        assert_eq!(docker("none"), Health::Untold);
        assert_eq!(docker(""), Health::Untold);
        assert_eq!(of("\"Health\":null"), Health::Untold);
        assert_eq!(of(r#""Healthcheck":{"Status":"healthy"}"#), Health::Well);
    }

    #[test]
    fn words_of_both_engines() {
        let coming = |after| Standing::Coming { pid: None, after };
        assert!(matches!(
            status("restarting"),
            Standing::Coming {
                pid: None,
                after: Some(_)
            }
        ));
        assert_eq!(with(&[("812", "0")]).standing, coming(None));
        assert_eq!(status("stopping"), Standing::Going);
        for word in ["created", "configured", "initialized", "exited", "stopped"] {
            let down = Standing::Down {
                exit: Exit::Code(0),
                told: false,
                obstacle: None,
            };
            assert_eq!(status(word), down, "{word}");
        }
        let obstacle = |word| match status(word) {
            Standing::Down { obstacle, told, .. } => (obstacle, told),
            other => panic!("{other:?}"),
        };
        assert_eq!(obstacle("paused"), (Some(Obstacle::Paused), true));
        assert_eq!(obstacle("dead"), (Some(Obstacle::Broken), false));
    }

    /// Docker tells the signal that ended a program in its exit code.
    #[test]
    fn how_it_ended() {
        let of = |code: &str| {
            let seen = with(&[
                ("\"running\"", "\"exited\""),
                ("\"ExitCode\":0", &format!("\"ExitCode\":{code}")),
                ("0001-01-01T00:00:00Z", "2026-11-27T11:00:01.5+01:00"),
            ]);
            assert!(seen.has_ended() && seen.ended == seen.began);
            match seen.standing {
                Standing::Down { exit, .. } => exit,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of("3"), Exit::Code(3));
        assert_eq!(of("128"), Exit::Code(128));
        assert_eq!(of("137"), Exit::Signal(9));
        assert_eq!(of("255"), Exit::Code(255));
        assert_eq!(of("-1"), Exit::Unknown);
        assert_eq!(of("4294967296"), Exit::Unknown);
    }

    #[test]
    fn how_long_it_may_take_to_end() {
        let of = |given: &str| with(&[("\"StopSignal\"", given)]).stop_timeout;
        assert_eq!(of("\"StopSignal\""), 10);
        assert_eq!(of("\"StopTimeout\":null,\"StopSignal\""), 10);
        assert_eq!(of("\"StopTimeout\":90,\"StopSignal\""), 90);
        assert_eq!(of("\"StopTimeout\":-1,\"StopSignal\""), u32::MAX);
    }

    /// What goes back to the engine as a part of a question is a plain word.
    #[test]
    fn signals_are_plain() {
        let of = |text: &str| with(&[("\"SIGQUIT\"", text)]).stop_signal;
        assert_eq!(of("15"), "15");
        assert_eq!(of("\"SIGRTMIN+3\""), "SIGRTMIN%2B3");
        for nonsense in ["null", "0", "\"\"", "\"A B\"", "\"x&y=z\"", "[1]"] {
            assert_eq!(of(nonsense), "SIGTERM", "{nonsense}");
        }
    }

    #[test]
    fn nonsense_is_nothing() {
        for text in ["", "{}", "[]", "{\"Id\":\"x\",\"State\":{}}", "null"] {
            assert_eq!(seen(text.as_bytes()), None, "{text}");
        }
        let happy = UP.replace("\"running\"", "\"happy\"");
        assert_eq!(seen(happy.as_bytes()), None);
    }
}
