//! Chips against transcripts: every transfer that is expected takes place, in its order, and none
//! besides.

mod ds3231;

use super::*;
use std::collections::VecDeque;

/// One transfer and how it ends.
#[derive(Debug)]
enum Step {
    Read(u8, u8, Result<Vec<u8>, Errno>),
    Write(u8, u8, Vec<u8>, Result<(), Errno>),
}

/// A bus that knows in advance what will be asked of it.
struct Transcript(VecDeque<Step>);

impl Transcript {
    fn of(steps: impl IntoIterator<Item = Step>) -> Transcript {
        Transcript(steps.into_iter().collect())
    }

    fn done(self) {
        assert!(self.0.is_empty(), "not asked for: {:?}", self.0);
    }
}

impl Bus for Transcript {
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        match self.0.pop_front() {
            Some(Step::Read(at, from, outcome)) => {
                assert_eq!((address, register), (at, from));
                let bytes = outcome?;
                assert_eq!(bytes.len(), into.len());
                into.copy_from_slice(&bytes);
                Ok(())
            }
            other => panic!("read {address:#x} {register:#x}, expected {other:?}"),
        }
    }

    fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
        match self.0.pop_front() {
            Some(Step::Write(at, to, expected, outcome)) => {
                assert_eq!((address, register, bytes), (at, to, &*expected));
                outcome
            }
            other => panic!("write {address:#x} {register:#x} {bytes:x?}, expected {other:?}"),
        }
    }
}

fn read(address: u8, register: u8, bytes: [u8; 2]) -> Step {
    Step::Read(address, register, Ok(bytes.into()))
}

fn write(address: u8, register: u8, bytes: [u8; 2]) -> Step {
    Step::Write(address, register, bytes.into(), Ok(()))
}

fn poll(chip: &mut dyn Chip, steps: impl IntoIterator<Item = Step>) -> Result<Sample, Trouble> {
    let mut bus = Transcript::of(steps);
    let sample = chip.poll(&mut bus);
    bus.done();
    sample
}

/// At 0x42 with 0.1 ohm up to 3.2 A: a step of 98 uA and a calibration of 4178.
fn monitor() -> Ina219 {
    Ina219::new(0x42, 100_000, Milliamps(3_200), true)
}

/// The settings of [`monitor`], as it should have them.
fn settled() -> [Step; 2] {
    [
        read(0x42, 0x00, [0x3E, 0xEF]),
        read(0x42, 0x05, [0x10, 0x52]),
    ]
}

fn values(voltage: [u8; 2], current: [u8; 2]) -> [Step; 2] {
    [read(0x42, 0x02, voltage), read(0x42, 0x04, current)]
}

/// High byte first, flags below the voltage, a current with a sign in whole two's complement:
/// 0xFFFF is one step, not none.
#[test]
fn monitor_tells_voltage_and_current() {
    for (voltage, current, expected) in [
        // 8.232 V is 2058 steps of 4 mV; the conversion is ready, nothing has overflown.
        ([0x40, 0x52], [0x27, 0x10], (8_232, 980)),
        ([0x40, 0x52], [0xD8, 0xF0], (8_232, -980)),
        ([0x2E, 0xE0], [0xFF, 0xFF], (6_000, 0)),
        ([0x2E, 0xE0], [0x80, 0x00], (6_000, -3_211)),
        ([0xFF, 0xF8], [0x7F, 0xFF], (32_764, 3_211)),
    ] {
        let steps = values(voltage, current).into_iter().chain(settled());
        let sample = Sample {
            voltage: Some(Millivolts(expected.0)),
            charge: None,
            current: Some(Milliamps(expected.1)),
        };
        assert_eq!(poll(&mut monitor(), steps), Ok(sample), "{voltage:x?}");
    }
}

/// On a board that is wired the other way, a negative current charges.
#[test]
fn monitor_the_other_way_round() {
    let mut chip = Ina219::new(0x42, 100_000, Milliamps(3_200), false);
    let steps = values([0x40, 0x52], [0xD8, 0xF0])
        .into_iter()
        .chain(settled());
    let current = poll(&mut chip, steps).unwrap().current;
    assert_eq!(current, Some(Milliamps(980)));
}

/// A chip that was without power has other settings and reads no current. They are written, and what
/// was read is not used: no current is not the same as a battery at rest.
#[test]
fn monitor_that_lost_its_settings_is_set_up_and_not_believed() {
    let steps = values([0x40, 0x52], [0, 0]).into_iter().chain([
        read(0x42, 0x00, [0x39, 0x9F]),
        write(0x42, 0x00, [0x3E, 0xEF]),
        read(0x42, 0x05, [0, 0]),
        write(0x42, 0x05, [0x10, 0x52]),
    ]);
    let mut chip = monitor();
    assert_eq!(poll(&mut chip, steps), Err(Trouble::NotReady));
    // Somebody else's calibration is no better.
    let steps = values([0x40, 0x52], [0x27, 0x10]).into_iter().chain([
        read(0x42, 0x00, [0x3E, 0xEF]),
        read(0x42, 0x05, [0x10, 0x00]),
        write(0x42, 0x05, [0x10, 0x52]),
    ]);
    assert_eq!(poll(&mut chip, steps), Err(Trouble::NotReady));
    let steps = values([0x40, 0x52], [0x27, 0x10])
        .into_iter()
        .chain(settled());
    assert!(poll(&mut chip, steps).is_ok());
}

