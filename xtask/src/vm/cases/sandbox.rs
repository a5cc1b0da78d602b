//! What a service sees of the machine, on a real kernel: its own /tmp, paths that are read-only, a
//! network of its own, and secrets that nobody else sees.

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, pid, service, wait_event, wait_successor};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "limits-sandbox",
    "a service with a /tmp, a network and secrets of its own, for which all else is read-only: nobody \
     else sees them, they outlive the daemon, and are gone with the service; what is not there is told",
    sandbox,
)];

/// What the secret says, which nobody else is to hear.
const TOKEN: &str = "correct-horse-battery";

const AT: &str = "/etc/fieldwarden/fieldwarden.toml";

/// Writes what it sees where the case looks, and says that it is ready and alive by the helper of
/// systemd.
const LOOK: &str = r#"#!/bin/sh
readlink /proc/self/ns/net > /run/web/net
{
    echo "tmp: $(ls -A /tmp /var/tmp | tr '\n' ' ')"
    echo x > /tmp/ours && stat -f -c 'on %T' /tmp
    (echo x > /etc/ours) 2>&1 | sed 's/.*: //'
    echo x > /var/lib/web/ours && echo exception
    echo "net: $(ip -o link | cut -d: -f2 | tr '\n' ' ')"
    cd "$CREDENTIALS_DIRECTORY" && pwd && cat token
    stat -c '%n %a %U %G' . token
    stat -f -c 'on %T' token
} > /run/web/found.new 2>&1
mv /run/web/found.new /run/web/found
systemd-notify --ready
while :; do systemd-notify WATCHDOG=1; sleep 1; done
"#;

/// Its probe is in its network.
const PROBE: &str = "[service.web.probe.readiness]\n\
    exec = [\"/bin/sh\", \"-c\", \"test $(readlink /proc/self/ns/net) = $(cat /run/web/net)\"]\n\
    timeout = \"20s\"\ninterval = \"2s\"\n";

/// Somebody whom all can reach that have the network of the machine.
const PORT: &str = "[service.port]\nautostart = false\ncommand = [\"/usr/bin/perl\", \"-MIO::Socket::INET\", \"-e\", \
    \"$s = IO::Socket::INET->new(Listen => 9, LocalAddr => '127.0.0.1:7777') or die; sleep\"]\n";

/// The same for a neighbour with another user, which goes by every way to the secret.
const PEEK: &str = r#"#!/bin/sh
{
    ls -A /run/fieldwarden/secrets
    cat /etc/web/token /run/fieldwarden/secrets/token
    for root in /proc/[0-9]*/root; do cat $root/run/fieldwarden/secrets/token; done
    ls -A /tmp
} > /run/peek/found.new 2>/dev/null
mv /run/peek/found.new /run/peek/found
exec sleep inf
"#;

