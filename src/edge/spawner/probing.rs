//! Starts the programs of probes: as their service itself, with its limits, and heard by nobody.

use super::{Spawning, errno};
use crate::config::Way;
use crate::core::fact::{Errno, ServiceId};
use crate::edge::clock;
use crate::edge::prober::{ProbeChild, ProbeOrder, ProberOrder};
use crate::edge::spawn::Stream;
use std::borrow::Cow;

/// Our own program, whatever has become of its file.
const OURSELVES: &str = "/proc/self/exe";

/// The command that tries to reach these: `crate::cli::reach`.
fn reaching(targets: &[String]) -> Vec<String> {
    let words = [OURSELVES, "reach"].map(str::to_owned);
    words.into_iter().chain(targets.iter().cloned()).collect()
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
        let argv = match plan.map(|plan| &plan.way) {
            Some(Way::Exec(argv)) => Cow::Borrowed(argv.as_slice()),
            Some(Way::Unreachable(targets)) => Cow::Owned(reaching(targets)),
            Some(Way::Tcp(_) | Way::Http(_) | Way::File { .. }) | None => {
                return Err(Errno(libc::ENOENT));
            }
        };
        let mut program = self.make_for_probe(at, &argv).map_err(|e| errno(&e))?;
        if let (Some(sandbox), Some(pid)) = (&mut program.sandbox, order.pid) {
            sandbox.join_network(pid.number());
        }
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
