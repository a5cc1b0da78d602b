//! `cuse-device NAME KIND [ARGUMENTS]`: the device `/dev/NAME`, whose driver is this program.
//!
//! Kinds: `i2c ADDRESS=bytes|words …` (an adapter with chips), `vcio [FLAGS]` (the Raspberry Pi's
//! mailbox), `watchdog SECONDS|any` (a watchdog with a longest timeout). While it runs,
//! `cuse-device ask NAME WORDS…` changes registers, flags and faults; a wrong order lists the
//! right ones. It runs in a guest of the VM lab, needs the module `cuse`, and ends with a signal.

mod bus;
mod control;
mod driver;
mod i2c;
mod vcio;
mod watchdog;
mod wire;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use driver::Driver;
use wire::{Answer, Call, Request};

const USAGE: &str = "usage: cuse-device NAME i2c ADDRESS=bytes|words ... | NAME vcio [FLAGS] | \
    NAME watchdog SECONDS|any | ask NAME WORDS ...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &arguments[..] {
        [ask, name, words @ ..] if ask == "ask" => control::ask(name, words).map(|said| {
            if !said.is_empty() {
                println!("{said}");
            }
        }),
        [name, kind, rest @ ..] => make(kind, rest).and_then(|driver| run(name, driver)),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cuse-device: {why}");
            ExitCode::FAILURE
        }
    }
}

fn make(kind: &str, arguments: &[String]) -> Result<Box<dyn Driver>, String> {
    match kind {
        "i2c" => Ok(Box::new(i2c::Adapter::new(arguments)?)),
        "vcio" => Ok(Box::new(vcio::Mailbox::new(arguments)?)),
        "watchdog" => Ok(Box::new(watchdog::Watchdog::new(arguments)?)),
        _ => Err(USAGE.to_owned()),
    }
}

/// Makes the device and serves it until the kernel closes it.
fn run(name: &str, driver: Box<dyn Driver>) -> Result<(), String> {
    let kernel = OpenOptions::new().read(true).write(true).open("/dev/cuse");
    let kernel = kernel.map_err(|error| format!("/dev/cuse: {error}; is cuse loaded?"))?;
    let mut device = Device {
        kernel,
        driver,
        waiting: Vec::new(),
    };
    let init = device.next_request()?;
    if init.call != Call::Init {
        return Err(format!("the kernel starts with {:?}", init.call));
    }
    device.send(&wire::make_device(init.number, name))?;
    let orders = control::listen(name)?;
    loop {
        let [kernel_speaks, order_waits] = device.wait(&orders)?;
        if order_waits {
            let served = control::serve(&orders, &mut *device.driver);
            served.map_err(|error| format!("orders: {error}"))?;
            device.try_again()?;
        }
        if kernel_speaks {
            let request = device.next_request()?;
            device.handle(request)?;
        }
    }
}

struct Device {
    kernel: File,
    driver: Box<dyn Driver>,
    /// Requests whose answer the driver has put off, oldest first.
    waiting: Vec<Request>,
}

impl Device {
    /// Waits until the kernel or a case wants something.
    fn wait(&self, orders: &UnixListener) -> Result<[bool; 2], String> {
        let mut both =
            [self.kernel.as_fd(), orders.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut both, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(format!("poll: {error}")),
        }
        Ok(both.map(|fd| fd.any().unwrap_or(false)))
    }

    fn next_request(&mut self) -> Result<Request, String> {
        let mut room = vec![0; wire::ROOM];
        loop {
            match self.kernel.read(&mut room) {
                Ok(length) => return Ok(Request::parse(&room[..length])),
                // ENOENT: the caller was killed before its request reached us.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::NotFound) => {}
                Err(error) => return Err(format!("the kernel closed the device: {error}")),
            }
        }
    }

    fn handle(&mut self, request: Request) -> Result<(), String> {
        let driver = &mut self.driver;
        let answer = match &request.call {
            Call::Init => return Err("the kernel asks twice for the device".to_owned()),
            Call::Interrupt => return Ok(()),
            Call::Open => driver.open().map_or_else(Answer::Failed, Answer::Opened),
            Call::Release { handle } => {
                driver.release(*handle);
                Answer::Done
            }
            Call::Read { handle, size } => driver.read(*handle, *size),
            Call::Write { handle, data } => driver.write(*handle, data),
            Call::Ioctl(call) => driver.ioctl(call),
            Call::Other => Answer::Failed(Errno::ENOSYS),
        };
        match wire::answer(request.number, &answer) {
            Some(bytes) => self.send(&bytes),
            None => {
                self.waiting.push(request);
                Ok(())
            }
        }
    }

    /// Handles anew what was put off.
    fn try_again(&mut self) -> Result<(), String> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting
            .into_iter()
            .try_for_each(|request| self.handle(request))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self.kernel.write_all(bytes) {
            Ok(()) => Ok(()),
            // The caller is gone; its answer is nobody's.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(format!("answer the kernel: {error}")),
        }
    }
}
