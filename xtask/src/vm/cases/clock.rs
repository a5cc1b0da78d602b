//! Battery-backed clocks of the kernel: right, lying, stopped, frozen, gone, and none at all.

use anyhow::{Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::daemon::{SOON, configure, start, status, wait_event};
use super::devices::STUB;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "clock-rtc-right-and-lying",
        "a battery-backed clock confirms the clock; one that shows the past, the far future or \
         another hour is told by how much",
        right_and_lying,
    ),
    Case::daemon(
        "clock-rtc-absent",
        "a machine without a battery-backed clock has none to lose; a clock set to 2001 is wrong",
        absent,
    ),
    Case::daemon(
        "clock-ds3231",
        "a DS3231 is picked by name, its stopped oscillator found in the kernel's log; it is \
         missed when it is gone and found when it is back",
        ds3231,
    )
    .with(Modules::Devices),
];

/// Looks every second, and nothing else that takes time.
const CONFIG: &str = "[watchdog]\nowner = \"nobody\"\n[vitals]\nevery = \"1s\"\n\
    [clock]\nevery = \"1s\"\n[service.steady]\ncommand = [\"/bin/sleep\", \"infinity\"]\n";

/// Sets a clock of the kernel to so many seconds after the present time (`RTC_SET_TIME`).
fn set_rtc(machine: &Machine, seconds: i64) -> Result<()> {
    machine.ok(&format!(
        "perl -e 'open(F, \"+<\", \"/dev/rtc0\") or die $!; \
         ioctl(F, 0x4024700a, pack(\"l9\", (gmtime(time + {seconds}))[0..5], 0, 0, 0)) or die $!'"
    ))?;
    Ok(())
}

/// Tells the kernel that its clock is disciplined, as a time server's program does (`adjtimex`).
const DISCIPLINE: &str = "perl -e 'my $t = pack(\"L x4 q q q q l x4 x200\", 0x14, 0, 0, 1000, 1000, 0); \
    syscall(159, $t) >= 0 or die $!'";

/// Waits until the report holds this text.
fn wait_status(machine: &Machine, what: &str, part: &str) -> Result<()> {
    let script = format!("fieldwarden status --json | grep -q '{part}'");
    machine.wait_until(what, &script, SOON)
}

fn right_and_lying(machine: &mut Machine) -> Result<()> {
    const YEAR: i64 = 365 * 86_400;
    configure(machine, CONFIG)?;
    set_rtc(machine, 0)?;
    start(machine)?;
    wait_event(machine, "clock-trust", "\"trust\":\"rtc\"")?;
    wait_status(machine, "its trust", "\"clock_trust\":\"rtc\"")?;
    let report = status(machine)?;
    ensure!(report["verdicts"]["clock"] == "ok", "{report}");
    ensure!(report["machine"]["rtc"]["state"] == "right", "{report}");
    // Nobody disciplines the clock: what lies too far off cannot be true.
    for (seconds, why) in [(-30 * YEAR, "early"), (60 * YEAR, "future")] {
        set_rtc(machine, seconds)?;
        wait_event(machine, "rtc-wrong", &format!("\"why\":\"{why}\""))?;
        wait_status(machine, "distrust", "\"clock_trust\":\"floor\"")?;
        let report = status(machine)?;
        ensure!(report["verdicts"]["clock"] == "warn", "{report}");
        ensure!(report["machine"]["rtc"]["state"] == why, "{report}");
        set_rtc(machine, 0)?;
        wait_status(machine, "trust again", "\"clock_trust\":\"rtc\"")?;
    }
    // Now somebody does, and it can be said by how much the other one is off. The kernel itself
    // sets it soon after the clock is synced first, and then not for eleven minutes.
    machine.ok(DISCIPLINE)?;
    wait_event(machine, "clock-synced", "")?;
    machine.sh("sleep 3")?;
    for (seconds, why) in [(7_200, "ahead"), (-7_200, "behind")] {
        set_rtc(machine, seconds)?;
        wait_event(machine, "rtc-wrong", &format!("\"why\":\"{why}\""))?;
        let told = machine.ok("fieldwarden events -n 1 | tail -n 1")?;
        ensure!(
            told.contains("1 h 59 min") || told.contains("2 h"),
            "{told}"
        );
    }
    set_rtc(machine, 0)?;
    wait_event(machine, "rtc-right", "")?;
    wait_status(machine, "the verdict", "\"clock\":\"ok\"")?;
    Ok(())
}

