//! Processes as /proc shows them: who descends from whom, and what they cost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use nix::unistd::Pid;

/// Everything that descends from `root`, without it.
pub fn descendants(root: Pid) -> Vec<Pid> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some((_, parent)) = state_and_parent(Pid::from_raw(pid)) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![root.as_raw()]);
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).into_iter().flatten() {
            found.push(Pid::from_raw(child));
            next.push(child);
        }
    }
    found
}

/// State letter and parent; `None` for a process that is gone.
fn state_and_parent(pid: Pid) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// It exists, and has not ended.
pub fn is_alive(pid: Pid) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// One of its arguments is one of these.
pub fn has_one_of(pid: Pid, arguments: &BTreeSet<&[u8]>) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0)
        .any(|part| arguments.contains(part))
}

/// What a group of processes has cost so far. All but `pss` only ever grow.
#[derive(Clone, Copy, Default, Debug)]
pub struct Cost {
    /// Proportional set size, KiB.
    pub pss: u64,
    /// Processor time of all living threads, nanoseconds.
    pub cpu: u64,
    /// Times that a thread went to sleep of its own will, hence was woken.
    pub wakeups: u64,
}

impl Cost {
    /// Of these processes together. One that ends meanwhile counts as nothing.
    pub fn of(processes: &[Pid]) -> Cost {
        let mut sum = Cost::default();
        for pid in processes {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
            sum.pss += rollup
                .ok()
                .and_then(|text| field(&text, "Pss:"))
                .unwrap_or(0);
            for task in fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten()
                .flatten()
            {
                let read = |name: &str| fs::read_to_string(task.path().join(name));
                let spent = read("schedstat").ok();
                let spent = spent.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
                sum.cpu += spent.unwrap_or(0);
                let status = read("status").ok();
                let switches = status.and_then(|text| field(&text, "voluntary_ctxt_switches:"));
                sum.wakeups += switches.unwrap_or(0);
            }
        }
        sum
    }
}

/// The number after a label at the start of a line.
fn field(text: &str, label: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(label))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Gives this process, and whatever it starts, real-time priority.
pub fn use_realtime_priority() -> Result<()> {
    let own = std::process::id().to_string();
    let status = Command::new("chrt")
        .args(["--rr", "--pid", "1", &own])
        .status();
    if !status
        .context("running chrt, of util-linux, for --realtime")?
        .success()
    {
        bail!("no real-time priority for us; run as root, or without --realtime");
    }
    Ok(())
}
