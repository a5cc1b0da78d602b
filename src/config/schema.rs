//! Describes what a configuration may contain; [`keys`](super::keys) holds the description itself.
//!
//! Terms: a *key* is one name with its kind, its default and its meaning; a *section* is a table
//! of keys under one header. Everything that talks about keys (unknown-key messages, allowed
//! values, defaults, the sample file) is made from these values. It never reads a file.

use std::fmt;
use std::time::Duration;

/// One table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// What stands between the brackets; empty for the top of the file; `service.NAME` stands for
    /// any number of services.
    pub header: &'static str,
    /// What the section is about, in one sentence.
    pub meaning: &'static str,
    /// Its keys, in the order in which the sample shows them.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name inside its table.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What holds when it is not given.
    pub absent: Absent,
    /// What it does, in one sentence.
    pub meaning: &'static str,
}

/// What holds when a key is not given.
#[derive(Clone, Copy, Debug)]
pub enum Absent {
    /// This value, in TOML.
    Default(&'static str),
    /// The defaults of the keys inside, for [`Kind::Table`].
    Inside,
    /// There is no value, and that has a meaning of its own. The example is in TOML.
    Nothing(&'static str),
    /// The key must be given. The example is in TOML.
    Required(&'static str),
}

/// What the value of a key may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The version of the file's format.
    Version,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A duration, from the first to the second, both included.
    Duration(Duration, Duration),
    /// A temperature in degrees Celsius, from the first to the second, both included.
    Temperature(i32, i32),
    /// A share of all there is, 0% to 100% in steps of 0.1%.
    Share,
    /// Load per processor in whole percent, from the first to the second, both included.
    Load(u32, u32),
    /// A whole number, from the first to the second, both included.
    Count(u32, u32),
    /// A voltage in millivolts, from the first to the second, both included.
    Voltage(u32, u32),
    /// A current in milliamperes, from the first to the second, both included.
    Current(u32, u32),
    /// A resistance in millionths of an ohm, from the first to the second, both included.
    Resistance(u32, u32),
    /// The address of a chip on an I2C bus, 7 bits without those that are reserved.
    Address,
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// The name of a board.
    Board,
    /// An absolute path.
    Path,
    /// One of these words, or a duration, from the first to the second, both included.
    WordOrDuration(&'static [&'static str], Duration, Duration),
    /// One of these words, or an absolute path.
    WordOrPath(&'static [&'static str]),
    /// A list of absolute paths.
    Paths,
    /// A program by its absolute path, and its arguments.
    Command,
    /// A list of names of services.
    Services,
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A list of exit codes.
    Codes,
    /// A list of bytes.
    Bytes,
    /// A table of environment variables.
    Environment,
    /// A user, by name or number.
    User,
    /// A group, by name or number.
    Group,
    /// A list of groups.
    Groups,
    /// A list of users by name or number.
    Users,
    /// A list of capabilities.
    Capabilities,
    /// A table of names of secrets with the absolute paths of their sources.
    Secrets,
    /// Permission bits in octal, as a text.
    Umask,
    /// A whole number that may be below zero, from the first to the second, both included.
    Signed(i32, i32),
    /// One of these words, or a whole number, from the first to the second, both included.
    WordOrCount(&'static [&'static str], u32, u32),
    /// One of these words, or a size in bytes, from the first to the second, both included.
    WordOrSize(&'static [&'static str], u64, u64),
    /// One of these words, a size in bytes from the first to the second, both included, or a share of
    /// all there is.
    Amount(&'static [&'static str], u64, u64),
    /// A table with these keys.
    Table(&'static [Key]),
}

impl Key {
    /// The value that the sample shows, in TOML: the default, or an example where there is none.
    pub fn shown(&self) -> String {
        match self.absent {
            Absent::Default(text) | Absent::Nothing(text) | Absent::Required(text) => {
                text.to_owned()
            }
            Absent::Inside => inline(self.inside()),
        }
    }

    /// The keys inside a [`Kind::Table`]; none for any other kind.
    pub fn inside(&self) -> &'static [Key] {
        let Kind::Table(keys) = self.kind else {
            return &[];
        };
        keys
    }
}

/// The keys of an inner table with their defaults, as an inline table.
pub(super) fn inline(keys: &[Key]) -> String {
    let parts: Vec<String> = keys
        .iter()
        .map(|key| format!("{} = {}", key.name, key.shown()))
        .collect();
    format!("{{ {} }}", parts.join(", "))
}

impl Key {
    /// The keys inside the tables inside a [`Kind::Table`], where those are all alike.
    pub fn deeper(&self) -> &'static [Key] {
        self.inside().first().map_or(&[], Key::inside)
    }
}

