//! The status LED with the shipped daemon: an LED of the kernel's LED class, and one on a line of a
//! simulated GPIO chip. What it shows is seen from outside, change by change, and counted.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

mod others;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::daemon::{all_up, configure, start, status, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "led-class",
        "an LED of the kernel shows what is so, and every state on demand",
        class,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "led-of-others",
        "an LED that somebody else takes is let go of, by hand too; one that is unplugged is had \
         again; after the end, and where it is no longer named, it is what it was",
        others::case,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "led-outlives-the-daemon",
        "the LED of a killed daemon is dark within two minutes; one of a machine that goes down flickers \
         on after the daemon's end",
        outlives,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "led-line",
        "an LED on a line of a GPIO chip, lit while the line is low: mains gone, a halt; a line that is \
         taken, a chip that is unplugged",
        line,
    )
    .with(Modules::Devices)
    .for_long(),
];

/// Every rhythm comes twice within this time, on a busy host.
const SOON: Duration = Duration::from_secs(60);

/// What is noticed when the LED is told the same again, and tried again after that.
const RENEWED: Duration = Duration::from_secs(120);

/// A machine whose watchdog is petted, with one service.
const CONFIG: &str = "[storage]\nmounts = [\"/\"]\n[service.steady]\n\
    command = [\"/bin/sleep\", \"infinity\"]\n";

/// Makes an LED called `status` and writes down each brightness it is given, with the time: into a
/// file, and on the console while another file is there.
const LAMP: &str = r#"use Time::HiRes "time";
    open(my $led, "+<", "/dev/uleds") or die "open: $!";
    syswrite($led, pack("a64 l", "status", 1)) or die "make: $!";
    open(my $seen, ">>", "/run/led") or die "seen: $!";
    $seen->autoflush(1);
    while (sysread($led, my $brightness, 4)) {
        my $line = sprintf("%.3f %d", time, unpack("l", $brightness));
        print $seen "$line\n";
        next unless -e "/run/console";
        if (open(my $kernel, ">", "/dev/kmsg")) { syswrite($kernel, "<0>lamp $line\n"); }
    }"#;

/// It is to outlive everything, systemd's last round through all processes included: that one spares
/// those whose first argument begins so.
const LAMP_UNIT: &str = "[Unit]\nDefaultDependencies=no\n[Service]\nKillMode=none\nSendSIGKILL=no\n\
    ExecStart=@/usr/bin/perl @lamp -MIO::Handle /srv/lamp\n";

