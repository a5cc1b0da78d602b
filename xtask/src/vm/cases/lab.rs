//! Cases of the lab itself: what the others rely on.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::lab(
        "lab-watchdog-bites",
        "a device that is no longer petted resets the machine, and the next boot knows why",
        watchdog_bites,
    ),
    Case::lab(
        "lab-survives-reboot",
        "reboot, power-off and power-on keep the disk and give the host its agent back",
        survives_reboot,
    ),
    Case::lab(
        "lab-holds-one-thread",
        "hold-thread stops one thread of a process and lets it go again",
        holds_one_thread,
    ),
    Case::lab(
        "lab-boots-cold",
        "a booted machine offers what a resumed one does",
        boots_cold,
    )
    .cold(),
    Case::daemon(
        "lab-installs-daemon",
        "the release binary and the shipped units arrive, and systemd accepts the units",
        installs_daemon,
    ),
    Case::lab(
        "lab-moves-files",
        "files of every size reach the guest and come back unchanged, and its clock is right",
        moves_files,
    ),
];

/// Timeout given to the device.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How much later than its timeout the bite may be: the last pet is up to a second old, and a
/// busy host delays both the guest and us.
const SLACK: Duration = Duration::from_secs(10);

/// `bootstatus` after a bite: WDIOF_CARDRESET.
const CARD_RESET: &str = "32";

fn watchdog_bites(machine: &mut Machine) -> Result<()> {
    let device = "/sys/class/watchdog/watchdog0";
    ensure!(machine.ok(&format!("cat {device}/identity"))? == "i6300ESB timer");
    ensure!(machine.ok(&format!("cat {device}/bootstatus"))? == "0");
    let quiet = machine.mark();
    machine.ok("busybox watchdog -T 5 -t 1 /dev/watchdog0")?;
    machine.wait_until(
        "the armed device",
        &format!("grep -qx active {device}/state"),
        TIMEOUT,
    )?;
    ensure!(machine.ok(&format!("cat {device}/timeout"))? == "5");
    // Petted for longer than its timeout it must not bite.
    machine.ok("sleep 7")?;
    ensure!(
        machine.events_since(quiet).is_empty(),
        "it bit although it was petted"
    );
    let stopped = machine.mark();
    machine.ok("kill -STOP $(pidof busybox)")?;
    let stopped_at = std::time::Instant::now();
    let bite = machine.wait_event("WATCHDOG", stopped, TIMEOUT + SLACK)?;
    ensure!(
        bite.data["action"] == "reset",
        "the watchdog's action was {}",
        bite.data
    );
    let wait = bite.at.duration_since(stopped_at);
    ensure!(
        wait + Duration::from_secs(2) >= TIMEOUT,
        "it bit {wait:?} after the last pet"
    );
    machine.wait_event("RESET", stopped, SLACK)?;
    machine.wait_boot()?;
    let status = machine.ok(&format!("cat {device}/bootstatus"))?;
    ensure!(status == CARD_RESET, "bootstatus after the bite: {status}");
    Ok(())
}

fn survives_reboot(machine: &mut Machine) -> Result<()> {
    machine.ok("echo kept > /var/kept")?;
    let boot = "cat /proc/sys/kernel/random/boot_id";
    let first = machine.ok(boot)?;
    machine.ok("systemctl --no-block reboot")?;
    machine.wait_boot()?;
    let second = machine.ok(boot)?;
    ensure!(first != second, "the same boot id after a reboot");
    ensure!(machine.ok("cat /var/kept")? == "kept");

    let mark = machine.mark();
    machine.ok("systemctl --no-block poweroff")?;
    machine.wait_event("SHUTDOWN", mark, Duration::from_secs(60))?;
    let console = machine.serial()?;
    ensure!(
        console.contains("reboot: Power down"),
        "no power-off on the console: {console}"
    );
    machine.power_on()?;
    machine.wait_boot()?;
    ensure!(
        machine.ok(boot)? != second,
        "the same boot id after a power cycle"
    );
    ensure!(machine.ok("cat /var/kept")? == "kept");
    let boots = machine.ok("journalctl --list-boots --no-pager | grep -c '^ *-*[0-9]'")?;
    ensure!(boots == "3", "the journal knows {boots} boots, not 3");
    Ok(())
}