impl Kind {
    /// The words or the range that are allowed, where there are such: `1s to 10m`.
    pub fn bounds(&self) -> Option<String> {
        match *self {
            Kind::Choice(words) | Kind::Words(words) => Some(quoted(words)),
            Kind::Duration(min, max) => Some(format!("{} to {}", brief(min), brief(max))),
            Kind::Temperature(min, max) => Some(format!("{min}C to {max}C")),
            Kind::Share => Some("0% to 100%".to_owned()),
            Kind::Load(min, max) => Some(format!("{min}% to {max}%")),
            Kind::Count(min, max) => Some(format!("{min} to {max}")),
            Kind::WordOrDuration(words, min, max) => Some(format!(
                "\"{}\", or {} to {}",
                words.join("\", \""),
                brief(min),
                brief(max)
            )),
            Kind::Voltage(min, max) => Some(format!("{} to {}", milli(min, "V"), milli(max, "V"))),
            Kind::Current(min, max) => Some(format!("{} to {}", milli(min, "A"), milli(max, "A"))),
            Kind::Resistance(min, max) => {
                let text = |micro: u32| milli(micro / 1000, "Ohm");
                Some(format!("{} to {}", text(min), text(max)))
            }
            Kind::Address => Some("0x08 to 0x77".to_owned()),
            Kind::Umask => Some("\"000\" to \"777\"".to_owned()),
            Kind::Signed(min, max) => Some(format!("{min} to {max}")),
            Kind::WordOrCount(words, min, max) => {
                Some(format!("{}, or {min} to {max}", quoted(words)))
            }
            Kind::Amount(words, min, max) => Some(format!(
                "{}, {} to {}, or 0.1% to 100%",
                quoted(words),
                size(min),
                size(max)
            )),
            Kind::WordOrSize(words, min, max) => Some(format!(
                "{}{} to {}",
                either(words, ", or "),
                size(min),
                size(max)
            )),
            Kind::Version
            | Kind::Flag
            | Kind::Path
            | Kind::WordOrPath(_)
            | Kind::Paths
            | Kind::Command
            | Kind::Services
            | Kind::Codes
            | Kind::Bytes
            | Kind::Environment
            | Kind::Text
            | Kind::Texts
            | Kind::Board
            | Kind::User
            | Kind::Group
            | Kind::Groups
            | Kind::Users
            | Kind::Capabilities
            | Kind::Secrets
            | Kind::Table(_) => None,
        }
    }
}

impl fmt::Display for Kind {
    /// What may be written, as it reads after "write": `a duration from 1s to 10m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = match *self {
            Kind::Choice(words) => return f.write_str(&quoted(words)),
            Kind::Words(words) => return write!(f, "a list of {}", quoted(words)),
            Kind::WordOrPath(words) => {
                return write!(f, "\"{}\" or an absolute path", words.join("\", \""));
            }
            Kind::WordOrDuration(words, min, max) => {
                let (words, min, max) = (words.join("\", \""), brief(min), brief(max));
                return write!(f, "\"{words}\" or a duration from {min} to {max}");
            }
            Kind::WordOrCount(words, min, max) => {
                let words = quoted(words);
                return write!(f, "{words} or a whole number from {min} to {max}");
            }
            Kind::WordOrSize(words, min, max) => {
                let (words, min, max) = (either(words, " or "), size(min), size(max));
                return write!(f, "{words}a size from {min} to {max}");
            }
            Kind::Amount(words, min, max) => {
                let (words, min, max) = (quoted(words), size(min), size(max));
                return write!(f, "{words}, a size from {min} to {max}, or a share");
            }
            Kind::Version | Kind::Count(..) | Kind::Signed(..) => "a whole number",
            Kind::Flag => "true or false",
            Kind::Duration(..) => "a duration",
            Kind::Temperature(..) => "a temperature",
            Kind::Share => "a share",
            Kind::Load(..) => "a load",
            Kind::Voltage(..) => "a voltage",
            Kind::Current(..) => "a current",
            Kind::Resistance(..) => "a resistance",
            Kind::Address => "a number",
            Kind::Text => "a text",
            Kind::Texts => "a list of texts",
            Kind::Board => "the name of a board",
            Kind::Path => "an absolute path",
            Kind::Paths => "a list of absolute paths",
            Kind::Command => "a list: a program by its absolute path, then its arguments",
            Kind::Services => "a list of names of services",
            Kind::Codes => "a list of exit codes",
            Kind::Bytes => "a list of numbers from 0 to 255",
            Kind::Environment => "a table of texts",
            Kind::User => "the name or number of a user",
            Kind::Group => "the name or number of a group",
            Kind::Groups => "a list of names or numbers of groups",
            Kind::Users => "a list of names or numbers of users",
            Kind::Capabilities => "a list of names of capabilities",
            Kind::Secrets => "a table of absolute paths",
            Kind::Umask => "three octal digits in quotes",
            Kind::Table(_) => "a table",
        };
        f.write_str(noun)?;
        match self.bounds() {
            Some(bounds) => write!(f, " from {bounds}"),
            None => Ok(()),
        }
    }
}

/// These words, and what leads to what may be there instead; nothing without words.
fn either(words: &[&str], or: &str) -> String {
    match words {
        [] => String::new(),
        words => quoted(words) + or,
    }
}

/// Words as they are written in the file: `"a", "b" or "c"`.
pub(super) fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Thousandths of a unit as they are written in the file: `3.2V`, `50mA`.
pub(super) fn milli(value: u32, unit: &str) -> String {
    match (value / 1000, value % 1000) {
        (0, part) => format!("{part}m{unit}"),
        (whole, 0) => format!("{whole}{unit}"),
        (whole, part) => {
            let part = format!("{part:03}");
            format!("{whole}.{}{unit}", part.trim_end_matches('0'))
        }
    }
}

/// A size as it is written in the file: `64KiB`, `1TiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = |shift: &u32| bytes > 0 && bytes.trailing_zeros() >= *shift;
    match units.iter().find(|(_, shift)| whole(shift)) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

/// A duration as it is written in the file: `1m 30s`.
pub(super) fn brief(duration: Duration) -> String {
    jiff::fmt::friendly::SpanPrinter::new().unsigned_duration_to_string(&duration)
}
