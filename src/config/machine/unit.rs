//! Services that are units of systemd, and what this machine lacks for them.

use crate::config::Config;
use crate::config::report::Report;
use crate::config::unit::OURS;
use crate::core::settings::Keeper;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where systemd says that it runs the machine, sd_booted(3).
pub(super) const BOOTED: &str = "/run/systemd/system";

/// Where units come from that nobody has installed, beside the places of all others.
pub(super) const MADE: [&str; 3] = [
    "/run/systemd/generator.early",
    "/run/systemd/generator",
    "/run/systemd/generator.late",
];

/// Reports what keeps units from being watched. `booted`: systemd runs this machine; `places`: where
/// units are defined, those first that count first.
pub(super) fn look(
    report: &mut Report<'_>,
    config: &Config,
    (booted, places): (bool, &[&Path]),
    find: &impl Fn(&[&str]) -> Range<usize>,
) {
    let mut seen: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for service in &config.settings.services {
        let Some(Keeper::Systemd { unit, .. }) = service.keeper.as_deref() else {
            continue;
        };
        let name = &*service.name;
        let (what, help) = if config.wiring.board.simulated {
            (
                format!("{name} is a unit, and a daemon of a simulated board asks no systemd"),
                "its state stays unknown there".to_owned(),
            )
        } else if !booted {
            (
                format!("{name} is a unit, and no systemd runs this machine"),
                "give it a `command` in place of kind = \"unit\", or run the daemon where systemd runs"
                    .to_owned(),
            )
        } else {
            match defined(unit, places) {
                Some(file) if file == Path::new("/dev/null") => (
                    format!("{unit} is masked"),
                    format!("`systemctl unmask {unit}`; it is not started until then"),
                ),
                Some(file) => match same(unit, name, file, &mut seen) {
                    Some(problem) => problem,
                    None => continue,
                },
                None => (
                    format!("there is no unit {unit}"),
                    "install what it belongs to, or correct `unit`".to_owned(),
                ),
            }
        };
        report.warning(find(&["service", name, "unit"]), what, help);
    }
}

/// A name that is another one's alias: what is wrong with it, and what helps. `seen`: the services of
/// the units so far, by what defines these.
fn same<'a>(
    unit: &str,
    service: &'a str,
    file: PathBuf,
    seen: &mut BTreeMap<PathBuf, &'a str>,
) -> Option<(String, String)> {
    let real = file.file_name().unwrap_or_default().to_string_lossy();
    if real.contains('@') {
        // A template is as many units as it has instances.
        return None;
    }
    let help = "remove one of the two".to_owned();
    if OURS.contains(&&*real) {
        let what = format!("{unit} is our own {real}, which a halt would stop");
        return Some((what, "choose another unit".to_owned()));
    }
    let what = format!("{service} is the same unit {real} as ");
    let other = seen.insert(file, service)?;
    Some((what + other, help))
}

/// The file that defines a unit, /dev/null if it is masked; `None` if it is not defined.
fn defined(unit: &str, places: &[&Path]) -> Option<PathBuf> {
    // An instance is defined by its template: web@one.service by web@.service.
    let template = unit
        .split_once('@')
        .map(|(stem, _)| format!("{stem}@.service"));
    let names = [Some(unit.to_owned()), template];
    let mut files = names.iter().flatten().flat_map(|name| {
        let paths = places.iter().map(move |place| place.join(name));
        paths.filter(|path| path.symlink_metadata().is_ok())
    });
    let file = files.next()?;
    Some(fs::canonicalize(&file).unwrap_or(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn said(head: &str, booted: bool, place: &Path) -> Vec<String> {
        let text = format!("{head}[service.web]\nkind = \"unit\"\nunit = \"web@1.service\"\n");
        let config = crate::config::parse("test", &text).unwrap().config;
        let mut report = Report::of(&config.source);
        look(&mut report, &config, (booted, &[place]), &|_: &[&str]| 0..0);
        let problems = report.finish();
        problems.iter().map(|p| p.what().to_owned()).collect()
    }

    #[test]
    fn what_a_unit_lacks_is_told() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        assert_eq!(said("", true, place), ["there is no unit web@1.service"]);
        fs::write(place.join("web@.service"), "").unwrap();
        assert!(said("", true, place).is_empty());
        symlink("/dev/null", place.join("web@1.service")).unwrap();
        assert_eq!(said("", true, place), ["web@1.service is masked"]);
        let none = "web is a unit, and no systemd runs this machine";
        assert_eq!(said("", false, place), [none]);
        let sim = said("board = \"sim\"\n", true, place);
        assert!(sim[0].contains("simulated board"), "{sim:?}");
    }
    /// Two names of one unit, and another name of our own.
    #[test]
    fn aliases_are_told() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        for unit in [
            "redis-server.service",
            "fieldwarden.service",
            "web@.service",
        ] {
            fs::write(place.join(unit), "").unwrap();
        }
        symlink("redis-server.service", place.join("redis.service")).unwrap();
        symlink("fieldwarden.service", place.join("warden.service")).unwrap();
        let units = ["redis-server", "redis", "warden", "web@1", "web@2"];
        let text = units.iter().enumerate().map(|(i, unit)| {
            format!("[service.s{i}]\nkind = \"unit\"\nunit = \"{unit}.service\"\n")
        });
        let text: String = text.collect();
        let config = crate::config::parse("test", &text).unwrap().config;
        let mut report = Report::of(&config.source);
        look(&mut report, &config, (true, &[place]), &|_: &[&str]| 0..0);
        let problems = report.finish();
        let told: Vec<&str> = problems.iter().map(|p| p.what()).collect();
        let all = [
            "s1 is the same unit redis-server.service as s0",
            "warden.service is our own fieldwarden.service, which a halt would stop",
        ];
        assert_eq!(told, all);
    }
}
