//! The shipped units with a stand-in daemon: services outlive the daemon in the holder unit.
//!
//! What systemd 252 does here decided docs/decisions/0002-holder-unit.md; these cases notice if
//! the units or a later systemd behave otherwise.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::lab(
        "holder-outlives-daemon",
        "kill -9, abort, restart and re-exec of the daemon or of systemd leave services running",
        outlives_daemon,
    ),
    Case::lab(
        "holder-is-robust",
        "neither the holder's death, nor a service out of memory, nor an operator ends services",
        is_robust,
    ),
    Case::lab(
        "holder-stops-in-order",
        "stop and power-off: first the daemon with its services, then what is left in the holder",
        stops_in_order,
    ),
    Case::lab(
        "holder-without-data-partition",
        "the daemon starts although the partition of its state cannot be mounted",
        without_data_partition,
    ),
];

/// Group of the services.
const POOL: &str = "/sys/fs/cgroup/system.slice/fieldwarden-pool.service";

/// systemd's restart delay plus its own work, on a busy host.
const RESTART: Duration = Duration::from_secs(20);

/// Makes the shipped unit start the stand-in: no watchdog, and `systemd-notify` is its child.
const DROP_IN: &str =
    "[Service]\nExecStart=\nExecStart=/usr/local/bin/standin\nNotifyAccess=all\nWatchdogSec=0\n";

/// Installs units and stand-in, and starts both units.
fn install(machine: &Machine) -> Result<()> {
    let units = "/usr/lib/systemd/system";
    let daemon = include_bytes!("../../../../systemd/fieldwarden.service");
    let pool = include_bytes!("../../../../systemd/fieldwarden-pool.service");
    let standin = include_bytes!("../../../../tests/vm/standin/daemon");
    machine.put_bytes(daemon, &format!("{units}/fieldwarden.service"), 0o644)?;
    machine.put_bytes(pool, &format!("{units}/fieldwarden-pool.service"), 0o644)?;
    machine.put_bytes(standin, "/usr/local/bin/standin", 0o755)?;
    let drop_in = "/etc/systemd/system/fieldwarden.service.d/standin.conf";
    machine.put_bytes(DROP_IN.as_bytes(), drop_in, 0o644)?;
    machine.ok("systemctl daemon-reload")?;
    machine.ok("systemctl start fieldwarden")?;
    Ok(())
}

/// Process number of the service in the pool.
fn service(machine: &Machine) -> Result<String> {
    machine.ok(&format!("head -n 1 {POOL}/service/cgroup.procs"))
}

fn ensure_same_service(machine: &Machine, before: &str, after_what: &str) -> Result<()> {
    let now = service(machine)?;
    ensure!(
        now == before,
        "after {after_what} the service is process {now}, it was {before}"
    );
    Ok(())
}

/// Runs a script that replaces the daemon's process, and waits until the new one is ready.
fn replace_daemon(machine: &Machine, script: &str) -> Result<()> {
    let old = machine.ok("systemctl show -P MainPID fieldwarden")?;
    machine.ok(script)?;
    let new = format!(
        "[ \"$(systemctl show -P MainPID fieldwarden)\" != {old} ] \
         && systemctl is-active -q fieldwarden"
    );
    machine.wait_until("the daemon's next start", &new, RESTART)
}

fn outlives_daemon(machine: &mut Machine) -> Result<()> {
    install(machine)?;
    let first = service(machine)?;
    for script in [
        "systemctl kill --kill-who=main -s KILL fieldwarden",
        "systemctl kill --kill-who=main -s ABRT fieldwarden",
        "systemctl restart fieldwarden",
        "systemctl daemon-reload; systemctl daemon-reexec; systemctl try-restart fieldwarden",
    ] {
        replace_daemon(machine, script)?;
        ensure_same_service(machine, &first, script)?;
    }
    let log = machine.ok("cat /var/standin.log")?;
    ensure!(log.matches("daemon adopted service").count() == 4, "{log}");
    ensure!(log.matches("daemon got SIGQUIT").count() == 2, "{log}");
    ensure!(
        !log.contains("SIGTERM") && !log.contains("refused"),
        "{log}"
    );
    Ok(())
}

fn is_robust(machine: &mut Machine) -> Result<()> {
    install(machine)?;
    let first = service(machine)?;
    for verb in ["stop", "restart"] {
        let refused = machine.sh(&format!("systemctl {verb} fieldwarden-pool"))?;
        ensure!(
            refused.code != 0,
            "systemctl {verb} fieldwarden-pool was not refused"
        );
    }
    machine.ok(&format!(
        "mkdir {POOL}/hog && echo 20M > {POOL}/hog/memory.max && ! bash -c \
         'echo $$ > {POOL}/hog/cgroup.procs; x=$(head -c 100M /dev/zero | tr \"\\0\" a)' \
         && grep -q 'oom_kill [1-9]' {POOL}/hog/memory.events"
    ))?;
    ensure_same_service(machine, &first, "an OOM kill beside it")?;
    machine.ok(&format!("kill -KILL $(cat {POOL}/holder/cgroup.procs)"))?;
    replace_daemon(
        machine,
        "systemctl daemon-reload; systemctl restart fieldwarden",
    )?;
    ensure_same_service(machine, &first, "the holder's death")?;
    // Only when nothing is left does the unit end, and systemd starts a new holder.
    machine.ok("systemctl kill -s STOP fieldwarden")?;
    machine.ok(&format!(
        "kill -KILL $(cat {POOL}/service/cgroup.procs {POOL}/straggler/*.procs) || true"
    ))?;
    let anew = format!("grep -q . {POOL}/holder/cgroup.procs");
    machine.wait_until("a new holder", &anew, RESTART)
}

fn stops_in_order(machine: &mut Machine) -> Result<()> {
    install(machine)?;
    machine.ok("systemctl stop fieldwarden")?;
    let stopped = [
        "daemon got SIGTERM",
        "service got SIGTERM",
        "daemon leaves, service is down",
    ];
    let log = machine.ok("cat /var/standin.log")?;
    let events: Vec<&str> = log.lines().skip(2).collect();
    ensure!(events == stopped, "stop: {log}");
    let pool = machine.ok("systemctl is-active fieldwarden-pool")?;
    ensure!(
        pool == "active",
        "the holder is {pool} after the daemon's stop"
    );

    machine.ok("systemctl start fieldwarden && : > /var/standin.log")?;
    let mark = machine.mark();
    machine.ok("systemctl --no-block poweroff")?;
    machine.wait_event("SHUTDOWN", mark, Duration::from_secs(60))?;
    machine.power_on()?;
    machine.wait_boot()?;
    let log = machine.ok("cat /var/standin.log")?;
    let [first, second, third] = stopped;
    let expected = [first, second, third, "straggler got SIGTERM"];
    ensure!(log.lines().eq(expected), "power-off: {log}");
    Ok(())
}

fn without_data_partition(machine: &mut Machine) -> Result<()> {
    let mount = "[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=tmpfs\nType=tmpfs\n\
         Where=/var/lib/fieldwarden\nOptions=size=broken\n";
    let unit = "/etc/systemd/system/var-lib-fieldwarden.mount";
    machine.put_bytes(mount.as_bytes(), unit, 0o644)?;
    install(machine)?;
    machine.ok("! systemctl start var-lib-fieldwarden.mount")?;
    machine.ok("systemctl stop fieldwarden && systemctl start fieldwarden")?;
    ensure!(machine.ok("systemctl is-active fieldwarden")? == "active");
    Ok(())
}
