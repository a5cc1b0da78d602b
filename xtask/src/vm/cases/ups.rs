//! The shipped daemon on a board with a battery: its gauge over real I2C devices, its power line.
//!
//! Shipped board files are used as they are where the machine allows it: the simulated GPIO chip
//! carries the label of a Pi's header.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::cuse;
use super::daemon::{SOON, configure, start, status, wait_event};
use super::devices::STUB;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "ups-gauge-naks",
        "a gauge with bursts of NAKs: short ones are tried away, long ones told with their cause",
        gauge_naks,
    )
    .with(Modules::Devices),
    Case::daemon(
        "ups-gauge-stuck",
        "nonsense, a stuck bus, an adapter that goes and comes back: told, never a false value",
        gauge_stuck,
    )
    .with(Modules::Devices),
    Case::daemon(
        "ups-gauge-of-the-kernel",
        "chips with a kernel driver are read from its files, and without one over SMBus calls",
        gauge_of_the_kernel,
    )
    .with(Modules::Devices),
    Case::daemon(
        "ups-power-line",
        "an edge of the power line is told within a second, flapping is not, a line that vanishes \
         is; the alive line is high",
        power_line,
    )
    .with(Modules::Devices),
    Case::daemon(
        "ups-power-cut-line",
        "after a power-off of ours the line that cuts the power is held for its time, and after \
         no other",
        power_cut_line,
    )
    .with(Modules::Devices),
];

/// A GPIO chip that calls itself the header of a Pi 4, with the outside of line 6 as `$line`.
pub(super) const HEADER: &str = "modprobe gpio-sim
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    hat=/sys/kernel/config/gpio-sim/header bank=/sys/kernel/config/gpio-sim/header/bank0
    mkdir -p $bank/line6
    echo 28 > $bank/num_lines
    echo pinctrl-bcm2711 > $bank/label
    echo 1 > $hat/live";

/// Where the level of line 6 is chosen from outside.
const LINE: &str = "/sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio6/pull";

pub(super) fn pull(machine: &Machine, level: &str) -> Result<()> {
    machine.ok(&format!("echo pull-{level} | tee {LINE} >/dev/null"))?;
    Ok(())
}

/// The usual configuration of the cases, on this board.
pub(super) fn on_board(machine: &Machine, board: &str) -> Result<()> {
    let usual = include_str!("../../../../tests/vm/config/fieldwarden.toml");
    configure(machine, &format!("board = \"{board}\"\n{usual}"))
}

/// A board file of the owner's, made of a shipped one.
pub(super) fn own_board(machine: &Machine, name: &str, text: &str) -> Result<()> {
    machine.ok("mkdir -p /etc/fieldwarden/boards")?;
    let file = format!("/etc/fieldwarden/boards/{name}.toml");
    machine.put_bytes(text.as_bytes(), &file, 0o644)
}

/// Waits until the machine's part of the status holds this, as JSON.
pub(super) fn wait_machine(machine: &Machine, part: &str) -> Result<()> {
    let script = format!("fieldwarden status --json | grep -q '{part}'");
    machine
        .wait_until(part, &script, SOON)
        .with_context(|| format!("{:?}", status(machine).map(|s| s["machine"].clone())))
}

/// Lines of the trace that hold these words.
fn traced(machine: &Machine, words: &str) -> Result<usize> {
    let files = "/run/fieldwarden/trace.1 /run/fieldwarden/trace";
    let count = machine.ok(&format!(
        "cat {files} 2>/dev/null | grep -c '{words}' || true"
    ))?;
    count.trim().parse().context("a count")
}

/// Waits for a line of the trace: the recorder may be later than a status report.
fn wait_traced(machine: &Machine, words: &str) -> Result<()> {
    let files = "/run/fieldwarden/trace.1 /run/fieldwarden/trace";
    let script = format!("cat {files} 2>/dev/null | grep -q '{words}'");
    machine.wait_until(words, &script, SOON)
}

/// The daemon was not restarted, and its watchdog is petted as ever.
fn unharmed(machine: &Machine) -> Result<()> {
    ensure!(machine.ok("systemctl show -P NRestarts fieldwarden")? == "0");
    let watchdog = status(machine)?["watchdog"]["state"].clone();
    ensure!(watchdog == "armed", "the watchdog is {watchdog}");
    Ok(())
}

const FULL: &str = "\"battery\":{\"volts\":3.95,\"charge_percent\":75.0,\"amperes\":null}";

/// An adapter with a gauge that says 3.95 V and 75 %.
fn plug_gauge(machine: &Machine) -> Result<()> {
    cuse::start(machine, "i2c-1", "i2c 0x36=bytes")?;
    cuse::ask(machine, "i2c-1", "set 0x36 2 c5804b00")?;
    Ok(())
}

