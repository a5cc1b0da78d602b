//! Units of systemd under the shipped daemon: kept up, left alone, and never started twice.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, all_up, configure, service, start, wait_event, wait_successor};

/// The cases of this module.
pub const CASES: &[Case] = &[
    Case::daemon(
        "units-are-kept",
        "units of systemd: taken over, restarted when they crash or hang or somebody asks for that, and what \
         requires them goes on then; left alone when somebody stops them, enabled or not and while they wait for their own Restart=, not taken for stopped when they say \
         STOPPING=1, not started beside their own Restart=, untouched by the death and the stop of the daemon",
        are_kept,
    )
    .for_long(),
    Case::daemon(
        "units-go-down-in-order",
        "a halt of ours stops units in their order, before systemd is asked",
        go_down_in_order,
    )
    .for_long(),
];

/// Less than the time from one look at units of which nothing is told to the next.
const AT_ONCE: Duration = Duration::from_secs(40);

/// Masking needs a unit that lies where packages put theirs.
const PLACE: &str = "/usr/lib/systemd/system";

const SERVICES: &str = r#"
[watchdog]
timeout = "8s"
[service.plain]
kind = "unit"
unit = "lab-plain.service"
[service.again]
kind = "unit"
unit = "lab-again.service"
[service.lab-web]
kind = "unit"
[service.lab-web.probe.liveness]
http = "http://127.0.0.1:8080/alive"
interval = "1s"
timeout = "3s"
[service.page]
command = ["/bin/sleep", "infinity"]
after = ["plain"]
[service.lab-waits]
kind = "unit"
[service.lab-says]
kind = "unit"
"#;

/// systemd remembers how one has ended that it is to start at the next boot.
const ENABLED: &str = "[Install]\nWantedBy=multi-user.target";

fn unit(machine: &Machine, name: &str, lines: &str) -> Result<()> {
    let text = format!("[Unit]\nDescription=lab\n[Service]\n{lines}\n");
    machine.put_bytes(text.as_bytes(), &format!("{PLACE}/{name}"), 0o644)
}

fn are_kept(machine: &mut Machine) -> Result<()> {
    unit(
        machine,
        "lab-plain.service",
        "ExecStart=/bin/sleep infinity",
    )?;
    let again = "ExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=300ms";
    unit(machine, "lab-again.service", again)?;
    let busybox = machine.ok("command -v busybox")?;
    let web = format!("ExecStart={busybox} httpd -f -p 127.0.0.1:8080 -h /run/www");
    unit(machine, "lab-web.service", &web)?;
    // Not one of ours: nobody but systemd starts it.
    let leans = "[Unit]\nRequires=lab-web.service\n[Service]\nExecStart=/bin/sleep infinity\n";
    machine.put_bytes(
        leans.as_bytes(),
        &format!("{PLACE}/lab-leans.service"),
        0o644,
    )?;
    let waits = "ExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=60s";
    unit(machine, "lab-waits.service", &format!("{waits}\n{ENABLED}"))?;
    let says = "Type=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'systemd-notify --ready; \
        trap \"systemd-notify --stopping; sleep 1; exit 7\" USR1; while :; do sleep 0.2; done'";
    unit(machine, "lab-says.service", &format!("{says}\n{ENABLED}"))?;
    machine.ok("systemctl enable --quiet lab-waits lab-says")?;
    machine.ok("mkdir -p /run/www && echo yes > /run/www/alive && systemctl daemon-reload")?;
    machine.ok("systemctl start lab-plain")?;
    let life = show(machine, "InvocationID", "lab-plain")?;
    configure(machine, SERVICES)?;
    start(machine)?;
    machine.ok("systemctl start lab-leans")?;
    let plain = service(machine, "plain")?;
    ensure!(plain["adopted"] == true && plain["run"] == 1, "{plain}");
    ensure!(
        show(machine, "InvocationID", "lab-plain")? == life,
        "restarted"
    );
    crashes(machine, &life)?;
    is_stopped_by_hand(machine)?;
    is_enabled_and_stopped(machine)?;
    says_that_it_stops(machine)?;
    restarts_by_itself(machine)?;
    hangs(machine)?;
    is_masked(machine)?;
    daemons_come_and_go(machine)
}

