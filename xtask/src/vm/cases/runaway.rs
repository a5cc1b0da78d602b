//! Services that run wild, with nothing but the limits that hold by default.

// The case waits for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use anyhow::{Context, Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, configure, status};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "limits-runaway",
    "all processors burnt, memory eaten, forks without end, a flooded disk and log: 32 others keep their \
     heartbeat, and pets are in time",
    runaway,
)
.for_long()
.alone()];

const POOL: &str = "/sys/fs/cgroup/system.slice/fieldwarden-pool.service";

/// A service that says by itself that it is alive: a helper for each heartbeat would be most of the
/// load on an emulated processor. It also notes the longest time between two of them, by the guest's
/// clock.
const BEATING: &str = "use Socket; use Time::HiRes qw(time sleep); \
    socket(S, AF_UNIX, SOCK_DGRAM, 0) and connect(S, pack_sockaddr_un($ENV{NOTIFY_SOCKET})) or die; \
    send(S, \"READY=1\", 0); my ($last, $worst) = (time, 0); \
    while (1) { send(S, \"WATCHDOG=1\", 0) or die; my $now = time; \
    if ($now - $last > $worst) { $worst = $now - $last; open(F, \">\", \"/run/beats/$ARGV[0]\") or die; \
    print F int($worst * 1000), \"\\n\"; close(F) } $last = $now; sleep 3 }";

/// Services that only say that they are alive.
const OTHERS: usize = 32;

/// Their heartbeat, in seconds: a service that wants to live sends one three times as often.
const HEARTBEAT: u64 = 10;

/// How long everything runs wild, by the guest's clock, in seconds.
const WILD: u64 = 60;

/// The timeout of the watchdog without a key, in milliseconds, and how old a pet may be.
const TIMEOUT: u64 = 15_000;
const LATEST: u64 = TIMEOUT * 6 / 10;

/// The five that run wild, as somebody has them who never thought of limits, and what shows that they
/// did.
const WILD_ONES: [(&str, &str, &str); 5] = [
    (
        "burner",
        "for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait",
        "awk '/^usage_usec/ && $2 > 4000000 {found=1} END {exit !found}' POOL/service-burner/cpu.stat",
    ),
    (
        "eater",
        "exec tail /dev/zero",
        "grep -q 'oom_kill [1-9]' POOL/service-eater/memory.events",
    ),
    (
        "forker",
        "b() { b | b & }; while :; do b; done",
        "grep -q 'max [1-9]' POOL/service-forker/pids.events",
    ),
    (
        "flooder",
        "while :; do dd if=/dev/zero of=/var/flood bs=1M count=64 conv=notrunc,fsync; done",
        "[ $(stat -c %s /var/flood) -gt 1000000 ]",
    ),
    (
        "talker",
        "exec yes",
        "journalctl -u fieldwarden -o cat --no-pager | grep -q 'talker: [0-9]* lines were left out'",
    ),
];

/// The longest time between two pets that the driver has taken, in milliseconds, from the trace.
const LONGEST_GAP: &str = "cat /run/fieldwarden/trace.1 /run/fieldwarden/trace 2>/dev/null | awk '
    / > pet / {for (i = 1; i <= NF; i++) if ($i ~ /^order=/) pet[substr($i, 7)] = 1}
    / done order=/ {split($3, word, \"=\"); if (word[2] in pet && $4 == \"ok\") {
        if (last && $1 - last > worst) worst = $1 - last; last = $1; pets++}}
    END {printf \"%d %d\\n\", pets, worst * 1000}'";

/// The configuration of all of them.
fn crowd() -> String {
    let mut text = String::from("[vitals]\nevery = \"5s\"\n");
    for number in 0..OTHERS {
        text.push_str(&format!(
            "[service.s{number:02}]\ncommand = [\"/usr/bin/perl\", \"/srv/beating\", \"s{number:02}\"]\n\
             ready = \"notify\"\nheartbeat = \"{HEARTBEAT}s\"\n"
        ));
    }
    for (name, script, _) in WILD_ONES {
        text.push_str(&format!(
            "[service.{name}]\ncommand = [\"/bin/bash\", \"-c\", \"{script}\"]\nautostart = false\n"
        ));
    }
    text
}

fn runaway(machine: &mut Machine) -> Result<()> {
    machine.put_bytes(BEATING.as_bytes(), "/srv/beating", 0o644)?;
    machine.ok("mkdir -p /run/beats")?;
    configure(machine, &crowd())?;
    let said = machine.ok("fieldwarden check /etc/fieldwarden/fieldwarden.toml 2>&1")?;
    ensure!(
        said.contains("without limits of their own") && said.contains("burner"),
        "{said}"
    );
    let started = machine.sh_within("systemctl start fieldwarden", 3 * SOON)?;
    ensure!(started.code == 0, "start: {}", started.stdout);
    let up = format!("fieldwarden status --json | grep -q '\"services_up\":{OTHERS},'");
    machine.wait_until("all 32", &up, 3 * SOON)?;
    let mark = machine.mark();
    let names = WILD_ONES.map(|(name, _, _)| name).join(" ");
    machine.sh_within(
        &format!("rm -f /run/beats/*; fieldwarden start {names}"),
        SOON,
    )?;
    // Everybody can be asked meanwhile.
    let asking = format!(
        "up() {{ cut -d. -f1 /proc/uptime; }}; end=$(($(up) + {WILD})); n=0
         while [ $(up) -lt $end ]; do
             timeout 10 fieldwarden status --json >/dev/null || exit 1; n=$((n + 1)); sleep 5
         done; echo $n"
    );
    let asked = machine.sh_within(&asking, 6 * SOON)?;
    ensure!(asked.code == 0, "no status within 10 s: {asked:?}");
    let times: u32 = asked.stdout.trim().parse().context("times asked")?;
    ensure!(times > 3, "asked {times} times only");
    wild(machine)?;
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    well(machine)?;
    machine.sh_within(&format!("fieldwarden stop {names}"), 2 * SOON)?;
    Ok(())
}

/// They did run wild, each within its bounds.
fn wild(machine: &Machine) -> Result<()> {
    for (name, _, script) in WILD_ONES {
        // On a busy host it takes its time to get there.
        let script = script.replace("POOL", POOL);
        machine.wait_until(&format!("{name} to run wild"), &script, 3 * SOON)?;
    }
    Ok(())
}

/// Nobody was missed by the daemon, and the pets were in time.
fn well(machine: &Machine) -> Result<()> {
    let report = status(machine)?;
    let all = report["services"].as_array().context("no services")?;
    let steady = all.iter().filter(|s| {
        let name = s["name"].as_str().unwrap_or_default();
        name.len() == 3 && name.starts_with('s')
    });
    ensure!(steady.clone().count() == OTHERS, "{report}");
    for service in steady {
        let well = service["state"] == "up" && service["run"] == 1;
        ensure!(well, "{service}");
    }
    let beats = machine.ok("cat /run/beats/* | sort -n | tail -n 1")?;
    let gap = machine.ok(LONGEST_GAP)?;
    let (pets, worst) = gap.trim().split_once(' ').context("no pets")?;
    let (pets, worst): (u64, u64) = (pets.parse()?, worst.parse()?);
    println!(
        "vm:         longest time between two heartbeats: {} ms of {} ms; between two of {pets} pets: \
         {worst} ms of {LATEST} ms",
        beats.trim(),
        HEARTBEAT * 1000
    );
    ensure!(pets > 5, "{pets} pets in the trace");
    ensure!(worst <= LATEST, "{worst} ms between two pets");
    Ok(())
}
