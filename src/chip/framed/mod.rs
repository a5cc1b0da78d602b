//! Boards whose controllers answer in frames of their own: bytes in, a reading out.
//!
//! Each protocol is a module of its own, with a function that makes a request, one that opens an answer
//! and believes it only if its form and its checksum are right, and a chip around both.
//!
//! Never writes anything that changes what the board does: requests only.

pub mod pijuice;
pub mod pironman_u1;
pub mod sixfab;

use super::{Chip, Trouble};
use crate::units::{Millivolts, Permille};

/// The protocols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// A PiJuice.
    PiJuice,
    /// A Sixfab UPS HAT.
    Sixfab,
    /// A Pironman U1.
    PironmanU1,
}

impl Protocol {
    /// All of them, with the words for them in a board file.
    pub const ALL: [(&'static str, Protocol); 3] = [
        ("framed:pijuice", Protocol::PiJuice),
        ("framed:sixfab", Protocol::Sixfab),
        ("framed:pironman-u1", Protocol::PironmanU1),
    ];

    /// The chip that speaks it, at this address.
    pub fn chip(self, address: u8) -> Box<dyn Chip + Send> {
        match self {
            Protocol::PiJuice => Box::new(pijuice::PiJuice::new(address)),
            Protocol::Sixfab => Box::new(sixfab::Sixfab::new(address)),
            Protocol::PironmanU1 => Box::new(pironman_u1::PironmanU1::new(address)),
        }
    }
}

/// A voltage in millivolts, if it is one.
fn millivolts(number: i64) -> Result<Millivolts, Trouble> {
    let number = u32::try_from(number).map_err(|_| Trouble::Implausible)?;
    Ok(Millivolts(number))
}

/// A share in percent, if it is one. What is beyond all of it is not.
fn percent(number: i64) -> Result<Permille, Trouble> {
    match u16::try_from(number) {
        Ok(percent @ 0..=100) => Ok(Permille(percent * 10)),
        Ok(_) | Err(_) => Err(Trouble::Implausible),
    }
}