fn show(machine: &Machine, property: &str, unit: &str) -> Result<String> {
    machine.ok(&format!("systemctl show -P {property} {unit}"))
}

fn wait_status(machine: &Machine, what: &str, service: &str, rest: &str) -> Result<()> {
    let script =
        format!("fieldwarden status --json | grep -q '\"name\":\"{service}\",\"state\":{rest}'");
    machine.wait_until(what, &script, SOON)
}

fn kill(machine: &Machine, signal: &str, unit: &str) -> Result<()> {
    machine.ok(&format!(
        "kill -{signal} $(systemctl show -P MainPID {unit})"
    ))?;
    Ok(())
}

/// One that dies is started again, and soon.
fn crashes(machine: &Machine, life: &str) -> Result<()> {
    kill(machine, "KILL", "lab-plain")?;
    wait_event(machine, "service-exited", "\"service\":\"plain\"")?;
    wait_status(
        machine,
        "plain is up again",
        "plain",
        "\"up\",[^}]*\"run\":2",
    )?;
    ensure!(show(machine, "ActiveState", "lab-plain")? == "active");
    ensure!(show(machine, "InvocationID", "lab-plain")? != life);
    Ok(())
}

/// What somebody stops stays stopped, until somebody starts it: here or there.
fn is_stopped_by_hand(machine: &Machine) -> Result<()> {
    let elsewhere = "\"down\",[^}]*\"why\":\"stopped-elsewhere\"";
    for by in ["fieldwarden start plain", "systemctl start lab-plain"] {
        machine.ok("systemctl stop lab-plain")?;
        wait_status(machine, "plain is left alone", "plain", elsewhere)?;
        sleep(Duration::from_secs(4));
        ensure!(show(machine, "ActiveState", "lab-plain")? == "inactive");
        let said = machine.ok("fieldwarden status")?;
        ensure!(said.contains("stopped by another"), "{said}");
        machine.ok(by)?;
        wait_status(machine, "plain is up again", "plain", "\"up\"")?;
    }
    wait_event(machine, "stopped-elsewhere", "plain")?;
    wait_event(machine, "started-elsewhere", "plain")
}

/// One of which systemd remembers how it ended: stopped while it runs, or waits for its own restart.
fn is_enabled_and_stopped(machine: &Machine) -> Result<()> {
    is_stopped_while_it_waits(machine)?;
    for waits in [false, true] {
        if waits {
            kill(machine, "KILL", "lab-waits")?;
            let script = "systemctl show -P SubState lab-waits | grep -qx auto-restart";
            machine.wait_until("it waits for its restart", script, SOON)?;
            let coming = "\"starting\"";
            wait_status(machine, "that is known", "lab-waits", coming)?;
        }
        machine.ok("systemctl stop lab-waits")?;
        let elsewhere = "\"down\",[^}]*\"why\":\"stopped-elsewhere\"";
        wait_status(machine, "it is left alone", "lab-waits", elsewhere)?;
        sleep(Duration::from_secs(4));
        ensure!(show(machine, "ActiveState", "lab-waits")? == "inactive");
        let ended = show(machine, "ExecMainExitTimestampMonotonic", "lab-waits")?;
        ensure!(ended != "0", "systemd has forgotten it");
        machine.ok("fieldwarden start lab-waits")?;
        wait_status(machine, "it is up again", "lab-waits", "\"up\"")?;
    }
    Ok(())
}

