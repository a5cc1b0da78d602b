//! Compares a configuration with this machine. What it finds may change at any time, so it is
//! never an error.

mod container;
mod limits;
mod sandbox;
mod service;
mod unit;

pub use container::{ContainerFound, check_containers};

use super::accounts::Accounts;
use super::forest;
use super::problem::{Problem, Problems};
use super::report::Report;
use super::schema::brief;
use super::value::Node;
use super::{CgroupChoice, Config, LedPlan};
use crate::core::settings::WatchdogOwner;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// Looks for programs, directories and devices that are not there or cannot be used. All of what
/// it finds are warnings. It opens nothing but programs, to see which interpreter they name.
/// `watchdog_runs`: a hardware watchdog runs on this machine now; `None` if nobody can tell.
pub fn check_machine(config: &Config, watchdog_runs: Option<bool>) -> Vec<Problem> {
    let mut report = Report::of(&config.source);
    let tree = forest::grown(&config.source);
    let find = |path: &[&str]| locate(&tree, path).unwrap_or(0..0);
    machine(&mut report, config, &find);
    watchdog_can(&mut report, config, Path::new(WATCHDOGS), &find);
    watchdog_elsewhere(&mut report, config, watchdog_runs, &find);
    pool(&mut report, config, &UNITS.map(Path::new), &find);
    limits::look(&mut report, config, Path::new("/"), &find);
    let mut accounts = Accounts::of(Path::new("/etc"));
    accounts.refresh();
    let units = UNITS.iter().chain(&unit::MADE).map(Path::new);
    let units: Vec<&Path> = units.collect();
    let booted = Path::new(unit::BOOTED).is_dir();
    unit::look(&mut report, config, (booted, &units), &find);
    let services = config.settings.services.iter().zip(&config.wiring.commands);
    // Of a unit or a container nothing here is ours.
    for (service, command) in services.filter(|(service, _)| service.keeper.is_none()) {
        service::look(&mut report, &service.name, command, &accounts, &find);
        sandbox::look(&mut report, &service.name, command, &find);
    }
    report.finish().iter().cloned().collect()
}

/// What is wrong with a configuration that a daemon is to take up in the place of one with this runtime
/// directory: in another one it would not find what runs.
pub fn check_moved(config: &Config, from: &Path) -> Option<Problems> {
    let to = &config.wiring.runtime_dir;
    if to == from {
        return None;
    }
    let mut report = Report::of(&config.source);
    let tree = forest::grown(&config.source);
    let what = format!(
        "`runtime_dir` is {}, and that of the daemon that runs is {}",
        to.display(),
        from.display()
    );
    let help = "what runs would not be found there, and be started twice: leave it as it was, or stop the \
                daemon with its services first";
    let span = locate(&tree, &["runtime_dir"]).unwrap_or(0..0);
    report.error(span, what, help.to_owned());
    Some(report.finish())
}

/// The watchdog, control group and mount points.
fn machine(report: &mut Report<'_>, config: &Config, find: &impl Fn(&[&str]) -> Range<usize>) {
    let wiring = &config.wiring;
    let ours = config.settings.watchdog.owner == WatchdogOwner::Fieldwarden;
    if ours && !wiring.board.simulated && !wiring.watchdog_device.exists() {
        let what = format!("there is no {}", wiring.watchdog_device.display());
        let help = "a Pi has one by default, with an old release by `dtparam=watchdog=on` in config.txt; \
                    elsewhere load its driver, or set watchdog.owner to \"nobody\"";
        report.warning(find(&["watchdog", "device"]), what, help.to_owned());
    }
    if let Some(chip) = wiring.board.chips.first()
        && !Path::new(&format!("/dev/i2c-{}", chip.bus)).exists()
    {
        let what = format!(
            "there is no /dev/i2c-{}, which board {} needs",
            chip.bus, wiring.board.name
        );
        let help = "write dtparam=i2c_arm=on into config.txt and load the module i2c-dev";
        report.warning(find(&["board"]), what, help.to_owned());
    }
    led(report, config, find);
    if let CgroupChoice::At(path) = &wiring.cgroup
        && !path.join("cgroup.procs").exists()
    {
        let what = format!("`{}` is no control group", path.display());
        let help = "name a directory below /sys/fs/cgroup, or write \"auto\"";
        report.warning(find(&["cgroup"]), what, help.to_owned());
    }
    for mount in wiring
        .mounts
        .iter()
        .flatten()
        .filter(|mount| !mount.exists())
    {
        let what = format!("there is no {}", mount.display());
        let help = "it counts as unknown until it is there";
        report.warning(find(&["storage", "mounts"]), what, help.to_owned());
    }
}

