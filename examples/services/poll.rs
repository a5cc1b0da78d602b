//! A service in Rust, without any crate: reads a sensor again and again.
//!
//! ```toml
//! [service.poll]
//! command = ["/opt/services/poll", "/sys/class/thermal/thermal_zone0/temp"]
//! ready = "notify"
//! heartbeat = "30s"
//! ```
//!
//! The heartbeat is sent by the loop that does the work, after the work. The crate `sd-notify` does
//! what `notify` does here.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use std::{env, fs, io, thread};

/// Tells fieldwarden (or systemd) something; does nothing when nobody listens.
fn notify(text: &str) -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&path)?,
    };
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address)?;
    Ok(())
}

fn main() -> io::Result<()> {
    let sensor = env::args_os()
        .nth(1)
        .ok_or_else(|| io::Error::other("usage: poll SENSOR"))?;
    // Three heartbeats fit into the window that fieldwarden allows, so two may be lost.
    let window = env::var("WATCHDOG_USEC").ok().and_then(|w| w.parse().ok());
    let pause = Duration::from_micros(window.unwrap_or(30_000_000)) / 3;
    let mut reading = fs::read_to_string(&sensor)?;
    notify("READY=1")?;
    loop {
        println!("reading {}", reading.trim_end());
        notify("WATCHDOG=1")?;
        thread::sleep(pause);
        // If this hangs, no heartbeat is sent.
        reading = fs::read_to_string(&sensor)?;
    }
}
