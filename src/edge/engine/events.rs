//! What an engine tells of itself: the questions for its events, and what they mean.
//!
//! Events are taken for news that something is to be looked at, and are asked for once more when a
//! container is down: then they tell whether somebody stopped it.
//! Source: Docker Engine API v1.41, `SystemEvents`; Podman 4.3, libpod/events/config.go.

use super::inspect::Seen;
use crate::core::settings::Engine;
use crate::text::signal_named;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Events of so long before the end are asked for.
const STOPS_FOR: SignedDuration = SignedDuration::from_mins(10);

/// In nanoseconds: an end may come so long after the container's own time to stop is over, and still be
/// what a signal has brought about.
const LATER: i128 = 20_000_000_000;

/// Signals that end a container: INT, QUIT, KILL and TERM. HUP has most programs read their
/// configuration anew.
const ENDING: [u8; 4] = [2, 3, 9, 15];

/// The first and the last real-time signal, as engines count them.
const REAL_TIME: (u8, u8) = (34, 64);

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

    /// Whether somebody told the container to end, and it did.
    fn ends(&self, seen: &Seen) -> Told {
        match self.action.as_deref() {
            Some("stop") => Told::Yes,
            Some("kill") if self.has_ending_signal(seen) => {
                let ended = seen.ended.map(Timestamp::as_nanosecond);
                let after = ended.map(|ended| ended - i128::from(self.time));
                let most = i128::from(seen.stop_timeout) * 1_000_000_000 + LATER;
                match after {
                    Some(after) if after <= most => Told::Yes,
                    Some(_) | None => Told::Perhaps,
                }
            }
            _ => Told::No,
        }
    }

    /// Its signal asks to end, or is not told: Podman tells none.
    fn has_ending_signal(&self, seen: &Seen) -> bool {
        let Some(signal) = self.attribute("signal") else {
            return true;
        };
        match number(signal) {
            Some(sent) => ENDING.contains(&sent) || number(&seen.stop_signal) == Some(sent),
            None => signal == seen.stop_signal,
        }
    }
}

/// Whether somebody has told a container to end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Told {
    No,
    /// It was sent a signal that asks for it, long before: whoever had it stopped with more patience
    /// than usual has yet to say so.
    Perhaps,
    Yes,
}

/// The number of a signal that is written as engines do it: `15`, `SIGTERM`, `term`, `SIGRTMIN+3`.
fn number(signal: &str) -> Option<u8> {
    // So it stands in a question.
    let word = signal.replace("%2B", "+").to_ascii_uppercase();
    let name = word.strip_prefix("SIG").unwrap_or(&word);
    let from = |rest: &str, sign: char| match rest {
        "" => Some(0),
        rest => rest.strip_prefix(sign)?.parse::<u8>().ok(),
    };
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return REAL_TIME.0.checked_add(from(rest, '+')?);
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return REAL_TIME.1.checked_sub(from(rest, '-')?);
    }
    signal_named(name).or_else(|| signal_named(&format!("SIG{name}")))
}

/// Whether somebody has ended the latest life of this container, by what the engine has told since.
///
/// Podman 4.3 often says nothing of a stop (libpod/container_internal.go, `stop`: nothing where
/// another process was first to see that it has ended). But then it cleans up twice: the command that
/// stopped it does, and what conmon starts at its end, which alone cleans up after one that ends by
/// itself.
pub(super) fn was_told(text: &[u8], seen: &Seen) -> Told {
    let lines = text.split(|byte| *byte == b'\n');
    let events = lines.filter_map(Event::read);
    let own = events.filter(|e| e.is_of(Some(&seen.id), &seen.id) && e.is_of_life(seen));
    let (mut told, mut cleanups) = (Told::No, 0);
    for event in own {
        cleanups += u32::from(event.action.as_deref() == Some("cleanup"));
        told = told.max(event.ends(seen));
    }
    if cleanups >= 2 { Told::Yes } else { told }
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
            stop_timeout: 10,
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
        let of = |action: &str, attributes: &str, time: &str| {
            let die = line("die", "\"exitCode\":\"0\",", "2026-11-27T11:00:00Z");
            let text = format!("{}\nnonsense\n{die}\n", line(action, attributes, time));
            was_told(text.as_bytes(), &web())
        };
        let told = |action: &str, more: &str, time: &str| of(action, more, time) == Told::Yes;
        let during = "2026-11-27T10:59:50Z";
        assert!(told("kill", "\"signal\":\"15\",", during));
        assert!(told("kill", "\"signal\":\"SIGUSR1\",", during));
        assert!(told("kill", "", during));
        assert!(told("stop", "", "2026-11-27T11:00:00.1Z"));
        assert!(told("kill", "\"signal\":\"10\",", during));
        assert!(!told("kill", "\"signal\":\"12\",", during));
        // With most programs that is no end; and it did not end by what it did not heed.
        assert!(!told("kill", "\"signal\":\"1\",", during));
        let before = "2026-11-27T10:59:20Z";
        assert_eq!(of("kill", "\"signal\":\"15\",", before), Told::Perhaps);
        assert!(!told("kill", "", "2026-11-27T10:58:00Z"));
        assert!(!told("restart", "", during));
        assert!(!told("stop", "", "2026-11-27T09:59:59Z"));
        // What stopped it cleans up, and so does what sees to it that somebody does.
        let twice = format!(
            "{}\n{}",
            line("cleanup", "", "2026-11-27T11:00:01Z"),
            line("cleanup", "", "2026-11-27T11:00:02Z")
        );
        assert_eq!(was_told(twice.as_bytes(), &web()), Told::Yes);
        assert!(!told("cleanup", "", "2026-11-27T11:00:01Z"));
        let other = Seen {
            id: "aaaa".to_owned(),
            ..web()
        };
        let text = line("stop", "", during);
        assert_eq!(was_told(text.as_bytes(), &other), Told::No);
        assert_eq!(was_told(b"", &web()), Told::No);
    }

    /// What the image names is what the engine numbers.
    #[test]
    fn signals_have_numbers() {
        for (word, number) in [
            ("15", Some(15)),
            ("SIGWINCH", Some(28)),
            ("usr1", Some(10)),
            ("SIGRTMIN", Some(34)),
            ("SIGRTMIN+3", Some(37)),
            ("SIGRTMIN%2B3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("RTMIN+300", None),
            ("SIGSTRANGE", None),
        ] {
            assert_eq!(super::number(word), number, "{word}");
        }
        let seen = Seen {
            stop_signal: "SIGRTMIN%2B3".to_owned(),
            ..web()
        };
        let text = line("kill", "\"signal\":\"37\",", "2026-11-27T10:59:50Z");
        assert_eq!(was_told(text.as_bytes(), &seen), Told::Yes);
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
