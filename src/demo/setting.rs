//! The demo's own configuration: read and checked exactly like that of a real daemon.

use super::services::{DOOR, SPEED};
use super::stage::Pace;
use std::path::{Path, PathBuf};

/// One service: its name, what it comes after, and how long it is kept on battery.
struct Part {
    name: &'static str,
    after: &'static str,
    class: &'static str,
}

/// The services, in the order of their names.
const PARTS: [Part; 5] = [
    Part {
        name: "camera",
        after: "",
        class: "normal",
    },
    Part {
        name: "logger",
        after: "",
        class: "normal",
    },
    Part {
        name: "sensor",
        after: "",
        class: "essential",
    },
    Part {
        name: "uplink",
        after: "\"sensor\"",
        class: "essential",
    },
    Part {
        name: "vision",
        after: "\"camera\"",
        class: "optional",
    },
];

/// What holds for the board. Vitals are read every second so that the story need not wait for them,
/// and mains may stay away for a short time only.
const BOARD: &str = "\
board = \"sim\"
cgroup = \"none\"

[watchdog]
timeout = \"15s\"

[vitals]
every = \"1s\"
temperature = { settle = \"5s\" }

[power]
shed_optional = \"8s\"
ride_through = \"24s\"

[storage]
mounts = []
";

/// What holds for every service. The heartbeat is five times as long as the programs need; the
/// backoff begins with the second failure, so that the story need not crash a service often.
const SERVICE: &str = "\
ready = \"notify\"
heartbeat = \"5s\"
stop_timeout = \"5s\"
output = \"null\"
backoff = { immediate = 1, first = \"1s\", cap = \"30s\" }
";

/// The configuration, for programs that this binary runs, with everything else below `dir`.
pub fn text(dir: &Path, program: &Path, pace: Pace) -> String {
    let mut text = format!(
        "runtime_dir = {}\nstate_dir = {}\n{BOARD}",
        quoted(&runtime_dir(dir)),
        quoted(&dir.join("state")),
    );
    for Part { name, after, class } in PARTS {
        text.push_str(&format!(
            "\n[service.{name}]\ncommand = [{}, \"demo-service\", \"{name}\"]\nafter = [{after}]\nclass = \"{class}\"\n\
             environment = {{ {SPEED} = \"{}\", {DOOR} = {} }}\n{SERVICE}",
            quoted(program),
            pace.speed(),
            quoted(&door(dir)),
        ));
    }
    text
}

/// Where the daemon has its sockets.
pub fn runtime_dir(dir: &Path) -> PathBuf {
    dir.join("run")
}

/// Where the door of the cast is.
pub fn door(dir: &Path) -> PathBuf {
    dir.join("door")
}

/// A path as a text in TOML.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::script::{CURTAIN, Cue, STORY, Sight, Step};

    /// The configuration is one that the daemon accepts without a warning, also in a directory with
    /// an unusual name, and it has every service that the story tells of.
    #[test]
    fn is_a_good_configuration() {
        let dir = Path::new("/tmp/a \"quoted\" \\ place");
        let text = text(dir, Path::new("/usr/bin/fieldwarden"), Pace::new(4));
        let loaded = crate::config::parse("demo", &text).unwrap();
        assert_eq!(loaded.warnings, vec![]);
        let config = loaded.config;
        assert_eq!(config.wiring.runtime_dir, dir.join("run"));
        for step in STORY.iter().chain([&CURTAIN]).flat_map(|act| act.steps) {
            let name = match *step {
                Step::Do(Cue::Crash(name) | Cue::Hang(name) | Cue::Burn(name, _))
                | Step::See(Sight::Ups(name, _) | Sight::Hung(name) | Sight::Stopped(name), _)
                | Step::Neighbours(name) => name,
                Step::Do(_) | Step::See(..) | Step::Pause(_) | Step::Say(_) => continue,
            };
            assert!(config.settings.service(name).is_some(), "{name}");
        }
    }
}