/// Follows the level of a line, which is low while the LED is lit.
const WATCH_LINE: &str = r#"use Time::HiRes "time"; use IO::Handle;
    open(my $seen, ">>", "/run/led") or die "seen: $!";
    $seen->autoflush(1);
    my $before = "";
    while (1) {
        my ($file) = glob("/sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio17/value");
        my $level = "";
        if ($file && open(my $line, "<", $file)) { $level = <$line> // ""; }
        if ($level ne $before) { printf $seen "%.3f %d\n", time, $level eq "0\n"; }
        $before = $level;
        select(undef, undef, undef, 0.015);
    }"#;

fn plug_lamp(machine: &Machine) -> Result<()> {
    machine.put_bytes(LAMP.as_bytes(), "/srv/lamp", 0o644)?;
    machine.put_bytes(
        LAMP_UNIT.as_bytes(),
        "/etc/systemd/system/lamp.service",
        0o644,
    )?;
    machine.ok("modprobe -a uleds ledtrig-pattern; sysctl -q kernel.printk_devkmsg=on")?;
    machine.ok("systemctl daemon-reload; systemctl start lamp")?;
    machine.wait_until("the LED", &format!("[ -w {LED}/trigger ]"), SOON)
}

const LED: &str = "/sys/class/leds/status";

/// A flash: for how long it was lit, and then dark, in seconds.
pub type Flash = (f64, f64);

/// The flashes in a list of changes, those that are over.
pub fn flashes(text: &str) -> Result<Vec<Flash>> {
    let mut changes: Vec<(f64, bool)> = Vec::new();
    for line in text.lines() {
        let (at, level) = line.split_once(' ').context("a change")?;
        let lit = level != "0";
        if changes.last().is_none_or(|(_, before)| *before != lit) {
            changes.push((at.parse()?, lit));
        }
    }
    let lit = changes.iter().skip_while(|(_, lit)| !lit);
    let times: Vec<f64> = lit.map(|(at, _)| *at).collect();
    let whole = times.windows(3).step_by(2);
    Ok(whole.map(|w| (w[1] - w[0], w[2] - w[1])).collect())
}

/// The groups between pauses, as letters: `S` is a short flash, `L` a long one. The last one may not be
/// over, and is left out.
fn groups(flashes: &[Flash]) -> Vec<String> {
    let mut groups = vec![String::new()];
    for (lit, dark) in flashes {
        let letter = if *lit < 0.65 { 'S' } else { 'L' };
        if let Some(group) = groups.last_mut() {
            group.push(letter);
        }
        if *dark > 1.0 {
            groups.push(String::new());
        }
    }
    groups.pop();
    groups
}

/// The latest flashes are those of this state.
pub fn is_shown(state: &str, flashes: &[Flash]) -> bool {
    let counted = |wanted: &str| {
        let groups = groups(flashes);
        // The first one may have been seen from its middle on.
        groups.len() > 1 && groups.last().is_some_and(|g| g == wanted)
    };
    // Seconds from one flash to the next, on average over the latest ones; none of them a pause.
    let even = |low: f64, high: f64, longest: f64| {
        let latest = &flashes[flashes.len().saturating_sub(8)..];
        let sum: f64 = latest.iter().map(|(lit, dark)| lit + dark).sum();
        let mean = sum / 8.0;
        latest.len() == 8
            && latest.iter().all(|(_, dark)| *dark < longest)
            && (low..high).contains(&mean)
    };
    match state {
        "well" => counted("S"),
        "unknown" => counted("SS"),
        "degraded" => counted("SSS"),
        "critical" => counted("SSSS"),
        "on-battery" => counted("LS"),
        "low-battery" => counted("LSS"),
        "unguarded" => counted("LSSS"),
        "starting" => even(1.7, 2.6, 1.6),
        "stopping" => even(0.4, 0.8, 0.9),
        "halting" => even(0.1, 0.35, 0.9),
        _ => false,
    }
}

/// Forgets what was seen, and waits until this state is seen.
fn wait_shown(machine: &Machine, state: &str, limit: Duration) -> Result<()> {
    machine.ok(": > /run/led")?;
    let begun = Instant::now();
    loop {
        let seen = machine.ok("cat /run/led")?;
        if is_shown(state, &flashes(&seen)?) {
            return Ok(());
        }
        if begun.elapsed() > limit {
            let led = status(machine).map(|s| s["led"].to_string());
            bail!("{state} is not seen: {:?}\n{led:?}", flashes(&seen)?);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The daemon says that the LED shows this.
fn wait_said(machine: &Machine, state: &str) -> Result<()> {
    let script = format!("fieldwarden status --json | grep -q '\"shows\":\"{state}\"'");
    machine.wait_until(&format!("the LED to say {state}"), &script, SOON)
}

/// Waits until this state is said and seen, and gives back the rhythm as the kernel has it.
fn wait_counted(machine: &Machine, state: &str) -> Result<String> {
    wait_said(machine, state)?;
    wait_shown(machine, state, SOON)?;
    machine.ok(&format!("cat {LED}/pattern"))
}

/// Has the LED be told something now, so that what is wrong with it need not wait until it is told the
/// same again.
fn tell_something(machine: &Machine) -> Result<()> {
    machine.ok("fieldwarden led show well --for 1s")?;
    Ok(())
}

/// Every state, from best to worst.
const STATES: [&str; 10] = [
    "well",
    "unknown",
    "starting",
    "degraded",
    "on-battery",
    "critical",
    "unguarded",
    "low-battery",
    "stopping",
    "halting",
];

fn class(machine: &mut Machine) -> Result<()> {
    plug_lamp(machine)?;
    machine.ok(&format!("echo cpu > {LED}/trigger"))?;
    // What fails for good is critical, and what never gets ready degraded.
    let services = "[service.broken]\nautostart = false\nrestart = \"never\"\ncommand = [\"/bin/false\"]\n\
        [service.silent]\nready = \"notify\"\nstart_timeout = \"10min\"\n\
        command = [\"/bin/sleep\", \"infinity\"]\n";
    configure(
        machine,
        &format!("[led]\nname = \"status\"\n{CONFIG}{services}"),
    )?;
    // Another program has the watchdog: that is worse than a service that does not get ready.
    machine.ok("systemctl enable --quiet fieldwarden")?;
    machine.ok("busybox watchdog -T 60 -t 1 /dev/watchdog0")?;
    machine.ok("systemctl start fieldwarden")?;
    let mut counted = BTreeMap::new();
    counted.insert("unguarded", wait_counted(machine, "unguarded")?);
    machine.ok("pkill -x busybox")?;
    counted.insert("starting", wait_counted(machine, "starting")?);
    ensure!(
        machine
            .ok(&format!("cat {LED}/trigger"))?
            .contains("[pattern]")
    );
    machine.ok("fieldwarden stop silent")?;
    all_up(machine)?;
    // Nobody keeps this machine's clock right, and it has no thermometer.
    counted.insert("unknown", wait_counted(machine, "unknown")?);
    machine.ok("fieldwarden start --no-wait silent")?;
    counted.insert("degraded", wait_counted(machine, "degraded")?);
    machine.ok("fieldwarden start --no-wait broken")?;
    counted.insert("critical", wait_counted(machine, "critical")?);
    for state in STATES {
        machine.ok(&format!(
            "fieldwarden led show {state} --for 3m </dev/null >/run/shown 2>&1 & echo $! >/run/show"
        ))?;
        // What was counted before is what the kernel was given then.
        match counted.get(state) {
            Some(before) => {
                wait_said(machine, state)?;
                let now = machine.ok(&format!("cat {LED}/pattern"))?;
                ensure!(now == *before, "{state}: {now} instead of {before}");
            }
            None => {
                wait_counted(machine, state)?;
            }
        }
        machine.ok("kill $(cat /run/show)")?;
    }
    let list = machine.ok("fieldwarden led list")?;
    ensure!(
        list.contains("on demand") && list.contains("<- the status LED"),
        "{list}"
    );
    Ok(())
}

fn outlives(machine: &mut Machine) -> Result<()> {
    plug_lamp(machine)?;
    // Who pets the hardware would reset this machine.
    let nobody = "[watchdog]\nowner = \"nobody\"\n";
    configure(
        machine,
        &format!("[led]\nname = \"status\"\n{nobody}{CONFIG}"),
    )?;
    let once = "[Service]\nRestart=no\n";
    machine.ok("mkdir -p /etc/systemd/system/fieldwarden.service.d")?;
    machine.put_bytes(
        once.as_bytes(),
        "/etc/systemd/system/fieldwarden.service.d/once.conf",
        0o644,
    )?;
    machine.ok("systemctl daemon-reload")?;
    start(machine)?;
    wait_shown(machine, "degraded", SOON)?;
    machine.ok("systemctl kill -s KILL --kill-who=main fieldwarden")?;
    wait_shown(machine, "degraded", Duration::from_secs(30))
        .context("a rhythm goes on for a while")?;
    let dark = format!(
        "[ $(cat {LED}/brightness) = 0 ] && [ $(( $(date +%s) - $(stat -c %Y /run/led) )) -ge 8 ]"
    );
    machine.wait_until("darkness", &dark, Duration::from_secs(160))?;
    // A successor takes it over, and knows what it was before.
    machine.ok("systemctl reset-failed fieldwarden; systemctl start fieldwarden")?;
    wait_shown(machine, "degraded", SOON)?;
    ensure!(machine.ok("cat /run/fieldwarden/led")?.contains("none"));
    goes_down(machine)
}

/// Something stops after the daemon, and the LED is seen on the console meanwhile.
fn goes_down(machine: &Machine) -> Result<()> {
    let late = "[Unit]\nBefore=fieldwarden.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
        ExecStart=/bin/true\nTimeoutStopSec=60\nExecStop=/bin/sh /srv/late\n";
    let script = "echo \"<0>daemon $(systemctl is-active fieldwarden)\" >/dev/kmsg\n\
        touch /run/console\nsleep 10\n";
    machine.put_bytes(late.as_bytes(), "/etc/systemd/system/late.service", 0o644)?;
    machine.put_bytes(script.as_bytes(), "/srv/late", 0o644)?;
    machine.ok("systemctl daemon-reload; systemctl start late")?;
    let mark = machine.mark();
    machine.ok("fieldwarden halt poweroff")?;
    let end = machine.wait_event("SHUTDOWN", mark, Duration::from_secs(150))?;
    ensure!(end.data["reason"] == "guest-shutdown", "{}", end.data);
    let console = machine.serial()?;
    ensure!(
        console.contains("daemon inactive"),
        "the daemon was there: {console}"
    );
    let lamp = |line: &str| Some(line.split_once("lamp ")?.1.trim().to_owned());
    let seen: Vec<String> = console.lines().filter_map(lamp).collect();
    let flashes = flashes(&seen.join("\n"))?;
    ensure!(is_shown("halting", &flashes), "on the console: {flashes:?}");
    Ok(())
}

/// The header's chip, with mains on line 6 and an LED on line 17.
const HEADER: &str = "modprobe gpio-sim
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    bank=/sys/kernel/config/gpio-sim/header/bank0
    mkdir -p $bank/line6 $bank/line17
    echo 28 > $bank/num_lines
    echo pinctrl-bcm2711 > $bank/label
    echo 1 > /sys/kernel/config/gpio-sim/header/live";

const BOARD: &str = "name = \"line\"\ntitle = \"a power line and an LED\"\n\
    [mains.line]\nline = 6\nlost = \"high\"\n[led]\nline = 17\nactive_low = true\n";

fn pull(machine: &Machine, way: &str) -> Result<()> {
    let file = "/sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio6/pull";
    machine.ok(&format!("echo {way} | tee {file} >/dev/null"))?;
    Ok(())
}

fn line(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!("set -e\n{HEADER}"))?;
    machine.put_bytes(WATCH_LINE.as_bytes(), "/srv/watch", 0o644)?;
    machine.ok("systemd-run --quiet --unit watch perl /srv/watch")?;
    machine.ok("mkdir -p /etc/fieldwarden/boards")?;
    machine.put_bytes(BOARD.as_bytes(), "/etc/fieldwarden/boards/line.toml", 0o644)?;
    let slow = "[service.slow]\nclass = \"essential\"\nstop_timeout = \"60s\"\ncommand = [\"/bin/sh\", \
        \"-c\", \"trap 'sleep 40; exit 0' TERM; while :; do sleep 1; done\"]\n";
    let power = "board = \"line\"\n[power]\nride_through = \"never\"\n";
    configure(machine, &format!("{power}{CONFIG}{slow}"))?;
    // Somebody else has the line.
    machine.ok(
        "systemd-run --quiet --unit taker gpioset --mode=signal $(gpiodetect | \
        sed -n 's/ .*bcm2711.*//p') 17=1",
    )?;
    machine.wait_until("the taker", "gpioinfo | grep -q 'line *17:.*gpioset'", SOON)?;
    start(machine)?;
    wait_event(machine, "led-failed", "gpioset")?;
    machine.ok("systemctl stop taker")?;
    wait_event(machine, "led-back", "")?;
    wait_shown(machine, "unknown", SOON)?;
    pull(machine, "pull-up")?;
    wait_event(machine, "mains-lost", "")?;
    wait_shown(machine, "on-battery", SOON)?;
    pull(machine, "pull-down")?;
    wait_said(machine, "unknown")?;
    // The whole chip goes, and comes back.
    machine.ok("echo 0 > /sys/kernel/config/gpio-sim/header/live")?;
    tell_something(machine)?;
    let absent =
        "fieldwarden events --json -n 256 | grep '\"event\":\"led-failed\"' | grep -q 'absent'";
    machine.wait_until("the loss", absent, RENEWED)?;
    machine.ok("echo 1 > /sys/kernel/config/gpio-sim/header/live")?;
    machine.wait_until(
        "the LED again",
        "fieldwarden status --json | grep -q '\"led\":\"ok\"'",
        RENEWED,
    )?;
    wait_shown(machine, "unknown", SOON)?;
    machine.ok("fieldwarden halt poweroff")?;
    wait_shown(machine, "stopping", Duration::from_secs(35))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes in this rhythm, over and over.
    fn changes(once: &[(u32, u32)], times: u32) -> String {
        let mut at = 7.0;
        let mut text = String::new();
        for (lit, dark) in (0..times).flat_map(|_| once) {
            for (level, time) in [(1, lit), (0, dark)] {
                text.push_str(&format!("{at:.3} {level}\n"));
                at += f64::from(*time) / 1000.0;
            }
        }
        text
    }

    /// Each rhythm is taken for its own state and for no other, also when it is somewhat slow.
    #[test]
    fn rhythms_are_told_apart() {
        let (short, last, long) = ((230, 330), (210, 2_100), (1_250, 440));
        let rhythms: [(&str, Vec<(u32, u32)>); 10] = [
            ("well", vec![(200, 3_800)]),
            ("unknown", vec![short, last]),
            ("starting", vec![(1_010, 1_020)]),
            ("degraded", vec![short, short, last]),
            ("on-battery", vec![long, last]),
            ("critical", vec![short, short, short, last]),
            ("unguarded", vec![long, short, short, last]),
            ("low-battery", vec![long, short, last]),
            ("stopping", vec![(260, 270)]),
            ("halting", vec![(90, 90)]),
        ];
        for (state, once) in rhythms {
            let flashes = flashes(&changes(&once, 12)).unwrap();
            let taken: Vec<&str> = STATES
                .into_iter()
                .filter(|s| is_shown(s, &flashes))
                .collect();
            assert_eq!(taken, [state]);
        }
        assert!(!STATES.iter().any(|s| is_shown(s, &[])));
    }
}
