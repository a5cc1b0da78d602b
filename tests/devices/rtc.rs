//! The battery-backed clock is found by its driver's name, doubted, and missed when it is gone.

use fieldwarden::chip::Bus;
use fieldwarden::core::fact::{Errno, Fact, Fault, Reading, RtcSeen, Source};
use fieldwarden::edge::bound_chips::BoundChips;
use fieldwarden::edge::rtc::{LoneChip, Rtc, times_agree, vote};
use fieldwarden::units::{MilliCelsius, Wall};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

const TIME: i64 = 1_893_456_000;

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn clock(root: &Path, number: u32, name: &str, seconds: i64) {
    let class = format!("sys/class/rtc/rtc{number}");
    write(root, &format!("{class}/name"), &format!("{name}\n"));
    write(
        root,
        &format!("{class}/since_epoch"),
        &format!("{seconds}\n"),
    );
}

/// Looks at every sample.
fn rtc(root: &Path) -> Rtc {
    Rtc::new(root, Duration::ZERO)
}

fn seen(fact: Option<Fact>) -> RtcSeen {
    match fact {
        Some(Fact::Seen(Reading::Rtc(seen))) => seen,
        other => panic!("{other:?}"),
    }
}

fn time(seen: RtcSeen) -> i64 {
    seen.shown.unwrap().time.seconds()
}

fn lost(why: Fault) -> Option<Fact> {
    let source = Source::Rtc;
    Some(Fact::Lost { source, why })
}

const DS3231: &str = "rtc-ds1307 1-0068";

#[test]
fn a_machine_without_one_gives_no_fact() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(rtc(root.path()).sample(), None);
}

#[test]
fn a_chip_that_was_added_is_preferred_whatever_its_number() {
    for (numbers, own) in [([0, 1], "rpi-rtc rpi-rtc"), ([1, 0], "rtc_cmos 00:04")] {
        let root = tempfile::tempdir().unwrap();
        clock(root.path(), numbers[0], own, TIME);
        clock(root.path(), numbers[1], DS3231, TIME + 7);
        assert_eq!(time(seen(rtc(root.path()).sample())), TIME + 7, "{own}");
    }
}

#[test]
fn one_that_is_gone_is_lost_and_not_exchanged_for_a_lesser_one() {
    let root = tempfile::tempdir().unwrap();
    clock(root.path(), 0, "rpi-rtc rpi-rtc", TIME);
    let mut rtc = rtc(root.path());
    assert_eq!(time(seen(rtc.sample())), TIME);
    // Its module is loaded late.
    clock(root.path(), 1, DS3231, TIME + 7);
    assert_eq!(time(seen(rtc.sample())), TIME + 7);
    let chip = root.path().join("sys/class/rtc/rtc1");
    fs::remove_dir_all(&chip).unwrap();
    assert_eq!(rtc.sample(), lost(Fault::Absent));
    // And is back under another number, with something new to say about it.
    clock(root.path(), 3, DS3231, TIME + 9);
    write(
        root.path(),
        "dev/kmsg",
        &format!("4,9,1,-;{DS3231}: SET TIME!\n"),
    );
    let back = seen(rtc.sample());
    assert_eq!(
        (time(back), back.oscillator_stopped),
        (TIME + 9, Some(true))
    );
}

#[test]
fn times_that_no_clock_shows_are_lost() {
    let root = tempfile::tempdir().unwrap();
    let mut rtc = rtc(root.path());
    for text in ["-1", "", "soon", "253402207201", "99999999999999999999"] {
        clock(root.path(), 0, DS3231, 0);
        write(root.path(), "sys/class/rtc/rtc0/since_epoch", text);
        assert_eq!(rtc.sample(), lost(Fault::Implausible), "{text:?}");
    }
}

#[test]
fn its_temperature_comes_along_if_it_can_be_true() {
    let root = tempfile::tempdir().unwrap();
    clock(root.path(), 0, DS3231, TIME);
    let mut rtc = rtc(root.path());
    assert_eq!(seen(rtc.sample()).temperature, None);
    for (text, milli) in [
        ("25250\n", Some(25_250)),
        ("-60001\n", None),
        ("hot\n", None),
    ] {
        write(
            root.path(),
            "sys/class/rtc/rtc0/device/hwmon/hwmon3/temp1_input",
            text,
        );
        let temperature = milli.map(MilliCelsius);
        assert_eq!(seen(rtc.sample()).temperature, temperature, "{text:?}");
    }
}

/// The kernel's log speaks of this chip, or it proves nothing.
#[test]
fn an_oscillator_that_had_stopped_is_found_in_the_log() {
    let said =
        "4,812,2218171,-;rtc-ds1307 1-0068: SET TIME!\n SUBSYSTEM=i2c\n DEVICE=+i2c:1-0068\n";
    for (log, stopped) in [
        (said, Some(true)),
        ("4,812,2218171,-;rtc-ds1307 1-0069: SET TIME!\n", None),
        (
            "6,813,2218171,-;rtc-ds1307 1-0068: registered as rtc0\n",
            None,
        ),
        (
            "3,9,1,-;rtc-ds1307 1-0068: oscillator failed, set time!\n",
            Some(true),
        ),
        ("", None),
    ] {
        let root = tempfile::tempdir().unwrap();
        clock(root.path(), 0, DS3231, TIME);
        let noise = "6,1,0,-;Booting Linux\n".repeat(100);
        write(root.path(), "dev/kmsg", &format!("{noise}{log}{noise}"));
        let seen = seen(rtc(root.path()).sample());
        assert_eq!(seen.oscillator_stopped, stopped, "{log:?}");
    }
    let root = tempfile::tempdir().unwrap();
    clock(root.path(), 0, "rtc-pcf8563 1-0051", TIME);
    let said = "3,9,1,-;rtc-pcf8563 1-0051: low voltage detected, date/time is not reliable.\n";
    write(root.path(), "dev/kmsg", said);
    assert_eq!(
        seen(rtc(root.path()).sample()).oscillator_stopped,
        Some(true)
    );
}

