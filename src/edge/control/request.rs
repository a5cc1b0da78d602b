//! Reads one request. The text comes from anybody who may connect.

mod hold;
mod object;

use super::answer::{Code, Refusal};
use super::{REQUEST_MAX, VERSION};
use crate::core::fact::{HaltKind, Request, ServiceId};
use crate::core::settings::Settings;
use crate::text::{halt_kind_named, led_named, nearest};
use object::{Keys, Object, Scalar};
use std::time::Duration;

/// Events of the past that can be asked for: as many as are kept.
const LAST_MAX: u64 = super::ring::KEPT as u64;

/// Longest time for which a state can be shown on the LED, in seconds: ten minutes, and some to spare
/// between two of them.
const SHOW_MAX: u64 = 660;

/// What a client wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// Something of the core.
    Core(Request),
    /// The configuration that the daemon has taken up.
    Configuration,
    /// Events.
    Events {
        /// How many of those that were.
        last: u64,
        /// Those to come as well.
        follow: bool,
    },
}

impl Wanted {
    /// It changes something, so not everybody may ask for it.
    pub fn acts(&self) -> bool {
        match self {
            Wanted::Core(Request::Status) | Wanted::Configuration | Wanted::Events { .. } => false,
            Wanted::Core(
                Request::Start(_)
                | Request::Stop(_)
                | Request::Restart(_)
                | Request::Exit
                | Request::Leave
                | Request::Reload
                | Request::Halt(_)
                | Request::Hold { .. }
                | Request::EndHold
                | Request::Drill
                | Request::ShowLed { .. },
            ) => true,
        }
    }
}

/// Reads a line, without its line feed.
pub(super) fn read(line: &[u8], settings: &Settings) -> Result<Wanted, Refusal> {
    let bad = |what: String| Refusal::new(Code::BadRequest, what, EXAMPLE);
    let Object(mut keys) = serde_json::from_slice(line)
        .map_err(|e| bad(format!("the request is not one flat JSON object: {e}")))?;
    version(&mut keys)?;
    let Some(Scalar::Text(verb)) = keys.remove("request") else {
        return Err(bad("the request has no text under `request`".into()));
    };
    let wanted = match verb.as_str() {
        "status" => Wanted::Core(Request::Status),
        "configuration" => Wanted::Configuration,
        "events" => events(&mut keys)?,
        "start" => Wanted::Core(Request::Start(service(&mut keys, settings)?)),
        "stop" => Wanted::Core(Request::Stop(service(&mut keys, settings)?)),
        "halt" => Wanted::Core(Request::Halt(kind(&mut keys)?)),
        "hold" => Wanted::Core(hold::hold(&mut keys, settings)?),
        "reload" => Wanted::Core(Request::Reload),
        "end-hold" => Wanted::Core(Request::EndHold),
        "drill" => Wanted::Core(drill(&mut keys)?),
        "show-led" => Wanted::Core(show_led(&mut keys, settings)?),
        "restart" => Wanted::Core(Request::Restart(service(&mut keys, settings)?)),
        other => return Err(bad(format!("unknown request {}", quote(other)))),
    };
    match keys.keys().next() {
        None => Ok(wanted),
        Some(key) => Err(bad(format!("{verb} does not know the key {}", quote(key)))),
    }
}

/// Shown wherever a request cannot be read.
const EXAMPLE: &str = "send one line such as {\"v\":1,\"request\":\"status\"}; \
     requests: status, events, start, stop, restart, reload, halt, hold, end-hold, \
     drill, show-led, configuration";

/// The refusal of a line that does not end.
pub(super) fn too_long() -> Refusal {
    let what = format!("the request is longer than {REQUEST_MAX} bytes");
    Refusal::new(Code::BadRequest, what, EXAMPLE)
}

/// The refusal of a line that ends with the connection.
pub(super) fn cut_short() -> Refusal {
    let what = "the connection ended before the line feed of the request";
    Refusal::new(Code::BadRequest, what, EXAMPLE)
}

fn version(keys: &mut Keys) -> Result<(), Refusal> {
    match keys.remove("v") {
        Some(Scalar::Count(v)) if v == u64::from(VERSION) => Ok(()),
        Some(Scalar::Count(v)) => {
            let what = format!("the request is of version {v}, this daemon speaks {VERSION}");
            let help = "use the fieldwarden command that was installed with the daemon, \
                or restart the daemon after an upgrade";
            Err(Refusal::new(Code::Version, what, help))
        }
        Some(Scalar::Text(_) | Scalar::Flag(_)) | None => {
            let what = "the request has no number under `v`";
            Err(Refusal::new(Code::BadRequest, what, EXAMPLE))
        }
    }
}

