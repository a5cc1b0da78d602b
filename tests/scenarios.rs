//! Scenarios: scripts for the core, with its recorded answers.
//!
//! Each file of `tests/scenarios/` is played and must come out as it is. `SCENARIOS=rewrite cargo
//! test --test scenarios` writes down what comes out; commit a rewrite only if you can explain it.
//! `tests/scenarios/README.md` describes the form.

#[path = "scenarios/answers.rs"]
mod answers;
#[path = "scenarios/stage.rs"]
mod stage;

use stage::Stage;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// All scenario files, sorted by name.
fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("tests/scenarios can be read");
    let mut files: Vec<_> = entries
        .map(|e| e.expect("tests/scenarios can be read").path())
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    files
}

/// The first line that differs, with its number, as it is and as it should be.
fn difference(is: &str, should: &str) -> String {
    let (mut a, mut b) = (is.lines(), should.lines());
    for number in 1.. {
        let (is, should) = (a.next(), b.next());
        if is != should || is.is_none() {
            let show = |line: Option<&str>| line.map_or("(end of file)".to_owned(), str::to_owned);
            return format!(
                "{number}:\n  recorded: {}\n  now:      {}",
                show(is),
                show(should)
            );
        }
    }
    String::new()
}

/// Every scenario comes out as it was recorded.
#[test]
fn scenarios() {
    let rewrite = std::env::var("SCENARIOS").is_ok_and(|v| v == "rewrite");
    let mut wrong = Vec::new();
    let files = files();
    assert!(files.len() >= 20, "only {} scenarios found", files.len());
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(file).expect("a scenario can be read");
        match Stage::play(&name, &text) {
            Ok(now) if now == text => {}
            Ok(now) if rewrite => fs::write(file, now).expect("a scenario can be written"),
            Ok(now) => wrong.push(format!("{name}:{}", difference(&text, &now))),
            Err(why) => wrong.push(format!("{name}:{why}")),
        }
    }
    let advice = "SCENARIOS=rewrite cargo test --test scenarios writes down what comes out now";
    assert!(wrong.is_empty(), "{}\n\n{advice}", wrong.join("\n"));
    println!("{} scenarios", files.len());
}

/// A script that is wrong is refused with its line, and says what is wrong.
#[test]
fn bad_scripts_are_refused() {
    let head = "#:fieldwarden-trace 1\n#:script\n[service.web]\ncommand = [\"/bin/web\"]\n----\n";
    for (body, wanted) in [
        (
            "0 tick\n0 child wed run=1 ready\n",
            "7: the configuration has no service `wed`",
        ),
        ("5 tick\n4 tick\n", "7: time runs backwards"),
        ("answer lunch ok\n", "6: `lunch` cannot be answered"),
        ("0 tick\nanswer stop.web late\n", "7: expected `started`"),
        (
            "0 asked ticket=1 user=0 leave\n0 tick\n",
            "7: the daemon has ended",
        ),
    ] {
        let why = Stage::play("bad", &format!("{head}{body}")).expect_err(body);
        assert!(why.contains(wanted), "{body}: {why}");
    }
}
