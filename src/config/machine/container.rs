//! Services that are containers, and what this machine's engines say of them.

use super::locate;
use crate::config::problem::Problem;
use crate::config::report::Report;
use crate::config::{Config, forest};
use crate::core::settings::{Engine, Keeper};

/// What an engine says of a container, as far as that keeps it from being kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ContainerFound {
    /// Nothing of that kind.
    Well,
    /// The engine has no such container.
    Missing,
    /// The engine starts it again by itself, by this rule.
    Restarted(String),
    /// The engine cannot be asked, for this reason.
    Silent(String),
}

/// Reports what keeps containers from being watched. `look` asks their engine, and is called for none
/// where the board is simulated.
pub fn check_containers(config: &Config, look: impl Fn(&Keeper) -> ContainerFound) -> Vec<Problem> {
    let mut report = Report::of(&config.source);
    let tree = forest::grown(&config.source);
    for service in &config.settings.services {
        let (name, keeper) = (&*service.name, service.keeper.as_deref());
        let Some(keeper @ Keeper::Engine { .. }) = keeper else {
            continue;
        };
        let problem = match config.wiring.board.simulated {
            true => Some((
                "container",
                format!("{name} is a container, and a daemon of a simulated board asks no engine"),
                "its state stays unknown there".to_owned(),
            )),
            false => problem(keeper, look(keeper)),
        };
        if let Some((key, what, help)) = problem {
            let place = locate(&tree, &["service", name, key]);
            report.warning(place.unwrap_or(0..0), what, help);
        }
    }
    report.finish().iter().cloned().collect()
}

/// The key that it is about, what is wrong, and what helps.
fn problem(keeper: &Keeper, found: ContainerFound) -> Option<(&'static str, String, String)> {
    let Keeper::Engine {
        engine,
        socket,
        container,
        ..
    } = keeper
    else {
        return None;
    };
    let (word, unit) = match engine {
        Engine::Docker => ("docker", "docker"),
        Engine::Podman => ("podman", "podman.socket"),
    };
    Some(match found {
        ContainerFound::Well => return None,
        ContainerFound::Missing => (
            "container",
            format!("{word} has no container {container}"),
            "make it, or correct `container`".to_owned(),
        ),
        ContainerFound::Restarted(policy) => (
            "container",
            format!("{word} starts {container} again, too (restart policy {policy})"),
            "make it with --restart=no, so that backoff, window and escalation of the service are in \
             force"
                .to_owned(),
        ),
        ContainerFound::Silent(why) => (
            "socket",
            format!("{word} cannot be asked for {container} at {socket}: {why}"),
            format!("start it (`systemctl enable --now {unit}`), or correct `socket`"),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(head: &str, found: &ContainerFound) -> Vec<String> {
        let text = format!(
            "{head}[service.web]\nkind = \"container\"\nengine = \"podman\"\n\
             [service.other]\ncommand = [\"/bin/true\"]\n"
        );
        let config = crate::config::parse("test", &text).unwrap().config;
        let problems = check_containers(&config, |keeper| {
            assert!(matches!(keeper, Keeper::Engine { container, .. } if **container == *"web"));
            found.clone()
        });
        problems.iter().map(|p| p.what().to_owned()).collect()
    }

    #[test]
    fn what_a_container_lacks_is_told() {
        assert!(said("", &ContainerFound::Well).is_empty());
        assert_eq!(
            said("", &ContainerFound::Missing),
            ["podman has no container web"]
        );
        assert_eq!(
            said("", &ContainerFound::Restarted("always".to_owned())),
            ["podman starts web again, too (restart policy always)"]
        );
        assert_eq!(
            said("", &ContainerFound::Silent("no such file".to_owned())),
            ["podman cannot be asked for web at /run/podman/podman.sock: no such file"]
        );
        let sim = said("board = \"sim\"\n", &ContainerFound::Well);
        assert!(sim[0].contains("simulated board"), "{sim:?}");
    }
}
