//! PiJuice: blocks of bytes with a checksum behind them.
//!
//! ```text
//! command ──► n bytes, then 0xFF xor all of them; words have their low byte first
//! ```
//!
//! Its controller holds the clock, and a Pi then loses the first bit of the block: a block whose
//! checksum is wrong is tried once more with that bit set, as its maker's code does it.
//!
//! Source: PiSupply/PiJuice: Software/Source/pijuice.py.

use super::super::{Bus, Chip, Mains, Sample, Trouble};
use super::{millivolts, percent};

const STATUS: u8 = 0x40;
const CHARGE: u8 = 0x41;
const VOLTAGE: u8 = 0x49;

/// What both inputs say when they have power that is good: power IN and the computer's own 5 V.
const PRESENT: u8 = 3;

/// What the status says of a battery that is not there.
const NO_BATTERY: u8 = 3;

/// A PiJuice.
#[derive(Debug)]
pub struct PiJuice {
    address: u8,
}

impl PiJuice {
    /// One at this address.
    pub fn new(address: u8) -> PiJuice {
        PiJuice { address }
    }

    /// The bytes of a block.
    fn block<const N: usize>(&self, bus: &mut dyn Bus, command: u8) -> Result<[u8; N], Trouble> {
        let mut frame = [0; 8];
        let frame = frame.get_mut(..=N).ok_or(Trouble::Implausible)?;
        bus.read(self.address, command, frame)?;
        open(frame).ok_or(Trouble::Implausible)
    }
}

/// The bytes in a block, if its checksum is right, or is with the bit that may have been lost.
pub fn open<const N: usize>(frame: &[u8]) -> Option<[u8; N]> {
    let (last, bytes) = frame.split_last()?;
    let mut bytes: [u8; N] = bytes.try_into().ok()?;
    if checksum(&bytes) != *last {
        *bytes.first_mut()? |= 0x80;
    }
    (checksum(&bytes) == *last).then_some(bytes)
}

/// What stands behind these bytes.
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0xFF, |sum, byte| sum ^ byte)
}

impl Chip for PiJuice {
    fn poll(&mut self, bus: &mut dyn Bus) -> Result<Sample, Trouble> {
        let [status] = self.block(bus, STATUS)?;
        if status >> 2 & 3 == NO_BATTERY {
            return Err(Trouble::Implausible);
        }
        let voltage = u16::from_le_bytes(self.block(bus, VOLTAGE)?);
        let [charge] = self.block(bus, CHARGE)?;
        Ok(Sample {
            voltage: Some(millivolts(voltage.into())?),
            charge: Some(percent(charge.into())?),
            current: None,
        })
    }

    fn mains(&mut self, bus: &mut dyn Bus) -> Result<Mains, Trouble> {
        let [status] = self.block(bus, STATUS)?;
        let (input, own) = (status >> 4 & 3, status >> 6 & 3);
        Ok(Mains {
            present: input == PRESENT || own == PRESENT,
            // A bus that is stuck has no checksum that is right.
            empty: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Errno;
    use crate::units::{Millivolts, Permille};
    use proptest::prelude::*;

    /// Blocks by their commands.
    struct Blocks(Vec<(u8, Vec<u8>)>);

    impl Bus for Blocks {
        fn read(&mut self, address: u8, command: u8, into: &mut [u8]) -> Result<(), Errno> {
            assert_eq!(address, 0x14);
            let block = self.0.iter().find(|(of, _)| *of == command);
            let (_, block) = block.ok_or(Errno(121))?;
            assert_eq!(into.len(), block.len());
            into.copy_from_slice(block);
            Ok(())
        }

        fn write(&mut self, _: u8, _: u8, _: &[u8]) -> Result<(), Errno> {
            panic!("it is read only");
        }
    }

    fn blocks(status: u8) -> Blocks {
        let block = |bytes: &[u8]| [bytes, &[checksum(bytes)]].concat();
        Blocks(vec![
            (STATUS, block(&[status])),
            (VOLTAGE, block(&3_912u16.to_le_bytes())),
            (CHARGE, block(&[64])),
        ])
    }

    /// Voltage and charge; nothing of them without a battery; mains by either input.
    #[test]
    fn a_board_is_read() {
        let mut chip = PiJuice::new(0x14);
        let sample = Sample {
            voltage: Some(Millivolts(3_912)),
            charge: Some(Permille(640)),
            current: None,
        };
        assert_eq!(chip.poll(&mut blocks(0x30)), Ok(sample));
        assert_eq!(chip.poll(&mut blocks(0x0C)), Err(Trouble::Implausible));
        for (status, present) in [
            (0x00, false),
            (0x30, true),
            (0xC0, true),
            (0x20, false),
            (0x90, false),
            (0x0F, false),
        ] {
            let mains = chip.mains(&mut blocks(status)).unwrap();
            assert_eq!(mains.present, present, "{status:#04x}");
        }
        assert_eq!(
            chip.poll(&mut Blocks(vec![])),
            Err(Trouble::Bus(Errno(121)))
        );
    }

    /// A bus that is stuck, low or high, makes no block.
    #[test]
    fn a_stuck_bus_is_no_block() {
        for stuck in [0x00, 0xFF] {
            assert_eq!(open::<1>(&[stuck; 2]), None);
            assert_eq!(open::<2>(&[stuck; 3]).filter(|_| stuck == 0), None);
        }
    }

    /// The first bit may be lost on the way; it is put back.
    #[test]
    fn the_first_bit_is_put_back() {
        let sum = checksum(&[0x8F, 0x0F]);
        assert_eq!(open(&[0x0F, 0x0F, sum]), Some([0x8F, 0x0F]));
        assert_eq!(open::<2>(&[0x0F, 0x0E, sum]), None);
        assert_eq!(open::<2>(&[0x0F, sum]), None, "too short");
    }

    proptest! {
        /// Whatever comes: no panic, and what is opened has the right checksum, but for that bit.
        #[test]
        fn any_bytes(frame in proptest::collection::vec(any::<u8>(), 0..6)) {
            if let Some(bytes) = open::<2>(&frame) {
                prop_assert_eq!(checksum(&bytes), frame[2]);
                prop_assert_eq!(bytes[0] | 0x80, frame[0] | 0x80);
                prop_assert_eq!(bytes[1], frame[1]);
            }
        }
    }
}
