//! Writes a byte into a register of a chip, and tries again if the chip does not answer.
//!
//! ```text
//! opened ──► what comes first ──► bits that stay are read ──► written ──► closed, whatever came of it
//! ```
//!
//! Never talks to a chip that belongs to a driver of the kernel.

use super::bound_chips::BoundChips;
use crate::chip::Bus;
use crate::config::board::Steps;
use crate::core::fact::{Errno, Fault};
use std::time::Duration;

/// Times that it is tried: a chip that is busy does not answer for a moment.
const TRIES: usize = 3;

/// Time between two of them.
const PAUSE: Duration = Duration::from_millis(100);

/// What is written, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Write {
    /// Number of the bus.
    pub bus: u8,
    /// Address of the chip.
    pub address: u8,
    /// The register.
    pub register: u8,
    /// The byte.
    pub value: u8,
    /// What is done beside it.
    pub steps: Steps,
}

/// A bus that is written to.
pub struct Writer {
    bus: Box<dyn Bus + Send>,
    bound: BoundChips,
    pause: fn(Duration),
}

impl Writer {
    /// By this bus.
    pub fn of(bus: Box<dyn Bus + Send>, bound: BoundChips) -> Writer {
        Writer {
            bus,
            bound,
            pause: std::thread::sleep,
        }
    }

    /// The same with another way to wait between tries, for tests.
    #[must_use]
    pub fn pausing(self, pause: fn(Duration)) -> Writer {
        Writer { pause, ..self }
    }

    /// Writes.
    ///
    /// # Errors
    /// Who has the chip, or what the kernel said to the last try.
    pub fn write(&mut self, write: Write) -> Result<(), Fault> {
        let by = self.bound.driver(write.bus, write.address);
        if by.is_some() {
            return Err(Fault::Taken { by });
        }
        let mut last = Errno(libc::EIO);
        for attempt in 0..TRIES {
            if attempt > 0 {
                (self.pause)(PAUSE);
            }
            match self.attempt(write) {
                Ok(()) => return Ok(()),
                Err(why) => last = why,
            }
        }
        Err(Fault::Errno(last))
    }

    fn attempt(&mut self, write: Write) -> Result<(), Errno> {
        let address = write.address;
        let Some(unlock) = write.steps.unlock else {
            return self.inside(write);
        };
        self.bus.write(address, unlock.register, &[unlock.open])?;
        let outcome = self.inside(write);
        // What was written holds, whether or not the chip is closed again.
        let _ = self.bus.write(address, unlock.register, &[unlock.close]);
        outcome
    }

