//! Tells what happens, as a person wants to hear it: what broke, and what fieldwarden did about it.
//!
//! Terms: a *line* is one thing told, with its time since the demo began and a *mark* for its kind.
//! What has no words of its own here is told with those of the log. Times of day are board time;
//! how long a service was down is told in the machine's time, because that is real.
//!
//! Never writes anything, and tells nothing that was not seen.

use super::ledger::{Entry, Ledger, Phase};
use super::script::{Cue, Sight, THIEF};
use super::stage::Pace;
use crate::core::fact::{Change, Errno, Exit, Fact, Fault, ServiceId};
use crate::core::note::{HaltNote, Note, Severity};
use crate::core::picture::{Shed, Verdict};
use crate::text::{fault_sentence, for_people, percent, sentence, signal_word, thread_word};
use crate::units::Mono;
use std::time::Duration;

/// Kind of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// An act begins.
    Act,
    /// The demo does something.
    Cue,
    /// Something broke.
    Bad,
    /// Somebody should look.
    Care,
    /// Fieldwarden acts.
    Effect,
    /// Something is well, or well again.
    Good,
    /// For completeness.
    Quiet,
}

/// One thing told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Board time since the demo began.
    pub at: Duration,
    /// Its kind.
    pub mark: Mark,
    /// Its text, without a full stop at its end.
    pub text: String,
}

/// Puts entries into lines.
#[derive(Clone, Copy, Debug)]
pub struct Narrator {
    pace: Pace,
    origin: Mono,
}

impl Narrator {
    /// Times are told from `origin` on.
    pub fn new(pace: Pace, origin: Mono) -> Narrator {
        Narrator { pace, origin }
    }

    /// A line of one's own.
    pub fn line(&self, now: Mono, mark: Mark, text: impl Into<String>) -> Line {
        Line {
            at: now.since(self.origin),
            mark,
            text: text.into(),
        }
    }

    /// What an entry tells; `ledger` has taken it in already.
    pub fn entry(&self, entry: &Entry, ledger: &Ledger) -> Vec<Line> {
        let words = Words {
            pace: self.pace,
            entry,
            ledger,
        };
        entry
            .notes
            .iter()
            .flat_map(|note| words.note(note))
            .map(|(mark, text)| self.line(entry.now, mark, text))
            .collect()
    }

    /// What a cue does.
    pub fn cue(&self, now: Mono, cue: Cue) -> Line {
        let text = match cue {
            Cue::Crash(name) => format!("makes {name} crash"),
            Cue::Hang(name) => format!("makes {name} hang"),
            Cue::Burn(name, _) => {
                format!("lets {name} use up a processor, in a case out in the sun")
            }
            Cue::Cool => "moves the case into the shade".to_owned(),
            Cue::Memory(share) => format!("leaves {} of the memory available", percent(share)),
            Cue::Synced(true) => "lets the board find a time server again".to_owned(),
            Cue::Synced(false) => "takes the time server away from the board".to_owned(),
            Cue::Mains(true) => "gives the board its mains back".to_owned(),
            Cue::Mains(false) => "cuts the mains: the board's battery takes over".to_owned(),
            Cue::StealWatchdog => "unloads the driver of the watchdog device".to_owned(),
            Cue::ReturnWatchdog => format!("makes {THIEF} let go of the device"),
            Cue::StickWatchdog => "blocks the thread of fieldwarden that gives the pets".to_owned(),
            Cue::FreeWatchdog => "lets that thread go".to_owned(),
            Cue::Exit => "asks fieldwarden to stop everything and end".to_owned(),
        };
        self.line(now, Mark::Cue, format!("the demo {text}"))
    }

    /// Something was not seen in time.
    pub fn missed(&self, now: Mono, sight: Sight) -> Line {
        let what = sight.missing();
        self.line(now, Mark::Bad, format!("{what} in time; the demo goes on"))
    }

