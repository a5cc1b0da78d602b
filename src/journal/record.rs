//! One record, and its line.

use crate::core::note::{Note, Severity, Trust};
use crate::core::settings::Settings;
use crate::text::{describe, sentence};
use crate::units::Mono;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::Write;

/// Version of the form of a record. A record with a larger one is left alone.
pub const FORMAT: u32 = 1;

/// Largest number of a record that is believed: a million records a second would get there in three
/// centuries, and JSON has whole numbers up to there. Numbers must always be able to grow.
pub(super) const SEQ_MAX: u64 = 1 << 53;

/// When something happened, by both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Time since the boot.
    pub mono: Mono,
    /// Wall time; `None` where it would only mislead.
    pub wall: Option<Timestamp>,
    /// How far that can be trusted.
    pub trust: Trust,
}

/// One record. Its JSON has the same fields under the same names, in this order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`] of its writer.
    pub v: u32,
    /// Its number: larger than that of every record before it, through all boots. A gap means
    /// that records were lost.
    pub seq: u64,
    /// Id of the boot.
    pub boot: String,
    /// Time since that boot; in JSON seconds with three places.
    #[serde(with = "mono")]
    pub mono: Mono,
    /// Wall time in UTC with milliseconds, if it was known.
    #[serde(with = "wall")]
    pub wall: Option<Timestamp>,
    /// How far that can be trusted.
    #[serde(with = "trust")]
    pub trust: Trust,
    /// How much it matters.
    #[serde(with = "severity")]
    pub severity: Severity,
    /// Name of the event, for example `service-exited`.
    pub event: String,
    /// The sentence for people, as worded by its writer.
    pub text: String,
    /// The fields of the event.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// The part of a record that every future version keeps.
#[derive(Deserialize)]
pub(super) struct Head {
    pub v: u32,
    pub seq: u64,
}

/// What a line turned out to be.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Line {
    /// A record.
    Whole(Box<Record>),
    /// A record of a later version, intact, with its number.
    Newer(u64),
    /// Anything else.
    Damaged,
}

impl Record {
    /// The record of a note.
    pub(super) fn of(
        note: &Note,
        settings: &Settings,
        boot: &str,
        seq: u64,
        stamp: Stamp,
    ) -> Record {
        let described = describe(note, settings);
        let fields = described.fields.iter();
        Record {
            severity: note.severity(),
            event: described.name.to_owned(),
            text: sentence(note, settings),
            data: fields.map(|(k, v)| ((*k).to_owned(), v.json())).collect(),
            ..Record::blank(boot, seq, stamp)
        }
    }

    /// A record that says nothing yet.
    pub(super) fn blank(boot: &str, seq: u64, stamp: Stamp) -> Record {
        Record {
            v: FORMAT,
            seq,
            boot: boot.to_owned(),
            mono: stamp.mono,
            wall: stamp.wall,
            trust: stamp.trust,
            severity: Severity::Warning,
            event: String::new(),
            text: String::new(),
            data: serde_json::Map::new(),
        }
    }

    /// The JSON of this record on one line, without the checksum.
    pub fn json(&self) -> String {
        // Serialising fails for maps whose keys are no strings, and for failing writers: neither is
        // here.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Bytes of the line of a record with this JSON.
    pub(super) fn line_length(json: &str) -> u64 {
        // Eight digits of the checksum, a space, a line feed.
        json.len() as u64 + 10
    }

    /// The line of this record.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        put_line(&self.json(), &mut line);
        line
    }
}

/// Appends the line of a record with this JSON: checksum, space, JSON, line feed.
pub(super) fn put_line(json: &str, into: &mut Vec<u8>) {
    // Writing into memory cannot fail.
    let _ = writeln!(into, "{:08x} {json}", crc32fast::hash(json.as_bytes()));
}

impl Line {
    /// Reads one line, given without its line feed.
    pub(super) fn read(line: &[u8]) -> Line {
        Line::checked(line).unwrap_or(Line::Damaged)
    }

    fn checked(line: &[u8]) -> Option<Line> {
        let (sum, rest) = line.split_at_checked(8)?;
        let json = rest.strip_prefix(b" ")?;
        if format!("{:08x}", crc32fast::hash(json)).as_bytes() != sum {
            return None;
        }
        let head: Head = serde_json::from_slice(json).ok()?;
        if head.seq > SEQ_MAX {
            return None;
        }
        if head.v > FORMAT {
            return Some(Line::Newer(head.seq));
        }
        let record = serde_json::from_slice(json).ok()?;
        Some(Line::Whole(Box::new(record)))
    }
}

/// Seconds with three places.
mod mono {
    use super::Mono;
    use serde::{Deserialize, Deserializer, Serializer};

    // The signature is serde's.
    pub(super) fn serialize<S: Serializer>(at: &Mono, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(at.0 as f64 / 1000.0)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Mono, D::Error> {
        let seconds = f64::deserialize(from)?;
        // The cast saturates. Exact to 2^50 ms, which are 35 000 years.
        Ok(Mono((seconds * 1000.0).round() as u64))
    }
}

/// RFC 3339 in UTC with milliseconds, or null.
mod wall {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            None => to.serialize_none(),
            Some(at) => to.collect_str(&format_args!("{at:.3}")),
        }
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}

/// The word for it.
mod severity {
    use super::Severity;
    use crate::text::{severity_named, severity_word};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(it: &Severity, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(severity_word(*it))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Severity, D::Error> {
        let word = String::deserialize(from)?;
        severity_named(&word).ok_or_else(|| D::Error::custom("no such severity"))
    }
}

/// The word for it.
mod trust {
    use super::Trust;
    use crate::text::{trust_named, trust_word};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(it: &Trust, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(trust_word(*it))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Trust, D::Error> {
        let word = String::deserialize(from)?;
        trust_named(&word).ok_or_else(|| D::Error::custom("no such trust"))
    }
}
