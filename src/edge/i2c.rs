//! One I2C bus of the kernel, as the chips see it.
//!
//! Plain transfers where the adapter takes them, one combined transfer for each reading; SMBus calls
//! where it refuses them (EOPNOTSUPP), as `i2c-stub` and some multiplexers do. The device is opened
//! when it is first needed and again after any error, because adapters come and go.
//!
//! Never asks whether a kernel driver owns a chip, and the library never says so (it would talk
//! underneath it): look with [`BoundChips`](super::bound_chips::BoundChips) first. Leaves the
//! adapter's time-out as it is: it is shared with the kernel's own drivers.

use super::hardware::Hardware;
use crate::chip::Bus;
use crate::core::fact::Errno;
use rppal::i2c::{Error, I2c};
use std::time::Duration;

/// A bus.
#[derive(Debug)]
pub struct KernelBus {
    number: u8,
    open: Option<Opened>,
}

#[derive(Debug)]
struct Opened {
    bus: I2c,
    /// It has not refused plain transfers.
    plain: bool,
}

impl KernelBus {
    /// The bus `/dev/i2c-N`. Nothing is opened yet.
    pub fn of(number: u8, _: &Hardware) -> KernelBus {
        KernelBus { number, open: None }
    }

    /// Does something with a chip on the open bus; after an error the bus is closed.
    fn with<T>(
        &mut self,
        address: u8,
        act: impl Fn(&mut Opened) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let result = self.try_with(address, act);
        if result.is_err() {
            self.open = None;
        }
        result
    }

    fn try_with<T>(
        &mut self,
        address: u8,
        act: impl Fn(&mut Opened) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let opened = match &mut self.open {
            Some(opened) => opened,
            None => {
                let bus = I2c::with_bus(self.number).map_err(|e| errno_of(&e))?;
                self.open.insert(Opened { bus, plain: true })
            }
        };
        let chosen = opened.bus.set_slave_address(u16::from(address));
        chosen.map_err(|e| errno_of(&e))?;
        match act(opened) {
            Err(Errno(libc::EOPNOTSUPP)) if opened.plain => {
                opened.plain = false;
                act(opened)
            }
            result => result,
        }
    }
}

impl Bus for KernelBus {
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        let length = into.len();
        let bytes = self.with(address, |opened| opened.read(register, length))?;
        into.copy_from_slice(&bytes);
        Ok(())
    }

    fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
        self.with(address, |opened| opened.write(register, bytes))
    }

    fn receive(&mut self, address: u8, into: &mut [u8]) -> Result<(), Errno> {
        let length = into.len();
        let bytes = self.with(address, |opened| opened.receive(length))?;
        into.copy_from_slice(&bytes);
        Ok(())
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}

impl Opened {
    fn read(&self, register: u8, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; length];
        let result = match (self.plain, &mut *bytes) {
            (true, into) => self.bus.write_read(&[register], into),
            (false, [byte]) => self.bus.smbus_read_byte(register).map(|b| *byte = b),
            // SMBus sends the low byte first: these are the bytes in the order of the wire.
            (false, [first, second]) => self
                .bus
                .smbus_read_word(register)
                .map(|word| [*first, *second] = word.to_le_bytes()),
            (false, into) => self.bus.block_read(register, into),
        };
        result.map_err(|e| errno_of(&e))?;
        Ok(bytes)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; length];
        let result = match (self.plain, &mut *bytes) {
            (false, [byte]) => self.bus.smbus_receive_byte().map(|b| *byte = b),
            (_, into) => self.bus.read(into).and_then(|read| match read == length {
                true => Ok(()),
                false => Err(Error::Io(std::io::ErrorKind::UnexpectedEof.into())),
            }),
        };
        result.map_err(|e| errno_of(&e))?;
        Ok(bytes)
    }

    fn write(&mut self, register: u8, bytes: &[u8]) -> Result<(), Errno> {
        let result = match (self.plain, bytes) {
            (true, _) => {
                let message = [&[register], bytes].concat();
                let taken = self.bus.write(&message);
                taken.and_then(|length| match length == message.len() {
                    true => Ok(()),
                    false => Err(Error::Io(std::io::ErrorKind::WriteZero.into())),
                })
            }
            (false, [byte]) => self.bus.smbus_write_byte(register, *byte),
            (false, [first, second]) => {
                let word = u16::from_le_bytes([*first, *second]);
                self.bus.smbus_write_word(register, word)
            }
            (false, _) => self.bus.block_write(register, bytes),
        };
        result.map_err(|e| errno_of(&e))
    }
}

/// The error number of a failed call; EIO for an error that the kernel did not make.
fn errno_of(error: &Error) -> Errno {
    Errno(match error {
        Error::Io(error) => error.raw_os_error().unwrap_or(libc::EIO),
        Error::InvalidSlaveAddress(_) => libc::EINVAL,
        Error::FeatureNotSupported => libc::EOPNOTSUPP,
        Error::UnknownModel => libc::EIO,
    })
}