    /// The watchdog reset the simulated board.
    pub fn bitten(&self, now: Mono, ledger: &Ledger) -> Line {
        let timeout = ledger.watchdog.timeout.map_or(String::new(), |t| {
            format!(", {} after the last pet", for_people(t))
        });
        self.line(
            now,
            Mark::Bad,
            format!("the watchdog resets the simulated board{timeout}"),
        )
    }

    /// How all services but `culprit` fared since `before`.
    pub fn neighbours(&self, culprit: &str, before: &Ledger, ledger: &Ledger) -> Line {
        self.fared("its neighbours", Some(culprit), before, ledger)
    }

    /// How all services fared since the clock was stepped, at `before`.
    pub fn unmoved(&self, before: &Ledger, ledger: &Ledger) -> Vec<Line> {
        let fared = self.fared("since that step services", None, before, ledger);
        let why = "nothing counts with that clock: all intervals are monotonic time";
        let why = (fared.mark == Mark::Good).then(|| self.line(ledger.now, Mark::Quiet, why));
        [Some(fared), why].into_iter().flatten().collect()
    }

    fn fared(&self, who: &str, but: Option<&str>, before: &Ledger, ledger: &Ledger) -> Line {
        let others = ledger.settings.services.iter().zip(&ledger.services);
        let others = others.filter(|(s, _)| Some(&*s.name) != but);
        let (mut beats, mut failures, mut silence) = (0, 0, Duration::ZERO);
        for (service, watched) in others {
            let Some(then) = before.named(&service.name) else {
                continue;
            };
            beats += watched.heartbeats - then.heartbeats;
            failures += watched.crashes + watched.hangs - then.crashes - then.hangs;
            silence = silence.max(watched.longest_silence);
        }
        let mark = if failures == 0 { Mark::Good } else { Mark::Bad };
        let fared = match failures {
            0 => "none failed".to_owned(),
            n => format!("{n} failed"),
        };
        let text = format!(
            "{who} sent {beats} heartbeats, at most {} apart; {fared}",
            for_people(silence)
        );
        self.line(ledger.now, mark, text)
    }

    /// How everything stands while nothing happens.
    pub fn quiet(&self, now: Mono, ledger: &Ledger) -> Line {
        self.line(now, Mark::Quiet, state(now, ledger))
    }
}

/// How everything stands, in a few words.
pub fn state(now: Mono, ledger: &Ledger) -> String {
    let pet = match (ledger.watchdog.last, ledger.watchdog.timeout) {
        (Some(last), Some(timeout)) => format!(
            "petted {} ago (limit {})",
            tenths(now.since(last)),
            for_people(timeout)
        ),
        (None, _) if ledger.watchdog.withheld => "pets withheld".to_owned(),
        (Some(_) | None, _) => "watchdog not armed".to_owned(),
    };
    let temperature = ledger
        .signs
        .temperature
        .map_or("no temperature".to_owned(), |t| t.to_string());
    format!(
        "{} of {} up, {} heartbeats, {pet}, {temperature}",
        ledger.up(),
        ledger.services.len(),
        ledger.heartbeats(),
    )
}

/// Seconds with one place, which keep their width while they count.
pub fn tenths(d: Duration) -> String {
    format!("{}.{} s", d.as_secs(), d.subsec_millis() / 100)
}

/// The words for the notes of one entry.
struct Words<'a> {
    pace: Pace,
    entry: &'a Entry,
    ledger: &'a Ledger,
}

