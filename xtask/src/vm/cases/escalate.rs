//! The last rung of escalation: the machine is really restarted, a few times, and then no more.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::super::qmp::Mark;
use super::daemon::{SOON, configure, service, start, wait_event};
use super::halt::was_halted;
use super::halt_killed::kill_on;

/// The cases of this module.
pub const CASES: &[Case] = &[Case {
    limit: Duration::from_secs(900),
    ..Case::daemon(
        "escalate-reboots",
        "a group that never comes up: the machine is restarted in order, also when the daemon is killed in \
         the middle, as often as it may be; then it stays on with all other services, and says why; nor \
         is it restarted where nothing outlives a boot, the count cannot be written, or somebody has a hold, \
         which outlives the daemon",
        reboots,
    )
}];

/// Services that can be kept up, one of which takes its time to end, and a group that cannot.
const SERVICES: &str = "[service.slow]\nstop_timeout = \"60s\"\n\
    command = [\"/bin/sh\", \"-c\", \"trap 'sleep 10; exit 0' TERM; while :; do sleep 1; done\"]\n\
    [service.modem]\ncommand = [\"/bin/sleep\", \"infinity\"]\n\
    [service.tunnel]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.5; exit 3\"]\n\
    [group.uplink]\nmembers = [\"modem\", \"tunnel\"]\nstrategy = \"one-for-all\"\nrestarts = 2\n\
    window = \"20s\"\nescalate = \"machine\"\n";

/// The boot, the wait of the group and an orderly end, on a busy host: the daemon starts, the group is
/// tried three times, waits for its window and is tried again, and `slow` takes its ten seconds.
const ROUND: Duration = Duration::from_secs(240);

/// Writes the configuration with this budget.
fn budget(machine: &Machine, most: u8) -> Result<()> {
    let usual = include_str!("../../../../tests/vm/config/fieldwarden.toml");
    let reboots = format!("[reboots]\nmost = {most}\nwindow = \"6h\"\nuptime = \"10s\"\n");
    configure(machine, &format!("{reboots}{usual}{SERVICES}"))
}

fn reboots(machine: &mut Machine) -> Result<()> {
    budget(machine, 2)?;
    start(machine)?;
    // The first boot: nothing says that a count would be there in the next one.
    wait_event(machine, "machine-kept", "\"why\":\"not-kept\"")?;
    stays_on(machine, "outlived a boot")?;
    let mark = machine.mark();
    machine.ok("systemctl --no-block reboot")?;
    restarted(machine, mark)?;

    // Once, with the daemon killed in the middle of it. Nobody asks: it does so by itself.
    let mark = machine.mark();
    kill_on(machine, "stopping")?;
    restarted(machine, mark)?;
    was_ours(machine, 1)?;

    // And once more.
    let mark = machine.mark();
    restarted(machine, mark)?;
    was_ours(machine, 2)?;

    // That was all.
    let mark = machine.mark();
    wait_event(machine, "machine-kept", "\"why\":\"used-up\"")?;
    stays_on(
        machine,
        "it was restarted on purpose, or hung, 2 times within 6 h",
    )?;
    machine.ok("systemctl kill -s KILL fieldwarden")?;
    again(machine, "used-up")?;
    stays_on(
        machine,
        "it was restarted on purpose, or hung, 2 times within 6 h",
    )?;

    held(machine, mark)?;

    // A budget that is not used up, and a card that takes nothing: it cannot be counted, so it is not
    // made, and nothing is stopped for it.
    machine.ok("mount --bind /var/lib/fieldwarden /var/lib/fieldwarden && \
         mount -o remount,ro,bind /var/lib/fieldwarden")?;
    let slow = service(machine, "slow")?["pid"].clone();
    machine.ok("fieldwarden hold --end")?;
    again(machine, "not-written")?;
    stays_on(machine, "it cannot be written down")?;
    let now = service(machine, "slow")?["pid"].clone();
    ensure!(slow.is_u64() && slow == now, "slow was {slow} and is {now}");
    let ends = machine.events_since(mark);
    ensure!(ends.is_empty(), "the machine was restarted once more");
    Ok(())
}

/// Failures that would have the machine restarted several times over.
const MANY: u32 = 5;

