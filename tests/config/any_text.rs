//! No text whatever makes the checks panic, or break what they promise about their result.

use super::{files, uncommented};
use fieldwarden::config::{self, Config, Severity};
use proptest::prelude::*;
use std::fs;

/// What must hold for every text.
fn hold(text: &str) -> Result<(), TestCaseError> {
    match config::parse("any.toml", text) {
        Err(problems) => {
            prop_assert!(problems.count(Severity::Error) > 0);
            for problem in problems.iter() {
                let place = problem.place().expect("a place");
                prop_assert!(place.line <= text.split('\n').count());
                prop_assert!(!problem.what().contains('\n') && !problem.help().contains('\n'));
            }
            let shown = problems.to_string();
            let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
            prop_assert!(!shown.contains(odd), "{shown:?}");
        }
        Ok(loaded) => {
            let Config {
                settings, wiring, ..
            } = &loaded.config;
            prop_assert_eq!(settings.services.len(), wiring.commands.len());
            let heat = settings.temperature;
            prop_assert!(heat.warn < heat.critical);
            prop_assert!((heat.warn..=heat.critical).contains(&heat.hot));
            prop_assert!(settings.memory.warn > settings.memory.critical);
            prop_assert!(settings.services.is_sorted_by(|a, b| a.name < b.name));
            for (service, command) in settings.services.iter().zip(&wiring.commands) {
                prop_assert!(command.argv[0].starts_with('/'));
                prop_assert!(service.stop_timeout <= settings.stop_budget);
                prop_assert!(service.backoff.first <= service.backoff.cap);
                let count = settings.services.len();
                prop_assert!(service.after.iter().all(|id| usize::from(id.0) < count));
            }
            prop_assert!(
                loaded
                    .warnings
                    .iter()
                    .all(|p| p.severity() == Severity::Warning)
            );
        }
    }
    Ok(())
}

/// One change of a text: at a place, remove some bytes and put others there.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, Vec<u8>)> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "\"",
            "'",
            "[",
            "]",
            "{",
            "}",
            "=",
            "\n",
            "#",
            ",",
            ".",
            "\\u0000",
            "\0",
            "\u{1b}[",
            "-",
            "9999999999999999999999",
            "1e400",
            "é",
            "[service.\"\"]",
            "\"\"\"",
            "true",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    (any::<prop::sample::Index>(), 0..12_usize, bytes)
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_mutilated_file_never_makes_the_checks_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        let mut texts = vec![uncommented()];
        for path in [files("config/examples", "toml"), files("tests/config", "toml")].concat() {
            texts.push(fs::read_to_string(path).unwrap());
        }
        let mut bytes = which.get(&texts).clone().into_bytes();
        for (at, remove, insert) in changes {
            let at = at.index(bytes.len() + 1);
            let end = bytes.len().min(at + remove);
            bytes.splice(at..end, insert);
        }
        hold(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn an_arbitrary_text_never_makes_the_checks_panic(text in any::<String>()) {
        hold(&text)?;
    }

    #[test]
    fn arbitrary_keys_and_values_never_make_the_checks_panic(
        lines in prop::collection::vec(
            concat!(
                r"(\[(service\.[ab]|watchdog|vitals|storage)\]",
                r"|(after|command|every|heartbeat|temperature|backoff|version|[a-z.]{1,6}) = ",
                r#"("[-0-9a-zA-Z%. ]{0,6}"|[-0-9._e]{1,8}|\["[ab/]{1,2}"(, "[ab]")?\]"#,
                r#"|\{ ?(warn = "[0-9]{1,3}[C%]")? ?\}))"#,
            ),
            0..12,
        ),
    ) {
        hold(&lines.join("\n"))?;
    }
}
