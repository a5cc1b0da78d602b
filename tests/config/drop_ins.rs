//! Several files: what they say together, and what is wrong with each of them.

use fieldwarden::config::{self, Loaded, Problems};
use std::fs;
use tempfile::TempDir;

/// A configuration of these files, the first of which is the main one.
fn of(files: &[(&str, &str)]) -> (TempDir, Result<Loaded, Problems>) {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("conf.d")).expect("a directory");
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("a directory");
    }
    let loaded = config::load(dir.path());
    (dir, loaded)
}

fn said(dir: &TempDir, problems: &Problems) -> String {
    let root = dir.path().display().to_string();
    problems.to_string().replace(&format!("{root}/"), "")
}

/// Tables are merged key by key, a later file replaces any other value, and a list as a whole.
#[test]
fn later_files_replace_values() {
    let (_dir, loaded) = of(&[
        (
            "fieldwarden.toml",
            "version = 1\n[service.db]\ncommand = [\"/bin/true\"]\n[service.web]\n\
             command = [\"/bin/true\", \"a\"]\nafter = [\"db\"]\nbackoff = { first = \"2s\", cap = \"9s\" }\n",
        ),
        (
            "conf.d/10.toml",
            "version = 1\n[service.web]\nnice = 3\nafter = [\"cache\"]\nbackoff.first = \"3s\"\n\
             environment = { A = \"1\" }\n[service.cache]\ncommand = [\"/bin/true\"]\n",
        ),
        (
            "conf.d/20.toml",
            "[service.web]\nnice = 4\nenvironment = { B = \"2\" }\n[hold]\nmost = \"1h\"\n",
        ),
    ]);
    let loaded = loaded.unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let config = loaded.config;
    let names: Vec<&str> = config.settings.services.iter().map(|s| &*s.name).collect();
    assert_eq!(names, ["cache", "db", "web"]);
    let (web, command) = (&config.settings.services[2], &config.wiring.commands[2]);
    assert_eq!(web.after.len(), 1);
    assert_eq!(config.settings.name(web.after[0]), "cache");
    assert_eq!(command.bounds.nice, Some(4));
    assert_eq!(command.environment.len(), 2);
    assert_eq!(web.backoff.first.as_secs(), 3);
    assert_eq!(web.backoff.cap.as_secs(), 9);
    assert_eq!(config.settings.hold_most.as_secs(), 3600);
    // The same as one text.
    let text = config.source.text().into_owned();
    let one = config::parse("one", &text).unwrap().config;
    assert_eq!((one.settings, one.wiring), (config.settings, config.wiring));
}

/// All that is wrong with all files is told in one go, each with its file, line and caret.
#[test]
fn mistakes_of_all_files_are_told() {
    let (dir, loaded) = of(&[
        (
            "fieldwarden.toml",
            "[service.web]\ncommand = [\"/bin/true\"]\nafter = [\"databse\"]\n",
        ),
        ("conf.d/10-a.toml", "[watchdog]\ntimeout = \"20\"\n"),
        (
            "conf.d/20-b.toml",
            "# A long way down.\n\n[service.database]\ncomand = [\"/bin/true\"]\n",
        ),
    ]);
    super::expect(
        &super::root().join("tests/config/drop-ins/mistakes.expected"),
        &said(&dir, &loaded.unwrap_err()),
    );
}

/// A service that two files define is told, with both places, and so is a file of a later version, one
/// that breaks off, and one that is empty; what they may hide is not called missing.
#[test]
fn files_that_do_not_go_together_are_told() {
    let web = "[service.web]\ncommand = [\"/bin/true\"]\n";
    let (dir, loaded) = of(&[("fieldwarden.toml", web), ("conf.d/web.toml", web)]);
    let warnings = Problems::from(loaded.unwrap().warnings);
    let twice = said(&dir, &warnings);
    let (dir, loaded) = of(&[
        (
            "fieldwarden.toml",
            "[service.a]\ncommand = [\"/bin/true\"]\n",
        ),
        ("conf.d/a.toml", "version = 2\nnew_key = 1\n"),
    ]);
    let newer = said(&dir, &loaded.unwrap_err());
    let (dir, loaded) = of(&[
        (
            "fieldwarden.toml",
            "[service.a]\ncommand = [\"/bin/true\"]\nafter = [\"web\"]\n",
        ),
        ("conf.d/a.toml", ""),
        ("conf.d/b.toml", "[service.b\ncommand = [\"/bin/true\"]\n"),
    ]);
    let torn = said(&dir, &loaded.unwrap_err());
    super::expect(
        &super::root().join("tests/config/drop-ins/apart.expected"),
        &format!("{twice}----\n{newer}----\n{torn}"),
    );
}
