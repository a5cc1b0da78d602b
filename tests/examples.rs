//! The example services under a real daemon: each gets ready, lives as long as its sensor answers,
//! and is ended and started again when the sensor hangs.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "these tests run a real daemon and wait for it"
)]

#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "these tests need a part of the rig; whatever it cannot do fails them"
)]
#[path = "daemon/rig.rs"]
mod rig;

use rig::Rig;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the configuration that is shipped calls the place of the services.
const PLACE: &str = "/opt/services/";

/// What it calls their sensors.
const SENSORS: [&str; 2] = ["/sys/class/thermal/thermal_zone0/temp", "/proc/loadavg"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/services")
}

/// The shipped section of one service, with places of this machine and a window that does not keep
/// us waiting.
fn section(name: &str, rig: &Rig, window: &str) -> String {
    let text = fs::read_to_string(folder().join("fieldwarden.toml")).expect("shipped");
    let head = format!("[service.{name}]\n");
    let from = text.find(&head).expect("the service is shipped");
    let section = text[from..].split("\n\n").next().expect("a section");
    let place = format!("{}/", folder().display());
    let mut section = section
        .replace("\"/usr/bin/python3\"", "\"/usr/bin/env\", \"python3\"")
        .replace(&format!("{PLACE}poll\""), &format!("{}\"", built(rig)))
        .replace(PLACE, &place)
        .replace("heartbeat = \"30s\"", &format!("heartbeat = \"{window}\""));
    for (number, sensor) in SENSORS.iter().enumerate() {
        let ours = rig.path(&format!("sensor{number}"));
        section = section.replace(sensor, &ours.display().to_string());
    }
    // The next run may meet the sensor while it is still broken, and must not wait for long.
    section + "\nstart_timeout = \"5s\"\n"
}

/// Where the Rust service of this rig is, once it is built.
fn built(rig: &Rig) -> String {
    rig.path("poll").display().to_string()
}

/// The service follows its sensors: up with them, ended when the last one hangs, up again with it.
fn follows_its_sensor(name: &str, window: &str, sensors: usize, build: impl Fn(&Rig)) {
    let mut rig = Rig::new("");
    build(&rig);
    rig.configure(&section(name, &rig, window));
    for number in 0..sensors {
        fs::write(rig.path(&format!("sensor{number}")), "41000\n").expect("written");
    }
    rig.start();
    let first = rig.up(name);
    rig.until("it has told readings", |rig| {
        rig.log().matches("reading 41000").count() >= 4 * sensors
    });
    assert_eq!(rig.service(name).pid, Some(first), "{}", rig.log());
    // Opening a FIFO that nobody writes into takes for ever, as reading a broken sensor does.
    let last = rig.path(&format!("sensor{}", sensors - 1));
    let stuck = rig.path("stuck");
    nix::unistd::mkfifo(&stuck, nix::sys::stat::Mode::S_IRWXU).expect("made");
    fs::rename(&stuck, &last).expect("replaced");
    rig.until("its silence is noticed", |rig| {
        !rig.traced("! service-hung").is_empty()
    });
    let mended = rig.path("mended");
    fs::write(&mended, "42000\n").expect("written");
    fs::rename(&mended, &last).expect("replaced");
    rig.until("it is up again", |rig| {
        let now = rig.service(name);
        now.state == "up" && now.pid != Some(first)
    });
    rig.until("it reads again", |rig| rig.log().contains("reading 42000"));
}

#[test]
fn shell_service() {
    // Its pause is in whole seconds.
    follows_its_sensor("shell", "3s", 1, |_| {});
}

#[test]
fn python_service() {
    follows_its_sensor("python", "2s", 1, |_| {});
}

/// One of two threads hangs, and that is enough.
#[test]
fn python_service_with_threads() {
    follows_its_sensor("threads", "3s", 2, |_| {});
}

#[test]
fn rust_service() {
    follows_its_sensor("rust", "2s", 1, |rig| {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let status = Command::new(rustc)
            .args(["--edition", "2024", "-D", "warnings", "-o"])
            .arg(built(rig))
            .arg(folder().join("poll.rs"))
            .status()
            .expect("rustc runs");
        assert!(status.success(), "the example does not compile");
    });
}

/// The configuration beside them is good.
#[test]
fn configuration_is_good() {
    let file = folder().join("fieldwarden.toml");
    let loaded = fieldwarden::config::load(&file).unwrap_or_else(|p| panic!("{p}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.config.settings.services.len(), 4);
}
