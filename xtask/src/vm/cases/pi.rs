//! The daemon for arm64 on the emulated Pi: the Pi's own I2C controller and pins, a clock chip, and no
//! systemd.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::super::case::{Cargo, Case};
use super::super::machine::Machine;
use super::super::pi::Pins;
use super::super::prepare::PI_SPAWN;
use super::daemon::{configure, status, wait_event};
use super::led::{flashes, is_shown};
use super::programs::LEFT_OUT;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::pi(
        "lab-pi",
        "the emulated Pi's I2C controller moves plain transfers, and its pins are seen and driven \
         from outside",
        lab,
    ),
    Case::pi(
        "pi-daemon",
        "the arm64 program runs under a bare init: guards, heals a service, reads temperature and \
         the DS3231 on the Pi's own bus, and tells of a clock that lies",
        daemon,
    ),
    Case::pi(
        "pi-ups",
        "a shipped board file on the emulated Pi: its gauge over the Pi's own bus, its power line \
         by looking where no edges come",
        ups,
    ),
    Case::pi(
        "pi-led",
        "an LED on a pin of the emulated Pi, driven through its registers and seen from outside: what is \
         so, what is asked for, and what is left when the daemon is killed or ends",
        led,
    )
    .for_long(),
    Case {
        cargo: Cargo::Programs,
        limit: Duration::from_secs(400),
        ..Case::pi(
            "pi-spawn",
            "every way of starting a process on a 64-bit ARM kernel, as root",
            spawn,
        )
    },
];

/// Time for what takes this guest a moment.
const SOON: Duration = Duration::from_secs(30);

/// Time for the tests of starting processes: this processor is emulated, and of the slow kind.
const SPAWNING: Duration = Duration::from_secs(300);

/// Pins that no device of the board has: 17 drives a light, 27 listens.
const LIGHT: u32 = 17;
const LINE: u32 = 27;

fn lab(machine: &mut Machine) -> Result<()> {
    let model = machine.ok("tr -d '\\0' </proc/device-tree/model; uname -m")?;
    ensure!(
        model.contains("Raspberry Pi 3") && model.contains("aarch64"),
        "{model}"
    );
    // Write the register's number, then read two bytes without giving up the bus between.
    let cell =
        machine.ok("i2ctransfer -y 1 w1@0x36 2 r2@0x36; i2ctransfer -y 1 w1@0x36 4 r1@0x36")?;
    ensure!(
        cell.split_whitespace().eq(["0xc5", "0x80", "0x4b"]),
        "{cell}"
    );
    let absent = machine.sh("i2ctransfer -y 1 w1@0x50 0 r1@0x50")?;
    ensure!(
        absent.code != 0 && absent.stderr.contains("Remote I/O error"),
        "{absent:?}"
    );
    let mut pins = machine.pins()?;
    for high in [true, false, true] {
        let level = u8::from(high);
        // The pin is an input again when its holder ends.
        let hold = format!("gpioset --mode=signal gpiochip0 {LIGHT}={level}");
        machine.ok(&format!(
            "{hold} </dev/null >/dev/null 2>&1 & echo $! >/run/holder; sleep 1"
        ))?;
        ensure!(pins.level(LIGHT)? == high, "the light at {level}");
        machine.ok("kill $(cat /run/holder)")?;
        machine.ok(&format!("gpioget gpiochip0 {LINE} >/dev/null"))?;
        pins.drive(LINE, high)?;
        let seen = machine.ok(&format!("gpioget gpiochip0 {LINE}"))?;
        ensure!(
            seen == level.to_string(),
            "the line at {level} reads {seen}"
        );
    }
    Ok(())
}

const CONFIG: &str = "cgroup = \"none\"\n[watchdog]\ntimeout = \"10s\"\n[vitals]\nevery = \"1s\"\n\
    [clock]\nevery = \"1s\"\n[storage]\nmounts = [\"/run\"]\n\
    [service.steady]\ncommand = [\"/bin/sleep\", \"100000\"]\n";

