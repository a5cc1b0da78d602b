//! The keys of a service that is a container.

use super::super::schema::{Absent, Key, Kind};
use super::key;
use Absent::{Default, Nothing};

pub const CONTAINER: Key = key(
    "container",
    Kind::Text,
    Nothing("\"broker\""),
    "For a container: its name or ID, where that is not the name of the service",
);

pub const ENGINE: Key = key(
    "engine",
    Kind::Choice(&["docker", "podman"]),
    Default("\"docker\""),
    "For a container: who runs it",
);

pub const UNHEALTHY: Key = key(
    "unhealthy",
    Kind::Choice(&["restart", "tell"]),
    Default("\"restart\""),
    "For a container with a HEALTHCHECK: what follows when its engine finds it unhealthy; \"tell\" leaves \
     it running",
);

pub const SOCKET: Key = key(
    "socket",
    Kind::Path,
    Nothing("\"/run/docker.sock\""),
    "For a container: where its engine listens, where that is neither /run/docker.sock nor \
     /run/podman/podman.sock",
);
