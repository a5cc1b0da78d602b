//! How the boot before ended: the verdict against the truth, V1.
//!
//! V1: no verdict says what the driver of the watchdog or the firmware denied; where one of them told
//! the truth, a verdict that is called likely is right; none is called certain that is wrong; and what
//! is left of some boot long ago is no evidence.

use crate::plan::Card;
use crate::world::World;
use fieldwarden::core::fact::HaltKind;
use fieldwarden::core::note::{HaltNote, Note};
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
        let Some((by, _)) = marker else {
            return (end != End::FirstBoot).then_some("there is no marker");
        };
        // A card that took nothing in the whole boot tells of one before that.
        if by.wrapping_add(1) != self.remains.boot {
            let certain = confidence == Confidence::Certain;
            return certain.then_some("it is about an earlier boot");
        }
        let bitten = how == How::Bitten;
        let (driver, firmware) = (self.device.tells, self.remains.firmware);
        let reset = how.firmware() == Some(Firmware::Reset);
        let certain = confidence == Confidence::Certain;
        match end {
            End::FirstBoot | End::Unknown => Some("there is a marker of it"),
            End::Drill { .. } | End::Hang | End::Withheld { .. } | End::Panic => {
                let denied = driver && !bitten && !firmware || firmware && !reset;
                (denied || certain && !bitten).then_some("it was not reset")
            }
            End::MainsCut | End::CutOnBattery | End::BatteryEmpty | End::BrownOut => {
                let denied = driver && bitten || firmware && !how.lost_its_power();
                (denied || certain && !how.lost_its_power()).then_some("its power was not cut")
            }
            End::CutOrHang => {
                let told = driver && bitten || firmware && how != How::Halted(HaltKind::PowerOff);
                told.then_some("it is known")
            }
            End::Halted { .. } | End::PlannedCut { .. } => {
                (driver && bitten || certain).then_some("it was reset")
            }
            End::InHalt { .. } | End::AskedToEnd => certain.then_some("nobody can know"),
        }
    }
}

fn word(end: End) -> String {
    let text = format!("{end:?}");
    let word = text.split([' ', '{']).next();
    word.unwrap_or_default().to_owned()
}
