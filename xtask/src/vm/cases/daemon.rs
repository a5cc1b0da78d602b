//! The shipped daemon with the shipped units: services, and how they fare when it is restarted or the
//! disks are bad.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::case::Case;
use super::super::machine::Machine;

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "daemon-is-restarted",
        "systemctl restart leaves services running; systemctl stop takes them down in order",
        is_restarted,
    ),
    Case::daemon(
        "daemon-heals-services",
        "a crashed, a hung and a forking service are dealt with; bystanders are unharmed",
        heals_services,
    ),
    Case::daemon(
        "daemon-powers-off-in-order",
        "at power-off services stop in reverse order, before the holder, and in time",
        powers_off_in_order,
    ),
    Case::daemon(
        "daemon-on-bad-disks",
        "full and read-only state, a read-only remount, a canary on a card that fails: told, and nothing \
         stops; a cap deletes what it may and nothing else",
        on_bad_disks,
    )
    .for_long(),
];

/// Anything that is to happen soon, on a busy host.
pub const SOON: Duration = Duration::from_secs(40);

/// Control groups of the services.
const POOL: &str = "/sys/fs/cgroup/system.slice/fieldwarden-pool.service";

/// Starts the shipped unit and waits until all services are up.
pub fn start(machine: &Machine) -> Result<()> {
    machine.ok("systemctl enable --quiet fieldwarden && systemctl start fieldwarden")?;
    all_up(machine)
}

/// Replaces the configuration before the daemon is started.
pub fn configure(machine: &Machine, text: &str) -> Result<()> {
    machine.put_bytes(text.as_bytes(), "/etc/fieldwarden/fieldwarden.toml", 0o644)?;
    machine.ok("fieldwarden check /etc/fieldwarden/fieldwarden.toml")?;
    Ok(())
}

/// Waits until every service that should be up is.
pub fn all_up(machine: &Machine) -> Result<()> {
    let script = "fieldwarden status --json | grep -q '\"verdicts\":{[^}]*\"services\":\"ok\"'";
    machine.wait_until("all services", script, SOON)
}

/// The daemon's own report.
pub fn status(machine: &Machine) -> Result<Value> {
    let text = machine.ok("fieldwarden status --json")?;
    serde_json::from_str(&text).with_context(|| format!("status: {text}"))
}

/// One service of the report.
pub fn service(machine: &Machine, name: &str) -> Result<Value> {
    let status = status(machine)?;
    let all = status["services"]
        .as_array()
        .context("no services in the status")?;
    all.iter()
        .find(|s| s["name"] == name)
        .cloned()
        .with_context(|| format!("no service {name}"))
}

/// Main process of a service that is up.
pub(super) fn pid(machine: &Machine, name: &str) -> Result<u64> {
    let service = service(machine, name)?;
    service["pid"]
        .as_u64()
        .with_context(|| format!("{name} is not up: {service}"))
}

/// Waits until the journal of events holds a record of this kind about this.
pub fn wait_event(machine: &Machine, event: &str, about: &str) -> Result<()> {
    let script = format!(
        "fieldwarden events --json --last 256 | grep '\"event\":\"{event}\"' | grep -q '{about}'"
    );
    machine.wait_until(&format!("event {event} {about}"), &script, SOON)
}

pub(super) fn main_pid(machine: &Machine) -> Result<String> {
    machine.ok("systemctl show -P MainPID fieldwarden")
}

/// Waits until another daemon than this one answers.
pub(super) fn wait_successor(machine: &Machine, old: &str) -> Result<()> {
    let script = format!(
        "p=$(systemctl show -P MainPID fieldwarden); [ \"$p\" != 0 ] && [ \"$p\" != {old} ] && \
         fieldwarden status --json | grep -q \"\\\"pid\\\":$p,\""
    );
    machine.wait_until("the next daemon", &script, SOON)?;
    all_up(machine)
}

/// How many processes of all services there are.
pub(super) fn population(machine: &Machine) -> Result<String> {
    machine.ok(&format!(
        "find {POOL}/service-* -name cgroup.procs -exec cat {{}} + | wc -l"
    ))
}

