//! Shows the device edges at work on trees of files, fake drivers and real sockets.
//!
//! Nothing here opens a device of the machine that runs the tests; the calls to real hardware are
//! shown in the virtual machine.

// Helpers of tests fail the way tests do.
#![allow(clippy::unwrap_used)]

mod bus;
mod clock;
mod disk;
mod gauge;
mod led;
mod mounts;
mod network;
mod power_supply;
mod registers;
mod rtc;
mod sim_board;
mod systemd;
mod throttle;
mod vitals;
mod watchdog;
mod watchdog_fake;
mod watchdog_paths;

use std::path::PathBuf;

/// A tree or file among the fixtures.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}