    /// What is done while the chip is open.
    fn inside(&mut self, write: Write) -> Result<(), Errno> {
        let Write {
            address,
            register,
            steps,
            ..
        } = write;
        if let Some((first, value)) = steps.first {
            self.bus.write(address, first, &[value])?;
        }
        let mut held = [0];
        if steps.keep != 0 {
            self.bus.read(address, register, &mut held)?;
        }
        let value = held[0] & steps.keep | write.value & !steps.keep;
        match steps.checked {
            true => self.bus.write(address, register, &[value, value ^ 0xFF]),
            false => self.bus.write(address, register, &[value]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::board::Unlock;
    use std::sync::{Arc, Mutex};

    /// What a chip took: its address, the register, the bytes.
    type Taken = Arc<Mutex<Vec<(u8, u8, Vec<u8>)>>>;

    /// A chip that does not answer for so many times, and what it took.
    struct Busy(usize, Taken);

    impl Bus for Busy {
        fn read(&mut self, _: u8, _: u8, _: &mut [u8]) -> Result<(), Errno> {
            panic!("it is written to only");
        }

        fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
            if self.0 > 0 {
                self.0 -= 1;
                return Err(Errno(libc::EREMOTEIO));
            }
            let mut taken = self.1.lock().unwrap();
            taken.push((address, register, bytes.to_vec()));
            Ok(())
        }
    }

    const WRITE: Write = Write {
        bus: 1,
        address: 0x2d,
        register: 0x01,
        value: 0x55,
        steps: Steps {
            keep: 0,
            unlock: None,
            first: None,
            checked: false,
        },
    };

    /// It is tried three times, written once, and the last cause is told.
    #[test]
    fn tried_three_times() {
        for (busy, wanted) in [
            (0, Ok(())),
            (2, Ok(())),
            (3, Err(Fault::Errno(Errno(libc::EREMOTEIO)))),
        ] {
            let taken = Taken::default();
            let root = tempfile::tempdir().unwrap();
            let bus = Box::new(Busy(busy, Arc::clone(&taken)));
            let mut writer = Writer::of(bus, BoundChips::new(root.path())).pausing(|_| ());
            assert_eq!(writer.write(WRITE), wanted, "{busy}");
            let wanted = wanted.map_or(vec![], |()| vec![(0x2d, 0x01, vec![0x55])]);
            assert_eq!(*taken.lock().unwrap(), wanted);
        }
    }

    /// A chip that is locked is opened, and closed whatever comes of it; bits that are to stay are
    /// those that it holds.
    #[test]
    fn opened_written_and_closed() {
        struct Locked(Taken, bool);
        impl Bus for Locked {
            fn read(&mut self, _: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
                assert_eq!(register, 0x02);
                into[0] = 0b1110_0100;
                Ok(())
            }
            fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
                let mut taken = self.0.lock().unwrap();
                taken.push((address, register, bytes.to_vec()));
                match register == 0x09 && self.1 {
                    true => Err(Errno(libc::EREMOTEIO)),
                    false => Ok(()),
                }
            }
        }
        let write = Write {
            register: 0x02,
            value: 0,
            steps: Steps {
                keep: 0b1101_1111,
                unlock: Some(Unlock {
                    register: 0x0B,
                    open: 0x29,
                    close: 0,
                }),
                first: Some((0x09, 30)),
                checked: false,
            },
            ..WRITE
        };
        let wanted = [(0x0B, 0x29), (0x09, 30), (0x02, 0b1100_0100), (0x0B, 0)];
        let refused = [(0x0B, 0x29), (0x09, 30), (0x0B, 0)].repeat(3);
        for (fails, wanted) in [(false, wanted.to_vec()), (true, refused)] {
            let taken = Taken::default();
            let root = tempfile::tempdir().unwrap();
            let bus = Box::new(Locked(Arc::clone(&taken), fails));
            let mut writer = Writer::of(bus, BoundChips::new(root.path())).pausing(|_| ());
            assert_eq!(writer.write(write).is_err(), fails);
            let wanted = wanted.into_iter().map(|(r, v)| (0x2d, r, vec![v]));
            assert_eq!(*taken.lock().unwrap(), wanted.collect::<Vec<_>>());
        }
    }

    /// A chip that wants a checksum has it behind the byte.
    #[test]
    fn a_checksum_follows_the_byte() {
        let taken = Taken::default();
        let root = tempfile::tempdir().unwrap();
        let bus = Box::new(Busy(0, Arc::clone(&taken)));
        let mut writer = Writer::of(bus, BoundChips::new(root.path())).pausing(|_| ());
        let steps = Steps {
            checked: true,
            ..WRITE.steps
        };
        assert_eq!(writer.write(Write { steps, ..WRITE }), Ok(()));
        assert_eq!(*taken.lock().unwrap(), [(0x2d, 0x01, vec![0x55, 0xAA])]);
    }

    /// A chip that a driver of the kernel has is not talked to.
    #[test]
    fn a_chip_of_the_kernel_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let chip = root.path().join("sys/bus/i2c/devices/1-002d");
        std::fs::create_dir_all(&chip).unwrap();
        std::os::unix::fs::symlink("/sys/bus/i2c/drivers/mcu", chip.join("driver")).unwrap();
        let taken = Taken::default();
        let bus = Box::new(Busy(0, Arc::clone(&taken)));
        let mut writer = Writer::of(bus, BoundChips::new(root.path())).pausing(|_| ());
        let by = Some("mcu".into());
        assert_eq!(writer.write(WRITE), Err(Fault::Taken { by }));
        assert!(taken.lock().unwrap().is_empty());
    }
}
