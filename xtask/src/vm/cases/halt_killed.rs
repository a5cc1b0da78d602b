//! kill -9 of the daemon on the rungs of a halt.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::{Case, Modules};
use super::super::disk::Disk;
use super::super::machine::Machine;
use super::daemon::{all_up, wait_event};
use super::halt::{BOARD, begin_on, mains, wait_end, was_clean};
use super::halt_end::SLOWLY;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "halt-killed-on-its-way",
        "kill -9 of the daemon while it stops services, kills them, syncs, and waits for init: the halt \
         is finished each time",
        killed_on_its_way,
    )
    .with(Modules::Devices)
    .on_disk(Disk::Plain)
    .for_long(),
];

/// A service that no signal ends, because it writes to a file system that is frozen.
const FROZEN: &str = "[service.frozen]\nclass = \"essential\"\nstop_timeout = \"5s\"\n\
    command = [\"/bin/sh\", \"-c\", \"trap 'echo x > /mnt/x' TERM; while :; do sleep 0.2; done\"]\n\
    [stop]\nbudget = \"20s\"\n";

/// A unit that is stopped before ours, and takes its time.
const TAKES_LONG: &str = "[Unit]\nAfter=fieldwarden.service\n[Service]\nType=oneshot\n\
    RemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/sleep 15\n";

/// Waits until the halt stands on a rung, and kills the daemon there.
const KILL_ON: &str = "for n in $(seq 1000); do
        if fieldwarden status --json | grep -q '\"rung\":\"RUNG\"'; then
            kill -9 $(systemctl show -P MainPID fieldwarden) && exit 0
        fi
        sleep 0.02
    done; exit 1";

fn killed_on_its_way(machine: &mut Machine) -> Result<()> {
    machine.ok("mount /dev/vdb /mnt")?;
    machine.put_bytes(
        TAKES_LONG.as_bytes(),
        "/etc/systemd/system/long.service",
        0o644,
    )?;
    begin_on(machine, BOARD, "10s", FROZEN)?;
    machine.ok("systemctl daemon-reload; systemctl start long; sync; fsfreeze -f /mnt")?;
    let mark = machine.mark();
    mains(machine, false)?;
    wait_event(machine, "halting", "ride-through")?;
    for rung in ["stopping", "killing"] {
        kill_on(machine, rung)?;
    }
    // Now the disk takes what is written to it, but slowly.
    machine.throttle_second_disk(SLOWLY)?;
    machine.ok("fsfreeze -u /mnt; head -c 5M /dev/zero > /mnt/much")?;
    for rung in ["syncing", "asked"] {
        kill_on(machine, rung)?;
    }
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    machine.throttle_second_disk(0)?;
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_clean(machine, "mains stayed away")
}

/// Kills the daemon when the halt stands on this rung.
pub(super) fn kill_on(machine: &Machine, rung: &str) -> Result<()> {
    let script = KILL_ON.replace("RUNG", rung);
    let out = machine
        .sh_within(&script, Duration::from_secs(60))
        .with_context(|| format!("on {rung}"))?;
    ensure!(out.code == 0, "the halt never stood on {rung}");
    Ok(())
}