fn holds_one_thread(machine: &mut Machine) -> Result<()> {
    machine.ok("lab-agent tick /run/tick </dev/null >/dev/null 2>&1 & echo $! > /run/tick.pid")?;
    let moves = |thread: &str| {
        format!(
            "was=$(cat /run/tick/{thread}); sleep 0.5; [ \"$(cat /run/tick/{thread})\" != \"$was\" ]"
        )
    };
    machine.wait_until(
        "both threads",
        "[ -s /run/tick/left ] && [ -s /run/tick/right ]",
        SLACK,
    )?;
    machine.ok("hold-thread $(cat /run/tick.pid) left >/run/held 2>&1 & echo $! >/run/hold.pid")?;
    machine.wait_until(
        "the held thread",
        "grep -q '^held [0-9]* left$' /run/held",
        SLACK,
    )?;
    ensure!(
        machine.sh(&moves("left"))?.code != 0,
        "the held thread goes on"
    );
    machine.ok(&moves("right"))?;
    machine.ok("kill -KILL $(cat /run/hold.pid)")?;
    machine.wait_until("the freed thread", &moves("left"), SLACK)?;
    let refused = machine.sh("hold-thread $(cat /run/tick.pid) nobody")?;
    ensure!(
        refused.code == 1 && refused.stderr.contains("no thread nobody"),
        "{refused:?}"
    );
    Ok(())
}

fn boots_cold(machine: &mut Machine) -> Result<()> {
    let version = machine.ok("systemctl --version | head -n 1")?;
    ensure!(
        version.starts_with("systemd 252 "),
        "the guest has {version}"
    );
    let controllers = machine.ok("cat /sys/fs/cgroup/cgroup.controllers")?;
    for wanted in ["cpu", "io", "memory", "pids"] {
        let found = controllers
            .split(' ')
            .any(|controller| controller == wanted);
        ensure!(found, "no controller {wanted} among {controllers}");
    }
    ensure!(machine.ok("systemctl is-system-running")? == "running");
    Ok(())
}

fn installs_daemon(machine: &mut Machine) -> Result<()> {
    machine.ok("[ -x /usr/bin/fieldwarden ]")?;
    let units = machine.ok("ls /usr/lib/systemd/system/ | grep '^fieldwarden' || true")?;
    for unit in units.lines() {
        machine.ok(&format!(
            "systemd-analyze verify --man=no /usr/lib/systemd/system/{unit} 2>&1"
        ))?;
    }
    Ok(())
}

fn moves_files(machine: &mut Machine) -> Result<()> {
    for size in [0, 1, 131_072, 131_073, 3_000_000_usize] {
        let sent: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        machine.put_bytes(&sent, "/tmp/new dir/file", 0o640)?;
        ensure!(
            machine.get("/tmp/new dir/file")? == sent,
            "{size} bytes came back different"
        );
        let seen = machine.ok("stat -c '%s %a' '/tmp/new dir/file'")?;
        ensure!(
            seen == format!("{size} 640"),
            "{size} bytes: the guest sees {seen}"
        );
    }
    let missing = machine
        .get("/nowhere")
        .map_err(|error| format!("{error:#}"));
    ensure!(
        missing.is_err_and(|error| error.contains("No such file")),
        "read of no file"
    );
    let guest: u64 = machine.ok("date +%s")?.parse()?;
    let host = super::super::machine::unix_time().as_secs();
    ensure!(
        host.abs_diff(guest) <= 5,
        "the guest's clock is {guest}, the host's {host}"
    );
    Ok(())
}
