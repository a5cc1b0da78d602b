//! What the control group of each service may take: the kernel's files, and what it lets us write.
//!
//! Limits stand in the service's group, above the leaves: they hold for all of its runs together, and a
//! leaf needs no controller. They are written before a process is born there, and once more when one is
//! taken over.

use super::{Pool, place};
use crate::config::{Share, controllers};
use crate::core::fact::{Controller, Lack};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Period of the processor's quota in microseconds: the kernel's default.
const PERIOD: u64 = 100_000;

/// Memory of a service that its neighbours cannot press out of it, in bytes; less if it has less.
/// What is short then is taken from whoever has more, or the kernel ends that one. Larger: many small
/// services hold on to what they do not use. Smaller: the code of one that beats is read from the card
/// over and over while another one eats, and the beat is late.
const KEPT: u64 = 8 << 20;

/// A limit that could not be set.
#[derive(Debug)]
pub struct Refusal {
    /// Whose.
    pub controller: Controller,
    /// The file, and what the kernel said.
    pub error: io::Error,
}

impl Pool {
    /// Why limits of each controller are not enforced here; none if all are.
    pub fn lacks(&self, root: &Path) -> Vec<(Controller, Lack)> {
        let all = Controller::ALL.into_iter();
        let lack = |c| Some((c, controllers::lack(root, Some(&self.directory), c)?));
        all.filter_map(lack).collect()
    }

    /// Has the kernel keep account of the groups below, for every controller that it offers.
    ///
    /// # Errors
    /// The first one that was refused, with the path; the others are enabled all the same.
    pub fn enable_controllers(&self) -> io::Result<()> {
        let path = self.directory.join("cgroup.subtree_control");
        let read = |file: &str| fs::read_to_string(self.directory.join(file));
        let offered = read("cgroup.controllers")?;
        let enabled = read("cgroup.subtree_control")?;
        let has = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
        let mut first = Ok(());
        for name in Controller::ALL.map(Controller::name) {
            if has(&offered, name) && !has(&enabled, name) {
                let written = fs::write(&path, format!("+{name}"));
                first = first.and(written.map_err(|e| place(&path, &e)));
            }
        }
        first
    }

    /// Sets the limits of a service's group, which must be there; returns those that were refused. A
    /// controller that is not there is no refusal: who lacks it was told at the start.
    pub fn limit(&self, name: &str, share: &Share, memory: u64) -> Vec<Refusal> {
        let group = self.group(name);
        let mut refused = Vec::new();
        for (controller, file, value) in values(share, memory) {
            let path = group.join(file);
            let file = fs::OpenOptions::new().write(true).open(&path);
            match file.and_then(|mut file| file.write_all(value.as_bytes())) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => {
                    let error =
                        io::Error::new(e.kind(), format!("{} = {value}: {e}", path.display()));
                    refused.push(Refusal { controller, error });
                }
            }
        }
        refused
    }
}

/// Every file with its value; what is not limited is set, too, because a daemon before us may have
/// had another configuration.
fn values(share: &Share, memory: u64) -> Vec<(Controller, &'static str, String)> {
    let or_max = |value: Option<u64>| value.map_or("max".to_owned(), |v| v.to_string());
    let quota = share
        .cpu_quota
        .map(|percent| u64::from(percent) * PERIOD / 100);
    let bytes = |amount: crate::config::Amount| or_max(amount.bytes(memory));
    let (cpu, io) = (Controller::Cpu, Controller::Io);
    let (ram, pids) = (Controller::Memory, Controller::Pids);
    vec![
        (cpu, "cpu.weight", share.cpu_weight.to_string()),
        (cpu, "cpu.max", format!("{} {PERIOD}", or_max(quota))),
        (
            ram,
            "memory.oom.group",
            u8::from(share.oom_group).to_string(),
        ),
        (ram, "memory.high", bytes(share.memory_high)),
        (ram, "memory.max", bytes(share.memory_max)),
        (ram, "memory.min", KEPT.to_string()),
        (ram, "memory.swap.max", bytes(share.swap_max)),
        (io, "io.weight", format!("default {}", share.io_weight)),
        (io, "io.bfq.weight", share.io_weight.to_string()),
        (
            pids,
            "pids.max",
            or_max(share.pids_max.number(memory).map(u64::from)),
        ),
    ]
}

