//! A driver that does as it is told and writes everything down.

use fieldwarden::core::fact::Errno;
use fieldwarden::edge::watchdog_device::{
    Support, WDIOF_KEEPALIVEPING, WDIOF_MAGICCLOSE, WDIOF_SETTIMEOUT, WatchdogDriver,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What the fake driver was asked, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Support,
    BootStatus,
    Set(u32),
    Get,
    KeepAlive,
    Write(u8),
    Close,
}

/// How the fake driver takes a timeout.
#[derive(Clone, Copy, Debug)]
pub enum Temper {
    /// Any.
    Obliging,
    /// Refuses what is longer, with EINVAL.
    RefusesAbove(u32),
    /// Refuses what is shorter, with EINVAL.
    RefusesBelow(u32),
    /// Accepts all and uses this at most.
    ClampsTo(u32),
    /// Fails always, with this error.
    Fails(i32),
}

/// A driver that does as it is told and writes everything down.
#[derive(Clone, Debug)]
pub struct Fake {
    calls: Arc<Mutex<Vec<Call>>>,
    temper: Temper,
    pub timeout: u32,
    /// Errors of single calls.
    errors: BTreeMap<&'static str, i32>,
    /// From this call on, counted from 0, the device is gone.
    gone_at: Option<usize>,
    options: u32,
    pub boot_status: u32,
    attributes: BTreeMap<&'static str, &'static str>,
    pub holder: Option<&'static str>,
}

/// What most drivers can do.
pub const FULL: u32 = WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE | WDIOF_KEEPALIVEPING;

impl Fake {
    pub fn new(temper: Temper) -> Fake {
        Fake {
            calls: Arc::default(),
            temper,
            timeout: 16,
            errors: BTreeMap::new(),
            gone_at: None,
            options: FULL,
            boot_status: 0,
            attributes: BTreeMap::from([("nowayout", "0"), ("state", "inactive")]),
            holder: None,
        }
    }

    pub fn failing(mut self, call: &'static str, errno: i32) -> Fake {
        self.errors.insert(call, errno);
        self
    }

    pub fn showing(mut self, attribute: &'static str, text: &'static str) -> Fake {
        self.attributes.insert(attribute, text);
        self
    }

    pub fn hiding(mut self, attribute: &'static str) -> Fake {
        self.attributes.remove(attribute);
        self
    }

    pub fn with_options(mut self, options: u32) -> Fake {
        self.options = options;
        self
    }

    pub fn vanishing_at(mut self, call: usize) -> Fake {
        self.gone_at = Some(call);
        self
    }

    pub fn called(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub fn forget(&self) {
        self.calls.lock().unwrap().clear();
    }

    fn note(&self, name: &str, call: Call) -> Result<(), Errno> {
        let mut calls = self.calls.lock().unwrap();
        let number = calls.len();
        calls.push(call);
        if self.gone_at.is_some_and(|gone| number >= gone) {
            return Err(Errno(libc::ENODEV));
        }
        match self.errors.get(name) {
            Some(&errno) => Err(Errno(errno)),
            None => Ok(()),
        }
    }
}

impl WatchdogDriver for Fake {
    fn open(&mut self) -> Result<(), Errno> {
        self.note("open", Call::Open)
    }

    fn support(&mut self) -> Result<Support, Errno> {
        self.note("support", Call::Support)?;
        Ok(Support {
            identity: "fake timer".into(),
            options: self.options,
        })
    }

    fn boot_status(&mut self) -> Result<u32, Errno> {
        self.note("boot_status", Call::BootStatus)?;
        Ok(self.boot_status)
    }

    fn set_timeout(&mut self, seconds: u32) -> Result<(), Errno> {
        self.note("set", Call::Set(seconds))?;
        let refused = Err(Errno(libc::EINVAL));
        self.timeout = match self.temper {
            Temper::RefusesAbove(most) if seconds > most => return refused,
            Temper::RefusesBelow(least) if seconds < least => return refused,
            Temper::Fails(errno) => return Err(Errno(errno)),
            Temper::ClampsTo(most) => seconds.min(most),
            Temper::Obliging | Temper::RefusesAbove(_) | Temper::RefusesBelow(_) => seconds,
        };
        Ok(())
    }

    fn timeout(&mut self) -> Result<u32, Errno> {
        self.note("get", Call::Get)?;
        Ok(self.timeout)
    }

    fn keep_alive(&mut self) -> Result<(), Errno> {
        self.note("keep_alive", Call::KeepAlive)
    }

    fn write(&mut self, byte: u8) -> Result<(), Errno> {
        self.note("write", Call::Write(byte))
    }

    fn close(&mut self) {
        self.calls.lock().unwrap().push(Call::Close);
    }

    fn attribute(&self, name: &str) -> Option<Box<str>> {
        self.attributes.get(name).copied().map(Into::into)
    }

    fn holder(&self) -> Option<Box<str>> {
        self.holder.map(Into::into)
    }
}