fn begin(machine: &Machine) -> Result<()> {
    let quick = "backoff = { immediate = 0, first = \"2s\", cap = \"2s\", restarts = 100, stable = \"1s\" }\n";
    let text = format!(
        "[watchdog]\ntimeout = \"8s\"\n\
         [service.web]\ncommand = [\"/usr/local/bin/look\"]\nready = \"notify\"\nheartbeat = \"30s\"\n\
         user = \"www-data\"\nprivate_tmp = \"1MiB\"\nprivate_network = true\nread_only = [\"/\"]\n\
         writable = [\"/run/web\", \"/var/lib/web\"]\nsecrets = {{ token = \"/etc/web/token\" }}\n\
         must_not_reach = [\"127.0.0.1:7777\"]\n{PROBE}{PORT}\
         [service.peek]\ncommand = [\"/usr/local/bin/peek\"]\nuser = \"daemon\"\nafter = [\"web\", \"port\"]\n\
         must_not_reach = [\"127.0.0.1:1\", \"127.0.0.1:7777\"]\n\
         [service.paths]\ncommand = [\"/bin/sleep\", \"inf\"]\nread_only = [\"/etc\", \"/srv/lost\"]\n{quick}\
         [service.secret]\ncommand = [\"/bin/sleep\", \"inf\"]\nsecrets = {{ key = \"/etc/web/lost\" }}\n{quick}"
    );
    machine.put_bytes(text.as_bytes(), AT, 0o644)?;
    machine.put_bytes(LOOK.as_bytes(), "/usr/local/bin/look", 0o755)?;
    machine.put_bytes(PEEK.as_bytes(), "/usr/local/bin/peek", 0o755)?;
    machine.ok(&format!(
        "mkdir -p /etc/web && echo {TOKEN} > /etc/web/token && chmod 644 /etc/web/token; \
         touch /tmp/of-the-machine; for d in /run/web /var/lib/web; do install -d -o www-data $d; done; \
         install -d -o daemon /run/peek"
    ))?;
    let warned = machine.ok(&format!("fieldwarden check {AT} 2>&1"))?;
    for what in [
        "the secret token: /etc/web/token is open to everybody (mode 0644)",
        "`read_only` names /srv/lost: No such file",
        "the secret key: /etc/web/lost: No such file",
    ] {
        ensure!(warned.contains(what), "{what:?} is not in {warned}");
    }
    machine.ok("chmod 600 /etc/web/token")?;
    let started = machine.sh_within("systemctl start fieldwarden", 3 * SOON)?;
    ensure!(started.code == 0, "start: {}", started.stdout);
    Ok(())
}

fn sandbox(machine: &mut Machine) -> Result<()> {
    begin(machine)?;
    sees_little(machine)?;
    seen_by_nobody(machine)?;
    told(machine)?;
    outlives_the_daemon(machine)?;
    gone_with_it(machine)?;
    isolated(machine)
}

/// What it finds, in each of its runs.
fn sees_little(machine: &Machine) -> Result<()> {
    machine.wait_until("the service's words", "grep -q . /run/web/found", SOON)?;
    let found = machine.ok("cat /run/web/found")?;
    let kind = found.lines().last().unwrap_or("").to_owned();
    ensure!(matches!(&*kind, "on ramfs" | "on tmpfs"), "{kind}: {found}");
    let wanted = format!(
        "tmp: /tmp:  /var/tmp: \non tmpfs\nRead-only file system\nexception\nnet:  lo \n\
         /run/fieldwarden/secrets\n{TOKEN}\n. 500 www-data www-data\ntoken 400 www-data www-data\n{kind}"
    );
    ensure!(found.trim_end() == wanted, "{found} is not {wanted}");
    // It was heard on its notify socket, from inside.
    let up = "fieldwarden status --json | grep -q '\"name\":\"web\",\"state\":\"up\"'";
    machine.wait_until("READY=1", up, SOON)
}

fn seen_by_nobody(machine: &Machine) -> Result<()> {
    machine.wait_until("the neighbour's words", "grep -q . /run/peek/found", SOON)?;
    let found = machine.ok("cat /run/peek/found")?;
    let of_others = [TOKEN, "token", "ours"];
    let seen = of_others.iter().any(|word| found.contains(word));
    ensure!(
        found.contains("of-the-machine") && !seen,
        "a neighbour sees {found}"
    );
    let own = machine.ok(
        "ls -A /run/fieldwarden/secrets; ls -A /tmp/ours /var/tmp/ours /etc/ours 2>/dev/null; \
         cat /var/lib/web/ours",
    )?;
    ensure!(own.trim_end() == "x", "the machine sees {own}");
    // The daemon has kept it nowhere, and told nobody.
    let told = machine.sh(&format!(
        "grep -rD skip {TOKEN} /run/fieldwarden /var/lib/fieldwarden; \
         journalctl --no-pager | grep {TOKEN}; \
         {{ fieldwarden status --json; fieldwarden events; fieldwarden export; }} 2>&1 | grep {TOKEN}"
    ))?;
    ensure!(told.stdout.is_empty(), "{}", told.stdout);
    Ok(())
}

