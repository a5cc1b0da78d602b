//! `explain`: what the throttle flags of a Raspberry Pi say, bit by bit.

use super::printer::{Printer, tell_line};
use crate::core::fact::ThrottleFlags;
use crate::error::Error;
use crate::text;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  fieldwarden explain 0x50005
  fieldwarden explain \"$(vcgencmd get_throttled)\"

It ends with 0 whatever the flags say, and with 2 if that is no number of 32 bits.";

/// What the firmware's own tool writes before the number.
const PREFIX: &str = "throttled=";

/// Bits that decimal numbers of a real board have; see [`Asked::doubtful`].
const LIKELY: u32 = 0x000f_000f;

/// Flags to be explained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    flags: ThrottleFlags,
    /// The same digits read as hexadecimal, where only that gives bits which are known: the
    /// kernel's own file writes them so, without `0x`.
    doubtful: Option<ThrottleFlags>,
}

/// Flags as people write them.
///
/// # Errors
/// What to write instead.
pub fn flags(text: &str) -> Result<Asked, String> {
    let number = text.trim();
    let number = number.strip_prefix(PREFIX).unwrap_or(number);
    let hex = number
        .strip_prefix("0x")
        .or_else(|| number.strip_prefix("0X"));
    let digits = hex.unwrap_or(number);
    let (radix, valid): (u32, fn(&char) -> bool) = match hex {
        Some(_) => (16, char::is_ascii_hexdigit),
        None => (10, char::is_ascii_digit),
    };
    if digits.is_empty() || !digits.chars().all(|c| valid(&c)) {
        return Err("write a number such as 0x50005 or 327685".to_owned());
    }
    let bits = u32::from_str_radix(digits, radix)
        .map_err(|_| "it has more than the 32 bits that the firmware gives".to_owned())?;
    let other = u32::from_str_radix(digits, 16).ok();
    let doubtful =
        other.filter(|other| hex.is_none() && bits & !LIKELY != 0 && other & !LIKELY == 0);
    Ok(Asked {
        flags: ThrottleFlags(bits),
        doubtful: doubtful.map(ThrottleFlags),
    })
}

/// Explains them on standard output.
///
/// # Errors
/// When that cannot be written.
pub fn explain(asked: Asked, out: &mut Printer) -> Result<(), Error> {
    out.line(&text::explain(asked.flags).join("\n\n"))?;
    if let Some(flags) = asked.doubtful {
        tell_line(&format!(
            "fieldwarden: taken as a decimal number; help: for the hexadecimal one, write {}",
            text::throttle_flags(flags)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both notations, what the firmware's tool writes, and nothing else.
    #[test]
    fn numbers_as_people_write_them() {
        for (text, bits) in [
            ("0", 0),
            ("0x0", 0),
            ("0x50005", 0x50005),
            ("0X5000A", 0x5000a),
            ("327685", 0x50005),
            ("throttled=0x50005\n", 0x50005),
            ("0xffffffff", u32::MAX),
        ] {
            let asked = flags(text).unwrap();
            assert_eq!((asked.flags.0, asked.doubtful), (bits, None), "{text}");
        }
        for text in [
            "",
            "0x",
            "-1",
            "+1",
            "5000a",
            "0x1 2",
            "throttled=",
            "4294967296",
        ] {
            assert!(flags(text).is_err(), "{text}");
        }
    }

    /// The kernel's file gives hexadecimal digits without a mark.
    #[test]
    fn hexadecimal_without_a_mark_is_suspected() {
        let asked = flags("50005").unwrap();
        assert_eq!(asked.flags.0, 50005);
        assert_eq!(asked.doubtful, Some(ThrottleFlags(0x50005)));
    }
}
