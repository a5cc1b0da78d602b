//! The last moment of a power-off, in which systemd runs `/usr/lib/systemd/system-shutdown/`: every
//! file system is unmounted or read-only, and the daemon is long gone. What follows is decided in
//! `core/last_words.rs`; here it is looked at mains, and done.
//!
//! Mains may have come back since init was asked. Nothing starts a machine that is turned off then,
//! so it is restarted instead.
//!
//! A board that cuts the power when a line is held is told so now, and not earlier: nothing is left
//! that could be lost. Its alive line falls after that.
//!
//! Never acts without a halt of ours in this boot: a marker of another boot, a shutdown that somebody
//! else asked for, and a reboot are left alone. Never writes a file.

use super::last_look;
use crate::config::board::Board;
use crate::core::comeback::{Answer, Event};
use crate::core::fact::{Fact, HaltKind, Reading};
use crate::core::last_words::decide;
use crate::edge::board_record;
use crate::edge::clock;
use crate::edge::halter::halt_now;
use crate::edge::hardware::Hardware;
use crate::edge::marker_file::{self, Written};
use crate::edge::places::Places;
use crate::edge::power_cut::{PowerCut, take_back, tell_again};
use crate::text::fault_sentence;
use std::path::{Path, PathBuf};

/// Said of a board that cannot forget what it was told.
const CUTS_ANYHOW: &str =
    "mains are back, but the board cuts the power soon: it decides what follows";

/// Says the last word about what systemd is about to do: `poweroff`, `reboot`, `halt` or `kexec`.
/// The daemon may have worked in any of these directories: what it wrote last in this boot counts.
pub fn say(action: &str, runtime_dirs: &[PathBuf], config: &Path) -> String {
    let boot = clock::boot_id().unwrap_or_default();
    let Some((places, written)) = newest(action, runtime_dirs, &boot) else {
        return format!("{action}: nothing to add");
    };
    let marker = written.marker;
    let board = board(&places, config);
    let hardware = Hardware::of_this_machine();
    let gone = marker.mains == Some(false);
    let there = Some(Fact::Seen(Reading::Mains { present: true }));
    let mut back = || last_look::mains(&board, gone, &hardware) == there;
    match decide(&marker, board.settings().cut_ahead, &mut back) {
        None => format!("{action}: nothing to add"),
        Some((_, Answer::Cut)) => cut(&board, &hardware),
        Some((_, Answer::Restart)) => {
            // As far as anybody knows it has not taken the cut: whatever it says, the machine runs.
            take_back(&board, &hardware);
            restart(&hardware)
        }
        Some((_, Answer::Forget { restart: anyhow })) => match take_back(&board, &hardware) {
            Some(Err(why)) if !anyhow => {
                // It will cut the power whatever we do: better off than on then.
                let why = fault_sentence(&why);
                format!("mains are back, but the board cannot be told to keep the power on: {why}")
            }
            Some(Err(_) | Ok(())) | None => restart(&hardware),
        },
        Some((_, Answer::Insist)) => match tell_again(&board, &hardware) {
            Some(Ok(())) => CUTS_ANYHOW.to_owned(),
            Some(Err(_)) | None => restart(&hardware),
        },
        Some((Event::Away, _)) => {
            "poweroff: the board was told, and cuts the power soon".to_owned()
        }
        Some((Event::Back | Event::AwayAgain, _)) => CUTS_ANYHOW.to_owned(),
    }
}

/// The newest marker that is ours, and where it lies. One in a directory that others may write to is
/// nobody's.
fn newest(action: &str, dirs: &[PathBuf], boot: &str) -> Option<(Places, Written)> {
    let found = dirs.iter().filter_map(|dir| {
        Places::check_ours(dir).ok()?;
        let places = Places::new(dir);
        let written = marker_file::read(&places.marker()).ok();
        Some((places, ours(action, written, boot)?))
    });
    found.max_by_key(|(_, written)| written.up)
}

/// A marker of this boot, where systemd is about to turn the machine off.
fn ours(action: &str, written: Option<Written>, boot: &str) -> Option<Written> {
    written.filter(|written| written.boot.as_ref() == boot && action == "poweroff")
}

fn restart(hardware: &Hardware) -> String {
    match halt_now(&hardware.halt_right(), HaltKind::Reboot) {
        Ok(()) => "mains are back: restarting".to_owned(),
        Err(why) => format!(
            "mains are back, but the kernel does not restart: {}",
            fault_sentence(&why)
        ),
    }
}

