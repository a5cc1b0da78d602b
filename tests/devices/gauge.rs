//! The round over the chips of a board: tries, losses, chips that the kernel owns, mains by a chip.

use fieldwarden::chip::Bus;
use fieldwarden::config::board::{self, Board};
use fieldwarden::core::fact::{Errno, Fact, Fault, Reading, Source};
use fieldwarden::edge::bound_chips::BoundChips;
use fieldwarden::edge::gauge::{Gauge, Look};
use fieldwarden::units::{Milliamps, Millivolts, Permille};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Registers of two bytes by address and register, and transfers that fail before any succeeds.
#[derive(Clone, Default)]
struct FakeBus(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    registers: BTreeMap<(u8, u8), Vec<u8>>,
    failures: Vec<i32>,
    transfers: usize,
}

impl FakeBus {
    fn set(&self, address: u8, register: u8, bytes: &[u8]) {
        let mut inside = self.0.lock().unwrap();
        inside.registers.insert((address, register), bytes.into());
    }

    /// The next transfers fail like this, one by one.
    fn fail(&self, errnos: &[i32]) {
        let mut inside = self.0.lock().unwrap();
        inside.failures = errnos.iter().rev().copied().collect();
    }

    fn transfers(&self) -> usize {
        self.0.lock().unwrap().transfers
    }
}

impl Inside {
    fn meet(&mut self) -> Result<(), Errno> {
        self.transfers += 1;
        self.failures.pop().map_or(Ok(()), |n| Err(Errno(n)))
    }
}

impl Bus for FakeBus {
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        let mut inside = self.0.lock().unwrap();
        inside.meet()?;
        let bytes = inside.registers.get(&(address, register));
        let bytes = bytes.ok_or(Errno(libc_remote_io()))?;
        into.copy_from_slice(&bytes[..into.len()]);
        Ok(())
    }

    fn write(&mut self, address: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
        let mut inside = self.0.lock().unwrap();
        inside.meet()?;
        inside.registers.insert((address, register), bytes.into());
        Ok(())
    }
}

/// EREMOTEIO: how the Pi's controller says that nobody answers.
fn libc_remote_io() -> i32 {
    121
}

