//! Reads what makes a service a container of Docker or Podman: `kind = "container"`.

use super::kept::{KeptKind, place};
use super::problem::quote;
use super::table::{At, Table};
use super::target::UNIX_MAX;
use crate::core::settings::{Engine, Keeper, Unhealthy};
use std::path::PathBuf;

/// Longest name of a container: far more than an engine shows anywhere.
const NAME_MAX: usize = 255;

/// Where Docker's engine listens, and where Podman's does, as packages set them up.
const DOCKER: &str = "/run/docker.sock";
const PODMAN: &str = "/run/podman/podman.sock";

pub(super) const KIND: KeptKind = KeptKind {
    word: "container",
    why: [
        "the engine runs what the container was made with",
        "a container has its HEALTHCHECK for that, which its engine carries out",
        "the container was made with its own (--stop-signal, --env, --workdir, --log-driver)",
        "the network of a container is not looked at from within",
        "the container was made with its own rights and limits",
    ],
    help: "remove it; such things of a container are chosen when it is made",
    unprobed: "a container is not probed by a program, which would not run as it does: give it a HEALTHCHECK",
};

/// The container of the service of this name; `None` if anything is wrong, and the report has it.
pub(super) fn keeper(
    table: &mut Table<'_, '_, '_>,
    name: &str,
    (container, socket): (Option<At<String>>, Option<At<PathBuf>>),
    (engine, unhealthy): (&str, &str),
) -> Option<Keeper> {
    let engine = match engine {
        "podman" => Engine::Podman,
        _ => Engine::Docker,
    };
    let socket = match table.gives("socket") {
        true => short(table, &socket?.value),
        false => Some(match engine {
            Engine::Docker => DOCKER.into(),
            Engine::Podman => PODMAN.into(),
        }),
    };
    let container = match table.gives("container") {
        true => checked(table, container?),
        false => Some(name.into()),
    };
    Some(Keeper::Engine {
        engine,
        socket: socket?,
        container: container?,
        unhealthy: match unhealthy {
            "tell" => Unhealthy::Tell,
            _ => Unhealthy::Restart,
        },
    })
}

/// A path that the kernel takes for a socket.
fn short(table: &mut Table<'_, '_, '_>, path: &std::path::Path) -> Option<Box<str>> {
    let text = path.to_str()?;
    if text.len() <= UNIX_MAX {
        return Some(text.into());
    }
    let what = format!("`{}` has {} bytes", table.full("socket"), text.len());
    let help = format!("the kernel takes at most {UNIX_MAX} in the path of a socket");
    let span = place(table, "socket");
    table.report().error(span, what, help);
    None
}

/// A name that an engine takes.
fn checked(table: &mut Table<'_, '_, '_>, container: At<String>) -> Option<Box<str>> {
    let text = container.value;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let first = |c: char| c.is_ascii_alphanumeric();
    if text.starts_with(first) && text.chars().all(plain) && text.len() <= NAME_MAX {
        return Some(text.as_str().into());
    }
    let what = format!(
        "`{}`: {} is no name of a container",
        table.full("container"),
        quote(&text)
    );
    let help =
        "write its name or its ID as `docker ps --all` shows it, as in \"broker\"".to_owned();
    let span = container.span.unwrap_or(table.header());
    table.report().error(span, what, help);
    None
}