#[test]
fn it_is_looked_at_no_more_often_than_asked_for() {
    let root = tempfile::tempdir().unwrap();
    clock(root.path(), 0, DS3231, TIME);
    let mut rtc = Rtc::new(root.path(), Duration::from_secs(3600));
    assert_eq!(time(seen(rtc.sample())), TIME);
    assert_eq!(rtc.sample(), None);
}

type Outcome = Result<Option<Wall>, Fault>;

fn at(seconds: i64) -> Outcome {
    Ok(Wall::new(TIME + seconds))
}

fn bad(number: i32) -> Outcome {
    Err(Fault::Errno(Errno(number)))
}

/// Two reads in a row have to agree, and five are enough.
#[test]
fn reads_vote() {
    let nothing = Err(Fault::Implausible);
    let io = libc::EREMOTEIO;
    for (reads, outcome, asked) in [
        (vec![at(0), at(0)], at(0), 2),
        (vec![at(0), at(1)], at(1), 2),
        (vec![at(9_000), at(0), at(0)], at(0), 3),
        (vec![at(0), at(-1), at(0)], at(0), 3),
        (vec![bad(io), at(0), bad(io), at(0), at(0)], at(0), 5),
        (vec![Ok(None), at(0), Ok(None), Ok(None)], Ok(None), 4),
        (vec![at(0), at(7), at(3), at(9), at(1)], nothing.clone(), 5),
        (vec![bad(io); 5], bad(io), 5),
        (vec![bad(io), at(0), bad(io), at(0), bad(io)], nothing, 5),
        (vec![Err(Fault::Absent)], Err(Fault::Absent), 1),
    ] {
        let mut asks = reads.iter().cloned();
        let mut count = 0;
        let ask = || {
            count += 1;
            asks.next().unwrap()
        };
        let found = vote(ask, times_agree);
        assert_eq!((found, count), (outcome, asked), "{reads:?}");
    }
}

/// A DS3231 on a bus that may not answer for a while.
struct Chip {
    registers: [u8; 0x13],
    naks: Arc<AtomicU32>,
}

impl Bus for Chip {
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        assert_eq!(address, 0x68);
        let one_less = |n: u32| n.checked_sub(1);
        if self.naks.fetch_update(SeqCst, SeqCst, one_less).is_ok() {
            return Err(Errno(libc::EREMOTEIO));
        }
        let from = usize::from(register);
        into.copy_from_slice(&self.registers[from..from + into.len()]);
        Ok(())
    }

    fn write(&mut self, _: u8, register: u8, _: &[u8]) -> Result<(), Errno> {
        panic!("register {register:#x} is written");
    }
}

/// Without a driver its own registers tell; bursts of silence are tried away; a driver that comes has
/// it to itself.
#[test]
fn a_chip_without_a_driver_is_read_over_its_bus() {
    let root = tempfile::tempdir().unwrap();
    let mut registers = [0; 0x13];
    // 2030-01-01 00:00:00, 25.25 degrees, and the mark.
    registers[..7].copy_from_slice(&[0x00, 0x00, 0x00, 0x02, 0x01, 0x01, 0x30]);
    registers[0x0F..].copy_from_slice(&[0x88, 0x00, 0x19, 0x40]);
    let naks = Arc::new(AtomicU32::new(0));
    let chip = Chip {
        registers,
        naks: naks.clone(),
    };
    let chip = LoneChip::new(Box::new(chip), BoundChips::new(root.path()));
    let mut rtc = rtc(root.path()).with_chip(chip);
    for burst in [0, 1, 3] {
        naks.store(burst, SeqCst);
        let seen = seen(rtc.sample());
        assert_eq!(time(seen), TIME, "after {burst} NAKs");
        assert_eq!(seen.oscillator_stopped, Some(true));
        assert_eq!(seen.temperature, Some(MilliCelsius(25_250)));
    }
    naks.store(5, SeqCst);
    assert_eq!(rtc.sample(), lost(Fault::Errno(Errno(libc::EREMOTEIO))));
    let device = root.path().join("sys/bus/i2c/devices/1-0068");
    fs::create_dir_all(&device).unwrap();
    symlink("../../drivers/rtc-ds1307", device.join("driver")).unwrap();
    clock(root.path(), 0, DS3231, TIME + 7);
    assert_eq!(time(seen(rtc.sample())), TIME + 7);
    fs::remove_file(device.join("driver")).unwrap();
    assert_eq!(time(seen(rtc.sample())), TIME);
}
