//! Cases of the lab's kernel devices: GPIO lines, I2C chips, and the devices of `cuse-device`.
//!
//! Each looks at a device with other programs than the daemon, so that a failing case of the
//! daemon is not the device's fault.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::lab(
        "lab-gpio-lines",
        "edges of a simulated line reach a program, and a line it drives can be read outside",
        gpio_lines,
    )
    .with(Modules::Devices),
    Case::lab(
        "lab-i2c-bound-chips",
        "the kernel's own drivers read a current monitor, a fuel gauge and a clock on the stub bus",
        bound_chips,
    )
    .with(Modules::Devices),
    Case::lab(
        "lab-i2c-raw",
        "raw SMBus access reads and writes the stub's registers, and is told of absent chips",
        raw_access,
    )
    .with(Modules::Devices),
];

/// Time for what takes the guest a moment: a program's start, a device's appearance.
const SOON: Duration = Duration::from_secs(15);

/// A GPIO chip with the names of a UPS HAT's lines; the file `pull` of a line is its outside.
pub const MAKE_CHIP: &str = "modprobe gpio-sim
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    bank=/sys/kernel/config/gpio-sim/hat/bank0
    mkdir -p $bank/line4 $bank/line5
    echo 8 > $bank/num_lines
    echo ups-hat > $bank/label
    echo POWER_LOSS > $bank/line4/name
    echo STATUS_LED > $bank/line5/name
    echo 1 > /sys/kernel/config/gpio-sim/hat/live
    cat $bank/chip_name";

fn gpio_lines(machine: &mut Machine) -> Result<()> {
    let chip = machine.ok(MAKE_CHIP)?;
    let outside = format!("/sys/devices/platform/gpio-sim.0/{chip}");
    ensure!(machine.ok("gpiofind POWER_LOSS")? == format!("{chip} 4"));
    machine.ok(&format!(
        "gpiomon -b -F '%e %o' {chip} 4 >/run/edges 2>&1 & echo $! >/run/pid"
    ))?;
    let watched = format!("gpioinfo {chip} | grep -q 'line *4:.*gpiomon'");
    machine.wait_until("the watcher", &watched, SOON)?;
    let pulls = [
        ("pull-up", 1),
        ("pull-down", 2),
        ("pull-up", 3),
        ("pull-down", 4),
    ];
    for (pull, edges) in pulls {
        machine.ok(&format!("echo {pull} > {outside}/sim_gpio4/pull"))?;
        let seen = format!("[ $(wc -l < /run/edges) -eq {edges} ]");
        machine.wait_until("an edge", &seen, SOON)?;
    }
    // 1 is rising, 0 is falling.
    ensure!(machine.ok("tr '\\n' ' ' </run/edges")? == "1 4 0 4 1 4 0 4");
    machine.ok("kill $(cat /run/pid)")?;

    let led = format!("cat {outside}/sim_gpio5/value");
    for level in ["1", "0", "1"] {
        let driven = format!("[ \"$({led})\" = {level} ]");
        let hold = format!("timeout 30 gpioset --mode=signal {chip} 5={level}");
        machine.ok(&format!(
            "{hold} </dev/null >/dev/null 2>&1 & echo $! >/run/pid"
        ))?;
        machine.wait_until("the driven line", &driven, SOON)?;
        machine.ok("kill $(cat /run/pid); wait; exit 0")?;
        let free = format!("! gpioinfo {chip} | grep -q 'line *5:.*gpioset'");
        machine.wait_until("the free line", &free, SOON)?;
    }
    Ok(())
}

/// Addresses where the chips usually sit.
const GAUGE: &str = "0x36";
const MONITOR: &str = "0x40";
const CLOCK: &str = "0x68";

/// The stub bus with these three chips; `$bus` is its number afterwards.
pub const STUB: &str = "modprobe i2c-dev; modprobe i2c-stub chip_addr=0x36,0x40,0x68
    bus=$(i2cdetect -l | sed -n 's/^i2c-\\([0-9]*\\).*SMBus stub.*/\\1/p')";

