//! Reads who a service is, and what one of its processes may do.

use super::capability::{self, Capabilities};
use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::table::Table;
use super::value::{self, Node};

/// Who a service runs as, and which rights it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Its user, by name or number; `None` for the daemon's own.
    pub user: Option<String>,
    /// Its group, by name or number; `None` for that of its user.
    pub group: Option<String>,
    /// Its supplementary groups, by name or number; `None` for those of its user.
    pub groups: Option<Vec<String>>,
    /// Exactly what it may do; `None` for what comes with its user.
    pub capabilities: Option<Capabilities>,
    /// No program that it starts gives it more rights.
    pub no_new_privileges: bool,
    /// Permission bits that its new files do not get. 0 to 0o777.
    pub umask: u32,
}

/// A resource of which one process may have so much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// Open files, `nofile`.
    OpenFiles,
    /// Processes of its user, `nproc`.
    Processes,
    /// Size of a core dump in bytes, `core`.
    CoreSize,
    /// Locked memory in bytes, `memlock`.
    LockedMemory,
    /// Stack in bytes, `stack`.
    Stack,
    /// Size of a file in bytes, `fsize`.
    FileSize,
    /// Address space in bytes, `as`.
    AddressSpace,
}

/// What bounds each process of a service by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Nice value, -20 to 19; `None` for the daemon's.
    pub nice: Option<i32>,
    /// Adjustment of the out-of-memory score, -1000 to 1000.
    pub oom_score: i32,
    /// Limits that it cannot raise; `None` inside is unlimited.
    pub limits: Vec<(Resource, Option<u64>)>,
}

/// Longest name of a user or group; that of Debian's tools is 32.
const NAME_MAX: usize = 256;

/// Reads the keys of rights.
pub(super) fn rights(table: &mut Table<'_, '_, '_>) -> Option<Rights> {
    let user = table.other("user", |report, path, node, kind| {
        account(report, path, node, &kind)
    });
    let group = table.other("group", |report, path, node, kind| {
        account(report, path, node, &kind)
    });
    let groups = table.other("groups", accounts);
    let capabilities = table.other("capabilities", capabilities);
    let no_new_privileges = table.flag("no_new_privileges");
    let umask = table.other("umask", umask);
    let user = user.map(|user| user.value);
    // On Raspberry Pi OS the first user may do everything by sudo: without this, running as that
    // user would be no limit at all.
    let other = user.as_deref().is_some_and(|u| u != "root" && u != "0");
    Some(Rights {
        group: group.map(|group| group.value),
        groups: groups.map(|groups| groups.value),
        capabilities: capabilities.map(|capabilities| capabilities.value),
        no_new_privileges: no_new_privileges.map_or(other, |flag| flag.value),
        umask: umask?.value,
        user,
    })
}

/// Reads the keys of bounds.
pub(super) fn bounds(table: &mut Table<'_, '_, '_>) -> Option<Bounds> {
    let nice = table.signed("nice");
    let oom_score = table.signed("oom_score");
    let mut inner = table.inner("limits");
    let mut limits = Vec::new();
    for (name, resource) in [
        ("nofile", Resource::OpenFiles),
        ("nproc", Resource::Processes),
    ] {
        if let Some(limit) = inner.word_or_count(name) {
            limits.push((resource, limit.value.map(u64::from)));
        }
    }
    for (name, resource) in [
        ("core", Resource::CoreSize),
        ("memlock", Resource::LockedMemory),
        ("stack", Resource::Stack),
        ("fsize", Resource::FileSize),
        ("as", Resource::AddressSpace),
    ] {
        if let Some(limit) = inner.word_or_size(name) {
            limits.push((resource, limit.value));
        }
    }
    Some(Bounds {
        nice: nice.map(|nice| nice.value),
        oom_score: oom_score?.value,
        limits,
    })
}

/// The name or number of a user or group.
fn account(report: &mut Report<'_>, path: &str, node: &Node<'_>, kind: &Kind) -> Option<String> {
    let example = match kind {
        Kind::User => "\"www-data\"",
        _ => "\"gpio\"",
    };
    let Some(text) = node.get_ref().as_str() else {
        let help = match node.get_ref().as_integer() {
            Some(number) => format!("write it in quotes, numbers too, as in \"{number}\""),
            None => format!("write it in quotes, as in {example}"),
        };
        value::mistyped(report, path, node, kind, help);
        return None;
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '/' | ',');
    // Only letters tell a name from a number; the largest number means "unchanged" to the kernel.
    let numeric = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let beyond = numeric && text.parse::<u32>().is_ok_and(|n| n == u32::MAX);
    let unreadable = numeric && text.parse::<u32>().is_err();
    if text.is_empty() || text.len() > NAME_MAX || text.contains(odd) || beyond || unreadable {
        let what = format!("`{path}` cannot be {}", quote(text));
        let help = format!("write {kind}, as in {example}");
        report.error(node.span(), what, help);
        return None;
    }
    Some(text.to_owned())
}

/// Reads a list of users or groups.
pub(super) fn accounts(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<String>> {
    /// What the kernel takes is far more; nobody is in so many groups.
    const MOST: usize = 64;
    let (one, all, example) = match kind {
        Kind::Users => (Kind::User, "users", "[\"pi\"]"),
        _ => (Kind::Group, "groups", "[\"i2c\", \"gpio\"]"),
    };
    let items = value::list(report, path, node, &kind, example)?;
    if items.len() > MOST {
        let what = format!("`{path}` names {} {all}", items.len());
        report.error(node.span(), what, format!("name at most {MOST}"));
        return None;
    }
    let read = |item| account(report, path, item, &one);
    let names: Vec<Option<String>> = items.iter().map(read).collect();
    names.into_iter().collect()
}

/// Reads `capabilities`.
fn capabilities(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Capabilities> {
    let items = value::list(report, path, node, &kind, "[\"net_bind_service\"]")?;
    let mut set = Capabilities::default();
    for item in items {
        let Some(text) = item.get_ref().as_str() else {
            let help = "write names in quotes, as in [\"net_bind_service\"]".to_owned();
            let what = format!("an item of `{path}` must be a text");
            report.error(item.span(), what, help);
            continue;
        };
        match capability::number(text) {
            Some(number) => set.0 |= 1 << number,
            None => {
                let near = value::nearest(text, capability::NAMES.into_iter());
                let help = match near {
                    Some(word) => format!("did you mean \"{word}\"? capabilities(7) has them all"),
                    None => format!("write some of: {}", capability::NAMES.join(", ")),
                };
                let what = format!("`{path}`: {} is no capability", quote(text));
                report.error(item.span(), what, help);
            }
        }
    }
    Some(set)
}

/// Reads `umask`.
fn umask(report: &mut Report<'_>, path: &str, node: &Node<'_>, kind: Kind) -> Option<u32> {
    let Some(text) = node.get_ref().as_str() else {
        let help = "write it as a text, as in \"022\" or \"077\"".to_owned();
        value::mistyped(report, path, node, &kind, help);
        return None;
    };
    let digits = text.strip_prefix('0').unwrap_or(text);
    let octal = (2..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    match u32::from_str_radix(digits, 8) {
        Ok(mask) if octal && mask <= 0o777 => Some(mask),
        Ok(_) | Err(_) => {
            let what = format!("`{path}` cannot be {}", quote(text));
            report.error(node.span(), what, format!("write {kind}, as in \"027\""));
            None
        }
    }
}
