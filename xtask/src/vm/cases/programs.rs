//! Test programs of the package in a guest: real control groups, and root.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::case::{Cargo, Case};
use super::super::machine::Machine;
use super::super::programs::{PLACE, PROGRAMS};

/// The cases of this module.
pub const CASES: &[Case] = &[Case {
    cargo: Cargo::Programs,
    limit: Duration::from_secs(400),
    ..Case::lab(
        "spawn-programs",
        "every way of starting a process on a real kernel, into control groups and as other users",
        spawn_programs,
    )
}];

/// One test program, on an emulated machine.
const LONG: Duration = Duration::from_secs(180);

/// Left out in the guest: it starts two thousand programs with each method, which takes minutes there,
/// and the host runs it.
pub const LEFT_OUT: &str = "two_thousand_spawns_leak_nothing";

/// The control group in which the programs make theirs.
const GROUP: &str = "/sys/fs/cgroup/fieldwarden-tests";

fn spawn_programs(machine: &mut Machine) -> Result<()> {
    machine.ok(&format!(
        "mkdir {GROUP} && echo +pids > {GROUP}/cgroup.subtree_control"
    ))?;
    println!("vm:         left out: {LEFT_OUT}, too long in emulation; the host runs it");
    for (name, _) in PROGRAMS {
        let run = format!(
            "FIELDWARDEN_TEST_CGROUP={GROUP} {PLACE}/{name} --test-threads 1 --nocapture \
             --skip {LEFT_OUT} > /tmp/{name}.log 2>&1; \
             code=$?; tail -n 40 /tmp/{name}.log; exit $code"
        );
        let said = machine.sh_within(&run, LONG)?;
        let result = said
            .stdout
            .lines()
            .rfind(|l| l.starts_with("test result: "));
        println!("vm:         {name}: {}", result.unwrap_or("no result"));
        ensure!(said.code == 0, "{name} failed:\n{}", said.stdout);
        // The newest method works on this kernel, so it must be among those that were tried.
        let left_out = machine.sh(&format!("grep 'does not work here' /tmp/{name}.log"))?;
        ensure!(left_out.stdout.is_empty(), "{name}: {}", left_out.stdout);
    }
    let left = machine.ok(&format!("ls -d {GROUP}/*/ 2>/dev/null | wc -l"))?;
    ensure!(left.trim() == "0", "control groups are left behind");
    Ok(())
}
