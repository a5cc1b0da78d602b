//! Looks which controllers of control groups this machine has, and why one may be missing.

use crate::core::fact::{Controller, Lack};
use std::fs;
use std::path::Path;

/// Why limits of this controller cannot be enforced; `None` if they can, or if nobody can tell.
///
/// `root` is where the machine's files are, `/` in the field; `pool` is the directory of the group of
/// all services, where there is one.
pub fn lack(root: &Path, pool: Option<&Path>, controller: Controller) -> Option<Lack> {
    let groups = root.join("sys/fs/cgroup");
    let has = |directory: &Path| {
        let text = fs::read_to_string(directory.join("cgroup.controllers")).ok()?;
        Some(
            text.split_whitespace()
                .any(|name| name == controller.name()),
        )
    };
    if has(&groups) == Some(false) {
        let line = fs::read_to_string(root.join("proc/cmdline")).unwrap_or_default();
        return Some(match switched_off(&line, controller) {
            true => Lack::SwitchedOff,
            false => Lack::NotInKernel,
        });
    }
    if pool.and_then(has) == Some(false) {
        return Some(Lack::NotDelegated);
    }
    let unshared = controller == Controller::Io && !shares_by_weight(root);
    unshared.then_some(Lack::NoScheduler)
}

/// The kernel's command line names it as one that is not wanted.
fn switched_off(line: &str, controller: Controller) -> bool {
    let lists = line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("cgroup_disable="));
    lists
        .flat_map(|list| list.split(','))
        .any(|name| name == controller.name())
}

/// Some disk has a scheduler that knows weights, or the kernel's own model of costs is at work.
fn shares_by_weight(root: &Path) -> bool {
    let entries = fs::read_dir(root.join("sys/block")).into_iter().flatten();
    let schedulers = entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("queue/scheduler")).ok());
    let costs = fs::read_to_string(root.join("sys/fs/cgroup/io.cost.qos")).unwrap_or_default();
    schedulers.into_iter().any(|text| text.contains("[bfq]")) || costs.contains("enable=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these controllers at its root and in its pool, and this command line.
    fn machine(at_root: &str, in_pool: &str, line: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sys/fs/cgroup/cgroup.controllers", at_root);
        write("pool/cgroup.controllers", in_pool);
        write("proc/cmdline", line);
        write(
            "sys/block/mmcblk0/queue/scheduler",
            "[mq-deadline] bfq none\n",
        );
        root
    }

    #[test]
    fn what_lacks_and_why() {
        use Controller::{Cpu, Io, Memory, Pids};
        let all = "cpuset cpu io memory hugetlb pids rdma misc\n";
        let pi = "cpuset cpu io pids\n";
        let firmware = "coherent_pool=1M cgroup_disable=memory console=tty1 rootwait\n";
        for (at_root, in_pool, line, lacks) in [
            (all, "cpu io memory pids\n", "quiet", vec![]),
            (pi, pi, firmware, vec![(Memory, Lack::SwitchedOff)]),
            (
                pi,
                pi,
                "cgroup_disable=cpuset,memory",
                vec![(Memory, Lack::SwitchedOff)],
            ),
            (pi, pi, "quiet", vec![(Memory, Lack::NotInKernel)]),
            (
                "memory\n",
                "memory\n",
                "quiet",
                vec![(Cpu, Lack::NotInKernel), (Pids, Lack::NotInKernel)],
            ),
            (
                all,
                "cpu io pids\n",
                firmware,
                vec![(Memory, Lack::NotDelegated)],
            ),
            (
                all,
                "\n",
                "",
                vec![
                    (Cpu, Lack::NotDelegated),
                    (Memory, Lack::NotDelegated),
                    (Pids, Lack::NotDelegated),
                ],
            ),
        ] {
            let root = machine(at_root, in_pool, line);
            let pool = root.path().join("pool");
            let found: Vec<_> = [Cpu, Memory, Pids]
                .into_iter()
                .filter_map(|c| Some((c, lack(root.path(), Some(&pool), c)?)))
                .collect();
            assert_eq!(found, lacks, "{at_root:?} {in_pool:?} {line:?}");
        }
        // Weights of disks need more than the controller.
        let root = machine(all, all, "");
        assert_eq!(lack(root.path(), None, Io), Some(Lack::NoScheduler));
        let scheduler = root.path().join("sys/block/mmcblk0/queue/scheduler");
        fs::write(&scheduler, "mq-deadline [bfq] none\n").unwrap();
        assert_eq!(lack(root.path(), None, Io), None);
        fs::write(&scheduler, "[none]\n").unwrap();
        let costs = root.path().join("sys/fs/cgroup/io.cost.qos");
        fs::write(costs, "179:0 enable=1 ctrl=auto\n").unwrap();
        assert_eq!(lack(root.path(), None, Io), None);
        // Where nothing can be seen, nothing is claimed.
        assert_eq!(lack(Path::new("/nowhere"), None, Memory), None);
    }
}
