//! One GPIO line of the kernel as an input: edges and debounce by the kernel where it can.
//!
//! The chip is found by its label, because numbers differ between kernels and models. The line is
//! requested from the kernel and so cannot be taken by anybody else while we have it. A driver
//! that gives no edges refuses them; then the line is had without, and is to be polled.
//!
//! What the kernel shows of a line that it debounces is the level after the last edge that it has seen.
//! It looks at the line itself when debounce begins (kernel: drivers/gpio/gpiolib-cdev.c,
//! `debounce_setup`), so it is told to begin anew to read it afresh.
//!
//! Never drives a line.

use super::hardware::Hardware;
use super::line::InputLine;
use crate::config::board::{HEADERS, Line, Pull};
use crate::core::fact::{Errno, Fault};
use gpiocdev::Request;
use gpiocdev::chip::{Chip, chips};
use gpiocdev::line::{Bias, EdgeDetection, Value};
use gpiocdev::request::Config;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

/// What others see as the holder of the line.
pub(super) const CONSUMER: &str = "fieldwarden";

/// What the kernel says when a driver has no edges: no interrupt for this line.
const NO_EDGES: [i32; 4] = [libc::ENXIO, libc::EOPNOTSUPP, libc::ENOTSUP, libc::EINVAL];

/// An input line of the kernel.
pub struct KernelLine {
    line: Line,
    pull: Pull,
    debounce: Duration,
    open: Option<Opened>,
}

struct Opened {
    request: Request,
    edges: bool,
}

impl KernelLine {
    /// This line. Nothing is opened yet.
    pub fn of(line: Line, pull: Pull, debounce: Duration, _: &Hardware) -> KernelLine {
        KernelLine {
            line,
            pull,
            debounce,
            open: None,
        }
    }

    fn open(&self) -> Result<Opened, Fault> {
        let (path, chip) = find(&self.line)?;
        let with_edges = self.request(path.clone(), true);
        let refused = |e: &gpiocdev::Error| errno_of(e).is_some_and(|n| NO_EDGES.contains(&n));
        let (request, edges) = match with_edges {
            Err(e) if refused(&e) => (self.request(path, false), false),
            request => (request, true),
        };
        match request {
            Ok(request) => Ok(Opened { request, edges }),
            Err(e) => Err(why(&self.line, &chip, &e)),
        }
    }

    /// Takes edges and debounce away, and asks for them again. The line stays ours.
    fn begin_anew(&self, request: &Request) -> gpiocdev::Result<()> {
        let whole = request.config();
        let mut plain = Config::default();
        plain.with_line(self.line.line).as_input();
        match self.pull {
            Pull::AsIs => {}
            Pull::Up => drop(plain.with_bias(Bias::PullUp)),
            Pull::Down => drop(plain.with_bias(Bias::PullDown)),
        }
        request.reconfigure(&plain)?;
        request.reconfigure(&whole)
    }

    fn request(&self, chip: PathBuf, edges: bool) -> gpiocdev::Result<Request> {
        let mut builder = Request::builder();
        builder
            .on_chip(chip)
            .with_consumer(CONSUMER)
            .with_line(self.line.line)
            .as_input();
        match self.pull {
            Pull::AsIs => {}
            Pull::Up => drop(builder.with_bias(Bias::PullUp)),
            Pull::Down => drop(builder.with_bias(Bias::PullDown)),
        }
        if edges {
            builder
                .with_edge_detection(EdgeDetection::BothEdges)
                .with_debounce_period(self.debounce);
        }
        builder.request()
    }
}

/// The chip with the label of this line's.
pub(super) fn find(line: &Line) -> Result<(PathBuf, Chip), Fault> {
    let paths = chips().map_err(|e| fault_of(&e))?;
    let ours = |label: &str| match &line.gpio {
        Some(wanted) => wanted == label,
        None => HEADERS.contains(&label),
    };
    let found = paths.into_iter().find_map(|path| {
        let chip = Chip::from_path(&path).ok()?;
        let info = chip.info().ok()?;
        (ours(&info.label) && line.line < info.num_lines).then_some((path, chip))
    });
    found.ok_or(Fault::Absent)
}

/// Who holds the line, if the kernel knows of somebody.
pub(super) fn holder(line: &Line) -> Option<Option<Box<str>>> {
    let (_, chip) = find(line).ok()?;
    let info = chip.line_info(line.line).ok()?;
    let named = !info.consumer.is_empty();
    info.used.then(|| named.then(|| info.consumer.into()))
}

/// Why the line cannot be had; a line that is in use has a holder with a name.
pub(super) fn why(line: &Line, chip: &Chip, error: &gpiocdev::Error) -> Fault {
    match errno_of(error) {
        Some(libc::EBUSY) => {
            let info = chip.line_info(line.line).ok();
            let consumer = info.map(|info| info.consumer).filter(|c| !c.is_empty());
            Fault::Taken {
                by: consumer.map(Into::into),
            }
        }
        Some(_) | None => fault_of(error),
    }
}

impl InputLine for KernelLine {
    fn level(&mut self) -> Result<bool, Fault> {
        let opened = match self.open.take() {
            Some(opened) => opened,
            None => self.open()?,
        };
        // Dropped, and so closed, with an error.
        let value = opened.request.lone_value().map_err(|e| fault_of(&e))?;
        self.open = Some(opened);
        Ok(value == Value::Active)
    }

    fn afresh(&mut self) {
        let open = self.open.as_ref().filter(|opened| opened.edges);
        if open.is_some_and(|opened| self.begin_anew(&opened.request).is_err()) {
            self.open = None;
        }
    }

    fn is_polled(&self) -> bool {
        self.open.as_ref().is_some_and(|opened| !opened.edges)
    }

    fn wait(&mut self, bell: Option<BorrowedFd<'_>>, wait: Duration) {
        let line = self.open.as_ref().filter(|opened| opened.edges);
        let line = line.map(|opened| opened.request.as_fd());
        let watched = [line, bell].into_iter().flatten();
        let mut fds: Vec<PollFd> = watched
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        // A wait that is cut short only makes for an earlier look.
        let limit = Timespec::try_from(wait).ok();
        let _ = poll(&mut fds, limit.as_ref());
        if let Some(opened) = &self.open
            && opened.edges
            && take_edges(&opened.request).is_err()
        {
            self.open = None;
        }
    }
}

/// Takes out the edges that have come: what counts is the level after them.
fn take_edges(request: &Request) -> gpiocdev::Result<()> {
    while request.has_edge_event()? {
        request.read_edge_event()?;
    }
    Ok(())
}

fn errno_of(error: &gpiocdev::Error) -> Option<i32> {
    match error {
        gpiocdev::Error::Os(errno) => Some(errno.0),
        gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => Some(errno.0),
        _ => None,
    }
}

pub(super) fn fault_of(error: &gpiocdev::Error) -> Fault {
    match errno_of(error) {
        Some(libc::ENOENT) => Fault::Absent,
        Some(number) => Fault::Errno(Errno(number)),
        None => Fault::Errno(Errno(libc::EIO)),
    }
}
