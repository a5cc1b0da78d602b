//! Sixfab UPS HAT: requests and answers in frames with a checksum.
//!
//! ```text
//! request  0xCD command 1 0 0                    crc crc    written to register 1
//! answer   0xDC command 2 length length bytes... crc crc    read byte by byte, some time later
//! ```
//!
//! Numbers, lengths and checksums have their high byte first; the checksum is CRC-16/XMODEM over all
//! that stands before it.
//!
//! Source: sixfab/sixfab-power-python-api: power_api/command.py, power_api.py.

use super::super::{Bus, Chip, Mains, Sample, Trouble};
use super::{millivolts, percent};
use std::time::Duration;

const REQUEST: u8 = 0xCD;
const ANSWER: u8 = 0xDC;
const ASKS: u8 = 1;

/// The register that requests are written to.
const DOOR: u8 = 0x01;

const VOLTAGE: u8 = 10;
const CHARGE: u8 = 13;
const MODE: u8 = 30;

/// The working mode while the battery runs the computer. In 1 it is charged, in 2 it is full.
const BY_BATTERY: i64 = 3;

/// Bytes before the payload.
const HEAD: usize = 5;

/// Longest payload that is one number.
const NUMBER: usize = 4;

/// Time that it needs for an answer: its maker's code waits 10 ms.
const THINKS: Duration = Duration::from_millis(15);

/// A Sixfab UPS HAT.
#[derive(Debug)]
pub struct Sixfab {
    address: u8,
}

impl Sixfab {
    /// One at this address.
    pub fn new(address: u8) -> Sixfab {
        Sixfab { address }
    }

    /// Asks for a number.
    fn ask(&self, bus: &mut dyn Bus, command: u8) -> Result<i64, Trouble> {
        bus.write(self.address, DOOR, &request(command))?;
        bus.wait(THINKS);
        let mut frame = [0; HEAD + NUMBER + 2];
        let (head, rest) = frame.split_at_mut(HEAD);
        self.receive(bus, head)?;
        let length = length(head, command).ok_or(Trouble::Implausible)?;
        let rest = rest.get_mut(..length + 2).ok_or(Trouble::Implausible)?;
        self.receive(bus, rest)?;
        open(&frame[..HEAD + length + 2], command).ok_or(Trouble::Implausible)
    }

    fn receive(&self, bus: &mut dyn Bus, into: &mut [u8]) -> Result<(), Trouble> {
        for byte in into {
            bus.receive(self.address, std::slice::from_mut(byte))?;
        }
        Ok(())
    }
}

/// The request for what a command tells.
pub fn request(command: u8) -> [u8; HEAD + 2] {
    let [high, low] = checksum(&[REQUEST, command, ASKS, 0, 0]).to_be_bytes();
    [REQUEST, command, ASKS, 0, 0, high, low]
}

/// How long the payload is, by the head of an answer to this command.
fn length(head: &[u8], command: u8) -> Option<usize> {
    let &[ANSWER, of, _, high, low] = head else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    (of == command && (1..=NUMBER).contains(&length)).then_some(length)
}

/// The number in an answer to this command, if its checksum is right.
pub fn open(frame: &[u8], command: u8) -> Option<i64> {
    let length = length(frame.get(..HEAD)?, command)?;
    let (bytes, sum) = frame.split_at_checked(HEAD + length)?;
    if sum != checksum(bytes).to_be_bytes() {
        return None;
    }
    let payload = bytes.get(HEAD..)?;
    let unsigned = payload
        .iter()
        .fold(0i64, |number, byte| number << 8 | i64::from(*byte));
    // Four bytes are a number with a sign.
    Some(match length {
        NUMBER => i64::from(u32::try_from(unsigned).ok()?.cast_signed()),
        _ => unsigned,
    })
}

/// CRC-16/XMODEM.
pub fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| match sum & 0x8000 {
            0 => sum << 1,
            _ => sum << 1 ^ 0x1021,
        })
    })
}

impl Chip for Sixfab {
    fn poll(&mut self, bus: &mut dyn Bus) -> Result<Sample, Trouble> {
        let voltage = millivolts(self.ask(bus, VOLTAGE)?)?;
        let charge = percent(self.ask(bus, CHARGE)?)?;
        Ok(Sample {
            voltage: Some(voltage),
            charge: Some(charge),
            current: None,
        })
    }

