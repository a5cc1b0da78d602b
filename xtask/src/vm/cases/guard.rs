//! The hardware watchdog under the shipped daemon: petted, withheld, taken, gone, and what the next
//! boot knows.

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
        "guard-healthy",
        "five watchdog periods without a reset, pets never further apart than 0.6 of the timeout",
        healthy,
    ),
    Case::daemon(
        "guard-daemon-stopped",
        "the daemon is stopped: reset within the timeout, and the next boot sees it",
        daemon_stopped,
    ),
    Case::daemon(
        "guard-drill",
        "a drill: refused in a hold; then the device really bites, in time, and the next boot says that it was \
         our test, and keeps that",
        drill,
    ),
    Case::daemon(
        "guard-core-blocked",
        "the core's thread is stuck: reset",
        |m| thread_blocked(m, "fieldwarden"),
    ),
    Case::daemon(
        "guard-children-blocked",
        "the children thread is stuck: reset",
        |m| thread_blocked(m, "children"),
    ),
    Case::daemon(
        "guard-watchdog-blocked",
        "the watchdog thread is stuck: reset",
        |m| thread_blocked(m, "watchdog"),
    ),
    Case {
        limit: Duration::from_secs(420),
        ..Case::daemon(
            "guard-others-blocked",
            "threads that are not essential are stuck: degraded, told, no reset, and back again",
            others_blocked,
        )
    },
    Case::daemon(
        "guard-device-taken",
        "another process holds the device at boot: told, no reset; taken over when it lets go",
        device_taken,
    ),
    Case::daemon(
        "guard-device-vanishes",
        "the device is removed under the daemon and comes back: told, and armed again",
        device_vanishes,
    ),
    Case::daemon(
        "guard-left-or-disarmed",
        "a stop leaves the device armed unless the configuration says otherwise",
        left_or_disarmed,
    ),
    Case::daemon(
        "guard-clock-stepped",
        "the wall clock jumps by years, both ways: nothing restarts, no pet is late",
        clock_stepped,
    ),
];

/// Timeout of the test configuration.
pub const TIMEOUT: Duration = Duration::from_secs(8);

/// How much later than the timeout a reset may be seen. The device counts in the host's time, which a
/// busy guest does not stretch; what is left is that the emulator must be heard.
pub const SLACK: Duration = Duration::from_secs(5);

/// Time after which a thread that owes an order is called stuck.
const STUCK: Duration = Duration::from_secs(3);

/// Time after which the quick threads that are stuck are late: all are called up every minute.
const CALLED_UP: Duration = Duration::from_secs(75);

/// How much longer a patient thread may take: it may owe the answer to a call for a minute.
const PATIENT: Duration = Duration::from_secs(60);

/// Whether the device runs, as the kernel shows it.
pub const STATE: &str = "cat /sys/class/watchdog/watchdog0/state";

/// The timeout that the device was given, in whole seconds, as the kernel shows it.
pub fn ensure_timeout(machine: &Machine) -> Result<()> {
    let seconds = machine.ok("cat /sys/class/watchdog/watchdog0/timeout")?;
    ensure!(
        seconds == TIMEOUT.as_secs().to_string(),
        "the device has a timeout of {seconds} s"
    );
    Ok(())
}

/// Longest time between two pets of this boot, in milliseconds, from the trace.
const LONGEST_GAP: &str = "cat /run/fieldwarden/trace.1 /run/fieldwarden/trace 2>/dev/null | \
    awk '/^[0-9]/ {at=$1} /> pet / {if (last && at-last>worst) worst=at-last; last=at} \
    END {printf \"%d\\n\", worst*1000}'";

fn ensure_no_late_pet(machine: &Machine) -> Result<()> {
    let worst: u64 = machine.ok(LONGEST_GAP)?.trim().parse()?;
    let limit = u64::try_from(TIMEOUT.as_millis())? * 6 / 10;
    ensure!(worst > 0, "no pets in the trace");
    ensure!(
        worst <= limit,
        "{worst} ms between two pets, {limit} ms are allowed"
    );
    println!("vm:         longest time between two pets: {worst} ms of {limit} ms");
    Ok(())
}

