//! The value of a field: what it is, in JSON, and as a token of a line.

use crate::text::quantity::{celsius, hundredths, percent, seconds, volts};
use crate::text::token;
use crate::text::words::flag;
use crate::units::{MilliCelsius, Millivolts, Permille};
use std::fmt;
use std::time::Duration;

/// The value of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A word or free text.
    Text(String),
    /// A number without unit.
    Count(u64),
    /// Yes or no.
    Flag(bool),
    /// A duration; in JSON a number of seconds with three places.
    Time(Duration),
    /// A temperature; in JSON a number of degrees Celsius.
    Heat(MilliCelsius),
    /// A share; in JSON a number of percent.
    Share(Permille),
    /// A value in hundredths; in JSON a number.
    Hundredths(u32),
    /// A voltage; in JSON a number of volts.
    Volts(Millivolts),
}

impl Value {
    /// The value in JSON, with the units that are given at each variant.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Value::Text(text) => text.as_str().into(),
            Value::Count(n) => (*n).into(),
            Value::Flag(yes) => (*yes).into(),
            Value::Time(d) => scaled(i128::try_from(d.as_millis()).unwrap_or(i128::MAX), 1000),
            Value::Heat(t) => scaled(t.0.into(), 1000),
            Value::Share(p) => scaled(p.0.into(), 10),
            Value::Hundredths(h) => scaled((*h).into(), 100),
            Value::Volts(v) => scaled(v.0.into(), 1000),
        }
    }
}

impl fmt::Display for Value {
    /// One token, as in a line of the trace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(&token(text)),
            Value::Count(n) => write!(f, "{n}"),
            Value::Flag(yes) => f.write_str(flag(*yes)),
            Value::Time(d) => f.write_str(&seconds(*d)),
            Value::Heat(t) => f.write_str(&celsius(*t)),
            Value::Share(p) => f.write_str(&percent(*p)),
            Value::Hundredths(h) => f.write_str(&hundredths(*h)),
            Value::Volts(v) => f.write_str(&volts(*v)),
        }
    }
}

/// `value / scale` as a JSON number: whole where it is whole, and otherwise with exact decimals.
fn scaled(value: i128, scale: i128) -> serde_json::Value {
    if value % scale == 0
        && let Ok(whole) = i64::try_from(value / scale)
    {
        return whole.into();
    }
    // The nearest f64 prints with the same digits: there are far fewer than the 15 it can hold.
    (value as f64 / scale as f64).into()
}
