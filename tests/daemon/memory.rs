//! What a daemon keeps in memory.

use super::rig::{Rig, sleeper};
use std::fs;

/// KiB of this field in a file of procfs, summed over all its lines.
fn kib(text: &str, field: &str) -> u64 {
    let values = text.lines().filter_map(|l| l.strip_prefix(field));
    let values = values.filter_map(|v| v.trim().strip_suffix(" kB"));
    values.filter_map(|v| v.trim().parse::<u64>().ok()).sum()
}

/// When the start is over memory is locked, with the program's own code but without what only the start
/// has needed; and the daemon goes on.
#[test]
fn memory_is_locked_without_what_only_the_start_needs() {
    let mut rig = Rig::new(&sleeper("web", ""));
    rig.start();
    let pid = fs::read_to_string(rig.path("run/lock")).unwrap();
    let proc = format!("/proc/{}", pid.trim());
    let locked = || {
        kib(
            &fs::read_to_string(format!("{proc}/status")).unwrap(),
            "VmLck:",
        )
    };
    rig.until("memory is locked", |rig| {
        locked() > 0 || rig.log().contains("memory is not locked")
    });
    if locked() == 0 {
        // Only who may lock any amount can be held to it.
        assert!(!nix::unistd::geteuid().is_root(), "{}", rig.log());
        return;
    }
    let maps = fs::read_to_string(format!("{proc}/smaps")).unwrap();
    let own = format!(
        " {}",
        fs::read_link(format!("{proc}/exe")).unwrap().display()
    );
    let begin = maps
        .lines()
        .skip_while(|l| !(l.ends_with(&own) && l.contains(" r-xp ")));
    let code: Vec<&str> = begin.take_while(|l| !l.starts_with("VmFlags:")).collect();
    let code = code.join("\n");
    let (size, resident) = (kib(&code, "Size:"), kib(&code, "Rss:"));
    assert!(0 < resident && resident < size, "{code}");
    // Its own share of what several daemons have in common.
    assert!(kib(&code, "Locked:") > 0, "{code}");
    assert_eq!(rig.service("web").state, "up");
}
