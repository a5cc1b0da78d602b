//! `reach`: tries to connect to what a service must not reach; the program of its isolation probe.

use crate::config::reach::{MOST, is_target};
use crate::edge::clock;
use crate::edge::prober::{Reached, reach};
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// Time for all of them together. Shorter, and an answer from far away comes too late; half of what the
/// prober gives.
const WITHIN: Duration = Duration::from_secs(10);

/// Ends with this where nothing can be told.
const CANNOT_TELL: u8 = 125;

/// What is to be tried.
#[derive(Args, Debug)]
pub struct Asked {
    /// Hosts and ports
    #[arg(value_name = "HOST:PORT", required = true, value_parser = target)]
    targets: Vec<String>,
    /// This is a network of its own: what cannot be looked up in it is not reached
    #[arg(long)]
    own_network: bool,
}

fn target(text: &str) -> Result<String, String> {
    match is_target(text) {
        true => Ok(text.to_owned()),
        false => Err("write a host and a port, as in db:5432".to_owned()),
    }
}

/// Ends with the number of one that is reached, counted from 1, or with 0.
pub fn try_all(asked: &Asked) -> ExitCode {
    if asked.targets.len() > MOST {
        return ExitCode::from(CANNOT_TELL);
    }
    let end = clock::now().after(WITHIN);
    match reach(&asked.targets, asked.own_network, end) {
        Reached::Number(number) => ExitCode::from(number),
        Reached::Nobody => ExitCode::SUCCESS,
        Reached::Untried => ExitCode::from(CANNOT_TELL),
    }
}
