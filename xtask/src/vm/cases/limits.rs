//! What a service may do and have, on a real kernel: its user, its rights, its share.

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, all_up, configure, service, status, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "limits-rights",
        "services run as their users with the rights that they were given; a user that is not there \
         is told, and found once it is added",
        rights,
    ),
    Case::daemon(
        "limits-groups",
        "limits reach the kernel before the first process, hold, and follow the configuration for \
         services that were taken over",
        groups,
    ),
    Case::daemon(
        "limits-memory-switched-off",
        "a kernel whose command line switches the memory controller off, as a Pi's firmware does: \
         told with the remedy, and the services run",
        switched_off,
    )
    .on_command_line("cgroup_disable=memory"),
];

/// Starts the daemon, which nobody needs after a boot. On a busy host that alone takes a while.
fn begin(machine: &Machine) -> Result<()> {
    let started = machine.sh_within("systemctl start fieldwarden", 3 * SOON)?;
    ensure!(started.code == 0, "start: {}", started.stdout);
    Ok(())
}

/// A service that shows who it is, says that it is ready by the helper of systemd, and writes what it
/// found where the case looks.
const SELF: &str = "id -u > /run/web/id; id -G >> /run/web/id; \
    grep -E 'NoNewPrivs|CapPrm|CapBnd|CapAmb' /proc/self/status > /run/web/status; \
    cat /proc/self/oom_score_adj /proc/self/limits > /run/web/limits; \
    systemd-notify --ready; while :; do systemd-notify WATCHDOG=1; sleep 1; done";

/// Puts a configuration in place that has a user who is not there.
fn configure_unchecked(machine: &Machine) -> Result<()> {
    let text = format!(
        "[watchdog]\ntimeout = \"8s\"\n\
         [service.web]\ncommand = [\"/bin/sh\", \"-c\", \"{SELF}\"]\nready = \"notify\"\n\
         heartbeat = \"20s\"\nuser = \"www-data\"\ngroups = [\"tty\"]\n\
         capabilities = [\"net_bind_service\", \"sys_time\"]\noom_score = 500\n\
         limits = {{ nofile = 123, core = \"0B\", memlock = \"1MiB\" }}\n\
         [service.setter]\ncommand = [\"/bin/sh\", \"-c\", \"date -s @$(date +%s) && exec sleep inf\"]\n\
         user = \"www-data\"\ncapabilities = [\"sys_time\"]\n\
         [service.idle]\ncommand = [\"/bin/sh\", \"-c\", \"date -s @$(date +%s) || exec sleep inf\"]\n\
         user = \"www-data\"\nrestart = \"never\"\n\
         [service.later]\ncommand = [\"/bin/sh\", \"-c\", \"id -u > /run/later; exec sleep inf\"]\n\
         user = \"comer\"\nbackoff = {{ immediate = 0, first = \"2s\", cap = \"2s\", restarts = 30, stable = \"1s\" }}\n"
    );
    let at = "/etc/fieldwarden/fieldwarden.toml";
    machine.put_bytes(text.as_bytes(), at, 0o644)?;
    let warned = machine.ok(&format!("fieldwarden check {at} 2>&1"))?;
    let missing = "there is no user \"comer\" in /etc/passwd";
    ensure!(warned.contains(missing), "check: {warned}");
    Ok(())
}

fn rights(machine: &mut Machine) -> Result<()> {
    configure_unchecked(machine)?;
    machine.ok("install -d -o www-data /run/web; touch /run/later; chmod 666 /run/later")?;
    begin(machine)?;
    wait_event(machine, "service-start-failed", "\"stage\":\"user\"")?;
    let told = machine.ok("fieldwarden events")?;
    let missing = "start of later failed at user: there is no such user";
    ensure!(told.contains(missing), "{told}");

    machine.wait_until("the service's words", "grep -q . /run/web/limits", SOON)?;
    let found = machine.ok("cat /run/web/id /run/web/status /run/web/limits")?;
    for line in [
        "33\n33 5\n",
        "CapPrm:\t0000000002000400\n",
        "CapBnd:\t0000000002000400\n",
        "CapAmb:\t0000000002000400\n",
        "NoNewPrivs:\t1\n",
        "\n500\n",
    ] {
        ensure!(found.contains(line), "{line:?} is not in {found}");
    }
    for (limit, most) in [
        ("Max open files", "123"),
        ("Max core file size", "0"),
        ("Max locked memory", "1048576"),
    ] {
        let line = found.lines().find(|l| l.starts_with(limit));
        let words: Vec<&str> = line.unwrap_or("").split_whitespace().rev().collect();
        ensure!(words.contains(&most), "{limit}: {line:?}");
        ensure!(
            words.iter().filter(|w| **w == most).count() == 2,
            "{line:?}"
        );
    }
    // A user that is added while the daemon runs is found at the next start, without a reload.
    machine.ok("echo 'comer:x:4711:33::/:/bin/sh' >> /etc/passwd")?;
    machine.wait_until("its start", "grep -qx 4711 /run/later", SOON)?;
    // One may set the clock by its one capability, the other not.
    all_up(machine)?;
    for name in ["web", "setter", "idle", "later"] {
        let service = service(machine, name)?;
        ensure!(service["state"] == "up", "{service}");
    }
    let said = machine.ok("journalctl -u fieldwarden --no-pager")?;
    ensure!(said.contains("Operation not permitted"), "{said}");
    // The next daemon takes them over as they are.
    machine.ok("systemctl restart fieldwarden")?;
    all_up(machine)?;
    let now = machine.ok("cat /run/web/id")?;
    ensure!(now.starts_with("33"), "{now}");
    Ok(())
}

