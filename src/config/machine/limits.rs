//! Limits of services that this kernel would not enforce.

use crate::config::report::Report;
use crate::config::{CgroupChoice, Config, controllers};
use crate::core::fact::{Controller, Lack};
use std::ops::Range;
use std::path::Path;

/// Reports every service that asks for a limit of a controller which is not there. The groups of the
/// services are looked at only where the configuration names their directory: the unit's come and go.
pub(super) fn look(
    report: &mut Report<'_>,
    config: &Config,
    root: &Path,
    find: &impl Fn(&[&str]) -> Range<usize>,
) {
    let pool = match &config.wiring.cgroup {
        CgroupChoice::At(path) if path.join("cgroup.controllers").exists() => Some(path.as_path()),
        CgroupChoice::At(_) | CgroupChoice::Auto | CgroupChoice::None => None,
    };
    let lack = |controller: Controller| match &config.wiring.cgroup {
        CgroupChoice::None => Some(Lack::NoPool),
        CgroupChoice::Auto | CgroupChoice::At(_) => controllers::lack(root, pool, controller),
    };
    for (service, command) in config.settings.services.iter().zip(&config.wiring.commands) {
        for (controller, key) in &command.share.asked {
            if let Some(lack) = lack(*controller) {
                let name = &*service.name;
                let what = format!("`{key}` of {name} is not enforced");
                let span = find(&["service", name, key]);
                report.warning(span, what, lack.remedy().to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A Pi whose firmware has switched the memory controller off: said for each service that asks for
    /// a limit of memory, with the remedy, and for nobody else.
    #[test]
    fn a_pi_without_the_memory_controller_is_told() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n");
        write(
            "proc/cmdline",
            "coherent_pool=1M cgroup_disable=memory rootwait\n",
        );
        let said = |head: &str| {
            let text = format!(
                "{head}[service.a]\ncommand = [\"/bin/true\"]\npids_max = 10\nmemory_max = \"64MiB\"\n\
                 [service.b]\ncommand = [\"/bin/true\"]\n"
            );
            let config = crate::config::parse("test", &text).unwrap().config;
            let mut report = Report::of(&config.source);
            look(&mut report, &config, root.path(), &|_: &[&str]| 0..0);
            let problems = report.finish();
            let list = problems
                .iter()
                .map(|p| (p.what().to_owned(), p.help().to_owned()));
            list.collect::<Vec<_>>()
        };
        let found = said("");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "`memory_max` of a is not enforced");
        assert!(found[0].1.contains("cgroup_enable=memory"), "{found:?}");
        let none = said("cgroup = \"none\"\n");
        assert_eq!(none.len(), 2, "{none:?}");
        assert!(
            none[0].1.contains("no control groups of their own"),
            "{none:?}"
        );
    }
}
