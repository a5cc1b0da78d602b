//! Entries in, words out: what is told of made-up passes of the core.

use super::ledger::{Entry, Guard, Ledger, Phase};
use super::narrator::{Line, Mark, Narrator};
use super::stage::Pace;
use super::summary::summary;
use crate::core::action::{Action, Order};
use crate::core::fact::{
    Asker, Change, Errno, Exit, Fact, Fault, OrderId, Pid, Reading, Request, RunId, ServiceId,
    Thread, Ticket,
};
use crate::core::note::Note;
use crate::core::settings::Settings;
use crate::units::{MilliCelsius, Mono};
use std::path::Path;
use std::time::Duration;

const SENSOR: ServiceId = ServiceId(2);
const UPLINK: ServiceId = ServiceId(3);

/// Feeds entries to ledger and narrator, as the story does.
struct Told {
    ledger: Ledger,
    narrator: Narrator,
    lines: Vec<Line>,
}

impl Told {
    fn new(speed: u32) -> Told {
        let text = super::setting::text(Path::new("/tmp/d"), Path::new("/bin/f"), Pace::new(speed));
        let settings = crate::config::parse("demo", &text).unwrap().config.settings;
        Told {
            ledger: Ledger::new(settings, Mono(1000)),
            narrator: Narrator::new(Pace::new(speed), Mono(1000)),
            lines: Vec::new(),
        }
    }

    fn entry(&mut self, now: u64, fact: Fact, orders: Vec<Order>, notes: Vec<Note>) {
        let entry = Entry {
            now: Mono(now),
            fact,
            orders,
            notes,
        };
        self.ledger.take(&entry);
        self.lines.extend(self.narrator.entry(&entry, &self.ledger));
    }

    fn notes(&mut self, now: u64, fact: Fact, notes: Vec<Note>) {
        self.entry(now, fact, Vec::new(), notes);
    }

    /// The lines since the last call, with their marks as one letter.
    fn lines(&mut self) -> Vec<String> {
        let letter = |mark| match mark {
            Mark::Act => 'a',
            Mark::Cue => 'c',
            Mark::Bad => 'x',
            Mark::Care => '!',
            Mark::Effect => '=',
            Mark::Good => '+',
            Mark::Quiet => '.',
        };
        let lines = std::mem::take(&mut self.lines);
        lines
            .iter()
            .map(|l| format!("{} {} {}", l.at.as_millis(), letter(l.mark), l.text))
            .collect()
    }
}

fn child(service: ServiceId, run: u32, change: Change) -> Fact {
    Fact::Child {
        service,
        run: RunId(run),
        change,
    }
}

fn starting(service: ServiceId, run: u32) -> Note {
    Note::ServiceStarting {
        service,
        run: RunId(run),
    }
}

fn up(service: ServiceId) -> Note {
    Note::ServiceUp {
        service,
        pid: Pid::new(4711).unwrap(),
        took: Duration::from_millis(20),
    }
}

fn exited(service: ServiceId, exit: Exit, asked: bool) -> Note {
    Note::ServiceExited {
        service,
        exit,
        asked,
        done: false,
        lived: Duration::from_secs(3),
    }
}

/// A first start is told by its end, unless the service had to wait for another one.
#[test]
fn first_starts() {
    let mut t = Told::new(1);
    t.notes(1000, Fact::Tick, vec![starting(SENSOR, 1)]);
    t.notes(
        1010,
        child(SENSOR, 1, Change::Ready),
        vec![up(SENSOR), starting(UPLINK, 1)],
    );
    assert_eq!(
        t.lines(),
        [
            "10 + sensor is up",
            "10 = starts uplink, which comes after sensor"
        ]
    );
}

/// A crash, the restart at once, and after the next crash the wait: each with its cause, and how
/// long the service was down in the machine's time.
#[test]
fn crash_and_backoff() {
    let mut t = Told::new(4);
    t.notes(1000, child(SENSOR, 1, Change::Ready), vec![up(SENSOR)]);
    let crash = |run| child(SENSOR, run, Change::Exited(Exit::Code(1)));
    let gone = exited(SENSOR, Exit::Code(1), false);
    t.notes(5000, crash(1), vec![gone.clone(), starting(SENSOR, 2)]);
    t.notes(5080, child(SENSOR, 2, Change::Ready), vec![up(SENSOR)]);
    let wait = Note::ServiceBackoff {
        service: SENSOR,
        delay: Duration::from_millis(1900),
        failures: 2,
    };
    t.notes(7000, crash(2), vec![gone, wait]);
    let until = Mono(8900);
    assert_eq!(
        t.ledger.named("sensor").unwrap().phase,
        Phase::Backoff { until }
    );
    t.notes(8900, Fact::Tick, vec![starting(SENSOR, 3)]);
    t.notes(8940, child(SENSOR, 3, Change::Ready), vec![up(SENSOR)]);
    assert_eq!(
        t.lines(),
        [
            "0 + sensor is up",
            "4000 x sensor crashed (exit status 1)",
            "4000 = starts sensor again at once",
            "4080 + sensor is up again: it was down for 20 ms",
            "6000 x sensor crashed (exit status 1)",
            "6000 = waits 1.9 s before it starts sensor again: 2 failures in a row",
            "7900 = the wait is over: starts sensor again",
            "7940 + sensor is up again, 10 ms after its start",
        ]
    );
    let sensor = t.ledger.named("sensor").unwrap();
    assert_eq!((sensor.ups, sensor.crashes, sensor.hangs), (3, 2, 0));
    assert_eq!(sensor.longest_outage, Some(Duration::from_millis(80)));
    // With the wait it was longer.
    assert_eq!(sensor.longest_down, Some(Duration::from_millis(1940)));
}

