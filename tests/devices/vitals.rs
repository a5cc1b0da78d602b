//! Vital signs are read where the kernel shows them, and what cannot be true is lost.

use crate::fixture;
use fieldwarden::core::fact::{Errno, Fact, Fault, Reading, Source};
use fieldwarden::edge::power_supply::Supplies;
use fieldwarden::edge::proc_text;
use fieldwarden::edge::vitals::Vitals;
use fieldwarden::units::{MilliCelsius, Permille};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// A clock that is synced, and at which nobody looked.
const SYNCED: Reading = Reading::Clock {
    synced: true,
    shown: None,
};

/// The vital signs of a tree, with a clock that is synced.
fn vitals(root: &Path) -> Vitals {
    Vitals::with_clock(root.into(), Box::new(|| Ok(SYNCED)))
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A healthy machine to spoil.
fn healthy() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "proc/meminfo",
        "MemTotal: 1000 kB\nMemAvailable: 250 kB\n",
    );
    write(root.path(), "proc/loadavg", "2.00 1.00 1.00 1/99 1\n");
    write(root.path(), "sys/devices/system/cpu/online", "0-3\n");
    write(
        root.path(),
        "sys/class/thermal/thermal_zone0/type",
        "cpu-thermal\n",
    );
    write(
        root.path(),
        "sys/class/thermal/thermal_zone0/temp",
        "50000\n",
    );
    root
}

const ZONE: &str = "sys/class/thermal/thermal_zone0/temp";

fn lost(source: Source, why: Fault) -> Fact {
    Fact::Lost { source, why }
}

fn seen_heat(milli: i32) -> Fact {
    Fact::Seen(Reading::Temperature(MilliCelsius(milli)))
}

#[test]
fn a_pi_4_tells_all_four() {
    let facts = vitals(&fixture("pi4")).sample();
    let expected = [
        Reading::Temperature(MilliCelsius(47_774)),
        Reading::Memory {
            available: Permille(853),
        },
        Reading::Load { centi_per_cpu: 13 },
        SYNCED,
    ];
    assert_eq!(facts, expected.map(Fact::Seen));
}

#[test]
fn a_machine_that_shows_nothing_loses_three_and_keeps_its_clock() {
    let root = tempfile::tempdir().unwrap();
    let expected = [
        lost(Source::Temperature, Fault::Absent),
        lost(Source::Memory, Fault::Absent),
        lost(Source::Load, Fault::Absent),
        Fact::Seen(SYNCED),
    ];
    assert_eq!(vitals(root.path()).sample(), expected);
}

#[test]
fn the_thermometer_is_the_processors_own_wherever_it_is() {
    for (tree, milli) in [
        ("pi4", 47_774),
        ("pi5-many-zones", 61_200),
        ("unnamed-zones", 39_500),
        ("hwmon-only", 52_582),
    ] {
        let facts = vitals(&fixture(tree)).sample();
        assert_eq!(facts[0], seen_heat(milli), "{tree}");
    }
}

#[test]
fn temperatures_that_cannot_be_true_are_lost() {
    let root = healthy();
    let mut vitals = vitals(root.path());
    for (text, milli) in [
        ("-40000\n", Some(-40_000)),
        ("150000\n", Some(150_000)),
        ("0\n", Some(0)),
        ("-40001\n", None),
        ("150001\n", None),
        ("4294967295\n", None),
        ("99999999999999999999\n", None),
        ("47.7\n", None),
        ("hot\n", None),
        ("", None),
    ] {
        write(root.path(), ZONE, text);
        let expected = milli.map_or(lost(Source::Temperature, Fault::Implausible), seen_heat);
        assert_eq!(vitals.sample()[0], expected, "{text:?}");
    }
}

/// A directory in place of the file stands for a sensor that fails to answer.
#[test]
fn a_sensor_that_fails_tells_its_error_and_is_found_again() {
    let root = healthy();
    let mut vitals = vitals(root.path());
    fs::remove_file(root.path().join(ZONE)).unwrap();
    fs::create_dir(root.path().join(ZONE)).unwrap();
    let failed = Fault::Errno(Errno(libc::EISDIR));
    assert_eq!(vitals.sample()[0], lost(Source::Temperature, failed));
    fs::remove_dir(root.path().join(ZONE)).unwrap();
    assert_eq!(vitals.sample()[0], lost(Source::Temperature, Fault::Absent));
    write(root.path(), ZONE, "50000\n");
    assert_eq!(vitals.sample()[0], seen_heat(50_000));
}

#[test]
fn a_driver_that_is_loaded_late_is_found() {
    let root = tempfile::tempdir().unwrap();
    let mut vitals = vitals(root.path());
    assert_eq!(vitals.sample()[0], lost(Source::Temperature, Fault::Absent));
    write(
        root.path(),
        "sys/class/thermal/thermal_zone0/type",
        "cpu-thermal\n",
    );
    write(root.path(), ZONE, "51000\n");
    assert_eq!(vitals.sample()[0], seen_heat(51_000));
}

