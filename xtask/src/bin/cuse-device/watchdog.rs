//! The driver of a watchdog device that never bites: it tells what it was asked and when.
//!
//! With a limit it refuses longer timeouts, as the Raspberry Pi's driver does beyond 15 s.

use std::time::Instant;

use nix::errno::Errno;

use super::driver::{self, Driver};
use super::wire::{Answer, Ioctl, number32};

/// Numbers of the ioctls, from `linux/watchdog.h`.
const GET_SUPPORT: u32 = 0x8028_5700;
const GET_STATUS: u32 = 0x8004_5701;
const GET_BOOT_STATUS: u32 = 0x8004_5702;
const SET_OPTIONS: u32 = 0x8004_5704;
const KEEP_ALIVE: u32 = 0x8004_5705;
const SET_TIMEOUT: u32 = 0xc004_5706;
const GET_TIMEOUT: u32 = 0x8004_5707;
const GET_TIME_LEFT: u32 = 0x8004_570a;

/// What it can: SETTIMEOUT, MAGICCLOSE, KEEPALIVEPING.
const ABLE: u32 = 0x8180;

/// Its name, in a field of 32 bytes.
const IDENTITY: &[u8; 32] = b"CUSE watchdog\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Options: stop, start.
const DISABLE: u32 = 1;
const ENABLE: u32 = 2;

/// Timeout until another is asked for, that of the Pi's driver, in seconds.
const DEFAULT_TIMEOUT: u32 = 15;

/// The character that allows a close without consequences.
const MAGIC: u8 = b'V';

/// The device.
#[derive(Debug)]
pub struct Watchdog {
    /// Longest timeout taken, in seconds.
    limit: Option<u32>,
    timeout: u32,
    boot_status: u32,
    open: bool,
    magic: bool,
    /// Last pet; absent while stopped.
    petted: Option<Instant>,
    pets: u64,
}

impl Watchdog {
    /// With the longest timeout in seconds, or `any`.
    pub fn new(arguments: &[String]) -> Result<Self, String> {
        let limit = match arguments {
            [any] if any == "any" => None,
            [limit] => Some(driver::number(limit)?),
            _ => return Err("watchdog takes its longest timeout in seconds, or any".to_owned()),
        };
        Ok(Watchdog {
            limit,
            timeout: DEFAULT_TIMEOUT,
            boot_status: 0,
            open: false,
            magic: false,
            petted: None,
            pets: 0,
        })
    }

    // A real driver's clock: nothing else of the program reads the time.
    #[allow(clippy::disallowed_methods)]
    fn pet(&mut self) {
        self.petted = Some(Instant::now());
        self.pets += 1;
    }

    /// Seconds until it would bite; 0 when it would have.
    fn left(&self) -> u32 {
        let since = self.petted.map_or(0, |at| at.elapsed().as_secs());
        self.timeout
            .saturating_sub(u32::try_from(since).unwrap_or(u32::MAX))
    }

    fn set_timeout(&mut self, wanted: u32) -> Answer {
        let most = self.limit.unwrap_or(i32::MAX.cast_unsigned());
        if !(1..=most).contains(&wanted) {
            return Answer::Failed(Errno::EINVAL);
        }
        self.timeout = wanted;
        self.pet();
        Answer::Result(0, wanted.to_ne_bytes().to_vec())
    }

    fn set_options(&mut self, options: u32) -> Answer {
        match options {
            DISABLE => self.petted = None,
            ENABLE => self.pet(),
            _ => return Answer::Failed(Errno::EINVAL),
        }
        Answer::Result(0, Vec::new())
    }
}

/// Gives the caller some bytes.
fn give(call: &Ioctl, bytes: &[u8]) -> Answer {
    let lack = call.lacks(&[], &[call.area(bytes.len() as u64)]);
    lack.unwrap_or_else(|| Answer::Result(0, bytes.to_vec()))
}

impl Driver for Watchdog {
    fn open(&mut self) -> Result<u64, Errno> {
        if self.open {
            return Err(Errno::EBUSY);
        }
        (self.open, self.magic) = (true, false);
        self.pet();
        Ok(0)
    }

    fn release(&mut self, _handle: u64) {
        self.open = false;
        if self.magic {
            self.petted = None;
        }
    }

    fn read(&mut self, _handle: u64, _size: usize) -> Answer {
        Answer::Failed(Errno::EINVAL)
    }

    fn write(&mut self, _handle: u64, data: &[u8]) -> Answer {
        self.magic = data.contains(&MAGIC);
        self.pet();
        Answer::Written(data.len() as u32)
    }

    fn ioctl(&mut self, call: &Ioctl) -> Answer {
        let number = call.area(4);
        match call.command {
            GET_SUPPORT => {
                let head = [ABLE, 1].map(u32::to_ne_bytes).concat();
                give(call, &[&head[..], IDENTITY].concat())
            }
            GET_STATUS => give(call, &[0; 4]),
            GET_BOOT_STATUS => give(call, &self.boot_status.to_ne_bytes()),
            GET_TIMEOUT => give(call, &self.timeout.to_ne_bytes()),
            GET_TIME_LEFT => give(call, &self.left().to_ne_bytes()),
            KEEP_ALIVE => {
                self.pet();
                Answer::Result(0, Vec::new())
            }
            SET_TIMEOUT => {
                let lack = call.lacks(&[number], &[number]);
                lack.unwrap_or_else(|| self.set_timeout(number32(&call.input, 0)))
            }
            SET_OPTIONS => {
                let lack = call.lacks(&[number], &[]);
                lack.unwrap_or_else(|| self.set_options(number32(&call.input, 0)))
            }
            _ => Answer::Failed(Errno::ENOTTY),
        }
    }

    fn order(&mut self, words: &[&str]) -> Result<String, String> {
        match words {
            ["state"] => {
                let state = match self.petted {
                    None => "stopped",
                    Some(_) if self.left() == 0 => "bitten",
                    Some(_) => "running",
                };
                Ok(format!(
                    "{state} timeout={} pets={}",
                    self.timeout, self.pets
                ))
            }
            ["boot-status", flags] => {
                self.boot_status = driver::number(flags)?;
                Ok(String::new())
            }
            _ => Err("orders: state, boot-status FLAGS".to_owned()),
        }
    }
}