/// What an operator asks for is told as that, also after a wait; what comes of something else is no
/// wait that is over.
#[test]
fn starts_that_were_asked_for() {
    let mut t = Told::new(1);
    t.notes(1000, child(SENSOR, 1, Change::Ready), vec![up(SENSOR)]);
    let end = Exit::Signal(15);
    let stopped = child(SENSOR, 1, Change::Exited(end));
    t.notes(2000, stopped, vec![exited(SENSOR, end, true)]);
    let asked = Fact::Asked {
        ticket: Ticket(1),
        by: Asker::User(0),
        request: Request::Start(SENSOR),
    };
    t.notes(9000, asked, vec![starting(SENSOR, 2)]);
    t.notes(9010, child(SENSOR, 2, Change::Ready), vec![up(SENSOR)]);
    let stopped = child(SENSOR, 2, Change::Exited(end));
    t.notes(9500, stopped, vec![exited(SENSOR, end, true)]);
    let other = child(UPLINK, 1, Change::Ready);
    t.notes(9600, other, vec![starting(SENSOR, 3)]);
    assert_eq!(
        t.lines()[1..],
        [
            "1000 + sensor has ended",
            "8000 = starts sensor again, as asked",
            "8010 + sensor is up again, 10 ms after its start",
            "8500 + sensor has ended",
            "8600 = starts sensor again",
        ]
    );
    // Nobody missed it.
    assert_eq!(t.ledger.longest_down(), None);
}

/// A hang is one failure, not a hang and a crash; the silence that it was is no silence between
/// heartbeats.
#[test]
fn hang() {
    let mut t = Told::new(1);
    t.notes(1000, child(SENSOR, 1, Change::Ready), vec![up(SENSOR)]);
    t.notes(2000, child(SENSOR, 1, Change::Heartbeat), vec![]);
    t.notes(3200, child(SENSOR, 1, Change::Heartbeat), vec![]);
    let hung = Note::ServiceHung {
        service: SENSOR,
        silent: Duration::from_secs(5),
    };
    t.notes(8200, Fact::Tick, vec![hung]);
    let end = Exit::Signal(6);
    t.notes(
        8205,
        child(SENSOR, 1, Change::Exited(end)),
        vec![exited(SENSOR, end, false), starting(SENSOR, 2)],
    );
    t.notes(8217, child(SENSOR, 2, Change::Ready), vec![up(SENSOR)]);
    assert_eq!(
        t.lines()[1..],
        [
            "7200 x sensor has sent no heartbeat for 5 s, though its process lives",
            "7200 = ends sensor by force",
            "7205 . sensor is gone (ended by SIGABRT)",
            "7205 = starts sensor again at once",
            "7217 + sensor is up again: it was down for 12 ms",
        ]
    );
    let sensor = t.ledger.named("sensor").unwrap();
    assert_eq!((sensor.crashes, sensor.hangs, sensor.heartbeats), (0, 1, 2));
    assert_eq!(sensor.longest_silence, Duration::from_millis(1200));
}

fn pet(t: &mut Told, id: u64, ordered: u64, done: u64, outcome: Result<(), Fault>) {
    let order = OrderId(id);
    let action = Action::Pet;
    t.entry(
        ordered,
        Fact::Tick,
        vec![Order { id: order, action }],
        vec![],
    );
    t.notes(done, Fact::Done { order, outcome }, vec![]);
}

