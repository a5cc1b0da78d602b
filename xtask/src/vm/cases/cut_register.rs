//! Boards that are told by a register to cut the power: before init is asked, or by the hook.
//!
//! The chip is a program in the guest, which tells on the console what is written to it, because
//! nobody in the guest can be asked any more when the machine goes down.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::cuse;
use super::daemon::{SOON, all_up, wait_event};
use super::halt::{BOARD, begin_on, mains, wait_end, was_clean, was_halted};
use super::halt_killed::kill_on;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "halt-cut-register",
        "a board is told by its register before init is asked, once, and the marker says that it took it",
        taken,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-cut-refused",
        "a chip that never took the cut does not keep the hook from restarting the machine when mains are \
         back; when they are not, the hook tells it once more",
        refused,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-cut-taken-back",
        "mains are back: before the point of no return the board forgets the cut and services come back, \
         after it the hook has it forget it, and the machine is restarted",
        taken_back,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-cut-killed",
        "kill -9 of the daemon while it tells a board on a stuck bus: the next one tells it once more, and \
         finishes the halt",
        killed,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-cut-after-unmount",
        "a board that is to be told when everything is unmounted is told by the hook, and not before",
        after_unmount,
    )
    .with(Modules::Devices)
    .for_long(),
];

/// A board with a power line and a chip that cuts the power.
fn board(more: &str) -> String {
    format!(
        "{BOARD}[chip.mcu]\ndriver = \"registers\"\naddress = 0x2d\n[cut.register]\nchip = \"mcu\"\n\
         register = 1\nvalue = 0x55\n{more}"
    )
}

/// It takes it back by this.
const CANCELS: &str = "delay = \"60s\"\ncancel = 0\n";

/// What the chip says of the orders to cut the power, and to forget that.
const CUT: &str = "chip 0x2d: 01 55 taken";
const CUT_REFUSED: &str = "chip 0x2d: 01 55 refused";
const FORGET: &str = "chip 0x2d: 01 00 taken";

