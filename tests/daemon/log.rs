//! A log that is stuck, and a journal that cannot be written.

use super::rig::{Rig, kill, shell, sleeper};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::Write;
use std::process::Stdio;

/// Nobody reads what the daemon says: a crash is mended and recorded all the same, services that
/// write are not held up, it is told, and the daemon ends when it is asked to.
#[test]
fn a_log_that_nobody_reads_holds_up_nothing() {
    let chatty = shell(
        "chatty",
        "",
        "while :; do echo chatter; echo >> $ALIVE; sleep 0.01; done",
    );
    let mut rig = Rig::new("");
    let alive = rig.path("alive");
    let settings = format!("environment = {{ ALIVE = \"{}\" }}\n", alive.display());
    rig.configure(&(chatty + &settings + &sleeper("plain", "")));
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    let size = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let mut writer = File::from(writer);
    writer
        .write_all(&vec![b'.'; usize::try_from(size).unwrap()])
        .unwrap();
    rig.start_with(Stdio::from(writer));
    let plain = rig.up("plain");
    rig.until("the log is told to be late", |rig| {
        rig.status().late_threads.iter().any(|t| t.thread == "log")
    });
    assert_eq!(rig.status().verdicts.threads, "warn");
    let lines = || std::fs::metadata(&alive).unwrap().len();
    let before = lines();
    rig.until("the chatty service goes on", |_| lines() > before + 200);
    kill(plain);
    rig.until("it is back", |rig| {
        rig.service("plain").pid.is_some_and(|p| p != plain)
    });
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    let exited = rig.journaled("service-exited");
    assert!(exited[0].contains("\"plain\""), "{exited:?}");
    assert_eq!(rig.journaled("ended").len(), 1);
    assert!(rig.journaled("thread-late")[0].contains("\"log\""));
    drop(reader);
}

/// Where records cannot be written, the report says so for as long as it lasts.
#[test]
fn a_journal_that_cannot_be_written_is_told() {
    let mut rig = Rig::new(&sleeper("plain", ""));
    std::fs::write(rig.path("state"), "no directory").unwrap();
    rig.start();
    rig.up("plain");
    rig.until("the report says it", |rig| {
        rig.status().verdicts.daemon == "warn"
    });
    let status = rig.status();
    let why = status.daemon.journal_why.unwrap();
    assert!(why.contains("ENOTDIR"), "{why}");
    assert!(
        status.headline.contains("memory only"),
        "{}",
        status.headline
    );
    rig.until("the log says it", |rig| {
        rig.log().contains("events cannot be written to disk")
    });
}

/// What a service writes is on the card as well if it is to be, with the last line before the end;
/// where it cannot be, the service runs on and the daemon ends as ever.
#[test]
fn what_services_write_is_kept_in_a_file() {
    let says = shell("says", "log_file = \"16KiB\"", "echo hello; sleep 1000");
    let quiet = shell("quiet", "", "echo nothing of it; sleep 1000");
    let mut rig = Rig::new(&(says + &quiet));
    rig.start();
    rig.up("says");
    rig.up("quiet");
    let file = rig.path("state/logs/says.log");
    let text = || std::fs::read_to_string(&file).unwrap_or_default();
    rig.until("its line is there", |_| text().ends_with(" hello\n"));
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    assert!(!rig.path("state/logs/quiet.log").exists());

    std::fs::remove_dir_all(rig.path("state/logs")).unwrap();
    std::fs::write(rig.path("state/logs"), "no directory").unwrap();
    rig.start();
    let pid = rig.up("says");
    rig.until("it is told", |rig| {
        rig.log().contains("is kept in memory only")
    });
    assert_eq!(rig.service("says").pid, Some(pid));
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
}
