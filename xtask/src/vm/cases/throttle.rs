//! The shipped daemon and the throttle flags of a firmware that a program of ours plays.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::cuse::{ask, start as start_device};
use super::daemon::{SOON, configure, start, status, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "throttle-mailbox",
    "under-voltage of the mailbox is an episode; brief sags, cleared bits and a mailbox that is gone",
    mailbox,
)
.with(Modules::Devices)];

/// An episode is over when its flag was clear for 30 s, at a reading of the vitals after that.
const OVER: Duration = Duration::from_secs(30 + 15 + 40);

/// Vitals at the usual interval: what is seen sooner was seen by the looks in between.
const CONFIG: &str = "[watchdog]\nowner = \"nobody\"\n[vitals]\nevery = \"15s\"\n\
    [storage]\nmounts = [\"/\"]\n[service.steady]\ncommand = [\"/bin/sleep\", \"infinity\"]\n";

/// The report on one flag.
fn episodes(machine: &Machine, flag: &str) -> Result<Value> {
    let throttle = status(machine)?["machine"]["throttle"].clone();
    let all = throttle["episodes"].as_array().cloned().unwrap_or_default();
    let one = all.into_iter().find(|e| e["flag"] == flag);
    Ok(one.unwrap_or(Value::Null))
}

fn set(machine: &Machine, flags: &str) -> Result<()> {
    ask(machine, "vcio", &format!("throttled {flags}"))?;
    Ok(())
}

/// Waits until the daemon tells these flags.
fn wait_flags(machine: &Machine, flags: &str) -> Result<()> {
    let script = format!("fieldwarden status --json | grep -q '\"flags\":\"{flags}\"'");
    machine.wait_until(&format!("flags {flags}"), &script, SOON)
}

fn mailbox(machine: &mut Machine) -> Result<()> {
    configure(machine, CONFIG)?;
    start(machine)?;
    ensure!(
        status(machine)?["machine"]["throttle"].is_null(),
        "flags without a firmware"
    );
    // The mailbox appears, with a bit from before we looked.
    start_device(machine, "vcio", "vcio 0x80000")?;
    wait_event(machine, "throttle-earlier", "soft-limit")?;
    set(machine, "0x50005")?;
    wait_event(machine, "throttle-began", "\"flag\":\"under-voltage\"")?;
    wait_event(machine, "throttle-began", "\"flag\":\"throttled\"")?;
    let verdict = status(machine)?["verdicts"]["throttle"].clone();
    ensure!(verdict == "warn", "throttle is {verdict}");
    let headline = status(machine)?["headline"].to_string();
    ensure!(
        headline.contains("the supply voltage is too low"),
        "{headline}"
    );
    set(machine, "0x50000")?;
    wait_flags(machine, "0x50000")?;
    for flag in ["under-voltage", "throttled"] {
        let script = format!(
            "fieldwarden events --json -n 256 | grep '\"event\":\"throttle-ended\"' | grep -q '{flag}'"
        );
        machine.wait_until("the end of the episode", &script, OVER)?;
    }
    let episode = episodes(machine, "under-voltage")?;
    ensure!(
        episode["count"] == 1 && episode["active"] == false,
        "{episode}"
    );
    let lasted = episode["total_seconds"].as_f64().unwrap_or(0.0);
    ensure!((1.0..60.0).contains(&lasted), "it lasted {lasted} s");
    // Asked many times, and nothing was cleared.
    ensure!(ask(machine, "vcio", "throttled")? == "0x50000");
    brief_and_gone(machine)
}

fn brief_and_gone(machine: &Machine) -> Result<()> {
    // Somebody clears the bits, and then one of them comes back without its flag.
    set(machine, "0")?;
    wait_flags(machine, "0x0")?;
    set(machine, "0x10000")?;
    wait_event(machine, "throttle-brief", "\"flag\":\"under-voltage\"")?;
    ensure!(episodes(machine, "under-voltage")?["count"] == 2);
    // A firmware that refuses, then one that is gone, then one that is back.
    ask(machine, "vcio", "refuse")?;
    wait_event(machine, "source-lost", "\"source\":\"throttle\"")?;
    ask(machine, "vcio", "accept")?;
    wait_event(machine, "source-back", "\"source\":\"throttle\"")?;
    machine.ok("systemctl stop cuse-vcio")?;
    let unknown = "fieldwarden status --json | grep -q '\"flags\":null'";
    machine.wait_until("the loss", unknown, SOON)?;
    start_device(machine, "vcio", "vcio 0x0")?;
    wait_flags(machine, "0x0")?;
    let told = machine.ok("fieldwarden explain $(fieldwarden status --json | \
        sed 's/.*\"flags\":\"\\([^\"]*\\)\".*/\\1/')")?;
    ensure!(told.contains("all is well"), "{told}");
    // Each loss and each return is told once.
    let lost = machine.ok(
        "fieldwarden events --json -n 256 | grep '\"event\":\"source-lost\"' | \
        grep -c '\"source\":\"throttle\"'",
    )?;
    ensure!(lost.trim() == "2", "{lost} losses were told");
    Ok(())
}
