//! The README's own words: its commands install the daemon in a bare machine and guard it.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::SOON;

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "install-by-hand",
    "the commands of the README install it, and those of the bench checklist show that it guards",
    by_hand,
)];

/// Where the clone is in the guest.
const CLONE: &str = "/srv/clone";

/// The default timeout of the watchdog, and what a busy host adds to it.
const RESET: Duration = Duration::from_secs(15 + 20);

/// Makes a clone with a built binary out of what the lab has installed.
fn clone(machine: &Machine) -> Result<()> {
    machine.ok(&format!(
        "mkdir -p {CLONE}/target/release {CLONE}/systemd/sysusers.d {CLONE}/systemd/tmpfiles.d \
         {CLONE}/systemd/system-shutdown && \
         mv /usr/lib/systemd/system-shutdown/fieldwarden {CLONE}/systemd/system-shutdown/ && \
         mv /usr/bin/fieldwarden {CLONE}/target/release/ && \
         mv /usr/lib/systemd/system/fieldwarden*.service {CLONE}/systemd/ && \
         mv /usr/lib/sysusers.d/fieldwarden.conf {CLONE}/systemd/sysusers.d/ && \
         mv /usr/lib/tmpfiles.d/fieldwarden.conf {CLONE}/systemd/tmpfiles.d/ && \
         rm -r /etc/fieldwarden && systemctl daemon-reload"
    ))?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let config = "config/fieldwarden.toml";
    machine.put(&sources.join(config), &format!("{CLONE}/{config}"), 0o644)?;
    for page in ["fieldwarden.1", "fieldwarden.toml.5"] {
        let page = format!("docs/man/{page}");
        machine.put(&sources.join(&page), &format!("{CLONE}/{page}"), 0o644)?;
    }
    Ok(())
}

/// The shell blocks of the README, in their order.
fn blocks() -> Vec<&'static str> {
    let readme = include_str!("../../../../README.md");
    let parts = readme.split("```sh\n").skip(1);
    parts.filter_map(|part| part.split("```").next()).collect()
}

fn by_hand(machine: &mut Machine) -> Result<()> {
    clone(machine)?;
    let [install, begin, ..] = blocks()[..] else {
        anyhow::bail!("the README has no two shell blocks");
    };
    machine
        .ok(&format!("set -e; cd {CLONE}\n{install}"))
        .context("install")?;
    let said = machine.ok(&format!("set -e\n{begin}")).context("begin")?;
    ensure!(said.contains("can be used"), "check: {said}");
    ensure!(said.contains("petted by fieldwarden"), "status: {said}");
    // The recorder writes behind the daemon's back; a stop before that would leave no story.
    wait_for_boots(machine, 1)?;
    let mark = machine.mark();
    machine.ok("systemctl kill -s STOP fieldwarden")?;
    machine.wait_event("WATCHDOG", mark, RESET)?;
    machine.wait_boot()?;
    wait_for_boots(machine, 2)?;
    let story = machine.ok("fieldwarden events --journal -n 40")?;
    let orderly = story.lines().any(|line| line.ends_with(" ended"));
    ensure!(!orderly, "it went down in order: {story}");
    Ok(())
}

/// Waits until the durable journal tells of this many boots in which the watchdog was armed.
fn wait_for_boots(machine: &Machine, boots: u32) -> Result<()> {
    let script = format!(
        "[ \"$(fieldwarden events --journal -n 40 | grep -c 'watchdog armed')\" = {boots} ]"
    );
    machine.wait_until("the boots in the journal", &script, SOON)
}
