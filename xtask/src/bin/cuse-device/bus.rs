//! An I2C bus with chips that are nothing but registers, and the faults of a real bus.
//!
//! Terms: a *transfer* is what lies between a start and a stop condition, repeated starts
//! included; a fault concerns whole transfers. Nothing here knows ioctls or the kernel.

use std::collections::BTreeMap;

use nix::errno::Errno;

/// Registers of a chip: what one byte can address.
const REGISTERS: usize = 256;

/// One message of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Address of the chip, 7 bits.
    pub address: u16,
    /// What goes over the bus.
    pub content: Content,
}

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// To the chip: the first byte selects a register, the others are stored there.
    Write(Vec<u8>),
    /// From the chip, so many bytes.
    Read(usize),
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well; the bytes of all reads.
    Done(Vec<u8>),
    /// With this error.
    Failed(Errno),
    /// Not yet: the bus is stuck.
    Stuck,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody acknowledges: EREMOTEIO, as the Pi's controller says it.
    Nak,
    /// Nobody acknowledges: ENXIO, as other controllers say it.
    Absent,
    /// The controller gives up: ETIMEDOUT.
    TimedOut,
    /// No end of the transfer until the fault is healed.
    Stuck,
    /// Bytes arrive with wrong bits.
    Garbled,
}

impl Fault {
    /// Its name in orders.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "nak" => Ok(Fault::Nak),
            "absent" => Ok(Fault::Absent),
            "timed-out" => Ok(Fault::TimedOut),
            "stuck" => Ok(Fault::Stuck),
            "garbled" => Ok(Fault::Garbled),
            _ => Err(format!(
                "{word}: a fault is nak, absent, timed-out, stuck or garbled"
            )),
        }
    }
}

/// A fault in force.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    fault: Fault,
    /// The chip concerned; all of the bus if none.
    address: Option<u16>,
    /// Transfers it still hits; without a number it stays until healed.
    left: Option<u32>,
}

/// How a chip counts its registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// A byte each; reading and writing go on with the next one (MAX17040, DS3231).
    Bytes,
    /// Two bytes each, high one first; reading and writing stay at one (INA219).
    Words,
}

#[derive(Debug, Clone)]
struct Chip {
    width: Width,
    bytes: Vec<u8>,
    selected: u8,
    /// Place inside a register of two bytes.
    half: usize,
    transfers: u64,
}

impl Chip {
    fn select(&mut self, register: u8) {
        (self.selected, self.half) = (register, 0);
    }

    /// The next byte over the bus, in either direction.
    fn next(&mut self) -> &mut u8 {
        let register = usize::from(self.selected);
        let place = match self.width {
            Width::Bytes => {
                self.selected = self.selected.wrapping_add(1);
                register
            }
            Width::Words => {
                self.half ^= 1;
                register * 2 + (self.half ^ 1)
            }
        };
        &mut self.bytes[place]
    }
}

/// The bus.
#[derive(Debug, Default)]
pub struct Bus {
    chips: BTreeMap<u16, Chip>,
    troubles: Vec<Trouble>,
    noise: u8,
    /// Whose writes are told.
    watched: Option<u16>,
    news: Vec<String>,
}

impl Bus {
    /// Puts a chip on the bus, all registers zero.
    pub fn add(&mut self, address: u16, width: Width) {
        let size = match width {
            Width::Bytes => REGISTERS,
            Width::Words => 2 * REGISTERS,
        };
        let bytes = vec![0; size];
        self.chips.insert(
            address,
            Chip {
                width,
                bytes,
                selected: 0,
                half: 0,
                transfers: 0,
            },
        );
    }

    /// Sets registers from one on, as the chip itself would: no transfer, no fault.
    pub fn set(&mut self, address: u16, register: u8, bytes: &[u8]) -> Result<(), String> {
        let chip = self.chip(address)?;
        let kept = (chip.selected, chip.half);
        for (offset, value) in bytes.iter().enumerate() {
            if offset % 2 == 0 || chip.width == Width::Bytes {
                let step = if chip.width == Width::Words {
                    offset / 2
                } else {
                    offset
                };
                chip.select(register.wrapping_add(step as u8));
            }
            *chip.next() = *value;
        }
        (chip.selected, chip.half) = kept;
        Ok(())
    }

