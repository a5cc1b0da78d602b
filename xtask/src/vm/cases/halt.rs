//! The halt, with the shipped binary, units and hook: mains are a line of a simulated GPIO chip.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::super::qmp::Mark;
use super::daemon::{SOON, all_up, configure, service, start, status, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "halt-on-battery",
        "the power line drops: services end in order, file systems are clean, the machine is off; \
         with mains it runs again, and knows why it was off",
        on_battery,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-taken-back",
        "a line that flaps stops nothing; mains back before the point of no return bring all services \
         back",
        taken_back,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-goes-on",
        "kill -9 of the daemon in the middle, then a unit that takes 20 s to stop, mains back too late: the \
         machine is restarted, and no watchdog cuts that short",
        goes_on,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-interrupted",
        "a reset in the middle of a halt on battery: the next boot finishes it before any service",
        interrupted,
    )
    .with(Modules::Devices)
    .for_long(),
];

/// The whole way down, on a busy host.
const DOWN: Duration = Duration::from_secs(120);

/// A board with a power line and nothing else. It asks for no resistor: the simulated chip takes that
/// for the level itself.
pub(super) const BOARD: &str = "name = \"line\"\ntitle = \"a power line\"\n\
    [mains.line]\nline = 6\nlost = \"high\"\n";

/// Makes the header's GPIO chip at every boot, with the level that stands in a file.
const HEADER: &str = "[Unit]\nBefore=fieldwarden.service\n[Service]\nType=oneshot\n\
    RemainAfterExit=yes\nExecStart=/bin/sh /srv/header\n[Install]\nWantedBy=multi-user.target\n";

const MAKE: &str = "set -e
    modprobe gpio-sim
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    hat=/sys/kernel/config/gpio-sim/header bank=/sys/kernel/config/gpio-sim/header/bank0
    mkdir -p $bank/line6
    echo 28 > $bank/num_lines
    echo pinctrl-bcm2711 > $bank/label
    echo 1 > $hat/live
    level=$(head -n 1 /srv/level)
    sed -i 1d /srv/level
    sync
    echo ${level:-pull-down} | tee /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio6/pull\n";

/// A service that takes its time to end.
const SLOW: &str = "[service.slow]\nafter = [\"steady\"]\nstop_timeout = \"60s\"\nclass = \"essential\"\n\
    command = [\"/bin/sh\", \"-c\", \"trap 'sleep 15; exit 0' TERM; while :; do sleep 1; done\"]\n";

/// Cuts mains, or gives them back. At the next boot they are there.
pub(super) fn mains(machine: &Machine, present: bool) -> Result<()> {
    let level = if present { "down" } else { "up" };
    machine.ok(&format!(
        "echo pull-{level} | tee /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio6/pull >/dev/null"
    ))?;
    Ok(())
}

/// Starts the daemon on mains, with these services beside the usual ones.
fn begin(machine: &Machine, services: &str) -> Result<()> {
    begin_on(machine, BOARD, "10s", services)
}

/// The same on another board, which calls itself `line`, and with another ride-through.
pub(super) fn begin_on(machine: &Machine, board: &str, ride: &str, services: &str) -> Result<()> {
    machine.ok("mkdir -p /etc/fieldwarden/boards; touch /srv/level")?;
    machine.put_bytes(board.as_bytes(), "/etc/fieldwarden/boards/line.toml", 0o644)?;
    machine.put_bytes(MAKE.as_bytes(), "/srv/header", 0o644)?;
    machine.put_bytes(
        HEADER.as_bytes(),
        "/etc/systemd/system/header.service",
        0o644,
    )?;
    // Enabling has systemd read its units anew, which takes a busy host its time.
    let header = machine.sh_within("systemctl enable --quiet --now header", DOWN)?;
    ensure!(header.code == 0, "{header:?}");
    let usual = include_str!("../../../../tests/vm/config/fieldwarden.toml");
    let power = format!("[power]\nride_through = \"{ride}\"\n");
    let text = format!("board = \"line\"\n{power}{usual}{services}");
    configure(machine, &text)?;
    start(machine)?;
    let seen = "fieldwarden status --json | grep -q '\"power\":\"mains\"'";
    machine.wait_until("mains", seen, SOON)
}

