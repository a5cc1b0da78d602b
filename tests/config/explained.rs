//! What is shown of a configuration, and what editors are told of it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a validator is a program of others; a document that is none has failed"
)]

use super::{expect, files, good, root, uncommented};
use fieldwarden::config;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

/// The schema that is shipped is made from the keys.
#[test]
fn the_schema_is_made_from_the_keys() {
    let path = root().join("config/fieldwarden.schema.json");
    expect(&path, &config::json_schema());
    let path = root().join("config/board.schema.json");
    expect(&path, &config::board_schema());
}

/// Checks documents by somebody else's validator, and returns which of them it takes.
pub fn taken(schema: &str, documents: &[Value]) -> Vec<bool> {
    const PROGRAM: &str = "import json, sys\nfrom jsonschema import Draft7Validator as V\n\
        task = json.load(sys.stdin)\nV.check_schema(task['schema'])\nv = V(task['schema'])\n\
        print(json.dumps([v.is_valid(d) for d in task['documents']]))\n";
    let schema: Value = serde_json::from_str(schema).unwrap();
    let task = json!({ "schema": schema, "documents": documents }).to_string();
    let mut said = String::new();
    for python in ["python3", "/usr/bin/python3"] {
        let mut child = Command::new(python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that has no validator does not read.
        let _ = child.stdin.take().unwrap().write_all(task.as_bytes());
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).unwrap();
        }
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    panic!("`apt-get install python3-jsonschema` first: {said}");
}

pub fn document(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap();
    serde_json::to_value(table).unwrap()
}

/// By the schema, every file that is shipped is right, and what a check refuses for one value is wrong.
#[test]
fn the_schema_takes_what_a_check_takes() {
    let examples = files("config/examples", "toml").into_iter();
    let examples = examples.map(|path| std::fs::read_to_string(path).unwrap());
    let good: Vec<String> = [config::sample(), uncommented()]
        .into_iter()
        .chain(examples)
        .collect();
    let bad = [
        "version = 2",
        "colour = 1",
        "[watchdog]\nowner = \"cat\"",
        "[watchdog]\ntimeout = 15",
        "[watchdog]\ntimeout = \"soon\"",
        "[watchdog]\ndisarm_on_stop = \"no\"",
        "[watchdog]\ndevice = \"dev\"",
        "[service.web]\ncomand = [\"/bin/true\"]",
        "[service.web]\ncommand = []",
        "[service.web.backoff]\nimmediate = -1",
        "[service.web.probe.liveness]\ntpc = \"127.0.0.1:80\"",
        "[service.web]\npids_max = \"many\"",
        "[reboots]\nmost = 7",
        "[group.a]\nmembers = \"web\"",
    ];
    let texts = good.iter().map(String::as_str).chain(bad);
    for text in bad {
        assert!(config::parse("bad", text).is_err(), "{text}");
    }
    let documents: Vec<Value> = texts.map(document).collect();
    let taken = taken(&config::json_schema(), &documents);
    let wanted = documents.iter().enumerate().map(|(at, _)| at < good.len());
    let wrong = taken.iter().zip(wanted).enumerate();
    let wrong: Vec<usize> = wrong
        .filter(|(_, (a, b))| **a != *b)
        .map(|(at, _)| at)
        .collect();
    assert!(
        wrong.is_empty(),
        "documents {wrong:?} of {} good and {} bad",
        good.len(),
        bad.len()
    );
}

/// What is shown says the same as the files, with its defaults and without; each value has its place.
#[test]
fn what_is_shown_says_the_same() {
    let mut texts: Vec<String> = files("config/examples", "toml")
        .into_iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    texts.push(
        "[service.\"a.b\"]\ncommand = [\"/bin/x\", \"\\\"#\"]\nenvironment = { \"A\" = \"#1\" }\n"
            .to_owned(),
    );
    for text in texts {
        let Ok(loaded) = config::parse("web.toml", &text) else {
            // Names with a dot are refused.
            continue;
        };
        for defaults in [false, true] {
            let shown = config::effective(&loaded.config, defaults);
            let again = config::parse("shown", &shown);
            let again = again.unwrap_or_else(|problems| panic!("{problems}\n{shown}"));
            assert_eq!(again.config.settings, loaded.config.settings, "{shown}");
            assert_eq!(shown.contains(" # default"), defaults, "{shown}");
            assert!(shown.contains(" # web.toml:"), "{shown}");
        }
    }
    let secret =
        "[service.web]\ncommand = [\"/bin/x\"]\nenvironment = { KEY = \"s3cret\", B = \"t\" }\n";
    let hidden = config::effective_without_secrets(&good(secret).config, true);
    assert!(
        !hidden.contains("s3cret") && hidden.contains("environment.KEY = \"(hidden)\""),
        "{hidden}"
    );
    let loaded = good("[watchdog]\ntimeout = \"10s\"\n");
    let shown = config::effective(&loaded.config, false);
    let line = format!("{:<44} # test.toml:2\n", "timeout = \"10s\"");
    assert_eq!(shown, format!("# test.toml\n\n[watchdog]\n{line}"));
}
