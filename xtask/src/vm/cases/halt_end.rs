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
use super::halt::{BOARD, begin_on, mains, wait_end, wait_end_within, was_clean, was_unmounted};

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
        "after the daemon's end a disk is written to that takes it slowly, so that its unmount alone takes \
         40 s: nothing is lost, and no watchdog cuts it short",
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

/// What is written to the slow disk, and how fast that takes it: 44 s.
const DATA: &str = "set -e
    mount /dev/vdb /mnt
    head -c 14M /dev/urandom > /srv/data
    sha256sum < /srv/data > /srv/sum
    sync";
pub(super) const SLOWLY: u64 = 330_000;

/// The least that the unmount must take.
const UNMOUNT: Duration = Duration::from_secs(40);

/// The most that the way down may take, on a busy host.
const SLOW_DOWN: Duration = Duration::from_secs(240);

/// Written back by the unmount alone: the kernel waits for longer than the case with it.
const NO_WRITEBACK: &str = "set -e
    echo 60000 > /proc/sys/vm/dirty_writeback_centisecs
    echo 60000 > /proc/sys/vm/dirty_expire_centisecs
    echo 80 > /proc/sys/vm/dirty_background_ratio
    echo 90 > /proc/sys/vm/dirty_ratio";

/// A unit that is stopped after the daemon, and before the slow disk is unmounted. Our own sync is over
/// when it writes.
const WRITES: &str = "[Unit]\nBefore=fieldwarden.service\nRequiresMountsFor=/mnt\n[Service]\nType=oneshot\n\
    RemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/sh /srv/writes\nTimeoutStopSec=80\n";
const WRITE: &str = "pgrep -x fieldwarden > /dev/null && exit 1
    cat /srv/data > /mnt/data || exit 1
    echo '<1>the slow disk is dirty' > /dev/kmsg\n";

/// The kernel's time of the first line of the console with these words, in seconds since the boot.
fn told_at(console: &str, words: &str) -> Result<Duration> {
    let line = console.lines().find(|line| line.contains(words));
    let line = line.with_context(|| format!("the console does not say: {words}"))?;
    let time = line
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    let (time, _) = time.with_context(|| format!("no time: {line}"))?;
    let seconds = time.trim().parse().with_context(|| line.to_owned())?;
    Ok(Duration::from_secs_f64(seconds))
}

/// The unmount came after the write and took its time, by what the console tells.
fn was_slow(machine: &Machine) -> Result<()> {
    let console = machine.serial()?;
    let at = |words| told_at(&console, words);
    let (dirty, began, done) = (
        at("the slow disk is dirty")?,
        at("Unmounting mnt.mount")?,
        at("Unmounted mnt.mount")?,
    );
    ensure!(
        dirty <= began,
        "dirty at {dirty:?}, unmounting at {began:?}"
    );
    let took = done.saturating_sub(began);
    println!("vm:         unmounted in {:.1} s", took.as_secs_f32());
    ensure!(took >= UNMOUNT, "unmounted in {took:?}");
    Ok(())
}

fn slow_unmount(machine: &mut Machine) -> Result<()> {
    begin_on(machine, BOARD, "10s", "")?;
    machine.ok(DATA)?;
    machine.put_bytes(
        WRITES.as_bytes(),
        "/etc/systemd/system/writes.service",
        0o644,
    )?;
    machine.put_bytes(WRITE.as_bytes(), "/srv/writes", 0o644)?;
    // What systemd does is told on the console, with the kernel's time.
    machine.ok("set -e
         systemctl daemon-reload; systemctl start writes; sync
         systemctl log-target kmsg; echo 8 > /proc/sys/kernel/printk")?;
    machine.throttle_second_disk(SLOWLY)?;
    machine.ok(NO_WRITEBACK)?;
    let mark = machine.mark();
    mains(machine, false)?;
    wait_end_within(machine, mark, "SHUTDOWN", "guest-shutdown", SLOW_DOWN)?;
    was_slow(machine)?;
    machine.throttle_second_disk(0)?;
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    was_clean(machine, "mains stayed away")?;
    machine.ok("mount /dev/vdb /mnt; sha256sum -c /srv/sum < /mnt/data")?;
    was_unmounted(machine, "vdb")
}