/// There is room in the budget, and nothing but a hold keeps the machine on, whatever becomes of the
/// daemon and of the clock.
fn held(machine: &mut Machine, mark: Mark) -> Result<()> {
    machine.ok("fieldwarden hold 30m --reason 'working on the modem'")?;
    budget(machine, 6)?;
    machine.ok("systemctl restart fieldwarden")?;
    wait_event(machine, "hold-taken-up", "working on the modem")?;
    fails_on(machine)?;
    machine.ok("systemctl kill -s KILL fieldwarden")?;
    machine.ok("timedatectl set-ntp false; date -s @$(($(date +%s) + 7200))")?;
    wait_event(machine, "hold-taken-up", "working on the modem")?;
    fails_on(machine)?;
    let status = machine.ok("fieldwarden status --json")?;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    let hold = &status["hold"];
    let left = hold["left_seconds"].as_f64().unwrap_or_default();
    ensure!(hold["user"] == 0 && (1.0..1800.0).contains(&left), "{hold}");
    let armed = &status["watchdog"]["state"];
    ensure!(*armed == "armed", "the watchdog is {armed}");
    let ends = machine.events_since(mark);
    ensure!(ends.is_empty(), "the machine was restarted in a hold");
    Ok(())
}

/// A member of the group, which may have been given up before, is started, fails so often that it would
/// be given up, and is not.
fn fails_on(machine: &Machine) -> Result<()> {
    machine.ok("fieldwarden start tunnel --no-wait")?;
    let excused = format!(
        "fieldwarden status --json | grep -oE '\"excused\":[0-9]+' | cut -d: -f2 |
             awk '$1 >= {MANY} {{ found = 1 }} END {{ exit !found }}'"
    );
    machine.wait_until("failures in a hold", &excused, ROUND)?;
    let status = machine.ok("fieldwarden status --json")?;
    ensure!(!status.contains("\"state\":\"gave-up\""), "{status}");
    Ok(())
}

/// The machine is restarted by its init, and runs again.
fn restarted(machine: &mut Machine, mark: Mark) -> Result<()> {
    let end = machine.wait_event("RESET", mark, ROUND)?;
    ensure!(end.data["reason"] == "guest-reset", "{}", end.data);
    let bitten = |name: &str| name == "WATCHDOG";
    let events = machine.events_since(mark);
    ensure!(
        !events.iter().any(|event| bitten(&event.name)),
        "the watchdog bit"
    );
    machine.wait_boot()
}

/// The boot before was ended by us for the sake of services, in order, and that is counted.
fn was_ours(machine: &Machine, times: usize) -> Result<()> {
    let answers = "fieldwarden status --json | grep -q '\"last_boot\":{'";
    machine.wait_until("the daemon", answers, SOON)?;
    was_halted(machine, "services could not be kept up")?;
    let marker = machine.ok("cat /run/fieldwarden/marker")?;
    let counted = marker
        .split(' ')
        .find_map(|word| word.strip_prefix("reboots="));
    let counted = counted.with_context(|| marker.clone())?;
    // The next one may have been decided already.
    let count = counted.split(',').count();
    ensure!((times..=times + 1).contains(&count), "{marker}");
    Ok(())
}

/// Waits until a daemon that has just begun has tried the group, and leaves the machine on.
fn again(machine: &Machine, why: &str) -> Result<()> {
    let script = format!(
        "begun=$(fieldwarden events --json --last 256 | grep -n '\"event\":\"began\"' | tail -n 1 | cut -d: -f1)
         fieldwarden events --json --last 256 | tail -n +${{begun:-1}} |
             grep '\"event\":\"machine-kept\"' | grep -q '\"why\":\"{why}\"'"
    );
    machine.wait_until(&format!("machine-kept {why} again"), &script, ROUND)
}

/// What can be kept up is, and the status says of the rest why the machine is not restarted.
fn stays_on(machine: &Machine, why: &str) -> Result<()> {
    for name in ["steady", "beating", "slow"] {
        let one = service(machine, name)?;
        ensure!(one["state"] == "up", "{one}");
    }
    // It is tried again now and then, and given up soon: whoever looks just then looks once more.
    for (what, look) in [
        (
            "the report",
            "fieldwarden status --json | grep '\"services\":\"critical\"'",
        ),
        (
            "the screen",
            "fieldwarden status | grep 'this machine is not restarted for it: '",
        ),
    ] {
        let script = format!("{look} | grep -qF '{why}'");
        machine.wait_until(&format!("why it stays on, in {what}"), &script, SOON)?;
    }
    Ok(())
}
