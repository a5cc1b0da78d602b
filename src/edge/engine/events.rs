//! What an engine tells of itself: the questions for its events, and what they mean.
//!
//! Events are taken for news that something is to be looked at, and are asked for once more when a
//! container is down: then they tell whether somebody stopped it.
//! Source: Docker Engine API v1.41, `SystemEvents`; Podman 4.3, libpod/events/config.go.

use super::inspect::Seen;
use crate::core::settings::Engine;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A container may take so long to end after somebody has told it to. Docker's own patience is 10 s.
const STOPS_FOR: SignedDuration = SignedDuration::from_mins(10);

/// One whose signal is not told has to be followed by the end so soon to be the cause of it.
const SOON: i128 = 60_000_000_000;

/// Signals that end a container: HUP, INT, QUIT, KILL and TERM, as an engine writes them.
const ENDING: [&str; 9] = [
    "1", "2", "3", "9", "15", "SIGINT", "SIGQUIT", "SIGKILL", "SIGTERM",
];

/// What Docker is asked to tell. Podman is asked for all: it has other words for some.
const ACTIONS: [&str; 13] = [
    "create",
    "destroy",
    "die",
    "health_status",
    "kill",
    "oom",
    "pause",
    "rename",
    "restart",
    "start",
    "stop",
    "unpause",
    "update",
];

/// One event.
#[derive(Deserialize, Debug)]
pub(super) struct Event {
    #[serde(rename = "Action")]
    action: Option<String>,
    #[serde(rename = "Actor")]
    actor: Option<Actor>,
    #[serde(default, rename = "timeNano")]
    time: i64,
}

#[derive(Deserialize, Debug)]
struct Actor {
    #[serde(rename = "ID")]
    id: Option<String>,
    #[serde(rename = "Attributes")]
    attributes: Option<BTreeMap<String, String>>,
}

impl Event {
    /// What a line says, if it can be understood.
    pub fn read(line: &[u8]) -> Option<Event> {
        serde_json::from_slice(line).ok()
    }

    /// It is about the container of this number or this name.
    pub fn is_of(&self, id: Option<&str>, name: &str) -> bool {
        let Some(actor) = &self.actor else {
            return false;
        };
        let own = actor.id.as_deref().unwrap_or_default();
        let named = |key| self.attribute(key) == Some(name);
        // A name may be a number, or the beginning of one.
        id == Some(own) || named("name") || named("oldName") || own.starts_with(name)
    }

    /// It changes nothing of a container: something was run in one, or looked at.
    pub fn is_idle(&self) -> bool {
        let action = self.action.as_deref().unwrap_or_default();
        let idle = [
            "exec", "top", "attach", "detach", "resize", "archive", "export",
        ];
        idle.iter().any(|word| action.starts_with(word))
    }

    fn attribute(&self, key: &str) -> Option<&str> {
        let attributes = self.actor.as_ref()?.attributes.as_ref()?;
        attributes.get(key).map(String::as_str)
    }

    /// It is not of an earlier life.
    fn is_of_life(&self, seen: &Seen) -> bool {
        let began = seen.began.map(Timestamp::as_nanosecond);
        began.is_none_or(|began| i128::from(self.time) >= began)
    }

    /// Somebody told the container to end, and it did.
    fn ends(&self, seen: &Seen) -> bool {
        let nanos = |time: Option<Timestamp>| time.map(Timestamp::as_nanosecond);
        let time = i128::from(self.time);
        match self.action.as_deref() {
            Some("stop") => true,
            Some("kill") => match self.attribute("signal") {
                Some(signal) => ENDING.contains(&signal) || seen.stop_signal == signal,
                None => nanos(seen.ended).is_some_and(|ended| ended - time <= SOON),
            },
            _ => false,
        }
    }
}

/// Whether somebody has ended the latest life of this container, by what the engine has told since.
///
/// Podman 4.3 often says nothing of a stop (libpod/container_internal.go, `stop`: nothing where
/// another process was first to see that it has ended). But then it cleans up twice: the command that
/// stopped it does, and what conmon starts at its end, which alone cleans up after one that ends by
/// itself.
pub(super) fn was_told(text: &[u8], seen: &Seen) -> bool {
    let lines = text.split(|byte| *byte == b'\n');
    let events = lines.filter_map(Event::read);
    let own = events.filter(|e| e.is_of(Some(&seen.id), &seen.id) && e.is_of_life(seen));
    let mut cleanups = 0;
    for event in own {
        cleanups += u32::from(event.action.as_deref() == Some("cleanup"));
        if event.ends(seen) || cleanups >= 2 {
            return true;
        }
    }
    false
}

/// Where the news of these containers come from.
pub(super) fn stream<'a>(engine: Engine, containers: impl Iterator<Item = &'a str>) -> String {
    let containers: Vec<&str> = containers.collect();
    let filters = match engine {
        Engine::Docker => serde_json::json!({
            "type": ["container"], "event": ACTIONS, "container": containers,
        }),
        Engine::Podman => serde_json::json!({"type": ["container"], "container": containers}),
    };
    format!("/events?filters={}", encoded(&filters.to_string()))
}