fn daemon(machine: &mut Machine) -> Result<()> {
    machine.set_clock()?;
    configure(
        machine,
        &CONFIG.replace("[clock]", "[clock]\nrtc = \"ds3231\""),
    )?;
    machine.ok("fieldwarden run </dev/null >/run/log 2>&1 & echo $! >/run/pid")?;
    let up = "fieldwarden status --json | grep -q '\"state\":\"up\"'";
    machine.wait_until("the service", up, SOON)?;
    wait_event(machine, "watchdog-armed", "Software Watchdog")?;
    // No driver has the chip. It counts what the host's clock counts: the same time, confirmed.
    ensure!(machine.ok("ls /sys/class/rtc | wc -l")? == "0");
    wait_event(machine, "clock-trust", "\"trust\":\"rtc\"")?;
    machine.ok("echo ds3231 0x68 > /sys/bus/i2c/devices/i2c-1/new_device")?;
    // And now one has: the same through the driver, with nothing lost on the way.
    machine.ok("sleep 3")?;
    let report = status(machine)?;
    let lost = machine
        .ok("fieldwarden events --json --last 256 | grep -c '\"source\":\"rtc\"' || true")?;
    ensure!(lost == "0", "lost on the way to the driver: {report}");
    let own = &report["machine"];
    ensure!(own["rtc"]["state"] == "right", "{report}");
    let heat = own["temperature_celsius"].as_f64().unwrap_or_default();
    ensure!((1.0..100.0).contains(&heat), "{report}");
    // A crash is answered as on any other machine.
    machine.ok("kill -9 $(pidof sleep | cut -d ' ' -f 1)")?;
    wait_event(machine, "service-exited", "SIGKILL")?;
    wait_event(machine, "service-up", "steady")?;
    // A battery that was changed without a network: 2001.
    machine.ok("date -s '2001-02-03 04:05:06' && hwclock -w -u -f /dev/rtc0")?;
    machine.set_clock()?;
    wait_event(machine, "rtc-wrong", "\"why\":\"early\"")?;
    machine.ok("hwclock -w -u -f /dev/rtc0")?;
    wait_event(machine, "rtc-right", "")?;
    machine.ok("kill -TERM $(cat /run/pid)")?;
    machine.wait_until("the end", "! kill -0 $(cat /run/pid)", SOON)?;
    ensure!(machine.ok("grep -c panicked /run/log || true")? == "0");
    Ok(())
}

/// Line of the UPS-Lite that is high while power comes in.
const PLUGGED_IN: u32 = 4;

/// A report that holds this.
fn wait_report(machine: &Machine, part: &str, limit: Duration) -> Result<()> {
    let script = format!("fieldwarden status --json | grep -q '{part}'");
    machine.wait_until(part, &script, limit)
}

fn ups(machine: &mut Machine) -> Result<()> {
    machine.set_clock()?;
    let mut pins = machine.pins()?;
    // The kernel makes it an input before it is driven from outside.
    machine.ok(&format!("gpioget gpiochip0 {PLUGGED_IN} >/dev/null"))?;
    pins.drive(PLUGGED_IN, true)?;
    // The kernel debounces by the edges that QEMU does not give, and would never see a change.
    let shipped = include_str!("../../../../boards/ups-lite-1.2.toml");
    let board = shipped.replace("pull = \"down\"", "pull = \"down\"\ndebounce = \"0s\"");
    ensure!(board != shipped, "the board file has changed");
    let file = "/etc/fieldwarden/boards/ups-lite-1.2.toml";
    machine.put_bytes(board.as_bytes(), file, 0o644)?;
    configure(machine, &format!("board = \"ups-lite-1.2\"\n{CONFIG}"))?;
    machine.ok("fieldwarden run </dev/null >/run/log 2>&1 & echo $! >/run/pid")?;
    wait_report(machine, "\"volts\":3.95,\"charge_percent\":75.0", SOON)?;
    wait_report(machine, "\"power\":\"mains\"", SOON)?;
    // The Pi's driver promises edges and QEMU gives none: the level is looked at all the same.
    pins.drive(PLUGGED_IN, false)?;
    wait_event(machine, "mains-lost", "")?;
    pins.drive(PLUGGED_IN, true)?;
    wait_event(machine, "mains-back", "")?;
    wait_report(machine, "\"power\":\"mains\"", SOON)?;
    machine.ok("kill -TERM $(cat /run/pid)")?;
    machine.wait_until("the end", "! kill -0 $(cat /run/pid)", SOON)
}