fn absent(machine: &mut Machine) -> Result<()> {
    configure(machine, CONFIG)?;
    machine.ok(
        "cd /sys/bus/pnp/drivers/rtc_cmos 2>/dev/null || cd /sys/bus/platform/drivers/rtc_cmos
         for device in */; do [ -e ${device}rtc ] && echo ${device%/} > unbind; done
         ! ls /sys/class/rtc/rtc*",
    )?;
    start(machine)?;
    wait_status(machine, "a reading", "\"clock_trust\":\"floor\"")?;
    let report = status(machine)?;
    ensure!(report["machine"]["rtc"].is_null(), "{report}");
    ensure!(report["verdicts"]["clock"] == "unknown", "{report}");
    machine.ok("date -s '2001-02-03 04:05:06'")?;
    wait_event(machine, "clock-wrong", "\"why\":\"early\"")?;
    wait_event(machine, "clock-stepped", "\"ahead\":false")?;
    let report = status(machine)?;
    ensure!(report["machine"]["clock_trust"] == "unset", "{report}");
    machine.set_clock()?;
    wait_event(machine, "clock-trust", "\"trust\":\"floor\"")?;
    Ok(())
}

/// Keeps the stub's clock going: BCD of the present time, all seven registers at once.
const TICK: &str = "while :; do
        i2cset -f -y $bus 0x68 0 $(date -u '+0x%S 0x%M 0x%H 0x0%u 0x%d 0x%m 0x%y') i; sleep 0.3
    done </dev/null >/dev/null 2>&1 & echo $! > /run/ticker";

fn ds3231(machine: &mut Machine) -> Result<()> {
    configure(machine, CONFIG)?;
    let on_bus = |script: &str| machine.ok(&format!("set -e\n{STUB}\n{script}"));
    let bind = "echo ds3231 0x68 > /sys/bus/i2c/devices/i2c-$bus/new_device";
    // 25.25 degrees; the oscillator has not stopped.
    on_bus(&format!(
        "i2cset -y $bus 0x68 0x11 0x19 b; i2cset -y $bus 0x68 0x12 0x40 b
        i2cset -y $bus 0x68 0x0e 0x1c b; i2cset -y $bus 0x68 0x0f 0x00 b
        {TICK}
        modprobe rtc-ds1307
        {bind}"
    ))?;
    start(machine)?;
    wait_status(machine, "its trust", "\"clock_trust\":\"rtc\"")?;
    let report = status(machine)?;
    let rtc = &report["machine"]["rtc"];
    ensure!(
        rtc["state"] == "right" && rtc["temperature_celsius"] == 25.25,
        "not the chip: {report}"
    );
    machine.ok("kill $(cat /run/ticker)")?;
    wait_event(machine, "rtc-wrong", "\"why\":\"frozen\"")?;
    on_bus("echo 0x68 > /sys/bus/i2c/devices/i2c-$bus/delete_device")?;
    // Not exchanged for the clock of the PC, which is still there.
    wait_event(machine, "source-lost", "\"source\":\"rtc\"")?;
    let report = status(machine)?;
    ensure!(report["machine"]["rtc"]["state"] == "lost", "{report}");
    ensure!(report["verdicts"]["clock"] == "warn", "{report}");
    // It was without power meanwhile. Its driver says so once; older ones clear the chip's mark, too.
    on_bus(&format!("i2cset -y $bus 0x68 0x0f 0x80 b\n{TICK}\n{bind}"))?;
    wait_event(machine, "source-back", "\"source\":\"rtc\"")?;
    wait_event(machine, "rtc-wrong", "\"why\":\"stopped\"")?;
    let report = status(machine)?;
    ensure!(report["machine"]["clock_trust"] == "floor", "{report}");
    // The next daemon finds the same in the log.
    machine.ok("systemctl restart fieldwarden")?;
    wait_status(machine, "the next daemon", "\"state\":\"stopped\"")?;
    Ok(())
}