/// What has been told of the latest life of a container, up to now.
pub(super) fn history(seen: &Seen, now: Timestamp) -> String {
    let ended = seen.ended.unwrap_or(now);
    let since = ended.saturating_sub(STOPS_FOR).unwrap_or(ended);
    let since = seen.began.map_or(since, |began| began.max(since));
    let filters = serde_json::json!({"type": ["container"], "container": [seen.id]});
    format!(
        "/events?since={}&until={}.{:09}&filters={}",
        since.as_second(),
        now.as_second(),
        now.subsec_nanosecond().max(0),
        encoded(&filters.to_string())
    )
}

/// As a part of a URL.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Exit, Standing};

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    fn web() -> Seen {
        Seen {
            standing: Standing::Down {
                exit: Exit::Code(0),
                told: false,
                obstacle: None,
            },
            id: "4d4f".to_owned(),
            stop_signal: "SIGUSR1".to_owned(),
            policy: None,
            paused: false,
            out_of_memory: false,
            began: at("2026-11-27T10:00:00Z"),
            ended: at("2026-11-27T11:00:00Z"),
        }
    }

    fn line(action: &str, attributes: &str, time: &str) -> String {
        let time = at(time).unwrap().as_nanosecond();
        format!(
            r#"{{"status":"{action}","id":"4d4f","Type":"container","Action":"{action}","Actor":{{
            "ID":"4d4f","Attributes":{{{attributes}"name":"web"}}}},"timeNano":{time}}}"#
        )
        .replace('\n', "")
    }

    /// What told it to end counts; other signals, other containers and other lives do not.
    #[test]
    fn who_ended_it() {
        let told = |action: &str, attributes: &str, time: &str| {
            let die = line("die", "\"exitCode\":\"0\",", "2026-11-27T11:00:00Z");
            let text = format!("{}\nnonsense\n{die}\n", line(action, attributes, time));
            was_told(text.as_bytes(), &web())
        };
        let during = "2026-11-27T10:59:50Z";
        assert!(told("kill", "\"signal\":\"15\",", during));
        assert!(told("kill", "\"signal\":\"SIGUSR1\",", during));
        assert!(told("kill", "", during));
        assert!(told("stop", "", "2026-11-27T11:00:00.1Z"));
        assert!(!told("kill", "\"signal\":\"10\",", during));
        assert!(!told("kill", "", "2026-11-27T10:58:00Z"));
        assert!(!told("restart", "", during));
        assert!(!told("stop", "", "2026-11-27T09:59:59Z"));
        // What stopped it cleans up, and so does what sees to it that somebody does.
        let twice = format!(
            "{}\n{}",
            line("cleanup", "", "2026-11-27T11:00:01Z"),
            line("cleanup", "", "2026-11-27T11:00:02Z")
        );
        assert!(was_told(twice.as_bytes(), &web()));
        assert!(!told("cleanup", "", "2026-11-27T11:00:01Z"));
        let other = Seen {
            id: "aaaa".to_owned(),
            ..web()
        };
        let text = line("stop", "", during);
        assert!(!was_told(text.as_bytes(), &other));
        assert!(!was_told(b"", &web()));
    }

    #[test]
    fn whose_event_it_is() {
        let event = Event::read(line("start", "", "2026-11-27T10:00:00Z").as_bytes()).unwrap();
        assert!(event.is_of(Some("4d4f"), "other"));
        assert!(event.is_of(None, "web"));
        assert!(event.is_of(None, "4d4"));
        assert!(!event.is_of(Some("4d4e"), "we"));
        assert!(!event.is_idle());
        let exec = line("exec_start: true", "", "2026-11-27T10:00:00Z");
        assert!(Event::read(exec.as_bytes()).unwrap().is_idle());
        assert!(Event::read(b"{\"Action\":7}").is_none());
    }

    #[test]
    fn questions_are_plain() {
        let now = at("2026-11-27T11:00:01.25Z").unwrap();
        let asked = history(&web(), now);
        // Ten minutes before it ended.
        assert!(
            asked.starts_with("/events?since=1795776600&until=1795777201.250000000&filters=%7B"),
            "{asked}"
        );
        let young = Seen {
            began: at("2026-11-27T10:59:00Z"),
            ..web()
        };
        assert!(history(&young, now).starts_with("/events?since=1795777140&"));
        for engine in [Engine::Docker, Engine::Podman] {
            let asked = stream(engine, ["web", "db"].into_iter());
            assert!(!asked.contains([' ', '"', '{', '\r', '\n']), "{asked}");
            assert!(asked.contains("%22web%22%2C%22db%22"), "{asked}");
        }
    }
}