fn healthy(machine: &mut Machine) -> Result<()> {
    start(machine)?;
    let mark = machine.mark();
    machine.sh_within("sleep 42", Duration::from_secs(90))?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "it was reset although all was well"
    );
    ensure!(machine.ok("systemctl show -P NRestarts fieldwarden")? == "0");
    let status = status(machine)?;
    ensure!(
        status["watchdog"]["state"] == "armed",
        "{}",
        status["watchdog"]
    );
    ensure!(
        status["watchdog"]["identity"] == "i6300ESB timer",
        "{}",
        status["watchdog"]
    );
    ensure!(
        machine
            .ok("systemctl show -P StatusText fieldwarden")?
            .contains("services up")
    );
    ensure_no_late_pet(machine)
}

fn daemon_stopped(machine: &mut Machine) -> Result<()> {
    start(machine)?;
    ensure_timeout(machine)?;
    let mark = machine.mark();
    machine.ok("kill -STOP $(systemctl show -P MainPID fieldwarden)")?;
    let stopped = Instant::now();
    let bite = machine.wait_event("WATCHDOG", mark, TIMEOUT + SLACK)?;
    let wait = bite.at - stopped;
    println!(
        "vm:         reset {:.1} s after the stop",
        wait.as_secs_f32()
    );
    // The last pet was at most 0.6 of the timeout old. What bites sooner is no watchdog that was set.
    ensure!(
        wait + Duration::from_secs(1) >= TIMEOUT * 4 / 10,
        "it bit {wait:?} after the stop"
    );
    machine.wait_boot()?;
    all_up(machine)?;
    wait_event(machine, "watchdog-had-reset", "")?;
    ensure!(status(machine)?["watchdog"]["caused_reset"] == true);
    let story = machine.ok("fieldwarden why --json")?;
    for told in [
        "\"end\":\"hang\"",
        "\"confidence\":\"likely\"",
        "\"reset\":\"yes\"",
        "\"alive\":",
    ] {
        ensure!(story.contains(told), "{told} is not in {story}");
    }
    // It is news once in a boot, not with every daemon.
    machine.ok("systemctl restart fieldwarden")?;
    all_up(machine)?;
    let told = "cat /var/lib/fieldwarden/journal/*.journal | grep -c watchdog-had-reset";
    ensure!(machine.ok(told)?.trim() == "1");
    Ok(())
}

fn drill(machine: &mut Machine) -> Result<()> {
    start(machine)?;
    ensure_timeout(machine)?;
    let mark = machine.mark();
    machine.ok("fieldwarden hold 1m --reason 'working on it'")?;
    machine.ok("! fieldwarden drill watchdog --yes")?;
    machine.ok("fieldwarden hold --end && ! fieldwarden drill watchdog < /dev/null")?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "a drill that was refused"
    );
    machine.ok("fieldwarden drill watchdog --yes")?;
    let asked = Instant::now();
    let bite = machine.wait_event("WATCHDOG", mark, SOON + TIMEOUT + SLACK)?;
    let took = bite.at - asked;
    println!(
        "vm:         it bit {:.1} s after it was asked for",
        took.as_secs_f32()
    );
    machine.wait_boot()?;
    all_up(machine)?;
    let story = machine.ok("fieldwarden why --json")?;
    let told: serde_json::Value = serde_json::from_str(&story)?;
    ensure!(
        told["end"] == "drill" && told["data"]["in-time"] == true,
        "{story}"
    );
    ensure!(
        told["confidence"] != "possible" && told["data"]["reset"] == "yes",
        "{story}"
    );
    let seconds = told["data"]["took"].as_f64().unwrap_or_default();
    let latest = TIMEOUT.as_secs_f64() + 2.0;
    ensure!(
        (TIMEOUT.as_secs_f64() - 3.0..=latest).contains(&seconds),
        "{story}"
    );
    println!(
        "vm:         by its own word after {seconds} s, {}",
        told["confidence"]
    );
    let proven = &status(machine)?["watchdog"]["proven"];
    ensure!(proven["in_time"] == true, "{proven}");
    machine.ok("fieldwarden check | grep -q 'the watchdog bit .*: in time'")?;
    Ok(())
}

