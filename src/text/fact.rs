//! Facts as text. `crate::trace` reads it back; both sides of that pair are tested against each
//! other.

use super::guard;
use super::keeper;
use super::legacy::left_word;
use super::notify;
use super::probe;
use super::quantity::{amperes, celsius, hundredths, percent, seconds, volts, wall};
use super::words::{
    asker, controller_word, exit, fault, flag, lack_word, probe_kind_word, request, source,
    stage_word, thread_word,
};
use super::{errno_word, throttle_flags, token};
use crate::core::fact::{Change, Fact, Pulse, Reading, RtcSeen, Shown, WatchdogSeen};
use crate::core::memo::{Left, Progress};
use crate::core::settings::Settings;
use crate::units::{Milliamps, Millivolts, Mono, Permille};

/// A fact without its time, on one line: `child web run=1 exited code=1`.
pub fn fact(fact: &Fact, settings: &Settings) -> String {
    match fact {
        Fact::Tick => "tick".to_owned(),
        Fact::Seen(reading) => format!("seen {}", self::reading(reading, settings)),
        Fact::Lost { source: from, why } => {
            format!("lost {} {}", source(*from, settings), fault(why))
        }
        Fact::Child {
            service,
            run,
            change,
        } => format!(
            "child {} run={} {}",
            token(settings.name(*service)),
            run.0,
            self::change(change)
        ),
        Fact::Kept { service, standing } => format!(
            "kept {} {}",
            token(settings.name(*service)),
            keeper::standing(standing)
        ),
        Fact::Asked {
            ticket,
            by,
            request: what,
        } => format!(
            "asked ticket={} {} {}",
            ticket.0,
            asker(*by),
            request(what, settings)
        ),
        Fact::Done { order, outcome } => match outcome {
            Ok(()) => format!("done order={} ok", order.0),
            Err(why) => format!("done order={} failed {}", order.0, fault(why)),
        },
        Fact::Thread { thread, pulse } => match pulse {
            Pulse::Late { since } => format!("thread {} late since={since}", thread_word(*thread)),
            Pulse::OnTime => format!("thread {} on-time", thread_word(*thread)),
        },
    }
}

/// Limits that are not enforced; `None` for any other reading.
fn unenforced(reading: &Reading) -> Option<String> {
    let Reading::Unenforced {
        controller,
        lack,
        asked,
    } = reading
    else {
        return None;
    };
    let (controller, lack) = (controller_word(*controller), lack_word(*lack));
    let asked = flag(*asked);
    Some(format!(
        "limits controller={controller} lack={lack} asked={asked}"
    ))
}

fn reading(reading: &Reading, settings: &Settings) -> String {
    match reading {
        Reading::Temperature(t) => format!("temperature {}", celsius(*t)),
        Reading::Memory { available } => format!("memory available={}", percent(*available)),
        Reading::Load { centi_per_cpu } => format!("load per-cpu={}", hundredths(*centi_per_cpu)),
        Reading::Clock { synced, shown } => {
            let shown = shown.map_or_else(String::new, self::shown);
            format!("clock synced={}{shown}", flag(*synced))
        }
        Reading::Network { up } => format!("network up={}", flag(*up)),
        Reading::Rtc(seen) => rtc(seen),
        Reading::Floor { time } => format!("floor time={}", wall(*time)),
        Reading::Mains { present } => format!("mains present={}", flag(*present)),
        Reading::Throttle(flags) => format!("throttle flags={}", throttle_flags(*flags)),
        Reading::Mount {
            mount,
            space,
            inodes,
            read_only,
            errors,
        } => format!(
            "mount {} space={} inodes={} read-only={}{}",
            token(settings.mount(*mount)),
            percent(*space),
            known(*inodes, percent),
            flag(*read_only),
            match errors {
                0 => String::new(),
                n => format!(" errors={n}"),
            }
        ),
        Reading::Canary { .. } | Reading::Cap { .. } | Reading::Wear { .. } => {
            guard::seen(reading, settings)
        }
        Reading::Pressure { .. } | Reading::Swap(_) => guard::seen(reading, settings),
        Reading::Uplink(_) | Reading::Expiry { .. } => guard::seen(reading, settings),
        Reading::Watchdog(seen) => watchdog(seen),
        Reading::WatchdogElsewhere { running, timeout } => format!(
            "watchdog running={} timeout={}",
            flag(*running),
            known(*timeout, seconds)
        ),
        Reading::Marker(left) => format!("marker {}", super::marker::found_marker(left)),
        Reading::Hold(left) => format!("hold {}", super::hold::hold(left)),
        Reading::Journal => "journal".to_owned(),
        Reading::Health => "health".to_owned(),
        Reading::Pool => "pool".to_owned(),
        Reading::Problems { text } => format!("configuration problems={}", token(text)),
        Reading::StandIn { by, problem } => super::reload::seen(*by, problem),
        Reading::Unenforced { .. } => unenforced(reading).unwrap_or_default(),
        Reading::Starts { aborted } => format!("starts aborted={aborted}"),
        Reading::Gauge {
            voltage,
            charge,
            current,
        } => gauge(*voltage, *charge, *current),
    }
}

