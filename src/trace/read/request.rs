//! Reads what somebody has asked for.

use super::super::lexer::expected;
use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::fact::{Hold, Request};
use crate::text::{REQUEST_WORDS, led_named};

impl Line<'_, '_> {
    pub(super) fn request(&mut self) -> Result<Request, Problem> {
        let word = self.words.plain(REQUEST_WORDS)?;
        match &*word {
            "status" => Ok(Request::Status),
            "start" => self.service().map(Request::Start),
            "stop" => self.service().map(Request::Stop),
            "restart" => self.service().map(Request::Restart),
            "exit" => Ok(Request::Exit),
            "leave" => Ok(Request::Leave),
            "reload" => Ok(Request::Reload),
            "halt" => self.halt_kind().map(Request::Halt),
            "hold" => self.hold(),
            "end-hold" => Ok(Request::EndHold),
            "drill-watchdog" => Ok(Request::Drill),
            "show-led" => self.show_led(),
            other => Err(expected(REQUEST_WORDS, other)),
        }
    }

    fn hold(&mut self) -> Result<Request, Problem> {
        let time = value::seconds(&self.words.keyed("for", "1800s")?)?;
        let reason = self.reason()?;
        Ok(Request::Hold { time, reason })
    }

    pub(super) fn left_hold(&mut self) -> Result<Hold, Problem> {
        Ok(Hold {
            by: self.asker()?,
            since: value::mono(&self.words.keyed("since", "TIME")?)?,
            until: value::mono(&self.words.keyed("until", "TIME")?)?,
            reason: self.reason()?,
        })
    }

    fn reason(&mut self) -> Result<Box<str>, Problem> {
        Ok(self.words.keyed("reason", "TEXT")?.into())
    }

    fn show_led(&mut self) -> Result<Request, Problem> {
        const STATES: &str = "what an LED shows, such as `well`";
        let word = self.words.plain(STATES)?;
        let state = led_named(&word).ok_or_else(|| expected(STATES, &word))?;
        let time = value::seconds(&self.words.keyed("for", "5s")?)?;
        Ok(Request::ShowLed { state, time })
    }
}
