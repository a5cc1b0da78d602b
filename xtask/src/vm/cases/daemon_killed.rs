//! The shipped daemon is killed: how soon the next one is there, and how its services fare.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, all_up, configure, pid, population, service, start, wait_successor};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "daemon-is-killed",
    "kill -9 of the daemon, again and again: the next one answers within 10 s, no service doubled, \
         restarted or run against its wish",
    is_killed,
)];

/// So many kills in a minute would rightly be taken for a daemon that keeps breaking off; that is the
/// business of another case.
const NOT_A_LOOP: &str = "rm -f /run/fieldwarden/starts";

/// Time from a kill -9 of the daemon to the next one's first answer, measured inside the guest: 0.5 s
/// of it are the unit's `RestartSec=`.
const BACK: Duration = Duration::from_secs(10);

/// Kills the daemon and asks for its successor. Says when that was, in seconds since the boot.
const KILL: &str = "old=$(systemctl show -P MainPID fieldwarden)
    read began rest < /proc/uptime
    kill -9 $old || exit 1
    answers() {
        new=$(systemctl show -P MainPID fieldwarden)
        [ $new != 0 ] && [ $new != $old ] && fieldwarden status --json | grep -q \"\\\"pid\\\":$new,\"
    }
    until answers 2>/dev/null; do sleep 0.05; done
    read ended rest < /proc/uptime
    echo $began $ended";

/// Kills the daemon, and sees that the next one answers in time.
fn kill_and_wait(machine: &Machine) -> Result<()> {
    let said = machine.sh_within(&format!("{NOT_A_LOOP}; {KILL}"), SOON)?;
    ensure!(said.code == 0, "{said:?}");
    let times = said.stdout.trim().split_once(' ');
    let (began, ended) = times.with_context(|| format!("{said:?}"))?;
    let (began, ended): (f64, f64) = (began.parse()?, ended.parse()?);
    let away = Duration::try_from_secs_f64(ended - began)?;
    println!(
        "vm:         the next daemon answered after {:.1} s",
        away.as_secs_f32()
    );
    ensure!(away <= BACK, "nobody answered for {away:?}");
    Ok(())
}

fn is_killed(machine: &mut Machine) -> Result<()> {
    configure(
        machine,
        &(include_str!("../../../../tests/vm/config/fieldwarden.toml").to_owned()
            + "[service.more]\ncommand = [\"/bin/sleep\", \"infinity\"]\nafter = [\"beating\"]\n"
            + "[service.stopped]\ncommand = [\"/bin/sleep\", \"infinity\"]\n"
            + "[service.job]\ncommand = [\"/bin/sh\", \"-c\", \"echo done >> /run/job\"]\n\
               restart = \"never\"\n"),
    )?;
    start(machine)?;
    let mark = machine.mark();
    machine.ok("fieldwarden stop stopped")?;
    at_rest(machine)?;
    let names = ["steady", "beating", "more"];
    let pids = |machine: &Machine| -> Result<Vec<u64>> {
        names.iter().map(|name| pid(machine, name)).collect()
    };
    let before = pids(machine)?;
    for round in 0..5 {
        kill_and_wait(machine)?;
        all_up(machine)?;
        let now = pids(machine)?;
        ensure!(now == before, "round {round}: {now:?}, before {before:?}");
        for name in names {
            let service = service(machine, name)?;
            ensure!(
                service["adopted"] == true && service["run"] == 1,
                "round {round}: {service}"
            );
        }
        at_rest(machine)?;
    }
    // In quick succession: it dies while it starts, while it adopts, while it arms.
    // Each daemon arms the device first of all, so all this time the machine stays guarded.
    for _ in 0..6 {
        machine.ok(&format!(
            "systemctl kill -s KILL fieldwarden || true; {NOT_A_LOOP}; sleep 1.5"
        ))?;
    }
    wait_successor(machine, "0")?;
    ensure!(
        pids(machine)? == before,
        "after six more kills in quick succession: {:?}",
        pids(machine)?
    );
    at_rest(machine)?;
    // One process each; the shell of `beating` may have its sleep beside it.
    let population: u32 = population(machine)?.trim().parse()?;
    ensure!(
        (3..=4).contains(&population),
        "{population} processes for three services"
    );
    ensure!(
        machine.events_since(mark).is_empty(),
        "the machine was reset"
    );
    Ok(())
}

/// What was stopped is down, and what has finished was done once.
fn at_rest(machine: &Machine) -> Result<()> {
    let down = |name: &str, why: &str| {
        format!(
            "fieldwarden status --json | grep -q '\"name\":\"{name}\",\"state\":\"down\",[^}}]*\"why\":\"{why}\"'"
        )
    };
    machine.wait_until("the stop", &down("stopped", "stopped"), SOON)?;
    machine.wait_until("the job's end", &down("job", "finished"), SOON)?;
    let done = machine.ok("cat /run/job")?;
    ensure!(done.trim() == "done", "the job was run again: {done}");
    Ok(())
}
