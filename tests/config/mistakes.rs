//! Every mistake is reported at its place, with what to do about it.

use super::{bad, expect, files, good, problems};
use fieldwarden::config::{self, Severity, keys, schema::Key};
use std::fs;
use std::path::Path;

#[test]
fn every_mistake_is_reported_as_expected() {
    for path in files("tests/config", "toml") {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let report = problems(name, &text).to_string();
        expect(&path.with_extension("expected"), &report);
    }
}

#[test]
fn every_expected_report_has_its_file() {
    for path in files("tests/config", "expected") {
        let file = path.with_extension("toml");
        assert!(file.exists(), "{} is gone", file.display());
    }
}

#[test]
fn every_problem_says_where_it_is_and_what_to_do() {
    for path in files("tests/config", "toml") {
        let text = fs::read_to_string(&path).unwrap();
        for problem in problems("x", &text).iter() {
            assert!(problem.place().is_some(), "{problem}");
            assert!(!problem.help().is_empty(), "{problem}");
        }
    }
}

/// Every key with the name of its table; `web` stands for the name of a service.
fn all_keys() -> Vec<(String, &'static Key)> {
    let mut all = Vec::new();
    for section in keys::SECTIONS {
        let header = section.header.replace("NAME", "web");
        for key in section.keys {
            all.push((header.clone(), key));
            let inside = if header.is_empty() {
                key.name.to_owned()
            } else {
                format!("{header}.{}", key.name)
            };
            all.extend(key.inside().iter().map(|inner| (inside.clone(), inner)));
            for outer in key.inside() {
                let inside = format!("{inside}.{}", outer.name);
                all.extend(outer.inside().iter().map(|inner| (inside.clone(), inner)));
            }
        }
    }
    all
}

#[test]
fn every_key_is_read_and_checked() {
    for (header, key) in all_keys() {
        let full = if header.is_empty() {
            key.name.to_owned()
        } else {
            format!("{header}.{}", key.name)
        };
        // No key takes a date.
        let text = format!("{full} = 1979-05-27\n");
        let found = bad(&text);
        let named = |p: &config::Problem| p.what().starts_with(&format!("`{full}` must be"));
        assert!(found.iter().any(named), "{full} is not checked:\n{found}");
    }
}

#[test]
fn every_key_has_a_meaning() {
    for (header, key) in all_keys() {
        assert!(key.meaning.len() > 8, "{header}.{}", key.name);
        assert!(!key.meaning.ends_with('.'), "{header}.{}", key.name);
    }
}

#[test]
fn a_file_that_cannot_be_used_at_all_is_one_problem() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.toml");
    let shown = |path: &Path| config::load(path).unwrap_err().to_string();
    let name = file.display().to_string();

    assert_eq!(
        shown(&file),
        format!(
            "error: {name}: cannot be read: No such file or directory (os error 2)\n\
             help: name another file, or begin with a copy of config/fieldwarden.toml of the source; \
             fieldwarden.toml(5) explains each key\n\n1 error\n"
        )
    );
    let of_directory = shown(directory.path());
    assert!(
        of_directory.contains("/fieldwarden.toml: cannot be read: No such file"),
        "{of_directory}"
    );

    fs::write(&file, b"board = \"none\"\nstate_dir = \"/caf\xe9\"\n").unwrap();
    assert_eq!(
        shown(&file),
        format!(
            "error: {name}:2:18: not UTF-8: byte 0xe9\n  2 | state_dir = \"/caf\u{fffd}\"\n    \
             |                  ^\nhelp: save the file as UTF-8\n\n1 error\n"
        )
    );

    fs::write(&file, vec![b'#'; config::FILE_MAX + 1]).unwrap();
    assert_eq!(
        shown(&file),
        format!(
            "error: {name}: is longer than 1048576 bytes\n\
             help: this is hardly a configuration; name another file\n\n1 error\n"
        )
    );
    fs::write(&file, vec![b'#'; config::FILE_MAX]).unwrap();
    assert!(config::load(&file).is_ok());
}

#[test]
fn too_many_services_are_refused() {
    let services = |n: usize| {
        let one = |i: usize| format!("[service.s{i}]\ncommand = [\"/bin/true\"]\n");
        (0..n).map(one).collect::<String>()
    };
    let most = good(&services(config::SERVICES_MAX));
    assert_eq!(most.config.settings.services.len(), config::SERVICES_MAX);
    let found = bad(&services(config::SERVICES_MAX + 1));
    assert!(
        found.to_string().contains("there are 1025 services"),
        "{found}"
    );
}

#[test]
fn nonsense_is_reported_in_bounded_space() {
    for line in ["=\n", "x = \"\\q\"\n", "[\n", "a = [\n", "'", "x"] {
        let text = line.repeat(config::FILE_MAX / line.len());
        let shown = bad(&text).to_string();
        assert!(shown.len() < 100_000, "{line:?}: {} bytes", shown.len());
    }
    let many: String = (0..1000).map(|i| format!("k{i} = 1\n")).collect();
    let shown = bad(&many).to_string();
    assert!(
        shown.ends_with("200 errors, 800 more not shown\n"),
        "{shown}"
    );
}

#[test]
fn a_long_chain_of_services_is_no_trouble() {
    let n = config::SERVICES_MAX;
    let link = |i: usize, next: usize| {
        format!("[service.s{i}]\ncommand = [\"/bin/true\"]\nafter = [\"s{next}\"]\n")
    };
    let ring: String = (0..n).map(|i| link(i, (i + 1) % n)).collect();
    let found = bad(&ring);
    assert_eq!(found.count(Severity::Error), 1, "{found}");
    let shown = found.to_string();
    assert!(shown.contains("s0 -> s1 -> s2 "), "{shown}");
    assert!(shown.contains("... -> s0\n"), "{shown}");
}
