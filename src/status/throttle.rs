//! The firmware's throttle flags in the status report.

use super::quantity::{Celsius, Seconds};
use crate::core::{Core, Watched};
use crate::text::{for_people, throttle_clause, throttle_flags, throttle_named, throttle_word};
use crate::units::Mono;
use serde::{Deserialize, Serialize};

/// The firmware's throttle flags. Counts begin with the daemon.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ThrottleStatus {
    /// The bits as the firmware gives them, for `fieldwarden explain`; null while they cannot be
    /// read.
    pub flags: Option<String>,
    /// The flags that had an episode.
    pub episodes: Vec<EpisodeStatus>,
}

/// The episodes of one flag.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EpisodeStatus {
    /// `under-voltage`, `frequency-capped`, `throttled` or `soft-limit`.
    pub flag: String,
    /// An episode goes on: the flag is set, or was a moment ago.
    pub active: bool,
    /// The length of that episode so far; null if there is none.
    pub active_seconds: Option<Seconds>,
    /// Episodes, the one that goes on included.
    pub count: u32,
    /// Length of all episodes together, as far as it is known: one that was too short to be seen
    /// counts with nothing.
    pub total_seconds: Seconds,
    /// Time since the flag was found clear, while the episode is not over yet.
    #[serde(default)]
    pub clear_seconds: Option<Seconds>,
    /// Time since the end of the latest one that is over.
    pub ended_seconds_ago: Option<Seconds>,
    /// The highest temperature in the episode that goes on, or else in the latest one.
    pub peak_celsius: Option<Celsius>,
}

/// How the flags stand; `None` where nothing tells of them.
pub(super) fn throttle(core: &Core, now: Mono) -> Option<ThrottleStatus> {
    let (flags, watched) = core.throttle()?;
    let troubled = watched.iter().filter(|w| w.episodes > 0);
    Some(ThrottleStatus {
        flags: flags.map(throttle_flags),
        episodes: troubled.map(|w| episodes(w, now)).collect(),
    })
}

fn episodes(watched: &Watched, now: Mono) -> EpisodeStatus {
    let active = watched.episode.map(|e| e.lasted(now));
    let total = watched.total.saturating_add(active.unwrap_or_default());
    let peak = match watched.episode {
        Some(episode) => episode.peak,
        None => watched.last.and_then(|l| l.peak),
    };
    EpisodeStatus {
        flag: throttle_word(watched.flag).to_owned(),
        active: active.is_some(),
        active_seconds: active.map(Seconds),
        clear_seconds: watched
            .episode
            .and_then(|e| e.clear)
            .map(|clear| Seconds(now.since(clear))),
        count: watched.episodes,
        total_seconds: Seconds(total),
        ended_seconds_ago: watched.last.map(|l| Seconds(now.since(l.at))),
        peak_celsius: peak.map(Celsius),
    }
}

impl ThrottleStatus {
    /// What is wrong now, for the headline.
    pub(super) fn troubles(&self) -> Vec<String> {
        let active = || self.episodes.iter().filter(|e| e.active);
        let now = active().filter(|e| e.clear_seconds.is_none()).map(|e| {
            let clause = throttle_named(&e.flag).map_or(e.flag.as_str(), |f| throttle_clause(f));
            match e.active_seconds.filter(|s| !s.0.is_zero()) {
                Some(s) => format!("{clause}, for {}", for_people(s.0)),
                None => clause.to_owned(),
            }
        });
        let lately: Vec<&EpisodeStatus> = active().filter(|e| e.clear_seconds.is_some()).collect();
        let flags: Vec<&str> = lately.iter().map(|e| e.flag.as_str()).collect();
        let clear = lately.iter().filter_map(|e| e.clear_seconds).min();
        let lately =
            clear.map(|s| format!("{} lately, clear for {}", flags.join(", "), for_people(s.0)));
        now.chain(lately).collect()
    }

    /// For people: what is, and what has been since the daemon began, a line for each flag.
    pub(super) fn lines(&self) -> Vec<Option<String>> {
        let flags = self.flags.as_ref();
        let Some(bits) = flags else { return vec![None] };
        if self.episodes.is_empty() {
            return vec![Some(format!("never seen; flags {bits}"))];
        }
        let mut lines: Vec<String> = self.episodes.iter().map(EpisodeStatus::line).collect();
        let bits = format!("flags {bits}");
        match &mut *lines {
            [line] => line.push_str(&format!("; {bits}")),
            _ => lines.push(bits),
        }
        lines.into_iter().map(Some).collect()
    }
}

impl EpisodeStatus {
    fn line(&self) -> String {
        let times = match self.count {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        let total = match self.total_seconds.0.is_zero() {
            true => String::new(),
            false => format!(", {} in all", for_people(self.total_seconds.0)),
        };
        let ago = self.clear_seconds.or(self.ended_seconds_ago);
        let when = match (self.active && self.clear_seconds.is_none(), ago) {
            (true, _) => ", now too".to_owned(),
            (false, Some(ago)) => format!(", last {} ago", for_people(ago.0)),
            (false, None) => String::new(),
        };
        format!("{} {times}{total}{when}", self.flag)
    }
}