/// All memory of this machine in bytes, as the kernel counts it; `u64::MAX` where that cannot be read,
/// so that a share of it limits nothing.
pub fn all_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.map_or(u64::MAX, |n| n.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Amount, Pids};
    use crate::units::Permille;

    fn share() -> Share {
        Share {
            cpu_quota: Some(250),
            cpu_weight: 50,
            memory_high: Amount::Bytes(64 << 20),
            memory_max: Amount::Share(Permille(750)),
            swap_max: Amount::Unlimited,
            oom_group: true,
            io_weight: 10,
            pids_max: Pids::Unlimited,
            asked: vec![],
        }
    }

    /// Every limit reaches its file in the kernel's own form, and a file that is not there stays so.
    #[test]
    fn limits_are_written_as_the_kernel_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["cgroup.procs", "cgroup.kill"] {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let pool = Pool::at(directory.path()).unwrap();
        let group = pool.group("web");
        fs::create_dir(&group).unwrap();
        // A kernel without swap, and with both ways of weighing disks.
        for (_, file, _) in values(&share(), 0) {
            if file != "memory.swap.max" {
                fs::write(group.join(file), "").unwrap();
            }
        }
        let refused = pool.limit("web", &share(), 1000 << 20);
        assert!(refused.is_empty(), "{refused:?}");
        for (file, value) in [
            ("cpu.max", "250000 100000"),
            ("cpu.weight", "50"),
            ("memory.high", "67108864"),
            ("memory.max", "786432000"),
            ("memory.min", "8388608"),
            ("memory.oom.group", "1"),
            ("io.weight", "default 10"),
            ("io.bfq.weight", "10"),
            ("pids.max", "max"),
        ] {
            let path = group.join(file);
            assert_eq!(fs::read_to_string(path).unwrap(), value, "{file}");
        }
        assert!(!group.join("memory.swap.max").exists());
        assert_eq!(
            Amount::Share(Permille(750)).bytes(u64::MAX),
            Some(u64::MAX / 1000 * 750)
        );
        let shells =
            [256 << 20, 512 << 20, 1 << 30, u64::MAX].map(|ram| Pids::ByMemory.number(ram));
        assert_eq!(shells, [Some(128), Some(128), Some(256), Some(512)]);
        assert!(all_memory() > 1 << 20);
        // One that refuses is told, and the others are set all the same.
        fs::remove_file(group.join("cpu.max")).unwrap();
        fs::create_dir(group.join("cpu.max")).unwrap();
        fs::write(group.join("pids.max"), "").unwrap();
        let refused = pool.limit("web", &share(), 1000 << 20);
        let whose: Vec<Controller> = refused.iter().map(|r| r.controller).collect();
        assert_eq!(whose, [Controller::Cpu]);
        assert_eq!(fs::read_to_string(group.join("pids.max")).unwrap(), "max");
    }

    /// What is offered is enabled, and only that.
    #[test]
    fn what_is_offered_is_enabled() {
        let directory = tempfile::tempdir().unwrap();
        let at = |file: &str| directory.path().join(file);
        for (file, text) in [
            ("cgroup.procs", ""),
            ("cgroup.kill", ""),
            ("cgroup.controllers", "cpuset pids\n"),
            ("cgroup.subtree_control", ""),
        ] {
            fs::write(at(file), text).unwrap();
        }
        let pool = Pool::at(directory.path()).unwrap();
        pool.enable_controllers().unwrap();
        let written = || fs::read_to_string(at("cgroup.subtree_control")).unwrap();
        assert_eq!(written(), "+pids");
        fs::write(at("cgroup.subtree_control"), "pids\n").unwrap();
        pool.enable_controllers().unwrap();
        assert_eq!(written(), "pids\n");
        let lacks = pool.lacks(Path::new("/nowhere"));
        assert!(
            lacks.contains(&(Controller::Memory, Lack::NotDelegated)),
            "{lacks:?}"
        );
        assert!(!lacks.iter().any(|(c, _)| *c == Controller::Pids));
    }
}
