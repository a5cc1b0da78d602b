//! kill -9 of the daemon on every rung of a halt.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::{Case, Modules};
use super::super::disk::Disk;
use super::super::machine::Machine;
use super::cut_register::WAITS;
use super::daemon::{SOON, all_up, wait_event};
use super::halt::{BOARD, begin_on, mains, wait_end, was_clean, was_finished_first};
use super::halt_end::SLOWLY;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "halt-killed-on-its-way",
        "kill -9 of the daemon while it stops services, kills them, syncs, and waits for init: the halt \
         is finished each time",
        killed_on_its_way,
    )
    .with(Modules::Devices)
    .on_disk(Disk::Plain)
    .for_long(),
    Case::daemon(
        "halt-killed-at-its-end",
        "no init can be asked: kill -9 of the daemon when it leaves the halt to the watchdog: that resets, and \
         the next boot finishes it; in the last sync, and while it forces the halt: it is finished",
        killed_at_its_end,
    )
    .with(Modules::Devices)
    .on_disk(Disk::Plain)
    .for_long(),
    Case::daemon(
        "halt-killed-blind",
        "kill -9 of the daemon while it writes to a card that is frozen: the watchdog resets; and once more \
         in the next boot, while it looks for mains: the halt is finished before any service",
        killed_blind,
    )
    .with(Modules::Devices)
    .on_disk(Disk::Plain)
    .for_long(),
];

/// A service that no signal ends, because it writes to a file system that is frozen.
const FROZEN: &str = "[service.frozen]\nclass = \"essential\"\nstop_timeout = \"5s\"\n\
    command = [\"/bin/sh\", \"-c\", \"trap 'echo x > /mnt/x' TERM; while :; do sleep 0.2; done\"]\n\
    [stop]\nbudget = \"20s\"\n";

/// A unit that is stopped before ours, and takes its time.
const TAKES_LONG: &str = "[Unit]\nAfter=fieldwarden.service\n[Service]\nType=oneshot\n\
    RemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/sleep 15\n";

