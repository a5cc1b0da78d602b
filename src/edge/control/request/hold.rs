//! Reads a request for a hold.

use super::super::answer::{Code, Refusal};
use super::{EXAMPLE, Keys, Scalar};
use crate::core::fact::{Hold, Request};
use crate::core::settings::Settings;
use crate::text::{for_people, misleads};
use std::time::Duration;

/// A hold for so many `seconds`, with its `reason`.
pub(super) fn hold(keys: &mut Keys, settings: &Settings) -> Result<Request, Refusal> {
    let bad = |what: &str| Refusal::new(Code::BadRequest, what, EXAMPLE);
    let seconds = match keys.remove("seconds") {
        Some(Scalar::Count(seconds)) if seconds > 0 => seconds,
        Some(_) | None => return Err(bad("`seconds` must be a number from 1 on")),
    };
    let time = Duration::from_secs(seconds);
    let reason = match keys.remove("reason") {
        Some(Scalar::Text(text)) => reason(&text)?,
        Some(Scalar::Count(_) | Scalar::Flag(_)) | None => {
            return Err(bad("the request has no text under `reason`"));
        }
    };
    if time > settings.hold_most {
        let most = for_people(settings.hold_most);
        let what = format!("a hold lasts at most {most} (`most` of [hold])");
        let help = "ask for less; it can be changed while it is in force";
        return Err(Refusal::new(Code::TooLong, what, help));
    }
    Ok(Request::Hold { time, reason })
}

/// A reason that fits into one line and does nothing to a terminal.
fn reason(text: &str) -> Result<Box<str>, Refusal> {
    let help = format!(
        "say in one line of at most {} characters what you do, such as \"working on the wiring\"",
        Hold::REASON_MAX
    );
    let bad = |what: String| Err(Refusal::new(Code::BadRequest, what, help.clone()));
    let text = text.trim();
    let count = text.chars().count();
    if text.is_empty() {
        return bad("the reason of a hold is empty".to_owned());
    }
    if count > Hold::REASON_MAX {
        return bad(format!("the reason of a hold has {count} characters"));
    }
    match text.chars().find(|c| misleads(*c)) {
        None => Ok(text.into()),
        Some(c) => bad(format!(
            "the reason of a hold has the character {}, which does something to a terminal",
            c.escape_default()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Wanted, read};
    use super::*;

    fn try_read(rest: &str) -> Result<Wanted, Refusal> {
        let settings = Settings {
            hold_most: Duration::from_secs(3600),
            ..Settings::nothing()
        };
        let line = format!(r#"{{"v":1,"request":"hold"{rest}}}"#);
        read(line.as_bytes(), &settings)
    }

    /// A hold has a time and a reason, which is taken without what stands around it.
    #[test]
    fn a_hold_can_be_asked_for() {
        let hold = |seconds, reason: &str| {
            Ok(Wanted::Core(Request::Hold {
                time: Duration::from_secs(seconds),
                reason: reason.into(),
            }))
        };
        let full = "\u{fc}".repeat(Hold::REASON_MAX);
        for (seconds, given, taken) in [
            (1, " the wiring ", "the wiring"),
            (3600, "x", "x"),
            (60, &full, &full),
        ] {
            let rest = format!(r#","seconds":{seconds},"reason":"{given}""#);
            assert_eq!(try_read(&rest), hold(seconds, taken));
        }
        let end = read(br#"{"v":1,"request":"end-hold"}"#, &Settings::nothing());
        assert_eq!(end, Ok(Wanted::Core(Request::EndHold)));
        assert!(end.is_ok_and(|wanted| wanted.acts()));
    }

    /// Without either, for too long, or with a reason that is none, it is refused.
    #[test]
    fn a_hold_is_refused_with_a_reason() {
        let long = format!(r#","seconds":5,"reason":"{}""#, "x".repeat(121));
        for (rest, code, what) in [
            (r#","reason":"x""#, Code::BadRequest, "from 1 on"),
            (
                r#","seconds":0,"reason":"x""#,
                Code::BadRequest,
                "from 1 on",
            ),
            (
                r#","seconds":"30m","reason":"x""#,
                Code::BadRequest,
                "from 1 on",
            ),
            (r#","seconds":5"#, Code::BadRequest, "under `reason`"),
            (
                r#","seconds":5,"reason":7"#,
                Code::BadRequest,
                "under `reason`",
            ),
            (r#","seconds":5,"reason":" ""#, Code::BadRequest, "is empty"),
            (&long, Code::BadRequest, "121 characters"),
            (r#","seconds":5,"reason":"a\nb""#, Code::BadRequest, r"\n"),
            (
                r#","seconds":5,"reason":"a\u001b[2J""#,
                Code::BadRequest,
                r"\u{1b}",
            ),
            (
                r#","seconds":5,"reason":"\u202eb""#,
                Code::BadRequest,
                r"\u{202e}",
            ),
            (
                r#","seconds":3601,"reason":"x""#,
                Code::TooLong,
                "at most 1 h",
            ),
            (
                r#","seconds":18446744073709551615,"reason":"x""#,
                Code::TooLong,
                "at most 1 h",
            ),
        ] {
            let refusal = try_read(rest).expect_err(rest);
            assert_eq!(refusal.code, code, "{rest}");
            assert!(refusal.error.contains(what), "{rest}: {}", refusal.error);
        }
    }
}
