//! The firmware's throttle flags: under-voltage, capped frequency, throttling, soft limit.
//!
//! ```text
//!  clear ──found set, or to have been set──► open ──found clear for 30 s──► clear
//! ```
//!
//! Terms: an *episode* of a flag is the time from the first reading that found it to the first
//! without it; one that comes again within 30 s goes on. It is *brief* while no reading found the
//! flag set, only that it had been: the firmware keeps a bit of what has occurred. How long a brief
//! one was, nobody knows.
//!
//! Counts begin with the daemon, and rest on nobody's clearing or not clearing of those bits: the
//! kernel's own driver clears them every two seconds, and we never do. A bit that somebody has
//! cleared can come again, and then that is news.
//!
//! Silence is never good news: it neither begins nor ends an episode, and makes a good verdict unknown.
//! A machine on which no such reading was ever heard of has no verdict.
//!
//! Never acts: it reports, and those after it read the verdict.

use super::fact::{Fact, Pulse, Reading, Source, Thread, ThrottleFlag, ThrottleFlags};
use super::note::Note;
use super::picture::{Strain, Verdict};
use super::sense::Last;
use super::{Pass, Policy};
use crate::units::{MilliCelsius, Mono};
use std::time::Duration;

/// A flag that was clear for this long has ended its episode. Shorter: a supply that flickers is
/// told again and again, with a sync of the card each time. Longer: two causes become one episode.
const QUIET: Duration = Duration::from_secs(30);

/// An episode that is not over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Episode {
    /// First reading that found the flag, set or having been set.
    pub since: Mono,
    /// Latest reading that found it.
    pub latest: Mono,
    /// First reading without it since then.
    pub clear: Option<Mono>,
    /// Some reading found it set.
    pub seen: bool,
    /// Times it was found anew.
    pub times: u32,
    /// Highest temperature while it was set, if any was read.
    pub peak: Option<MilliCelsius>,
    /// Readings were missed before the first without it.
    pub gap: bool,
}

/// An episode that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// First reading without it.
    pub at: Mono,
    /// Its length, as far as it is known.
    pub lasted: Duration,
    /// Highest temperature meanwhile, if any was read.
    pub peak: Option<MilliCelsius>,
}

/// What is known of one flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watched {
    /// Which.
    pub flag: ThrottleFlag,
    /// The episode that goes on.
    pub episode: Option<Episode>,
    /// Episodes since the daemon began, the one that goes on included.
    pub episodes: u32,
    /// Length of all that are over, as far as it is known.
    pub total: Duration,
    /// The latest that is over.
    pub last: Option<Ended>,
    /// What the latest reading said of *has occurred*.
    trace: Option<bool>,
    /// The latest reading found it set, or to have been set since the one before. Two readings may be
    /// taken in at the same time, so its time does not tell that.
    found: bool,
}

/// What one reading says of one flag.
#[derive(Clone, Copy)]
struct Look {
    /// It is set.
    set: bool,
    /// It has been set since the reading before, and is not any more.
    missed: bool,
    now: Mono,
    /// Time since the reading before.
    within: Duration,
    /// Readings were missed before this one.
    silent: bool,
    heat: Option<MilliCelsius>,
}

impl Episode {
    fn begin(look: Look) -> Episode {
        Episode {
            since: look.now,
            latest: look.now,
            clear: (!look.set).then_some(look.now),
            seen: look.set,
            times: 1,
            peak: look.heat,
            gap: false,
        }
    }

    /// The flag was found again.
    fn go_on(&mut self, look: Look) {
        self.times += u32::from(self.clear.is_some());
        self.clear = (!look.set).then_some(look.now);
        self.latest = look.now;
        self.seen |= look.set;
        self.peak = self.peak.max(look.heat);
        self.gap = false;
    }

    /// The flag was found clear. Returns the end, if that has been so for long enough.
    fn fade(&mut self, look: Look) -> Option<Ended> {
        let Some(at) = self.clear else {
            self.clear = Some(look.now);
            self.gap = look.silent;
            return None;
        };
        (look.now.since(at) >= QUIET).then(|| Ended {
            at,
            lasted: self.lasted(at),
            peak: self.peak,
        })
    }

    /// Its length, as far as it is known, seen from `now`.
    pub fn lasted(&self, now: Mono) -> Duration {
        let end = match self.gap {
            true => self.latest,
            false => self.clear.unwrap_or(now),
        };
        end.since(self.since)
    }
}