    /// Bytes of registers from one on, as [`Bus::set`] counts them.
    pub fn get(&mut self, address: u16, register: u8, length: usize) -> Result<Vec<u8>, String> {
        let chip = self.chip(address)?;
        let unit = if chip.width == Width::Words { 2 } else { 1 };
        let start = usize::from(register) * unit;
        let found = chip.bytes.get(start..start + length);
        Ok(found.ok_or("beyond the last register")?.to_vec())
    }

    /// Transfers that reached this chip so far, failed ones not counted.
    pub fn transfers(&mut self, address: u16) -> Result<u64, String> {
        Ok(self.chip(address)?.transfers)
    }

    /// From now on there is a fault.
    pub fn break_down(&mut self, fault: Fault, address: Option<u16>, left: Option<u32>) {
        self.troubles.push(Trouble {
            fault,
            address,
            left,
        });
    }

    /// All faults are over.
    pub fn heal(&mut self) {
        self.troubles.clear();
    }

    /// From now on each write to the registers of this chip is told.
    pub fn watch(&mut self, address: u16) {
        self.watched = Some(address);
    }

    /// What has been written to the chip that is watched since this was asked last:
    /// `chip 0x2d: 01 55 taken`, or `refused`.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Carries a transfer out.
    pub fn transfer(&mut self, messages: &[Message]) -> Outcome {
        let outcome = self.carry_out(messages);
        let end = match outcome {
            Outcome::Done(_) => "taken",
            Outcome::Failed(_) => "refused",
            Outcome::Stuck => return outcome,
        };
        for Message { address, content } in messages {
            if let Content::Write(bytes) = content
                && bytes.len() > 1
                && self.watched == Some(*address)
            {
                let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let news = format!("chip {address:#x}: {} {end}", bytes.join(" "));
                self.news.push(news);
            }
        }
        outcome
    }

    fn carry_out(&mut self, messages: &[Message]) -> Outcome {
        let fault = self.meet_fault(messages);
        match fault {
            Some(Fault::Nak) => return Outcome::Failed(Errno::EREMOTEIO),
            Some(Fault::Absent) => return Outcome::Failed(Errno::ENXIO),
            Some(Fault::TimedOut) => return Outcome::Failed(Errno::ETIMEDOUT),
            Some(Fault::Stuck) => return Outcome::Stuck,
            Some(Fault::Garbled) | None => {}
        }
        let mut read = Vec::new();
        for Message { address, content } in messages {
            let Some(chip) = self.chips.get_mut(address) else {
                return Outcome::Failed(Errno::EREMOTEIO);
            };
            chip.transfers += 1;
            match content {
                Content::Write(bytes) => {
                    let mut bytes = bytes.iter();
                    if let Some(register) = bytes.next() {
                        chip.select(*register);
                    }
                    bytes.for_each(|byte| *chip.next() = *byte);
                }
                Content::Read(length) => {
                    chip.half = 0;
                    read.extend((0..*length).map(|_| *chip.next()));
                }
            }
        }
        if fault == Some(Fault::Garbled) {
            self.garble(&mut read);
        }
        Outcome::Done(read)
    }

    fn chip(&mut self, address: u16) -> Result<&mut Chip, String> {
        let missing = || format!("no chip at {address:#x}");
        self.chips.get_mut(&address).ok_or_else(missing)
    }

    /// The first fault that concerns this transfer, counted down.
    fn meet_fault(&mut self, messages: &[Message]) -> Option<Fault> {
        let concerns = |trouble: &Trouble| {
            trouble
                .address
                .is_none_or(|it| messages.iter().any(|message| message.address == it))
        };
        let at = self.troubles.iter().position(concerns)?;
        let trouble = &mut self.troubles[at];
        let fault = trouble.fault;
        if let Some(left) = &mut trouble.left {
            *left -= 1;
            if *left == 0 {
                self.troubles.remove(at);
            }
        }
        Some(fault)
    }