/// One that waits for its own restart is down by our word as well, and its end has counted by then.
fn is_stopped_while_it_waits(machine: &Machine) -> Result<()> {
    kill(machine, "KILL", "lab-waits")?;
    let script = "systemctl show -P SubState lab-waits | grep -qx auto-restart";
    machine.wait_until("it waits for its restart", script, SOON)?;
    wait_event(machine, "restarted-elsewhere", "lab-waits")?;
    machine.ok("fieldwarden stop lab-waits")?;
    wait_status(
        machine,
        "it is down",
        "lab-waits",
        "\"down\",[^}]*\"why\":\"stopped\"",
    )?;
    ensure!(show(machine, "ActiveState", "lab-waits")? == "inactive");
    machine.ok("fieldwarden start lab-waits")?;
    wait_status(machine, "it is up again", "lab-waits", "\"up\"")
}

/// One that leaves its active state before it ends, by itself, is started again.
fn says_that_it_stops(machine: &Machine) -> Result<()> {
    let life = show(machine, "InvocationID", "lab-says")?;
    kill(machine, "USR1", "lab-says")?;
    wait_event(machine, "service-exited", "\"service\":\"lab-says\"")?;
    let another = format!("[ $(systemctl show -P InvocationID lab-says) != {life} ]");
    machine.wait_until("another life of it", &another, SOON)?;
    wait_status(machine, "it is up again", "lab-says", "\"up\"")?;
    let stopped = machine.ok("fieldwarden events --json --last 256")?;
    let mut stopped = stopped.lines().filter(|l| l.contains("stopped-elsewhere"));
    ensure!(
        !stopped.any(|line| line.contains("lab-says")),
        "taken for stopped"
    );
    Ok(())
}

/// systemd starts it again by its own rule: that counts, and nobody starts it a second time.
fn restarts_by_itself(machine: &Machine) -> Result<()> {
    let before = service(machine, "again")?;
    kill(machine, "KILL", "lab-again")?;
    wait_event(machine, "restarted-elsewhere", "\"service\":\"again\"")?;
    wait_status(machine, "again is up", "again", "\"up\"")?;
    let after = service(machine, "again")?;
    let count = |of: &serde_json::Value| of["restarts"].as_u64().context("restarts");
    ensure!(count(&after)? == count(&before)? + 1, "{after}");
    ensure!(show(machine, "NRestarts", "lab-again")? == "1");
    let begun = "fieldwarden events --json --last 256 | grep service-starting | grep -c again";
    let begun = machine.sh(begun)?.stdout;
    ensure!(begun.trim() == "1", "ours: {begun}");
    Ok(())
}

/// One that takes connections and answers nothing is ended and started again, and so is one of which
/// somebody asks that. What requires it there, and is not ours, goes on.
fn hangs(machine: &Machine) -> Result<()> {
    let leans = || show(machine, "ActiveState", "lab-leans");
    for asked in [false, true] {
        let pid = show(machine, "MainPID", "lab-web")?;
        ensure!(leans()? == "active", "asked {asked}: down before");
        match asked {
            false => {
                kill(machine, "STOP", "lab-web")?;
                wait_event(machine, "probe-failed", "\"service\":\"lab-web\"")?;
            }
            true => {
                machine.ok("fieldwarden restart lab-web")?;
            }
        }
        let answers = format!(
            "timeout 5 busybox wget -q -O /dev/null http://127.0.0.1:8080/alive && \
             [ $(systemctl show -P MainPID lab-web) != {pid} ]"
        );
        machine.wait_until("the web answers again", &answers, SOON)?;
        wait_status(machine, "the web is up", "lab-web", "\"up\"")?;
        if !asked {
            let jobs = "journalctl -q -b -o json --output-fields=JOB_TYPE _PID=1 \
                        UNIT=lab-web.service JOB_TYPE=stop";
            let stopped = machine.ok(jobs)?;
            ensure!(stopped.is_empty(), "it was stopped: {stopped}");
        }
        machine.wait_until(
            "what requires it is up",
            "systemctl -q is-active lab-leans",
            SOON,
        )?;
    }
    Ok(())
}

