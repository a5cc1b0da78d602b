//! The status LED: the kernel's LED class in a folder that stands for `/sys`, and a rhythm by hand.

use fieldwarden::core::fact::{Errno, Fault, OrderId, Thread};
use fieldwarden::core::light::{LASTS, LedState, Light};
use fieldwarden::edge::clock;
use fieldwarden::edge::inbox::inbox;
use fieldwarden::edge::led::class::ClassLed;
use fieldwarden::edge::led::list::leds;
use fieldwarden::edge::led::{self, Carried, Lamp, LedOrder, Show};
use fieldwarden::edge::orders::plain;
use fieldwarden::edge::pulse::Pulse;
use fieldwarden::units::Mono;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// A machine with one LED. Its files keep what is written to them, as the kernel's do; which trigger
/// is active has to be shown by the test.
struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new(trigger: &str) -> Machine {
        let machine = Machine {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(machine.folder()).unwrap();
        for (file, text) in [
            ("trigger", trigger),
            ("brightness", "1\n"),
            ("max_brightness", "255\n"),
            ("pattern", ""),
            ("repeat", ""),
        ] {
            machine.put(file, text);
        }
        machine
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("sys/class/leds/ACT")
    }

    fn put(&self, file: &str, text: &str) {
        fs::write(self.folder().join(file), text).unwrap();
    }

    fn get(&self, file: &str) -> String {
        fs::read_to_string(self.folder().join(file)).unwrap()
    }

    fn record(&self) -> PathBuf {
        self.root.path().join("led")
    }

    fn led(&self) -> ClassLed {
        ClassLed::below(self.root.path(), "ACT", self.record())
    }
}

fn taken(trigger: &str) -> Result<Carried, Fault> {
    let by = Some(format!("trigger {trigger}").into());
    Err(Fault::Taken { by })
}

/// The kernel carries the rhythm out: so many times, and without end when the machine goes down.
#[test]
fn the_kernel_carries_a_rhythm_out() {
    let machine = Machine::new("none timer [mmc0] pattern");
    let mut led = machine.led();
    assert_eq!(led.show(LedState::Well), Ok(Carried::ByItself));
    assert_eq!(machine.get("trigger"), "pattern");
    assert_eq!(machine.get("pattern"), "255 200 255 0 0 3800 0 0");
    assert_eq!(machine.get("repeat"), "30");
    machine.put("trigger", "none timer mmc0 [pattern]");
    assert_eq!(led.show(LedState::Halting), Ok(Carried::ByItself));
    assert_eq!(machine.get("repeat"), "-1");
    // What was there before is given back, and nothing is kept of it.
    led.release().unwrap();
    assert_eq!(machine.get("trigger"), "mmc0");
    assert!(!machine.record().exists());
}

/// What an LED was before is kept for a successor of a daemon that was killed, which finds the LED in
/// our hands.
#[test]
fn a_successor_gives_back_what_was_before() {
    let machine = Machine::new("none timer [default-on] pattern");
    assert_eq!(machine.led().show(LedState::Well), Ok(Carried::ByItself));
    machine.put("trigger", "none timer default-on [pattern]");
    let mut successor = machine.led();
    assert_eq!(successor.show(LedState::Well), Ok(Carried::ByItself));
    successor.release().unwrap();
    assert_eq!(machine.get("trigger"), "default-on");
}

/// An LED that was nobody's gets its brightness back.
#[test]
fn an_led_of_nobody_gets_its_brightness_back() {
    let machine = Machine::new("[none] timer pattern");
    let mut led = machine.led();
    led.show(LedState::Critical).unwrap();
    machine.put("trigger", "none timer [pattern]");
    machine.put("brightness", "0");
    led.release().unwrap();
    assert_eq!(machine.get("trigger"), "none");
    assert_eq!(machine.get("brightness"), "1");
}