/// Starts the shipped daemon on the shipped board, with gauge and line, and waits for their readings.
fn start_with_gauge(machine: &Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{HEADER}"))?;
    plug_gauge(machine)?;
    on_board(machine, "x728")?;
    start(machine)?;
    wait_machine(machine, FULL)?;
    wait_machine(machine, "\"power\":\"mains\"")
}

fn gauge_naks(machine: &mut Machine) -> Result<()> {
    start_with_gauge(machine)?;
    let transfers = || cuse::ask(machine, "i2c-1", "transfers 0x36");

    // Three in a row are tried away: nothing is told.
    cuse::ask(machine, "i2c-1", "fault 0x36 nak 3")?;
    let before = transfers()?;
    let read = format!("[ \"$(cuse-device ask i2c-1 transfers 0x36)\" != {before} ]");
    machine.wait_until("the next reading", &read, SOON)?;
    ensure!(
        traced(machine, "lost gauge")? == 0,
        "a short burst was told"
    );

    // What lasts is told with its cause, and there is no value meanwhile.
    for (fault, cause) in [
        ("fault 0x36 nak", "EREMOTEIO"),
        ("fault 0x36 absent", "ENXIO"),
        ("fault bus timed-out", "ETIMEDOUT"),
    ] {
        cuse::ask(machine, "i2c-1", fault)?;
        let lost =
            format!("tail -n 40 /run/fieldwarden/trace | grep -q 'lost gauge errno={cause}'");
        machine.wait_until(&format!("the loss by {cause}"), &lost, SOON)?;
        ensure!(status(machine)?["machine"]["battery"].is_null(), "{fault}");
        cuse::ask(machine, "i2c-1", "heal")?;
        wait_machine(machine, FULL)?;
    }
    wait_event(machine, "source-lost", "gauge")?;
    wait_event(machine, "source-back", "gauge")?;

    unharmed(machine)
}

fn gauge_stuck(machine: &mut Machine) -> Result<()> {
    start_with_gauge(machine)?;
    // What no battery does is not a value.
    cuse::ask(machine, "i2c-1", "set 0x36 2 00000000")?;
    wait_machine(machine, "\"battery\":null")?;
    wait_traced(machine, "lost gauge implausible")?;
    cuse::ask(machine, "i2c-1", "set 0x36 2 c5804b00")?;
    wait_machine(machine, FULL)?;

    // A stuck bus holds its own thread only.
    cuse::ask(machine, "i2c-1", "fault bus stuck")?;
    wait_event(machine, "thread-late", "\"bus\"")?;
    unharmed(machine)?;
    cuse::ask(machine, "i2c-1", "heal")?;
    wait_event(machine, "thread-on-time", "\"bus\"")?;
    wait_machine(machine, FULL)?;

    // The whole adapter goes and comes back.
    machine.ok("systemctl stop cuse-i2c-1")?;
    wait_machine(machine, "\"battery\":null")?;
    plug_gauge(machine)?;
    wait_machine(machine, FULL)?;
    unharmed(machine)
}

/// What the stub's gauge and monitor hold: 3.95 V and 75 %; 4 V, and 2000 steps of current in the
/// registers of old and new drivers. Monitor of a chip that nobody has set up yet.
const FILL: &str = "
    i2cset -y $bus 0x36 2 0x80c5 w; i2cset -y $bus 0x36 4 0x004b w
    i2cset -y $bus 0x40 2 0x401f w
    i2cset -y $bus 0x40 1 0xd007 w; i2cset -y $bus 0x40 4 0xd007 w";

/// The board file of the monitor on the stub's bus.
fn monitor(bus: &str) -> String {
    let shipped = include_str!("../../../../boards/waveshare-ups-hat.toml");
    shipped
        .replace("address = 0x42", &format!("address = 0x40\nbus = {bus}"))
        .replace("cells = 2", "cells = 1")
        .replace("\"6V\"", "\"3V\"")
        .replace("\"6.3V\"", "\"3.15V\"")
        .replace("\"8.4V\"", "\"4.2V\"")
}

/// The board file of the gauge on the stub's bus, without its line.
fn gauge(bus: &str) -> Result<String> {
    let shipped = include_str!("../../../../boards/x120x.toml");
    let (head, _) = shipped.split_once("# Low is lost").context("its line")?;
    Ok(head.replace("address = 0x36", &format!("address = 0x36\nbus = {bus}")))
}

