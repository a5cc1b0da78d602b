//! Looks at the chips of a board: one round gives the facts that they can tell.
//!
//! ```text
//! for each chip: bound by the kernel? ──yes──► its driver's files ─┐
//!                        └─no─► registers, three more tries ───────┴─► judged, put together
//! ```
//!
//! A chip that cannot be read is tried three more times, with growing waits, because a chip may be
//! busy, a clock stretched or a bit turned over. Then it is lost, with the cause; never a value
//! in its place. If several chips tell of one battery, it is lost when none of them tells anything.
//!
//! Whether there is power from outside follows from a register where the board file says so; and when
//! it cannot be read, or says what a stuck bus says while no gauge is heard, that is lost as well.
//! Where the current tells, the core judges it: here it only makes the next look come sooner.

use super::bound_chips::BoundChips;
use crate::chip::registers::{Field, Manner};
use crate::chip::{self, Bus, Chip, Ina219, Mains, Max1704x, Registers, Sample, Trouble};
use crate::config::board::{Board, ChipPlan, Driver, MainsBy};
use crate::core::fact::{Fact, Fault, Reading, Source};
use crate::units::Milliamps;
use std::time::Duration;

/// Waits before each further try. The first is longer than the 34 ms that an INA219 needs for its
/// first values after it was set up; together they are far below the interval of a poll.
const WAITS: [Duration; 3] = [
    Duration::from_millis(40),
    Duration::from_millis(120),
    Duration::from_millis(360),
];

/// The chips of one board on their bus.
pub struct Gauge {
    bus: Box<dyn Bus + Send>,
    bound: BoundChips,
    seats: Vec<Seat>,
    cells: u8,
    mains: Option<Teller>,
    /// A current out of the battery that is larger tells of lost mains.
    dead_band: Option<Milliamps>,
    /// Waits before a further try.
    pause: fn(Duration),
}

/// A chip in its place.
struct Seat {
    plan: ChipPlan,
    chip: Option<Box<dyn Chip + Send>>,
}

/// What one look at the chips gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// Readings, and losses of readings.
    pub facts: Vec<Fact>,
    /// There may be no power from outside: look again soon.
    pub doubtful: bool,
}

/// What tells of mains over the bus.
struct Teller {
    bus: u8,
    address: u8,
    by: By,
}

enum By {
    /// Bits of a register.
    Bits { register: u8, mask: u8, present: u8 },
    /// Voltages at the inputs, of which one is above this, in millivolts.
    Inputs {
        manner: Manner,
        inputs: Vec<Field>,
        above: i64,
    },
    /// A protocol that has it.
    Chip,
}

impl Gauge {
    /// The chips of this board, on this bus.
    pub fn of(board: &Board, bus: Box<dyn Bus + Send>, bound: BoundChips) -> Gauge {
        let number = board.chips.first().map_or(0, |chip| chip.bus);
        Gauge {
            bus,
            bound,
            seats: board.chips.iter().map(Seat::of).collect(),
            cells: board.battery.map_or(1, |battery| battery.cells),
            mains: Teller::of(board, number),
            dead_band: board.settings().dead_band,
            pause: std::thread::sleep,
        }
    }

    /// The same with another way to wait between tries, for tests.
    #[must_use]
    pub fn pausing(self, pause: fn(Duration)) -> Gauge {
        Gauge { pause, ..self }
    }

    /// One round: the battery if any chip tells of it, and mains if a register does.
    pub fn look(&mut self) -> Look {
        // Mains first: a bus that was stuck for that is stuck for the gauge too, or was for a moment.
        let said = self.mains_said();
        let battery = self.battery();
        let unheard = matches!(battery, Some(Err(_)));
        let mains = said.map(|said| match said {
            // A data line that is held low acknowledges every address and reads as zeros, one that
            // nobody drives as ones: neither is believed while the gauge on the same bus is not heard.
            Ok(said) if said.empty && unheard => Err(Fault::Implausible),
            Ok(said) => Ok(said.present),
            Err(why) => Err(why),
        });
        let flows_out = match (&battery, self.dead_band) {
            (Some(Ok(sample)), Some(band)) => sample.current.is_some_and(|a| a.0 < -band.0),
            (Some(_) | None, Some(_) | None) => false,
        };
        let doubtful = flows_out || mains == Some(Ok(false));
        let battery = battery.map(told);
        let mains = mains.map(|outcome| match outcome {
            Ok(present) => Fact::Seen(Reading::Mains { present }),
            Err(why) => Fact::Lost {
                source: Source::Mains,
                why,
            },
        });
        Look {
            facts: battery.into_iter().chain(mains).collect(),
            doubtful,
        }
    }

    /// What all chips together tell of the battery; `None` if none of them ever does.
    fn battery(&mut self) -> Option<Result<Sample, Fault>> {
        let (bus, bound, pause) = (&mut *self.bus, &self.bound, self.pause);
        let mut together: Option<Result<Sample, Fault>> = None;
        for seat in &mut self.seats {
            let Some(chip) = &mut seat.chip else {
                continue;
            };
            let cells = self.cells;
            let outcome = tries(pause, || {
                let sample = match bound.driver(seat.plan.bus, seat.plan.address) {
                    Some(driver) => bound.sample(&seat.plan, &driver)?,
                    None => chip.poll(bus).map_err(fault_of)?,
                };
                chip::judge(sample, cells).map_err(fault_of)
            });
            together = Some(match (together, outcome) {
                (Some(Ok(before)), Ok(sample)) => Ok(before.or(sample)),
                (Some(Ok(before)), Err(_)) => Ok(before),
                (Some(Err(_)) | None, Ok(sample)) => Ok(sample),
                (Some(Err(before)), Err(_)) => Err(before),
                (None, Err(why)) => Err(why),
            });
        }
        together
    }