fn shipped(name: &str) -> Board {
    let (_, text) = board::BUILT_IN.iter().find(|(n, _)| *n == name).unwrap();
    board::parse(name, name, text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn described(text: &str) -> Board {
    board::parse("test.toml", "test", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn gauge(board: &Board, bus: &FakeBus, sys: &Path) -> Gauge {
    Gauge::of(board, Box::new(bus.clone()), BoundChips::new(sys)).pausing(|_| {})
}

fn reading(voltage: u32, charge: Option<u16>, current: Option<i32>) -> Fact {
    Fact::Seen(Reading::Gauge {
        voltage: Some(Millivolts(voltage)),
        charge: charge.map(Permille),
        current: current.map(Milliamps),
    })
}

fn lost(source: Source, why: Fault) -> Fact {
    Fact::Lost { source, why }
}

fn mains(present: bool) -> Fact {
    Fact::Seen(Reading::Mains { present })
}

/// 3.95 V and 75 % on a gauge of the usual kind.
fn charged() -> FakeBus {
    let bus = FakeBus::default();
    bus.set(0x36, 0x02, &[0xC5, 0x80]);
    bus.set(0x36, 0x04, &[0x4B, 0x00]);
    bus
}

/// A chip that fails three times in a row is read all the same; a fourth time makes it lost, with the
/// last cause and no value. Each failure ends its try at once.
#[test]
fn a_chip_is_tried_four_times() {
    let nowhere = tempfile::tempdir().unwrap();
    let bus = charged();
    let mut gauge = gauge(&shipped("x728"), &bus, nowhere.path());
    let nak = 121;
    bus.fail(&[nak, nak, nak]);
    assert_eq!(gauge.look().facts, [reading(3_950, Some(750), None)]);
    assert_eq!(bus.transfers(), 5);
    bus.fail(&[nak, 110, 6, 5]);
    assert_eq!(
        gauge.look().facts,
        [lost(Source::Gauge, Fault::Errno(Errno(5)))]
    );
    assert_eq!(
        gauge.look().facts,
        [reading(3_950, Some(750), None)],
        "it is back"
    );
}

/// Waits grow, and there is none after the last try.
#[test]
fn waits_between_tries_grow() {
    static WAITED: Mutex<Vec<Duration>> = Mutex::new(Vec::new());
    let nowhere = tempfile::tempdir().unwrap();
    let gauge = gauge(&shipped("x728"), &FakeBus::default(), nowhere.path());
    gauge
        .pausing(|wait| WAITED.lock().unwrap().push(wait))
        .look();
    let waited = WAITED.lock().unwrap();
    assert_eq!(waited.len(), 3);
    assert!(waited.is_sorted_by(|a, b| a < b), "{waited:?}");
    let all: Duration = waited.iter().sum();
    assert!(all < Duration::from_secs(1), "{all:?}");
}

/// What no battery does is not told, and neither is a bus that is not there.
#[test]
fn values_that_cannot_be_are_lost() {
    let nowhere = tempfile::tempdir().unwrap();
    let bus = charged();
    let mut gauge = gauge(&shipped("x728"), &bus, nowhere.path());
    for raw in [[0x00, 0x00], [0xFF, 0xFF]] {
        bus.set(0x36, 0x02, &raw);
        assert_eq!(
            gauge.look().facts,
            [lost(Source::Gauge, Fault::Implausible)]
        );
    }
    bus.fail(&[2, 2, 2, 2]);
    assert_eq!(gauge.look().facts, [lost(Source::Gauge, Fault::Absent)]);
}

/// On a board without a power line the core judges the current; here it is read with its sign, and
/// while more than the dead band flows out of the battery, the next look comes sooner.
#[test]
fn mains_by_the_current() {
    let nowhere = tempfile::tempdir().unwrap();
    let bus = FakeBus::default();
    // 8.232 V; configuration and calibration are ours from the first round on.
    bus.set(0x42, 0x02, &[0x40, 0x52]);
    bus.set(0x42, 0x00, &[0x39, 0x9F]);
    bus.set(0x42, 0x05, &[0x00, 0x00]);
    let board = shipped("waveshare-ups-hat");
    assert_eq!(board.settings().dead_band, Some(Milliamps(50)));
    let mut gauge = gauge(&board, &bus, nowhere.path());
    for (steps, milliamps, doubtful) in [
        (0i16, 0, false),
        (7_143, 700, false),
        (-510, -49, false),
        (-511, -50, false),
        (-521, -51, true),
        (-10_000, -980, true),
    ] {
        bus.set(0x42, 0x04, &steps.to_be_bytes());
        let facts = vec![reading(8_232, None, Some(milliamps))];
        assert_eq!(gauge.look(), Look { facts, doubtful }, "{steps}");
    }
    // An overflow: the voltage stands, the current is unknown.
    bus.set(0x42, 0x02, &[0x40, 0x53]);
    assert_eq!(gauge.look().facts, [reading(8_232, None, None)]);
    bus.fail(&[121; 4]);
    let nak = Fault::Errno(Errno(121));
    assert_eq!(gauge.look().facts, [lost(Source::Gauge, nak)]);
}

/// On UPS HAT (D) the same raw current means the opposite.
#[test]
fn the_sign_of_the_current_is_that_of_the_board() {
    let nowhere = tempfile::tempdir().unwrap();
    for (name, milliamps) in [("waveshare-ups-hat-c", -765), ("waveshare-ups-hat-d", 765)] {
        let bus = FakeBus::default();
        // 4.000 V, 5000 steps of 153 uA below zero.
        bus.set(0x43, 0x02, &[0x1F, 0x42]);
        bus.set(0x43, 0x04, &(-5_000i16).to_be_bytes());
        bus.set(0x43, 0x00, &[0, 0]);
        bus.set(0x43, 0x05, &[0, 0]);
        let facts = vec![reading(4_000, None, Some(milliamps))];
        let doubtful = milliamps < 0;
        let look = gauge(&shipped(name), &bus, nowhere.path()).look();
        assert_eq!(look, Look { facts, doubtful }, "{name}");
    }
}

/// Bits of a register tell of mains, with tries of their own.
#[test]
fn mains_by_a_register() {
    let nowhere = tempfile::tempdir().unwrap();
    let board = described(
        "name = \"test\"\ntitle = \"Controller\"\n\
         [chip.mcu]\ndriver = \"registers\"\naddress = 0x2d\n\
         [mains.register]\nchip = \"mcu\"\nregister = 2\nmask = 0x20\npresent = 0x20\n",
    );
    let bus = FakeBus::default();
    bus.set(0x2d, 0x02, &[0xA5, 0]);
    let mut gauge = gauge(&board, &bus, nowhere.path());
    bus.fail(&[121, 121, 121]);
    assert_eq!(gauge.look().facts, [mains(true)]);
    bus.set(0x2d, 0x02, &[0xDF, 0]);
    assert_eq!(gauge.look().facts, [mains(false)]);
    bus.fail(&[121; 4]);
    let why = Fault::Errno(Errno(121));
    assert_eq!(gauge.look().facts, [lost(Source::Mains, why)]);
}

/// A bus that is stuck reads as zeros or ones at every address. Mains are not told by that while the
/// gauge beside it is not heard; any other byte, and any byte beside a gauge that is heard, tells.
#[test]
fn a_stuck_bus_tells_nothing_of_mains() {
    let nowhere = tempfile::tempdir().unwrap();
    let board = described(
        "name = \"test\"\ntitle = \"Controller\"\n\
         [battery]\ncells = 1\nempty = \"3V\"\nlow = \"3.2V\"\nfull = \"4.2V\"\n\
         [chip.cell]\ndriver = \"max1704x\"\nmodel = \"max17048\"\naddress = 0x36\n\
         [chip.mcu]\ndriver = \"registers\"\naddress = 0x2d\n\
         [mains.register]\nchip = \"mcu\"\nregister = 2\nmask = 0x20\npresent = 0x20\n",
    );
    let bus = charged();
    let mut gauge = gauge(&board, &bus, nowhere.path());
    for (byte, present) in [(0x20, true), (0x00, false), (0xff, true), (0x01, false)] {
        bus.set(0x2d, 0x02, &[byte, 0]);
        let facts = gauge.look().facts;
        assert_eq!(
            facts[1],
            mains(present),
            "{byte:#x} beside a gauge that is heard"
        );
    }
    for stuck in [0x00, 0xff] {
        for register in [0x02, 0x04, 0x06, 0x08, 0x0c, 0x16, 0x1a] {
            bus.set(0x36, register, &[stuck, stuck]);
        }
        bus.set(0x2d, 0x02, &[stuck, stuck]);
        let (gauge_lost, why) = (lost(Source::Gauge, Fault::Implausible), Fault::Implausible);
        let look = gauge.look();
        assert_eq!(
            look.facts,
            [gauge_lost, lost(Source::Mains, why)],
            "{stuck:#x}"
        );
        assert!(!look.doubtful);
        // A byte that no stuck bus makes tells on.
        bus.set(0x2d, 0x02, &[0x5f, 0]);
        assert_eq!(gauge.look().facts[1], mains(false));
    }
}

/// Two chips complete each other, and one that is lost does not take the other with it.
#[test]
fn two_chips_tell_of_one_battery() {
    let nowhere = tempfile::tempdir().unwrap();
    let board = described(
        "name = \"test\"\ntitle = \"Both\"\n\
         [battery]\ncells = 1\nempty = \"3V\"\nlow = \"3.2V\"\nfull = \"4.2V\"\n\
         [chip.a]\ndriver = \"max1704x\"\nmodel = \"max17048\"\naddress = 0x36\n\
         [chip.b]\ndriver = \"ina219\"\naddress = 0x40\nshunt = \"100mOhm\"\nrange = \"3.2A\"\n\
         charging = \"positive\"\n",
    );
    let bus = charged();
    for (register, bytes) in [
        (0, [0x3E, 0xEF]),
        (5, [0x10, 0x52]),
        (2, [0x1F, 0x42]),
        (4, [0x27, 0x10]),
    ] {
        bus.set(0x40, register, &bytes);
    }
    let mut gauge = gauge(&board, &bus, nowhere.path());
    assert_eq!(gauge.look().facts, [reading(3_950, Some(750), Some(980))]);
    bus.fail(&[121; 4]);
    assert_eq!(gauge.look().facts, [reading(4_000, None, Some(980))]);
}

/// A machine whose kernel owns a chip, with these files below the device.
fn bound(address: &str, driver: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let devices = root.path().join("sys/bus/i2c/devices");
    let device = devices.join(format!("1-00{address}"));
    let drivers = root.path().join("sys/bus/i2c/drivers").join(driver);
    fs::create_dir_all(&drivers).unwrap();
    fs::create_dir_all(&device).unwrap();
    symlink(&drivers, device.join("driver")).unwrap();
    for (file, text) in files {
        let file = device.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{text}\n")).unwrap();
    }
    root
}

/// A monitor that the kernel has is read from its files, and no transfer takes place. The kernel
/// believes in 10 mOhm where this board has 100, so its current is ten times too large.
#[test]
fn a_monitor_of_the_kernel_is_read_from_its_files() {
    let root = bound(
        "42",
        "ina2xx",
        &[
            ("hwmon/hwmon3/name", "ina219"),
            ("hwmon/hwmon3/in1_input", "7400"),
            ("hwmon/hwmon3/curr1_input", "-4200"),
            ("hwmon/hwmon3/shunt_resistor", "10000"),
        ],
    );
    let bus = FakeBus::default();
    let mut gauge = gauge(&shipped("waveshare-ups-hat"), &bus, root.path());
    assert_eq!(gauge.look().facts, [reading(7_400, None, Some(-420))]);
    assert_eq!(bus.transfers(), 0);
}

/// A gauge that the kernel has is read from its power supply; a charge beyond all is all, and a file
/// that cannot be read is no value.
#[test]
fn a_gauge_of_the_kernel_is_read_from_its_files() {
    let files = [
        ("power_supply/battery/voltage_now", "3950000"),
        ("power_supply/battery/capacity", "101"),
    ];
    let root = bound("36", "max17040", &files);
    let bus = charged();
    let mut gauge = gauge(&shipped("x120x"), &bus, root.path());
    assert_eq!(gauge.look().facts, [reading(3_950, Some(1000), None)]);
    let supply = root
        .path()
        .join("sys/bus/i2c/devices/1-0036/power_supply/battery");
    fs::write(supply.join("voltage_now"), "\n").unwrap();
    assert_eq!(
        gauge.look().facts,
        [lost(Source::Gauge, Fault::Implausible)]
    );
    fs::remove_file(supply.join("voltage_now")).unwrap();
    assert_eq!(gauge.look().facts, [lost(Source::Gauge, Fault::Absent)]);
    assert_eq!(bus.transfers(), 0);
}

/// A chip whose driver shows nothing is left alone, and its driver is named.
#[test]
fn a_chip_with_another_driver_is_not_talked_to() {
    let root = bound("36", "strange-driver", &[]);
    let bus = charged();
    let mut gauge = gauge(&shipped("x728"), &bus, root.path());
    let by = Some("kernel driver strange-driver".into());
    assert_eq!(
        gauge.look().facts,
        [lost(Source::Gauge, Fault::Taken { by })]
    );
    assert_eq!(bus.transfers(), 0);
}
