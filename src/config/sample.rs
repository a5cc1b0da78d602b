//! Writes the commented sample of a configuration from the list of keys.

use super::keys::SECTIONS;
use super::schema::{Absent, Key, Section};

/// What stands at the top of the sample.
const HEAD: &str = "\
#:schema fieldwarden.schema.json
# Configuration of fieldwarden.
#
# Every key is here with its default. To change one, remove the # at the beginning of its line and
# edit the value. Durations, temperatures and shares are texts with a unit: \"500ms\", \"1m 30s\",
# \"2h\"; \"80C\"; \"15%\". `fieldwarden check FILE` shows all mistakes of a file at once.
";

/// Widest line of prose.
const WIDTH: usize = 100;

/// The text of `config/fieldwarden.toml`: every key with its meaning, and its default commented
/// out. Prose begins with `# `, what can be uncommented with `#` alone.
pub fn sample() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        text.push('\n');
        prose(&mut text, "#", section.meaning);
        header(&mut text, section);
        entries(&mut text, section.keys);
    }
    text
}

/// Keys with their meanings, commented out.
pub(super) fn entries(text: &mut String, keys: &[Key]) {
    for key in keys {
        entry(text, key);
    }
}

/// The header of a section. That of a service is a comment too: a service needs a command.
fn header(text: &mut String, section: &Section) {
    match section.header {
        "" => {}
        "service.NAME" => text.push_str("#[service.web]\n"),
        "group.NAME" => text.push_str("#[group.field]\n"),
        "cap.NAME" => text.push_str("#[cap.logs]\n"),
        "expiry.NAME" => text.push_str("#[expiry.web]\n"),
        "repair.NAME" => text.push_str("#[repair.tunnel]\n"),
        header => {
            text.push_str(&format!("[{header}]\n"));
        }
    }
}

fn entry(text: &mut String, key: &Key) {
    text.push('\n');
    prose(text, "#", &sentence(key));
    for inner in key.inside() {
        inner_key(text, "#  ", inner);
    }
    if !key.deeper().is_empty() {
        prose(text, "#  ", "Each of them has the keys:");
    }
    for inner in key.deeper() {
        inner_key(text, "#    ", inner);
    }
    text.push_str(&format!("#{} = {}\n", key.name, key.shown()));
}

fn inner_key(text: &mut String, margin: &str, key: &Key) {
    let mut sentence = sentence(key);
    // It goes on after a colon.
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let example = match key.absent {
        // The line of the outer key does not show it.
        Absent::Default(text) if margin.len() > 3 => format!(" By default {text}."),
        Absent::Nothing(text) if margin.len() > 3 => format!(" For example {text}."),
        _ => String::new(),
    };
    prose(text, margin, &format!("{}: {sentence}{example}", key.name));
}

/// What a key means, and what may be written.
fn sentence(key: &Key) -> String {
    match key.kind.bounds() {
        Some(bounds) => format!("{} ({bounds}).", key.meaning),
        None => format!("{}.", key.meaning),
    }
}

/// A sentence as a comment, wrapped; `margin` begins each line.
pub(super) fn prose(text: &mut String, margin: &str, sentence: &str) {
    let mut line = margin.to_owned();
    for word in sentence.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = margin.to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
