//! How the boot before ended: the verdict against the truth, V1.
//!
//! V1: no verdict says what the driver of the watchdog or the firmware denied; where one of them told
//! the truth, a verdict that is called likely is right; a loss of power is likely only where the
//! firmware saw it; and what is left of some boot long ago is no evidence.

use crate::plan::Card;
use crate::world::World;
use fieldwarden::core::fact::HaltKind;
use fieldwarden::core::intent::{HaltPhase, Intent};
use fieldwarden::core::note::{HaltNote, Note};
use fieldwarden::core::picture::HaltCause;
use fieldwarden::core::traces::Firmware;
use fieldwarden::core::{Confidence, End};

/// How a boot of the simulated machine really ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// The watchdog bit.
    Bitten,
    /// Somebody pressed its reset button, or its kernel restarted it out of hand.
    Reset,
    /// Its power was cut.
    Cut,
    /// Its battery ran empty.
    Empty,
    /// Its board cut the power that was told so.
    BoardCut,
    /// Init or the kernel halted it.
    Halted(HaltKind),
}

impl How {
    /// What the firmware of a machine says of it that has one.
    pub fn firmware(self) -> Option<Firmware> {
        match self {
            How::Bitten | How::Reset | How::Halted(HaltKind::Reboot) => Some(Firmware::Reset),
            How::Cut | How::Empty | How::BoardCut => Some(Firmware::PowerOn),
            // A machine that is off and started by a button says one or the other.
            How::Halted(HaltKind::PowerOff) => None,
        }
    }

    fn lost_its_power(self) -> bool {
        match self {
            How::Cut | How::Empty | How::BoardCut | How::Halted(HaltKind::PowerOff) => true,
            How::Bitten | How::Reset | How::Halted(HaltKind::Reboot) => false,
        }
    }
}

impl World {
    /// V1.
    pub fn judge_verdicts(&mut self, notes: &[Note]) {
        for note in notes {
            if let Note::Halt(HaltNote::LastBoot {
                end, confidence, ..
            }) = note
                && let Some(why) = self.is_wrong(*end, *confidence)
            {
                let how = self.remains.how;
                self.fail(format!(
                    "V1: {end:?}, {confidence:?}, but it was {how:?}: {why}"
                ));
            }
        }
    }

    fn is_wrong(&mut self, end: End, confidence: Confidence) -> Option<&'static str> {
        let Some(how) = self.remains.how else {
            let nothing = matches!(end, End::FirstBoot | End::CutOrHang | End::Unknown);
            return (!nothing).then_some("there was no boot before");
        };
        *self.tally.verdicts.entry(word(end)).or_default() += 1;
        let marker = self.remains.there;
        if self.plan.card != Card::Keeps {
            let nothing = matches!(end, End::FirstBoot | End::Unknown);
            return (!nothing).then_some("nothing that was written outlives a boot");
        }
        let Some((by, marker)) = marker else {
            return (end != End::FirstBoot).then_some("there is no marker");
        };
        // A card that took nothing in the whole boot tells of one before that.
        if by.wrapping_add(1) != self.remains.boot {
            return None;
        }
        let told = Told {
            how,
            driver: self.device.tells,
            firmware: how.firmware().filter(|_| self.remains.firmware),
            intent: marker.intent,
        };
        match told.denies(end) {
            true => Some("that was denied"),
            false if confidence >= Confidence::Likely && !told.bears_out(end) => {
                Some("that is not likely")
            }
            false => None,
        }
    }
}

/// What was told of the end of a boot, and how it really ended.
struct Told {
    how: How,
    /// The driver of the watchdog tells whether it bit.
    driver: bool,
    firmware: Option<Firmware>,
    intent: Intent,
}

impl Told {
    fn bitten(&self) -> bool {
        self.driver && self.how == How::Bitten
    }

    fn unbitten(&self) -> bool {
        self.driver && self.how != How::Bitten
    }

    fn was_reset(&self) -> bool {
        self.firmware == Some(Firmware::Reset)
    }

    fn had_no_power(&self) -> bool {
        self.firmware == Some(Firmware::PowerOn)
    }

    /// Driver or firmware say that it was something else, or that there is more to say.
    fn denies(&self, end: End) -> bool {
        let off = HaltKind::PowerOff;
        match end {
            // There is a marker of it.
            End::FirstBoot | End::Unknown => true,
            End::Drill { .. } | End::Withheld { .. } => self.unbitten() || self.had_no_power(),
            End::Hang => !self.bitten() && !self.was_reset(),
            // No kernel panics here.
            End::Panic => true,
            End::MainsCut | End::CutOnBattery | End::BatteryEmpty | End::BrownOut => {
                self.bitten() || self.was_reset()
            }
            End::CutOrHang => self.bitten() || self.firmware.is_some(),
            End::PlannedCut { .. } => self.bitten() || self.was_reset(),
            End::Halted { kind, .. } => self.bitten() || kind == off && self.was_reset(),
            End::InHalt { .. } | End::AskedToEnd => false,
        }
    }

    /// What was told tells this from everything else that leaves the same.
    fn bears_out(&self, end: End) -> bool {
        let lost_power = self.how.lost_its_power();
        match end {
            End::Hang => self.how == How::Bitten,
            End::MainsCut | End::CutOnBattery | End::BatteryEmpty | End::BrownOut => {
                self.had_no_power() && lost_power
            }
            End::PlannedCut { .. } => self.firmware.is_none() || lost_power,
            End::Halted { kind, .. } => kind == HaltKind::PowerOff || !self.had_no_power(),
            End::InHalt { cause } => {
                let committed = matches!(
                    self.intent,
                    Intent::Halt {
                        phase: HaltPhase::Committed,
                        ..
                    }
                );
                let drill = matches!(cause, HaltCause::Drill { .. });
                !committed || drill || self.bitten()
            }
            End::AskedToEnd => !self.bitten(),
            // What denies these is all that there is to tell.
            End::Drill { .. } | End::Withheld { .. } => true,
            End::CutOrHang | End::FirstBoot | End::Unknown | End::Panic => false,
        }
    }
}

fn word(end: End) -> String {
    let text = format!("{end:?}");
    let word = text.split([' ', '{']).next();
    word.unwrap_or_default().to_owned()
}
