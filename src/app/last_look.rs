//! Whether mains are there, at the very end, when the daemon is long gone.
//!
//! Never takes anything for mains that may be something else: what cannot be read, what differs from
//! one look to the next, and a battery at rest are not known. A machine that is not restarted then is
//! off, as it was meant to be; one that is restarted without mains empties its battery.

use crate::config::board::{Board, MainsBy};
use crate::core::fact::{Fact, Reading};
use crate::edge::bound_chips::BoundChips;
use crate::edge::gauge::Gauge;
use crate::edge::gpio::KernelLine;
use crate::edge::hardware::Hardware;
use crate::edge::i2c::KernelBus;
use crate::edge::line::InputLine;
use crate::edge::power_supply::{PowerSupplies, Supplies};
use crate::edge::thread;
use crate::units::Milliamps;
use std::path::Path;
use std::time::Duration;

/// What tells of mains is believed if it says so this many times in a row.
const LOOKS: usize = 3;

/// Time between two of them. An INA219 needs 34 ms for a new value (TI SBOS448, averaging of 32).
const BETWEEN: Duration = Duration::from_millis(50);

/// Time for three looks at chips. A bus whose driver gives up after a second answers none of them.
const LOOKED: Duration = Duration::from_secs(5);

/// Looks at what tells of mains on this board: the kernel's power supplies, a line, or the chips on
/// its bus. `gone`: the daemon believed last that mains are gone. `None`: it is not known.
pub(super) fn mains(board: &Board, gone: bool, hardware: &Hardware) -> Option<Fact> {
    match &board.mains {
        MainsBy::Supplies | MainsBy::Supply(_) => {
            PowerSupplies::new(Path::new("/"), Supplies::of(board))?.sample()
        }
        MainsBy::Line {
            line,
            lost_high,
            pull,
            debounce,
        } => {
            let mut line = KernelLine::of(line.clone(), *pull, *debounce, hardware);
            let present = (0..LOOKS).all(|_| {
                std::thread::sleep(BETWEEN);
                line.level().is_ok_and(|high| high != *lost_high)
            });
            Some(Fact::Seen(Reading::Mains { present }))
        }
        MainsBy::Register { .. }
        | MainsBy::Voltage { .. }
        | MainsBy::Chip { .. }
        | MainsBy::Current { .. } => {
            let number = board.chips.first()?.bus;
            let bus = Box::new(KernelBus::of(number, hardware));
            let mut gauge = Gauge::of(board, bus, BoundChips::new("/".as_ref()));
            let board = board.clone();
            // A bus that hangs tells nothing, and must not keep the machine from its end.
            let look = move || Ok(by_chips(&board, gone, &mut gauge, std::thread::sleep));
            thread::within(LOOKED, look).ok()?
        }
    }
}

/// By a register, which has to say so three times; or by a current that flows **into** the battery
/// three times. A current tells mains only if the daemon has seen it flow out in this outage: one
/// with the wrong sign, which it does not believe, would restart a machine on its battery.
fn by_chips(board: &Board, gone: bool, gauge: &mut Gauge, pause: fn(Duration)) -> Option<Fact> {
    for _ in 0..LOOKS {
        pause(BETWEEN);
        let facts = gauge.look().facts;
        let there = |fact: &Fact| match board.mains {
            MainsBy::Register { .. } | MainsBy::Voltage { .. } | MainsBy::Chip { .. } => {
                *fact == Fact::Seen(Reading::Mains { present: true })
            }
            MainsBy::Current { dead_band } => gone && flows_in(fact, dead_band),
            MainsBy::Supplies | MainsBy::Supply(_) | MainsBy::Line { .. } => false,
        };
        if !facts.iter().any(there) {
            return None;
        }
    }
    Some(Fact::Seen(Reading::Mains { present: true }))
}