/// Somebody who takes the LED after us has it, across our end and our next start, until he lets go.
#[test]
fn nobody_is_fought() {
    let machine = Machine::new("none [mmc0] heartbeat pattern");
    let mut led = machine.led();
    led.show(LedState::Well).unwrap();
    machine.put("trigger", "none mmc0 [heartbeat] pattern");
    machine.put("pattern", "untouched");
    assert_eq!(led.show(LedState::Well), taken("heartbeat"));
    let mut successor = machine.led();
    assert_eq!(successor.show(LedState::Well), taken("heartbeat"));
    assert_eq!(machine.get("pattern"), "untouched");
    led.release().unwrap();
    assert_eq!(
        machine.get("trigger"),
        "none mmc0 [heartbeat] pattern",
        "what is not ours is not given back"
    );
    // Let go: it is ours again.
    let mut led = machine.led();
    led.show(LedState::Well).unwrap();
    machine.put("trigger", "[none] mmc0 heartbeat pattern");
    assert_eq!(led.show(LedState::Well), Ok(Carried::ByItself));
}

/// An LED that vanishes is absent; one that comes back is taken as it is then.
#[test]
fn it_may_go_and_come_back() {
    let machine = Machine::new("none [mmc0] pattern");
    let mut led = machine.led();
    led.show(LedState::Well).unwrap();
    fs::rename(machine.folder(), machine.root.path().join("away")).unwrap();
    assert_eq!(led.show(LedState::Well), Err(Fault::Absent));
    assert!(!machine.record().exists());
    fs::rename(machine.root.path().join("away"), machine.folder()).unwrap();
    machine.put("trigger", "none [mmc0] pattern");
    assert_eq!(led.show(LedState::Well), Ok(Carried::ByItself));
    // Halfway gone is gone, too.
    fs::remove_file(machine.folder().join("max_brightness")).unwrap();
    machine.put("trigger", "none mmc0 [pattern]");
    assert_eq!(led.show(LedState::Well), Err(Fault::Absent));
}

/// Without the trigger, or without any triggers, it is switched by hand; nonsense is refused.
#[test]
fn without_the_trigger_it_is_switched_by_hand() {
    let machine = Machine::new("none timer [mmc0]");
    let mut led = machine.led();
    assert_eq!(led.show(LedState::Well), Ok(Carried::ByHand));
    assert_eq!(machine.get("trigger"), "none");
    led.set(true).unwrap();
    assert_eq!(machine.get("brightness"), "255");
    led.set(false).unwrap();
    assert_eq!(machine.get("brightness"), "0");
    machine.put("max_brightness", "bright\n");
    assert_eq!(led.set(true), Err(Fault::Implausible));
    fs::remove_file(machine.folder().join("trigger")).unwrap();
    assert_eq!(led.show(LedState::Well), Ok(Carried::ByHand));
}

/// By hand, too: the kernel would take a trigger away from somebody who has set one.
#[test]
fn nobody_is_fought_by_hand() {
    let machine = Machine::new("none heartbeat [mmc0]");
    let mut show = Show::of(Box::new(machine.led()));
    show.light(Light::Show(LedState::Well), Mono(0)).unwrap();
    assert_eq!(machine.get("brightness"), "255");
    machine.put("trigger", "none [heartbeat] mmc0");
    machine.put("brightness", "untouched");
    let due = show.due().unwrap();
    show.go_on(due);
    assert_eq!(machine.get("brightness"), "untouched");
    assert_eq!(show.due(), None, "nobody wakes up for it");
    let taken = taken("heartbeat").map(|_| ());
    assert_eq!(show.light(Light::Show(LedState::Well), due), taken);
    show.end();
    assert_eq!(machine.get("brightness"), "untouched");
    // Let go: it is ours again.
    let mut show = Show::of(Box::new(machine.led()));
    machine.put("trigger", "[none] heartbeat mmc0");
    assert_eq!(show.light(Light::Show(LedState::Well), due), Ok(()));
    assert_eq!(machine.get("brightness"), "255");
}