/// The board that the daemon of this boot worked with; if it has left none, the one that is configured.
fn board(places: &Places, config: &Path) -> Board {
    board_record::read(places).unwrap_or_else(|| match crate::config::load(config) {
        Ok(loaded) => loaded.config.wiring.board,
        Err(_) => Board::none(),
    })
}

/// Lets the board cut the power, if it can do that.
fn cut(board: &Board, hardware: &Hardware) -> String {
    match PowerCut::at_last(board, hardware) {
        Some(mut cut) => cut.pull().to_string(),
        None => "poweroff: this board cuts no power".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::board;
    use crate::core::intent::{CutTold, HaltPhase, Intent, Marker};
    use crate::core::picture::HaltCause;

    /// A marker of another boot, none at all, and everything that is no power-off are none of ours.
    #[test]
    fn only_a_power_off_of_this_boot_is_ours() {
        let written = Written {
            boot: "this".into(),
            up: crate::units::Mono(0),
            wall: None,
            marker: Marker {
                intent: Intent::Halt {
                    kind: HaltKind::PowerOff,
                    cause: HaltCause::LowBattery,
                    phase: HaltPhase::Committed,
                },
                mains: Some(false),
                attempts: 0,
                in_vain: 0,
                sunk: 0,
                reboots: crate::core::reboots::Reboots::default(),
                outage: None,
                cut: CutTold::No,
                before: None,
                ..Marker::default()
            },
        };
        for (action, boot, wanted) in [
            ("poweroff", "this", true),
            ("poweroff", "other", false),
            ("reboot", "this", false),
            ("halt", "this", false),
            ("kexec", "this", false),
        ] {
            let found = ours(action, Some(written.clone()), boot);
            assert_eq!(found.is_some(), wanted, "{action} {boot}");
        }
        assert_eq!(ours("poweroff", None, "this"), None);
    }

    /// A daemon that could not use the directory that is looked at first has left its marker in another
    /// one; the newest counts, and what others could have written does not.
    #[test]
    fn the_newest_of_all_directories_counts() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = ["first", "refuge", "open", "none"].map(|name| dir.path().join(name));
        let write = |dir: &Path, up: u32, boot: &str| {
            std::fs::create_dir_all(dir).unwrap();
            let text = crate::text::marker(&Marker::default());
            let line = format!("fieldwarden-marker 1 boot={boot} up={up}.000 wall=- {text}");
            let line = format!("{line} crc={:08x}\n", crc32fast::hash(line.as_bytes()));
            std::fs::write(dir.join("marker"), line).unwrap();
        };
        let found = || {
            let (places, written) = newest("poweroff", &dirs, "this")?;
            Some((places.root().to_owned(), written.up))
        };
        assert_eq!(found(), None);
        write(&dirs[2], 900, "this");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&dirs[2], open).unwrap();
        assert_eq!(found(), None);
        write(&dirs[1], 5, "this");
        write(&dirs[0], 80, "other");
        let up = |seconds: u64| crate::units::Mono(seconds * 1000);
        assert_eq!(found(), Some((dirs[1].clone(), up(5))));
        write(&dirs[0], 4, "this");
        assert_eq!(found(), Some((dirs[1].clone(), up(5))));
        write(&dirs[0], 6, "this");
        assert_eq!(found(), Some((dirs[0].clone(), up(6))));
    }

    /// The board that the daemon left goes before the one that is configured now; without such a record
    /// that one counts, and none where the configuration cannot be read.
    #[test]
    fn the_board_of_the_daemon_goes_before_the_one_that_is_configured() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(&dir.path().join("run"));
        places.make().unwrap();
        let config = dir.path().join("fieldwarden.toml");
        let name = |config: &Path| super::board(&places, config).name;
        assert_eq!(name(&config), "none");
        std::fs::write(&config, "board = \"x729\"\n").unwrap();
        assert_eq!(name(&config), "x729");
        let (left, text) = board::BUILT_IN.iter().find(|(n, _)| *n == "x728").unwrap();
        let left = board::parse("test", left, text).unwrap();
        board_record::write(&places, &left).unwrap();
        assert_eq!(name(&config), "x728");
        std::fs::write(&config, "board = [").unwrap();
        assert_eq!(name(&config), "x728");
        std::fs::write(places.board(), "something else").unwrap();
        assert_eq!(name(&config), "none");
    }
}
