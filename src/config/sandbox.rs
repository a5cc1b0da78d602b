//! Reads what a service sees of the machine.

use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::service::{self, Draft};
use super::table::{At, Table};
use super::target::Target;
use super::value::{self, Node};
use super::{Command, ProbePlan, Way};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use toml::Spanned;

/// What a service sees of the machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sandbox {
    /// Room in its own /tmp and in its own /var/tmp, in bytes; `None` if it has none.
    pub private_tmp: Option<u64>,
    /// Below these it can change nothing. At most 32.
    pub read_only: Vec<PathBuf>,
    /// Below these, which are below those, it can do what it could do anyway. At most 32.
    pub writable: Vec<PathBuf>,
    /// It has a loopback interface of its own, and nothing else.
    pub private_network: bool,
    /// Where the file of each name is copied from. At most 32.
    pub secrets: BTreeMap<String, PathBuf>,
}

/// Most paths of one key, and most secrets.
const MOST: usize = 32;

/// What `private_tmp` hides.
const TMP: [&str; 2] = ["/tmp", "/var/tmp"];

/// Reads the keys of a sandbox. `None` inside: it sees everything.
pub(super) fn sandbox(table: &mut Table<'_, '_, '_>) -> Option<Option<Box<Sandbox>>> {
    let private_tmp = table.word_or_size("private_tmp");
    let read_only = table.other("read_only", paths);
    let writable = table.other("writable", paths);
    let private_network = table.flag("private_network");
    let given = table.gives("secrets");
    let secrets = table.other("secrets", secrets);
    if let (Some(read_only), Some(writable)) = (&read_only, &writable) {
        exceptions(table, &read_only.value, &writable.value);
    }
    let plain = |paths: At<Vec<At<PathBuf>>>| paths.value.into_iter().map(|p| p.value).collect();
    let sandbox = Sandbox {
        private_tmp: private_tmp?.value,
        read_only: plain(read_only?),
        writable: plain(writable?),
        private_network: private_network?.value,
        secrets: match secrets {
            Some(secrets) => secrets.value,
            None if given => return None,
            None => BTreeMap::new(),
        },
    };
    let all = sandbox == Sandbox::default();
    Some((!all).then(|| Box::new(sandbox)))
}

