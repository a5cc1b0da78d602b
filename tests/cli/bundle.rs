//! `bundle`: what somebody else gets to see of a machine, and how it is made on one that is half dead.

use crate::daemon::{Place, config_with};
use fieldwarden::core::fact::Asker;
use fieldwarden::core::note::{HoldNote, Note};
use fieldwarden::core::settings::Settings;
use fieldwarden::journal::{Journal, Stamp, Trust};
use fieldwarden::units::Mono;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;

/// Stands wherever something secret may: it is nowhere in what is packed.
const SECRET: &str = "hunter2";

/// The files of an archive by their names, without its folder.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let entries = archive.entries().expect("an archive");
    entries
        .map(|entry| {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").into_owned();
            let mut parts = path.components();
            let folder = parts.next().expect("a folder");
            let folder = folder.as_os_str().to_string_lossy().into_owned();
            assert!(folder.starts_with("fieldwarden-"), "{folder}");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            (parts.as_path().display().to_string(), text)
        })
        .collect()
}

/// The card of another machine: its configuration, its state, what its kernel told.
fn card(place: &Place) {
    for folder in [
        "card/etc/fieldwarden/conf.d",
        "card/var/lib/fieldwarden/jobs",
        "card/proc/sys/kernel",
        "card/proc/self",
        "card/sys/devices/wd/watchdog0",
        "card/sys/class/watchdog",
        "card/usr/lib",
    ] {
        fs::create_dir_all(place.path(folder)).expect("a folder");
    }
    let write = |name: &str, text: &str| fs::write(place.path(name), text).expect("written");
    write(
        "card/etc/fieldwarden/fieldwarden.toml",
        "# hunter2\nboard = \"x728\"\nhunter2 = 1\n[service.web]\ncommand = [\"/usr/bin/web\", \"hunter2\"]\n\
         environment = { HUNTER2 = \"hunter2\" }\n",
    );
    write(
        "card/etc/fieldwarden/conf.d/50.toml",
        "[health]\nlisten = [\"127.0.0.1:9143\"]\ntoken_file = \"/etc/hunter2\"\n",
    );
    write("card/proc/sys/kernel/hostname", "shed-17\n");
    write("card/proc/meminfo", "MemTotal: 1 kB\n");
    write("card/proc/cmdline", "quiet hunter2 pw=hunter2\n");
    write(
        "card/proc/self/mounts",
        "//u:hunter2@nas/x /mnt cifs rw,password=hunter2 0 0\n",
    );
    write(
        "card/sys/devices/wd/watchdog0/identity",
        "Broadcom BCM2835\n",
    );
    write("card/etc/shadow", SECRET);
    write("card/var/lib/fieldwarden/configuration.v2", SECRET);
    write(
        "card/var/lib/fieldwarden/floor",
        "fieldwarden-floor 1 x crc=0\n",
    );
    let link = |to: &str, at: &str| symlink(to, place.path(at)).expect("a link");
    link(
        "../../devices/wd/watchdog0",
        "card/sys/class/watchdog/watchdog0",
    );
    link("/etc/shadow", "card/usr/lib/os-release");
    link("/etc/shadow", "card/var/lib/fieldwarden/resets");
    let mut journal = Journal::open(&place.path("card/var/lib/fieldwarden/journal"), "boot");
    let stamp = Stamp {
        mono: Mono(1000),
        wall: None,
        trust: Trust::Unset,
    };
    let hold = Note::Hold(HoldNote::HoldBegan {
        by: Asker::User(0),
        time: Duration::from_secs(60),
        reason: SECRET.into(),
    });
    let began = Note::Began {
        services: 1,
        adopted: 0,
    };
    journal.append(stamp, &began, &Settings::nothing());
    journal.append(stamp, &hold, &Settings::nothing());
    // What is urgent takes along what is not.
    journal.append(stamp, &Note::MainsLost, &Settings::nothing());
}