/// Control groups of the services.
const POOL: &str = "/sys/fs/cgroup/system.slice/fieldwarden-pool.service";

/// The limits that the kernel has for a service.
fn limits_of(machine: &Machine, name: &str) -> Result<String> {
    machine.ok(&format!(
        "cd {POOL}/service-{name} && grep -H . cpu.max cpu.weight memory.high memory.max \
         memory.swap.max memory.oom.group pids.max"
    ))
}

fn ensure_limits(machine: &Machine, name: &str, wanted: &[&str]) -> Result<()> {
    let found = limits_of(machine, name)?;
    for line in wanted {
        let there = found.lines().any(|l| l == *line);
        ensure!(there, "{name}: {line} is not in {found}");
    }
    Ok(())
}

/// A service that eats memory without end, and says in its group's files what became of it.
const EATER: &str = "exec tail /dev/zero";

fn groups(machine: &mut Machine) -> Result<()> {
    let lives = limits_hold(machine)?;
    limits_follow(machine, &lives)
}

const HEAD: &str = "[watchdog]\ntimeout = \"8s\"\n";

/// Limits of its own, of every kind.
const OWN: &str = "cpu_quota = \"50%\"\ncpu_weight = 7\nmemory_high = \"48MiB\"\n\
    memory_max = \"50%\"\nswap_max = \"0B\"\noom_group = false\npids_max = 33\n";

fn sleeper(name: &str, keys: &str) -> String {
    format!("[service.{name}]\ncommand = [\"/bin/sleep\", \"inf\"]\n{keys}")
}

/// The process of each of the two that live through all of it.
fn lives(machine: &Machine) -> Result<[String; 2]> {
    let pid = |name| Ok::<_, anyhow::Error>(service(machine, name)?["pid"].to_string());
    Ok([pid("own")?, pid("plain")?])
}

/// A share of the machine's memory, as the kernel shows it.
fn memory_max(machine: &Machine, permille: u64) -> Result<String> {
    let all = machine.ok("awk '/MemTotal/ {print $2}' /proc/meminfo")?;
    let all: u64 = all.trim().parse()?;
    Ok(format!(
        "memory.max:{}",
        (all * 1024 / 1000 * permille) & !4095
    ))
}

