//! Cases of the devices whose driver is the program `cuse-device` in the guest.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::{Machine, Output};

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::lab(
        "lab-cuse-i2c",
        "an adapter of ours takes SMBus calls and combined transfers, and a bus can go wrong",
        i2c,
    )
    .with(Modules::Devices),
    Case::lab(
        "lab-cuse-vcio",
        "the mailbox of ours tells the throttle flags, and follows what a case sets",
        vcio,
    )
    .with(Modules::Devices),
    Case::lab(
        "lab-cuse-watchdog",
        "a watchdog of ours refuses 20 s and takes 15 s, another takes anything",
        watchdog,
    )
    .with(Modules::Devices),
    Case::lab(
        "lab-led-class",
        "an LED of the kernel's LED class is lit and put out, and somebody sees it",
        led_class,
    )
    .with(Modules::Devices),
    Case::lab(
        "lab-devices-power-off",
        "a guest whose devices are all in use powers itself off",
        power_off,
    )
    .with(Modules::Devices),
];

/// Time for what takes the guest a moment.
const SOON: Duration = Duration::from_secs(15);

/// A stuck transfer is given this long to show that it does not end.
const STUCK: Duration = Duration::from_secs(1);

/// Starts `cuse-device` and waits until its device is there.
pub fn start(machine: &Machine, name: &str, arguments: &str) -> Result<()> {
    machine.ok("modprobe cuse")?;
    machine.ok(&format!(
        "systemd-run --quiet --unit cuse-{name} cuse-device {name} {arguments}"
    ))?;
    let there = format!("[ -c /dev/{name} ] && [ -S /run/cuse-device/{name} ]");
    machine.wait_until("the device", &there, SOON)
}

/// Gives an order to a device.
pub fn ask(machine: &Machine, name: &str, order: &str) -> Result<String> {
    machine.ok(&format!("cuse-device ask {name} {order}"))
}

/// Reads the bus voltage register of the monitor in one combined transfer.
const READ_MONITOR: &str = "i2ctransfer -y 7 w1@0x40 2 r2";

fn i2c(machine: &mut Machine) -> Result<()> {
    start(machine, "i2c-7", "i2c 0x36=bytes 0x40=words")?;
    ask(machine, "i2c-7", "set 0x40 2 1f42")?;
    ask(machine, "i2c-7", "set 0x36 2 c5804b00")?;
    ensure!(machine.ok(READ_MONITOR)? == "0x1f 0x42");
    ensure!(machine.ok("i2cget -y 7 0x36 2 w")? == "0x80c5");
    ensure!(machine.ok("i2cget -y 7 0x36 4 b")? == "0x4b");
    ensure!(machine.ok("i2cget -y 7 0x36 2 i 4")? == "0xc5 0x80 0x4b 0x00");
    ensure!(machine.ok("i2cget -y 7 0x36 0 i 32 | wc -w")? == "32");
    machine.ok("i2cset -y 7 0x40 5 0x0010 w && i2cset -y 7 0x36 6 0x40 0x00 i")?;
    ensure!(ask(machine, "i2c-7", "get 0x40 5 2")? == "1000");
    ensure!(ask(machine, "i2c-7", "get 0x36 6 2")? == "4000");
    let (before, absent) = (
        ask(machine, "i2c-7", "transfers 0x40")?,
        machine.sh("i2ctransfer -y 7 w1@0x50 0 r1")?,
    );
    failed_with(&absent, "Remote I/O error")?;
    ensure!(ask(machine, "i2c-7", "transfers 0x40")? == before);
    i2c_faults(machine)
}

fn i2c_faults(machine: &Machine) -> Result<()> {
    ask(machine, "i2c-7", "fault 0x40 nak 3")?;
    for _ in 0..3 {
        failed_with(&machine.sh(READ_MONITOR)?, "Remote I/O error")?;
        machine.ok("i2cget -y 7 0x36 4 b")?;
    }
    ensure!(machine.ok(READ_MONITOR)? == "0x1f 0x42");

    for (fault, error) in [
        ("timed-out", "Connection timed out"),
        ("absent", "No such device or address"),
    ] {
        ask(machine, "i2c-7", &format!("fault bus {fault}"))?;
        failed_with(&machine.sh(READ_MONITOR)?, error)?;
        ask(machine, "i2c-7", "heal")?;
    }
    ask(machine, "i2c-7", "fault 0x40 garbled 1")?;
    ensure!(machine.ok(READ_MONITOR)? != "0x1f 0x42");
    ensure!(machine.ok(READ_MONITOR)? == "0x1f 0x42");

    ask(machine, "i2c-7", "fault bus stuck")?;
    machine.ok(&format!(
        "({READ_MONITOR}; echo ended $?) >/run/stuck 2>&1 &"
    ))?;
    let ended = "grep -q ended /run/stuck";
    ensure!(
        machine
            .wait_until("a stuck transfer", ended, STUCK)
            .is_err(),
        "a transfer on a stuck bus ended"
    );
    ask(machine, "i2c-7", "heal")?;
    machine.wait_until("the healed transfer", ended, SOON)?;
    ensure!(machine.ok("tr '\\n' ' ' </run/stuck")? == "0x1f 0x42 ended 0");
    Ok(())
}