    /// Changes each byte, differently each time, the same in each run.
    fn garble(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.noise = self.noise.wrapping_mul(5).wrapping_add(113);
            *byte ^= self.noise | 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: u16, register: u8, length: usize) -> [Message; 2] {
        let select = Content::Write(vec![register]);
        let read = Content::Read(length);
        [select, read].map(|content| Message { address, content })
    }

    fn bus() -> Bus {
        let mut bus = Bus::default();
        bus.add(0x36, Width::Bytes);
        bus.add(0x40, Width::Words);
        bus.set(0x36, 2, &[0xc5, 0x80, 0x4b]).unwrap();
        bus.set(0x40, 2, &[0x1f, 0x42, 0x01, 0x23]).unwrap();
        bus
    }

    /// Byte chips go on to the next register, word chips stay at theirs.
    #[test]
    fn chips_count_registers_their_own_way() {
        let mut bus = bus();
        assert_eq!(
            bus.transfer(&read(0x36, 2, 3)),
            Outcome::Done(vec![0xc5, 0x80, 0x4b])
        );
        assert_eq!(
            bus.transfer(&read(0x40, 2, 2)),
            Outcome::Done(vec![0x1f, 0x42])
        );
        assert_eq!(
            bus.transfer(&read(0x40, 3, 4)),
            Outcome::Done(vec![1, 0x23, 1, 0x23])
        );
        assert_eq!(
            bus.transfer(&read(0x50, 0, 1)),
            Outcome::Failed(Errno::EREMOTEIO)
        );
        assert_eq!(bus.get(0x40, 3, 2), Ok(vec![0x01, 0x23]));
    }

    /// A burst hits as many transfers as it has; others are not concerned.
    #[test]
    fn faults_hit_what_they_concern() {
        let mut bus = bus();
        bus.break_down(Fault::Nak, Some(0x36), Some(2));
        assert!(matches!(bus.transfer(&read(0x40, 2, 2)), Outcome::Done(_)));
        for _ in 0..2 {
            assert_eq!(
                bus.transfer(&read(0x36, 2, 1)),
                Outcome::Failed(Errno::EREMOTEIO)
            );
        }
        assert_eq!(bus.transfer(&read(0x36, 2, 1)), Outcome::Done(vec![0xc5]));
        bus.break_down(Fault::Garbled, None, None);
        assert_ne!(bus.transfer(&read(0x36, 2, 1)), Outcome::Done(vec![0xc5]));
        bus.heal();
        assert_eq!(bus.transfer(&read(0x36, 2, 1)), Outcome::Done(vec![0xc5]));
        bus.break_down(Fault::Stuck, None, None);
        assert_eq!(bus.transfer(&read(0x36, 2, 1)), Outcome::Stuck);
    }

    /// Each write to a register of the chip that is watched is told with its end; what is stuck is told
    /// when it ends; what only selects a register, and other chips, are not.
    #[test]
    fn writes_to_a_watched_chip_are_told() {
        let mut bus = Bus::default();
        bus.add(0x2d, Width::Bytes);
        bus.add(0x36, Width::Bytes);
        let write = |address, bytes: &[u8]| {
            let content = Content::Write(bytes.to_vec());
            [Message { address, content }]
        };
        bus.transfer(&write(0x2d, &[1, 0x55]));
        assert_eq!(bus.news(), Vec::<String>::new());
        bus.watch(0x2d);
        bus.transfer(&write(0x2d, &[1, 0x55]));
        bus.transfer(&write(0x36, &[1, 0x55]));
        bus.transfer(&read(0x2d, 1, 1));
        bus.break_down(Fault::Nak, Some(0x2d), Some(1));
        bus.transfer(&write(0x2d, &[1, 0]));
        bus.break_down(Fault::Stuck, None, None);
        bus.transfer(&write(0x2d, &[1, 2]));
        let told = ["chip 0x2d: 01 55 taken", "chip 0x2d: 01 00 refused"];
        assert_eq!(bus.news(), told);
        bus.heal();
        bus.transfer(&write(0x2d, &[1, 2]));
        assert_eq!(bus.news(), ["chip 0x2d: 01 02 taken"]);
    }
}