#[test]
fn files_stay_open_and_are_read_anew() {
    let root = healthy();
    let mut vitals = vitals(root.path());
    vitals.sample();
    write(root.path(), ZONE, "61000\n");
    write(root.path(), "proc/loadavg", "12.50 1.00 1.00 1/99 1\n");
    let facts = vitals.sample();
    assert_eq!(facts[0], seen_heat(61_000));
    assert_eq!(facts[2], Fact::Seen(Reading::Load { centi_per_cpu: 312 }));
    // Only an open file can still be read now.
    fs::remove_file(root.path().join(ZONE)).unwrap();
    assert_eq!(vitals.sample()[0], seen_heat(61_000));
}

#[test]
fn a_machine_without_a_list_of_processors_has_no_load() {
    let root = healthy();
    let mut vitals = vitals(root.path());
    write(root.path(), "sys/devices/system/cpu/online", "\n");
    assert_eq!(vitals.sample()[2], lost(Source::Load, Fault::Implausible));
}

#[test]
fn a_clock_that_cannot_be_asked_is_lost() {
    let refuse = || Err(Errno(libc::EPERM));
    let mut vitals = Vitals::with_clock(fixture("pi4"), Box::new(refuse));
    let why = Fault::Errno(Errno(libc::EPERM));
    assert_eq!(vitals.sample()[3], lost(Source::Clock, why));
}

#[test]
fn this_machine_tells_its_memory_and_load() {
    let facts = Vitals::new("/".into(), Supplies::Any { battery: false }).sample();
    assert!(facts.len() >= 4, "{facts:?}");
    for fact in &facts[1..3] {
        assert!(matches!(fact, Fact::Seen(_)), "{fact:?}");
    }
}

#[test]
fn memory_that_cannot_be_true_is_nothing() {
    for (text, share) in [
        (
            "MemTotal: 1000 kB\nMemFree: 9 kB\nMemAvailable: 250 kB\n",
            Some(250),
        ),
        ("MemAvailable:   1 kB\nMemTotal:   3 kB", Some(333)),
        ("MemTotal: 1000 kB\nMemAvailable: 1001 kB\n", None),
        ("MemTotal: 0 kB\nMemAvailable: 0 kB\n", None),
        ("MemTotal: 1000 kB\n", None),
        ("MemTotal: 1000 MB\nMemAvailable: 250 MB\n", None),
        ("MemTotal: -5 kB\nMemAvailable: 250 kB\n", None),
        ("MemTotal: many kB\nMemAvailable: 250 kB\n", None),
    ] {
        let expected = share.map(Permille);
        assert_eq!(
            proc_text::memory_available(text.as_bytes()),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn load_is_read_without_rounding() {
    for (text, centi) in [
        ("0.00 0.00 0.00 1/1 1", Some(0)),
        ("0.07 0.58 0.59 1/467 1", Some(7)),
        ("123.45 1.00 1.00 1/1 1", Some(12_345)),
        ("1.5 1 1", None),
        ("1.500 1 1", None),
        ("-1.00 1 1", None),
        ("+1.00 1 1", None),
        ("1.+5 1 1", None),
        ("99999999999.00", None),
        ("42949673.00", None),
        ("1", None),
        ("", None),
    ] {
        assert_eq!(proc_text::load_centi(text.as_bytes()), centi, "{text:?}");
    }
}

#[test]
fn processors_are_counted() {
    for (text, count) in [
        ("0\n", Some(1)),
        ("0-3\n", Some(4)),
        ("0,2-3\n", Some(3)),
        ("0-3,8-11", Some(8)),
        ("", None),
        ("3-0", None),
        ("0-", None),
        ("0,,1", None),
        ("0-4294967295", None),
        ("0-9000", None),
    ] {
        assert_eq!(proc_text::cpu_count(text.as_bytes()), count, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = proc_text::memory_available(&text);
        let _ = proc_text::load_centi(&text);
        let _ = proc_text::cpu_count(&text);
        prop_assert!(proc_text::temperature(&text).is_none_or(|t| t.0.abs() <= 150_000));
    }

    #[test]
    fn nearly_right_text_does_not_make_them_panic(
        text in "[0-9]{0,11}[-.,: k]{0,2}[0-9]{0,11}[ B\n]{0,2}",
    ) {
        let _ = proc_text::load_centi(text.as_bytes());
        let count = proc_text::cpu_count(text.as_bytes());
        prop_assert!(count.is_none_or(|n| (1..=8192).contains(&n)));
        let text = format!("MemTotal:{text}\nMemAvailable: {text} kB");
        let _ = proc_text::memory_available(text.as_bytes());
    }

    #[test]
    fn every_load_that_the_kernel_can_write_is_read(
        whole in 0_u32..100_000,
        hundredths in 0_u32..100,
    ) {
        let text = format!("{whole}.{hundredths:02} 0.00 0.00 1/1 1\n");
        let expected = Some(whole * 100 + hundredths);
        prop_assert_eq!(proc_text::load_centi(text.as_bytes()), expected);
    }
}
