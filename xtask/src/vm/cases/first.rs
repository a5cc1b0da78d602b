//! The daemon as the first process of a container.

// The case waits for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::SOON;

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "first-of-a-container",
    "the daemon as process 1 of a name space of its own: hundreds of orphans are reaped, however they ended, services are \
     restarted for what they ended with, HUP reloads, and TERM and QUIT end all in order",
    first,
)];

/// A container without systemd, cgroups of its own or a board.
const CONFIG: &str = "runtime_dir = \"/run/box\"\nstate_dir = \"/var/lib/box\"\ncgroup = \"none\"\n\
    [watchdog]\nowner = \"nobody\"\n\
    [service.leaver]\ncommand = [\"/bin/sh\", \"/srv/leave\"]\n\
    [service.fails]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 1; exit 7\"]\n\
    [service.last]\ncommand = [\"/bin/sh\", \"/srv/last\"]\n\
    [service.first]\ncommand = [\"/bin/sh\", \"/srv/first\"]\nafter = [\"last\"]\n";

/// Leaves orphans behind: each second forty that end at once, one that is a leader of its own session,
/// and one that a real-time signal ends. Counts the seconds.
const LEAVE: &str = "while :; do\n\
    for i in 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9; do\n\
    (exec 2>&- ; : & )\ndone\nsetsid sh -c : &\n(sh -c 'kill -40 $$' &)\n\
    echo >>/run/left; sleep 1\ndone\n";

/// Say when they are told to end.
const ENDS: [(&str, &str); 2] = [
    (
        "/srv/first",
        "trap 'echo first >>/run/ends; exit 0' TERM\nwhile :; do sleep 0.2; done\n",
    ),
    (
        "/srv/last",
        "trap 'echo last >>/run/ends; exit 0' TERM\nwhile :; do sleep 0.2; done\n",
    ),
];

/// Starts the container.
const BEGIN: &str = "systemd-run -q --unit box unshare --pid --mount-proc --fork \
    /usr/bin/fieldwarden run --config /etc/box.toml";

/// Its process as this machine sees it.
const OUTSIDE: &str = "pgrep -f '^/usr/bin/fieldwarden run --config /etc/box'";

fn first(machine: &mut Machine) -> Result<()> {
    machine.put_bytes(CONFIG.as_bytes(), "/etc/box.toml", 0o644)?;
    machine.put_bytes(LEAVE.as_bytes(), "/srv/leave", 0o644)?;
    for (path, script) in ENDS {
        machine.put_bytes(script.as_bytes(), path, 0o644)?;
    }
    machine.ok("fieldwarden check /etc/box.toml")?;
    machine.ok(BEGIN)?;
    let up = "fieldwarden status --runtime-dir /run/box --json | grep -q '\"name\":\"first\",\"state\":\"up\"'";
    machine.wait_until("the services of the container", up, SOON)?;
    let pid = machine.ok(OUTSIDE)?;
    let inside = machine.ok(&format!(
        "awk '/^NSpid/ {{print $NF}}' /proc/{}/status",
        pid.trim()
    ))?;
    ensure!(inside.trim() == "1", "not the first process: {inside}");

    // What the one ends with is seen, although the others end at the same time.
    let failed = "fieldwarden events --runtime-dir /run/box --json | grep -c '\"event\":\"service-exited\".*fails.*code[\":]*7'";
    machine.wait_until("three failures", &format!("[ $({failed}) -ge 3 ]"), SOON)?;
    let status = machine.ok("fieldwarden status --runtime-dir /run/box --json")?;
    let status: Value = serde_json::from_str(&status).context("status")?;
    ensure!(status["verdicts"]["threads"] == "ok", "{status}");
    machine.wait_until("orphans", "[ $(wc -l </run/left) -ge 5 ]", SOON)?;
    // A few have just ended; none is left lying.
    let dead = format!("ps -o stat= --ppid {} | grep -c '^Z'", pid.trim());
    let few = format!("[ $({dead} || true) -lt 30 ]");
    for _ in 0..5 {
        machine.wait_until("the dead to be reaped", &few, Duration::from_secs(10))?;
        machine.ok("sleep 1")?;
    }
    let lying = format!(
        "ps -o etimes=,stat= --ppid {} | awk '$2 ~ /^Z/ && $1 > 5 {{print}}'",
        pid.trim()
    );
    let lying = machine.ok(&format!("{lying}; true"))?;
    ensure!(lying.trim().is_empty(), "dead and not reaped: {lying}");

    reloads(machine, pid.trim())?;
    // As `docker stop` does it.
    ends_in_order(machine, pid.trim(), "TERM")?;
    // There is nobody to leave services to.
    machine.ok(&format!("rm /run/ends; {BEGIN}"))?;
    machine.wait_until("the services of the container", up, SOON)?;
    let pid = machine.ok(OUTSIDE)?;
    ends_in_order(machine, pid.trim(), "QUIT")
}

/// HUP puts another daemon into the place of this one: the first process is not to end.
fn reloads(machine: &Machine, pid: &str) -> Result<()> {
    let first = "fieldwarden status --runtime-dir /run/box --json | \
                 grep -o '\"name\":\"first\",\"state\":\"up\",[^}]*\"pid\":[0-9]*'";
    let before = machine.ok(first)?;
    machine.ok(&format!("kill -HUP {pid}"))?;
    let began = "cat /var/lib/box/journal/*.journal | grep -c '\"event\":\"began\"'";
    machine.wait_until("a successor", &format!("[ $({began}) = 2 ]"), SOON)?;
    let answers = "fieldwarden status --runtime-dir /run/box";
    machine.wait_until("its answer", answers, SOON)?;
    let after = machine.ok(first)?;
    ensure!(
        before.rsplit(':').next() == after.rsplit(':').next(),
        "{before}: {after}"
    );
    let now = machine.ok(OUTSIDE)?;
    ensure!(now.trim() == pid, "another process: {pid}, {now}");
    Ok(())
}

fn ends_in_order(machine: &Machine, pid: &str, signal: &str) -> Result<()> {
    machine.ok(&format!("kill -{signal} {pid}"))?;
    machine.wait_until("the container's end", &format!("! {OUTSIDE}"), SOON)?;
    let ends = machine.ok("cat /run/ends")?;
    ensure!(ends.trim() == "first\nlast", "{signal}: {ends}");
    ensure!(machine.ok("systemctl is-failed box; true")?.trim() != "failed");
    Ok(())
}
