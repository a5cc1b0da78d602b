//! Writes a tree as TOML: a line for each value, under its full name.

use super::value;
use toml::de::{DeTable, DeValue};

/// A text that reads as this table.
pub(super) fn table(table: &DeTable<'_>) -> String {
    let mut text = String::new();
    lines(&mut text, "", table);
    text
}

fn lines(text: &mut String, path: &str, table: &DeTable<'_>) {
    for (key, node) in table {
        let path = full(path, key.get_ref());
        match node.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => lines(text, &path, inner),
            other => text.push_str(&format!("{path} = {}\n", value(other))),
        }
    }
}

fn full(path: &str, name: &str) -> String {
    let name = value::key(name);
    match path {
        "" => name,
        path => format!("{path}.{name}"),
    }
}

/// A value as it is written in a file, on one line.
pub(super) fn value(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(decimal) => decimal.to_string(),
            // Too large for any key; it is told as it stands.
            Err(_) => number.as_str().to_owned(),
        },
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| self::value(item.get_ref()))
                .collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(inner) => {
            let pair = |(key, node): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let key: &toml::de::DeString<'_> = key.get_ref();
                format!("{} = {}", value::key(key), self::value(node.get_ref()))
            };
            let pairs: Vec<String> = inner.iter().map(pair).collect();
            match pairs.is_empty() {
                true => "{}".to_owned(),
                false => format!("{{ {} }}", pairs.join(", ")),
            }
        }
    }
}

/// A text in quotes, with what may not stand in it escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    /// What is written reads as the same tree, whatever stands in it.
    #[test]
    fn it_reads_as_it_was() {
        let text = "n = 0x1F\nf = 1.5\nb = true\nd = 2031-07-04T12:34:56Z\nt = \"a \\\"b\\\" \\\\ \\n \\u0001 é\"\n\
                    l = [1, \"x\", [], {}]\n[a.\"b c\"]\nk = { x = 1, y = { z = [\"\"] } }\n[empty]\n";
        let tree = DeTable::parse(text).unwrap();
        let written = table(tree.get_ref());
        let value = |text: &str| text.parse::<toml::Table>().unwrap();
        assert_eq!(value(&written), value(text), "{written}");
        assert!(written.contains("a.\"b c\".k.y.z = [\"\"]\n"), "{written}");
    }
}
