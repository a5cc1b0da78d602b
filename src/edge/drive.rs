//! Lines that the computer drives: the one that shows the board that it runs, and the one that makes
//! the board cut the power.
//!
//! On a Pi the pins are driven through their registers (`rppal`), because such a level outlives
//! whoever set it: the daemon may be killed and started again, and the line does not move. The level
//! is chosen before the direction, so it does not move at the start either. Where there are no such
//! registers, the kernel drives the line, and what becomes of it after the process is up to its
//! driver.
//!
//! Never drives a line that no board file names.

use super::hardware::Hardware;
use super::{clock, gpio};
use crate::config::board::{Drive, Line};
use crate::core::fact::{Errno, Fault};
use crate::text::fault_sentence;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use gpiocdev::Request;
use gpiocdev::line::Value;
use rppal::gpio::{Error, Gpio, OutputPin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time until a line that cannot be had is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// A line that is to be driven.
pub struct OutputLine {
    drive: Drive,
}

impl OutputLine {
    /// This line, to this level. Nothing is opened yet.
    pub fn of(drive: &Drive, _: &Hardware) -> OutputLine {
        OutputLine {
            drive: drive.clone(),
        }
    }

    /// Drives it from now on.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn start(&self) -> Result<Driven, Fault> {
        let Drive { line, high } = &self.drive;
        match pin(line, *high) {
            Some(Ok(pin)) => Ok(Driven::Pin(pin)),
            Some(Err(why)) => Err(why),
            None => kernel_line(line, *high).map(Driven::Line),
        }
    }

    /// Holds it at its level for a while, then puts it at the other one.
    ///
    /// # Errors
    /// When it cannot be had, or is lost meanwhile.
    pub fn pulse(&self, hold: Duration) -> Result<(), Fault> {
        let mut line = self.start()?;
        std::thread::sleep(hold);
        line.set(!self.drive.high)
    }

    /// Drives it for as long as the process lives, and on a Pi beyond that. Tries until it can be
    /// had or `quit` is closed, and says in the log when it cannot. Others may move it by `kept`.
    pub fn keep(self, quit: &Receiver<()>, kept: &Kept) {
        let mut told = false;
        loop {
            match self.start() {
                Ok(driven) => {
                    // Let go, it might fall back: the kernel does that when the process ends.
                    kept.hold(driven);
                    return;
                }
                Err(why) if !told => {
                    let (line, why) = (self.drive.line.line, fault_sentence(&why));
                    log::warn!("line {line}, which shows that the computer runs: {why}; trying on");
                    told = true;
                }
                Err(_) => {}
            }
            if quit.recv_timeout(clock::wait(AGAIN)) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }
}

/// A line that this process drives for as long as it lives; empty until it does.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Option<Driven>>>);

impl Kept {
    /// Takes a line over, and never lets go of it.
    fn hold(&self, driven: Driven) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(driven);
        std::mem::forget(Arc::clone(&self.0));
    }

    /// Drives it to another level; `None` if there is none.
    pub fn set(&self, high: bool) -> Option<Result<(), Fault>> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.as_mut().map(|driven| driven.set(high))
    }
}

/// A line that is driven.
pub enum Driven {
    /// A pin of the Pi's header, by its registers.
    Pin(OutputPin),
    /// A line of the kernel.
    Line(Request),
}

impl Driven {
    /// Drives it to another level.
    ///
    /// # Errors
    /// When the kernel lost the line.
    pub fn set(&mut self, high: bool) -> Result<(), Fault> {
        match self {
            Driven::Pin(pin) => {
                pin.write(high.into());
                Ok(())
            }
            Driven::Line(request) => {
                let set = request.set_lone_value(value(high));
                set.map_err(|e| gpio::fault_of(&e))
            }
        }
    }
}

/// The pin of the header, if this is one and the machine is a Pi that the library knows.
fn pin(line: &Line, high: bool) -> Option<Result<OutputPin, Fault>> {
    if line.gpio.is_some() {
        return None;
    }
    let gpio = Gpio::new().ok()?;
    let number = u8::try_from(line.line).ok()?;
    Some(match gpio.get(number) {
        Ok(pin) => {
            let mut pin = match high {
                true => pin.into_output_high(),
                false => pin.into_output_low(),
            };
            pin.set_reset_on_drop(false);
            Ok(pin)
        }
        Err(Error::PinUsed(_)) => Err(Fault::Taken { by: None }),
        Err(Error::PinNotAvailable(_)) => Err(Fault::Absent),
        Err(Error::PermissionDenied(_)) => Err(Fault::Errno(Errno(libc::EACCES))),
        Err(Error::Io(e)) => Err(Fault::Errno(Errno(e.raw_os_error().unwrap_or(libc::EIO)))),
        Err(Error::UnknownModel | Error::ThreadPanic) => Err(Fault::Errno(Errno(libc::EIO))),
    })
}

fn kernel_line(line: &Line, high: bool) -> Result<Request, Fault> {
    let (path, chip) = gpio::find(line)?;
    let mut builder = Request::builder();
    builder
        .on_chip(path)
        .with_consumer(gpio::CONSUMER)
        .with_line(line.line)
        .as_output(value(high));
    builder.request().map_err(|e| gpio::why(line, &chip, &e))
}

fn value(high: bool) -> Value {
    match high {
        true => Value::Active,
        false => Value::Inactive,
    }
}
