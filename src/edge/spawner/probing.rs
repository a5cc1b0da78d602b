//! Starts the programs of probes: as their service itself, with its limits, and heard by nobody.

use super::{Spawning, errno};
use crate::config::Way;
use crate::core::fact::{Errno, ServiceId};
use crate::edge::clock;
use crate::edge::prober::{ProbeChild, ProbeOrder, ProberOrder};
use crate::edge::spawn::{Program, Stream};
use std::borrow::Cow;
use std::fs;

/// Our own program, whatever has become of its file.
const OURSELVES: &str = "/proc/self/exe";

/// The command that tries to reach these: `crate::cli::reach`.
fn reaching(targets: &[String], own_network: bool) -> Vec<String> {
    let words = [OURSELVES, "reach"].into_iter();
    let words = words.chain(own_network.then_some("--own-network"));
    let words = words.chain(targets.iter().map(String::as_str));
    words.map(str::to_owned).collect()
}

/// A process is in another network than we are. That cannot be seen by a daemon without rights, whose
/// services have none, either.
fn is_elsewhere(pid: u32) -> bool {
    let network = |whose: &str| fs::read_link(format!("/proc/{whose}/ns/net")).ok();
    let theirs = network(&pid.to_string());
    theirs.is_some() && theirs != network("self")
}

/// Puts the program of a probe where its service is: into its network, and, if it is to have the whole
/// of its view, behind mounts that are made as its own were. What only tries to connect needs neither
/// those nor its secrets, which would take as much memory once more.
fn join(program: &mut Program, pid: u32, (elsewhere, whole): (bool, bool)) {
    if !whole {
        program.sandbox = None;
    }
    let private = program
        .sandbox
        .as_ref()
        .is_some_and(|s| s.has_private_network());
    if private || elsewhere {
        let sandbox = program.sandbox.get_or_insert_default();
        sandbox.join_network(pid);
    }
}

impl Spawning {
    /// Starts the program of a probe, and hands it, or why there is none, to the prober.
    pub(super) fn start_probe(&mut self, order: ProbeOrder) {
        let born = self.try_probe(order);
        if let Some(prober) = &self.prober {
            // If it is not taken, the program is killed with what is dropped.
            let _ = prober.give(clock::now(), ProberOrder::Born(order, born));
        }
    }

    fn try_probe(&mut self, order: ProbeOrder) -> Result<ProbeChild, Errno> {
        let (service, kind) = order.key;
        let at = usize::from(service.0);
        self.prepare(service, false).map_err(|(_, errno)| errno)?;
        let plans = self.recipes.get(at).map(|recipe| &recipe.command.probes);
        let plan = plans.and_then(|plans| plans.iter().find(|plan| plan.kind == kind));
        // It has gone, and so there is nothing to probe.
        let pid = order.pid.ok_or(Errno(libc::ESRCH))?.number();
        let elsewhere = is_elsewhere(pid);
        let (argv, whole) = match plan.map(|plan| &plan.way) {
            Some(Way::Exec(argv)) => (Cow::Borrowed(argv.as_slice()), true),
            Some(Way::Unreachable(targets)) => (Cow::Owned(reaching(targets, elsewhere)), false),
            Some(Way::Tcp(_) | Way::Http(_) | Way::File { .. }) | None => {
                return Err(Errno(libc::ENOENT));
            }
        };
        let mut program = self.make_for_probe(at, &argv).map_err(|e| errno(&e))?;
        join(&mut program, pid, (elsewhere, whole));
        (program.output, program.errors) = (Stream::Null, Stream::Null);
        self.tidy_up(service);
        let name = &self.recipes[at].name;
        let leaf = self.pool.as_ref().map(|pool| pool.open_probe_leaf(name));
        let leaf = leaf.transpose().map_err(|e| errno(&e))?;
        program.cgroup = leaf.as_ref().map(|leaf| leaf.directory.clone());
        let births = self.births.clone();
        let _coming = births.begin();
        let spawned = self.spawner.spawn(&program);
        let spawned = spawned.map_err(|e| Errno(e.errno as i32))?;
        Ok(ProbeChild::new(spawned, leaf, births.others()))
    }

    /// Ends what probes of an earlier daemon have left of a service.
    pub(super) fn tidy_up(&mut self, service: ServiceId) {
        let Some(recipe) = self.recipes.get(usize::from(service.0)) else {
            return;
        };
        if recipe.command.probes.is_empty() || !self.tidied.insert(service) {
            return;
        }
        if let Some(pool) = &self.pool {
            pool.end_probes(&recipe.name);
        }
    }
}