fn spawn(machine: &mut Machine) -> Result<()> {
    // What every system has, and this one not.
    machine
        .ok("mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm && ln -s /bin/env /usr/bin/env")?;
    let run = format!("/{PI_SPAWN} --test-threads 1 --nocapture --skip {LEFT_OUT} >/run/log 2>&1");
    let said = machine.sh_within(&run, SPAWNING)?;
    let log = machine.ok("tail -n 40 /run/log")?;
    ensure!(said.code == 0, "{log}");
    let result = log.lines().rfind(|l| l.starts_with("test result: "));
    println!("vm:         spawn: {}", result.unwrap_or("no result"));
    let left_out = machine.sh("grep 'does not work here' /run/log")?;
    ensure!(left_out.stdout.is_empty(), "{}", left_out.stdout);
    Ok(())
}

/// Time for two groups of flashes, in an emulation of four processors by one thread.
const SHOWN: Duration = Duration::from_secs(60);

/// Looks at the pin again and again, until it shows this state.
fn wait_shown(pins: &mut Pins, state: &str) -> Result<()> {
    let begun = Instant::now();
    let (mut seen, mut before) = (String::new(), None);
    while begun.elapsed() < SHOWN {
        let level = pins.level(LIGHT)?;
        if before.replace(level) != Some(level) {
            let at = begun.elapsed().as_secs_f64();
            seen.push_str(&format!("{at:.3} {}\n", u8::from(level)));
            if is_shown(state, &flashes(&seen)?) {
                return Ok(());
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("{state} is not seen on the pin: {:?}", flashes(&seen)?)
}

fn led(machine: &mut Machine) -> Result<()> {
    machine.set_clock()?;
    let broken = "[service.broken]\nautostart = false\nrestart = \"never\"\n\
        command = [\"/bin/false\"]\n";
    configure(machine, &format!("{CONFIG}[led]\nline = {LIGHT}\n{broken}"))?;
    let mut pins = machine.pins()?;
    ensure!(!pins.is_output(LIGHT)?, "somebody has the pin");
    let run = "fieldwarden run </dev/null >>/run/log 2>&1 & echo $! >/run/pid";
    machine.ok(run)?;
    wait_report(machine, "\"shows\":\"unknown\"", SOON)?;
    wait_shown(&mut pins, "unknown")?;
    // Through the registers: the kernel knows of nobody who has the line.
    let line = machine.ok(&format!("gpioinfo gpiochip0 | grep 'line *{LIGHT}:'"))?;
    ensure!(line.contains("unused") && pins.is_output(LIGHT)?, "{line}");
    machine.ok("fieldwarden start --no-wait broken")?;
    wait_shown(&mut pins, "critical")?;
    for state in ["low-battery", "stopping"] {
        machine.ok(&format!(
            "fieldwarden led show {state} --for 2m </dev/null >/run/shown 2>&1 & echo $! >/run/show"
        ))?;
        wait_shown(&mut pins, state)?;
        machine.ok("kill $(cat /run/show)")?;
    }
    // Whoever is killed leaves the pin as it was, and it blinks no more.
    machine.ok("kill -9 $(cat /run/pid)")?;
    let level = pins.level(LIGHT)?;
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(30));
        ensure!(
            pins.level(LIGHT)? == level && pins.is_output(LIGHT)?,
            "it moves"
        );
    }
    // What had failed has failed for its successor, too.
    machine.ok(run)?;
    wait_shown(&mut pins, "critical")?;
    machine.ok("kill -TERM $(cat /run/pid)")?;
    machine.wait_until("the end", "! kill -0 $(cat /run/pid)", SOON)?;
    ensure!(
        !pins.level(LIGHT)? && pins.is_output(LIGHT)?,
        "dark, and held so"
    );
    ensure!(machine.ok("grep -c panicked /run/log || true")? == "0");
    Ok(())
}