/// Only pets that reached an armed device count, from one to the next; what was withheld or lost is
/// no gap between pets.
#[test]
fn pets_and_gaps() {
    let mut t = Told::new(1);
    let armed = || Note::WatchdogArmed {
        identity: "sim".into(),
        timeout: Duration::from_secs(15),
        nowayout: false,
    };
    t.notes(1000, Fact::Tick, vec![armed()]);
    pet(&mut t, 1, 1000, 1002, Ok(()));
    pet(&mut t, 2, 6000, 6010, Ok(()));
    pet(&mut t, 3, 11_000, 11_001, Err(Fault::Errno(Errno(19))));
    let lost = Note::WatchdogFailed {
        why: Fault::Errno(Errno(19)),
        retry: Duration::from_secs(2),
    };
    t.notes(11_001, Fact::Tick, vec![lost]);
    assert!(matches!(t.ledger.watchdog.guard, Guard::Failed(_)));
    pet(&mut t, 4, 16_000, 16_000, Ok(()));
    let taken = Note::WatchdogFailed {
        why: Fault::Taken {
            by: Some("thief (pid 9)".into()),
        },
        retry: Duration::from_secs(2),
    };
    t.notes(17_000, Fact::Tick, vec![taken]);
    t.notes(21_000, Fact::Tick, vec![armed()]);
    pet(&mut t, 5, 21_000, 21_000, Ok(()));
    t.notes(
        31_000,
        Fact::Tick,
        vec![Note::PetWithheld {
            thread: Thread::Watchdog,
            timeout: None,
            init: None,
        }],
    );
    pet(&mut t, 6, 41_000, 41_000, Ok(()));
    let watchdog = &t.ledger.watchdog;
    assert_eq!((watchdog.pets, watchdog.armed), (4, 2));
    let unguarded = watchdog.unguarded(Mono(41_000));
    assert_eq!(unguarded, Duration::from_millis(9_999));
    assert_eq!(watchdog.longest_gap, Duration::from_millis(5008));
    assert_eq!(
        t.lines(),
        [
            "0 + watchdog armed: it resets the board after 15 s without a pet",
            "10001 x the watchdog device is gone: nothing guards the board",
            "10001 = tries to arm it again in 2 s",
            "16000 x the watchdog device is back, but taken by thief (pid 9)",
            "16000 = tries to arm it again in 2 s",
            "20000 + watchdog armed: it resets the board after 15 s without a pet",
            "30000 = gives no more pets: half a daemon must not keep the board alive",
        ]
    );
}

/// Neighbours are judged by this act alone; one that failed is not passed over.
#[test]
fn neighbours() {
    let mut t = Told::new(1);
    for id in [SENSOR, UPLINK] {
        t.notes(1000, child(id, 1, Change::Ready), vec![up(id)]);
        t.notes(1900, child(id, 1, Change::Heartbeat), vec![]);
    }
    let before = t.ledger.clone();
    t.notes(2900, child(UPLINK, 1, Change::Heartbeat), vec![]);
    let line = t.narrator.neighbours("sensor", &before, &t.ledger);
    assert_eq!(
        (line.mark, &*line.text),
        (
            Mark::Good,
            "its neighbours sent 1 heartbeats, at most 1 s apart; none failed"
        )
    );
    let gone = exited(UPLINK, Exit::Signal(11), false);
    t.notes(3000, Fact::Tick, vec![gone]);
    let line = t.narrator.neighbours("sensor", &before, &t.ledger);
    assert_eq!(line.mark, Mark::Bad);
    assert!(line.text.ends_with("1 failed"), "{}", line.text);
}

/// A cut of mains is told and so is their return; a step of the clock with how little
/// anybody noticed.
#[test]
fn mains_and_clock() {
    let mut t = Told::new(1);
    for id in [SENSOR, UPLINK] {
        t.notes(1000, child(id, 1, Change::Ready), vec![up(id)]);
    }
    let before = t.ledger.clone();
    t.notes(1900, child(SENSOR, 1, Change::Heartbeat), vec![]);
    t.notes(3000, Fact::Tick, vec![Note::MainsLost]);
    assert!(t.ledger.signs.on_battery);
    let lasted = Duration::from_secs(4);
    t.notes(10_000, Fact::Tick, vec![Note::MainsBack { lasted }]);
    assert!(!t.ledger.signs.on_battery);
    assert_eq!(
        t.lines()[2..],
        [
            "2000 x mains are gone: running on battery",
            "9000 + mains are back, they were gone for 4 s",
        ]
    );
    t.lines = t.narrator.unmoved(&before, &t.ledger);
    assert_eq!(
        t.lines(),
        [
            "9000 + since that step services sent 1 heartbeats, at most 900 ms apart; none failed",
            "9000 . nothing counts with that clock: all intervals are monotonic time",
        ]
    );
    let gone = exited(SENSOR, Exit::Code(1), false);
    t.notes(11_000, Fact::Tick, vec![gone]);
    t.lines = t.narrator.unmoved(&before, &t.ledger);
    assert_eq!(t.lines().len(), 1, "no praise for a failure");
}

/// A note without words of its own is told in those of the log, so nothing is ever passed over.
#[test]
fn other_notes() {
    let mut t = Told::new(1);
    t.notes(
        1000,
        Fact::Seen(Reading::Temperature(MilliCelsius(1))),
        vec![Note::ClockUnsynced],
    );
    let text = crate::text::sentence(&Note::ClockUnsynced, &Settings::nothing());
    assert_eq!(t.lines(), [format!("0 ! {text}")]);
}

/// Every line of the summary fits a narrow terminal, and its figures are those of the ledger.
#[test]
fn figures() {
    let mut t = Told::new(2);
    t.notes(1000, child(SENSOR, 1, Change::Ready), vec![up(SENSOR)]);
    let text = summary(&t.ledger, Pace::new(2), Mono(1000));
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    assert!(text.contains("services left running        1"), "{text}");
    let gone = exited(SENSOR, Exit::Signal(15), true);
    t.notes(61_000, Fact::Tick, vec![gone]);
    let text = summary(&t.ledger, Pace::new(2), Mono(1000));
    assert!(text.contains("services left running        0"), "{text}");
    assert!(text.contains("30 s, for 1 min on the board"), "{text}");
}
