//! The shipped daemon where its units are in trouble: a stop that takes long, a pool that is
//! missing, a daemon that keeps breaking off.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, all_up, configure, service, start, status, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "unit-stop-takes-long",
        "an ordered stop that takes longer than the unit allows is neither cut short nor a reset",
        stop_takes_long,
    ),
    Case::daemon(
        "unit-pool-missing",
        "without the pool's unit the daemon works and says what that costs; with it all is well",
        pool_missing,
    ),
    Case::daemon(
        "unit-daemon-keeps-breaking-off",
        "three aborts in a minute: a safe start that keeps what runs; six: reset, and all is well",
        keeps_breaking_off,
    ),
];

/// Timeout of the test configuration.
const TIMEOUT: Duration = Duration::from_secs(8);

/// How much later than the timeout a reset may be seen, on a busy host.
const SLACK: Duration = Duration::from_secs(20);

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

fn pool_missing(machine: &mut Machine) -> Result<()> {
    let steady = |machine: &Machine| -> Result<String> {
        let pid = service(machine, "steady")?["pid"].clone();
        machine.ok(&format!("cat /proc/{pid}/cgroup"))
    };
    let check = "fieldwarden check /etc/fieldwarden/fieldwarden.toml 2>&1";
    // Masking does not replace a file in /etc; it is there as a package would have put it.
    machine.ok(
        "systemctl stop fieldwarden-pool 2>/dev/null; cd /etc/systemd/system; \
         [ ! -e fieldwarden-pool.service ] || mv fieldwarden-pool.service /srv/; \
         systemctl mask fieldwarden-pool; systemctl daemon-reload",
    )?;
    let said = machine.ok(check)?;
    ensure!(said.contains("is masked"), "check says: {said}");
    start(machine)?;
    let mark = machine.mark();
    wait_event(machine, "pool-missing", "")?;
    let report = status(machine)?;
    ensure!(report["verdicts"]["daemon"] == "warn", "{report}");
    ensure!(report["watchdog"]["state"] == "armed", "{report}");
    let headline = report["headline"].as_str().unwrap_or_default();
    ensure!(
        headline.contains("services end with the daemon"),
        "{headline}"
    );
    let group = steady(machine)?;
    ensure!(group.contains("fieldwarden.service"), "it runs in {group}");
    machine.ok(
        "cd /etc/systemd/system; systemctl unmask fieldwarden-pool; \
         [ ! -e /srv/fieldwarden-pool.service ] || mv /srv/fieldwarden-pool.service .; \
         systemctl daemon-reload; systemctl start fieldwarden-pool; systemctl restart fieldwarden",
    )?;
    all_up(machine)?;
    let report = status(machine)?;
    ensure!(report["verdicts"]["daemon"] == "ok", "{report}");
    let group = steady(machine)?;
    ensure!(
        group.contains("fieldwarden-pool.service"),
        "it runs in {group}"
    );
    let said = machine.ok(check)?;
    ensure!(!said.contains("pool"), "check says: {said}");
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    Ok(())
}

/// Ends the daemon as a bug would, once it has counted its own start as this one of the minute.
fn abort(machine: &Machine, start: u32) -> Result<()> {
    let counted = format!("[ $(wc -l < /run/fieldwarden/starts) -ge {start} ]");
    machine.wait_until("the next start", &counted, SOON)?;
    machine.ok("kill -ABRT $(systemctl show -P MainPID fieldwarden)")?;
    Ok(())
}

fn keeps_breaking_off(machine: &mut Machine) -> Result<()> {
    let text = include_str!("../../../../tests/vm/config/fieldwarden.toml").to_owned()
        + "[service.stopped]\ncommand = [\"/bin/sleep\", \"infinity\"]\n";
    configure(machine, &text)?;
    start(machine)?;
    let mark = machine.mark();
    machine.ok("fieldwarden stop stopped")?;
    let steady = service(machine, "steady")?["pid"].clone();
    for number in 1..=3 {
        abort(machine, number)?;
    }
    wait_event(machine, "safe-start", "\"aborted\":3")?;
    all_up(machine)?;
    let report = status(machine)?;
    ensure!(report["daemon"]["safe_after"] == 3, "{report}");
    ensure!(report["verdicts"]["daemon"] == "warn", "{report}");
    ensure!(
        service(machine, "steady")?["pid"] == steady,
        "a bystander was restarted"
    );
    ensure!(service(machine, "stopped")?["state"] == "up");
    ensure!(machine.events_since(mark).is_empty(), "a reset too early");
    for number in 4..=6 {
        abort(machine, number)?;
    }
    let last = Instant::now();
    machine.wait_event("WATCHDOG", mark, TIMEOUT + SLACK)?;
    println!(
        "vm:         reset {:.1} s after the sixth abort",
        last.elapsed().as_secs_f32()
    );
    machine.wait_boot()?;
    all_up(machine)?;
    let report = status(machine)?;
    ensure!(report["daemon"]["safe_after"].is_null(), "{report}");
    let told = "cat /var/lib/fieldwarden/journal/*.journal | grep -c safe-start";
    ensure!(
        machine.ok(told)?.trim() == "3",
        "safe starts in the journal"
    );
    ensure!(machine.ok("cat /var/lib/fieldwarden/resets")? == "1");
    Ok(())
}