/// Waits until the guest has ended by itself, and sees that no watchdog did it.
pub(super) fn wait_end(machine: &Machine, mark: Mark, name: &str, reason: &str) -> Result<()> {
    wait_end_within(machine, mark, name, reason, DOWN)
}

/// The same with another limit.
pub(super) fn wait_end_within(
    machine: &Machine,
    mark: Mark,
    name: &str,
    reason: &str,
    limit: Duration,
) -> Result<()> {
    let end = machine.wait_event(name, mark, limit)?;
    ensure!(end.data["reason"] == reason, "{name}: {}", end.data);
    let events = machine.events_since(mark);
    let bitten = events.iter().any(|e| e.name == "WATCHDOG");
    ensure!(!bitten, "the watchdog bit");
    Ok(())
}

/// The boot before was ended by us, for this, and its file systems were unmounted.
pub(super) fn was_clean(machine: &Machine, cause: &str) -> Result<()> {
    was_halted(machine, cause)?;
    let marker = machine.ok("cat /var/lib/fieldwarden/marker")?;
    ensure!(marker.contains(" intent=run mains=yes "), "{marker}");
    Ok(())
}

/// The same, of a machine in which nothing tells of mains now.
pub(super) fn was_halted(machine: &Machine, cause: &str) -> Result<()> {
    let status = status(machine)?;
    let last = &status["last_boot"];
    ensure!(
        (last["end"] == "halted" || last["end"] == "planned-cut") && last["confidence"] == "likely",
        "{last}"
    );
    ensure!(
        last["text"].as_str().is_some_and(|t| t.contains(cause)),
        "{last}"
    );
    was_unmounted(machine, "vda")
}

/// The kernel tells in this boot that it mounted this disk, and of no file system that had not been
/// unmounted.
pub(super) fn was_unmounted(machine: &Machine, disk: &str) -> Result<()> {
    let told = machine
        .ok("journalctl -k -b --no-pager -o cat | grep -iE 'EXT4-fs|recovery|orphan' || true")?;
    let mounted = format!("EXT4-fs ({disk}): mounted filesystem");
    ensure!(
        told.contains(&mounted),
        "the kernel does not tell that it mounted {disk}: {told:?}"
    );
    let told = told.to_ascii_lowercase();
    ensure!(
        !told.contains("recovery") && !told.contains("orphan"),
        "file systems were not clean: {told}"
    );
    Ok(())
}

/// What the daemon says when it finishes a halt of the boot before.
const FINISHES: &str = "that is finished before any service starts";

/// The boot before this one finished a halt, and no service was started in it. Its journal tells of the
/// halt, and that of this boot of services, so neither is silent because it is not there.
pub(super) fn was_finished_first(machine: &Machine) -> Result<()> {
    all_up(machine)?;
    let journal = |boot: &str| {
        machine.ok(&format!(
            "journalctl -u fieldwarden --no-pager -o cat -b {boot}"
        ))
    };
    let (before, now) = (journal("-1")?, journal("0")?);
    let starts = |journal: &str| {
        journal
            .lines()
            .any(|line| line.contains("starting ") && line.contains("(run "))
    };
    ensure!(
        before.contains(FINISHES),
        "the boot before does not tell that it finished a halt: {before}"
    );
    ensure!(
        !starts(&before),
        "services were started in the boot that finished the halt: {before}"
    );
    ensure!(
        starts(&now),
        "this boot does not tell that services were started: {now}"
    );
    Ok(())
}

