//! Actions as text. Never read back: a replay computes them anew and compares the text.

use super::marker::marker;
use super::quantity::seconds;
use super::token;
use super::words::{halt_kind_word, led_word, probe_kind_word, thread_word};
use crate::core::action::{Action, Announcement, Answer, Reach, Signal};
use crate::core::fact::Hold;
use crate::core::light::Light;
use crate::core::settings::Settings;

/// An action on one line: `start web run=2`, `arm timeout=15s`.
pub fn action(action: &Action, settings: &Settings) -> String {
    match action {
        Action::Start { service, run } => {
            format!("start {} run={}", token(settings.name(*service)), run.0)
        }
        Action::Signal {
            service,
            run,
            signal,
            reach,
        } => format!(
            "signal {} run={} {} {}",
            token(settings.name(*service)),
            run.0,
            signal_kind(*signal),
            match reach {
                Reach::Main => "main",
                Reach::All => "all",
            }
        ),
        Action::Probe {
            service,
            run,
            kind,
            attempt,
        } => format!(
            "probe {} run={} {} attempt={attempt}",
            token(settings.name(*service)),
            run.0,
            probe_kind_word(*kind)
        ),
        Action::Arm { timeout } => format!("arm timeout={}", seconds(*timeout)),
        Action::Pet => "pet".to_owned(),
        Action::Disarm => "disarm".to_owned(),
        Action::WatchGauge { closely } => watch_gauge(*closely).to_owned(),
        Action::SetRtc => "set-rtc".to_owned(),
        Action::Trim { cap } => format!("trim {}", token(settings.cap(*cap))),
        Action::Light(Light::Show(state)) => format!("light {}", led_word(*state)),
        Action::Light(Light::Release) => "light release".to_owned(),
        Action::RollCall { thread } => format!("roll-call {}", thread_word(*thread)),
        Action::Reply { ticket, answer } => {
            format!("reply ticket={} {}", ticket.0, self::answer(answer))
        }
        Action::Announce(what) => format!("announce {}", announcement(*what)),
        Action::Record(marker) => format!("record {}", self::marker(marker)),
        Action::Keep(marker) => format!("keep {}", self::marker(marker)),
        Action::KeepHold { hold } => keep_hold(hold.as_ref()),
        Action::Sync => "sync".to_owned(),
        Action::CutPower { cut: true } => "cut-power".to_owned(),
        Action::CutPower { cut: false } => "cut-power no".to_owned(),
        Action::AskInit { kind } => format!("ask-init {}", halt_kind_word(*kind)),
        Action::ForceHalt { kind } => format!("force-halt {}", halt_kind_word(*kind)),
        Action::CheckConfig => "check-config".to_owned(),
        Action::HandOver => "hand-over".to_owned(),
        Action::Exit { services_left } => {
            let how = if *services_left { "left" } else { "down" };
            format!("exit services-{how}")
        }
    }
}

fn watch_gauge(closely: bool) -> &'static str {
    match closely {
        true => "watch-gauge closely",
        false => "watch-gauge as-usual",
    }
}

fn keep_hold(hold: Option<&Hold>) -> String {
    let hold = hold.map_or_else(|| "none".to_owned(), super::hold::hold);
    format!("keep-hold {hold}")
}

fn signal_kind(signal: Signal) -> &'static str {
    match signal {
        Signal::Stop => "stop",
        Signal::Kill => "kill",
        Signal::Abort => "abort",
        Signal::Restart => "restart",
    }
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Status => "status".to_owned(),
        Answer::Accepted => "accepted".to_owned(),
        Answer::Already => "already".to_owned(),
        Answer::Ending => "ending".to_owned(),
        Answer::NoDrill(why) => super::drill::answer(why),
        Answer::Unready(why) => super::reload::answer(why),
        Answer::TooLong { left } => format!("too-long left={}", seconds(*left)),
    }
}

fn announcement(what: Announcement) -> String {
    match what {
        Announcement::Ready => "ready".to_owned(),
        Announcement::Stopping => "stopping".to_owned(),
        Announcement::Reloading => "reloading".to_owned(),
        Announcement::Extend(time) => format!("extend {}", seconds(time)),
        Announcement::Status {
            up,
            wanted,
            worst,
            stand_in,
        } => format!(
            "status up={up} wanted={wanted} worst={}{}",
            worst.word(),
            stand_in.map_or(String::new(), |by| format!(
                " {}",
                super::reload::stand_in(by)
            ))
        ),
    }
}