impl Words<'_> {
    fn note(&self, note: &Note) -> Vec<(Mark, String)> {
        match note {
            // A simulated board never had a boot before this one.
            Note::Began { .. } | Note::Halt(HaltNote::LastBoot { .. }) => Vec::new(),
            Note::ServiceHung { service, silent } => self.hung(*service, *silent),
            Note::WatchdogFailed { why, retry } => self.watchdog_failed(why, *retry),
            other => self.plain(other).into_iter().collect(),
        }
    }

    /// A note that makes one line, or none.
    fn plain(&self, note: &Note) -> Option<(Mark, String)> {
        match note {
            Note::ServiceStarting { service, run } => self.starting(*service, run.0),
            Note::ServiceUp { service, .. } => Some(self.up(*service)),
            Note::ServiceExited {
                service,
                exit,
                asked,
                ..
            } => Some(self.exited(*service, *exit, *asked)),
            Note::ServiceStopping { service } => Some(self.stopping(*service)),
            Note::ServiceBackoff {
                service,
                delay,
                failures,
            } => Some((
                Mark::Effect,
                format!(
                    "waits {} before it starts {} again: {failures} failures in a row",
                    for_people(*delay),
                    self.name(*service)
                ),
            )),
            Note::WatchdogArmed { timeout, .. } => Some((
                Mark::Good,
                format!(
                    "watchdog armed: it resets the board after {} without a pet",
                    for_people(*timeout)
                ),
            )),
            Note::WatchdogLeftArmed { timeout } => Some((
                Mark::Effect,
                format!(
                    "leaves the watchdog armed: unless petted, it resets in {}",
                    for_people(*timeout)
                ),
            )),
            Note::ThreadLate { thread, late } => Some((
                Mark::Bad,
                format!(
                    "fieldwarden's {} thread has been stuck for {}",
                    thread_word(*thread),
                    for_people(*late)
                ),
            )),
            Note::PetWithheld { .. } => Some((
                Mark::Effect,
                "gives no more pets: half a daemon must not keep the board alive".to_owned(),
            )),
            Note::Ending { .. } => Some((
                Mark::Effect,
                "stops the services, in the reverse order".to_owned(),
            )),
            Note::Ended => Some((Mark::Good, "fieldwarden has ended".to_owned())),
            other => Some((mark_of(other), sentence(other, &self.ledger.settings))),
        }
    }

    fn name(&self, id: ServiceId) -> &str {
        self.ledger.settings.name(id)
    }

    fn hung(&self, id: ServiceId, silent: Duration) -> Vec<(Mark, String)> {
        let name = self.name(id);
        let silent = for_people(silent);
        vec![
            (
                Mark::Bad,
                format!("{name} has sent no heartbeat for {silent}, though its process lives"),
            ),
            (Mark::Effect, format!("ends {name} by force")),
        ]
    }

    fn starting(&self, id: ServiceId, run: u32) -> Option<(Mark, String)> {
        let name = self.name(id);
        if run > 1 {
            let waited = self.ledger.service(id).is_some_and(|s| s.waited);
            let text = match self.entry.fact {
                Fact::Asked { .. } => format!("starts {name} again, as asked"),
                Fact::Child { service, .. } if service == id => {
                    format!("starts {name} again at once")
                }
                Fact::Tick if waited => format!("the wait is over: starts {name} again"),
                Fact::Tick
                | Fact::Seen(_)
                | Fact::Lost { .. }
                | Fact::Child { .. }
                | Fact::Kept { .. }
                | Fact::Done { .. }
                | Fact::Thread { .. } => format!("starts {name} again"),
            };
            return Some((Mark::Effect, text));
        }
        let settings = self.ledger.settings.services.get(usize::from(id.0))?;
        let before: Vec<&str> = settings.after.iter().map(|id| self.name(*id)).collect();
        (!before.is_empty()).then(|| {
            let text = format!("starts {name}, which comes after {}", before.join(" and "));
            (Mark::Effect, text)
        })
    }

    fn up(&self, id: ServiceId) -> (Mark, String) {
        let name = self.name(id);
        let Some(service) = self.ledger.service(id) else {
            return (Mark::Good, format!("{name} is up"));
        };
        let text = match service.last_outage {
            Some(outage) if service.ups > 1 => {
                let outage = for_people(self.pace.real(outage));
                if service.from_start {
                    format!("{name} is up again, {outage} after its start")
                } else {
                    format!("{name} is up again: it was down for {outage}")
                }
            }
            Some(_) | None => format!("{name} is up"),
        };
        (Mark::Good, text)
    }

    fn exited(&self, id: ServiceId, exit: Exit, asked: bool) -> (Mark, String) {
        let name = self.name(id);
        if asked {
            return (Mark::Good, format!("{name} has ended"));
        }
        match exit {
            Exit::Code(code) => (Mark::Bad, format!("{name} crashed (exit status {code})")),
            // ABRT is what a service gets that hangs.
            Exit::Signal(6) => (Mark::Quiet, format!("{name} is gone (ended by SIGABRT)")),
            Exit::Signal(number) => {
                let signal = signal_word(number);
                (Mark::Bad, format!("{name} was ended by {signal}"))
            }
            Exit::Unknown => (Mark::Bad, format!("{name} ended in a way nobody saw")),
        }
    }

    fn stopping(&self, id: ServiceId) -> (Mark, String) {
        let name = self.name(id);
        let freed = matches!(
            self.entry.fact,
            Fact::Child {
                change: Change::Exited(_),
                ..
            }
        );
        let why = if freed {
            ": what depends on it has ended"
        } else {
            ""
        };
        (Mark::Effect, format!("asks {name} to end{why}"))
    }

    fn watchdog_failed(&self, why: &Fault, retry: Duration) -> Vec<(Mark, String)> {
        let what = match why {
            _ if self.ledger.bites > 0 => {
                let text = "since the reset the watchdog device has to be opened anew";
                return vec![(Mark::Quiet, text.to_owned())];
            }
            // ENODEV: what a driver answers whose device is gone.
            Fault::Errno(Errno(19)) | Fault::Absent => {
                "the watchdog device is gone: nothing guards the board".to_owned()
            }
            Fault::Taken { .. } => {
                format!("the watchdog device is back, but {}", fault_sentence(why))
            }
            Fault::Busy | Fault::Errno(_) | Fault::Implausible => {
                format!("the watchdog failed: {}", fault_sentence(why))
            }
        };
        let retry = format!("tries to arm it again in {}", for_people(retry));
        vec![(Mark::Bad, what), (Mark::Effect, retry)]
    }
}