/// An LED that is not named any more is given back by whoever comes next.
#[test]
fn another_led_is_given_back() {
    let machine = Machine::new("none [mmc0] pattern");
    let left = |named| ClassLed::left_behind_below(machine.root.path(), named, machine.record());
    assert!(left(Some("PWR")).is_none(), "nobody had one");
    for named in [Some("PWR"), None] {
        machine.led().show(LedState::Well).unwrap();
        machine.put("trigger", "none mmc0 [pattern]");
        assert!(left(Some("ACT")).is_none(), "it is still named");
        left(named).unwrap().release().unwrap();
        assert_eq!(machine.get("trigger"), "mmc0");
        assert!(left(named).is_none(), "it is given back once");
        machine.put("trigger", "none [mmc0] pattern");
    }
    // Somebody else has it by now.
    machine.led().show(LedState::Well).unwrap();
    machine.put("trigger", "none [heartbeat] mmc0 pattern");
    left(None).unwrap().release().unwrap();
    assert_eq!(
        machine.get("trigger"),
        "none [heartbeat] mmc0 pattern",
        "what is not ours is not given back"
    );
    // A record is no way to another folder.
    fs::write(machine.record(), "../leds/ACT\nnone\n0\n").unwrap();
    assert!(left(None).is_none());
}

/// A lamp by hand that tells of each change.
struct Ticker(mpsc::Sender<bool>);

impl Lamp for Ticker {
    fn show(&mut self, _: LedState) -> Result<Carried, Fault> {
        Ok(Carried::ByHand)
    }

    fn set(&mut self, lit: bool) -> Result<(), Fault> {
        let _ = self.0.send(lit);
        Ok(())
    }

    fn release(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// The core plans no look at a thread that switches an LED by hand: that would be wake-ups of its own.
#[test]
fn a_hand_wakes_nobody_else() {
    let pulse = Arc::new(Pulse::new(Thread::Led, Duration::from_secs(10)));
    let (orders, work) = plain(1, pulse.clone());
    let (inbox, _facts) = inbox();
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || led::run(Box::new(Ticker(tell)), &work, &inbox));
    let order = LedOrder {
        order: OrderId(1),
        light: Light::Show(LedState::Halting),
    };
    orders.give(clock::now(), order).unwrap();
    for lit in [true, false, true] {
        assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(lit));
    }
    assert_eq!(pulse.late_at(), None);
    drop(orders);
    thread.join().unwrap();
}

/// The list tells who drives each LED, and that one cannot carry out rhythms.
#[test]
fn leds_are_listed() {
    let machine = Machine::new("none timer [mmc0]");
    let found = leds(machine.root.path()).unwrap();
    assert_eq!(found.len(), 1);
    let led = &found[0];
    assert_eq!((led.name.as_str(), led.trigger.as_str()), ("ACT", "mmc0"));
    assert_eq!((led.patterns, led.brightness), (false, Some((1, 255))));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(leds(empty.path()).unwrap(), []);
}

/// A lamp that is switched by hand and remembers how.
#[derive(Clone, Default)]
struct Bulb {
    switched: Arc<Mutex<Vec<bool>>>,
    refuses: Arc<Mutex<bool>>,
}

impl Lamp for Bulb {
    fn show(&mut self, _: LedState) -> Result<Carried, Fault> {
        match *self.refuses.lock().unwrap() {
            true => Err(Fault::Errno(Errno(5))),
            false => Ok(Carried::ByHand),
        }
    }

    fn set(&mut self, lit: bool) -> Result<(), Fault> {
        self.switched.lock().unwrap().push(lit);
        match *self.refuses.lock().unwrap() {
            true => Err(Fault::Errno(Errno(5))),
            false => Ok(()),
        }
    }

