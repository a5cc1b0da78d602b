//! The end of a halt: the board that cuts the power, an init that hangs, and an unmount that takes
//! long.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::{Case, Modules};
use super::super::disk::Disk;
use super::super::machine::Machine;
use super::daemon::{SOON, all_up, wait_event};
use super::halt::{BOARD, begin_on, mains, wait_end, was_clean};

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "halt-cut-line",
        "the hook holds the line that makes the board cut the power, then the alive line falls, though \
         the configuration was damaged meanwhile",
        cut_line,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-forced",
        "init hangs in a unit that never stops: the daemon makes the file systems read-only, has the \
         board cut the power, and powers off",
        forced,
    )
    .with(Modules::Devices)
    .for_long(),
    Case::daemon(
        "halt-slow-unmount",
        "an unmount that takes 40 s, of a disk that takes what is written to it slowly: nothing is lost, \
         and no watchdog cuts it short",
        slow_unmount,
    )
    .with(Modules::Devices)
    .on_disk(Disk::Plain)
    .for_long(),
];

/// Lines of a board that shows that the computer runs on line 12, and is told by line 26 to cut the
/// power.
const CUTS: &str = "[alive]\nline = 12\n[cut.line]\nline = 26\nhold = \"1s\"\n";

/// Tells on the console how the lines 12 and 26 move. Its name begins with an `@`, so systemd spares it
/// to the very end (systemd's `ROOT_STORAGE_DAEMONS`); the lines themselves keep their level by a
/// resistor while nobody drives them.
const WATCHER: &str = r#"my @lines = map { glob("/sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio$_/value") } 12, 26;
open(my $out, ">", "/dev/kmsg") or die "$!";
my $before = "";
while (1) {
    my $now = join(" ", map { open(my $in, "<", $_); my $v = <$in>; chomp $v; $v } @lines);
    syswrite($out, "<1>lines 12 and 26: $now\n") if $now ne $before;
    $before = $now;
    select(undef, undef, undef, 0.02);
}
"#;

/// Starts to tell how the lines move.
fn watch_lines(machine: &Machine) -> Result<()> {
    machine.put_bytes(WATCHER.as_bytes(), "/run/watcher.pl", 0o644)?;
    machine.ok(
        "echo pull-up | tee /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio12/pull >/dev/null
         systemd-run --quiet --unit watcher -p DefaultDependencies=no -p KillMode=none \
             /bin/bash -c 'exec -a @watcher perl /run/watcher.pl'",
    )?;
    machine.wait_until("the watcher", "pgrep -f @watcher >/dev/null", SOON)
}

/// How the lines 12 and 26 moved, from what the console says.
fn moves(machine: &Machine) -> Result<Vec<String>> {
    let serial = machine.serial()?;
    let told = serial.lines().filter_map(|line| {
        let (_, levels) = line.split_once("lines 12 and 26: ")?;
        Some(levels.trim().to_owned())
    });
    Ok(told.collect())
}

/// The cut line was held while the alive line was high, and put back; after that the alive line fell.
fn was_cut(machine: &Machine) -> Result<()> {
    let moves = moves(machine)?;
    let told = format!("lines 12 and 26: {moves:?}");
    let held = moves
        .iter()
        .position(|m| m == "1 1")
        .context(told.clone())?;
    ensure!(moves[..held].iter().all(|m| !m.ends_with(" 1")), "{told}");
    // It is put back some milliseconds before the alive line falls, which the watcher may not see.
    let next = moves[held + 1..].iter().find(|m| *m != "1 0");
    ensure!(next.is_some_and(|m| m == "0 0"), "{told}");
    Ok(())
}

fn cut_line(machine: &mut Machine) -> Result<()> {
    begin_on(machine, &format!("{BOARD}{CUTS}"), "10s", "")?;
    watch_lines(machine)?;
    let alive = "cat /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio12/value";
    ensure!(machine.ok(alive)?.trim() == "1", "the alive line is low");
    machine.ok("echo 'board = [' > /etc/fieldwarden/fieldwarden.toml")?;
    let mark = machine.mark();
    mains(machine, false)?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    was_cut(machine)
}

/// A unit that is stopped before ours, and whose stop never ends.
const HANGS: &str = "[Unit]\nAfter=fieldwarden.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
    ExecStart=/bin/true\nExecStop=/bin/sleep infinity\nTimeoutStopSec=infinity\n";

fn forced(machine: &mut Machine) -> Result<()> {
    // No gauge and no end of the ride-through: the halt comes after 45 s, and init gets 30 s.
    begin_on(machine, &format!("{BOARD}{CUTS}"), "never", "")?;
    watch_lines(machine)?;
    machine.put_bytes(HANGS.as_bytes(), "/etc/systemd/system/hangs.service", 0o644)?;
    machine.ok("systemctl daemon-reload; systemctl start hangs; sync")?;
    let mark = machine.mark();
    mains(machine, false)?;
    std::thread::sleep(Duration::from_secs(45));
    wait_event(machine, "init-asked", "poweroff")?;
    let hangs = "systemctl list-jobs | grep -q 'hangs.service *stop *running'";
    machine.wait_until("a unit that does not stop", hangs, SOON)?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    was_cut(machine)?;
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    let told = machine
        .ok("cat /var/lib/fieldwarden/journal/*.journal | grep -c '\"event\":\"halt-forced\"'")?;
    ensure!(told.trim() == "1", "the forced halt is not in the journal");
    was_clean(machine, "nothing tells how full")
}

/// What is written to the slow disk, and how fast that takes it: 60 s.
const DIRTY: &str = "set -e
    mount /dev/vdb /mnt
    head -c 20M /dev/urandom > /srv/data
    sha256sum < /srv/data > /srv/sum
    sync";
pub(super) const SLOWLY: u64 = 330_000;

/// What passes before the halt begins.
const RIDE: Duration = Duration::from_secs(10);

fn slow_unmount(machine: &mut Machine) -> Result<()> {
    begin_on(machine, BOARD, "10s", "")?;
    machine.ok(DIRTY)?;
    machine.throttle_second_disk(SLOWLY)?;
    // Written back by the unmount alone: the kernel waits for longer than the case with it.
    machine.ok("echo 60000 > /proc/sys/vm/dirty_writeback_centisecs
         echo 60000 > /proc/sys/vm/dirty_expire_centisecs
         echo 80 > /proc/sys/vm/dirty_background_ratio
         echo 90 > /proc/sys/vm/dirty_ratio
         cat /srv/data > /mnt/data")?;
    let mark = machine.mark();
    let began = std::time::Instant::now();
    mains(machine, false)?;
    wait_end(machine, mark, "SHUTDOWN", "guest-shutdown")?;
    let took = began.elapsed().saturating_sub(RIDE);
    // 10 s of it are our own sync.
    ensure!(took >= Duration::from_secs(52), "down in {took:?}");
    machine.throttle_second_disk(0)?;
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_clean(machine, "mains stayed away")?;
    machine.ok("mount /dev/vdb /mnt; sha256sum -c /srv/sum < /mnt/data")?;
    let dirty = machine.ok("journalctl -k -b | grep -ciE 'recovery|orphan' || true")?;
    ensure!(dirty.trim() == "0", "the slow disk was not clean");
    Ok(())
}