fn limits_hold(machine: &Machine) -> Result<[String; 2]> {
    let eater = format!(
        "[service.eater]\ncommand = [\"/bin/sh\", \"-c\", \"{EATER}\"]\nmemory_max = \"24MiB\"\n\
         swap_max = \"0B\"\n[service.forker]\ncommand = [\"/bin/bash\", \"-c\", \
         \"for i in {{1..40}}; do sleep inf & done; sleep inf\"]\npids_max = 10\n"
    );
    let before = format!(
        "{HEAD}{}{}{eater}",
        sleeper("own", OWN),
        sleeper("plain", "")
    );
    configure(machine, &before)?;
    let said = machine.ok("fieldwarden check /etc/fieldwarden/fieldwarden.toml")?;
    ensure!(said.contains("(memory_max, pids_max): plain"), "{said}");
    begin(machine)?;
    wait_event(machine, "service-exited", "\"service\":\"eater\"")?;
    machine.wait_until(
        "own",
        &format!("grep -q . {POOL}/service-own/run-*/cgroup.procs"),
        SOON,
    )?;
    let (half, most) = (memory_max(machine, 500)?, memory_max(machine, 750)?);
    ensure_limits(
        machine,
        "own",
        &[
            "cpu.max:50000 100000",
            "cpu.weight:7",
            "memory.high:50331648",
            &half,
            "memory.swap.max:0",
            "memory.oom.group:0",
            "pids.max:33",
        ],
    )?;
    ensure_limits(
        machine,
        "plain",
        &[
            "cpu.max:max 100000",
            "cpu.weight:100",
            "memory.high:max",
            &most,
            "pids.max:128",
        ],
    )?;
    // The limits hold: one is ended by its own, the other gets no more processes, the rest lives on.
    let killed = format!("grep -q 'oom_kill [1-9]' {POOL}/service-eater/memory.events");
    machine.wait_until("the end of the eater", &killed, SOON)?;
    let bounded = format!("grep -q 'max [1-9]' {POOL}/service-forker/pids.events");
    machine.wait_until("the refusal of processes", &bounded, SOON)?;
    let processes = machine.ok(&format!("cat {POOL}/service-forker/pids.current"))?;
    let processes: u64 = processes.trim().parse()?;
    ensure!(processes <= 10, "{processes} processes of the forker");
    lives(machine)
}

fn limits_follow(machine: &Machine, before: &[String; 2]) -> Result<()> {
    // Taken over by the next daemon under other limits: the same process, the new limits.
    let after = format!(
        "{HEAD}{}{}",
        sleeper("own", "pids_max = 44\n"),
        sleeper("plain", OWN)
    );
    configure(machine, &after)?;
    machine.ok("systemctl restart fieldwarden")?;
    all_up(machine)?;
    let now = lives(machine)?;
    ensure!(now == *before, "{before:?}, now {now:?}");
    let set = format!(
        "grep -qx 44 {POOL}/service-own/pids.max && grep -qx 33 {POOL}/service-plain/pids.max"
    );
    machine.wait_until("the new limits", &set, SOON)?;
    let most = memory_max(machine, 750)?;
    ensure_limits(
        machine,
        "own",
        &[
            "cpu.max:max 100000",
            "cpu.weight:100",
            "memory.high:max",
            &most,
        ],
    )?;
    // Where all is enforced, nothing is told.
    let unenforced = status(machine)?["daemon"]["unenforced"].to_string();
    ensure!(unenforced == "[]", "{unenforced}");
    Ok(())
}

fn switched_off(machine: &mut Machine) -> Result<()> {
    let text = "[watchdog]\ntimeout = \"10s\"\n\
                [service.web]\ncommand = [\"/bin/sleep\", \"inf\"]\npids_max = 10\n";
    configure(machine, text)?;
    let remedy = "cgroup_enable=memory";
    let said = machine.ok("fieldwarden check /etc/fieldwarden/fieldwarden.toml 2>&1")?;
    ensure!(said.contains("no problems"), "{said}");
    begin(machine)?;
    all_up(machine)?;
    // Only the default limit rests on it: told, and no reason to call the machine degraded.
    let report = status(machine)?;
    let first = &report["daemon"]["unenforced"][0];
    ensure!(
        first["controller"] == "memory" && first["asked"] == false,
        "{report}"
    );
    ensure!(first["text"].to_string().contains(remedy), "{first}");
    ensure!(report["verdicts"]["daemon"] == "ok", "{report}");
    wait_event(machine, "limits-unenforced", "\"lack\":\"switched-off\"")?;
    ensure!(
        machine.ok("fieldwarden status")?.contains(remedy),
        "status does not say it"
    );
    let limits = machine.ok(&format!("cat {POOL}/service-web/pids.max"))?;
    ensure!(limits.trim() == "10", "the others hold: {limits}");
    // A limit that somebody asks for is another matter.
    let asked = format!("{text}memory_max = \"64MiB\"\n");
    configure(machine, &asked)?;
    let said = machine.ok("fieldwarden check /etc/fieldwarden/fieldwarden.toml 2>&1")?;
    let warning = "`memory_max` of web is not enforced";
    ensure!(said.contains(warning) && said.contains(remedy), "{said}");
    machine.ok("systemctl restart fieldwarden")?;
    all_up(machine)?;
    let report = status(machine)?;
    ensure!(report["verdicts"]["daemon"] == "warn", "{report}");
    let headline = report["headline"].to_string();
    ensure!(
        headline.contains("limits of services are not enforced: memory"),
        "{headline}"
    );
    Ok(())
}