impl Watched {
    fn new(flag: ThrottleFlag) -> Watched {
        Watched {
            flag,
            episode: None,
            episodes: 0,
            total: Duration::ZERO,
            last: None,
            trace: None,
            found: false,
        }
    }

    /// Takes a reading in; returns what there is to tell.
    fn look(&mut self, flags: ThrottleFlags, mut look: Look) -> Option<Note> {
        let flag = self.flag;
        let before = self.trace.replace(flags.occurred(flag));
        look.set = flags.now(flag);
        look.missed = flags.occurred(flag) && before == Some(false) && !look.set;
        let found = look.set || look.missed;
        self.found = found;
        match &mut self.episode {
            None if !found => {
                let earlier = flags.occurred(flag) && before.is_none();
                earlier.then_some(Note::ThrottleEarlier { flag })
            }
            None => {
                self.episodes = self.episodes.saturating_add(1);
                self.episode = Some(Episode::begin(look));
                Some(match look.set {
                    true => began(flag, look),
                    false => Note::ThrottleBrief {
                        flag,
                        within: look.within,
                    },
                })
            }
            Some(episode) if found => {
                let news = look.set && !episode.seen;
                episode.go_on(look);
                news.then(|| began(flag, look))
            }
            Some(episode) => {
                let ended = episode.fade(look)?;
                let (seen, times, at_least) = (episode.seen, episode.times, episode.gap);
                self.episode = None;
                self.total = self.total.saturating_add(ended.lasted);
                self.last = Some(ended);
                // A brief one was told when it was found: there is nothing to add.
                (seen || times > 1).then_some(Note::ThrottleEnded {
                    flag,
                    lasted: ended.lasted,
                    at_least,
                    times,
                    peak: ended.peak,
                })
            }
        }
    }
}

fn began(flag: ThrottleFlag, look: Look) -> Note {
    let temperature = look.heat;
    Note::ThrottleBegan { flag, temperature }
}

/// State of the policy.
pub(crate) struct Throttle {
    last: Last<ThrottleFlags>,
    /// When it was read last; `None` until anything was heard.
    read: Option<Mono>,
    /// Readings have been missed since then.
    silent: bool,
    heat: Option<MilliCelsius>,
    flags: [Watched; 4],
    verdict: Option<Verdict>,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle {
            last: Last::default(),
            read: None,
            silent: false,
            heat: None,
            flags: ThrottleFlag::ALL.map(Watched::new),
            verdict: None,
        }
    }
}

impl Throttle {
    pub fn view(&self) -> Option<(Option<ThrottleFlags>, &[Watched])> {
        self.verdict.map(|_| (self.last.value(), &self.flags[..]))
    }

    /// What the latest reading found. A frequency that is capped comes with one of these; and the soft
    /// limit of a Pi 3 at 60 C is nothing out of the way.
    fn strain(&self) -> Option<Strain> {
        let found = self
            .flags
            .iter()
            .filter(|watched| watched.found && !self.silent);
        let strains = found.filter_map(|watched| match watched.flag {
            ThrottleFlag::UnderVoltage => Some(Strain::UnderVoltage),
            ThrottleFlag::Throttled => Some(Strain::Throttled),
            ThrottleFlag::FrequencyCapped | ThrottleFlag::SoftLimit => None,
        });
        strains.max()
    }

    fn see(&mut self, flags: ThrottleFlags, pass: &mut Pass) {
        self.last.see(flags, Source::Throttle, pass);
        let look = Look {
            set: false,
            missed: false,
            now: pass.now,
            within: pass.now.since(self.read.unwrap_or(pass.now)),
            silent: self.silent,
            heat: self.heat,
        };
        for watched in &mut self.flags {
            if let Some(note) = watched.look(flags, look) {
                pass.out.note(note);
            }
        }
        self.read = Some(pass.now);
        self.silent = false;
        let troubled = self.flags.iter().any(|w| w.episode.is_some());
        self.verdict = Some(if troubled { Verdict::Warn } else { Verdict::Ok });
    }

    fn fall_silent(&mut self) {
        self.silent = true;
        self.verdict = Some(self.verdict.unwrap_or_default().unseen());
    }

    fn feel(&mut self, heat: Option<MilliCelsius>) {
        self.heat = heat;
        let lasting = self.flags.iter_mut().filter_map(|w| w.episode.as_mut());
        for episode in lasting.filter(|e| e.clear.is_none()) {
            episode.peak = episode.peak.max(heat);
        }
    }
}

