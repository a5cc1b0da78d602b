//! Takes readings out of the text of procfs and sysfs.
//!
//! Pure: bytes in, a value or nothing out. Text that is not what the kernel writes gives `None`,
//! whatever it is; nothing here panics and nothing guesses.

use crate::units::{MilliCelsius, Permille};
use std::str::from_utf8;

/// Coldest temperature that is believed, in thousandths of a degree Celsius. The chip is specified
/// from -40 on; lower: a sensor that answers with its negative limit would look fine.
const COLDEST: i64 = -40_000;

/// Hottest temperature that is believed, in thousandths of a degree Celsius. The firmware of a Pi
/// throttles at 85 and nothing computes at 150; higher: a broken sensor would look like a fire.
const HOTTEST: i64 = 150_000;

/// More processors than this are no list of processors. The kernel's own limit is 8192.
const MOST_CPUS: u32 = 8192;

/// A temperature in thousandths of a degree, as thermal zones and hwmon write it: `47774`.
pub fn temperature(text: &[u8]) -> Option<MilliCelsius> {
    let milli: i64 = from_utf8(text).ok()?.trim_ascii().parse().ok()?;
    if !(COLDEST..=HOTTEST).contains(&milli) {
        return None;
    }
    i32::try_from(milli).ok().map(MilliCelsius)
}

/// Memory available to programs, out of `/proc/meminfo`.
pub fn memory_available(text: &[u8]) -> Option<Permille> {
    let text = from_utf8(text).ok()?;
    let total = kibibytes(text, "MemTotal:")?;
    let available = kibibytes(text, "MemAvailable:")?;
    (total > 0 && available <= total).then(|| Permille::of(available, total))
}

/// The value of one line of `/proc/meminfo`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_ascii()
        .strip_suffix("kB")?
        .trim_ascii_end()
        .parse()
        .ok()
}

/// Load average over one minute, in hundredths, out of `/proc/loadavg`: `0.52 0.58 0.59 1/467 9`.
pub fn load_centi(text: &[u8]) -> Option<u32> {
    let first = from_utf8(text).ok()?.split_ascii_whitespace().next()?;
    let (whole, hundredths) = first.split_once('.')?;
    if hundredths.len() != 2 {
        return None;
    }
    let whole: u32 = digits(whole)?;
    whole.checked_mul(100)?.checked_add(digits(hundredths)?)
}

/// Links of the default routes in `/proc/net/route`, in its order. Its numbers are those of the
/// processor, the flags those of kernel: include/uapi/linux/route.h.
pub fn default_links(table: &str) -> impl Iterator<Item = &str> {
    default_routes(table).map(|(link, _)| link)
}

/// The same, each with the address of its next machine as it stands there; all zero for none.
pub fn default_routes(table: &str) -> impl Iterator<Item = (&str, &str)> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (link, to, gateway) = (fields.next()?, fields.next()?, fields.next()?);
        let flags = flags(fields.next()?)?;
        let mask = fields.nth(3)?;
        let out = to == "00000000" && mask == "00000000" && leads_out(flags, link);
        out.then_some((link, gateway))
    })
}

/// The same out of `/proc/net/ipv6_route`, which has no line of titles.
pub fn default_links_6(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (to, length) = (fields.next()?, fields.next()?);
        let flags = flags(fields.nth(6)?)?;
        let link = fields.next()?;
        let all = length == "00" && to.len() == 32 && to.bytes().all(|b| b == b'0');
        (all && leads_out(flags, link)).then_some(link)
    })
}

fn flags(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

/// A route that is up and refuses nothing, and not over the loop: the kernel keeps one there that
/// refuses all of IPv6.
fn leads_out(flags: u32, link: &str) -> bool {
    const UP: u32 = 0x0001;
    const REJECT: u32 = 0x0200;
    flags & UP != 0 && flags & REJECT == 0 && link != "lo"
}

/// The number of processors in a list such as `0-3` or `0,2-3`.
pub fn cpu_count(text: &[u8]) -> Option<u32> {
    let mut count: u32 = 0;
    for range in from_utf8(text).ok()?.trim_ascii().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (digits(first)?, digits(last)?);
        let length = last.checked_sub(first)?.checked_add(1)?;
        count = count.checked_add(length)?;
    }
    (1..=MOST_CPUS).contains(&count).then_some(count)
}

/// A number without sign or space.
fn digits(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}