/// Registers of the three chips, which the stub keeps per command. Values of 16 bits are written
/// with the bytes exchanged: SMBus sends the low one first, these chips the high one.
const FILL: &str = "\
    # monitor: 1000 steps of 4 mV (the lowest 3 bits are flags); 2000 steps of 10 uV over 10 mOhm,
    # which older drivers take from register 4 instead of 1
    i2cset -y $bus 0x40 2 0x401f w
    i2cset -y $bus 0x40 1 0xd007 w; i2cset -y $bus 0x40 4 0xd007 w
    # gauge: 3.95 V in steps of 1.25 mV, 75 %
    i2cset -y $bus 0x36 2 0x80c5 w; i2cset -y $bus 0x36 4 0x004b w
    # clock: 2031-07-04 12:34:56, a Friday; 25.25 degrees
    at=0; for value in 0x56 0x34 0x12 0x06 0x04 0x07 0x31; do
        i2cset -y $bus 0x68 $at $value b; at=$((at + 1)); done
    i2cset -y $bus 0x68 0x11 0x19 b; i2cset -y $bus 0x68 0x12 0x40 b
    i2cset -y $bus 0x68 0x0e 0x1c b; i2cset -y $bus 0x68 0x0f 0x00 b";

fn bound_chips(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{STUB}\n{FILL}"))?;
    machine.ok("modprobe -a ina2xx max17040_battery rtc-ds1307")?;
    for (name, address) in [("ina219", MONITOR), ("max17040", GAUGE), ("ds3231", CLOCK)] {
        let device = "/sys/bus/i2c/devices/i2c-$bus/new_device";
        machine.ok(&format!("{STUB}; echo {name} {address} > {device}"))?;
    }
    let found = "monitor=$(dirname $(grep -lx ina219 /sys/class/hwmon/*/name))";
    ensure!(machine.ok(&format!("{found}; cat $monitor/in1_input"))? == "4000");
    ensure!(machine.ok(&format!("{found}; cat $monitor/curr1_input"))? == "2000");
    let battery = "/sys/class/power_supply/*";
    ensure!(machine.ok(&format!("cat {battery}/voltage_now"))? == "3950000");
    ensure!(machine.ok(&format!("cat {battery}/capacity"))? == "75");
    let clock = "clock=$(dirname $(grep -l ds1307 /sys/class/rtc/*/name))";
    ensure!(
        machine.ok(&format!(
            "{clock}; cat $clock/date $clock/time | tr '\\n' ' '"
        ))? == "2031-07-04 12:34:56"
    );
    let warmth = "cat $(dirname $(grep -lx ds3231 /sys/class/hwmon/*/name))/temp1_input";
    ensure!(machine.ok(warmth)? == "25250");
    // A chip with a driver is refused to others.
    let refused = machine.sh(&format!("{STUB}; i2cget -y $bus {MONITOR} 2 w"))?;
    ensure!(
        refused.code != 0 && refused.stderr.contains("Device or resource busy"),
        "{refused:?}"
    );
    Ok(())
}

fn raw_access(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{STUB}\n{FILL}"))?;
    let on_bus = |script: &str| machine.sh(&format!("{STUB}; {script}"));
    for (address, register, value) in [(MONITOR, 2, "0x401f"), (GAUGE, 4, "0x004b")] {
        let read = on_bus(&format!("i2cget -y $bus {address} {register} w"))?;
        ensure!(
            read.stdout.trim() == value,
            "{address} {register}: {read:?}"
        );
    }
    let read = on_bus(&format!("i2cget -y $bus {CLOCK} 0 b"))?;
    ensure!(read.stdout.trim() == "0x56", "seconds: {read:?}");
    let absent = on_bus("strace -e trace=ioctl i2cget -y $bus 0x50 0 b")?;
    ensure!(
        absent.code != 0 && absent.stderr.contains("ENODEV"),
        "a chip that is not there: {absent:?}"
    );
    // No plain transfers: what speaks to the chips must be able to do without.
    let plain = on_bus(&format!("i2ctransfer -y $bus w1@{MONITOR} 2 r2"))?;
    ensure!(
        plain.code != 0 && plain.stderr.contains("I2C transfers"),
        "plain transfers on the stub: {plain:?}"
    );
    Ok(())
}
