//! An LED of the kernel's LED class: `/sys/class/leds/NAME`.
//!
//! ```text
//!  first time in this boot: record trigger and brightness ─► ours ◄─► taken by somebody else
//!                                                             │
//!                                              release: give them back
//! ```
//!
//! Terms: a *trigger* is what drives an LED inside the kernel. We use `pattern`, which carries out a
//! rhythm so many times and then leaves the LED dark; where it is not loaded, `none`, and the LED is
//! switched by hand. An LED with any other trigger is somebody else's. (kernel:
//! Documentation/ABI/testing/sysfs-class-led and sysfs-class-led-trigger-pattern)
//!
//! Never fights: an LED whose trigger was changed after we had it is left alone until that trigger is
//! `none`. By hand that is looked at before each change, because the kernel takes away a trigger when
//! it is told to be dark (kernel: drivers/leds/led-class.c, `brightness_store`). What it was before us
//! is kept in the runtime directory, for whoever comes after a daemon that was killed, or after one
//! that had another LED.

use super::{Carried, Lamp};
use crate::core::fact::{Errno, Fault};
use crate::core::light::LedState;
use crate::edge::hardware::Hardware;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the LEDs are, below `/sys`.
pub(super) const FOLDER: &str = "sys/class/leds";

/// The trigger that carries out a rhythm.
pub const PATTERN: &str = "pattern";

/// The trigger of an LED that is switched by hand.
pub const NONE: &str = "none";

/// What `repeat` of the trigger `pattern` takes for *without end*.
const WITHOUT_END: &str = "-1";

/// An LED of the kernel.
pub struct ClassLed {
    name: String,
    folder: PathBuf,
    record: PathBuf,
    /// What it was before us, while it is ours.
    before: Option<Before>,
}

/// What an LED was before it was ours.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Before {
    trigger: String,
    brightness: String,
}

/// The triggers of an LED.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Triggers {
    /// The one that drives it.
    pub active: String,
    /// All that are loaded.
    pub all: Vec<String>,
}

impl Triggers {
    /// From the text of `trigger`: `none timer [mmc0]`. A kernel without triggers has no such file.
    pub fn parse(text: &str) -> Triggers {
        let mut triggers = Triggers {
            active: NONE.to_owned(),
            all: Vec::new(),
        };
        for word in text.split_whitespace() {
            let chosen = word.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
            if let Some(chosen) = chosen {
                chosen.clone_into(&mut triggers.active);
            }
            triggers.all.push(chosen.unwrap_or(word).to_owned());
        }
        triggers
    }

    /// The kernel has this trigger.
    pub fn offers(&self, trigger: &str) -> bool {
        self.all.iter().any(|t| t == trigger)
    }

    /// It is driven by us, or by nobody.
    fn is_free(&self) -> bool {
        self.active == PATTERN || self.active == NONE
    }

    /// Somebody else has it.
    fn taken(&self) -> Fault {
        Fault::Taken {
            by: Some(format!("trigger {}", self.active).into()),
        }
    }
}

impl ClassLed {
    /// The LED of this machine with this name; `record` is where what it was before is kept.
    pub fn of(name: &str, record: PathBuf, _: &Hardware) -> ClassLed {
        ClassLed::below(Path::new("/"), name, record)
    }

    /// The same on a machine whose `/sys` is below `root`.
    pub fn below(root: &Path, name: &str, record: PathBuf) -> ClassLed {
        ClassLed {
            name: name.to_owned(),
            folder: root.join(FOLDER).join(name),
            record,
            before: None,
        }
    }

    /// The LED of this machine that an earlier daemon of this boot had and did not give back, unless it
    /// is the one that is named now. It is given back by its release.
    pub fn left_behind(named: Option<&str>, record: PathBuf, _: &Hardware) -> Option<ClassLed> {
        ClassLed::left_behind_below(Path::new("/"), named, record)
    }