fn is_restarted(machine: &mut Machine) -> Result<()> {
    start(machine)?;
    let before = (pid(machine, "steady")?, pid(machine, "beating")?);
    let daemon = main_pid(machine)?;
    machine.ok("systemctl restart fieldwarden")?;
    wait_successor(machine, &daemon)?;
    let after = (pid(machine, "steady")?, pid(machine, "beating")?);
    ensure!(before == after, "restarted: {before:?} became {after:?}");
    machine.ok("systemctl stop fieldwarden")?;
    let (a, b) = before;
    machine.ok(&format!(
        "! kill -0 {a} 2>/dev/null && ! kill -0 {b} 2>/dev/null"
    ))?;
    ensure!(
        population(machine)?.trim() == "0",
        "something is left in the holder"
    );
    ensure!(machine.ok("systemctl is-active fieldwarden-pool")? == "active");
    // The watchdog stays armed until a new daemon pets it: that is what it is for.
    ensure!(machine.ok("cat /sys/class/watchdog/watchdog0/state")? == "active");
    machine.ok("systemctl start fieldwarden")?;
    all_up(machine)
}

fn heals_services(machine: &mut Machine) -> Result<()> {
    // It hangs in its first run, and is well in its second.
    let hanger = "systemd-notify --ready; systemd-notify WATCHDOG=1; \
                  [ -e /run/hung ] || { touch /run/hung; sleep infinity; }; \
                  while :; do systemd-notify WATCHDOG=1; sleep 1; done";
    let forker = "sleep 987 & sleep 3; exit 1";
    configure(
        machine,
        &format!(
            "{}[service.hanger]\ncommand = [\"/bin/sh\", \"-c\", \"{hanger}\"]\nready = \"notify\"\n\
             heartbeat = \"5s\"\n\
             [service.forker]\ncommand = [\"/bin/sh\", \"-c\", \"{forker}\"]\n",
            include_str!("../../../../tests/vm/config/fieldwarden.toml")
        ),
    )?;
    start(machine)?;
    let mark = machine.mark();
    let bystanders = (
        pid(machine, "beating")?,
        service(machine, "beating")?["run"].clone(),
    );
    let crashed = pid(machine, "steady")?;
    machine.ok(&format!("kill -SEGV {crashed}"))?;
    wait_event(machine, "service-exited", "\"service\":\"steady\"")?;
    all_up(machine)?;
    ensure!(pid(machine, "steady")? != crashed);
    wait_event(machine, "service-hung", "\"service\":\"hanger\"")?;
    wait_event(machine, "service-exited", "\"service\":\"hanger\"")?;
    wait_event(machine, "service-exited", "\"service\":\"forker\"")?;
    let again = "fieldwarden status --json | \
                 grep -q '\"name\":\"hanger\",\"state\":\"up\",[^}]*\"run\":2,'";
    machine.wait_until("the hung service to be up again", again, SOON)?;
    // Longer than its heartbeat: it beats now, and is still in that run.
    machine.sh_within("sleep 6", SOON)?;
    let hanger = service(machine, "hanger")?;
    ensure!(hanger["state"] == "up" && hanger["run"] == 2, "{hanger}");
    // Each run of the forker leaves one sleep behind; never more than the latest may live.
    let left = machine.ok("pgrep -cxf 'sleep 987' || true")?;
    ensure!(
        left.trim().parse::<u32>()? <= 1,
        "{left} left behind by a service that forks"
    );
    let after = (
        pid(machine, "beating")?,
        service(machine, "beating")?["run"].clone(),
    );
    ensure!(
        bystanders == after,
        "the bystander was {bystanders:?} and is {after:?}"
    );
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    Ok(())
}

