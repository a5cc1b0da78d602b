//! Puts the trees of several files together.
//!
//! The rule: tables are merged key by key, and any other value of a later file takes the place of what
//! an earlier one says, a list as a whole. A service that two files define in full is more likely a
//! mistake than meant; that is told.
//!
//! Spans count through all files, so that each place is found in its own.

use super::build;
use super::report::Report;
use super::source::Source;
use super::syntax::{self, Tree};
use super::value::{self, Node};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// Keys by which a service is what it is. Who gives one of them defines it.
const DEFINES: [&str; 3] = ["command", "unit", "container"];

/// The tree of all files; what is not TOML goes to the report. `None` if one of them is of a later
/// version of the format: nothing else of it can be judged.
pub(super) fn tree<'i>(source: &'i Source, report: &mut Report<'i>) -> Option<Tree<'i>> {
    let mut whole: Option<Tree<'i>> = None;
    let mut readable = true;
    for (begin, file) in source.begins() {
        report.set_begin(begin);
        let mut tree = syntax::tree(&file.text, report);
        report.set_begin(0);
        if begin > 0 {
            let table = std::mem::take(tree.table.get_mut());
            *tree.table.get_mut() = shifted(table, begin);
        }
        readable &= !build::newer(report, tree.table.get_ref(), tree.sound);
        let Some(before) = &mut whole else {
            whole = Some(tree);
            continue;
        };
        before.sound &= tree.sound;
        let mut table = std::mem::take(tree.table.get_mut());
        table.remove("version");
        merge(before.table.get_mut(), table, &mut Vec::new(), report);
    }
    whole.filter(|_| readable)
}

/// The tree of files that have been read before without an error.
pub(super) fn grown(source: &Source) -> DeTable<'_> {
    let tree = tree(source, &mut Report::of(source));
    tree.map_or_else(DeTable::new, |tree| tree.table.into_inner())
}

/// Merges a later table into an earlier one, key by key. `path`: where they stand.
pub(super) fn merge<'i>(
    into: &mut DeTable<'i>,
    from: DeTable<'i>,
    path: &mut Vec<String>,
    report: &mut Report<'i>,
) {
    for (key, node) in from {
        let name: &str = key.get_ref();
        let old = into.get_mut(name);
        match (old.map(Spanned::get_mut), node.get_ref()) {
            (Some(DeValue::Table(old)), DeValue::Table(_)) => {
                path.push(name.to_owned());
                if let DeValue::Table(new) = node.into_inner() {
                    merge(old, new, path, report);
                }
                path.pop();
                continue;
            }
            (Some(_), _) => {
                if let Some((before, _)) = into.remove_entry(name) {
                    defined_twice(path, name, before.span(), key.span(), report);
                }
            }
            (None, _) => {}
        }
        into.insert(key, node);
    }
}

/// Tells of a service that two files define.
fn defined_twice(
    path: &[String],
    key: &str,
    before: Range<usize>,
    now: Range<usize>,
    report: &mut Report<'_>,
) {
    let [section, service] = path else { return };
    if section != "service" || !DEFINES.contains(&key) {
        return;
    }
    let (file, line) = report.file_and_line(before.start);
    let what = format!(
        "service {} is defined in {file}:{line} already; `{key}` of that file counts for nothing",
        value::key(service)
    );
    let help = "give one of the two another name, or leave this key to one file".to_owned();
    report.warning(now, what, help);
}

/// The same tree with all spans further behind.
fn shifted<'i>(table: DeTable<'i>, by: usize) -> DeTable<'i> {
    let pair = |(key, node): (Spanned<DeString<'i>>, Node<'i>)| {
        let span = key.span();
        let key = Spanned::new(span.start + by..span.end + by, key.into_inner());
        (key, shifted_node(node, by))
    };
    table.into_iter().map(pair).collect()
}

fn shifted_node(node: Node<'_>, by: usize) -> Node<'_> {
    let span = node.span();
    let value = match node.into_inner() {
        DeValue::Table(table) => DeValue::Table(shifted(table, by)),
        DeValue::Array(items) => {
            let mut array = DeArray::new();
            for item in items {
                array.push(shifted_node(item, by));
            }
            DeValue::Array(array)
        }
        other => other,
    };
    Spanned::new(span.start + by..span.end + by, value)
}
