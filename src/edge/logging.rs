//! Log lines: for people at a terminal, or for the system's journal.

use env_logger::{Builder, Env, Target};
use log::{Level, LevelFilter, Record};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

/// Begins to log to standard error. `FIELDWARDEN_LOG` sets what is shown (default: `info`).
pub fn begin(journal_stream: Option<&str>) {
    let environment = Env::new().filter_or("FIELDWARDEN_LOG", "info");
    let mut builder = Builder::from_env(environment);
    builder
        .target(Target::Stderr)
        .filter_module("rppal", LevelFilter::Warn);
    if journal_stream.is_some_and(leads_to_stderr) {
        builder.format(|out, record| journal_line(out, record));
    } else {
        builder.format_target(false);
    }
    // A second call (the demo runs a daemon of its own) keeps the first logger.
    let _ = builder.try_init();
}

/// systemd tells in `JOURNAL_STREAM` which file its journal reads; only if that is our standard
/// error are the prefixes understood.
fn leads_to_stderr(journal_stream: &str) -> bool {
    let Some((device, inode)) = journal_stream.split_once(':') else {
        return false;
    };
    let Ok(file) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    device.parse() == Ok(file.dev()) && inode.parse() == Ok(file.ino())
}

/// One line with the journal's prefix of its priority. A line feed inside the message would lose the
/// prefix, so there is none.
fn journal_line(out: &mut dyn Write, record: &Record) -> io::Result<()> {
    let priority = match record.level() {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    writeln!(
        out,
        "<{priority}>{}",
        record.args().to_string().replace('\n', " ")
    )
}
