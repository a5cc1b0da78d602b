//! Pironman U1: a register is named by a command of two bytes, and read in a transfer of its own.
//!
//! ```text
//! 0x01, register ──► n bytes; words have their low byte first
//! ```
//!
//! Source: sunfounder/spc: spc/spc.py, spc_data_buffer_sheet.md.

use super::super::{Bus, Chip, Mains, Sample, Trouble};
use super::{millivolts, percent};

/// The command that names the register to be read.
const READ: u8 = 0x01;

const VOLTAGE: u8 = 8;
const CHARGE: u8 = 12;
const PLUGGED: u8 = 16;

/// A Pironman U1.
#[derive(Debug)]
pub struct PironmanU1 {
    address: u8,
}

impl PironmanU1 {
    /// One at this address.
    pub fn new(address: u8) -> PironmanU1 {
        PironmanU1 { address }
    }

    fn read<const N: usize>(&self, bus: &mut dyn Bus, register: u8) -> Result<[u8; N], Trouble> {
        let mut bytes = [0; N];
        bus.write(self.address, READ, &[register])?;
        bus.receive(self.address, &mut bytes)?;
        Ok(bytes)
    }
}

impl Chip for PironmanU1 {
    fn poll(&mut self, bus: &mut dyn Bus) -> Result<Sample, Trouble> {
        let voltage = u16::from_le_bytes(self.read(bus, VOLTAGE)?);
        let [charge] = self.read(bus, CHARGE)?;
        Ok(Sample {
            voltage: Some(millivolts(voltage.into())?),
            charge: Some(percent(charge.into())?),
            current: None,
        })
    }

    fn mains(&mut self, bus: &mut dyn Bus) -> Result<Mains, Trouble> {
        match self.read(bus, PLUGGED)? {
            // There is no checksum: a stuck bus says the same.
            [0] => Ok(Mains {
                present: false,
                empty: true,
            }),
            [1] => Ok(Mains {
                present: true,
                empty: false,
            }),
            [_] => Err(Trouble::Implausible),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Errno;
    use crate::units::{Millivolts, Permille};

    /// Registers that are read at the place that was named last.
    struct Board {
        bytes: [u8; 32],
        at: Option<usize>,
    }

    impl Bus for Board {
        fn read(&mut self, _: u8, _: u8, _: &mut [u8]) -> Result<(), Errno> {
            panic!("it wants two transfers");
        }

        fn write(&mut self, address: u8, command: u8, bytes: &[u8]) -> Result<(), Errno> {
            assert_eq!((address, command, bytes.len()), (0x5a, READ, 1));
            self.at = Some(bytes[0].into());
            Ok(())
        }

        fn receive(&mut self, _: u8, into: &mut [u8]) -> Result<(), Errno> {
            let at = self.at.take().ok_or(Errno(121))?;
            into.copy_from_slice(&self.bytes[at..at + into.len()]);
            Ok(())
        }
    }

    /// Voltage, charge and the plug; what is neither yes nor no is not believed.
    #[test]
    fn a_board_is_read() {
        let mut board = Board {
            bytes: [0; 32],
            at: None,
        };
        [board.bytes[8], board.bytes[9]] = 7_900u16.to_le_bytes();
        board.bytes[12] = 81;
        let mut chip = PironmanU1::new(0x5a);
        let sample = Sample {
            voltage: Some(Millivolts(7_900)),
            charge: Some(Permille(810)),
            current: None,
        };
        assert_eq!(chip.poll(&mut board), Ok(sample));
        for (byte, wanted) in [
            (0, Some((false, true))),
            (1, Some((true, false))),
            (0xFF, None),
        ] {
            board.bytes[16] = byte;
            let mains = chip.mains(&mut board).ok();
            assert_eq!(mains.map(|m| (m.present, m.empty)), wanted, "{byte}");
        }
        board.bytes[12] = 101;
        assert_eq!(chip.poll(&mut board), Err(Trouble::Implausible));
    }
}
