//! The halt that the battery asks for: a shipped board file, its power line and its gauge.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::cuse;
use super::daemon::{SOON, all_up, configure, start, wait_event};
use super::devices::STUB;
use super::halt::{ended_in_order, wait_end, was_halted};
use super::ups::{HEADER, own_board, pull, wait_machine};

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "halt-low-battery",
        "the power line drops and the gauge, a chip on a bus of the kernel's, reads low: long before the \
         ride-through is over services end in order, file systems are clean, the machine is off",
        low_battery,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-gauge-vanishes",
        "the gauge vanishes on mains, and nothing is halted; it vanishes on battery, and that counts \
         down to a halt",
        gauge_vanishes,
    )
    .with(Modules::Devices)
    .for_long(),
];

/// What the gauge on the kernel's stub says: 3.30 V and 18 %, and what is left of it under load, 3.15 V
/// and 14 %. The board calls 3.2 V and 15 % low. The MAX17040 counts 1.25 mV and one percent a step.
const LITTLE: &str = "i2cset -y $bus 0x36 2 0x00a5 w; i2cset -y $bus 0x36 4 0x0012 w";
const LOW: &str = "i2cset -y $bus 0x36 2 0x809d w; i2cset -y $bus 0x36 4 0x000e w";

fn low_battery(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{HEADER}\n{STUB}\n{LITTLE}"))?;
    let bus = machine.ok(&format!("{STUB}; echo $bus"))?;
    let shipped = include_str!("../../../../boards/x728.toml");
    let board = shipped.replace("address = 0x36", &format!("address = 0x36\nbus = {bus}"));
    own_board(machine, "x728", &board)?;
    let usual = include_str!("../../../../tests/vm/config/fieldwarden.toml");
    let late = "[service.late]\ncommand = [\"/bin/sleep\", \"infinity\"]\nafter = [\"steady\"]\n";
    let ride = "[power]\nride_through = \"10m\"\n";
    configure(machine, &format!("board = \"x728\"\n{ride}{usual}{late}"))?;
    start(machine)?;
    wait_machine(machine, "\"power\":\"mains\"")?;
    wait_machine(
        machine,
        "\"battery\":{\"volts\":3.3,\"charge_percent\":18.0",
    )?;

    // A battery that is low while mains are there halts nothing.
    machine.ok(&format!("{STUB}; set -e; {LOW}"))?;
    wait_event(machine, "battery-low", "\"on-mains\":true")?;
    let halting = "fieldwarden events --json --last 256 | grep -c halting || true";
    ensure!(machine.ok(halting)? == "0", "halted on mains");

    let mark = machine.mark();
    pull(machine, "up")?;
    // The daemon may be gone before anybody can ask it; the next boot says what it was.
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    // The simulated chips are gone with the boot: nothing tells of mains, and something has started
    // the machine.
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_halted(machine, "the battery is low")?;
    ended_in_order(machine, "late", "steady")
}

/// 3.95 V and 75 %.
const MUCH: &str = "c5804b00";

/// Longer than a gauge may be silent on battery, and its loss is told after its last reading.
const SILENCE: Duration = Duration::from_secs(46);

fn gauge_vanishes(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{HEADER}"))?;
    cuse::start(machine, "i2c-1", "i2c 0x36=bytes")?;
    cuse::ask(machine, "i2c-1", &format!("set 0x36 2 {MUCH}"))?;
    let usual = include_str!("../../../../tests/vm/config/fieldwarden.toml");
    let ride = "[power]\nride_through = \"never\"\n";
    configure(machine, &format!("board = \"x728\"\n{ride}{usual}"))?;
    start(machine)?;
    wait_machine(machine, "\"power\":\"mains\"")?;
    wait_machine(machine, "\"charge_percent\":75.0")?;

    cuse::ask(machine, "i2c-1", "fault 0x36 absent")?;
    wait_event(machine, "source-lost", "gauge")?;
    std::thread::sleep(SILENCE);
    let verdict = "fieldwarden status --json | grep -q '\"power\":\"unknown\"'";
    machine.wait_until("a verdict that nothing is known", verdict, SOON)?;
    let halting = "fieldwarden events --json --last 256 | grep -c halting || true";
    ensure!(machine.ok(halting)? == "0", "halted on mains");

    // It is back, and vanishes on battery.
    cuse::ask(machine, "i2c-1", "heal")?;
    wait_event(machine, "source-back", "gauge")?;
    let mark = machine.mark();
    pull(machine, "up")?;
    wait_machine(machine, "\"power\":\"battery\"")?;
    let began = Instant::now();
    cuse::ask(machine, "i2c-1", "fault 0x36 absent")?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    // Its level is old after 15 s, and must not be known for 30 s more; it was read a second before.
    ensure!(began.elapsed() >= Duration::from_secs(40), "at once");
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_halted(machine, "nothing tells how full")
}
