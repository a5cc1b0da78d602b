//! `drill`: what guards the machine is tried out, for real.

use super::printer::{Printer, tell_line};
use super::remote::Daemon;
use crate::error::Error;
use clap::Subcommand;
use std::io::{self, BufRead, IsTerminal, Write};

/// Shown below the help.
pub const EXAMPLES: &str = "\
Example: fieldwarden drill watchdog

Services end in order, file systems are synced, and then nobody pets the watchdog any more. When the
machine is up again, `fieldwarden why` and `fieldwarden status` tell how long it took to bite.";

/// What is tried out.
#[derive(Subcommand, Debug)]
pub enum Drill {
    /// Let the hardware watchdog really reset this machine, once, and see at the next boot that it did
    ///
    /// Refused where that would not be safe: on battery, in a hold, without a watchdog that the daemon
    /// pets, or when the machine was restarted on purpose as often as it may be. If the watchdog does
    /// not bite, services come back, and the machine is known to be unguarded.
    Watchdog {
        /// Do not ask whether that is meant
        #[arg(long)]
        yes: bool,
    },
}

/// Tries it out.
pub fn drill(daemon: &Daemon, what: &Drill, out: &mut Printer) -> Result<(), Error> {
    let Drill::Watchdog { yes } = what;
    if !yes && !is_meant()? {
        tell_line("fieldwarden: nothing was done\nhelp: answer `yes`, or say --yes");
        return Err(Error::Said);
    }
    Ok(out.line(match daemon.drill()? {
        true => {
            "asked for: services end, then the watchdog is to reset this machine; afterwards \
             `fieldwarden why` tells whether it did"
        }
        false => "a drill is under way already",
    })?)
}

/// Whoever sits there wants it. Nobody sits where no terminal is.
fn is_meant() -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut asked = io::stderr();
    write!(
        asked,
        "This ends all services and has the hardware watchdog reset this machine. Type `yes` to go on: "
    )?;
    asked.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