/// More than what does not count flows into the battery. What flows at rest tells nothing.
fn flows_in(fact: &Fact, dead_band: Milliamps) -> bool {
    match fact {
        Fact::Seen(Reading::Gauge { current, .. }) => current.is_some_and(|c| c.0 > dead_band.0),
        Fact::Seen(_) | Fact::Lost { .. } => false,
        Fact::Tick | Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } => false,
        Fact::Done { .. } | Fact::Thread { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::Bus;
    use crate::config::board::{self, BUILT_IN, Driver};
    use crate::core::fact::Errno;
    use std::collections::{BTreeMap, VecDeque};

    /// An INA219 that is set up by whoever reads it, or a chip of registers. Each look takes the next
    /// value: what the current register or the one of mains holds. `None`: nobody answers.
    struct Script {
        values: VecDeque<Option<u16>>,
        written: BTreeMap<u8, Vec<u8>>,
        cells: u16,
    }

    impl Bus for Script {
        fn read(&mut self, _: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
            let value = self.values.front().copied().flatten().ok_or(Errno(121))?;
            let last = into.len() == 1 || register == 5 && self.written.contains_key(&5);
            if last {
                self.values.pop_front();
            }
            let bytes = match (self.written.get(&register), into.len(), register) {
                (Some(written), ..) => written.clone(),
                (None, 1, _) => vec![value.to_be_bytes()[1]],
                // 3.8 V a cell at 4 mV a step, above three bits of flags.
                (None, _, 2) => ((950 * self.cells) << 3).to_be_bytes().to_vec(),
                (None, _, 4) => value.to_be_bytes().to_vec(),
                (None, ..) => vec![0, 0],
            };
            into.copy_from_slice(&bytes);
            Ok(())
        }

        fn write(&mut self, _: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
            self.written.insert(register, bytes.to_vec());
            Ok(())
        }
    }

    fn tells(board: &Board, gone: bool, values: &[Option<u16>]) -> bool {
        let bus = Box::new(Script {
            values: values.iter().copied().collect(),
            written: BTreeMap::new(),
            cells: board.battery.map_or(1, |battery| battery.cells.into()),
        });
        let bound = BoundChips::new(Path::new("/nowhere"));
        let mut gauge = Gauge::of(board, bus, bound).pausing(|_| {});
        let said = by_chips(board, gone, &mut gauge, |_| {});
        let there = Fact::Seen(Reading::Mains { present: true });
        assert!(said.is_none() || said == Some(there.clone()), "{said:?}");
        said == Some(there)
    }

    /// The three boards that tell by the current: three readings well into the battery are mains; at
    /// rest, out of it, unread, or mixed, it is not known. Nor is it where the daemon has not believed
    /// that current in this outage, whose sign may be wrong.
    #[test]
    fn a_current_into_the_battery_is_mains() {
        for name in [
            "waveshare-ups-hat",
            "waveshare-ups-hat-c",
            "waveshare-ups-hat-d",
        ] {
            let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == name).unwrap();
            let board = board::parse("test", name, text).unwrap();
            let Driver::Ina219 {
                range,
                charging_positive,
                ..
            } = board.chips[0].driver
            else {
                panic!("{name}");
            };
            // The step is that of the range, in 15 bits.
            let raw = |milliamps: i32| {
                let steps = i16::try_from(milliamps * 32_767 / range.0).unwrap();
                let steps = if charging_positive { steps } else { -steps };
                Some(steps.cast_unsigned())
            };
            let (into, rest, out) = (raw(400), raw(40), raw(-400));
            assert!(tells(&board, true, &[into; 3]), "{name}");
            assert!(!tells(&board, false, &[into; 3]), "{name}: sign");
            for other in [rest, raw(0), raw(-40), out, None] {
                assert!(!tells(&board, true, &[other; 3]), "{name} {other:?}");
                for at in 0..3 {
                    let mut values = [into; 3];
                    values[at] = other;
                    assert!(!tells(&board, true, &values), "{name} {values:?}");
                }
            }
        }
    }

    /// A register has to say so three times in a row, whatever was believed before.
    #[test]
    fn a_register_says_it_three_times() {
        let board = board::parse(
            "test",
            "test",
            "name = \"test\"\ntitle = \"T\"\n[chip.mcu]\ndriver = \"registers\"\naddress = 0x2d\n\
             [mains.register]\nchip = \"mcu\"\nregister = 2\nmask = 0x20\npresent = 0x20\n",
        )
        .unwrap();
        let (there, gone) = (Some(0x2f), Some(0x0f));
        for believed in [false, true] {
            assert!(tells(&board, believed, &[there; 3]));
            for other in [gone, None] {
                for at in 0..3 {
                    let mut values = [there; 3];
                    values[at] = other;
                    assert!(!tells(&board, believed, &values), "{values:?}");
                }
            }
        }
    }
}