fn events(keys: &mut Keys) -> Result<Wanted, Refusal> {
    let bad = |what| Err(Refusal::new(Code::BadRequest, what, EXAMPLE));
    let follow = match keys.remove("follow") {
        None => false,
        Some(Scalar::Flag(yes)) => yes,
        Some(Scalar::Text(_) | Scalar::Count(_)) => return bad("`follow` must be true or false"),
    };
    let last = match keys.remove("last") {
        None => LAST_MAX,
        Some(Scalar::Count(n)) => n.min(LAST_MAX),
        Some(Scalar::Text(_) | Scalar::Flag(_)) => return bad("`last` must be a number from 0 on"),
    };
    Ok(Wanted::Events { last, follow })
}

fn kind(keys: &mut Keys) -> Result<HaltKind, Refusal> {
    let kind = match keys.remove("kind") {
        Some(Scalar::Text(kind)) => halt_kind_named(&kind),
        Some(Scalar::Count(_) | Scalar::Flag(_)) | None => None,
    };
    kind.ok_or_else(|| {
        let what = "the request has neither `poweroff` nor `reboot` under `kind`";
        Refusal::new(Code::BadRequest, what, EXAMPLE)
    })
}

/// Only the watchdog can be tried out.
fn drill(keys: &mut Keys) -> Result<Request, Refusal> {
    match keys.remove("of") {
        Some(Scalar::Text(of)) if of == "watchdog" => Ok(Request::Drill),
        Some(_) | None => {
            let what = "the request has no `watchdog` under `of`";
            Err(Refusal::new(Code::BadRequest, what, EXAMPLE))
        }
    }
}

fn show_led(keys: &mut Keys, settings: &Settings) -> Result<Request, Refusal> {
    let bad = |what: &str| Refusal::new(Code::BadRequest, what, EXAMPLE);
    if settings.led.is_none() {
        let what = "no status LED is named in the configuration";
        let help = "name one in [led]; `fieldwarden led list` shows those of this machine";
        return Err(Refusal::new(Code::NoLed, what, help));
    }
    let state = match keys.remove("state") {
        Some(Scalar::Text(word)) => led_named(&word),
        Some(Scalar::Count(_) | Scalar::Flag(_)) | None => None,
    };
    let state =
        state.ok_or_else(|| bad("the request has no state such as `well` under `state`"))?;
    let time = match keys.remove("seconds") {
        Some(Scalar::Count(seconds)) if (1..=SHOW_MAX).contains(&seconds) => seconds,
        Some(_) | None => return Err(bad("`seconds` must be a number from 1 to 660")),
    };
    let time = Duration::from_secs(time);
    Ok(Request::ShowLed { state, time })
}

fn service(keys: &mut Keys, settings: &Settings) -> Result<ServiceId, Refusal> {
    let Some(Scalar::Text(name)) = keys.remove("service") else {
        let what = "the request has no text under `service`";
        return Err(Refusal::new(Code::BadRequest, what, EXAMPLE));
    };
    settings.service(&name).ok_or_else(|| {
        let what = format!("there is no service {}", quote(&name));
        let names = settings.services.iter().map(|s| &*s.name);
        let help = match nearest(&name, names) {
            Some(near) => format!("did you mean {near}?"),
            None => "fieldwarden status lists the services".to_owned(),
        };
        Refusal::new(Code::UnknownService, what, help)
    })
}

