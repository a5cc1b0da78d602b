//! Manual pages, made from the description of the command line and from the list of keys.

use super::page::root;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use fieldwarden::config::keys::SECTIONS;
use fieldwarden::config::schema::{Absent, Key, Section};
use fieldwarden::{cli, error::EXIT_CODES};
use std::collections::BTreeMap;
use std::fs;

/// Where they are.
const FOLDER: &str = "docs/man";

/// What stands in the corner of each page.
const MANUAL: &str = "Fieldwarden Manual";

const SOURCE: &str = concat!("fieldwarden ", env!("CARGO_PKG_VERSION"));

/// Files that a person may want to find.
const FILES: [(&str, &str); 7] = [
    (
        "/etc/fieldwarden/fieldwarden.toml",
        "Configuration, see fieldwarden.toml(5).",
    ),
    (
        "/etc/fieldwarden/conf.d/*.toml",
        "Drop-ins, read after it in the order of their names.",
    ),
    (
        "/var/lib/fieldwarden/journal",
        "Journal of events; it outlives the boot and is bounded to 2 MiB.",
    ),
    ("/run/fieldwarden/control.sock", "Control socket."),
    (
        "/run/fieldwarden/trace, trace.1",
        "What the daemon was told and what it answered; input of replay.",
    ),
    (
        "/run/fieldwarden/service/NAME",
        "Notify socket, output and run record of a service.",
    ),
    (
        "fieldwarden.service, fieldwarden-pool.service",
        "The daemon's unit, and the unit whose control group holds the services.",
    ),
];

/// What signals to the daemon do.
const SIGNALS: [(&str, &str); 3] = [
    ("TERM, INT", "Stop all services in order, then end."),
    (
        "QUIT",
        "End, and leave the services running for the next start.",
    ),
    (
        "HUP",
        "Reload, as with the command; what comes of it is in the log.",
    ),
];

/// Each page is what is generated now.
#[test]
fn manual_pages_are_current() {
    let folder = root().join(FOLDER);
    let pages = pages();
    if std::env::var_os("REWRITE").is_some() {
        fs::create_dir_all(&folder).expect("writable sources");
        for (name, text) in &pages {
            fs::write(folder.join(name), text).expect("writable sources");
        }
    }
    let mut wrong = Vec::new();
    for (name, text) in &pages {
        if fs::read_to_string(folder.join(name)).unwrap_or_default() != *text {
            wrong.push(name.clone());
        }
    }
    for entry in fs::read_dir(&folder).expect("docs/man") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy().into_owned();
        if !pages.contains_key(&name) {
            wrong.push(format!("{name} (no such command)"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{FOLDER} is behind: {wrong:?}\n`cargo xtask man` writes it anew"
    );
}

/// Every key is in the page about the configuration.
#[test]
fn every_key_is_in_the_manual() {
    let page = config_page();
    for Section { keys, .. } in SECTIONS {
        for key in keys
            .iter()
            .flat_map(|k| std::iter::once(k).chain(k.inside()).chain(k.deeper()))
        {
            let name = key.name.replace('-', "\\-");
            assert!(page.contains(&format!("\\fB{name}\\fR")), "{}", key.name);
        }
    }
}

fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut root = cli::command();
    root.build();
    for command in root.get_subcommands().filter(|s| !s.is_hide_set()) {
        pages.insert(
            format!("fieldwarden-{}.1", command.get_name()),
            command_page(command),
        );
        let below = command.get_subcommands().filter(|s| s.get_name() != "help");
        for inner in below {
            let name = format!("fieldwarden-{}-{}.1", command.get_name(), inner.get_name());
            pages.insert(name, command_page(inner));
        }
    }
    pages.insert("fieldwarden.1".to_owned(), main_page(&root));
    pages.insert("fieldwarden.toml.5".to_owned(), config_page());
    pages
}

/// The part of a page that clap knows.
fn head(command: &clap::Command) -> Vec<u8> {
    let man = Man::new(command.clone()).source(SOURCE).manual(MANUAL);
    let mut out = Vec::new();
    let parts = [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
        Man::render_options_section,
    ];
    for part in parts {
        part(&man, &mut out).expect("memory takes it");
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)
            .expect("memory takes it");
    }
    out
}

fn finish(mut out: Vec<u8>, roff: &Roff) -> String {
    roff.to_writer(&mut out).expect("memory takes it");
    String::from_utf8(out).expect("text")
}

fn command_page(command: &clap::Command) -> String {
    let mut roff = Roff::new();
    examples(&mut roff, command);
    see_also(&mut roff, "fieldwarden(1), fieldwarden.toml(5)");
    finish(head(command), &roff)
}