    /// What the registers that tell of mains say; `None` if there are none.
    fn mains_said(&mut self) -> Option<Result<Mains, Fault>> {
        let (bus, teller) = (&mut *self.bus, self.mains.as_ref()?);
        if let Some(driver) = self.bound.driver(teller.bus, teller.address) {
            return Some(Err(Fault::Taken {
                by: Some(format!("kernel driver {driver}").into()),
            }));
        }
        let address = teller.address;
        let mut seats = self.seats.iter_mut();
        let seat = seats.find(|seat| seat.plan.address == address);
        let mut chip = seat.and_then(|seat| seat.chip.as_mut());
        let mut ask = || match (&teller.by, chip.as_mut()) {
            (By::Chip, Some(chip)) => chip.mains(bus),
            (By::Chip, None) => Err(Trouble::Implausible),
            (By::Bits { .. } | By::Inputs { .. }, _) => teller.ask(bus),
        };
        Some(tries(self.pause, || ask().map_err(fault_of)))
    }
}

impl Teller {
    fn of(board: &Board, bus: u8) -> Option<Teller> {
        let (address, by) = match &board.mains {
            MainsBy::Supplies | MainsBy::Supply(_) | MainsBy::Line { .. } => return None,
            MainsBy::Current { .. } => return None,
            MainsBy::Register {
                address,
                register,
                mask,
                present,
            } => {
                let (register, mask, present) = (*register, *mask, *present);
                (
                    *address,
                    By::Bits {
                        register,
                        mask,
                        present,
                    },
                )
            }
            MainsBy::Chip { address } => (*address, By::Chip),
            MainsBy::Voltage {
                address,
                manner,
                inputs,
                above,
            } => {
                let inputs = inputs.clone();
                let (manner, above) = (*manner, i64::from(above.0));
                (
                    *address,
                    By::Inputs {
                        manner,
                        inputs,
                        above,
                    },
                )
            }
        };
        Some(Teller { bus, address, by })
    }

    fn ask(&self, bus: &mut dyn Bus) -> Result<Mains, Trouble> {
        match &self.by {
            By::Bits {
                register,
                mask,
                present,
            } => {
                let mut byte = [0];
                bus.read(self.address, *register, &mut byte)?;
                Ok(Mains {
                    present: byte[0] & mask == present & mask,
                    empty: matches!(byte[0], 0x00 | 0xff),
                })
            }
            // It is asked by itself.
            By::Chip => Err(Trouble::Implausible),
            By::Inputs {
                manner,
                inputs,
                above,
            } => {
                let mut said = Mains {
                    present: false,
                    empty: true,
                };
                for input in inputs {
                    let (milli, empty) = input.look(bus, self.address, *manner)?;
                    said.present |= milli > *above;
                    said.empty &= empty;
                }
                Ok(said)
            }
        }
    }
}

/// What the core hears of a sample, or of one that cannot be had.
pub fn told(outcome: Result<Sample, Fault>) -> Fact {
    match outcome {
        Ok(Sample {
            voltage,
            charge,
            current,
        }) => Fact::Seen(Reading::Gauge {
            voltage,
            charge,
            current,
        }),
        Err(why) => Fact::Lost {
            source: Source::Gauge,
            why,
        },
    }
}

impl Seat {
    fn of(plan: &ChipPlan) -> Seat {
        let chip: Option<Box<dyn Chip + Send>> = match &plan.driver {
            Driver::Max1704x(variant) => Some(Box::new(Max1704x::new(plan.address, *variant))),
            Driver::Ina219 {
                micro_ohms,
                range,
                charging_positive,
            } => Some(Box::new(Ina219::new(
                plan.address,
                *micro_ohms,
                *range,
                *charging_positive,
            ))),
            Driver::Registers { layout, .. } if layout.tells() => {
                let layout = layout.as_ref().clone();
                Some(Box::new(Registers::new(plan.address, layout)))
            }
            Driver::Registers { .. } => None,
            Driver::Framed(protocol) => Some(protocol.chip(plan.address)),
        };
        Seat {
            plan: plan.clone(),
            chip,
        }
    }
}

/// Tries once, and three more times with growing waits.
fn tries<T>(
    pause: fn(Duration),
    mut attempt: impl FnMut() -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut outcome = attempt();
    for wait in WAITS {
        if outcome.is_ok() {
            break;
        }
        pause(wait);
        outcome = attempt();
    }
    outcome
}

fn fault_of(trouble: Trouble) -> Fault {
    match trouble {
        // No device node: the bus is not there.
        Trouble::Bus(errno) if errno.0 == libc::ENOENT => Fault::Absent,
        Trouble::Bus(errno) => Fault::Errno(errno),
        // It loses its settings again and again.
        Trouble::NotReady | Trouble::Implausible => Fault::Implausible,
    }
}
