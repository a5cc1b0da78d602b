//! Controllers that answer in frames of their own, by the protocols of their makers.

use super::Ails;
use fieldwarden::chip::framed::{Protocol, pijuice, sixfab};
use fieldwarden::core::fact::Errno;

/// What happens on the wire.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    /// So many bytes are read from a register on.
    Read(u8),
    /// These bytes are written.
    Write(u8, &'a [u8]),
    /// Bytes are read without a register.
    Receive,
}

/// The controller.
pub struct Framed {
    protocol: Protocol,
    voltage: i64,
    share: i64,
    /// Whether mains are there; `None` if it does not answer that.
    pub mains: Option<bool>,
    /// What it says next, the last byte first.
    answer: Vec<u8>,
}

impl Framed {
    pub fn new(protocol: Protocol) -> Framed {
        Framed {
            protocol,
            voltage: 0,
            share: 0,
            mains: None,
            answer: vec![],
        }
    }

    /// What it measures; says whether what it ails makes a difference.
    pub fn feel(&mut self, voltage: i64, share: i64, ails: Option<Ails>) -> bool {
        let told = match ails {
            Some(Ails::ChargeEmpty) => 0,
            Some(Ails::ChargeFull) => 1_000,
            Some(_) | None => share,
        };
        (self.voltage, self.share) = (voltage, told);
        told != share
    }

    /// What it does.
    pub fn ask(&mut self, ask: Ask<'_>, into: &mut [u8]) -> Result<(), Errno> {
        let nobody = Err(Errno(121));
        let told = match (self.protocol, ask) {
            (Protocol::PiJuice, Ask::Read(command)) => self.block(command),
            (Protocol::Sixfab, Ask::Write(1, request)) => {
                self.answer = self.frame(request).unwrap_or_default();
                return Ok(());
            }
            (Protocol::PironmanU1, Ask::Write(1, [register])) => {
                self.answer = self.registers(*register).unwrap_or_default();
                return Ok(());
            }
            (Protocol::Sixfab | Protocol::PironmanU1, Ask::Receive) => {
                for byte in into {
                    let Some(next) = self.answer.pop() else {
                        return nobody;
                    };
                    *byte = next;
                }
                return Ok(());
            }
            _ => None,
        };
        match told {
            Some(bytes) if bytes.len() == into.len() => {
                into.copy_from_slice(&bytes);
                Ok(())
            }
            Some(_) | None => nobody,
        }
    }

    fn percent(&self) -> u8 {
        u8::try_from((self.share + 5) / 10).unwrap_or(0)
    }

    fn millivolts(&self) -> u16 {
        u16::try_from(self.voltage).unwrap_or(0)
    }

    fn block(&self, command: u8) -> Option<Vec<u8>> {
        let bytes = match command {
            0x40 => vec![if self.mains? { 0x30 } else { 0x00 }],
            0x41 => vec![self.percent()],
            0x49 => self.millivolts().to_le_bytes().to_vec(),
            _ => return None,
        };
        let sum = pijuice::checksum(&bytes);
        Some([bytes, vec![sum]].concat())
    }

    fn frame(&self, request: &[u8]) -> Option<Vec<u8>> {
        let command = *request.get(1)?;
        if *request != sixfab::request(command) {
            return None;
        }
        let payload = match command {
            10 => u32::from(self.millivolts()).to_be_bytes().to_vec(),
            13 => u32::from(self.percent()).to_be_bytes().to_vec(),
            30 => vec![if self.mains? { 1 } else { 3 }],
            _ => return None,
        };
        let length = u16::try_from(payload.len()).ok()?.to_be_bytes();
        let head = [0xDC, command, 2, length[0], length[1]];
        let bytes = [&head[..], &payload].concat();
        let sum = sixfab::checksum(&bytes).to_be_bytes();
        Some([bytes, sum.to_vec()].concat().into_iter().rev().collect())
    }

    fn registers(&self, register: u8) -> Option<Vec<u8>> {
        let bytes = match register {
            8 => self.millivolts().to_le_bytes().to_vec(),
            12 => vec![self.percent()],
            16 => vec![u8::from(self.mains?)],
            _ => return None,
        };
        Some(bytes.into_iter().rev().collect())
    }
}
