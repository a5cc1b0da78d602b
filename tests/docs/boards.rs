//! The page on boards: the table of those that are shipped, and the keys of a board file.

use super::page::{page, root};
use fieldwarden::config::board::{self, BUILT_IN, keys};
use fieldwarden::config::schema::{Absent, Key, Section};
use std::fs;

const PAGE: &str = "docs/boards.md";

/// Behind it, the page is made from the list of keys.
const GENERATED: &str = "<!-- generated: board keys -->\n";

/// Every board that is shipped has its row, with the title of its file.
#[test]
fn every_board_is_listed() {
    let page = page(PAGE);
    let rows = page.rows();
    for (name, text) in BUILT_IN {
        let board = board::parse(name, name, text).unwrap_or_else(|p| panic!("{p}"));
        let shown = format!("`{name}`");
        let row = rows.iter().find(|(_, cells)| cells[0] == shown);
        let (_, cells) = row.unwrap_or_else(|| panic!("{PAGE} does not list {name}"));
        assert_eq!(cells[1], board.title, "{name}");
    }
    let names = rows.iter().filter(|(_, cells)| cells.len() == 5).count();
    assert_eq!(names, BUILT_IN.len(), "boards that are not shipped");
}

/// Every key is explained as the program understands it.
#[test]
fn every_key_is_explained() {
    let text = page(PAGE).text;
    let (head, tail) = text.split_once(GENERATED).expect("the mark");
    let now: String = keys::SECTIONS.iter().map(section).collect();
    if std::env::var_os("REWRITE").is_some() {
        let text = format!("{head}{GENERATED}{now}");
        fs::write(root().join(PAGE), text).expect("writable sources");
        return;
    }
    assert!(tail == now, "{PAGE} differs; REWRITE=1 rewrites it");
}

fn section(section: &Section) -> String {
    let title = match section.header {
        "" => "Above the first header".to_owned(),
        header => format!("`[{header}]`"),
    };
    let rows: String = section.keys.iter().map(row).collect();
    format!(
        "\n### {title}\n\n{}\n| key | value | if it is not given | meaning |\n|---|---|---|---|\n{rows}",
        wrapped(section.meaning)
    )
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
