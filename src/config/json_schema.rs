//! Writes a list of keys as a JSON schema, by which editors complete and check a configuration or a
//! board file while it is written. What hangs on several values is beyond it: `fieldwarden check` has
//! the last word.

use super::board;
use super::keys::{SECTIONS, VERSION};
use super::schema::{Absent, Key, Kind, Section};
use serde_json::{Map, Value, json};

/// The schema of a configuration, as text.
pub fn json_schema() -> String {
    schema("Configuration of fieldwarden", SECTIONS)
}

/// The schema of a board file, as text.
pub fn board_schema() -> String {
    schema("Board file of fieldwarden", board::keys::SECTIONS)
}

fn schema(title: &str, sections: &[Section]) -> String {
    let mut top = Map::new();
    for section in sections {
        if section.header.is_empty() {
            for key in section.keys {
                top.insert(key.name.to_owned(), described(key));
            }
            continue;
        }
        let table = table(section.keys, section.meaning);
        match section.header.split_once('.') {
            None => {
                top.insert(section.header.to_owned(), table);
            }
            Some((header, "NAME")) => {
                let named = json!({ "type": "object", "additionalProperties": table });
                top.insert(header.to_owned(), named);
            }
            Some((header, inner)) => {
                let empty = json!({
                    "type": "object",
                    "properties": {},
                    "additionalProperties": false,
                });
                let outer = top.entry(header).or_insert(empty);
                outer["properties"][inner] = table;
            }
        }
    }
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "type": "object",
        "properties": top,
        "additionalProperties": false,
    });
    format!("{schema:#}\n")
}

fn table(keys: &[Key], meaning: &str) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| (key.name.to_owned(), described(key)))
        .collect();
    json!({
        "description": meaning,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// What may be written, what it means, and what holds without it.
fn described(key: &Key) -> Value {
    let mut schema = match key.inside() {
        [] => kind(&key.kind),
        keys => table(keys, key.meaning),
    };
    let description = match key.kind.bounds() {
        Some(bounds) => format!("{} ({bounds}).", key.meaning),
        None => format!("{}.", key.meaning),
    };
    schema["description"] = json!(description);
    if let Absent::Default(text) = key.absent
        && let Some(value) = json_of(text)
    {
        schema["default"] = value;
    }
    schema
}

/// A value in TOML as JSON.
fn json_of(text: &str) -> Option<Value> {
    let table: toml::Table = format!("value = {text}").parse().ok()?;
    serde_json::to_value(table.get("value")?).ok()
}

fn kind(kind: &Kind) -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "array", "items": text });
    let path = json!({ "type": "string", "pattern": "^/" });
    // A number and its unit; which units there are, and the range, is for the check.
    let quantity = json!({ "type": "string", "pattern": "^[-+]?[0-9]" });
    let number = |min: i64, max: i64| json!({ "type": "integer", "minimum": min, "maximum": max });
    let or = |words: &[&str], other: Value| json!({ "anyOf": [{ "enum": words }, other] });
    match *kind {
        Kind::Version => number(1, i64::from(VERSION)),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Words(words) => json!({ "type": "array", "items": { "enum": words } }),
        Kind::Duration(..)
        | Kind::Temperature(..)
        | Kind::Share
        | Kind::Load(..)
        | Kind::Voltage(..)
        | Kind::Current(..)
        | Kind::Resistance(..) => quantity,
        Kind::WordOrDuration(words, ..) | Kind::WordOrSize(words, ..) | Kind::Amount(words, ..) => {
            or(words, quantity)
        }
        Kind::Count(min, max) => number(min.into(), max.into()),
        Kind::Signed(min, max) => number(min.into(), max.into()),
        Kind::WordOrCount(words, min, max) => or(words, number(min.into(), max.into())),
        Kind::WordOrPath(words) => or(words, path),
        Kind::Address => number(0x08, 0x77),
        Kind::Path => path,
        Kind::Paths => json!({ "type": "array", "items": path }),
        Kind::Command => json!({ "type": "array", "items": text, "minItems": 1 }),
        Kind::Codes | Kind::Bytes => json!({ "type": "array", "items": number(0, 255) }),
        Kind::Environment => json!({ "type": "object", "additionalProperties": text }),
        Kind::Secrets => json!({ "type": "object", "additionalProperties": path }),
        Kind::Umask => json!({ "type": "string", "pattern": "^[0-7]+$" }),
        Kind::Text | Kind::Board | Kind::User | Kind::Group => text,
        Kind::Texts | Kind::Services | Kind::Groups | Kind::Users | Kind::Capabilities => texts,
        Kind::Table(_) => json!({ "type": "object" }),
    }
}