/// Text of a client, shortened and without characters that do something to a terminal.
fn quote(text: &str) -> String {
    /// Enough to recognise a name by.
    const SHOWN: usize = 64;
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(SHOWN).collect();
    format!("{head:?}...")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::light::LedState;
    use crate::core::settings::Service;
    use std::time::Duration;

    /// Services with these names and nothing remarkable.
    pub fn services(names: &[&str]) -> Vec<Service> {
        let service = |name: &&str| Service {
            start_timeout: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(1),
            ..Service::named(name)
        };
        names.iter().map(service).collect()
    }

    fn settings() -> Settings {
        Settings {
            services: services(&["database", "web"]),
            ..Settings::nothing()
        }
    }

    fn try_read(line: &str) -> Result<Wanted, Refusal> {
        read(line.as_bytes(), &settings())
    }

    /// Every form that the daemon takes.
    #[test]
    fn reads_what_is_documented() {
        let core = |r| Ok(Wanted::Core(r));
        assert_eq!(
            try_read(r#"{"v":1,"request":"status"}"#),
            core(Request::Status)
        );
        assert_eq!(
            try_read(r#"{"v":1,"request":"restart","service":"web"}"#),
            core(Request::Restart(ServiceId(1)))
        );
        assert_eq!(
            try_read(r#" {"service":"database","request":"stop","v":1} "#),
            core(Request::Stop(ServiceId(0)))
        );
        assert_eq!(
            try_read(r#"{"v":1,"request":"events","follow":true,"last":20}"#),
            Ok(Wanted::Events {
                last: 20,
                follow: true
            })
        );
        assert_eq!(
            try_read(r#"{"v":1,"request":"events","last":18446744073709551615}"#),
            Ok(Wanted::Events {
                last: LAST_MAX,
                follow: false
            })
        );
    }

    /// What an LED shows is asked for by its word and in seconds, where there is one.
    #[test]
    fn an_led_can_be_asked_for() {
        let settings = Settings {
            led: Some("ACT".into()),
            ..settings()
        };
        let line = |rest: &str| format!(r#"{{"v":1,"request":"show-led"{rest}}}"#);
        let read = |rest: &str| read(line(rest).as_bytes(), &settings);
        let (state, time) = (LedState::OnBattery, Duration::from_secs(5));
        assert_eq!(
            read(r#","state":"on-battery","seconds":5"#),
            Ok(Wanted::Core(Request::ShowLed { state, time }))
        );
        for (rest, what) in [
            (r#","seconds":5"#, "no state"),
            (r#","state":"green","seconds":5"#, "no state"),
            (r#","state":"well""#, "from 1 to 660"),
            (r#","state":"well","seconds":0"#, "from 1 to 660"),
            (r#","state":"well","seconds":661"#, "from 1 to 660"),
        ] {
            let refusal = read(rest).expect_err(rest);
            assert!(refusal.error.contains(what), "{rest}: {}", refusal.error);
        }
        let none = try_read(&line(r#","state":"well","seconds":5"#));
        assert_eq!(none.map_err(|r| r.code), Err(Code::NoLed));
    }

    /// Each refusal names what is wrong with the line.
    #[test]
    fn refuses_with_a_reason() {
        let cases = [
            ("", Code::BadRequest, "not one flat JSON object: EOF"),
            ("[]", Code::BadRequest, "not one flat JSON object"),
            (
                r#"{"v":1,"request":["status"]}"#,
                Code::BadRequest,
                "a text, a number",
            ),
            ("{}", Code::BadRequest, "no number under `v`"),
            (r#"{"v":2,"request":"x"}"#, Code::Version, "of version 2"),
            (r#"{"v":1}"#, Code::BadRequest, "no text under `request`"),
            (
                r#"{"v":1,"request":"kexec"}"#,
                Code::BadRequest,
                "\"kexec\"",
            ),
            (
                r#"{"v":1,"request":"status","x":1}"#,
                Code::BadRequest,
                "the key \"x\"",
            ),
            (
                r#"{"v":1,"request":"halt"}"#,
                Code::BadRequest,
                "`poweroff` nor `reboot`",
            ),
            (
                r#"{"v":1,"request":"halt","kind":"kexec"}"#,
                Code::BadRequest,
                "`poweroff` nor `reboot`",
            ),
            (
                r#"{"v":1,"request":"stop"}"#,
                Code::BadRequest,
                "under `service`",
            ),
            (
                r#"{"v":1,"request":"events","last":-1}"#,
                Code::BadRequest,
                "a number from 0 on",
            ),
            (
                r#"{"v":1,"request":"events","follow":1}"#,
                Code::BadRequest,
                "`follow`",
            ),
            (
                r#"{"v":1,"request":"start","service":"\u001b[2J"}"#,
                Code::UnknownService,
                r#""\u{1b}[2J""#,
            ),
        ];
        for (line, code, part) in cases {
            let refusal = try_read(line).expect_err(line);
            assert_eq!(refusal.code, code, "{line}");
            assert!(refusal.error.contains(part), "{line}: {}", refusal.error);
            assert!(!refusal.help.is_empty(), "{line}");
        }
    }

    /// A slip of the finger gets the right name back; nonsense gets the list.
    #[test]
    fn suggests_the_nearest_service() {
        let help = |name: &str| {
            try_read(&format!(r#"{{"v":1,"request":"stop","service":"{name}"}}"#))
                .expect_err(name)
                .help
        };
        assert_eq!(help("datbase"), "did you mean database?");
        assert_eq!(help("wbe"), "did you mean web?");
        assert_eq!(help("zzz"), "fieldwarden status lists the services");
        assert_eq!(
            help(&"d".repeat(3000)),
            "fieldwarden status lists the services"
        );
    }

    proptest::proptest! {
        /// No line makes the reader panic, and what it takes is what was asked for.
        #[test]
        fn any_line_is_read_or_refused(line in proptest::collection::vec(0u8.., 0..200)) {
            if let Ok(wanted) = read(&line, &settings()) {
                panic!("{line:?} was taken for {wanted:?}");
            }
        }

        /// The same for lines that look right from far away.
        #[test]
        fn nearly_right_lines(key in "v|request|service|last|follow|x", value in ".{0,20}",
                              number in 0u64..3, verb in "status|events|stop|halt") {
            let value = serde_json::Value::from(value);
            let line = format!(r#"{{"v":{number},"request":"{verb}",{key:?}:{value}}}"#);
            if let Ok(wanted) = read(line.as_bytes(), &settings()) {
                assert_eq!(number, 1, "{line}");
                assert!(!wanted.acts() || line.contains("web") || line.contains("database"));
            }
        }
    }
}
