//! The status LED in the status report.

use super::quantity::Seconds;
use super::screen::{DOUBTFUL, GOOD, mark};
use super::table::Cell;
use crate::core::Core;
use crate::text::{fault_sentence, for_people, led_meaning, led_named, led_word, rhythm_words};
use crate::units::Mono;
use serde::{Deserialize, Serialize};

/// The status LED. Its states: `well`, `unknown`, `starting`, `degraded`, `on-battery`, `critical`,
/// `unguarded`, `low-battery`, `stopping`, `halting`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LedStatus {
    /// Its name in the kernel, or its line: `ACT`, `line 17`.
    pub name: String,
    /// What it is to show by the state of things: the worst of the last 10 s.
    pub state: String,
    /// What it shows now; null while it cannot be had.
    pub shows: Option<String>,
    /// That in flashes, for people.
    pub rhythm: Option<String>,
    /// The state that an operator wants to see instead.
    pub demand: Option<String>,
    /// Time until that is over.
    pub demand_seconds: Option<Seconds>,
    /// Why it cannot be had.
    pub why: Option<String>,
    /// Time until it is tried again.
    pub retry_seconds: Option<Seconds>,
}

/// How it stands; `None` where there is none.
pub(super) fn led(core: &Core, now: Mono) -> Option<LedStatus> {
    let view = core.led()?;
    let word = |state| led_word(state).to_owned();
    Some(LedStatus {
        name: core.settings().led.as_deref().unwrap_or("?").to_owned(),
        state: word(view.target),
        shows: view.lit.map(word),
        rhythm: view.lit.map(|state| rhythm_words(state).to_owned()),
        demand: view.demand.map(|(state, _)| word(state)),
        demand_seconds: view.demand.map(|(_, until)| Seconds(until.since(now))),
        why: view.trouble.as_ref().map(|(why, _)| fault_sentence(why)),
        retry_seconds: view.trouble.map(|(_, retry)| Seconds(retry.since(now))),
    })
}

impl LedStatus {
    /// Why it says nothing, for the first line of the report.
    pub(super) fn trouble(&self) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(format!("LED {} shows nothing: {why}", self.name))
    }

    /// Its line in the report.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let (style, said) = match (&self.shows, &self.why) {
            (Some(shows), _) => (GOOD, shows.as_str()),
            (None, Some(_)) => (DOUBTFUL, "nothing"),
            (None, None) => (DOUBTFUL, "nothing yet"),
        };
        let meaning = self.shows.as_deref().and_then(led_named).map(led_meaning);
        let demand = self.demand_seconds.as_ref().map(|time| {
            let (state, time) = (&self.state, for_people(time.0));
            format!("on demand for {time} more, then {state}")
        });
        let retry = self.retry_seconds.as_ref();
        let retry = retry.map(|r| format!("next try in {}", for_people(r.0)));
        let rest = [
            self.rhythm.clone(),
            meaning.map(str::to_owned),
            demand,
            self.why.clone(),
            retry,
        ];
        let rest: Vec<String> = rest.into_iter().flatten().collect();
        vec![
            mark(style),
            Cell::plain(&self.name),
            Cell::new(said, style),
            Cell::plain(&rest.join("; ")),
        ]
    }
}
