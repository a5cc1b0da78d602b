//! `led`: the LEDs of this machine, and what the status LED shows.

use super::printer::{Printer, tell_line};
use super::remote::Daemon;
use crate::app::led_show;
use crate::core::light::LedState;
use crate::edge::led::list::{self, Seen};
use crate::error::Error;
use crate::status::{LedStatus, Status};
use crate::text::{for_people, led_meaning, led_named, led_word, rhythm_words};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  fieldwarden led list               which LEDs are there, and what shows ours?
  fieldwarden led show               see every state, five seconds each
  fieldwarden led show low-battery --for 10s";

/// Longest time for which a state is shown on demand.
const LONGEST: Duration = Duration::from_secs(600);

/// A state is asked for this much longer than it is waited for, so that the truth does not flash up
/// between two of them.
const OVERLAP: Duration = Duration::from_secs(1);

/// What is wanted.
#[derive(Subcommand, Debug)]
pub enum Led {
    /// List the LEDs of the kernel, who drives each, and what the status LED shows and why
    List {
        /// For programs: one JSON object, described in docs/control.md
        #[arg(long)]
        json: bool,
    },
    /// Show a state on the status LED, or all of them in turn; then the truth again
    Show {
        /// Which; every one without it
        #[arg(value_name = "STATE", value_parser = state)]
        state: Option<LedState>,
        /// How long each is shown, in whole seconds up to 10m
        #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = time)]
        time: Duration,
        /// Where the LED is named, if no daemon runs
        #[arg(long, value_name = "PATH", default_value = super::CONFIG)]
        config: PathBuf,
    },
}

/// A state by its word.
fn state(text: &str) -> Result<LedState, String> {
    led_named(text).ok_or_else(|| {
        let words: Vec<&str> = LedState::ALL.into_iter().map(led_word).collect();
        format!("write one of {}", words.join(", "))
    })
}

/// A time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    let time = super::duration(text)?;
    match time.subsec_nanos() == 0 && !time.is_zero() && time <= LONGEST {
        true => Ok(time),
        false => Err("write whole seconds, from 1s to 10m".to_owned()),
    }
}

/// Does what is wanted.
pub fn led(daemon: &Daemon, what: &Led, out: &mut Printer) -> Result<(), Error> {
    match what {
        Led::List { json } => list(daemon, *json, out),
        Led::Show {
            state,
            time,
            config,
        } => {
            let states = match state {
                Some(state) => vec![*state],
                None => LedState::ALL.to_vec(),
            };
            show(daemon, &states, *time, config, out)
        }
    }
}