/// An LED that the kernel does not know may come with a module; until then nothing is shown.
fn led(report: &mut Report<'_>, config: &Config, find: &impl Fn(&[&str]) -> Range<usize>) {
    let Some(LedPlan::Class { name }) = &config.wiring.led else {
        return;
    };
    if config.wiring.board.simulated || Path::new(LEDS).join(name).is_dir() {
        return;
    }
    let what = format!("there is no LED {name} ({LEDS}/{name})");
    let help = "`fieldwarden led list` shows those of this machine; until it is there, the machine \
                counts as degraded";
    report.warning(find(&["led", "name"]), what, help.to_owned());
}

/// Where the kernel shows its LEDs.
const LEDS: &str = "/sys/class/leds";

/// A watchdog that systemd is to pet is of no use until systemd has been told so.
fn watchdog_elsewhere(
    report: &mut Report<'_>,
    config: &Config,
    runs: Option<bool>,
    find: &impl Fn(&[&str]) -> Range<usize>,
) {
    let systemds = config.settings.watchdog.owner == WatchdogOwner::Systemd;
    if systemds && !config.wiring.board.simulated && runs == Some(false) {
        let what = "systemd is to pet the hardware watchdog, and none runs".to_owned();
        let help = "set RuntimeWatchdogSec= in a file below /etc/systemd/system.conf.d and load \
                    the driver, or set watchdog.owner to \"fieldwarden\"";
        report.warning(find(&["watchdog", "owner"]), what, help.to_owned());
    }
}

/// Where the kernel shows its watchdogs.
const WATCHDOGS: &str = "/sys/class/watchdog";

/// A timeout that is beyond what the driver can do is cut down by it.
fn watchdog_can(
    report: &mut Report<'_>,
    config: &Config,
    watchdogs: &Path,
    find: &impl Fn(&[&str]) -> Range<usize>,
) {
    let (watchdog, wiring) = (&config.settings.watchdog, &config.wiring);
    if watchdog.owner != WatchdogOwner::Fieldwarden || wiring.board.simulated {
        return;
    }
    let name = match wiring.watchdog_device.file_name().and_then(|n| n.to_str()) {
        // The old name of the first one.
        Some("watchdog") => "watchdog0",
        Some(name) => name,
        None => return,
    };
    let most = fs::read_to_string(watchdogs.join(name).join("max_timeout"));
    // Zero: the driver knows no bound.
    let most = most.ok().and_then(|text| text.trim().parse().ok());
    let most = most.filter(|most| *most > 0).map(Duration::from_secs);
    if let Some(most) = most.filter(|most| *most < watchdog.timeout) {
        let what = format!(
            "`watchdog.timeout` ({}) is more than {} can do ({})",
            brief(watchdog.timeout),
            wiring.watchdog_device.display(),
            brief(most)
        );
        let help = format!("write \"{}\": the driver takes no more", brief(most));
        report.warning(find(&["watchdog", "timeout"]), what, help);
    }
}