/// Reads a list of paths, each of which is meant as it is written.
fn paths(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Vec<At<PathBuf>>> {
    let items = value::list(report, path, node, &kind, "[\"/etc\"]")?;
    if items.len() > MOST {
        let what = format!("`{path}` names {} paths", items.len());
        report.error(node.span(), what, format!("name at most {MOST}"));
        return None;
    }
    let mut all: Vec<At<PathBuf>> = Vec::new();
    for item in items {
        let Some(found) = value::path(report, path, item, &Kind::Path) else {
            continue;
        };
        if found.components().any(|part| part == Component::ParentDir) {
            let what = format!("`{path}` cannot be {}", value::shown(item));
            let help = "write the path without ..".to_owned();
            report.error(item.span(), what, help);
            continue;
        }
        if all.iter().any(|known| known.value == found) {
            let what = format!("`{path}` names {} twice", value::shown(item));
            report.error(item.span(), what, "remove one of the two".to_owned());
            continue;
        }
        all.push(At {
            value: found,
            span: Some(item.span()),
        });
    }
    Some(all)
}

/// Reports exceptions from nothing.
fn exceptions(table: &mut Table<'_, '_, '_>, read_only: &[At<PathBuf>], writable: &[At<PathBuf>]) {
    let path = table.full("writable");
    for exception in writable {
        let shown = quote(&exception.value.to_string_lossy());
        let same = read_only.iter().any(|r| r.value == exception.value);
        let below = |r: &At<PathBuf>| exception.value.starts_with(&r.value);
        let (what, help) = if same {
            let help = "remove it from one of the two";
            (format!("{shown} is both read_only and writable"), help)
        } else if !read_only.iter().any(below) {
            let help = "remove it, or name a path above it as read_only, as in [\"/\"]";
            (
                format!("`{path}` names {shown}, which is below no path of read_only"),
                help,
            )
        } else {
            continue;
        };
        let span = exception.span.clone().unwrap_or(table.header());
        table.report().error(span, what, help.to_owned());
    }
}

/// Reads `secrets`.
fn secrets(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<BTreeMap<String, PathBuf>> {
    let Some(table) = node.get_ref().as_table() else {
        let help = "write it as { token = \"/etc/web/token\" }".to_owned();
        value::mistyped(report, path, node, &kind, help);
        return None;
    };
    if table.len() > MOST {
        let what = format!("`{path}` names {} secrets", table.len());
        report.error(node.span(), what, format!("name at most {MOST}"));
        return None;
    }
    let mut all = BTreeMap::new();
    for (name, node) in table {
        let named = secret_name(report, name);
        let path = format!("{path}.{}", value::key(name.get_ref()));
        let source = value::path(report, &path, node, &Kind::Path);
        if let (true, Some(source)) = (named, source) {
            all.insert(name.get_ref().to_string(), source);
        }
    }
    Some(all)
}

/// Reports a name that cannot be that of a file of its own.
fn secret_name(report: &mut Report<'_>, name: &Spanned<toml::de::DeString<'_>>) -> bool {
    let text: &str = name.get_ref();
    let good = service::is_file_name(text);
    if !good {
        let what = format!("{} cannot be the name of a secret", quote(text));
        let help = "use 1 to 64 letters, digits, -, _ and ., and begin with a letter or a digit";
        report.error(name.span(), what, help.to_owned());
    }
    good
}

/// Reports what a service needs, or who looks at it, and its sandbox would hide.
pub(super) fn hidden(top: &mut Table<'_, '_, '_>, runtime_dir: &At<PathBuf>, drafts: &[Draft]) {
    for draft in drafts {
        let Some((_, command)) = &draft.rest else {
            continue;
        };
        let Some(sandbox) = &command.sandbox else {
            continue;
        };
        let (report, at) = (top.report(), &draft.header);
        if sandbox.private_tmp.is_some() {
            behind_tmp(report, draft, at.clone(), (&runtime_dir.value, command));
        }
        let far = |plan: &ProbePlan| target(&plan.way).is_some_and(|t| path_of(t).is_none());
        if sandbox.private_network && command.probes.iter().any(far) {
            let what = format!(
                "a probe of {} cannot reach it in its `private_network`",
                draft.shown
            );
            let help = "probe a Unix socket or a file, or remove `private_network`".to_owned();
            report.error(at.clone(), what, help);
        }
    }
}

fn behind_tmp(
    report: &mut Report<'_>,
    draft: &Draft,
    at: Range<usize>,
    (runtime_dir, command): (&Path, &Command),
) {
    let sandbox = command.sandbox.iter();
    let own = sandbox.flat_map(|s| s.read_only.iter().chain(&s.writable));
    let own = own.map(|path| ("path", path.as_path()));
    let program = command.argv.first().map(|path| ("program", path.as_ref()));
    let probes = command.probes.iter().filter_map(|plan| match &plan.way {
        Way::Exec(argv) => Some(("probe's program", Path::new(argv.first()?))),
        Way::Tcp(target) => Some(("probe's socket", path_of(target)?)),
        Way::Http(url) => Some(("probe's socket", path_of(&url.target)?)),
        Way::File { path, .. } => Some(("probe's file", path.as_path())),
        Way::Unreachable(_) => None,
    });
    let needed = [
        ("runtime_dir", runtime_dir),
        ("directory", &command.directory),
    ];
    let needed = needed.into_iter().chain(program).chain(own).chain(probes);
    for (what, path) in needed.filter(|(_, path)| is_hidden(path)) {
        let what = format!(
            "the {what} {} of {} is hidden by its `private_tmp`",
            path.display(),
            draft.shown
        );
        let help = "choose another place for it, or remove `private_tmp`".to_owned();
        report.error(at.clone(), what, help);
    }
}

/// Whom a probe asks.
fn target(way: &Way) -> Option<&Target> {
    match way {
        Way::Tcp(target) => Some(target),
        Way::Http(url) => Some(&url.target),
        Way::Exec(_) | Way::File { .. } | Way::Unreachable(_) => None,
    }
}

/// Where it is, if that is a file.
fn path_of(target: &Target) -> Option<&Path> {
    match target {
        Target::Unix(path) => Some(path),
        Target::Inet(_) => None,
    }
}

fn is_hidden(path: &Path) -> bool {
    TMP.iter().any(|tmp| path.starts_with(tmp))
}
