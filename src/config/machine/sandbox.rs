//! What this machine lacks for what a service is to see of it: paths, sources of secrets, kernel.

use crate::config::report::Report;
use crate::config::{Command, Sandbox};
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where the kernel shows that there are network name spaces.
const NETWORK: &str = "/proc/self/ns/net";

/// Since then a tree of mounts can be made read-only at once.
const READ_ONLY_SINCE: (u32, u32) = (5, 12);

/// Looks for all of them. It opens nothing: what a secret says is nobody's business.
pub(super) fn look(
    report: &mut Report<'_>,
    name: &str,
    command: &Command,
    find: &impl Fn(&[&str]) -> Range<usize>,
) {
    let Some(sandbox) = &command.sandbox else {
        return;
    };
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let here = (release.as_str(), Path::new(NETWORK).exists());
    kernel(report, name, sandbox, here, find);
    for (key, paths) in [
        ("read_only", &sandbox.read_only),
        ("writable", &sandbox.writable),
    ] {
        for path in paths {
            if let Err(error) = fs::metadata(path) {
                let what = format!("`{key}` names {}: {error}", path.display());
                let help = format!("{name} cannot be started until it is there");
                report.warning(find(&["service", name, key]), what, help);
            }
        }
    }
    for (secret, source) in &sandbox.secrets {
        if let Some((what, help)) = secret_lacks(name, source) {
            let span = find(&["service", name, "secrets", secret]);
            report.warning(span, format!("the secret {secret}: {what}"), help);
        }
    }
}

/// What the kernel, of this release and with network name spaces or without, cannot do.
fn kernel(
    report: &mut Report<'_>,
    name: &str,
    sandbox: &Sandbox,
    (release, networks): (&str, bool),
    find: &impl Fn(&[&str]) -> Range<usize>,
) {
    let release = release.trim();
    if !sandbox.read_only.is_empty() && version(release).is_some_and(|v| v < READ_ONLY_SINCE) {
        let what = format!("`read_only` needs Linux 5.12 or later, and this is {release}");
        let help = format!("{name} cannot be started with it");
        report.warning(find(&["service", name, "read_only"]), what, help);
    }
    if sandbox.private_network && !networks {
        let what = "this kernel has no network name spaces (CONFIG_NET_NS)".to_owned();
        let help = format!("{name} cannot be started with `private_network`");
        report.warning(find(&["service", name, "private_network"]), what, help);
    }
}

/// `6.1` of `6.1.0-rpi7-rpi-v8`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What is wrong with the source of a secret, and what to do.
fn secret_lacks(name: &str, source: &Path) -> Option<(String, String)> {
    let shown = source.display();
    let until = format!("{name} cannot be started until this is mended");
    let found = match fs::metadata(source) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let help = "run `fieldwarden check` as root, as the daemon runs".to_owned();
            return Some((format!("{shown} cannot be looked at: {error}"), help));
        }
        Err(error) => return Some((format!("{shown}: {error}"), until)),
    };
    if !found.is_file() {
        return Some((format!("{shown} is no regular file"), until));
    }
    if found.len() > SECRET_MAX {
        let what = format!(
            "{shown} has {} bytes, and at most 256 KiB are handed over",
            found.len()
        );
        return Some((what, until));
    }
    let mode = found.permissions().mode();
    (mode & 0o007 != 0).then(|| {
        let what = format!("{shown} is open to everybody (mode {:04o})", mode & 0o7777);
        (what, format!("chmod o= {shown}"))
    })
}

/// Largest secret in bytes; the spawner has the same number.
pub(super) const SECRET_MAX: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that is too old or was built without: said for each service that would fail on it.
    #[test]
    fn kernels_that_cannot_do_it_are_told() {
        let text = "[service.a]\ncommand = [\"/bin/true\"]\nread_only = [\"/etc\"]\n\
                    private_network = true\n[service.b]\ncommand = [\"/bin/true\"]\n";
        let config = crate::config::parse("test", text).unwrap().config;
        let sandbox = config.wiring.commands[0].sandbox.as_ref().unwrap();
        let said = |release: &str, networks| {
            let mut report = Report::of(&config.source);
            let find = |_: &[&str]| 0..0;
            kernel(&mut report, "a", sandbox, (release, networks), &find);
            let problems = report.finish();
            problems
                .iter()
                .map(|p| p.what().to_owned())
                .collect::<Vec<_>>()
        };
        let none: [&str; 0] = [];
        assert_eq!(said("6.1.0-rpi7-rpi-v8\n", true), none);
        assert_eq!(said("5.12.0", true), none);
        assert_eq!(said("unheard of", true), none);
        assert_eq!(
            said("5.10.103-v7l+\n", false),
            [
                "`read_only` needs Linux 5.12 or later, and this is 5.10.103-v7l+",
                "this kernel has no network name spaces (CONFIG_NET_NS)"
            ]
        );
    }

    #[test]
    fn one_number_bounds_a_secret() {
        assert_eq!(SECRET_MAX, crate::edge::spawn::SECRET_MAX as u64);
    }
}