/// The journal has the ends of these services in this order.
pub(super) fn ended_in_order(machine: &Machine, first: &str, then: &str) -> Result<()> {
    let ended = machine.ok(
        "cat /var/lib/fieldwarden/journal/*.journal | grep '\"event\":\"service-exited\"' | \
         sed 's/.*\"service\":\"\\([a-z]*\\)\".*/\\1/' | tr '\\n' ' '",
    )?;
    let at = |name| ended.find(name).with_context(|| format!("{name}: {ended}"));
    ensure!(at(first)? < at(then)?, "stopped in this order: {ended}");
    Ok(())
}

fn on_battery(machine: &mut Machine) -> Result<()> {
    let late = "[service.late]\ncommand = [\"/bin/sleep\", \"infinity\"]\nafter = [\"steady\"]\n";
    begin(machine, late)?;
    let mark = machine.mark();
    mains(machine, false)?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_clean(machine, "mains stayed away")?;
    ended_in_order(machine, "late", "steady")
}

fn taken_back(machine: &mut Machine) -> Result<()> {
    begin(machine, SLOW)?;
    let pid = |machine: &Machine, name| service(machine, name).map(|s| s["pid"].clone());
    let before = (pid(machine, "steady")?, pid(machine, "slow")?);
    for _ in 0..5 {
        mains(machine, false)?;
        mains(machine, true)?;
    }
    std::thread::sleep(Duration::from_secs(15));
    ensure!(
        (pid(machine, "steady")?, pid(machine, "slow")?) == before,
        "flapping stopped it"
    );

    mains(machine, false)?;
    wait_event(machine, "halting", "ride-through")?;
    let marker = machine.ok("cat /var/lib/fieldwarden/marker")?;
    ensure!(marker.contains("phase=begun"), "{marker}");
    mains(machine, true)?;
    wait_event(machine, "halt-cancelled", "ride-through")?;
    all_up(machine)?;
    let after = (pid(machine, "steady")?, pid(machine, "slow")?);
    ensure!(after.0.is_u64() && after.1.is_u64(), "{after:?}");
    machine.wait_until(
        "the marker",
        "grep -q intent=run /var/lib/fieldwarden/marker",
        SOON,
    )?;
    ensure!(machine.ok("systemctl show -P NRestarts fieldwarden")? == "0");
    Ok(())
}

fn goes_on(machine: &mut Machine) -> Result<()> {
    // It is stopped after the daemon, and takes its time.
    let unit = "[Unit]\nBefore=fieldwarden.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
        ExecStart=/bin/true\nExecStop=/bin/sleep 20\nTimeoutStopSec=80\n\
        [Install]\nWantedBy=multi-user.target\n";
    machine.put_bytes(unit.as_bytes(), "/etc/systemd/system/slow.service", 0o644)?;
    machine.ok("systemctl daemon-reload; systemctl start slow")?;
    begin(machine, SLOW)?;
    mains(machine, false)?;
    wait_event(machine, "halting", "ride-through")?;
    let mark = machine.mark();
    machine.ok("systemctl kill -s KILL fieldwarden")?;
    wait_event(machine, "halt-taken-up", "\"same-boot\":true")?;
    machine.wait_until(
        "init",
        "grep -q phase=committed /run/fieldwarden/marker",
        SOON,
    )?;
    // The daemon is gone or going, and systemd waits for the slow unit: mains are back too late.
    mains(machine, true)?;
    wait_end(machine, mark, "RESET", "guest-reset")?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_clean(machine, "mains stayed away")
}

fn interrupted(machine: &mut Machine) -> Result<()> {
    begin(machine, SLOW)?;
    mains(machine, false)?;
    wait_event(machine, "halting", "ride-through")?;
    machine.wait_until(
        "the marker",
        "grep -q intent=halt /var/lib/fieldwarden/marker",
        SOON,
    )?;
    machine.ok("echo pull-up > /srv/level; sync")?;
    let mark = machine.mark();
    machine.reset()?;
    machine.wait_boot()?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    machine.power_on()?;
    machine.wait_boot()?;
    was_finished_first(machine)
}