fn gauge_of_the_kernel(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{STUB}\n{FILL}"))?;
    let bus = machine.ok(&format!("{STUB}; echo $bus"))?;
    own_board(machine, "waveshare-ups-hat", &monitor(&bus))?;
    own_board(machine, "x120x", &gauge(&bus)?)?;

    // Nobody has a driver: our own calls, one register each, because the stub takes no transfers.
    on_board(machine, "waveshare-ups-hat")?;
    start(machine)?;
    // 2000 steps of 98 uA.
    wait_machine(
        machine,
        "\"battery\":{\"volts\":4.0,\"charge_percent\":null,\"amperes\":0.196}",
    )?;
    let set_up = machine.ok(&format!("{STUB}; i2cget -y $bus 0x40 5 w"))?;
    ensure!(
        set_up == "0x5210",
        "the calibration, low byte first: {set_up}"
    );

    // The daemon uses the bus, so nobody else asks there.
    ensure!(fit(machine, "waveshare-ups-hat")? == "unknown");

    // The kernel takes the chip over while the daemon runs: its files are read, with its shunt of
    // 10 mOhm put right. Then the current turns round.
    machine.ok("modprobe -a ina2xx max17040_battery")?;
    let bind = |name: &str, address: &str| {
        machine.ok(&format!(
            "{STUB}; echo {name} {address} > /sys/bus/i2c/devices/i2c-$bus/new_device"
        ))
    };
    bind("ina219", "0x40")?;
    wait_machine(
        machine,
        "\"battery\":{\"volts\":4.0,\"charge_percent\":null,\"amperes\":0.2}",
    )?;
    machine.ok(&format!(
        "{STUB}; for register in 1 4; do i2cset -f -y $bus 0x40 $register 0x30f8 w; done"
    ))?;
    wait_machine(machine, "\"amperes\":-0.2}")?;
    // No line tells of mains, so the sign of the current does.
    wait_machine(machine, "\"power\":\"battery\"")?;
    machine.ok("systemctl stop fieldwarden")?;

    probed(machine)?;
    on_board(machine, "x120x")?;
    machine.ok("systemctl start fieldwarden")?;
    wait_machine(machine, FULL)?;
    bind("max17040", "0x36")?;
    // 64.5 % in the chip: its driver tells whole numbers, and so do we, as long as we read its files.
    machine.ok(&format!(
        "{STUB}; i2cset -f -y $bus 0x36 2 0x00c8 w; i2cset -f -y $bus 0x36 4 0x8040 w"
    ))?;
    wait_machine(
        machine,
        "\"battery\":{\"volts\":4.0,\"charge_percent\":64.0,\"amperes\":null}",
    )?;
    unharmed(machine)
}

/// One chip has a driver by now; the other answers, and does not know that it was asked.
fn probed(machine: &Machine) -> Result<()> {
    let dump = format!("{STUB}; i2cdump -y $bus 0x36 b");
    let before = machine.ok(&dump)?;
    ensure!(fit(machine, "waveshare-ups-hat")? == "taken");
    ensure!(fit(machine, "x120x")? == "may-fit");
    ensure!(machine.ok(&dump)? == before);
    Ok(())
}

/// How well a board fits, as `boards probe` has it.
fn fit(machine: &Machine, board: &str) -> Result<String> {
    let found = machine.ok("fieldwarden boards probe --json")?;
    let found: serde_json::Value = serde_json::from_str(&found)?;
    let boards = found.as_array().context("a list of boards")?.iter();
    let found = boards.into_iter().find(|found| found["board"] == board);
    let fit = found.and_then(|found| found["fit"].as_str());
    Ok(fit.context("no such board")?.to_owned())
}

/// Time of the last line of the trace with these words, in seconds since the boot.
fn last_traced(machine: &Machine, words: &str) -> Result<f64> {
    let line = machine.ok(&format!(
        "grep '{words}' /run/fieldwarden/trace | tail -n 1"
    ))?;
    let time = line.split(' ').next().context("a line of the trace")?;
    time.parse().with_context(|| format!("no time in {line:?}"))
}

/// Brings line 6 up and down forty times, five milliseconds each, and leaves it low.
const FLAP: &str = r#"perl -e '
    my ($line) = glob($ARGV[0]);
    for my $level (("pull-up", "pull-down") x 40) {
        open(my $pull, ">", $line) or die "$line: $!";
        syswrite($pull, $level);
        close($pull);
        select(undef, undef, undef, 0.005);
    }'"#;

