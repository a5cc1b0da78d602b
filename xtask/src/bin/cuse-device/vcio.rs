//! The driver of `/dev/vcio`, the Raspberry Pi's mailbox to its firmware, as far as the throttle
//! flags go.
//!
//! A program passes a buffer of 32-bit words: its length in bytes, a code, then properties, each
//! with a tag, the room for its value in bytes, a length with the top bit set in an answer, and
//! the value; a zero ends them. Tags other than GET_THROTTLED are left unanswered.

use nix::errno::Errno;

use super::driver::{self, Driver};
use super::wire::{Answer, Ioctl, number32};

/// `_IOWR(100, 0, char *)` of 64-bit and of 32-bit programs.
const PROPERTY: [u32; 2] = [0xc008_6400, 0xc004_6400];

/// Codes of an answer: understood, not understood.
const SUCCESS: u32 = 0x8000_0000;
const REFUSED: u32 = 0x8000_0001;

/// In a property's length: this is an answer.
const ANSWERED: u32 = 0x8000_0000;

/// The tag of the throttle flags.
const GET_THROTTLED: u32 = 0x0003_0046;

/// The half of the flags that says what has occurred; the request's mask clears these.
const OCCURRED: u32 = 16;

/// Largest buffer taken: far more than a property needs, less than a request may carry.
const LARGEST: u32 = 4096;

/// The mailbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    throttled: u32,
    refusing: bool,
}

impl Mailbox {
    /// With these throttle flags.
    pub fn new(arguments: &[String]) -> Result<Self, String> {
        let throttled = match arguments {
            [] => 0,
            [flags] => driver::number(flags)?,
            _ => return Err("vcio takes one argument, the throttle flags".to_owned()),
        };
        Ok(Mailbox {
            throttled,
            refusing: false,
        })
    }

    /// Fills the answers into a buffer of properties.
    fn answer(&mut self, buffer: &mut [u8]) {
        let code = if self.refusing { REFUSED } else { SUCCESS };
        set(buffer, 4, code);
        let mut at = 8;
        while !self.refusing && at + 12 <= buffer.len() && number32(buffer, at) != 0 {
            let room = number32(buffer, at + 4) as usize;
            let fits = room >= 4 && at + 12 + room <= buffer.len();
            if number32(buffer, at) == GET_THROTTLED && fits {
                let cleared = number32(buffer, at + 12);
                set(buffer, at + 8, ANSWERED | 4);
                set(buffer, at + 12, self.throttled);
                self.throttled &= !(cleared << OCCURRED);
            }
            at = at.saturating_add(12 + room.next_multiple_of(4));
        }
    }
}

fn set(buffer: &mut [u8], at: usize, value: u32) {
    buffer[at..at + 4].copy_from_slice(&value.to_ne_bytes());
}

impl Driver for Mailbox {
    fn open(&mut self) -> Result<u64, Errno> {
        Ok(0)
    }

    fn release(&mut self, _handle: u64) {}

    fn read(&mut self, _handle: u64, _size: usize) -> Answer {
        Answer::Failed(Errno::EINVAL)
    }

    fn write(&mut self, _handle: u64, _data: &[u8]) -> Answer {
        Answer::Failed(Errno::EINVAL)
    }

    fn ioctl(&mut self, call: &Ioctl) -> Answer {
        if !PROPERTY.contains(&call.command) {
            return Answer::Failed(Errno::ENOTTY);
        }
        if let Some(lack) = call.lacks(&[call.area(4)], &[]) {
            return lack;
        }
        let length = number32(&call.input, 0);
        if !(12..=LARGEST).contains(&length) || !length.is_multiple_of(4) {
            return Answer::Failed(Errno::EINVAL);
        }
        let whole = call.area(u64::from(length));
        if let Some(lack) = call.lacks(&[whole], &[whole]) {
            return lack;
        }
        let mut buffer = call.input.clone();
        self.answer(&mut buffer);
        Answer::Result(0, buffer)
    }

    fn order(&mut self, words: &[&str]) -> Result<String, String> {
        match words {
            ["throttled"] => return Ok(format!("{:#x}", self.throttled)),
            ["throttled", flags] => self.throttled = driver::number(flags)?,
            ["refuse"] => self.refusing = true,
            ["accept"] => self.refusing = false,
            _ => return Err("orders: throttled [FLAGS], refuse, accept".to_owned()),
        }
        Ok(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(mailbox: &mut Mailbox, mask: u32) -> Vec<u32> {
        let words = [28, 0, GET_THROTTLED, 4, 0, mask, 0];
        let mut buffer: Vec<u8> = words
            .iter()
            .flat_map(|word: &u32| word.to_ne_bytes())
            .collect();
        mailbox.answer(&mut buffer);
        (0..7).map(|word| number32(&buffer, word * 4)).collect()
    }

    /// The flags are told; those that have occurred are cleared by the mask, and only by it.
    #[test]
    fn flags_are_told_and_cleared() {
        let mut mailbox = Mailbox::new(&["0x50005".to_owned()]).unwrap();
        let told = vec![28, SUCCESS, GET_THROTTLED, 4, ANSWERED | 4, 0x50005, 0];
        assert_eq!(ask(&mut mailbox, 0), told);
        assert_eq!(ask(&mut mailbox, 0x1), told);
        assert_eq!(ask(&mut mailbox, 0)[5], 0x40005);
        mailbox.order(&["refuse"]).unwrap();
        assert_eq!(ask(&mut mailbox, 0)[1], REFUSED);
    }

    /// Buffers with lying lengths are answered without a fall.
    #[test]
    fn lying_lengths_do_no_harm() {
        let mut mailbox = Mailbox::default();
        for room in [0, 1, 4, 100, u32::MAX] {
            let words = [16, 0, GET_THROTTLED, room];
            let bytes = words.iter().flat_map(|word: &u32| word.to_ne_bytes());
            mailbox.answer(&mut bytes.collect::<Vec<u8>>());
            let words = [24, 0, 1, room, 0, 0];
            let bytes = words.iter().flat_map(|word: &u32| word.to_ne_bytes());
            mailbox.answer(&mut bytes.collect::<Vec<u8>>());
        }
    }
}