/// What cannot be started is told, with what to do, and not tried again and again.
fn is_masked(machine: &Machine) -> Result<()> {
    machine.ok("systemctl mask --quiet --now lab-plain")?;
    wait_status(machine, "plain is left alone", "plain", "\"down\"")?;
    let refused = machine.sh("fieldwarden start plain")?;
    ensure!(refused.code == 1, "{refused:?}");
    wait_event(machine, "service-barred", "masked")?;
    let said = machine.ok("fieldwarden why plain")?;
    ensure!(
        said.contains("systemctl unmask lab-plain.service"),
        "{said}"
    );
    let tries = "journalctl -q -b -u lab-plain | grep -c 'Starting\\|Started' || true";
    let before = machine.ok(tries)?;
    sleep(Duration::from_secs(5));
    ensure!(machine.ok(tries)? == before);
    machine.ok("systemctl unmask --quiet lab-plain")?;
    let begin = Instant::now();
    wait_status(machine, "plain is up again", "plain", "\"up\"")?;
    let took = begin.elapsed();
    ensure!(took < AT_ONCE, "{took:?} until it was seen");
    Ok(())
}

/// No daemon that dies, is replaced or is stopped touches a unit.
fn daemons_come_and_go(machine: &Machine) -> Result<()> {
    let lives = |machine: &Machine| -> Result<Vec<String>> {
        let units = ["lab-plain", "lab-again", "lab-web"];
        units
            .iter()
            .map(|unit| show(machine, "InvocationID", unit))
            .collect()
    };
    all_up(machine)?;
    let before = lives(machine)?;
    for end in [
        "kill -9 $(systemctl show -P MainPID fieldwarden)",
        "systemctl restart fieldwarden",
        "systemctl stop fieldwarden; sleep 1; systemctl start fieldwarden",
    ] {
        let old = show(machine, "MainPID", "fieldwarden")?;
        machine.ok(end)?;
        wait_successor(machine, &old)?;
        ensure!(lives(machine)? == before, "after {end}");
        let plain = service(machine, "plain")?;
        ensure!(plain["adopted"] == true, "after {end}: {plain}");
    }
    Ok(())
}

fn go_down_in_order(machine: &mut Machine) -> Result<()> {
    let db = "ExecStart=/bin/sleep infinity\nExecStopPost=/bin/sh -c 'echo db >> /var/order'";
    unit(machine, "lab-db.service", db)?;
    let config = "[service.lab-db]\nkind = \"unit\"\n[service.child]\nafter = [\"lab-db\"]\n\
        command = [\"/bin/sh\", \"-c\", \"trap 'sleep 2; echo child >> /var/order; exit 0' TERM; \
        while :; do sleep 0.2; done\"]\n";
    machine.ok("systemctl daemon-reload")?;
    configure(machine, &format!("[watchdog]\ntimeout = \"8s\"\n{config}"))?;
    start(machine)?;
    let mark = machine.mark();
    machine.ok("fieldwarden halt poweroff")?;
    machine.wait_event("SHUTDOWN", mark, Duration::from_secs(120))?;
    machine.power_on()?;
    machine.wait_boot()?;
    let order = machine.ok("cat /var/order")?;
    ensure!(order == "child\ndb", "the order was {order:?}");
    // It was ours to stop: the machine's end came after that.
    let events = machine.ok("fieldwarden events --journal --json --last 256")?;
    let place = |what: &str, of: &str| {
        let mut lines = events.lines();
        lines.position(|line| line.contains(&format!("\"event\":\"{what}\"")) && line.contains(of))
    };
    let (down, asked) = (place("service-exited", "lab-db"), place("init-asked", ""));
    ensure!(
        down.is_some() && down < asked,
        "{down:?} {asked:?}\n{events}"
    );
    all_up(machine)
}