/// After an overflow the voltage stands and the current does not.
#[test]
fn monitor_that_overflew_tells_no_current() {
    let steps = values([0x40, 0x53], [0x7F, 0xFF])
        .into_iter()
        .chain(settled());
    let sample = poll(&mut monitor(), steps).unwrap();
    assert_eq!(sample.voltage, Some(Millivolts(8_232)));
    assert_eq!(sample.current, None);
}

/// A transfer that fails ends the poll, whichever it is, and no half of a sample is told.
#[test]
fn a_failed_transfer_is_no_sample() {
    let nak = Errno(121);
    for failing in 0..4 {
        let mut steps: Vec<Step> = values([0x40, 0x52], [0x27, 0x10])
            .into_iter()
            .chain(settled())
            .take(failing + 1)
            .collect();
        let Some(Step::Read(_, _, outcome)) = steps.last_mut() else {
            panic!("every transfer of a settled chip is a read");
        };
        *outcome = Err(nak);
        assert_eq!(poll(&mut monitor(), steps), Err(Trouble::Bus(nak)));
    }
    for failing in [0x02, 0x04] {
        let mut steps = vec![read(0x36, 0x02, [0xC5, 0x80])];
        steps.truncate(usize::from(failing == 0x04));
        steps.push(Step::Read(0x36, failing, Err(nak)));
        let mut chip = Max1704x::new(0x36, Variant::Max17043);
        assert_eq!(poll(&mut chip, steps), Err(Trouble::Bus(nak)));
    }
    let steps = values([0x40, 0x52], [0, 0]).into_iter().chain([
        read(0x42, 0x00, [0x39, 0x9F]),
        Step::Write(0x42, 0x00, vec![0x3E, 0xEF], Err(nak)),
    ]);
    assert_eq!(poll(&mut monitor(), steps), Err(Trouble::Bus(nak)));
}

/// The same register is another voltage on each chip: 3.95 V on a MAX17040 is 7.9 V of two cells.
#[test]
fn gauges_have_their_own_scales() {
    for (variant, raw, millivolts) in [
        (Variant::Max17040, [0xC5, 0x80], 3_950),
        (Variant::Max17043, [0xC5, 0x8F], 3_950),
        (Variant::Max17041, [0xC5, 0x80], 7_900),
        (Variant::Max17044, [0xC5, 0x80], 7_900),
        (Variant::Max17048, [0xC5, 0x80], 3_950),
        (Variant::Max17058, [0xFF, 0xFF], 5_119),
        (Variant::Max17049, [0xC5, 0x80], 7_900),
        (Variant::Max17059, [0xC5, 0x80], 7_900),
    ] {
        let steps = [read(0x36, 0x02, raw), read(0x36, 0x04, [0x4B, 0x80])];
        let sample = poll(&mut Max1704x::new(0x36, variant), steps).unwrap();
        assert_eq!(sample.voltage, Some(Millivolts(millivolts)), "{variant:?}");
        assert_eq!(sample.charge, Some(Permille(755)), "{variant:?}");
        assert_eq!(sample.current, None);
    }
}

/// A charge above all is all, and an empty one is nothing else than that.
#[test]
fn gauges_may_pass_a_hundred_percent() {
    for (raw, permille) in [
        ([0x64, 0x00], 1000),
        ([0x67, 0x33], 1000),
        ([0xFF, 0xFF], 1000),
        ([0x63, 0xFF], 999),
        ([0x00, 0x19], 0),
        ([0x00, 0x1A], 1),
    ] {
        let steps = [read(0x36, 0x02, [0xC5, 0x80]), read(0x36, 0x04, raw)];
        let sample = poll(&mut Max1704x::new(0x36, Variant::Max17048), steps).unwrap();
        assert_eq!(sample.charge, Some(Permille(permille)), "{raw:x?}");
    }
}

/// A bus that is held down or up, a sample that says nothing, and currents that melt wires.
#[test]
fn what_is_not_believed() {
    let volts = |v| Sample {
        voltage: Some(Millivolts(v)),
        ..Sample::default()
    };
    for (sample, cells, believed) in [
        (volts(0), 1, false),
        (volts(1_999), 1, false),
        (volts(2_000), 1, true),
        (volts(4_800), 1, true),
        (volts(5_119), 1, false),
        (volts(5_119), 2, true),
        (volts(3_950), 2, false),
        (Sample::default(), 1, false),
    ] {
        assert_eq!(judge(sample, cells).is_ok(), believed, "{sample:?} {cells}");
    }
    for (milliamps, believed) in [(-20_000, true), (-20_001, false), (i32::MAX, false)] {
        let sample = Sample {
            current: Some(Milliamps(milliamps)),
            ..volts(3_950)
        };
        assert_eq!(judge(sample, 1).is_ok(), believed, "{milliamps}");
    }
}
