//! What this machine lacks for one service: its program, its directory, its user.

use crate::config::accounts::{Accounts, NoAccount};
use crate::config::report::Report;
use crate::config::{Command, Way, elf, value};
use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Bytes at the beginning of a script in which the kernel looks for its interpreter.
const SHEBANG_MAX: usize = 255;

/// Looks for all of them. It opens nothing but the program, to see what it asks for.
pub(super) fn look(
    report: &mut Report<'_>,
    name: &str,
    command: &Command,
    accounts: &Accounts,
    find: &impl Fn(&[&str]) -> Range<usize>,
) {
    let span = find(&["service", name, "command"]);
    let help = format!(
        "every start of {} fails until this is mended",
        value::key(name)
    );
    program(report, &command.argv, span, help);
    for plan in &command.probes {
        if let Way::Exec(argv) = &plan.way {
            let kind = plan.word();
            let span = find(&["service", name, "probe", kind, "exec"]);
            let name = value::key(name);
            let help = format!("the {kind} probe of {name} tells nothing until this is mended");
            program(report, argv, span, help);
        }
    }
    if !command.directory.is_dir() {
        let what = format!("`{}` is no directory", command.directory.display());
        let help = format!("{name} cannot be started until it exists");
        let span = find(&["service", name, "directory"]);
        report.warning(span, what, help);
    }
    // Whoever the daemon runs as exists.
    if let Err(missing) = accounts.find(&command.rights, (0, 0)) {
        let (key, tool) = match missing {
            NoAccount::User(_) => ("user", "adduser --system"),
            NoAccount::Group(_) => ("group", "addgroup --system"),
            NoAccount::GroupOfUser(_) => ("user", "adduser --system, or say which `group`"),
            NoAccount::Unreadable(_) => ("user", "a look at the file system"),
        };
        let key = match command.rights.group {
            None if key == "group" => "groups",
            Some(_) | None => key,
        };
        let help = format!("{name} cannot be started until there is: {tool}");
        report.warning(find(&["service", name, key]), missing.to_string(), help);
    }
}

/// A program of a service and what the kernel needs beside it: the interpreter of a script, the
/// loader of a program.
fn program(report: &mut Report<'_>, argv: &[String], span: Range<usize>, help: String) {
    let Some(path) = argv.first().map(PathBuf::from) else {
        return;
    };
    let shown = path.display();
    let what = match fs::metadata(&path) {
        Err(error) => format!("the program {shown} cannot be used: {error}"),
        Ok(found) if !found.is_file() => format!("the program {shown} is no regular file"),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            format!("the program {shown} is not executable")
        }
        Ok(_) => match inside(&path) {
            Some(what) => what,
            None => return,
        },
    };
    report.warning(span, what, help);
}

/// What is wrong with a program by its first bytes.
fn inside(path: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(elf::HEAD)
        .read_to_end(&mut head)
        .ok()?;
    let shown = path.display();
    let asks_for = match elf::program(&head) {
        Some(program) if !program.may_run_here() => {
            let (theirs, ours) = (program.built_for(), elf::this_machine());
            return Some(format!(
                "the program {shown} was built for {theirs}, and this machine is {ours}"
            ));
        }
        Some(program) => PathBuf::from(program.loader?),
        None if !head.starts_with(b"#!") => {
            return Some(format!(
                "the program {shown} is neither a program nor a script that begins with #!"
            ));
        }
        None => interpreter(&head)?,
    };
    let there = asks_for.exists();
    let lacks = || {
        format!(
            "the program {shown} asks for {}, which is not there",
            asks_for.display()
        )
    };
    (!there).then(lacks)
}

/// The interpreter that the first line of a script names.
fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let head = head.get(..SHEBANG_MAX.min(head.len()))?;
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let word = std::str::from_utf8(line)
        .ok()?
        .split_ascii_whitespace()
        .next()?;
    Some(PathBuf::from(word))
}
