//! A time before which this program cannot have been made.
//!
//! No clock that shows an earlier one is right. It is fixed when the program is compiled, and the
//! same source gives the same program: the clock of whoever compiles it is not asked.

use crate::units::Wall;

/// 2025-06-26: the compiler that this version needs (1.88) was not published before. Rises with
/// `rust-version`; a test compares them.
const COMPILER: i64 = 1_750_896_000;

/// That, or the later date that whoever packages this gives in the environment of the compiler, in
/// seconds since 1970 (`SOURCE_DATE_EPOCH`, reproducible-builds.org).
const DATE: i64 = match option_env!("SOURCE_DATE_EPOCH") {
    None => COMPILER,
    Some(text) => later(COMPILER, number(text.as_bytes())),
};

/// A time that is past for certain.
pub fn build_date() -> Wall {
    // Checked when this is compiled: `number` refuses what does not fit.
    Wall::new(DATE).unwrap_or(Wall::MAX)
}

const fn later(one: i64, other: i64) -> i64 {
    if other > one { other } else { one }
}

/// A whole number of seconds, in ten digits at most: the year 2286.
const fn number(digits: &[u8]) -> i64 {
    assert!(
        !digits.is_empty() && digits.len() <= 10,
        "SOURCE_DATE_EPOCH is no number of seconds since 1970"
    );
    let (mut at, mut sum) = (0, 0);
    while at < digits.len() {
        assert!(
            digits[at].is_ascii_digit(),
            "SOURCE_DATE_EPOCH is no number of seconds since 1970"
        );
        sum = sum * 10 + (digits[at] - b'0') as i64;
        at += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A later date counts, an earlier one does not.
    #[test]
    fn the_later_date_counts() {
        assert_eq!(later(COMPILER, number(b"1893456000")), 1_893_456_000);
        assert_eq!(later(COMPILER, number(b"0")), COMPILER);
        assert!(build_date().seconds() >= COMPILER);
    }

    /// The date belongs to the compiler that the manifest names.
    #[test]
    fn the_compiler_is_the_one_that_is_needed() {
        assert_eq!(env!("CARGO_PKG_RUST_VERSION"), "1.88");
        let date = crate::text::wall(Wall::new(COMPILER).unwrap());
        assert_eq!(date, "2025-06-26T00:00:00Z");
    }
}
