//! Reads the `[cap.NAME]` tables.

use super::keys;
use super::table::Table;
use crate::core::settings::Cap;
use std::path::Path;

/// Directories whose files belong to the system: a mistake there would cost the machine.
const REFUSED: [&str; 10] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/sbin", "/sys", "/usr",
];

/// Most caps. Each costs a look through its directory.
const MOST: usize = 64;

/// Reads all caps, sorted by name.
pub(super) fn caps(top: &mut Table<'_, '_, '_>) -> Option<Vec<Cap>> {
    let mut tables = top.group("cap");
    let mut headers: Vec<_> = tables.entries().map(|(name, _)| name).collect();
    headers.sort_by(|a, b| a.get_ref().cmp(b.get_ref()));
    let mut caps = Vec::new();
    let mut good = true;
    for header in headers {
        let name: &str = header.get_ref();
        match cap(tables.below(name, keys::CAP.keys), name) {
            Some(cap) => caps.push(cap),
            None => good = false,
        }
    }
    if caps.len() > MOST {
        let (span, what) = (tables.header(), format!("there are {} caps", caps.len()));
        let help = format!("write at most {MOST}");
        tables.report().error(span, what, help);
        return None;
    }
    good.then_some(caps)
}

fn cap(mut table: Table<'_, '_, '_>, name: &str) -> Option<Cap> {
    let dir = table.path("dir");
    let max = table.word_or_size("max");
    let only = table.texts("only");
    let keep = table.count("keep");
    let (dir, only) = (dir?, only?);
    let is_refused = |top: &str| match top {
        "/" => dir.value == Path::new("/"),
        top => dir.value.starts_with(top),
    };
    let refused = REFUSED.into_iter().find(|top| is_refused(top));
    let (span, what, help) = if let Some(top) = refused {
        let what = format!("`dir` is {}", dir.value.display());
        let help = format!("nothing is deleted in {top}: name a directory of logs or data");
        (dir.span.clone(), what, help)
    } else if only.value.is_empty() || only.value.iter().any(|form| form.trim() == "*") {
        let what = "`only` has to say which files may be deleted".to_owned();
        let help =
            "write forms of their names, such as \"*.log.*\"; \"*\" alone is refused".to_owned();
        (only.span.clone(), what, help)
    } else {
        return Some(Cap {
            name: name.into(),
            dir: dir.value.to_string_lossy().into(),
            max: max?.value?,
            only: only.value.iter().map(|form| form.as_str().into()).collect(),
            keep: keep?.value,
        });
    };
    let span = span.unwrap_or(table.header());
    table.report().error(span, what, help);
    None
}
