//! The only place that reads time.
//!
//! Terms: *monotonic* time never jumps and counts from the boot; *wall* time is what people read
//! and jumps whenever somebody sets it; the clock is *synced* while somebody disciplines it.
//! Nothing here sets a clock, and nothing converts one time into the other.

use crate::core::fact::{Errno, Reading, Shown};
use crate::units::{Mono, Wall};
use rustix::time::{ClockId, clock_gettime};
use std::ffi::c_long;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{fs, io};

/// Where the kernel tells the identity of this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Length of a boot identity: a UUID in text.
const UUID_LENGTH: usize = 36;

/// The kernel lets the estimated maximum error of an undisciplined clock grow up to this value and
/// keeps it there, in microseconds. Larger: every clock would count as synced. Smaller: one that is
/// disciplined over a slow link would not.
const MAX_ERROR_CEILING: c_long = 16_000_000;

/// How many times as fast as the machine's this process lets its monotonic time run.
static SPEED: AtomicU32 = AtomicU32::new(1);

/// Lets monotonic time run this many times as fast from now on, which makes it jump. Only for a
/// process that works with a simulated board, before it has read the time once.
pub fn run_at(speed: u32) {
    SPEED.store(speed.max(1), Ordering::Relaxed);
}

/// Monotonic time since the boot, in milliseconds, without the time that was slept away.
pub fn now() -> Mono {
    let time = clock_gettime(ClockId::Monotonic);
    // Both are never negative for this clock.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    let speed = u64::from(SPEED.load(Ordering::Relaxed));
    let (seconds, nanos) = (seconds.saturating_mul(speed), nanos.saturating_mul(speed));
    Mono(
        seconds
            .saturating_mul(1000)
            .saturating_add(nanos / 1_000_000),
    )
}

/// Time since the boot, with what was slept away.
pub fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    // Never negative for this clock.
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
}

/// How long the machine has to wait for this much of our time to pass: the same, unless
/// [`run_at`] was called.
pub fn wait(time: Duration) -> Duration {
    time / SPEED.load(Ordering::Relaxed)
}

/// Clock ticks of `/proc` since the boot, sleep included: the kernel stamps a new process with this
/// time, and shows the stamp in this unit. A hundred a second on every architecture of ours,
/// whatever the kernel's own rate is.
pub fn boot_ticks() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    // Both are never negative for this clock.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let hundredths = u64::try_from(time.tv_nsec).unwrap_or(0) / 10_000_000;
    seconds.saturating_mul(100).saturating_add(hundredths)
}

/// Wall time, as wrong as it may be: without a battery a Pi boots into the past. The beginning of
/// the epoch stands for a clock that is set to a year which cannot be written with four digits.
pub fn wall() -> jiff::Timestamp {
    let time = clock_gettime(ClockId::Realtime);
    let nanos = i32::try_from(time.tv_nsec).unwrap_or(0);
    jiff::Timestamp::new(time.tv_sec, nanos).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// What wall time shows now.
pub fn shown() -> Option<Shown> {
    let time = Wall::new(clock_gettime(ClockId::Realtime).tv_sec)?;
    Some(Shown { time, at: now() })
}

/// The kernel's clock: who keeps it, and what it shows.
///
/// # Errors
/// As [`sync_state`].
pub fn reading() -> Result<Reading, Errno> {
    let synced = sync_state()?;
    Ok(Reading::Clock {
        synced,
        shown: shown(),
    })
}

/// The identity of this boot: a UUID in lower case, different after every start of the kernel.
///
/// # Errors
/// As [`boot_id_from`], for the kernel's own file.
pub fn boot_id() -> io::Result<Box<str>> {
    boot_id_from(Path::new(BOOT_ID))
}

/// The same from another file.
///
/// # Errors
/// The file cannot be read, or what it holds is not a UUID; the message names the file.
pub fn boot_id_from(path: &Path) -> io::Result<Box<str>> {
    let place = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let text = fs::read_to_string(path).map_err(place)?;
    let id = text.trim_end();
    let dash = |at| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte)| match byte {
        b'-' => dash(at),
        b'0'..=b'9' | b'a'..=b'f' => !dash(at),
        _ => false,
    };
    if id.len() == UUID_LENGTH && id.bytes().enumerate().all(fits) {
        return Ok(id.into());
    }
    let what = "does not hold a boot identity (a UUID in lower case)";
    Err(place(io::Error::new(io::ErrorKind::InvalidData, what)))
}

/// Whether somebody disciplines the kernel's clock. Reads only: `adjtimex` with no mode set.
///
/// # Errors
/// What the kernel said, for example in a sandbox that forbids the call.
pub fn sync_state() -> Result<bool, Errno> {
    // SAFETY: `timex` is a plain C structure of integers, for which all zeroes is a valid value.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live structure of the kernel's own layout; `modes` is 0, so the
    // call only fills it in.
    if unsafe { libc::adjtimex(&raw mut state) } < 0 {
        let error = io::Error::last_os_error();
        return Err(Errno(error.raw_os_error().unwrap_or(libc::EIO)));
    }
    Ok(counts_as_synced(state.maxerror))
}

/// The rule that systemd uses too: the estimated maximum error, in microseconds, has not reached
/// its ceiling. The flag `STA_UNSYNC` and the state `TIME_ERROR` that follows from it are not
/// looked at, because chrony without `rtcsync` leaves them set on a disciplined clock.
pub fn counts_as_synced(max_error: c_long) -> bool {
    (0..MAX_ERROR_CEILING).contains(&max_error)
}