/// A start that cannot be as it is meant is none; it says why, and comes once it can.
fn told(machine: &Machine) -> Result<()> {
    wait_event(machine, "service-start-failed", "\"stage\":\"paths\"")?;
    wait_event(machine, "service-start-failed", "\"stage\":\"secrets\"")?;
    let told = machine.ok("fieldwarden events --last 256")?;
    for what in [
        "start of paths failed at paths: no such file or directory",
        "start of secret failed at secrets: no such file or directory",
    ] {
        ensure!(
            told.to_lowercase().contains(what),
            "{what:?} is not in {told}"
        );
    }
    let log = machine.ok("journalctl -u fieldwarden --no-pager")?;
    for what in [
        "paths: read_only: /srv/lost: ",
        "secret: key: /etc/web/lost: ",
    ] {
        ensure!(log.contains(what), "{what:?} is not in {log}");
    }
    machine.ok("mkdir -p /srv/lost; echo key > /etc/web/lost; chmod 600 /etc/web/lost")?;
    super::daemon::all_up(machine)
}

/// Who has a network of its own reaches nobody, as its owner believes; who has not, does, and that is
/// told, and costs it nothing. Its other probes are in its own network.
fn isolated(machine: &Machine) -> Result<()> {
    machine.ok("fieldwarden start port && fieldwarden restart peek web")?;
    let run = service(machine, "web")?["run"].clone();
    wait_event(machine, "probe-failed", "\"probe\":\"isolation\"")?;
    let open = service(machine, "peek")?;
    ensure!(open["state"] == "up" && open["failures"] == 0, "{open}");
    let told = machine.ok("fieldwarden status; fieldwarden events --last 256")?;
    ensure!(
        told.contains("it reaches number 2 of `must_not_reach`"),
        "{told}"
    );
    let tried = format!(
        "grep -q 'child web run={run} probed isolation attempt=1 good' /run/fieldwarden/trace*"
    );
    machine.wait_until("a try of a closed network", &tried, SOON)?;
    let closed = service(machine, "web")?;
    ensure!(closed["readiness"] == "ready", "{closed}");
    Ok(())
}

/// The daemon is killed: its successor takes the service over as it is.
fn outlives_the_daemon(machine: &Machine) -> Result<()> {
    let places = |web: u64| {
        machine.ok(&format!(
            "readlink /proc/{web}/ns/mnt /proc/{web}/ns/net; cat /proc/{web}/root/tmp/ours; \
             cat /proc/{web}/root/run/fieldwarden/secrets/token"
        ))
    };
    let web = pid(machine, "web")?;
    let before = places(web)?;
    let daemon = machine.ok("systemctl show -P MainPID fieldwarden")?;
    let daemon = daemon.trim();
    machine.ok(&format!("kill -9 {daemon}"))?;
    wait_successor(machine, daemon)?;
    ensure!(pid(machine, "web")? == web, "another process");
    let after = places(web)?;
    ensure!(after == before, "{before} became {after}");
    Ok(())
}

/// With the last process of the service all of it is gone, and its next run begins with nothing.
fn gone_with_it(machine: &Machine) -> Result<()> {
    machine.ok("fieldwarden stop secret && fieldwarden stop web")?;
    let gone = "! grep -q fieldwarden/secrets /proc/[0-9]*/mountinfo 2>/dev/null && \
                fieldwarden status --json | grep -q '\"name\":\"web\",\"state\":\"down\"'";
    machine.wait_until("the end of its mounts", gone, SOON)?;
    machine.ok("rm /run/web/found && fieldwarden start web")?;
    sees_little(machine)?;
    let restarts = service(machine, "web")?;
    ensure!(restarts["state"] == "up", "{restarts}");
    Ok(())
}
