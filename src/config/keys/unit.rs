//! The key of a service that is a unit of systemd.

use super::super::schema::{Absent, Key, Kind};
use super::key;
use Absent::Nothing;

pub const UNIT: Key = key(
    "unit",
    Kind::Text,
    Nothing("\"nginx.service\""),
    "For a unit: its name, where that is not the name of the service with .service behind it",
);
