//! Reads what a service must not reach.
//!
//! Names stay names here: whoever tries to reach them looks them up, as the service would.

use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::value::{self, Node};

/// Most of them: each is a connection that is tried.
pub const MOST: usize = 32;

/// Longest name of a host: RFC 1035, 2.3.4.
const NAME_MAX: usize = 253;

const HELP: &str = "write a name or an address, and a port, as in \"db:5432\", \"192.0.2.7:22\" or \
    \"[2001:db8::7]:22\"";

/// Reads the value of `must_not_reach`.
pub(super) fn targets(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<String>> {
    let items = value::list(report, path, node, &kind, "[\"db:5432\"]")?;
    if items.len() > MOST {
        let what = format!("`{path}` names {}", items.len());
        report.error(node.span(), what, format!("name at most {MOST}"));
        return None;
    }
    let mut all = Vec::new();
    for item in items {
        let text = value::string(report, path, item, &Kind::Text)?;
        let what = if !is_target(text) {
            format!("`{path}` cannot be {}", quote(text))
        } else if all.iter().any(|known| known == text) {
            format!("`{path}` names {} twice", quote(text))
        } else {
            all.push(text.to_owned());
            continue;
        };
        report.error(item.span(), what, HELP.to_owned());
        return None;
    }
    Some(all)
}

/// Whether a text names a host and a port.
pub fn is_target(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let host = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let first = host.starts_with(|c: char| c.is_ascii_alphanumeric());
            first && host.len() <= NAME_MAX && host.chars().all(named)
        }
    };
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    host && digits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hosts and ports are told from everything else, above all from what could be an option.
    #[test]
    fn targets_are_told() {
        for good in ["db:5432", "192.0.2.7:22", "[::1]:80", "a_b.c-d:65535"] {
            assert!(is_target(good), "{good}");
        }
        let long = format!("{}:1", "a".repeat(254));
        for bad in [
            "db",
            "db:0",
            "db:65536",
            "db:+1",
            ":80",
            "--help:80",
            "::1:80",
            "[x]:80",
            "a b:1",
            &long,
        ] {
            assert!(!is_target(bad), "{bad}");
        }
    }
}
