//! The keys of `[health]`.

use super::super::schema::{Absent, Kind, Section};
use super::key;
use Absent::{Default, Nothing};

/// The health endpoint.
pub const HEALTH: Section = Section {
    header: "health",
    meaning: "The health endpoint: tells monitoring programs by HTTP how everything stands. It is off unless it \
              is switched on: every user of the machine can read what it tells, and it takes memory.",
    keys: &[
        key(
            "enabled",
            Kind::Flag,
            Default("false"),
            "With true, there is one",
        ),
        key(
            "listen",
            Kind::Texts,
            Default("[\"127.0.0.1:17171\"]"),
            "Where: up to four of an address with its port, \"unix:/PATH\" of a socket, and \"systemd\" for those \
             that its socket unit passes; beyond this machine only with a token",
        ),
        key(
            "token_file",
            Kind::Path,
            Nothing("\"/etc/fieldwarden/health-token\""),
            "A file with the secret that whoever asks over the network has to send; others must not be able to \
             read it",
        ),
    ],
};