/// The card of a dead machine: what helps is there, what is secret is not, links lead nowhere, and
/// what is missing is told with why.
#[test]
fn a_card_is_packed_without_its_secrets() {
    let place = Place::new();
    card(&place);
    let output = place.run(&["bundle", "--root", "card", "--output", "."]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let name = String::from_utf8(output.stdout).expect("text");
    let path = place.path(name.trim());
    assert!(name.contains("fieldwarden-shed-17-20"), "{name}");
    assert_eq!(path.metadata().expect("a file").mode() & 0o777, 0o600);
    let files = unpacked(&fs::read(path).expect("read"));
    for (name, text) in &files {
        assert!(!text.to_lowercase().contains(SECRET), "{name}: {text}");
    }
    let holds = |name: &str, part: &str| {
        let text = files.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert!(text.contains(part), "{name}: {text}");
    };
    holds("config.toml", "board = \"x728\"\n");
    holds("config.toml", "# environment: 1 (removed)\n");
    // Of one that cannot be used, no text that its author chose.
    holds("config.toml", "# listen: 1 (removed)\n");
    holds(
        "check.txt",
        "error: /etc/fieldwarden/fieldwarden.toml:3: unknown key (removed)",
    );
    holds("journal.jsonl", "\"event\":\"mains-lost\"");
    holds("journal.jsonl", "\"reason\":\"(removed)\"");
    holds("state/listing.txt", "configuration.v2\n");
    holds("state/floor", "fieldwarden-floor 1 x");
    holds("kernel/meminfo.txt", "MemTotal");
    holds("kernel/cmdline.txt", "quiet\n2 more (removed)\n");
    holds("kernel/mounts.txt", "(removed) /mnt cifs rw,(removed)\n");
    holds(
        "kernel/watchdog.txt",
        "watchdog0/identity: Broadcom BCM2835\n",
    );
    holds(
        "MANIFEST.txt",
        "\n  os-release.txt: a link leads out of its place\n",
    );
    holds(
        "MANIFEST.txt",
        "\n  state/resets: a link leads out of its place\n",
    );
    holds(
        "MANIFEST.txt",
        "\n  why.txt: no verdict on a boot is in the journal\n",
    );
    assert!(!files.contains_key("status.json"), "nobody was to be asked");
}

/// A machine without anything: there is an archive all the same, and it says what it lacks.
#[test]
fn a_machine_of_which_nothing_is_left() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).expect("a folder");
    let args = ["bundle", "--root", "empty", "--output", "-"];
    let output = place.run(&args);
    assert!(output.status.success());
    let files = unpacked(&output.stdout);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["MANIFEST.txt"]);
    let manifest = &files["MANIFEST.txt"];
    for part in ["config", "state", "journal", "kernel/proc", "kernel/sys"] {
        assert!(manifest.contains(&format!("\n  {part}\n")), "{manifest}");
    }
}

/// What the daemon says is in it, without what a service said; without one, that nobody answers.
#[test]
fn the_daemon_is_asked() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).expect("a folder");
    let talks = format!(
        "[service.web]\ncommand = [\"/bin/sh\", \"-c\", \"{} notify --status {SECRET}; sleep 300\"]\n\
         ready = \"notify\"\nautostart = false\n",
        env!("CARGO_BIN_EXE_fieldwarden")
    );
    let daemon = place.daemon(&config_with(&talks));
    assert!(
        place
            .run(&["hold", "30m", "--reason", SECRET])
            .status
            .success()
    );
    assert!(place.run(&["start", "web", "--no-wait"]).status.success());
    let heard = |output: &std::process::Output| {
        let text = String::from_utf8_lossy(&output.stdout);
        text.contains(&format!("\"status_text\":\"{SECRET}\""))
    };
    while !heard(&place.run(&["status", "--json"])) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let run = place.path("run");
    let run = Path::new(&run).to_str().expect("a plain path");
    let args = ["bundle", "--root", "empty", "--runtime-dir", run, "-o", "-"];
    let files = unpacked(&place.run(&args).stdout);
    for (name, text) in &files {
        assert!(!text.contains(SECRET), "{name}: {text}");
    }
    assert!(files["status.json"].contains("\"name\":\"web\""));
    assert!(files["status.json"].contains("\"status_text\":\"(removed)\""));
    assert!(files["events.jsonl"].contains("\"event\":\"began\""));
    assert!(files["run/marker.sim"].starts_with("fieldwarden-marker 1 "));
    daemon.end();
    let files = unpacked(&place.run(&args).stdout);
    let told = "\n  status.json: no fieldwarden answers in ";
    assert!(
        files["MANIFEST.txt"].contains(told),
        "{}",
        files["MANIFEST.txt"]
    );
}
