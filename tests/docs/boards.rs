//! The page on boards: the table of those that are shipped, and the keys of a board file.

use super::page::{page, root};
use fieldwarden::config::board::{self, BUILT_IN, keys, words};
use fieldwarden::config::schema::{Absent, Key, Section};
use std::fs;

const PAGE: &str = "docs/boards.md";

/// Behind it, the page is made from the list of keys.
const GENERATED: &str = "<!-- generated: board keys -->\n";

/// Between these two the table of the boards is made from their files.
const TABLE: (&str, &str) = ("<!-- table: boards -->\n", "\n<!-- end of the table -->");

/// Every board that is shipped has its row, as its file has it, and every key is explained as the
/// program understands it.
#[test]
fn boards_and_keys_are_current() {
    let was = page(PAGE).text;
    let now = with_keys(&with_table(&was));
    if std::env::var_os("REWRITE").is_some() {
        fs::write(root().join(PAGE), now).expect("writable sources");
        return;
    }
    assert!(was == now, "{PAGE} differs; REWRITE=1 rewrites it");
}

fn with_table(text: &str) -> String {
    let (head, rest) = text.split_once(TABLE.0).expect("the mark");
    let (_, tail) = rest.split_once(TABLE.1).expect("the end of the table");
    let rows: Vec<String> = BUILT_IN
        .iter()
        .map(|(name, text)| board_row(name, text))
        .collect();
    format!(
        "{head}{}| name | board | gauge | mains are told by | power is cut by | comes back | known by |\n\
         |---|---|---|---|---|---|---|\n{}{}{tail}",
        TABLE.0,
        rows.join("\n"),
        TABLE.1
    )
}

fn with_keys(text: &str) -> String {
    let (head, _) = text.split_once(GENERATED).expect("the mark");
    let now: String = keys::SECTIONS.iter().map(section).collect();
    format!("{head}{GENERATED}{now}")
}

fn board_row(name: &str, text: &str) -> String {
    let board = board::parse(name, name, text).unwrap_or_else(|p| panic!("{p}"));
    format!(
        "| `{name}` | {} | {} | {} | {} | {} | {} |",
        board.title,
        words::gauge(&board),
        words::mains(&board),
        words::cut(&board),
        words::back(&board),
        board.about.confidence.word()
    )
}

fn section(section: &Section) -> String {
    let title = match section.header {
        "" => "Above the first header".to_owned(),
        header => format!("`[{header}]`"),
    };
    let mut text = format!(
        "\n### {title}\n\n{}\n{}",
        wrapped(section.meaning),
        table(section.keys)
    );
    // Keys that are tables of the same keys are explained together.
    let tables = section.keys.iter().filter(|key| !key.inside().is_empty());
    let mut seen: Vec<(&[Key], Vec<&str>)> = Vec::new();
    for key in tables {
        match seen
            .iter_mut()
            .find(|(inside, _)| std::ptr::eq(*inside, key.inside()))
        {
            Some((_, names)) => names.push(key.name),
            None => seen.push((key.inside(), vec![key.name])),
        }
    }
    for (inside, names) in seen {
        text.push_str(&format!(
            "\nInside `{}`:\n\n{}",
            names.join("`, `"),
            table(inside)
        ));
    }
    text
}

fn table(keys: &[Key]) -> String {
    let rows: String = keys.iter().map(row).collect();
    format!("| key | value | if it is not given | meaning |\n|---|---|---|---|\n{rows}")
}

/// A sentence in lines that fit the page.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one from the beginning");
        if last.len() + 1 + word.len() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

fn row(key: &Key) -> String {
    let absent = match key.absent {
        Absent::Default(value) => format!("`{value}`"),
        Absent::Required(example) => format!("must be given, such as `{example}`"),
        Absent::Nothing(example) => format!("nothing; an example is `{example}`"),
        Absent::Inside => String::new(),
    };
    format!(
        "| `{}` | {} | {absent} | {} |\n",
        key.name, key.kind, key.meaning
    )
}
