//! `network`: looks at the way out now, and at what expires; the child of the daemon that does so.

use super::CONFIG;
use super::printer::Printer;
use crate::config::{self, Ends, Loaded};
use crate::core::fact::{Found, Step, Uplink};
use crate::core::settings::{Judged, Network};
use crate::edge::uplink::{self, Dated, Errand, Finding};
use crate::error::Error;
use crate::text::{fault_sentence, for_people, found_word, step_trouble, step_word, wall};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Ends with this if something is broken.
const BROKEN: u8 = 1;

/// Ends with this if the arguments are none.
const WRONG_USE: u8 = 2;

pub(super) const EXAMPLES: &str = "\
Looks at what [network] and [expiry.NAME] name, asks those who are named there, and needs no daemon.
Ends with 1 if a step is broken.

Example: fieldwarden network --config /etc/fieldwarden/fieldwarden.toml";

/// What is to be looked at.
#[derive(Args, Debug)]
pub struct Asked {
    /// Configuration
    #[arg(long, value_name = "PATH", default_value = CONFIG)]
    config: PathBuf,
    /// As the daemon asks for it
    #[arg(long, hide = true, value_name = "KEY=VALUE", num_args = 0.., conflicts_with = "config")]
    errand: Option<Vec<OsString>>,
}

/// Looks, and tells people; or the daemon, in lines for it.
pub fn network(asked: &Asked, out: &mut Printer) -> Result<ExitCode, Error> {
    match &asked.errand {
        Some(arguments) => errand(arguments, out),
        None => look(&asked.config, out),
    }
}

fn errand(arguments: &[OsString], out: &mut Printer) -> Result<ExitCode, Error> {
    let Some(errand) = Errand::read(arguments) else {
        return Ok(ExitCode::from(WRONG_USE));
    };
    let mut told = Ok(());
    uplink::run(&errand, |finding| {
        if told.is_ok() {
            told = out.line(&finding.to_string());
        }
    });
    told?;
    Ok(ExitCode::SUCCESS)
}

fn look(path: &std::path::Path, out: &mut Printer) -> Result<ExitCode, Error> {
    let Loaded { config, .. } = config::load(path)?;
    let files = (0u16..).zip(&config.wiring.expiries);
    let files = files.filter_map(|(number, ends)| match ends {
        Ends::Certificates(path) => Some((number, Dated::Certificates(path.clone()))),
        Ends::After(path, _) => Some((number, Dated::Written(path.clone()))),
        Ends::On(_) => None,
    });
    let errand = Errand {
        plan: config.wiring.uplink.clone(),
        files: files.collect(),
    };
    let settings = &config.settings;
    if settings.network.is_none() && settings.expiries.is_empty() {
        out.line(
            "nothing is named in [network] or [expiry.NAME]: see `fieldwarden check --explain network.name`",
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = Vec::new();
    let mut broken = false;
    uplink::run(&errand, |finding| match (finding, &settings.network) {
        (Finding::Uplink(uplink), Some(network)) => {
            broken = matches!(network.judge(&uplink), Judged::Broken(..));
            lines.extend(steps(&uplink, network));
        }
        (Finding::Uplink(_), None) => {}
        (Finding::Dated(number, found), _) => {
            let at = usize::from(number);
            let name = settings.expiries.get(at).map_or("?", |e| &e.name);
            let ends = match (found, config.wiring.expiries.get(at)) {
                (Ok(written), Some(Ends::After(_, lasts))) => Ok(written.later(*lasts)),
                (found, _) => found,
            };
            lines.push(match ends {
                Ok(ends) => format!("{name} expires at {}", wall(ends)),
                Err(why) => format!("{name}: {}", fault_sentence(&why)),
            });
        }
    });
    for line in lines {
        out.line(&line)?;
    }
    Ok(ExitCode::from(if broken { BROKEN } else { 0 }))
}

/// A line for each step, the first one that is broken with what that means.
fn steps(uplink: &Uplink, network: &Network) -> Vec<String> {
    let first = match network.judge(uplink) {
        Judged::Broken(step, found) => Some((step, found)),
        Judged::Well | Judged::Unsure => None,
    };
    let line = |(step, found): (Step, Found)| {
        let (mut found, mut more) = (found, String::new());
        if let Some((broken, how)) = first.filter(|(broken, _)| *broken == step) {
            found = how;
            more = format!(": {}", step_trouble(broken, how));
        } else if let (Step::Vpn, Some(age)) = (step, uplink.handshake) {
            more = format!(": latest handshake {} ago", for_people(age));
        } else if (step, found) == (Step::Vpn, Found::Well) {
            more =
                ": nothing is told of a handshake (not WireGuard's, or CAP_NET_ADMIN is missing)"
                    .to_owned();
        }
        format!("{:8} {}{more}", step_word(step), found_word(found))
    };
    uplink.found().map(line).collect()
}
