//! An LED that others have a say in, too.

use super::{CONFIG, LED, RENEWED, SOON, plug_lamp, tell_something, wait_said, wait_shown};
use crate::vm::cases::daemon::{configure, start, status, wait_event};
use crate::vm::machine::Machine;
use anyhow::{Result, ensure};

pub(super) fn case(machine: &mut Machine) -> Result<()> {
    plug_lamp(machine)?;
    // It is also seen without a daemon, for longer than a watchdog that is left armed would wait.
    let disarmed = "[watchdog]\ndisarm_on_stop = true\n";
    configure(
        machine,
        &format!("[led]\nname = \"status\"\n{disarmed}{CONFIG}"),
    )?;
    start(machine)?;
    wait_said(machine, "unknown")?;
    machine.ok(&format!("echo cpu > {LED}/trigger"))?;
    let told = "fieldwarden events --json -n 256 | grep '\"event\":\"led-failed\"' | grep -q 'trigger cpu'";
    machine.wait_until("the news", told, RENEWED)?;
    ensure!(
        machine.ok(&format!("cat {LED}/trigger"))?.contains("[cpu]"),
        "fought for"
    );
    let report = status(machine)?;
    ensure!(report["verdicts"]["led"] == "warn", "{report}");
    ensure!(
        report["headline"]
            .to_string()
            .contains("taken by trigger cpu"),
        "{report}"
    );
    machine.ok(&format!("echo none > {LED}/trigger"))?;
    machine.wait_until(
        "the LED again",
        "fieldwarden status --json | grep -q '\"led\":\"ok\"'",
        RENEWED,
    )?;
    wait_shown(machine, "unknown", SOON)?;
    hangs(machine)?;
    is_unplugged(machine)?;
    is_given_back(machine)?;
    by_hand(machine)?;
    is_no_longer_named(machine)
}

/// Without the trigger that carries rhythms out, somebody who takes the LED keeps it too.
fn by_hand(machine: &Machine) -> Result<()> {
    machine.ok("modprobe -r ledtrig-pattern")?;
    start(machine)?;
    wait_shown(machine, "unknown", SOON)?;
    ensure!(
        machine
            .ok(&format!("cat {LED}/trigger"))?
            .contains("[none]"),
        "not by hand"
    );
    machine.ok(&format!("echo cpu > {LED}/trigger"))?;
    tell_something(machine)?;
    let taken = "fieldwarden status --json | grep -q 'taken by trigger cpu'";
    machine.wait_until("the news by hand", taken, RENEWED)?;
    ensure!(
        machine.ok(&format!("cat {LED}/trigger"))?.contains("[cpu]"),
        "fought for by hand"
    );
    machine.ok(&format!("echo none > {LED}/trigger"))?;
    machine.wait_until(
        "the LED by hand again",
        "fieldwarden status --json | grep -q '\"led\":\"ok\"'",
        RENEWED,
    )?;
    wait_shown(machine, "unknown", SOON)
}

/// The next daemon has no LED to drive, and gives back the one that the daemon before it had.
fn is_no_longer_named(machine: &Machine) -> Result<()> {
    machine.ok("grep -qx cpu0 /run/fieldwarden/led")?;
    configure(machine, CONFIG)?;
    machine.ok("systemctl restart fieldwarden")?;
    let back = format!("grep -q '\\[cpu0\\]' {LED}/trigger && [ ! -e /run/fieldwarden/led ]");
    machine.wait_until("the LED to be given back", &back, SOON)
}

/// A driver that hangs makes one thread late, and costs no pet.
fn hangs(machine: &Machine) -> Result<()> {
    machine.ok(
        "setsid hold-thread $(systemctl show -P MainPID fieldwarden) led >/run/held 2>&1 </dev/null &",
    )?;
    machine.wait_until("the thread to stand", "grep -q held /run/held", SOON)?;
    // It has no work until the LED is told something.
    tell_something(machine)?;
    let late =
        "fieldwarden events --json -n 256 | grep '\"event\":\"thread-late\"' | grep -q '\"led\"'";
    machine.wait_until("the thread to be late", late, RENEWED)?;
    let report = status(machine)?;
    ensure!(report["watchdog"]["state"] == "armed", "{report}");
    machine.ok("pkill hold-thread")?;
    wait_event(machine, "thread-on-time", "\"thread\":\"led\"")
}

/// The LED is gone for a while, and what comes back is had again.
fn is_unplugged(machine: &Machine) -> Result<()> {
    machine.ok("systemctl kill -s KILL lamp")?;
    machine.wait_until("the unplugging", &format!("[ ! -e {LED} ]"), SOON)?;
    tell_something(machine)?;
    let absent =
        "fieldwarden events --json -n 256 | grep '\"event\":\"led-failed\"' | grep -q 'absent'";
    machine.wait_until("the loss", absent, RENEWED)?;
    machine.ok("systemctl reset-failed lamp; systemctl start lamp")?;
    machine.wait_until("the LED", &format!("[ -w {LED}/trigger ]"), SOON)?;
    machine.ok(&format!("echo cpu0 > {LED}/trigger"))?;
    machine.wait_until(
        "the LED once more",
        "fieldwarden status --json | grep -q '\"led\":\"ok\"'",
        RENEWED,
    )?;
    wait_shown(machine, "unknown", SOON)
}

/// After the daemon's end, and after a demonstration without one, it is what it was.
fn is_given_back(machine: &Machine) -> Result<()> {
    machine.ok("systemctl stop fieldwarden")?;
    ensure!(
        machine
            .ok(&format!("cat {LED}/trigger"))?
            .contains("[cpu0]"),
        "given back"
    );
    ensure!(
        machine.sh("[ -e /run/fieldwarden/led ]")?.code != 0,
        "a record is left"
    );
    // Without a daemon it is shown all the same, and given back again.
    machine.ok(
        "fieldwarden led show on-battery --for 3m </dev/null >/run/shown 2>&1 & echo $! >/run/show",
    )?;
    wait_shown(machine, "on-battery", SOON)?;
    machine.ok("kill -INT $(cat /run/show)")?;
    let back = format!("grep -q '\\[cpu0\\]' {LED}/trigger");
    machine.wait_until("the end", &back, SOON)
}
