//! The daemon where it has no room: nothing that can be written, nothing that can be read, and a socket
//! that systemd has opened for it.

// The case waits for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, configure, status, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "daemon-without-room",
    "a root that is read-only, a runtime directory that cannot be made or is full, /etc gone: the \
     watchdog is petted, services run as far as they can, and it is told; a socket of systemd is served",
    without_room,
)];

/// Two services: one that needs nothing but a FIFO, and one that needs a socket.
const SERVICES: &str = "[watchdog]\ntimeout = \"10s\"\n\
    [service.steady]\ncommand = [\"/bin/sleep\", \"infinity\"]\n\
    [service.quiet]\ncommand = [\"/bin/sleep\", \"infinity\"]\noutput = \"null\"\n";

/// Asks for a page of the health endpoint.
const LIVEZ: &str = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/17171; printf \"GET /livez HTTP/1.0\\r\\n\\r\\n\" >&3; \
    head -1 <&3' | grep -q ' 200 '";

fn without_room(machine: &mut Machine) -> Result<()> {
    let mark = machine.mark();
    served_by_systemd(machine)?;
    no_runtime_dir(machine)?;
    full_runtime_dir(machine)?;
    read_only_root(machine)?;
    nothing_to_read(machine)?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    Ok(())
}

/// The unit with its socket, as the page on the endpoint says. A copy for this boot is there at once.
fn served_by_systemd(machine: &Machine) -> Result<()> {
    machine.ok(
        "mkdir -p /srv/elsewhere && systemctl enable --quiet --now fieldwarden-health.socket",
    )?;
    let text = format!(
        "state_dir = \"/srv/elsewhere\"\n[health]\nenabled = true\nlisten = [\"systemd\"]\n{SERVICES}"
    );
    configure(machine, &text)?;
    machine.ok("systemctl enable --quiet fieldwarden && systemctl start fieldwarden")?;
    machine.wait_until("a page", LIVEZ, SOON)?;
    guards(machine, "", "ok")?;
    machine.wait_until("a copy", "[ -s /run/fieldwarden/configuration ]", SOON)?;
    machine.ok("cp /run/fieldwarden/configuration /srv/copy")?;
    machine.ok("systemctl stop fieldwarden fieldwarden-health.socket")?;
    Ok(())
}

/// On a disk that can only be read: the daemon goes where commands look.
fn no_runtime_dir(machine: &Machine) -> Result<()> {
    machine.ok("mkdir -p /srv/ro && mount -t tmpfs -o ro tmpfs /srv/ro")?;
    configure(
        machine,
        &format!("runtime_dir = \"/srv/ro/run\"\nstate_dir = \"/srv/ro/state\"\n{SERVICES}"),
    )?;
    machine.ok("systemctl start fieldwarden")?;
    guards(machine, "", "warn")?;
    let by = status(machine)?["daemon"]["stand_in"].clone();
    ensure!(by["goes_by"] == "elsewhere", "{by}");
    wait_event(machine, "configuration-unusable", "/srv/ro/run")?;
    wait_event(machine, "journal-away", "errno")?;
    machine.ok("systemctl stop fieldwarden && umount /srv/ro")?;
    Ok(())
}

/// Without a single file to be made it goes to the other file system in memory; with some, it stays,
/// and only the service suffers that needs one more.
fn full_runtime_dir(machine: &Machine) -> Result<()> {
    configure(machine, SERVICES)?;
    let filled = |files: u32| {
        format!(
            "mount -t tmpfs -o nr_inodes={files} tmpfs /run/fieldwarden && systemctl start fieldwarden"
        )
    };
    machine.ok(&filled(3))?;
    let elsewhere = "--runtime-dir /dev/shm/fieldwarden";
    guards(machine, elsewhere, "warn")?;
    machine.ok("systemctl stop fieldwarden && umount /run/fieldwarden")?;
    machine.ok(&filled(6))?;
    let up = "fieldwarden status --json | grep -q '\"name\":\"quiet\",\"state\":\"up\"'";
    machine.wait_until("what needs no file", up, SOON)?;
    wait_event(machine, "service-start-failed", "steady")?;
    ensure!(status(machine)?["watchdog"]["state"] == "armed");
    machine.ok("systemctl stop fieldwarden && umount /run/fieldwarden")?;
    Ok(())
}

/// As an overlay that was never set up, or a card after an error. The kernel asks nobody who has a file
/// open.
fn read_only_root(machine: &Machine) -> Result<()> {
    machine.ok("rm -rf /var/lib/fieldwarden && sync && echo u >/proc/sysrq-trigger")?;
    machine.wait_until("a root that is read-only", "! touch /var/lib/x", SOON)?;
    machine.ok("systemctl start fieldwarden")?;
    guards(machine, "", "warn")?;
    wait_event(machine, "journal-away", "errno")?;
    machine.ok("systemctl stop fieldwarden && mount -o remount,rw /")?;
    Ok(())
}

/// With a copy in the usual place, which tells of a state directory elsewhere, it goes by that; without
/// one it guards the machine and starts nothing.
fn nothing_to_read(machine: &Machine) -> Result<()> {
    machine.ok(
        "mv /etc/fieldwarden /srv/etc && rm -f /run/fieldwarden/configuration && \
         mkdir -p /var/lib/fieldwarden && mv /srv/copy /var/lib/fieldwarden/configuration && \
         systemctl start fieldwarden",
    )?;
    guards(machine, "", "warn")?;
    let report = status(machine)?;
    ensure!(
        report["daemon"]["stand_in"]["goes_by"] == "copy",
        "{report}"
    );
    machine.wait_until("its state", "[ -s /srv/elsewhere/marker ]", SOON)?;
    machine.ok(
        "systemctl stop fieldwarden && rm -f /var/lib/fieldwarden/configuration && \
         systemctl start fieldwarden",
    )?;
    let armed = "fieldwarden status --json | grep -q '\"state\":\"armed\"'";
    machine.wait_until("the guard in safe mode", armed, SOON)?;
    let report = status(machine)?;
    ensure!(
        report["daemon"]["stand_in"]["goes_by"] == "safe-mode",
        "{report}"
    );
    ensure!(
        report["services"].as_array().is_some_and(Vec::is_empty),
        "{report}"
    );
    Ok(())
}

/// All services run, the watchdog is petted, and the daemon thinks so much of itself.
fn guards(machine: &Machine, asked: &str, daemon: &str) -> Result<()> {
    let ask = format!("fieldwarden status {asked} --json");
    let up = format!("{ask} | grep -q '\"verdicts\":{{[^}}]*\"services\":\"ok\"'");
    machine.wait_until("all services", &up, SOON)?;
    let armed = format!("{ask} | grep -q '\"state\":\"armed\"'");
    machine.wait_until("an armed watchdog", &armed, SOON)?;
    let verdict = format!("{ask} | grep -q '\"verdicts\":{{[^}}]*\"daemon\":\"{daemon}\"'");
    machine.wait_until(&format!("the verdict {daemon}"), &verdict, SOON)
}
