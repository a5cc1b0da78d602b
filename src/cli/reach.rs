//! `reach`: tries to connect to what a service must not reach; the program of its isolation probe.

use crate::config::reach::{MOST, is_target};
use crate::edge::clock;
use crate::edge::prober::{Reached, reach};
use std::process::ExitCode;
use std::time::Duration;

/// Time for all of them together. Shorter, and an answer from far away comes too late; half of what the
/// prober gives.
const WITHIN: Duration = Duration::from_secs(10);

/// Ends with this where nothing can be told.
const CANNOT_TELL: u8 = 125;

/// A host and a port.
pub fn target(text: &str) -> Result<String, String> {
    match is_target(text) {
        true => Ok(text.to_owned()),
        false => Err("write a host and a port, as in db:5432".to_owned()),
    }
}

/// Ends with the number of one that is reached, counted from 1, or with 0.
pub fn try_all(targets: &[String], own_network: bool) -> ExitCode {
    if targets.len() > MOST {
        return ExitCode::from(CANNOT_TELL);
    }
    match reach(targets, own_network, clock::now().after(WITHIN)) {
        Reached::Number(number) => ExitCode::from(number),
        Reached::Nobody => ExitCode::SUCCESS,
        Reached::Untried => ExitCode::from(CANNOT_TELL),
    }
}