/// Waits until the halt stands on a rung, and kills the daemon that says so.
const KILL_ON: &str = "for n in $(seq 1000); do
        daemon=$(fieldwarden status --json | grep '\"halt\":{[^}]*\"rung\":\"RUNG\"' |
            sed 's/^{\"software\":\"[^\"]*\",\"pid\":\\([0-9]*\\),.*/\\1/')
        [ -n \"$daemon\" ] && kill -9 $daemon && exit 0
        sleep 0.02
    done; exit 1";

fn killed_on_its_way(machine: &mut Machine) -> Result<()> {
    machine.ok("mount /dev/vdb /mnt")?;
    machine.put_bytes(
        TAKES_LONG.as_bytes(),
        "/etc/systemd/system/long.service",
        0o644,
    )?;
    begin_on(machine, BOARD, "10s", FROZEN)?;
    machine.ok("systemctl daemon-reload; systemctl start long; sync; fsfreeze -f /mnt")?;
    let mark = machine.mark();
    mains(machine, false)?;
    wait_event(machine, "halting", "ride-through")?;
    for rung in ["stopping", "killing"] {
        kill_on(machine, rung)?;
    }
    // Now the disk takes what is written to it, but slowly.
    machine.throttle_second_disk(SLOWLY)?;
    machine.ok("fsfreeze -u /mnt; head -c 5M /dev/zero > /mnt/much")?;
    for rung in ["syncing", "asked"] {
        kill_on(machine, rung)?;
    }
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    machine.throttle_second_disk(0)?;
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_clean(machine, "mains stayed away")
}

/// Kills the daemon when the halt stands on this rung.
pub(super) fn kill_on(machine: &Machine, rung: &str) -> Result<()> {
    let script = KILL_ON.replace("RUNG", rung);
    let out = machine
        .sh_within(&script, Duration::from_secs(60))
        .with_context(|| format!("on {rung}"))?;
    ensure!(out.code == 0, "the halt never stood on {rung}");
    Ok(())
}

/// The last rungs take their time: the board wants its line to be held.
const HOLDS: &str = "[cut.line]\nline = 26\nhold = \"5s\"\n";

/// Init cannot be asked any more (`sd_booted(3)`), and can still start the daemon again.
const NO_INIT: &str = "mv /run/systemd/system /run/systemd/away";

/// The kernel refuses to halt the machine for the daemon, until the next boot.
const REFUSED: &str = "/run/systemd/system/fieldwarden.service.d/no-reboot.conf";
const NO_REBOOT: &str = "[Service]\nCapabilityBoundingSet=~CAP_SYS_BOOT\n";

/// The watchdog waits no longer than that for init to unmount everything.
const SOON_RESET: &str = "[stop]\nunmount = \"15s\"\n";

fn killed_at_its_end(machine: &mut Machine) -> Result<()> {
    machine.ok("mkdir -p /run/systemd/system/fieldwarden.service.d")?;
    machine.put_bytes(NO_REBOOT.as_bytes(), REFUSED, 0o644)?;
    let services = format!("{WAITS}{SOON_RESET}");
    begin_on(machine, &format!("{BOARD}{HOLDS}"), "10s", &services)?;
    // The kernel refuses, too: nothing is left but the watchdog.
    machine.ok(&format!(
        "{NO_INIT}; touch /run/end; echo pull-up > /srv/level; sync"
    ))?;
    let mark = machine.mark();
    mains(machine, false)?;
    kill_on(machine, "watchdog-reset")?;
    machine.wait_event("WATCHDOG", mark, BITES)?;
    is_finished_first(machine)?;

    // Now it does what it is told.
    machine.ok(&format!("mount /dev/vdb /mnt; sync; {NO_INIT}"))?;
    let mark = machine.mark();
    mains(machine, false)?;
    wait_event(machine, "halting", "ride-through")?;
    // The syncs take longer than they may.
    machine.throttle_second_disk(SLOWLY)?;
    machine.ok("head -c 9M /dev/zero > /mnt/much; touch /run/end")?;
    kill_on(machine, "rescuing")?;
    // The process goes when its sync does.
    machine.throttle_second_disk(0)?;
    kill_on(machine, "forced")?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_clean(machine, "mains stayed away")
}

/// A watchdog that is not petted any more resets the machine, on a busy host.
const BITES: Duration = Duration::from_secs(90);

/// A boot that is turned off by itself, on a busy host.
const BOOT_AND_DOWN: Duration = Duration::from_secs(200);

/// Waits until the machine, which has been reset, is off.
fn comes_down(machine: &mut Machine) -> Result<()> {
    let mark = machine.mark();
    // It may be on its way down before it is up.
    machine.wait_agent()?;
    let end = machine.wait_event("SHUTDOWN", mark, BOOT_AND_DOWN)?;
    ensure!(end.data["reason"] == "guest-shutdown", "{}", end.data);
    let events = machine.events_since(mark);
    ensure!(events.iter().all(|e| e.name != "WATCHDOG"), "it bit again");
    Ok(())
}

/// The boot that follows a bite finishes the halt before any service.
fn is_finished_first(machine: &mut Machine) -> Result<()> {
    comes_down(machine)?;
    machine.power_on()?;
    machine.wait_boot()?;
    was_finished_first(machine)?;
    let taken_up = machine
        .ok("cat /var/lib/fieldwarden/journal/*.journal | grep -c '\"event\":\"halt-taken-up\"'")?;
    ensure!(taken_up.trim() != "0", "no daemon took the halt up");
    Ok(())
}

/// In the boot that follows, nothing tells of mains at first; the daemon is killed while it looks
/// for them, and the line is there when the next one looks.
const KILLER: &str = "[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nExecStart=/bin/sh /srv/killer\n\
    [Install]\nWantedBy=multi-user.target\n";

const KILL_LOOKING: &str = "
    [ -e /srv/kill ] || exit 0
    rm /srv/kill
    rung() { fieldwarden status --json | grep -q '\"halt\":{[^}]*\"rung\":\"looking\"'; }
    until rung; do sleep 0.05; done
    daemon=$(systemctl show -P MainPID fieldwarden)
    kill -9 $daemon
    while [ -d /proc/$daemon ]; do sleep 0.05; done
    until rung; do sleep 0.05; done
    echo killed while looking > /dev/console
    echo pull-up > /srv/level
    sh /srv/header\n";

/// The card with the state, which can be frozen without the rest. In the guest nothing tells systemd
/// of disks, so this is no mount unit.
const CARD: &str = "[Unit]\nBefore=fieldwarden.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
    ExecStart=/bin/mount /dev/vdb /var/lib/fieldwarden\n\
    [Install]\nWantedBy=multi-user.target\n";

/// A service that says on the console that one service runs.
const SAYS: &str = "[service.says]\ncommand = [\"/bin/sh\", \"-c\", \"echo one service runs > /dev/console; \
    exec sleep infinity\"]\n";

fn killed_blind(machine: &mut Machine) -> Result<()> {
    machine.put_bytes(CARD.as_bytes(), "/etc/systemd/system/card.service", 0o644)?;
    machine.ok("mkdir -p /var/lib/fieldwarden; mount /dev/vdb /var/lib/fieldwarden")?;
    begin_on(machine, BOARD, "10s", &format!("{WAITS}{SAYS}"))?;
    machine.put_bytes(KILL_LOOKING.as_bytes(), "/srv/killer", 0o644)?;
    machine.put_bytes(
        KILLER.as_bytes(),
        "/etc/systemd/system/killer.service",
        0o644,
    )?;
    // There is no line in the next boot until the killer makes one.
    machine.ok(
        "cd /etc/systemd/system/multi-user.target.wants && rm header.service
         ln -s ../card.service ../killer.service .
         touch /srv/kill; sync",
    )?;
    let mark = machine.mark();
    mains(machine, false)?;
    // What is to come is written down when the halt begins; then the card does not answer any more.
    let begun =
        "grep -q 'intent=halt' /var/lib/fieldwarden/marker && fsfreeze -f /var/lib/fieldwarden";
    machine.wait_until("the marker", begun, SOON)?;
    machine.ok("touch /run/end")?;
    kill_on(machine, "recording")?;
    machine.wait_event("WATCHDOG", mark, BITES)?;
    comes_down(machine)?;
    let serial = machine.serial()?;
    let times = |what| serial.lines().filter(|line| line.contains(what)).count();
    ensure!(
        times("killed while looking") == 1,
        "the daemon was not killed while it looked for mains"
    );
    ensure!(
        times("one service runs") == 1,
        "services were started in the boot that finished the halt"
    );
    Ok(())
}