/// Puts the chip on the bus. The name of its program begins with an `@`, so systemd spares it to the
/// very end, and with it the bus (systemd's `ROOT_STORAGE_DAEMONS`).
fn plug(machine: &Machine) -> Result<()> {
    machine.ok("modprobe cuse
         systemd-run --quiet --unit cuse-i2c-1 -p DefaultDependencies=no -p KillMode=none \
             /bin/bash -c 'exec -a @cuse-device cuse-device i2c-1 i2c 0x2d=bytes'")?;
    let there = "[ -c /dev/i2c-1 ] && [ -S /run/cuse-device/i2c-1 ]";
    machine.wait_until("the bus", there, SOON)?;
    cuse::ask(machine, "i2c-1", "tell 0x2d")?;
    Ok(())
}

/// A unit that is stopped after the daemon, and ends when a case says so: time in which the daemon
/// is gone and the hook is still to come.
const STAYS: &str = "[Unit]\nBefore=fieldwarden.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
    ExecStart=/bin/true\nExecStop=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.1; done'\n\
    TimeoutStopSec=80\n";

fn stay(machine: &Machine) -> Result<()> {
    machine.put_bytes(STAYS.as_bytes(), "/etc/systemd/system/stays.service", 0o644)?;
    machine.ok("systemctl daemon-reload; systemctl start stays; sync")?;
    Ok(())
}

/// Waits until the daemon has asked init and is gone, and gives back the marker of this boot.
fn daemon_is_gone(machine: &Machine) -> Result<String> {
    let gone =
        "systemctl list-jobs | grep -q 'stays.service *stop *running' && ! pgrep -x fieldwarden";
    machine
        .wait_until("the daemon's end", gone, Duration::from_secs(60))
        .with_context(|| machine.serial().unwrap_or_default())?;
    machine.ok("cat /run/fieldwarden/marker")
}

/// The journal holds such a record, now that no daemon can be asked for it.
fn recorded(machine: &Machine, event: &str, about: &str) -> Result<()> {
    let seen = format!(
        "cat /var/lib/fieldwarden/journal/*.journal | grep '\"event\":\"{event}\"' | grep -c '{about}'"
    );
    let told = machine.ok(&format!("{seen} || true"))?;
    ensure!(told.trim() == "1", "{event} {about}: {told} times");
    Ok(())
}

/// What the chip said, in order.
fn said(machine: &Machine) -> Result<Vec<String>> {
    let serial = machine.serial()?;
    let told = serial.lines().filter_map(|line| {
        let at = line.find("chip 0x2d: ")?;
        Some(line[at..].trim().to_owned())
    });
    Ok(told.collect())
}

/// The chip said exactly this.
fn said_exactly(machine: &Machine, wanted: &[&str]) -> Result<()> {
    let said = said(machine)?;
    ensure!(said == wanted, "the chip said {said:?}, and not {wanted:?}");
    Ok(())
}

fn taken(machine: &mut Machine) -> Result<()> {
    plug(machine)?;
    begin_on(machine, &board("delay = \"60s\"\n"), "10s", "")?;
    stay(machine)?;
    said_exactly(machine, &[])?;
    let mark = machine.mark();
    mains(machine, false)?;
    let marker = daemon_is_gone(machine)?;
    ensure!(
        marker.contains(" phase=committed ") && marker.contains(" cut=yes"),
        "{marker}"
    );
    said_exactly(machine, &[CUT])?;
    machine.ok("touch /run/go")?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    // Once, and long before: the hook leaves it alone.
    said_exactly(machine, &[CUT])?;
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_clean(machine, "mains stayed away")
}

/// The daemon ends in a halt that is to come, and no board has taken a cut.
fn ends_untold(machine: &Machine) -> Result<()> {
    let marker = daemon_is_gone(machine)?;
    ensure!(
        marker.contains(" phase=committed ") && !marker.contains(" cut="),
        "{marker}"
    );
    Ok(())
}

fn refused(machine: &mut Machine) -> Result<()> {
    plug(machine)?;
    begin_on(machine, &board("delay = \"60s\"\n"), "10s", "")?;
    stay(machine)?;
    cuse::ask(machine, "i2c-1", "fault 0x2d nak")?;
    let mark = machine.mark();
    mains(machine, false)?;
    ends_untold(machine)?;
    recorded(machine, "rung-missed", "\"rung\":\"cutting\"")?;
    said_exactly(machine, &[CUT_REFUSED; 3])?;
    // The daemon cannot see it any more: this is up to the hook.
    mains(machine, true)?;
    machine.ok("touch /run/go")?;
    wait_end(machine, mark, "RESET", "guest-reset")?;
    said_exactly(machine, &[CUT_REFUSED; 3])?;
    machine.wait_boot()?;
    was_halted(machine, "mains stayed away")?;

    // The same, and mains stay away. The chip can be reached again by then.
    plug(machine)?;
    stay(machine)?;
    cuse::ask(machine, "i2c-1", "fault 0x2d nak")?;
    let mark = machine.mark();
    mains(machine, false)?;
    daemon_is_gone(machine)?;
    said_exactly(machine, &[CUT_REFUSED; 6])?;
    cuse::ask(machine, "i2c-1", "heal")?;
    machine.ok("touch /run/go")?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    let mut wanted = vec![CUT_REFUSED; 6];
    wanted.push(CUT);
    said_exactly(machine, &wanted)
}

/// A service that ends when a case says so.
pub(super) const WAITS: &str = "[service.waits]\nstop_timeout = \"60s\"\nclass = \"essential\"\ncommand = [\"/bin/sh\", \
    \"-c\", \"trap 'until [ -e /run/end ]; do sleep 0.1; done; exit 0' TERM; while :; do sleep 0.2; done\"]\n";

fn taken_back(machine: &mut Machine) -> Result<()> {
    plug(machine)?;
    begin_on(machine, &board(CANCELS), "10s", WAITS)?;
    stay(machine)?;
    mains(machine, false)?;
    wait_event(machine, "halting", "ride-through")?;
    // The bus is stuck while the board is told, so that mains, which are believed after 5 s, are
    // back in that time.
    cuse::ask(machine, "i2c-1", "fault bus stuck")?;
    machine.ok(
        "echo pull-down | tee /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio6/pull >/dev/null
         sleep 2; touch /run/end",
    )?;
    wait_event(machine, "mains-back", "")?;
    cuse::ask(machine, "i2c-1", "heal")?;
    wait_event(machine, "halt-cancelled", "ride-through")?;
    all_up(machine)?;
    said_exactly(machine, &[CUT, FORGET])?;
    let runs =
        "grep -q 'intent=run' /run/fieldwarden/marker && ! grep -q 'cut=' /run/fieldwarden/marker";
    machine.wait_until("the marker", runs, SOON)?;

    let mark = machine.mark();
    mains(machine, false)?;
    let marker = daemon_is_gone(machine)?;
    ensure!(marker.contains(" cut=yes"), "{marker}");
    said_exactly(machine, &[CUT, FORGET, CUT])?;
    mains(machine, true)?;
    machine.ok("touch /run/go")?;
    wait_end(machine, mark, "RESET", "guest-reset")?;
    said_exactly(machine, &[CUT, FORGET, CUT, FORGET])?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_halted(machine, "mains stayed away")
}

fn after_unmount(machine: &mut Machine) -> Result<()> {
    plug(machine)?;
    let late = "delay = \"30s\"\nwhen = \"after-unmount\"\n";
    begin_on(machine, &board(late), "10s", "")?;
    stay(machine)?;
    let mark = machine.mark();
    mains(machine, false)?;
    ends_untold(machine)?;
    said_exactly(machine, &[])?;
    machine.ok("touch /run/go")?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    said_exactly(machine, &[CUT])
}

fn killed(machine: &mut Machine) -> Result<()> {
    plug(machine)?;
    begin_on(machine, &board("delay = \"60s\"\n"), "10s", "")?;
    stay(machine)?;
    cuse::ask(machine, "i2c-1", "fault bus stuck")?;
    let mark = machine.mark();
    mains(machine, false)?;
    kill_on(machine, "cutting")?;
    let marker = machine.ok("cat /run/fieldwarden/marker")?;
    ensure!(
        marker.contains(" phase=committed ") && marker.contains(" cut=maybe"),
        "{marker}"
    );
    // The process goes when its transfer does; the watchdog would not wait for much longer.
    cuse::ask(machine, "i2c-1", "heal")?;
    let marker = daemon_is_gone(machine)?;
    ensure!(marker.contains(" cut=yes"), "{marker}");
    recorded(machine, "halt-taken-up", "\"same-boot\":true")?;
    machine.ok("touch /run/go")?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    // That of the daemon that was killed may have gone out, too, when the bus was free again.
    let said = said(machine)?;
    ensure!(
        matches!(said.len(), 1 | 2) && said.iter().all(|s| s == CUT),
        "{said:?}"
    );
    Ok(())
}