fn powers_off_in_order(machine: &mut Machine) -> Result<()> {
    configure(
        machine,
        &(include_str!("../../../../tests/vm/config/fieldwarden.toml").to_owned()
            + "[service.late]\ncommand = [\"/bin/sleep\", \"infinity\"]\nafter = [\"steady\"]\n"),
    )?;
    start(machine)?;
    let mark = machine.mark();
    machine.ok("systemctl --no-block poweroff")?;
    let end = machine.wait_event("SHUTDOWN", mark, Duration::from_secs(60))?;
    ensure!(end.data["reason"] == "guest-shutdown", "{}", end.data);
    let resets: Vec<String> = machine
        .events_since(mark)
        .into_iter()
        .map(|e| e.name)
        .filter(|n| n == "WATCHDOG")
        .collect();
    ensure!(resets.is_empty(), "the watchdog bit during the power-off");
    machine.power_on()?;
    machine.wait_boot()?;
    all_up(machine)?;
    let ended = machine.ok(
        "cat /var/lib/fieldwarden/journal/*.journal | grep '\"event\":\"service-exited\"' | \
         sed 's/.*\"service\":\"\\([a-z]*\\)\".*/\\1/' | tr '\\n' ' '",
    )?;
    let at = |name: &str| {
        ended
            .find(name)
            .with_context(|| format!("{name} not in: {ended}"))
    };
    ensure!(
        at("late")? < at("steady")?,
        "stopped in this order: {ended}"
    );
    let last = "grep '\"event\":\"ended\"' /var/lib/fieldwarden/journal/*.journal | wc -l";
    ensure!(machine.ok(last)?.trim() == "1", "the end was not recorded");
    Ok(())
}

/// Two small disks, and logs that take up too much.
fn bad_disks(machine: &Machine) -> Result<()> {
    machine.ok(
        "modprobe loop && mkdir -p /srv/data /var/lib/fieldwarden && truncate -s 8M /srv/state.img /srv/data.img && \
         mke2fs -q -t ext4 /srv/state.img && mke2fs -q -t ext4 /srv/data.img && \
         mount -o loop /srv/state.img /var/lib/fieldwarden && \
         mount -o loop /srv/data.img /srv/data && mkdir /srv/logs && cd /srv/logs && \
         for n in 1 2 3 4; do head -c 100000 /dev/zero > app.log.$n; touch -d \"-$n days\" app.log.$n; done && \
         head -c 900000 /dev/zero > precious.db && ln -s /srv/data.img link.log.9",
    )?;
    Ok(())
}

fn on_bad_disks(machine: &mut Machine) -> Result<()> {
    bad_disks(machine)?;
    configure(
        machine,
        "[watchdog]\ntimeout = \"8s\"\n[storage]\nevery = \"5s\"\n\
         mounts = [\"/var/lib/fieldwarden\", \"/srv/data\"]\n\
         canaries = [\"/srv/data\"]\ncanary_every = \"10s\"\n\
         [cap.app]\ndir = \"/srv/logs\"\nmax = \"256KiB\"\nonly = [\"*.log.*\"]\n\
         [service.steady]\ncommand = [\"/bin/sleep\", \"infinity\"]\n",
    )?;
    start(machine)?;
    let mark = machine.mark();
    cap_and_canary(machine)?;
    // Full.
    machine.ok("cat /dev/zero > /var/lib/fieldwarden/filler || true")?;
    wait_event(machine, "space", "fieldwarden")?;
    // Records go to memory; services are still mended.
    let crashed = pid(machine, "steady")?;
    machine.ok(&format!("kill -9 {crashed}"))?;
    wait_event(machine, "service-exited", "steady")?;
    all_up(machine)?;
    packed_on_a_full_disk(machine)?;
    machine.ok("rm /var/lib/fieldwarden/filler")?;
    // Read-only.
    machine.ok("mount -o remount,ro /srv/data")?;
    wait_event(machine, "mount-read-only", "/srv/data")?;
    let verdict = status(machine)?["verdicts"]["storage"].clone();
    ensure!(verdict == "critical", "storage is {verdict}");
    machine.ok("mount -o remount,rw /srv/data")?;
    wait_event(machine, "mount-writable", "/srv/data")?;
    card_fails(machine)?;
    wait_event(machine, "canary-failed", "/srv/data")?;
    // It starts on a state directory that cannot be written.
    machine.ok(
        "systemctl stop fieldwarden && mount -o remount,ro /var/lib/fieldwarden && \
         systemctl start fieldwarden",
    )?;
    all_up(machine)?;
    ensure!(status(machine)?["watchdog"]["state"] == "armed");
    // On a full disk the last block of the journal may still have room; here it has none.
    wait_event(machine, "journal-away", "EROFS")?;
    let report = status(machine)?;
    ensure!(report["verdicts"]["daemon"] == "warn", "{report}");
    machine.ok("mount -o remount,rw /var/lib/fieldwarden")?;
    // The disk is tried again every minute, if there is anything to be written.
    let back = "fieldwarden events --json --last 256 | grep -q '\"event\":\"journal-back\"'";
    machine.wait_until("the journal", back, Duration::from_secs(100))?;
    ensure!(status(machine)?["verdicts"]["daemon"] == "ok");
    // It has lived with its configuration for more than a minute by now.
    let copy = "[ -s /var/lib/fieldwarden/configuration ]";
    machine.wait_until("the copy that outlives a boot", copy, SOON)?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    Ok(())
}

