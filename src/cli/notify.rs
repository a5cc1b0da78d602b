//! `notify`: what a service without a library for it says on its notify socket.

use crate::edge::clock;
use crate::edge::notify_sender::{Notifier, PATIENCE, parent};
use crate::error::Error;
use crate::text::errno_named;
use clap::Args;
use std::io;
use std::time::Duration;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples, in a script that fieldwarden runs with `ready = \"notify\"` or with a `heartbeat`:
  fieldwarden notify --ready --status \"listening on port 80\"
  fieldwarden notify --watchdog      a heartbeat; send it after the work, from the loop that does it
  fieldwarden notify --stopping
  fieldwarden notify --more-time 5m  the work takes longer than the heartbeat allows
  fieldwarden notify X_MINE=1        any other line of sd_notify(3)

It does what systemd-notify does, and works for systemd's services too.";

/// What is to be said.
#[derive(Args, Debug)]
pub struct Notify {
    /// It can do its work, or has reloaded (READY=1)
    #[arg(long)]
    ready: bool,
    /// It reads its configuration anew (RELOADING=1)
    #[arg(long)]
    reloading: bool,
    /// It is about to end (STOPPING=1)
    #[arg(long)]
    stopping: bool,
    /// What it does now, for `fieldwarden status` (STATUS=)
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    status: Option<String>,
    /// What has failed, by number or name such as ENOENT; 0 takes it back (ERRNO=)
    #[arg(long, value_name = "ERRNO", value_parser = errno)]
    errno: Option<i32>,
    /// Heartbeat (WATCHDOG=1)
    #[arg(long)]
    watchdog: bool,
    /// It has found itself broken, and is to be started again (WATCHDOG=trigger)
    #[arg(long, conflicts_with = "watchdog")]
    trigger: bool,
    /// Longest silence between its heartbeats from now on, for example 30s (WATCHDOG_USEC=)
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    heartbeat: Option<Duration>,
    /// It needs this much time from now (EXTEND_TIMEOUT_USEC=)
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    more_time: Option<Duration>,
    /// Its main process from now on; without a number, whoever runs this (MAINPID=)
    #[arg(long, value_name = "PID", num_args = 0..=1, require_equals = true,
          default_missing_value = "0")]
    pid: Option<u32>,
    /// Do not wait until it has taken effect
    #[arg(long)]
    no_block: bool,
    /// Lines as sd_notify(3) has them
    #[arg(value_name = "KEY=VALUE", value_parser = variable)]
    variables: Vec<String>,
}

fn one_line(text: &str) -> Result<String, String> {
    match text.contains(['\n', '\0']) {
        true => Err("write one line".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn errno(text: &str) -> Result<i32, String> {
    let known = errno_named(text).map(|errno| errno.0);
    known
        .filter(|errno| (0..=4095).contains(errno))
        .ok_or_else(|| "write a name such as ENOENT, or a number from 0 to 4095".to_owned())
}

fn variable(text: &str) -> Result<String, String> {
    let key = text.split_once('=').map(|(key, _)| key);
    let plain = |key: &str| {
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        !key.is_empty() && key.chars().all(fits)
    };
    match key.is_some_and(plain) {
        true => one_line(text),
        false => Err("write KEY=VALUE, the key in capitals, as in WATCHDOG=1".to_owned()),
    }
}

impl Notify {
    /// The datagram.
    fn message(&self) -> String {
        let mut lines = Vec::new();
        if self.reloading {
            let now = clock::now().0.saturating_mul(1000);
            lines.push(format!("RELOADING=1\nMONOTONIC_USEC={now}"));
        }
        let flags = [
            (self.ready, "READY=1"),
            (self.stopping, "STOPPING=1"),
            (self.watchdog, "WATCHDOG=1"),
            (self.trigger, "WATCHDOG=trigger"),
        ];
        let flags = flags.iter().filter(|(said, _)| *said);
        lines.extend(flags.map(|(_, line)| (*line).to_owned()));
        lines.extend(self.status.as_ref().map(|text| format!("STATUS={text}")));
        lines.extend(self.errno.map(|errno| format!("ERRNO={errno}")));
        let times = [
            ("WATCHDOG_USEC", self.heartbeat),
            ("EXTEND_TIMEOUT_USEC", self.more_time),
        ];
        for (key, time) in times {
            lines.extend(time.map(|time| format!("{key}={}", time.as_micros())));
        }
        lines.extend(self.pid.map(|pid| match pid {
            0 => format!("MAINPID={}", parent()),
            pid => format!("MAINPID={pid}"),
        }));
        lines.extend(self.variables.iter().cloned());
        lines.join("\n")
    }
}

/// Says it, and waits until it has taken effect.
pub fn notify(what: &Notify) -> Result<(), Error> {
    let message = what.message();
    if message.is_empty() {
        return Err(Error::NothingToSay);
    }
    let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
    let name = name.ok_or(Error::NobodyListens)?;
    let failed = |e: io::Error| Error::NotHeard {
        socket: name.to_string_lossy().into_owned(),
        why: match e.kind() {
            io::ErrorKind::WouldBlock => too_slow(),
            _ => e.to_string(),
        },
    };
    let notifier = Notifier::to(&name).map_err(failed)?;
    notifier.say(&message).map_err(failed)?;
    if what.no_block || notifier.wait().map_err(failed)? {
        return Ok(());
    }
    Err(Error::NotHeard {
        socket: name.to_string_lossy().into_owned(),
        why: too_slow(),
    })
}

fn too_slow() -> String {
    format!("nobody has read it within {} s", PATIENCE.as_secs())
}
