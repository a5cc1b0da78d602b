//! `hold`: somebody works on the machine, and has nothing escalated meanwhile.

use super::printer::Printer;
use super::remote::Daemon;
use crate::error::Error;
use crate::text::for_people;
use clap::Args;
use std::time::Duration;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  fieldwarden hold 30m --reason \"working on the wiring\"
  fieldwarden hold 10m --reason \"nearly done\"     from now on: the latest word holds
  fieldwarden hold --end                          done before its time";

/// What is wanted.
#[derive(Args, Debug)]
pub struct Hold {
    /// For how long from now on, in whole seconds, up to `most` of [hold] in all (4h unless
    /// configured), for example 30m
    #[arg(value_name = "TIME", value_parser = time, required_unless_present = "end")]
    time: Option<Duration>,
    /// What you do, in one line: shown to whoever looks meanwhile
    #[arg(long, value_name = "TEXT", required_unless_present = "end")]
    reason: Option<String>,
    /// End the hold that is in force
    #[arg(long, conflicts_with_all = ["time", "reason"])]
    end: bool,
}

/// A time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    let time = super::duration(text)?;
    match time.subsec_nanos() == 0 && !time.is_zero() {
        true => Ok(time),
        false => Err("write whole seconds, from 1s on".to_owned()),
    }
}

/// Does what is wanted.
pub fn hold(daemon: &Daemon, wanted: &Hold, out: &mut Printer) -> Result<(), Error> {
    // Without both it is the end that is wanted: the table of commands sees to that.
    if let (Some(time), Some(reason)) = (wanted.time, &wanted.reason) {
        daemon.hold(time.as_secs(), reason)?;
        let time = for_people(time);
        return Ok(out.line(&format!(
            "nothing is escalated for {time}; end it with: fieldwarden hold --end"
        ))?);
    }
    Ok(out.line(match daemon.end_hold()? {
        true => "the hold has ended: failures count again, from none",
        false => "no hold is in force",
    })?)
}