    fn release(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Lets a show go on until then; how long it was lit and dark, from the first change on.
fn play(show: &mut Show, bulb: &Bulb, from: Mono, until: Mono) -> Vec<(bool, u64)> {
    let mut seen: Vec<(bool, u64)> = Vec::new();
    let mut now = from;
    while let Some(due) = show.due().filter(|due| *due <= until) {
        let lit = *bulb.switched.lock().unwrap().last().unwrap();
        seen.push((lit, due.0 - now.0));
        now = due;
        show.go_on(now);
    }
    seen
}

/// By hand, each state is shown in its own rhythm.
#[test]
fn every_rhythm_is_shown_by_hand() {
    for state in LedState::ALL {
        let bulb = Bulb::default();
        let mut show = Show::of(Box::new(bulb.clone()));
        let now = Mono(5_000);
        show.light(Light::Show(state), now).unwrap();
        let end = now.after(state.rhythm().cycle() * 2);
        let seen = play(&mut show, &bulb, now, end);
        let once = state.rhythm().0.iter();
        let once = once.flat_map(|f| [(true, u64::from(f.lit)), (false, u64::from(f.dark))]);
        let twice: Vec<_> = once.clone().chain(once).collect();
        assert_eq!(seen, twice, "{state:?}");
    }
}

/// What is ordered anew goes on without a stutter; what is not ends dark; what goes down with the
/// machine does not end.
#[test]
fn a_rhythm_by_hand_ends_by_itself() {
    let bulb = Bulb::default();
    let mut show = Show::of(Box::new(bulb.clone()));
    let well = Light::Show(LedState::Well);
    show.light(well, Mono(0)).unwrap();
    let changes = || bulb.switched.lock().unwrap().len();
    let before = changes();
    show.light(well, Mono(100)).unwrap();
    assert_eq!(changes(), before);
    play(&mut show, &bulb, Mono(100), Mono(100).after(LASTS * 2));
    assert_eq!(show.due(), None);
    assert_eq!(bulb.switched.lock().unwrap().last(), Some(&false));
    let lasted = Duration::from_secs(4) * u32::try_from(changes()).unwrap() / 2;
    assert!(lasted >= LASTS && lasted <= LASTS + Duration::from_secs(8));
    show.light(Light::Show(LedState::Halting), Mono(0)).unwrap();
    play(&mut show, &bulb, Mono(0), Mono(0).after(LASTS * 2));
    assert!(show.due().is_some());
}

/// When nobody goes on with it, a machine that goes down stays lit and any other is dark.
#[test]
fn the_end_leaves_no_lie() {
    for (state, lit) in [
        (LedState::Well, false),
        (LedState::Stopping, false),
        (LedState::Halting, true),
    ] {
        let bulb = Bulb::default();
        let mut show = Show::of(Box::new(bulb.clone()));
        show.light(Light::Show(state), Mono(0)).unwrap();
        show.end();
        assert_eq!(
            bulb.switched.lock().unwrap().last(),
            Some(&lit),
            "{state:?}"
        );
    }
    // What was given back is nobody's business any more.
    let bulb = Bulb::default();
    let mut show = Show::of(Box::new(bulb.clone()));
    show.light(Light::Show(LedState::Well), Mono(0)).unwrap();
    show.light(Light::Release, Mono(1)).unwrap();
    assert_eq!(show.due(), None);
    show.end();
    assert_eq!(*bulb.switched.lock().unwrap(), [true]);
}

/// A lamp that fails in the middle is told of at the next order, and not tried all the time.
#[test]
fn a_lamp_that_fails_is_left_alone() {
    let bulb = Bulb::default();
    let mut show = Show::of(Box::new(bulb.clone()));
    let well = Light::Show(LedState::Well);
    show.light(well, Mono(0)).unwrap();
    *bulb.refuses.lock().unwrap() = true;
    play(&mut show, &bulb, Mono(0), Mono(100_000));
    assert_eq!(show.due(), None);
    assert_eq!(bulb.switched.lock().unwrap().len(), 2);
    assert_eq!(show.light(well, Mono(1)), Err(Fault::Errno(Errno(5))));
    *bulb.refuses.lock().unwrap() = false;
    assert_eq!(show.light(well, Mono(2)), Ok(()));
}

/// A thread that comes late begins no race to catch up.
#[test]
fn a_late_hand_does_not_hurry() {
    let bulb = Bulb::default();
    let mut show = Show::of(Box::new(bulb.clone()));
    show.light(Light::Show(LedState::Halting), Mono(0)).unwrap();
    show.go_on(Mono(10_000));
    let due = show.due().unwrap();
    assert_eq!(due, Mono(10_080));
}
