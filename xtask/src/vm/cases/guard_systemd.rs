//! The hardware watchdog in systemd's hands: seen, not taken for granted.

// The case waits for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, all_up, configure, start, status, wait_event};
use super::guard::{SLACK, STATE, TIMEOUT, ensure_timeout};

/// What systemd has for the boot after the one that was bitten.
const BOOT_TIMEOUT: Duration = Duration::from_secs(60);

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "guard-owner-systemd",
    "owner = systemd: whether the device runs is seen; a stopped daemon is replaced; systemd held: reset",
    owner_systemd,
)];

fn owner_systemd(machine: &mut Machine) -> Result<()> {
    let text = include_str!("../../../../tests/vm/config/fieldwarden.toml")
        .replace("timeout = \"8s\"", "owner = \"systemd\"");
    configure(machine, &text)?;
    let drop_in = "[Service]\nWatchdogSec=5s\n";
    let path = "/etc/systemd/system/fieldwarden.service.d/watchdog.conf";
    machine.put_bytes(drop_in.as_bytes(), path, 0o644)?;
    machine.ok("systemctl daemon-reload")?;
    nobody_guards(machine)?;
    systemd_guards(machine)?;
    daemon_is_replaced(machine)?;
    init_is_bitten(machine)
}

/// systemd's own default is to pet nothing: that is said, and nothing is opened.
fn nobody_guards(machine: &Machine) -> Result<()> {
    let found = machine.sh("fieldwarden check 2>&1")?;
    ensure!(
        found.stdout.contains("RuntimeWatchdogSec="),
        "check does not warn: {found:?}"
    );
    start(machine)?;
    let off =
        "fieldwarden status | grep '^degraded: no hardware watchdog runs: RuntimeWatchdogSec='";
    machine.wait_until("the gap to be told", off, SOON)?;
    wait_event(machine, "watchdog-idle", "")?;
    ensure!(status(machine)?["watchdog"]["state"] == "off");
    ensure!(machine.ok(STATE)? == "inactive", "somebody armed it");
    Ok(())
}

/// Told to, systemd pets it, and the daemon sees that in the kernel.
fn systemd_guards(machine: &Machine) -> Result<()> {
    have_petted(machine, TIMEOUT)?;
    machine.ok("systemctl daemon-reexec")?;
    machine.wait_until(
        "systemd to arm it",
        &format!("[ $({STATE}) = active ]"),
        SOON,
    )?;
    let ours = "fieldwarden status --json | grep -q '\"state\":\"elsewhere\"'";
    machine.wait_until("that to be seen", ours, SOON)?;
    wait_event(machine, "watchdog-runs", "")?;
    let said = status(machine)?;
    ensure!(said["verdicts"]["watchdog"] == "ok", "{}", said["watchdog"]);
    ensure!(
        said["watchdog"]["timeout_seconds"] == 8.0,
        "{}",
        said["watchdog"]
    );
    ensure!(
        !machine
            .sh("fieldwarden check 2>&1")?
            .stdout
            .contains("RuntimeWatchdogSec=")
    );
    Ok(())
}

/// What systemd is to do when it reads its configuration next.
fn have_petted(machine: &Machine, timeout: Duration) -> Result<()> {
    let manager = format!("[Manager]\nRuntimeWatchdogSec={}s\n", timeout.as_secs());
    let path = "/etc/systemd/system.conf.d/watchdog.conf";
    machine.put_bytes(manager.as_bytes(), path, 0o644)
}

fn daemon_is_replaced(machine: &Machine) -> Result<()> {
    let mark = machine.mark();
    let steady = "fieldwarden status --json | grep -o '\"name\":\"steady\"[^}]*\"pid\":[0-9]*'";
    let before = machine.ok(steady)?;
    machine.sh_within("sleep 12", SOON)?;
    ensure!(
        machine.ok("systemctl show -P NRestarts fieldwarden")? == "0",
        "ended although petted"
    );
    machine.ok("kill -STOP $(systemctl show -P MainPID fieldwarden)")?;
    let again = "[ $(systemctl show -P NRestarts fieldwarden) -ge 1 ] && fieldwarden status";
    machine.wait_until("systemd to replace the daemon", again, SOON)?;
    all_up(machine)?;
    ensure!(machine.ok(steady)? == before, "the service did not live on");
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    Ok(())
}

/// systemd hangs: nobody pets the device, and it bites.
fn init_is_bitten(machine: &mut Machine) -> Result<()> {
    ensure_timeout(machine)?;
    // In force from the next boot on: on a busy host that may take longer than one period.
    have_petted(machine, BOOT_TIMEOUT)?;
    machine.ok("sync")?;
    let mark = machine.mark();
    machine.ok("setsid hold-thread 1 systemd > /run/held-init 2>&1 < /dev/null &")?;
    machine.wait_until("systemd to stand", "grep -q held /run/held-init", SOON)?;
    let held = Instant::now();
    let bite = machine.wait_event("WATCHDOG", mark, TIMEOUT + SLACK)?;
    let wait = bite.at - held;
    println!(
        "vm:         reset {:.1} s after systemd was held",
        wait.as_secs_f32()
    );
    // It pets at half of the timeout at the latest, so half of it must have been left.
    ensure!(
        wait + Duration::from_secs(1) >= TIMEOUT / 2,
        "it bit after {wait:?}"
    );
    machine.wait_boot()?;
    all_up(machine)?;
    ensure!(
        machine.ok(STATE)? == "active",
        "the next boot is not guarded"
    );
    Ok(())
}