fn gauge(
    voltage: Option<Millivolts>,
    charge: Option<Permille>,
    current: Option<Milliamps>,
) -> String {
    format!(
        "gauge voltage={} charge={} current={}",
        known(voltage, volts),
        known(charge, percent),
        known(current, amperes)
    )
}

fn watchdog(seen: &WatchdogSeen) -> String {
    format!(
        "watchdog identity={} timeout={} nowayout={} caused-reset={}",
        token(&seen.identity),
        seconds(seen.timeout),
        flag(seen.nowayout),
        flag(seen.caused_reset)
    )
}

/// What is not known is `none`.
fn known<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "none".to_owned(), text)
}

/// What a clock showed, behind what was said of it before: ` time=... at=12.400`.
fn shown(shown: Shown) -> String {
    format!(" time={} at={}", wall(shown.time), shown.at)
}

fn rtc(seen: &RtcSeen) -> String {
    let stopped = match seen.oscillator_stopped {
        Some(stopped) => flag(stopped),
        None => "unknown",
    };
    let shown = seen.shown.map_or_else(String::new, self::shown);
    let temperature = seen.temperature.map(celsius);
    let temperature = temperature.map_or_else(String::new, |t| format!(" temperature={t}"));
    format!("rtc stopped={stopped}{shown}{temperature}")
}

fn change(change: &Change) -> String {
    match change {
        Change::Started { pid } => format!("started pid={}", pid.number()),
        Change::StartFailed { stage, errno } => format!(
            "start-failed stage={} errno={}",
            stage_word(*stage),
            errno_word(*errno)
        ),
        Change::Adopted { pid, ready } => {
            format!("adopted pid={} ready={}", pid.number(), flag(*ready))
        }
        Change::Redefined => "redefined".to_owned(),
        Change::Recalled(memo) => format!(
            "recalled {} failures={} restarts={}{}",
            left(memo.left),
            memo.failures,
            times(&memo.restarts),
            progress(memo.progress)
        ),
        Change::Remembered(past) => format!("remembered {}", super::job::past(past)),
        Change::Stops(times) => format!("stops took={}", super::stops::stops(times)),
        Change::Ready => "ready".to_owned(),
        Change::Heartbeat => "heartbeat".to_owned(),
        Change::Said(said) => format!("said {}", notify::said(said)),
        Change::Refused { why, times } => {
            format!("refused {} times={times}", notify::refusal(*why))
        }
        Change::Probed {
            kind,
            attempt,
            probed,
        } => format!(
            "probed {} attempt={attempt} {}",
            probe_kind_word(*kind),
            probe::probed(*probed)
        ),
        Change::Exited(how) => format!("exited {}", exit(*how)),
    }
}

fn left(left: Left) -> String {
    let word = left_word(left);
    match left {
        Left::Backoff { until } | Left::GaveUp { until } => format!("{word} until={until}"),
        Left::Over | Left::Waiting | Left::Running | Left::Ending | Left::Resting { .. } => {
            word.to_owned()
        }
    }
}

/// What its probes have yet to find; nothing if there is nothing.
fn progress(progress: Progress) -> String {
    if progress == Progress::FULL {
        return String::new();
    }
    let (started, ready) = (flag(progress.started), flag(progress.ready));
    format!(" started={started} ready={ready}")
}

fn times(times: &[Mono]) -> String {
    match times {
        [] => "none".to_owned(),
        times => times
            .iter()
            .map(Mono::to_string)
            .collect::<Vec<_>>()
            .join(","),
    }
}