/// Where units are defined, the place that counts first.
const UNITS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Where systemd is to run the daemon, it has to have the unit of the pool, too.
fn pool(
    report: &mut Report<'_>,
    config: &Config,
    units: &[&Path],
    find: &impl Fn(&[&str]) -> Range<usize>,
) {
    let unit = |name: &str| {
        let paths = units.iter().map(|directory| directory.join(name));
        paths
            .into_iter()
            .find(|path| path.symlink_metadata().is_ok())
    };
    let auto = matches!(config.wiring.cgroup, CgroupChoice::Auto);
    if !auto || unit("fieldwarden.service").is_none() {
        return;
    }
    let what = match unit("fieldwarden-pool.service") {
        None => "there is no fieldwarden-pool.service".to_owned(),
        Some(path) if fs::canonicalize(&path).is_ok_and(|p| p == Path::new("/dev/null")) => {
            format!("fieldwarden-pool.service is masked by {}", path.display())
        }
        Some(_) => return,
    };
    let help = "services will end with the daemon: install or unmask that unit";
    report.warning(find(&["cgroup"]), what, help.to_owned());
}

/// Where a key of the file is: its value, or the nearest table around it that is given.
fn locate(tree: &DeTable<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (name, node) = tree.get_key_value(*first)?;
    let inside = match node.get_ref() {
        DeValue::Table(table) => locate(table, rest).or(Some(name.span())),
        DeValue::Array(items) => items.first().map(Node::span),
        _ => None,
    };
    inside.or(Some(node.span()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A driver that knows a bound is believed; one that knows none, or is not there, says nothing.
    #[test]
    fn a_timeout_that_the_driver_cannot_do_is_told() {
        let sys = tempfile::tempdir().unwrap();
        let said = |head: &str| {
            let text = format!("watchdog.timeout = \"30s\"\n{head}");
            let config = crate::config::parse("test", &text).unwrap().config;
            let mut report = Report::of(&config.source);
            watchdog_can(&mut report, &config, sys.path(), &|_: &[&str]| 0..0);
            let problems = report.finish();
            problems.iter().map(ToString::to_string).collect::<String>()
        };
        assert_eq!(said(""), "");
        let own = sys.path().join("watchdog0");
        fs::create_dir(&own).unwrap();
        for harmless in ["0\n", "30\n", "x\n", ""] {
            fs::write(own.join("max_timeout"), harmless).unwrap();
            assert_eq!(said(""), "", "{harmless:?}");
        }
        fs::write(own.join("max_timeout"), "15\n").unwrap();
        let old = "watchdog.device = \"/dev/watchdog\"\n";
        for (head, device) in [("", "/dev/watchdog0"), (old, "/dev/watchdog")] {
            let told = said(head);
            let what = format!("`watchdog.timeout` (30s) is more than {device} can do (15s)");
            assert!(
                told.contains(&what) && told.contains("help: write \"15s\""),
                "{told}"
            );
        }
        for head in ["watchdog.owner = \"nobody\"\n", "board = \"sim\"\n"] {
            assert_eq!(said(head), "");
        }
    }

    /// Whoever installs the daemon's unit needs the pool's; one that is masked is as good as none.
    #[test]
    fn a_daemon_without_its_pool_is_told() {
        let text = "[service.web]\ncommand = [\"/bin/true\"]\n";
        let config = crate::config::parse("test", text).unwrap().config;
        let (own, shipped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let said = || {
            let mut report = Report::of(&config.source);
            let units = [own.path(), shipped.path()];
            pool(&mut report, &config, &units, &|_: &[&str]| 0..0);
            let problems = report.finish();
            problems
                .iter()
                .map(|p| p.what().to_owned())
                .collect::<Vec<_>>()
        };
        assert!(said().is_empty());
        fs::write(shipped.path().join("fieldwarden.service"), "").unwrap();
        assert_eq!(said(), ["there is no fieldwarden-pool.service"]);
        fs::write(shipped.path().join("fieldwarden-pool.service"), "").unwrap();
        assert!(said().is_empty());
        symlink("/dev/null", own.path().join("fieldwarden-pool.service")).unwrap();
        assert!(said()[0].contains("is masked by"), "{:?}", said());
    }
}
