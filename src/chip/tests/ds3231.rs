//! The clock chip against transcripts.

use super::super::ds3231::{self, About};
use super::*;
use crate::units::{MilliCelsius, Wall};

const AT: u8 = ds3231::ADDRESS;

fn time(registers: [u8; 7]) -> Result<i64, Trouble> {
    let mut bus = Transcript::of([Step::Read(AT, 0x00, Ok(registers.into()))]);
    let time = ds3231::time(&mut bus);
    bus.done();
    time.map(Wall::seconds)
}

/// Digits, hours of both kinds, and the hundred.
#[test]
fn times_are_decoded() {
    for (registers, seconds) in [
        // 2031-07-04 12:34:56
        ([0x56, 0x34, 0x12, 0x06, 0x04, 0x07, 0x31], 1_940_934_896),
        // The same at noon and midnight, counted to twelve.
        ([0x56, 0x34, 0x72, 0x06, 0x04, 0x07, 0x31], 1_940_934_896),
        ([0x56, 0x34, 0x52, 0x06, 0x04, 0x07, 0x31], 1_940_891_696),
        // 11 in the evening.
        ([0x00, 0x00, 0x71, 0x06, 0x04, 0x07, 0x31], 1_940_972_400),
        // What a chip shows that was never set.
        ([0x00, 0x00, 0x00, 0x01, 0x01, 0x01, 0x00], 946_684_800),
        // 2100-01-01
        ([0x00, 0x00, 0x00, 0x01, 0x01, 0x81, 0x00], 4_102_444_800),
        // A day that every fourth year has.
        ([0x59, 0x59, 0x23, 0x01, 0x29, 0x02, 0x28], 1_835_481_599),
    ] {
        assert_eq!(time(registers), Ok(seconds), "{registers:x?}");
    }
}

/// A bus that is held up or down, and digits that are none, are no time.
#[test]
fn nonsense_is_no_time() {
    for registers in [
        [0xFF; 7],
        [0x00; 7],
        [0x5A, 0x34, 0x12, 0x06, 0x04, 0x07, 0x31],
        [0x60, 0x34, 0x12, 0x06, 0x04, 0x07, 0x31],
        [0x56, 0x34, 0x24, 0x06, 0x04, 0x07, 0x31],
        [0x56, 0x34, 0x73, 0x06, 0x04, 0x07, 0x31],
        [0x56, 0x34, 0x12, 0x06, 0x31, 0x06, 0x31],
        [0x56, 0x34, 0x12, 0x06, 0x29, 0x02, 0x31],
        [0x56, 0x34, 0x12, 0x06, 0x04, 0x13, 0x31],
    ] {
        assert_eq!(time(registers), Err(Trouble::Implausible), "{registers:x?}");
    }
}

/// The mark is one bit; the temperature has a sign and quarters.
#[test]
fn what_it_says_about_itself() {
    for (status, heat, stopped, milli) in [
        (0x00, [0x19, 0x40], false, 25_250),
        (0x88, [0x00, 0x00], true, 0),
        (0x7F, [0xF6, 0xC0], false, -9_250),
    ] {
        let mut bus =
            Transcript::of([Step::Read(AT, 0x0F, Ok(vec![status])), read(AT, 0x11, heat)]);
        let temperature = MilliCelsius(milli);
        let about = About {
            stopped,
            temperature,
        };
        assert_eq!(ds3231::about(&mut bus), Ok(about), "{status:#x} {heat:x?}");
        bus.done();
    }
}

/// A transfer that fails is no time, and nothing more is asked.
#[test]
fn a_chip_that_does_not_answer() {
    let gone = Errno(121);
    let mut bus = Transcript::of([Step::Read(AT, 0x00, Err(gone))]);
    assert_eq!(ds3231::time(&mut bus), Err(Trouble::Bus(gone)));
    bus.done();
    let mut bus = Transcript::of([Step::Read(AT, 0x0F, Err(gone))]);
    assert_eq!(ds3231::about(&mut bus), Err(Trouble::Bus(gone)));
    bus.done();
}