/// Holds one thread of the daemon; the answer ends with the machine.
fn hold(machine: &Machine, thread: &str) -> Result<()> {
    machine.ok(&format!(
        "setsid hold-thread $(systemctl show -P MainPID fieldwarden) {thread} \
         > /run/held-{thread} 2>&1 < /dev/null &"
    ))?;
    machine.wait_until(
        "the thread to stand",
        &format!("grep -q held /run/held-{thread}"),
        SOON,
    )
}

fn thread_blocked(machine: &mut Machine, thread: &str) -> Result<()> {
    start(machine)?;
    ensure_timeout(machine)?;
    let mark = machine.mark();
    hold(machine, thread)?;
    let held = Instant::now();
    let bite = machine.wait_event("WATCHDOG", mark, STUCK + TIMEOUT + SLACK)?;
    println!(
        "vm:         reset {:.1} s after it was held",
        (bite.at - held).as_secs_f32()
    );
    machine.wait_boot()?;
    all_up(machine)?;
    wait_event(machine, "watchdog-had-reset", "")?;
    if thread != "fieldwarden" {
        // The core was alive to see it, and wrote it down before the reset.
        let why = format!(
            "cat /var/lib/fieldwarden/journal/*.journal | grep '\"event\":\"pet-withheld\"' | \
             grep -q '\"thread\":\"{thread}\"'"
        );
        machine.ok(&why)?;
    }
    Ok(())
}

fn others_blocked(machine: &mut Machine) -> Result<()> {
    start(machine)?;
    let mark = machine.mark();
    let steady = service(machine, "steady")?["pid"].clone();
    let others = [
        "vitals",
        "disk",
        "spawner",
        "spawner-2",
        "output",
        "signals",
        "recorder",
    ];
    for thread in others.into_iter().chain(["control"]) {
        hold(machine, thread)?;
    }
    // Work for the recorder and a spawner. The others are called up, or owe a look of their own.
    machine.ok(&format!("kill -9 {steady}"))?;
    // Nobody can be asked, and nobody writes anything down, until all of them are late.
    machine.sh_within(&format!("sleep {}", CALLED_UP.as_secs()), CALLED_UP + SOON)?;
    machine.ok("pkill -f '[h]old-thread [0-9]* control'")?;
    for thread in others {
        let late = format!(
            "fieldwarden status --json | grep -q '\"late_threads\":.*\"thread\":\"{thread}\"'"
        );
        machine.wait_until(&format!("{thread} to be late"), &late, PATIENT + SOON)?;
    }
    ensure!(status(machine)?["verdicts"]["threads"] == "warn");
    ensure!(status(machine)?["watchdog"]["state"] == "armed");
    machine.ok("pkill hold-thread")?;
    let on_time = "fieldwarden status --json | grep -q '\"late_threads\":\\[\\]'";
    machine.wait_until("all threads on time", on_time, Duration::from_secs(90))?;
    // What could not be written down was not forgotten.
    wait_event(machine, "thread-late", "\"thread\":\"control\"")?;
    all_up(machine)?;
    log_blocked(machine, on_time)?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "a thread that is not essential cost a reset"
    );
    Ok(())
}

/// A log that is stuck is told where it can be, costs no record, and what it held comes out later.
fn log_blocked(machine: &Machine, on_time: &str) -> Result<()> {
    hold(machine, "log")?;
    // Something to say: without a line, a log thread that stands does no harm.
    let steady = service(machine, "steady")?["pid"].clone();
    machine.ok(&format!("kill -9 {steady}"))?;
    wait_event(machine, "thread-late", "\"thread\":\"log\"")?;
    ensure!(status(machine)?["verdicts"]["threads"] == "warn");
    machine.ok("! journalctl -u fieldwarden --no-pager | grep -q 'our log thread is .* late'")?;
    machine.ok("pkill hold-thread")?;
    machine.wait_until("the log on time", on_time, SOON)?;
    let told = "journalctl -u fieldwarden --no-pager | grep -q 'our log thread is .* late'";
    machine.wait_until("its lines to come out", told, SOON)
}