fn main_page(command: &clap::Command) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_CODES {
        entry(&mut roff, &code.to_string(), meaning);
    }
    roff.control("SH", ["SIGNALS TO THE DAEMON"]);
    for (name, meaning) in SIGNALS {
        entry(&mut roff, name, meaning);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    let directory = "Runtime directory where \\-\\-runtime\\-dir does not name one.";
    entry(
        &mut roff,
        "FIELDWARDEN_RUNTIME_DIR",
        &directory.replace("\\-", "-"),
    );
    entry(&mut roff, "NO_COLOR", "If set, nothing is coloured.");
    roff.control("SH", ["FILES"]);
    for (name, meaning) in FILES {
        entry(&mut roff, name, meaning);
    }
    examples(&mut roff, command);
    see_also(
        &mut roff,
        "fieldwarden.toml(5), systemd-notify(1), sd_notify(3)",
    );
    finish(head(command), &roff)
}

/// The examples of a command's help, line by line.
fn examples(roff: &mut Roff, command: &clap::Command) {
    let Some(text) = command.get_after_help() else {
        return;
    };
    let text = text.to_string();
    let lines: Vec<&str> = match text.strip_prefix("Example: ") {
        Some(example) => vec![example],
        None => text.lines().filter_map(|l| l.strip_prefix("  ")).collect(),
    };
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn see_also(roff: &mut Roff, pages: &str) {
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(pages)]);
}

fn entry(roff: &mut Roff, name: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(meaning)]);
}

fn config_page() -> String {
    let mut roff = Roff::new();
    roff.control("TH", ["fieldwarden.toml", "5", "", SOURCE, MANUAL]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("fieldwarden.toml - configuration of fieldwarden")]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([italic(
        "/etc/fieldwarden/fieldwarden.toml, /etc/fieldwarden/conf.d/*.toml",
    )]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "A TOML file. Every key has a default, but for the command of a service; an empty file is a \
         good one. Durations, temperatures and shares are texts with a unit: \"500ms\", \"1m 30s\", \
         \"2h\"; \"80C\"; \"15%\". Unknown keys are errors.",
    )]);
    roff.control("PP", []);
    roff.text([
        bold("fieldwarden check"),
        roman(
            " shows all mistakes of all files at once. The daemon reads them when it starts; \
             fieldwarden reload makes it read them anew and leaves services running.",
        ),
    ]);
    roff.control("PP", []);
    roff.text([roman(
        "Files *.toml in the directory conf.d beside it are read after it, in the order of their names. \
         Tables are merged key by key; any other value of a later file replaces that of an earlier one, a \
         list as a whole.",
    )]);
    for section in SECTIONS {
        config_section(&mut roff, section);
    }
    roff.control("SH", ["EXAMPLE"]);
    roff.control("nf", []);
    for line in [
        "[watchdog]",
        "timeout = \"15s\"",
        "",
        "[service.web]",
        "command = [\"/usr/bin/web\", \"--port\", \"80\"]",
        "ready = \"notify\"",
        "heartbeat = \"30s\"",
    ] {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    see_also(&mut roff, "fieldwarden(1), fieldwarden-check(1)");
    finish(Vec::new(), &roff)
}

fn config_section(roff: &mut Roff, section: &Section) {
    let title = match section.header {
        "" => "TOP OF THE FILE".to_owned(),
        header => format!("[{header}]"),
    };
    roff.control("SH", [title.as_str()]);
    roff.text([roman(section.meaning)]);
    for key in section.keys {
        config_key(roff, key);
        if !key.inside().is_empty() {
            roff.control("RS", []);
            for inner in key.inside() {
                config_key(roff, inner);
            }
            if !key.deeper().is_empty() {
                roff.control("PP", []);
                roff.text([roman("Each of them is a table with these keys:")]);
                roff.control("RS", []);
                for inner in key.deeper() {
                    config_key(roff, inner);
                }
                roff.control("RE", []);
            }
            roff.control("RE", []);
        }
    }
}

fn config_key(roff: &mut Roff, key: &Key) {
    roff.control("TP", []);
    roff.text([bold(key.name)]);
    let bounds = key.kind.bounds().map(|b| format!(" ({b})"));
    let absent = match key.absent {
        Absent::Default(value) => format!(" Default: {value}."),
        Absent::Nothing(example) => format!(" No default; for example {example}."),
        Absent::Required(example) => format!(" For example {example}."),
        Absent::Inside => " A table with these keys:".to_owned(),
    };
    let meaning = format!("{}{}.{absent}", key.meaning, bounds.unwrap_or_default());
    roff.text([roman(meaning)]);
}
