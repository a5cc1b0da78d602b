//! Throttle flags are read from whoever can tell, and a machine that never could gives no fact.
//!
//! The mailbox itself is asked in the virtual machine: `vm throttle-mailbox`.

use crate::fixture;
use fieldwarden::core::fact::{Errno, Fact, Fault, Reading, Source, ThrottleFlags};
use fieldwarden::edge::power_supply::Supplies;
use fieldwarden::edge::throttle::ThrottleSources;
use fieldwarden::edge::vitals::Vitals;
use std::fs;
use std::path::Path;

const PI_4: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
const PI_5: &str = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled";
const ALARM: &str = "sys/class/hwmon/hwmon1/in0_lcrit_alarm";

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn seen(flags: u32) -> Option<Fact> {
    Some(Fact::Seen(Reading::Throttle(ThrottleFlags(flags))))
}

fn lost(why: Fault) -> Option<Fact> {
    Some(Fact::Lost {
        source: Source::Throttle,
        why,
    })
}

/// A machine with the kernel's driver for under-voltage, which has not seen any.
fn with_monitor(root: &Path) {
    write(root, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
    write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n");
    write(root, ALARM, "0\n");
}

#[test]
fn a_machine_without_such_a_firmware_gives_no_fact() {
    let root = tempfile::tempdir().unwrap();
    let mut sources = ThrottleSources::new(root.path());
    assert_eq!(sources.sample(), None);
    assert!(!sources.known());
    write(root.path(), "sys/class/hwmon/hwmon0/name", "coretemp\n");
    write(root.path(), "sys/devices/platform/soc/driver_override", "");
    assert_eq!(sources.sample(), None);
    let mut vitals = Vitals::new(root.path().into(), Supplies::Any { battery: false });
    assert_eq!(vitals.sample().len(), 4);
    assert_eq!(vitals.glance(), None);
}

#[test]
fn the_attribute_of_the_firmware_is_hexadecimal_on_every_board() {
    for place in [PI_4, PI_5] {
        let root = tempfile::tempdir().unwrap();
        let mut sources = ThrottleSources::new(root.path());
        for (text, flags) in [("0\n", 0), ("50005\n", 0x50005), ("0xd0008\n", 0xd0008)] {
            write(root.path(), place, text);
            assert_eq!(sources.sample(), seen(flags), "{place}: {text}");
        }
        for text in ["", "throttled\n", "-1\n", "100000000\n"] {
            write(root.path(), place, text);
            assert_eq!(
                sources.sample(),
                lost(Fault::Implausible),
                "{place}: {text}"
            );
        }
    }
}

#[test]
fn the_alarm_of_the_kernels_driver_is_under_voltage_now_where_nothing_else_tells() {
    let root = tempfile::tempdir().unwrap();
    with_monitor(root.path());
    let mut sources = ThrottleSources::new(root.path());
    assert_eq!(sources.sample(), seen(0));
    write(root.path(), ALARM, "1\n");
    assert_eq!(sources.sample(), seen(0x1_0001));
    assert_eq!(
        ThrottleSources::new(&fixture("hwmon-only")).sample(),
        seen(0)
    );
}

/// The driver clears the firmware's bit every two seconds; what it has seen must not be lost by that.
#[test]
fn what_the_kernels_driver_has_cleared_is_added() {
    let root = tempfile::tempdir().unwrap();
    with_monitor(root.path());
    write(root.path(), PI_4, "80008\n");
    let mut sources = ThrottleSources::new(root.path());
    assert_eq!(sources.sample(), seen(0x80008));
    write(root.path(), ALARM, "1\n");
    assert_eq!(sources.sample(), seen(0x90008));
}

#[test]
fn a_source_that_is_gone_is_lost_and_one_that_fails_says_why() {
    let root = tempfile::tempdir().unwrap();
    with_monitor(root.path());
    let mut sources = ThrottleSources::new(root.path());
    assert_eq!(sources.sample(), seen(0));
    fs::remove_dir_all(root.path().join("sys/class/hwmon/hwmon1")).unwrap();
    assert_eq!(sources.sample(), lost(Fault::Absent));
    // A node that is no mailbox: the other sources are asked, and its error is told if none helps.
    write(root.path(), "dev/vcio", "");
    assert_eq!(sources.sample(), lost(Fault::Errno(Errno(libc::ENOTTY))));
    write(root.path(), PI_4, "0\n");
    assert_eq!(sources.sample(), seen(0));
}

/// The alarm of the kernel's driver knows one flag, and keeps its last answer when the firmware falls
/// silent: it must not take back what the others have told.
#[test]
fn the_alarm_does_not_stand_in_for_a_source_that_fails() {
    let root = tempfile::tempdir().unwrap();
    with_monitor(root.path());
    write(root.path(), PI_4, "40004\n");
    let mut sources = ThrottleSources::new(root.path());
    assert_eq!(sources.sample(), seen(0x40004));
    for alarm in ["0\n", "1\n"] {
        write(root.path(), ALARM, alarm);
        write(root.path(), PI_4, "?\n");
        assert_eq!(sources.sample(), lost(Fault::Implausible));
    }
    fs::remove_file(root.path().join(PI_4)).unwrap();
    assert_eq!(sources.sample(), lost(Fault::Absent));
    write(root.path(), PI_4, "0\n");
    write(root.path(), ALARM, "0\n");
    assert_eq!(sources.sample(), seen(0));
}