    fn mains(&mut self, bus: &mut dyn Bus) -> Result<Mains, Trouble> {
        let present = match self.ask(bus, MODE)? {
            1 | 2 => true,
            BY_BATTERY => false,
            _ => return Err(Trouble::Implausible),
        };
        // A bus that is stuck has no checksum that is right.
        let empty = false;
        Ok(Mains { present, empty })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Errno;
    use crate::units::{Millivolts, Permille};
    use proptest::prelude::*;

    /// Answers the request that was written last, byte by byte.
    struct Board {
        mode: u8,
        answer: Vec<u8>,
        waited: bool,
    }

    fn answer(command: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [ANSWER, command, 2, length[0], length[1]];
        let bytes = [&head, payload].concat();
        let sum = checksum(&bytes).to_be_bytes();
        [&bytes[..], &sum].concat()
    }

    impl Bus for Board {
        fn read(&mut self, _: u8, _: u8, _: &mut [u8]) -> Result<(), Errno> {
            panic!("it has no registers");
        }

        fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
            assert_eq!((address, register), (0x41, DOOR));
            assert_eq!(bytes, request(bytes[1]));
            self.waited = false;
            self.answer = match bytes[1] {
                VOLTAGE => answer(VOLTAGE, &4_012i32.to_be_bytes()),
                CHARGE => answer(CHARGE, &87i32.to_be_bytes()),
                MODE => answer(MODE, &[self.mode]),
                _ => vec![],
            };
            self.answer.reverse();
            Ok(())
        }

        fn receive(&mut self, address: u8, into: &mut [u8]) -> Result<(), Errno> {
            assert!(address == 0x41 && self.waited && into.len() == 1);
            into[0] = self.answer.pop().ok_or(Errno(121))?;
            Ok(())
        }

        fn wait(&mut self, _: Duration) {
            self.waited = true;
        }
    }

    fn board(mode: u8) -> Board {
        Board {
            mode,
            answer: vec![],
            waited: false,
        }
    }

    /// The checksum of the catalogue's own example, and a request byte by byte.
    #[test]
    fn checksums() {
        assert_eq!(checksum(b"123456789"), 0x31C3);
        assert_eq!(request(10)[..HEAD], [0xCD, 10, 1, 0, 0]);
        let whole = request(10);
        assert_eq!(checksum(&whole), 0, "over all of it, it is nothing");
    }

    /// Voltage and charge are read, and mains by the mode in which it works.
    #[test]
    fn a_board_is_read() {
        let mut chip = Sixfab::new(0x41);
        let sample = Sample {
            voltage: Some(Millivolts(4_012)),
            charge: Some(Permille(870)),
            current: None,
        };
        assert_eq!(chip.poll(&mut board(1)), Ok(sample));
        for (mode, present) in [
            (1, Some(true)),
            (2, Some(true)),
            (3, Some(false)),
            (0, None),
        ] {
            let mains = chip.mains(&mut board(mode)).ok();
            assert_eq!(mains.map(|mains| mains.present), present, "{mode}");
        }
    }

    /// Answers to something else, answers that are cut short, and those of a stuck bus are none.
    #[test]
    fn wrong_answers_are_none() {
        let good = answer(VOLTAGE, &(-5i32).to_be_bytes());
        assert_eq!(open(&good, VOLTAGE), Some(-5));
        assert_eq!(open(&good, CHARGE), None);
        assert_eq!(open(&good[..good.len() - 1], VOLTAGE), None);
        assert_eq!(open(&[0x00; 11], VOLTAGE), None);
        assert_eq!(open(&[0xFF; 11], VOLTAGE), None);
        for at in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            // The kind of the answer is not looked at, but it is in the checksum.
            assert_eq!(open(&bad, VOLTAGE), None, "bit {at}");
        }
    }

    proptest! {
        /// Whatever comes: no panic, and what is opened is small enough to be a number of four bytes.
        #[test]
        fn any_bytes(frame in proptest::collection::vec(any::<u8>(), 0..16), command: u8) {
            if let Some(number) = open(&frame, command) {
                prop_assert!(i32::try_from(number).is_ok());
            }
        }

        /// Every number survives its way.
        #[test]
        fn numbers_survive(number: i32, command: u8) {
            let frame = answer(command, &number.to_be_bytes());
            prop_assert_eq!(open(&frame, command), Some(i64::from(number)));
        }
    }
}
