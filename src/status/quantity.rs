//! Quantities as numbers of JSON: exact inside, a decimal number outside.

use crate::units::{MilliCelsius, Milliamps, Millivolts, Mono, Permille};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// A duration; in JSON a number of seconds with three places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Seconds(pub Duration);

/// A temperature; in JSON a number of degrees Celsius.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Celsius(pub MilliCelsius);

/// A share; in JSON a number of percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Percent(pub Permille);

/// A load in hundredths; in JSON a number where 1 is one processor fully used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load(pub u32);

/// A voltage; in JSON a number of volts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Volts(pub Millivolts);

/// A current; in JSON a number of amperes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Amperes(pub Milliamps);

impl From<Mono> for Seconds {
    /// The time since the start that this instant counts from.
    fn from(at: Mono) -> Seconds {
        Seconds(Duration::from_millis(at.0))
    }
}

/// Serialises as a decimal number with this many parts of one.
macro_rules! decimal {
    ($ty:ident, $parts:literal, $count:expr, $back:expr) => {
        impl Serialize for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let count: i64 = $count(*self);
                // Exact for everything below 2^53 parts, which is far beyond all of these.
                serializer.serialize_f64(count as f64 / $parts as f64)
            }
        }

        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$ty, D::Error> {
                let number = f64::deserialize(deserializer)?;
                // A cast from a float saturates, so no number does harm.
                $back((number * $parts as f64).round() as i64)
                    .ok_or_else(|| D::Error::custom(concat!("out of range: ", stringify!($ty))))
            }
        }
    };
}

decimal!(
    Seconds,
    1000,
    |s: Seconds| i64::try_from(s.0.as_millis()).unwrap_or(i64::MAX),
    |n: i64| u64::try_from(n)
        .ok()
        .map(|n| Seconds(Duration::from_millis(n)))
);
decimal!(Celsius, 1000, |c: Celsius| c.0.0.into(), |n: i64| {
    i32::try_from(n).ok().map(|n| Celsius(MilliCelsius(n)))
});
decimal!(Percent, 10, |p: Percent| p.0.0.into(), |n: i64| {
    u16::try_from(n).ok().map(|n| Percent(Permille(n)))
});
decimal!(Volts, 1000, |v: Volts| v.0.0.into(), |n: i64| {
    u32::try_from(n).ok().map(|n| Volts(Millivolts(n)))
});
decimal!(Amperes, 1000, |a: Amperes| a.0.0.into(), |n: i64| {
    i32::try_from(n).ok().map(|n| Amperes(Milliamps(n)))
});
decimal!(Load, 100, |l: Load| l.0.into(), |n: i64| {
    u32::try_from(n).ok().map(Load)
});

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written is read back, and numbers that cannot be are refused.
    #[test]
    fn there_and_back() {
        let json = |s: &Seconds| serde_json::to_string(s).unwrap();
        for ms in [0, 1, 999, 12_345, 86_400_000, 4_000_000_000_123] {
            let seconds = Seconds(Duration::from_millis(ms));
            assert_eq!(
                serde_json::from_str::<Seconds>(&json(&seconds)).unwrap(),
                seconds
            );
        }
        assert_eq!(json(&Seconds(Duration::from_millis(12_345))), "12.345");
        let celsius = Celsius(MilliCelsius(-1_250));
        assert_eq!(serde_json::to_string(&celsius).unwrap(), "-1.25");
        assert_eq!(serde_json::from_str::<Celsius>("-1.25").unwrap(), celsius);
        assert_eq!(
            serde_json::to_string(&Percent(Permille(145))).unwrap(),
            "14.5"
        );
        assert_eq!(serde_json::to_string(&Load(35)).unwrap(), "0.35");
        let volts = Volts(Millivolts(3_912));
        assert_eq!(serde_json::to_string(&volts).unwrap(), "3.912");
        let amperes = Amperes(Milliamps(-420));
        assert_eq!(serde_json::to_string(&amperes).unwrap(), "-0.42");
        assert_eq!(serde_json::from_str::<Amperes>("-0.42").unwrap(), amperes);
        for bad in ["-1", "1e400", "\"1\"", "null"] {
            assert!(serde_json::from_str::<Seconds>(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Percent>("1e9").is_err());
    }
}