impl Policy for Throttle {
    fn step(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Throttle(flags)) => self.see(*flags, pass),
            Fact::Seen(Reading::Temperature(heat)) => self.feel(Some(*heat)),
            Fact::Lost {
                source: Source::Temperature,
                ..
            } => self.feel(None),
            Fact::Lost {
                source: Source::Throttle,
                why,
            } => {
                self.last.lose(Source::Throttle, why, pass);
                self.fall_silent();
            }
            Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } if self.verdict.is_some() => {
                self.last.distrust();
                self.feel(None);
                self.fall_silent();
            }
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {
                return;
            }
        }
        pass.picture.throttle = self.verdict;
        pass.picture.strain_of_firmware = self.strain();
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Mono;

    const FLAG: ThrottleFlag = ThrottleFlag::UnderVoltage;

    /// Reads flags at these seconds, 0x1 for set and 0x10000 for having been set, and collects what
    /// is told.
    fn told(readings: &[(u64, u32)]) -> (Watched, Vec<Note>) {
        let mut watched = Watched::new(FLAG);
        let mut notes = Vec::new();
        let mut before = None;
        for &(second, bits) in readings {
            let now = Mono(second * 1000);
            let look = Look {
                set: false,
                missed: false,
                now,
                within: now.since(before.unwrap_or(now)),
                silent: false,
                heat: None,
            };
            notes.extend(watched.look(ThrottleFlags(bits), look));
            before = Some(now);
        }
        (watched, notes)
    }

    fn ended(seconds: u64, times: u32) -> Note {
        Note::ThrottleEnded {
            flag: FLAG,
            lasted: Duration::from_secs(seconds),
            at_least: false,
            times,
            peak: None,
        }
    }

    const BEGAN: Note = Note::ThrottleBegan {
        flag: FLAG,
        temperature: None,
    };

    fn brief(seconds: u64) -> Note {
        Note::ThrottleBrief {
            flag: FLAG,
            within: Duration::from_secs(seconds),
        }
    }

    /// A flag that comes and goes within the quiet time is one episode, and its end counts from the
    /// first reading without it.
    #[test]
    fn flickering_is_one_episode() {
        let both = 0x1_0001;
        let sticky = 0x1_0000;
        let (watched, notes) = told(&[
            (0, 0),
            (2, both),
            (4, sticky),
            (20, both),
            (33, sticky),
            (62, sticky),
            (63, sticky),
        ]);
        assert_eq!(notes, [BEGAN, ended(31, 2)]);
        assert_eq!((watched.episodes, watched.episode), (1, None));
        assert_eq!(watched.total, Duration::from_secs(31));
        assert_eq!(watched.last.map(|l| l.at), Some(Mono(33_000)));
    }

    /// A bit of what has occurred, appearing without the flag itself, is an episode of unknown
    /// length, told once; the bit staying there is no news, and one that somebody clears can come
    /// again.
    #[test]
    fn a_trace_without_a_sighting_is_brief() {
        let (watched, notes) = told(&[
            (0, 0),
            (2, 0x1_0000),
            (4, 0x1_0000),
            (40, 0x1_0000),
            (60, 0),
            (62, 0x1_0000),
        ]);
        assert_eq!(notes, [brief(2), brief(2)]);
        assert_eq!(watched.episodes, 2);
        assert_eq!(watched.total, Duration::ZERO);
    }

    /// Brief ones that follow each other are told at the first and at the end.
    #[test]
    fn many_brief_ones_are_told_twice() {
        let mut readings = vec![(0, 0)];
        for n in 0..50 {
            readings.extend([(1 + 4 * n, 0x1_0000), (3 + 4 * n, 0)]);
        }
        readings.push((240, 0));
        let (_, notes) = told(&readings);
        assert_eq!(notes, [brief(1), ended(196, 50)]);
    }

    /// What had occurred before the first look is told as that, and is no episode of ours.
    #[test]
    fn what_was_before_us_is_told_apart() {
        let (watched, notes) = told(&[(0, 0x1_0000), (2, 0x1_0000)]);
        assert_eq!(notes, [Note::ThrottleEarlier { flag: FLAG }]);
        assert_eq!(watched.episodes, 0);
        let (watched, notes) = told(&[(0, 0x1_0001)]);
        assert_eq!(notes, [BEGAN]);
        assert_eq!(watched.episodes, 1);
    }
}
