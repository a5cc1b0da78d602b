//! The shipped daemon where its unit is in trouble: a stop that takes long.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{configure, start};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "unit-stop-takes-long",
    "an ordered stop that takes longer than the unit allows is neither cut short nor a reset",
    stop_takes_long,
)];

/// A line of its own for the daemon's unit.
fn drop_in(machine: &Machine, text: &str) -> Result<()> {
    let path = "/etc/systemd/system/fieldwarden.service.d/case.conf";
    machine.put_bytes(text.as_bytes(), path, 0o644)?;
    machine.ok("systemctl daemon-reload")?;
    Ok(())
}

fn stop_takes_long(machine: &mut Machine) -> Result<()> {
    let slow = "trap 'sleep 35; echo whole > /run/stopped; exit 0' TERM; \
                while :; do sleep 0.2; done";
    configure(
        machine,
        &format!(
            "[watchdog]\ntimeout = \"8s\"\ndisarm_on_stop = true\n[stop]\nbudget = \"2m\"\n\
             [service.slow]\ncommand = [\"/bin/sh\", \"-c\", \"{slow}\"]\nstop_timeout = \"1m\"\n"
        ),
    )?;
    // The unit gives two minutes; scaled down here, so that nobody has to wait for longer than that.
    drop_in(machine, "[Service]\nTimeoutStopSec=10s\n")?;
    start(machine)?;
    let mark = machine.mark();
    let stop = "begin=$(date +%s); systemctl stop fieldwarden; echo $(( $(date +%s) - begin ))";
    let output = machine.sh_within(stop, Duration::from_secs(120))?;
    let took: u64 = output.stdout.trim().parse()?;
    ensure!(took >= 35, "the stop took {took} s only");
    let ended = machine.ok("cat /run/stopped")?;
    ensure!(ended.trim() == "whole", "the service was cut short");
    let result = machine.ok("systemctl show -P Result fieldwarden")?;
    ensure!(result == "success", "the unit ended with {result}");
    let state = machine.ok("cat /sys/class/watchdog/watchdog0/state")?;
    ensure!(state == "inactive", "the device is {state} after the end");
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset while services stopped"
    );
    Ok(())
}
