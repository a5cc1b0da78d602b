//! Time is read, never made up.

use fieldwarden::core::fact::Errno;
use fieldwarden::edge::clock;

#[test]
fn monotonic_time_never_runs_backwards() {
    let first = clock::now();
    let second = clock::now();
    assert!(first <= second, "{first} then {second}");
    assert!(first.0 > 0);
}

#[test]
fn monotonic_time_is_in_milliseconds() {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let (seconds, _) = uptime.split_once('.').unwrap();
    let seconds: u64 = seconds.parse().unwrap();
    // The uptime counts sleep too and a container may shift either; a factor of ten is neither.
    let now = clock::now().0 / 1000;
    assert!(
        now <= seconds * 10 + 10 && seconds <= now * 10 + 10,
        "{now} {seconds}"
    );
}

#[test]
fn wall_time_is_later_than_this_test() {
    let written: jiff::Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    assert!(clock::wall() > written);
}

#[test]
fn the_boot_has_an_identity_that_stays() {
    let id = clock::boot_id().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(clock::boot_id().unwrap(), id);
}

#[test]
fn what_is_no_boot_identity_is_refused_with_the_name_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("boot_id");
    let good = "3b5f8a1e-6c2d-4f7a-9e01-d2c3b4a59687";
    std::fs::write(&path, format!("{good}\n")).unwrap();
    assert_eq!(&*clock::boot_id_from(&path).unwrap(), good);
    for bad in [
        "",
        "3b5f8a1e",
        "3B5F8A1E-6C2D-4F7A-9E01-D2C3B4A59687",
        "3b5f8a1e-6c2d-4f7a-9e01-d2c3b4a5968g",
        "3b5f8a1e06c2d04f7a09e010d2c3b4a59687",
        "3b5f8a1e-6c2d-4f7a-9e01-d2c3b4a59687\n3b5f",
    ] {
        std::fs::write(&path, bad).unwrap();
        let error = clock::boot_id_from(&path).unwrap_err().to_string();
        assert!(error.contains("boot_id: does not hold"), "{bad:?}: {error}");
    }
    std::fs::remove_file(&path).unwrap();
    let error = clock::boot_id_from(&path).unwrap_err().to_string();
    assert!(error.contains("boot_id: No such file"), "{error}");
}

#[test]
fn a_clock_counts_as_synced_below_the_ceiling_of_its_error() {
    for (microseconds, synced) in [
        (0, true),
        (500_000, true),
        (15_999_999, true),
        (16_000_000, false),
        (16_000_001, false),
        (-1, false),
    ] {
        assert_eq!(
            clock::counts_as_synced(microseconds),
            synced,
            "{microseconds}"
        );
    }
}

#[test]
fn the_kernel_has_an_opinion_or_forbids_the_question() {
    let answer = clock::sync_state();
    let forbidden = [Errno(libc::EPERM), Errno(libc::EACCES), Errno(libc::ENOSYS)];
    assert!(
        answer.map_or_else(|e| forbidden.contains(&e), |_| true),
        "{answer:?}"
    );
}