fn power_line(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{HEADER}"))?;
    plug_gauge(machine)?;
    // A longer debounce than the shipped one, so that a busy host cannot stretch a flap beyond it.
    let shipped = include_str!("../../../../boards/x728.toml");
    let slow = shipped.replace("lost = \"high\"", "lost = \"high\"\ndebounce = \"500ms\"");
    own_board(machine, "x728", &slow)?;
    on_board(machine, "x728")?;
    start(machine)?;
    wait_machine(machine, "\"power\":\"mains\"")?;
    let held = machine.ok("gpioinfo | grep fieldwarden")?;
    ensure!(held.contains("line   6"), "{held}");
    // The alive line is high for as long as the daemon runs.
    let alive = "cat /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio12/value";
    machine.wait_until("the alive line", &format!("[ $({alive}) = 1 ]"), SOON)?;

    machine.ok(&format!("{FLAP} '{LINE}'"))?;
    let told = "seen mains present=no";
    std::thread::sleep(Duration::from_secs(20));
    ensure!(
        traced(machine, told)? == 0,
        "flapping was told as lost mains"
    );

    // The edge itself, after the line was read afresh, and what is believed of it after 2 s.
    let pulled: f64 = machine
        .ok(&format!(
            "cut -d' ' -f1 /proc/uptime; echo pull-up | tee {LINE} >/dev/null"
        ))?
        .parse()
        .context("the uptime")?;
    wait_event(machine, "mains-lost", "")?;
    let first = machine.ok(&format!("grep -m1 '{told}' /run/fieldwarden/trace"))?;
    let seen: f64 = first
        .split(' ')
        .next()
        .unwrap_or("")
        .parse()
        .context("a time")?;
    // Half a second of it is the debounce of this board file.
    ensure!(
        (0.0..1.0).contains(&(seen - pulled)),
        "pulled at {pulled}, seen at {seen}"
    );
    wait_machine(machine, "\"power\":\"battery\"")?;
    ensure!(traced(machine, "> watch-gauge closely")? == 1);
    pull(machine, "down")?;
    wait_event(machine, "mains-back", "")?;
    ensure!(traced(machine, "> watch-gauge as-usual")? == 1);

    // The chip goes and comes back.
    machine.ok("echo 0 > /sys/kernel/config/gpio-sim/header/live")?;
    wait_event(machine, "source-lost", "mains")?;
    let gone = last_traced(machine, "lost mains")?;
    machine.ok("echo 1 > /sys/kernel/config/gpio-sim/header/live")?;
    wait_event(machine, "source-back", "mains")?;
    let back = last_traced(machine, "seen mains present=yes")?;
    ensure!(back > gone, "back at {back}, gone at {gone}");
    unharmed(machine)
}

/// A marker of this boot: a power-off for a low battery that is past taking back. With its checksum,
/// CRC-32 of all before it (docs/formats.md).
fn committed(boot: &str) -> String {
    let text = format!(
        "fieldwarden-marker 1 boot={boot} up=10.000 wall=2000-01-01T00:00:00Z intent=halt \
         kind=poweroff cause=low-battery phase=committed mains=no attempts=0"
    );
    let crc = text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    });
    format!("{text} crc={:08x}\n", !crc)
}

/// What `fieldwarden last-words` does is run by hand here, as systemd's hook runs it, in a machine that
/// goes on: afterwards nobody could read the line.
fn power_cut_line(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{HEADER}"))?;
    on_board(machine, "x728")?;
    pull(machine, "up")?;
    let value = "/sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio26/value";
    machine.ok(&format!(
        "(while :; do cat {value}; sleep 0.05; done) </dev/null >/run/levels 2>/dev/null & \
         echo $! >/run/sampler"
    ))?;
    let words = || machine.ok("fieldwarden last-words poweroff");
    let without = words()?;
    ensure!(without == "poweroff: nothing to add", "{without}");

    let boot = machine.ok("cat /proc/sys/kernel/random/boot_id")?;
    // As the daemon makes it: a marker where others may write is nobody's.
    machine.ok("install -d -m 0755 /run/fieldwarden")?;
    machine.put_bytes(
        committed(&boot).as_bytes(),
        "/run/fieldwarden/marker",
        0o600,
    )?;
    let reboot = machine.ok("fieldwarden last-words reboot")?;
    ensure!(reboot == "reboot: nothing to add", "{reboot}");
    let before = machine.ok("uniq </run/levels | tr '\\n' ' '")?;
    ensure!(before == "0", "the line before: {before:?}");
    let said = words()?;
    ensure!(
        said == "line 26 was held: the board cuts the power",
        "{said}"
    );
    machine.wait_until(
        "the end of the pulse",
        "[ $(tail -n 1 /run/levels) = 0 ]",
        SOON,
    )?;
    machine.ok("kill $(cat /run/sampler)")?;
    let levels = machine.ok("uniq </run/levels | tr '\\n' ' '")?;
    ensure!(levels == "0 1 0", "the line: {levels:?}");
    // Three seconds, looked at every twentieth of one by a busy machine.
    let high: u32 = machine.ok("grep -c 1 /run/levels")?.parse()?;
    ensure!((10..=60).contains(&high), "high for {high} looks");
    Ok(())
}