/// The mark of a note that has no words of its own.
fn mark_of(note: &Note) -> Mark {
    match note {
        Note::Heat { verdict, .. } | Note::Memory { verdict, .. } => match verdict {
            Verdict::Ok => Mark::Good,
            Verdict::Unknown | Verdict::Warn => Mark::Care,
            Verdict::Critical => Mark::Bad,
        },
        Note::ClockSynced
        | Note::ThreadOnTime { .. }
        | Note::PetResumed
        | Note::MainsBack { .. }
        | Note::ThrottleEnded { .. } => Mark::Good,
        Note::MainsLost => Mark::Bad,
        Note::Shedding { shed } | Note::HeatShedding { shed } => match shed {
            Shed::Nothing => Mark::Good,
            Shed::Optional | Shed::Normal => Mark::Effect,
        },
        Note::Halt(
            HaltNote::Halting { .. }
            | HaltNote::InitAsked { .. }
            | HaltNote::WatchdogStretched { .. }
            | HaltNote::HaltCancelled { .. },
        ) => Mark::Effect,
        other => match other.severity() {
            Severity::Info => Mark::Quiet,
            Severity::Warning => Mark::Care,
            Severity::Error => Mark::Bad,
        },
    }
}

/// The word for what a service is doing, with the rest of a wait.
pub fn phase(phase: Phase, now: Mono) -> String {
    match phase {
        Phase::Backoff { until } => format!("backoff {}", tenths(until.since(now))),
        Phase::Down | Phase::Starting | Phase::Up | Phase::Stopping | Phase::GaveUp => {
            phase.word().to_owned()
        }
    }
}