fn failed_with(output: &Output, error: &str) -> Result<()> {
    ensure!(
        output.code != 0 && output.stderr.contains(error),
        "not {error:?}, but {output:?}"
    );
    Ok(())
}

/// Asks the mailbox for the throttle flags: one property, no mask.
const GET_THROTTLED: &str = r#"perl -e '
    open(my $box, "+<", "/dev/vcio") or die "open: $!";
    my $words = pack("L7", 28, 0, 0x30046, 4, 0, 0, 0);
    ioctl($box, 0xc0086400, $words) or die "ioctl: $!";
    printf("%#x %#x %#x\n", (unpack("L7", $words))[1, 4, 5]);'"#;

fn vcio(machine: &mut Machine) -> Result<()> {
    start(machine, "vcio", "vcio 0x50005")?;
    ensure!(machine.ok(GET_THROTTLED)? == "0x80000000 0x80000004 0x50005");
    ask(machine, "vcio", "throttled 0x50000")?;
    ensure!(machine.ok(GET_THROTTLED)? == "0x80000000 0x80000004 0x50000");
    ask(machine, "vcio", "refuse")?;
    ensure!(machine.ok(GET_THROTTLED)? == "0x80000001 0 0");
    Ok(())
}

/// Opens `$device`, asks for a timeout of `$wanted` s and keeps the file open for no longer.
const SET_TIMEOUT: &str = r#"perl -e '
    open(my $dog, "+<", $ARGV[0]) or die "open: $!";
    my $timeout = pack("l", $ARGV[1]);
    ioctl($dog, 0xc0045706, $timeout) or die "timeout: $!";
    ioctl($dog, 0x80045707, $timeout) or die "get timeout: $!";
    print(unpack("l", $timeout), "\n");
    ioctl($dog, 0x80045705, 0) or die "pet: $!";
    syswrite($dog, "V") or die "close: $!";'"#;

fn watchdog(machine: &mut Machine) -> Result<()> {
    let set =
        |name: &str, timeout: u32| machine.sh(&format!("{SET_TIMEOUT} /dev/{name} {timeout}"));
    start(machine, "watchdog8", "watchdog 15")?;
    start(machine, "watchdog9", "watchdog any")?;
    failed_with(&set("watchdog8", 20)?, "timeout: Invalid argument")?;
    let left_open = ask(machine, "watchdog8", "state")?;
    ensure!(left_open == "running timeout=15 pets=1", "{left_open}");
    for (name, timeout) in [("watchdog8", 15), ("watchdog9", 20), ("watchdog9", 3600)] {
        let taken = set(name, timeout)?;
        ensure!(
            taken.stdout.trim() == timeout.to_string(),
            "{name} {timeout}: {taken:?}"
        );
    }
    // Opened twice; set, petted and closed with the magic character once.
    let closed = ask(machine, "watchdog8", "state")?;
    ensure!(closed == "stopped timeout=15 pets=5", "{closed}");
    Ok(())
}

/// Makes an LED called `status` and writes down each brightness it is given.
const WATCH_LED: &str = r#"perl -e '
    open(my $led, "+<", "/dev/uleds") or die "open: $!";
    syswrite($led, pack("a64 l", "status", 1)) or die "make: $!";
    $| = 1;
    while (sysread($led, my $brightness, 4)) { print(unpack("l", $brightness), "\n"); }'"#;

fn led_class(machine: &mut Machine) -> Result<()> {
    machine.ok("modprobe uleds")?;
    machine.ok(&format!("{WATCH_LED} </dev/null >/run/led 2>&1 &"))?;
    let led = "/sys/class/leds/status";
    machine.wait_until("the LED", &format!("[ -w {led}/brightness ]"), SOON)?;
    for (count, level) in [(1, "1"), (2, "0"), (3, "1")] {
        machine.ok(&format!("echo {level} > {led}/brightness"))?;
        let seen = format!("[ $(wc -l </run/led) -ge {count} ]");
        machine.wait_until("the light", &seen, SOON)?;
        ensure!(machine.ok("tail -n 1 /run/led")? == level);
    }
    Ok(())
}

fn power_off(machine: &mut Machine) -> Result<()> {
    start(machine, "i2c-7", "i2c 0x36=bytes")?;
    start(machine, "watchdog9", "watchdog any")?;
    ask(machine, "i2c-7", "fault bus stuck")?;
    machine.ok("i2cget -y 7 0x36 0 b </dev/null >/dev/null 2>&1 &")?;
    machine.ok(super::devices::MAKE_CHIP)?;
    machine.ok(&format!(
        "{}; modprobe -a ina2xx uleds; echo ina219 0x40 >/sys/bus/i2c/devices/i2c-$bus/new_device",
        super::devices::STUB
    ))?;
    let mark = machine.mark();
    machine.ok("systemctl --no-block poweroff")?;
    machine.wait_event("SHUTDOWN", mark, Duration::from_secs(60))?;
    let console = machine.serial()?;
    ensure!(
        console.contains("reboot: Power down"),
        "no power-off on the console: {console}"
    );
    Ok(())
}
