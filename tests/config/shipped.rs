//! The files that are shipped load and say what the program does.

use super::{OF_OTHERS, expect, files, good, root, uncommented};
use fieldwarden::config::schema::{Absent, Section};
use fieldwarden::config::{self, Wiring, keys};

#[test]
fn the_sample_is_made_from_the_keys() {
    expect(&root().join("config/fieldwarden.toml"), &config::sample());
}

#[test]
fn the_sample_as_it_is_changes_nothing() {
    let loaded = good(&config::sample());
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.config.settings, good("").config.settings);
    assert_eq!(loaded.config.wiring, good("").config.wiring);
}

#[test]
fn the_sample_uncommented_says_what_holds_without_it() {
    let loaded = good(&uncommented());
    assert!(loaded.warnings.is_empty());
    // What has no default is shown by an example; everything else must be the default itself.
    let mut bare = "[power]\nlow_charge = \"15%\"\n[led]\nline = 17\n[storage]\nmounts = [\"/\"]\n\
         canaries = [\"/var/lib/fieldwarden\"]\n[cap.logs]\ndir = \"/var/log/app\"\nmax = \"64MiB\"\n\
         only = [\"*.log.*\"]\n\
         [network]\ninterfaces = [\"eth0\", \"wlan0\"]\nname = \"example.org\"\nvpn = \"wg0\"\n\
         peer = \"10.8.0.1:53\"\nssh = \"10.8.0.7:22\"\n\
         [expiry.web]\ncertificate = \"/etc/ssl/web.pem\"\n\
         [service.web]\nheartbeat = \"30s\"\ncommand = [\"/usr/bin/web\", \"--port\", \"80\"]\n"
        .to_owned();
    // What a service may do and have: nothing of that is set unless it is asked for.
    for key in keys::SERVICE.keys {
        let asked_for = match key.absent {
            Absent::Nothing(example) => key.name != "heartbeat" && !example.is_empty(),
            Absent::Inside => key.name == "limits",
            Absent::Default(_) | Absent::Required(_) => false,
        };
        let of_others = OF_OTHERS.contains(&key.name);
        let of_others = of_others || config::job::OF_JOBS.contains(&key.name);
        if asked_for && !of_others {
            bare.push_str(&format!("{} = {}\n", key.name, key.shown()));
        }
    }
    bare.push_str("[group.field]\nmembers = [\"web\"]\n");
    assert_eq!(loaded.config.settings, good(&bare).config.settings);
    // That a limit is asked for is known even if it is the default.
    let unasked = |mut wiring: Wiring| {
        for command in &mut wiring.commands {
            command.share.asked.clear();
        }
        wiring
    };
    let wiring = unasked(good(&bare).config.wiring);
    assert_eq!(unasked(loaded.config.wiring), wiring);
}

#[test]
fn every_key_is_in_the_sample() {
    let sample = config::sample();
    for Section { header, keys, .. } in keys::SECTIONS {
        let header = header.replace("service.NAME", "service.web");
        let header = header.replace("cap.NAME", "cap.logs");
        let header = header.replace("expiry.NAME", "expiry.web");
        let header = header.replace("repair.NAME", "repair.tunnel");
        let title = format!("[{}]\n", header.replace("group.NAME", "group.field"));
        assert!(header.is_empty() || sample.contains(&title), "{title}");
        for key in *keys {
            let line = format!("\n#{} = {}\n", key.name, key.shown());
            assert!(sample.contains(&line), "{line}");
        }
    }
    let prose = |line: &&str| line.starts_with("# ");
    let widest = sample.lines().filter(prose).map(str::len).max();
    assert!(widest <= Some(100), "{widest:?}");
}

#[test]
fn the_examples_load_without_a_warning() {
    for path in files("config/examples", "toml") {
        let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert!(!loaded.config.settings.services.is_empty());
    }
}
