//! Reads where the health endpoint listens, and for whom: `[health]`.

use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::table::Table;
use super::value::{self, Node};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

/// Most places. Each takes a descriptor; there are hardly more than one for each kind.
const PLACES_MAX: usize = 4;

/// Longest path of a Unix socket: `sun_path` of the kernel without the NUL.
const UNIX_MAX: usize = 107;

/// What to write.
const WRITE: &str = "write \"127.0.0.1:17171\", \"[::1]:17171\", \"unix:/run/fieldwarden/health.sock\" or \"systemd\"";

/// Where the endpoint listens, and for whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HealthPlan {
    /// Where; at least one, none of them twice.
    pub listen: Vec<Listen>,
    /// The file with what clients have to send over the network; absolute.
    pub token_file: Option<PathBuf>,
}

/// One place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listen {
    /// An address and a port.
    Inet(SocketAddr),
    /// The path of a Unix socket; absolute.
    Unix(PathBuf),
    /// What init passes.
    Systemd,
}

impl Listen {
    /// Only this machine reaches it, or whoever made the socket sees to that.
    fn is_here(&self) -> bool {
        match self {
            Listen::Inet(address) => address.ip().to_canonical().is_loopback(),
            Listen::Unix(_) | Listen::Systemd => true,
        }
    }
}

/// The endpoint, if there is to be one; the outer `None` if anything is wrong.
pub(super) fn plan(mut table: Table<'_, '_, '_>) -> Option<Option<HealthPlan>> {
    let said = table.gives("enabled");
    let enabled = table.flag("enabled");
    let listen = table.other("listen", places);
    let given = table.gives("token_file");
    let token = table.path("token_file");
    let (enabled, listen) = (enabled?, listen?);
    // One that is given and wrong has been reported.
    if given && token.is_none() {
        return None;
    }
    for (place, span) in &listen.value {
        if token.is_none() && !place.is_here() {
            let what = "other machines can reach this, and there is no token to know them by";
            let help = "add token_file = \"/etc/fieldwarden/health-token\" and write a secret of 16 bytes or \
                        more into it, or listen at 127.0.0.1";
            table
                .report()
                .error(span.clone(), what.to_owned(), help.to_owned());
            return None;
        }
    }
    let meant = token.as_ref().and_then(|token| token.span.clone());
    if let Some(span) = listen.span.or(meant).filter(|_| !said) {
        let what = "there is no health endpoint: it is off".to_owned();
        table
            .report()
            .warning(span, what, "add enabled = true".to_owned());
    }
    let plan = HealthPlan {
        listen: listen.value.into_iter().map(|(place, _)| place).collect(),
        token_file: token.map(|token| token.value),
    };
    Some(enabled.value.then_some(plan))
}

/// Reads `listen`.
fn places(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<(Listen, Range<usize>)>> {
    let items = value::list(report, path, node, &kind, "[\"127.0.0.1:17171\"]")?;
    if items.is_empty() || items.len() > PLACES_MAX {
        let what = format!("`{path}` names {} places", items.len());
        let help = format!("name 1 to {PLACES_MAX}; without an endpoint, enabled = false");
        report.error(node.span(), what, help);
        return None;
    }
    let mut places: Vec<(Listen, Range<usize>)> = Vec::new();
    let mut sound = true;
    for item in items {
        let text = value::string(report, path, item, &Kind::Text);
        let Some(text) = text else {
            sound = false;
            continue;
        };
        let problem = match place(text) {
            Ok(place) if places.iter().any(|(other, _)| *other == place) => Some((
                format!("`{path}` names {} twice", quote(text)),
                "remove one of the two",
            )),
            Ok(place) => {
                places.push((place, item.span()));
                None
            }
            Err((what, help)) => Some((format!("`{path}`: {what}"), help)),
        };
        if let Some((what, help)) = problem {
            report.error(item.span(), what, help.to_owned());
            sound = false;
        }
    }
    sound.then_some(places)
}

fn place(text: &str) -> Result<Listen, (String, &'static str)> {
    if text == "systemd" {
        return Ok(Listen::Systemd);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        if !path.starts_with('/') {
            let what = format!("{} is no absolute path of a socket", quote(path));
            return Err((
                what,
                "start it with /, as in \"unix:/run/fieldwarden/health.sock\"",
            ));
        }
        if path.len() > UNIX_MAX {
            let what = format!("the path of the socket has {} bytes", path.len());
            return Err((what, "the kernel takes at most 107 bytes"));
        }
        return Ok(Listen::Unix(PathBuf::from(path)));
    }
    let address = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse::<SocketAddr>(),
        None => text.parse::<SocketAddr>(),
    };
    match address {
        Ok(address) if address.port() > 0 => Ok(Listen::Inet(address)),
        Ok(_) | Err(_) => {
            let what = format!("{} is no address with a port from 1 to 65535", quote(text));
            Err((what, WRITE))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told apart, and what is none of them.
    #[test]
    fn places_are_read() {
        let here = |text| place(text).map(|place| place.is_here()).ok();
        for text in [
            "127.0.0.1:17171",
            "localhost:1",
            "127.9.9.9:65535",
            "[::1]:17171",
            "[::ffff:127.0.0.1]:80",
            "unix:/run/x",
            "systemd",
        ] {
            assert_eq!(here(text), Some(true), "{text}");
        }
        for text in ["0.0.0.0:17171", "[::]:80", "192.0.2.7:80", "[fe80::1]:80"] {
            assert_eq!(here(text), Some(false), "{text}");
        }
        let long = format!("unix:/{}", "x".repeat(UNIX_MAX));
        for text in [
            "",
            "17171",
            ":17171",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "localhost",
            "localhost:",
            "::1:80",
            "pi.local:80",
            "http://127.0.0.1:80",
            "unix:",
            "unix:run/x",
            "Systemd",
            &long,
        ] {
            assert!(place(text).is_err(), "{text}");
        }
    }
}