/// The report of the daemon; `None` if none runs.
fn report(daemon: &Daemon) -> Result<Option<Status>, Error> {
    match daemon.status() {
        Ok(status) => Ok(Some(status)),
        Err(Error::NotRunning { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

fn list(daemon: &Daemon, json: bool, out: &mut Printer) -> Result<(), Error> {
    let folder = PathBuf::from("/sys/class/leds");
    let leds = list::leds(Path::new("/")).map_err(|source| Error::File {
        path: folder,
        source,
    })?;
    let status = report(daemon)?;
    if json {
        return Ok(out.line(&for_programs(&leds, status.as_ref()).to_string())?);
    }
    Ok(out.put(&for_readers(&leds, status.as_ref()))?)
}

fn for_programs(leds: &[Seen], status: Option<&Status>) -> Value {
    let ours = status.and_then(|s| s.led.as_ref());
    let one = |seen: &Seen| {
        json!({
            "name": seen.name,
            "trigger": seen.trigger,
            "patterns": seen.patterns,
            "brightness": seen.brightness.map(|(now, _)| now),
            "max_brightness": seen.brightness.map(|(_, most)| most),
            "ours": ours.is_some_and(|led| led.name == seen.name),
        })
    };
    json!({
        "daemon": status.is_some(),
        "led": ours,
        "leds": leds.iter().map(one).collect::<Vec<_>>(),
    })
}

fn for_readers(leds: &[Seen], status: Option<&Status>) -> String {
    let mut text = String::new();
    let ours = status.and_then(|s| s.led.as_ref());
    let width = leds.iter().map(|l| l.name.chars().count()).max();
    let width = width.unwrap_or(0).max(4);
    let triggers = leds.iter().map(|l| l.trigger.chars().count()).max();
    let column = triggers.unwrap_or(0).max(7);
    if leds.is_empty() {
        text.push_str("the kernel has no LEDs (/sys/class/leds is empty)\n");
    } else {
        text.push_str(&format!(
            "{:width$}  {:column$}  brightness\n",
            "LED", "trigger"
        ));
    }
    for seen in leds {
        let brightness = match seen.brightness {
            Some((now, most)) => format!("{now} of {most}"),
            None => "unknown".to_owned(),
        };
        let by_hand = match seen.patterns {
            true => "",
            false => ", no trigger `pattern`: switched by hand",
        };
        let mark = match ours.is_some_and(|led| led.name == seen.name) {
            true => "  <- the status LED",
            false => "",
        };
        let (name, trigger) = (&seen.name, &seen.trigger);
        text.push_str(&format!(
            "{name:width$}  {trigger:column$}  {brightness}{by_hand}{mark}\n"
        ));
    }
    text.push('\n');
    text.push_str(&match (status, ours) {
        (None, _) => "no daemon runs: nobody drives a status LED\n".to_owned(),
        (Some(_), None) => "no status LED is named in the configuration, [led]\n".to_owned(),
        (Some(status), Some(led)) => shown(led, &status.headline),
    });
    text
}

/// What the status LED shows, and why.
fn shown(led: &LedStatus, headline: &str) -> String {
    let name = &led.name;
    let Some(state) = led.shows.as_deref().and_then(led_named) else {
        let why = led.why.as_deref().unwrap_or("it has not answered yet");
        return format!(
            "{name} shows nothing: {why}\n  it would show {}\n",
            led.state
        );
    };
    let (word, rhythm) = (led_word(state), rhythm_words(state));
    match &led.demand {
        Some(_) => {
            let truth = &led.state;
            format!("{name} shows {word} on demand ({rhythm}), and then {truth} again\n")
        }
        None => format!(
            "{name} shows {word} ({rhythm}): {}\n  {headline}\n",
            led_meaning(state)
        ),
    }
}

fn show(
    daemon: &Daemon,
    states: &[LedState],
    time: Duration,
    config: &Path,
    out: &mut Printer,
) -> Result<(), Error> {
    let mut lamp = match report(daemon)? {
        Some(_) => None,
        None => {
            tell_line("fieldwarden: no daemon runs: driving the LED ourselves");
            let config = crate::config::load(config)?.config;
            Some(led_show::Demonstration::begin(&config)?)
        }
    };
    for state in states.iter().copied() {
        let begun = match &mut lamp {
            None => daemon.show_led(led_word(state), (time + OVERLAP).as_secs()),
            Some(lamp) => lamp.show(state).map_err(Error::App),
        };
        begun?;
        let (word, rhythm, meaning) = (led_word(state), rhythm_words(state), led_meaning(state));
        out.line(&format!("{word:12} {rhythm:44} {meaning}"))?;
        match &mut lamp {
            None => std::thread::sleep(time),
            Some(lamp) => lamp.wait(time).map_err(Error::App)?,
        }
        if out.gone() {
            break;
        }
    }
    match lamp {
        None => {
            let led = daemon.status()?.led;
            let state = led.map_or_else(|| "nothing".to_owned(), |led| led.state);
            let time = for_people(OVERLAP);
            out.line(&format!("within {time} it shows {state} again, the truth"))?;
        }
        Some(lamp) => {
            lamp.end().map_err(Error::App)?;
            out.line("it is what it was before")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leds() -> Vec<Seen> {
        let led = |name: &str, trigger: &str, patterns| Seen {
            name: name.to_owned(),
            trigger: trigger.to_owned(),
            patterns,
            brightness: Some((1, 255)),
        };
        vec![led("ACT", "pattern", true), led("mmc0::", "mmc0", false)]
    }

    /// Without a daemon the LEDs are listed all the same.
    #[test]
    fn lists_without_a_daemon() {
        let text = for_readers(&leds(), None);
        assert_eq!(
            text,
            "LED     trigger  brightness\n\
             ACT     pattern  1 of 255\n\
             mmc0::  mmc0     1 of 255, no trigger `pattern`: switched by hand\n\
             \n\
             no daemon runs: nobody drives a status LED\n"
        );
        let json = for_programs(&leds(), None);
        assert_eq!(json["daemon"], false);
        assert_eq!(json["leds"][1]["trigger"], "mmc0");
        assert_eq!(json["leds"][0]["ours"], false);
        assert!(for_readers(&[], None).starts_with("the kernel has no LEDs"));
    }

    /// What is shown is told with its reason; what cannot be shown, with its own.
    #[test]
    fn tells_what_is_shown_and_why() {
        let led = LedStatus {
            name: "ACT".into(),
            state: "degraded".into(),
            shows: Some("degraded".into()),
            rhythm: None,
            demand: None,
            demand_seconds: None,
            why: None,
            retry_seconds: None,
        };
        assert_eq!(
            shown(&led, "degraded: web is starting"),
            "ACT shows degraded (three short flashes, a pause): somebody should look some day\n  \
             degraded: web is starting\n"
        );
        let demand = LedStatus {
            shows: Some("halting".into()),
            demand: Some("halting".into()),
            ..led.clone()
        };
        assert!(shown(&demand, "").contains("on demand (flickering"));
        let gone = LedStatus {
            shows: None,
            why: Some("there is none on this machine".into()),
            ..led
        };
        assert_eq!(
            shown(&gone, ""),
            "ACT shows nothing: there is none on this machine\n  it would show degraded\n"
        );
    }

    /// States and times are read, and what is wrong is told.
    #[test]
    fn arguments_are_read() {
        assert_eq!(state("low-battery"), Ok(LedState::LowBattery));
        assert!(state("lowbattery").is_err_and(|e| e.contains("low-battery")));
        assert_eq!(time("10m"), Ok(LONGEST));
        for wrong in ["0s", "500ms", "11m", "5"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
