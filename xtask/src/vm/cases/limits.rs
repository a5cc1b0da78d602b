//! What a service may do and have, on a real kernel: its user, its rights, its share.

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, all_up, service, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "limits-rights",
    "services run as their users with the rights that they were given; a user that is not there is \
     told, and found once it is added",
    rights,
)];

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
         user = \"comer\"\nbackoff = {{ immediate = 0, first = \"2s\", cap = \"2s\", restarts = 30 }}\n"
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
    machine.ok("systemctl enable --quiet fieldwarden && systemctl start fieldwarden")?;
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