fn device_taken(machine: &mut Machine) -> Result<()> {
    let unit = "[Unit]\nBefore=fieldwarden.service\n[Service]\nType=forking\n\
                ExecStart=/usr/local/bin/busybox watchdog -T 60 -t 1 /dev/watchdog0\n\
                [Install]\nWantedBy=multi-user.target\n";
    machine.put_bytes(
        unit.as_bytes(),
        "/etc/systemd/system/squatter.service",
        0o644,
    )?;
    machine.ok("systemctl daemon-reload; systemctl enable --quiet squatter fieldwarden")?;
    machine.ok("systemctl --no-block reboot")?;
    machine.wait_boot()?;
    all_up(machine)?;
    let mark = machine.mark();
    let said = status(machine)?["watchdog"].clone();
    ensure!(said["state"] == "failed", "{said}");
    let why = said["why"].as_str().unwrap_or_default();
    ensure!(
        why.contains("busybox") && why.contains("pid"),
        "who holds it is not told: {why}"
    );
    ensure!(machine.ok("systemctl is-active fieldwarden")? == "active");
    machine.ok("systemctl stop squatter")?;
    let armed = "fieldwarden status --json | grep -q '\"state\":\"armed\"'";
    machine.wait_until("the device", armed, SOON)?;
    ensure_timeout(machine)?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    Ok(())
}

fn device_vanishes(machine: &mut Machine) -> Result<()> {
    start(machine)?;
    let mark = machine.mark();
    machine.ok(
        "for f in '/sys/bus/pci/drivers/i6300ESB timer/'0000:*/remove; do echo 1 > \"$f\"; done",
    )?;
    wait_event(machine, "watchdog-failed", "")?;
    ensure!(status(machine)?["watchdog"]["state"] == "failed");
    ensure!(machine.ok("systemctl is-active fieldwarden")? == "active");
    machine.ok("echo 1 > /sys/bus/pci/rescan")?;
    let armed = "fieldwarden status --json | grep -q '\"state\":\"armed\"'";
    machine.wait_until("the device", armed, SOON)?;
    machine.sh_within("sleep 12", SOON)?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    Ok(())
}

fn left_or_disarmed(machine: &mut Machine) -> Result<()> {
    let disarmed = include_str!("../../../../tests/vm/config/fieldwarden.toml").replace(
        "timeout = \"8s\"",
        "timeout = \"8s\"\ndisarm_on_stop = true",
    );
    configure(machine, &disarmed)?;
    start(machine)?;
    let mark = machine.mark();
    // Only when asked to end: killed, or restarted, it stays armed.
    machine.ok("systemctl restart fieldwarden")?;
    all_up(machine)?;
    ensure!(machine.ok(STATE)? == "active");
    machine.ok("systemctl stop fieldwarden")?;
    ensure!(machine.ok(STATE)? == "inactive");
    machine.sh_within("sleep 12", SOON)?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "a stopped device bit"
    );
    configure(machine, &disarmed.replace("disarm_on_stop = true", ""))?;
    start(machine)?;
    machine.ok("systemctl stop fieldwarden")?;
    ensure!(machine.ok(STATE)? == "active");
    ensure_timeout(machine)?;
    machine.wait_event("WATCHDOG", mark, TIMEOUT + SLACK)?;
    machine.wait_boot()
}

fn clock_stepped(machine: &mut Machine) -> Result<()> {
    start(machine)?;
    let mark = machine.mark();
    machine.ok("date -s '+3 years'; sleep 6; date -s '-9 years'; sleep 6; date -s '+6 years'")?;
    machine.sh_within("sleep 10", SOON)?;
    let status = status(machine)?;
    for service in status["services"].as_array().into_iter().flatten() {
        ensure!(service["run"] == 1, "{service}");
    }
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    ensure_no_late_pet(machine)
}