    /// The same on a machine whose `/sys` is below `root`.
    pub fn left_behind_below(
        root: &Path,
        named: Option<&str>,
        record: PathBuf,
    ) -> Option<ClassLed> {
        let (name, before) = recorded(&record)?;
        // A name is one word and no path.
        if named == Some(name.as_str()) || name.contains('/') || name.starts_with('.') {
            return None;
        }
        let mut led = ClassLed::below(root, &name, record);
        led.before = Some(before);
        Some(led)
    }

    fn triggers(&self) -> Result<Triggers, Fault> {
        if !self.folder.is_dir() {
            return Err(Fault::Absent);
        }
        match fs::read_to_string(self.folder.join("trigger")) {
            Ok(text) => Ok(Triggers::parse(&text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Triggers::parse("")),
            Err(e) => Err(fault(&e)),
        }
    }

    /// Makes sure that it is ours, and leaves alone what is somebody else's.
    fn take(&mut self, triggers: &Triggers) -> Result<(), Fault> {
        let known = self.before.clone().or_else(|| self.recorded());
        match known {
            // Somebody has it now. When its trigger is `none` again, it is free.
            Some(_) if !triggers.is_free() => Err(triggers.taken()),
            Some(before) => {
                self.before = Some(before);
                Ok(())
            }
            None => {
                let before = Before {
                    trigger: triggers.active.clone(),
                    brightness: self.read("brightness")?,
                };
                // Without a record, a daemon that is killed leaves its successor less to give back.
                if let Err(e) = self.keep(&before) {
                    log::warn!("{}: {e}", self.record.display());
                }
                self.before = Some(before);
                Ok(())
            }
        }
    }

    fn keep(&self, before: &Before) -> io::Result<()> {
        let Before {
            trigger,
            brightness,
        } = before;
        fs::write(
            &self.record,
            format!("{}\n{trigger}\n{brightness}\n", self.name),
        )
    }

    /// What an earlier daemon of this boot found, if it was about this LED.
    fn recorded(&self) -> Option<Before> {
        let (name, before) = recorded(&self.record)?;
        (name == self.name).then_some(before)
    }

    /// It is not ours any more.
    fn forget(&mut self) {
        self.before = None;
        let _ = fs::remove_file(&self.record);
    }

    fn read(&self, file: &str) -> Result<String, Fault> {
        let text = fs::read_to_string(self.folder.join(file)).map_err(|e| fault(&e))?;
        Ok(text.trim().to_owned())
    }

    fn write(&self, file: &str, text: &str) -> Result<(), Fault> {
        let mut open = OpenOptions::new();
        // Never made: a file that is not there belongs to an LED, or to a trigger, that is gone.
        let open = open.write(true).truncate(true);
        let file = open.open(self.folder.join(file));
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|e| fault(&e))
    }

    fn full(&self) -> Result<u32, Fault> {
        let full = self.read("max_brightness")?;
        full.parse().map_err(|_| Fault::Implausible)
    }

    fn begin(&mut self, state: LedState) -> Result<Carried, Fault> {
        let triggers = self.triggers()?;
        self.take(&triggers)?;
        if !triggers.offers(PATTERN) {
            if triggers.active != NONE {
                self.write("trigger", NONE)?;
            }
            return Ok(Carried::ByHand);
        }
        if triggers.active != PATTERN {
            self.write("trigger", PATTERN)?;
        }
        self.write(PATTERN, &pattern(state, self.full()?))?;
        self.write("repeat", &repeat(state))?;
        Ok(Carried::ByItself)
    }

    fn give_back(&self, before: &Before) -> Result<(), Fault> {
        let triggers = self.triggers()?;
        if !triggers.is_free() {
            return Ok(());
        }
        self.write("trigger", NONE)?;
        match triggers.offers(&before.trigger) && before.trigger != NONE {
            true => self.write("trigger", &before.trigger),
            false => self.write("brightness", &before.brightness),
        }
    }
}

impl Lamp for ClassLed {
    fn show(&mut self, state: LedState) -> Result<Carried, Fault> {
        let shown = self.begin(state);
        if shown.as_ref().is_err_and(is_gone) {
            // What comes back has its own trigger.
            self.forget();
        }
        shown
    }

