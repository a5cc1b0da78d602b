//! `reload`: the daemon reads its configuration anew, or is replaced by the program that was installed
//! meanwhile.

use super::printer::{Printer, tell_line};
use super::reload_plan;
use super::remote::Daemon;
use crate::edge::clock;
use crate::error::Error;
use crate::status::{ServiceStatus, Status};
use crate::text::for_people;
use crate::units::Mono;
use clap::Args;
use std::time::Duration;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  fieldwarden reload --dry-run        what would it do?
  fieldwarden reload                  after a change of the configuration, or an upgrade
  fieldwarden check && fieldwarden reload --timeout 2m";

/// Wait between two looks: early enough for somebody who waits.
const LOOK: Duration = Duration::from_millis(50);

/// A run that is younger than this may not have shown yet that it cannot do its work.
const SETTLED: Duration = Duration::from_millis(200);

/// What is wanted.
#[derive(Args, Debug)]
pub struct Reload {
    /// How long to wait until everything that has changed is up again
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "60s")]
    timeout: Duration,
    /// Only tell what it would do
    #[arg(long, conflicts_with = "timeout")]
    dry_run: bool,
}

/// Asks for it, waits for the successor and for what it starts anew, and tells what was done.
pub fn reload(daemon: &Daemon, wanted: &Reload, out: &mut Printer) -> Result<(), Error> {
    if wanted.dry_run {
        return reload_plan::plan(daemon, out);
    }
    let before = daemon.status()?;
    // It ends with the daemon that answers it.
    let farewell = daemon.farewell()?;
    daemon.reload()?;
    let until = clock::now().after(wanted.timeout);
    farewell.wait(wanted.timeout);
    let after = successor(daemon, until)?;
    let after = settled(daemon, after, &before, until)?;
    tell(&before, &after, wanted.timeout, out)
}

/// The first word of the daemon that follows. Where it had to be started anew, that takes a moment.
fn successor(daemon: &Daemon, until: Mono) -> Result<Status, Error> {
    loop {
        match daemon.status() {
            Err(Error::NotRunning { .. } | Error::Broken { .. }) if clock::now() < until => {
                std::thread::sleep(LOOK);
            }
            outcome => return outcome,
        }
    }
}

fn settled(
    daemon: &Daemon,
    mut after: Status,
    before: &Status,
    until: Mono,
) -> Result<Status, Error> {
    while after.services.iter().any(|s| moves(s, before)) && clock::now() < until {
        std::thread::sleep(LOOK);
        after = daemon.status()?;
    }
    Ok(after)
}

fn find<'a>(status: &'a Status, name: &str) -> Option<&'a ServiceStatus> {
    status.services.iter().find(|s| s.name == name)
}

/// It is on its way, for our sake.
fn moves(service: &ServiceStatus, before: &Status) -> bool {
    let touched = find(before, &service.name)
        .is_none_or(|old| old.run != service.run || (old.state == "up" && service.state != "up"));
    let young = service.since_seconds.is_some_and(|s| s.0 < SETTLED);
    touched
        && match service.state.as_str() {
            "starting" | "stopping" => true,
            "up" => young,
            "down" => service.wish == "run" && service.job.is_none(),
            _ => false,
        }
}

fn tell(before: &Status, after: &Status, time: Duration, out: &mut Printer) -> Result<(), Error> {
    let (mut same, mut failed) = (0, false);
    for service in &after.services {
        let what = match find(before, &service.name) {
            Some(old) if old.run == service.run && !moves(service, before) => {
                same += 1;
                continue;
            }
            Some(_) => "started anew",
            None => "new",
        };
        let (name, state) = (&service.name, &service.state);
        let bad = matches!(state.as_str(), "backoff" | "gave-up")
            || service.why.as_deref() == Some("failed");
        if bad || moves(service, before) {
            failed = true;
            let late = match bad {
                true => "why: fieldwarden why ".to_owned() + name,
                false => format!(
                    "still after {}; it goes on in the background",
                    for_people(time)
                ),
            };
            tell_line(&format!(
                "fieldwarden: {name} is {what}, and {state}\nhelp: {late}"
            ));
        } else {
            out.line(&format!("{name}: {what}, {state}"))?;
        }
    }
    for old in &before.services {
        if find(after, &old.name).is_none() {
            out.line(&format!("{}: not configured any more, ended", old.name))?;
        }
    }
    if before.software != after.software {
        let (old, new) = (&before.software, &after.software);
        out.line(&format!("fieldwarden {old} was replaced by {new}"))?;
    }
    out.line(&match same {
        1 => "reloaded; 1 service is as it was".to_owned(),
        n => format!("reloaded; {n} services are as they were"),
    })?;
    if failed { Err(Error::Said) } else { Ok(()) }
}
