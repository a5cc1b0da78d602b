//! The shipped daemon reads its configuration anew, and is upgraded, in its own process and with the
//! hardware watchdog armed.

// The case waits for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, all_up, configure, main_pid, pid, service, start, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case {
    limit: Duration::from_secs(240),
    ..Case::daemon(
        "reload-and-upgrade",
        "reload, systemctl reload and a new program under the old name: only what changed restarts, in the \
         same process, the watchdog's device is never let go of, and what cannot be used changes nothing",
        reload_and_upgrade,
    )
}];

/// Tries to get the device all the time; what it gets is told.
const GREEDY: &str =
    "while :; do (: >/dev/watchdog0) 2>/dev/null && echo got >>/run/got; sleep 0.05; done";

/// What another definition of a service is.
const CHANGED: &str = "environment = { A = \"1\" }\n";

/// Every reload that came about.
const HANDED: &str =
    "cat /var/lib/fieldwarden/journal/*.journal | grep '\"event\":\"handing-over\"'";

/// Services beside those of the lab.
fn config(environment: &str, last: &str) -> String {
    include_str!("../../../../tests/vm/config/fieldwarden.toml").to_owned()
        + "[service.other]\ncommand = [\"/bin/sleep\", \"infinity\"]\n"
        + environment
        + &format!("[service.{last}]\ncommand = [\"/bin/sleep\", \"infinity\"]\n")
}

fn reload_and_upgrade(machine: &mut Machine) -> Result<()> {
    configure(machine, &config("", "gone"))?;
    start(machine)?;
    let mark = machine.mark();
    let greedy = format!("systemd-run -q --unit greedy /bin/sh -c '{GREEDY}'");
    machine.ok(&greedy)?;
    let before = Before {
        daemon: main_pid(machine)?,
        pids: pids(machine)?,
    };
    changes(machine, &before)?;
    // By systemd, and by signal. The event is the old daemon's, and so in the journal.
    machine.ok("systemctl reload fieldwarden")?;
    before.goes_on(machine, "systemctl reload")?;
    machine.ok("systemctl kill -s HUP --kill-who=main fieldwarden")?;
    let by_signal = format!("{HANDED} | grep -q '\"signal\"'");
    machine.wait_until("a reload by HUP", &by_signal, SOON)?;
    machine.wait_until("its answer", "fieldwarden status", SOON)?;
    before.goes_on(machine, "HUP")?;
    mistakes(machine, &before)?;
    upgrade(machine, &before)?;

    // It is still their parent, and sees how they end.
    let steady = before.pids.first().context("no service")?;
    machine.ok(&format!("kill -SEGV {steady}"))?;
    wait_event(machine, "service-exited", "SIGSEGV")?;
    all_up(machine)?;

    // Longer than the timeout of the watchdog, which was never let go of.
    machine.sh_within("sleep 12", SOON)?;
    let got = machine.sh("test -e /run/got")?;
    ensure!(got.code != 0, "somebody else got the device");
    ensure!(machine.ok("cat /sys/class/watchdog/watchdog0/state")? == "active");
    let events = machine.events_since(mark);
    ensure!(events.is_empty(), "the machine was reset");
    Ok(())
}

/// The daemon, and the services that stay as they are.
struct Before {
    daemon: String,
    pids: Vec<u64>,
}

impl Before {
    fn goes_on(&self, machine: &Machine, what: &str) -> Result<()> {
        all_up(machine)?;
        let (now, main) = (pids(machine)?, main_pid(machine)?);
        let (before, daemon) = (&self.pids, &self.daemon);
        ensure!(now == *before, "{what}: {before:?} became {now:?}");
        ensure!(main == *daemon, "{what}: {daemon} became {main}");
        ensure!(machine.ok("systemctl is-active fieldwarden")? == "active");
        Ok(())
    }
}

fn pids(machine: &Machine) -> Result<Vec<u64>> {
    let same = ["steady", "beating"];
    same.iter().map(|name| pid(machine, name)).collect()
}

/// One is configured otherwise, one is gone, one is new.
fn changes(machine: &Machine, before: &Before) -> Result<()> {
    let (other, gone) = (pid(machine, "other")?, pid(machine, "gone")?);
    configure(machine, &config(CHANGED, "new"))?;
    let said = machine.sh_within("fieldwarden reload", SOON)?;
    let told = said.stdout.contains("other: started anew, up");
    ensure!(said.code == 0 && told, "{said:?}");
    before.goes_on(machine, "a reload")?;
    ensure!(pid(machine, "other")? != other && service(machine, "other")?["run"] == 2);
    let ended = format!("! kill -0 {gone} 2>/dev/null");
    machine.wait_until("the end", &ended, SOON)?;
    // It is given what systemd gives, and not what the daemon needs.
    let new = pid(machine, "new")?;
    let limits = machine.ok(&format!("grep 'open files' /proc/{new}/limits"))?;
    let soft = limits.split_whitespace().nth(3);
    ensure!(soft == Some("1024"), "{limits}");
    Ok(())
}

/// What cannot be used changes nothing.
fn mistakes(machine: &Machine, before: &Before) -> Result<()> {
    let count = format!("{HANDED} | wc -l");
    let times = machine.ok(&count)?;
    let bad = b"[service.steady]\ncomand = [\"/bin/false\"]\n";
    machine.put_bytes(bad, "/etc/fieldwarden/fieldwarden.toml", 0o644)?;
    let refused = machine.sh_within("fieldwarden reload", SOON)?;
    let told = refused.stderr.contains("comand");
    ensure!(refused.code == 78 && told, "{refused:?}");
    let by_systemd = machine.sh_within("systemctl reload fieldwarden", SOON)?;
    ensure!(by_systemd.code != 0, "{by_systemd:?}");
    configure(machine, &config(CHANGED, "new"))?;
    before.goes_on(machine, "a bad configuration")?;
    ensure!(machine.ok(&count)? == times, "it was handed over");
    Ok(())
}

/// Another file under the same name.
fn upgrade(machine: &Machine, before: &Before) -> Result<()> {
    machine.ok("cp /usr/bin/fieldwarden /usr/bin/fieldwarden.new && \
         mv /usr/bin/fieldwarden.new /usr/bin/fieldwarden && fieldwarden reload")?;
    let daemon = &before.daemon;
    let inodes = machine.ok(&format!(
        "stat -L -c %i /proc/{daemon}/exe /usr/bin/fieldwarden | uniq | wc -l"
    ))?;
    ensure!(
        inodes.trim() == "1",
        "another program runs than is installed"
    );
    before.goes_on(machine, "an upgrade")?;
    let score = machine.ok(&format!("cat /proc/{daemon}/oom_score_adj"))?;
    ensure!(score.trim() == "-1000", "{score}");
    Ok(())
}