    fn set(&mut self, lit: bool) -> Result<(), Fault> {
        let triggers = self.triggers()?;
        if triggers.active != NONE {
            return Err(triggers.taken());
        }
        let level = if lit { self.full()? } else { 0 };
        self.write("brightness", &level.to_string())
    }

    fn release(&mut self) -> Result<(), Fault> {
        let Some(before) = self.before.take() else {
            return Ok(());
        };
        let given = self.give_back(&before);
        self.forget();
        given
    }
}

/// Which LED an earlier daemon of this boot had, and what it was before.
fn recorded(record: &Path) -> Option<(String, Before)> {
    let text = fs::read_to_string(record).ok()?;
    let mut lines = text.lines().map(str::to_owned);
    let name = lines.next()?;
    let (trigger, brightness) = (lines.next()?, lines.next()?);
    let before = Before {
        trigger,
        brightness,
    };
    Some((name, before))
}

/// The LED itself is not there any more.
fn is_gone(why: &Fault) -> bool {
    match why {
        Fault::Absent => true,
        Fault::Errno(errno) => errno.0 == libc::ENODEV,
        Fault::Busy | Fault::Taken { .. } | Fault::Implausible => false,
    }
}

fn fault(error: &io::Error) -> Fault {
    match error.raw_os_error() {
        Some(libc::ENOENT) => Fault::Absent,
        Some(errno) => Fault::Errno(Errno(errno)),
        None => Fault::Errno(Errno(libc::EIO)),
    }
}

/// A rhythm as the trigger takes it: brightness and milliseconds, each followed by the same with no
/// time, because it would fade from one to the next otherwise.
fn pattern(state: LedState, full: u32) -> String {
    let mut text = String::new();
    for flash in state.rhythm().0 {
        // Writing to a string cannot fail.
        let _ = write!(text, "{full} {} {full} 0 0 {} 0 0 ", flash.lit, flash.dark);
    }
    text.truncate(text.trim_end().len());
    text
}

/// How often a rhythm is carried out.
fn repeat(state: LedState) -> String {
    let Some(time) = state.lasts() else {
        return WITHOUT_END.to_owned();
    };
    let cycle = state.rhythm().cycle().max(Duration::from_millis(1));
    time.as_millis().div_ceil(cycle.as_millis()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel takes at most 1024 pairs, no empty pattern, and no count of zero (kernel:
    /// drivers/leds/trigger/ledtrig-pattern.c).
    #[test]
    fn rhythms_are_as_the_kernel_takes_them() {
        for state in LedState::ALL {
            let text = pattern(state, 255);
            let numbers: Vec<u32> = text.split(' ').map(|n| n.parse().unwrap()).collect();
            assert!(
                numbers.len().is_multiple_of(4) && numbers.len() <= 2048,
                "{text}"
            );
            let time: u32 = numbers.chunks(2).map(|pair| pair[1]).sum();
            let cycle = state.rhythm().cycle();
            assert_eq!(u128::from(time), cycle.as_millis());
            // A step to another brightness needs a pair without time before it.
            for pairs in numbers.chunks(4) {
                assert_eq!((pairs[0], pairs[3]), (pairs[2], 0), "{text}");
            }
            let times: i64 = repeat(state).parse().unwrap();
            match state.lasts() {
                Some(time) => assert!(cycle * u32::try_from(times).unwrap() >= time),
                None => assert_eq!(times, -1),
            }
        }
        assert_eq!(
            pattern(LedState::Well, 1),
            "1 200 1 0 0 3800 0 0",
            "one flash in four seconds"
        );
    }

    /// The trigger in brackets is the one that is active.
    #[test]
    fn triggers_are_read() {
        let triggers = Triggers::parse("none timer [mmc0] pattern\n");
        assert_eq!(triggers.active, "mmc0");
        assert!(triggers.offers("mmc0") && triggers.offers("pattern"));
        assert!(!triggers.offers("[mmc0]"));
        assert_eq!(Triggers::parse("").active, NONE);
    }
}