/// What is to be sent to who is to help goes to memory, and nothing of it stays on the disk. It has the
/// journal, what the daemon has in memory only, and what the kernel said.
fn packed_on_a_full_disk(machine: &Machine) -> Result<()> {
    machine.ok(
        "cd /var/lib/fieldwarden && file=$(fieldwarden bundle 2>/tmp/said) && grep -q 'cannot write' /tmp/said && \
         case $file in /run/fieldwarden-*.tar.gz) ;; *) exit 1 ;; esac && [ $(stat -c %a $file) = 600 ] && \
         ! ls /var/lib/fieldwarden | grep tar && mkdir /run/packed && \
         tar -xzf $file -C /run/packed --strip-components=1 && cd /run/packed && \
         grep -q began journal.jsonl && grep -q service-exited events.jsonl && grep -q steady status.json && \
         grep -q 'Linux version' kernel/dmesg.txt && grep -q identity kernel/watchdog.txt && \
         grep -q 'can be used' check.txt && rm -r /run/packed $file",
    )?;
    Ok(())
}

/// What may be deleted is, and nothing else; what is written can be read back.
fn cap_and_canary(machine: &Machine) -> Result<()> {
    wait_event(machine, "cap-trimmed", "app")?;
    let left = machine.ok("ls /srv/logs")?;
    ensure!(
        left == "app.log.1\napp.log.2\nlink.log.9\nprecious.db",
        "{left}"
    );
    let canary = "fieldwarden status --json | grep -q '\"canaries\":\\[{[^}]*\"verdict\":\"ok\"'";
    machine.wait_until("the canary", canary, SOON)?;
    Ok(())
}

/// An error of the file system itself: every write fails from then on, whatever the mount shows.
fn card_fails(machine: &Machine) -> Result<()> {
    machine.ok("mount -o remount,errors=remount-ro /srv/data && touch /srv/data/before")?;
    machine.ok("device=$(basename $(findmnt -no SOURCE /srv/data)) && \
         echo fieldwarden > /sys/fs/ext4/$device/trigger_fs_error")?;
    let refused = machine.sh("touch /srv/data/after")?;
    ensure!(refused.code != 0, "the file system still takes writes");
    wait_event(machine, "mount-errors", "/srv/data")?;
    let said = status(machine)?;
    ensure!(
        said["verdicts"]["storage"] == "critical",
        "{}",
        said["mounts"]
    );
    let headline = said["headline"].as_str().unwrap_or_default();
    ensure!(headline.contains("/srv/data"), "{headline}");
    // What the mount itself shows depends on the kernel; it is written down, not relied on.
    let shown = machine.ok("uname -r; grep ' /srv/data ' /proc/self/mountinfo")?;
    println!("vm:         after the error: {}", shown.replace('\n', ": "));
    // Checked, it is fine again.
    machine.ok(
        "umount /srv/data && { e2fsck -fy /srv/data.img; [ $? -le 1 ]; } && \
         mount -o loop /srv/data.img /srv/data",
    )?;
    let well = "fieldwarden status --json | grep -q '\"storage\":\"ok\"'";
    machine.wait_until("the mended file system", well, SOON)
}
