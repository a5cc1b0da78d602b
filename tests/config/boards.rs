//! Board files: those that are shipped, the mistakes that there can be, and where they are looked for.

use super::explained::{document, taken};
use super::{bad, expect, files, good, root};
use fieldwarden::chip::Variant;
use fieldwarden::config::board::{
    self, BUILT_IN, Board, ComesBack, Confidence, Cut, Drive, Driver, Line, MainsBy, Pull, Steps,
};
use fieldwarden::config::{self, LedPlan, Shelf};
use fieldwarden::core::fact::Thread;
use fieldwarden::units::{Milliamps, Millivolts, Permille};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

fn shipped(name: &str) -> Board {
    let text = format!("board = \"{name}\"\n");
    good(&text).config.wiring.board
}

/// Every file in the folder is in the program, loads, and is called what it calls itself.
#[test]
fn every_board_file_is_shipped_and_loads() {
    let on_disk: BTreeSet<String> = files("boards", "toml")
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let built_in: BTreeSet<String> = BUILT_IN.iter().map(|(n, _)| (*n).to_owned()).collect();
    assert_eq!(on_disk, built_in);
    assert!(BUILT_IN.is_sorted());
    for (name, text) in BUILT_IN {
        let board = shipped(name);
        assert_eq!((&*board.name, &*board.source), (*name, *text));
        assert_eq!(board.battery.is_some(), board.has_gauge(), "{name}");
    }
    assert_eq!(
        shipped("none"),
        Board {
            origin: "none.toml (built in)".into(),
            source: shipped("none").source,
            ..Board::none()
        }
    );
}

fn header(line: u32) -> Line {
    Line { gpio: None, line }
}

/// What cannot be guessed, and is fatal when it is wrong: which level means that mains are lost. The
/// two families share gauge, address and line, and mean the opposite.
#[test]
fn the_power_line_of_each_board() {
    for (name, number, high, held) in [
        ("x708", 6, true, Pull::AsIs),
        ("x728", 6, true, Pull::AsIs),
        ("x729", 6, true, Pull::AsIs),
        ("x120x", 6, false, Pull::Up),
        ("ups-lite-1.2", 4, false, Pull::Down),
    ] {
        let board = shipped(name);
        let MainsBy::Line {
            line,
            lost_high,
            pull,
            ..
        } = &board.mains
        else {
            panic!("{name}: {:?}", board.mains);
        };
        assert_eq!(
            (line, *lost_high, *pull),
            (&header(number), high, held),
            "{name}"
        );
        assert_eq!(board.settings().mains_by, Thread::Line);
        let [gauge] = &board.chips[..] else {
            panic!("{name}")
        };
        assert_eq!((gauge.bus, gauge.address), (1, 0x36), "{name}");
        assert_eq!(gauge.driver, Driver::Max1704x(Variant::Max17040), "{name}");
    }
}

/// The monitors of the other family: address, shunt, and the sign that charges.
#[test]
fn the_monitor_of_each_board() {
    for (name, at, ohms, sign, cells) in [
        ("waveshare-ups-hat", 0x42, 100_000, true, 2),
        ("waveshare-ups-hat-c", 0x43, 10_000, true, 1),
        ("waveshare-ups-hat-d", 0x43, 10_000, false, 1),
    ] {
        let board = shipped(name);
        let [monitor] = &board.chips[..] else {
            panic!("{name}")
        };
        let Driver::Ina219 {
            micro_ohms,
            charging_positive,
            ..
        } = monitor.driver
        else {
            panic!("{name}: {monitor:?}");
        };
        assert_eq!(
            (monitor.address, micro_ohms, charging_positive),
            (at, ohms, sign),
            "{name}"
        );
        let dead_band = Milliamps(50);
        assert_eq!(board.mains, MainsBy::Current { dead_band }, "{name}");
        assert_eq!(board.settings().mains_by, Thread::Bus);
        let battery = board.battery.unwrap();
        assert_eq!(battery.cells, cells, "{name}");
        assert!(battery.current && battery.low_charge.is_none(), "{name}");
        assert_eq!(board.cut, Cut::None);
    }
}

/// How each board cuts the power: by another line on nearly every one of them.
#[test]
fn the_power_cut_of_each_board() {
    for (name, line, seconds) in [("x708", 13, 4), ("x728", 26, 3), ("x729", 26, 4)] {
        let board = shipped(name);
        let drive = Drive {
            line: header(line),
            high: true,
        };
        let hold = Duration::from_secs(seconds);
        assert_eq!(board.cut, Cut::Line { drive, hold }, "{name}");
        let alive = Drive {
            line: header(12),
            high: true,
        };
        assert_eq!(board.alive, Some(alive), "{name}");
    }
    assert_eq!(shipped("x120x").cut, Cut::None);
}

/// What the core is told of a battery.
#[test]
fn batteries_reach_the_core() {
    let board = good("board = \"x728\"\n").config.settings.board;
    let battery = board.battery.unwrap();
    assert_eq!(battery.low, Millivolts(3_200));
    assert_eq!(battery.low_charge, Some(Permille(150)));
    assert!(!battery.current);
    let board = good("").config.settings.board;
    assert_eq!(board, fieldwarden::core::settings::Board::NONE);
}

/// Each way of telling about mains and of cutting the power can be written, and means what it says.
#[test]
fn every_key_can_be_written() {
    let text = fs::read_to_string(root().join("tests/config/boards/all-ways.toml")).unwrap();
    let board = board::parse("all-ways.toml", "all-ways", &text).unwrap();
    assert_eq!(
        board.mains,
        MainsBy::Register {
            address: 0x2d,
            register: 2,
            mask: 0x20,
            present: 0x20
        }
    );
    let delay = Duration::from_secs(30);
    assert_eq!(
        board.cut,
        Cut::Register {
            bus: 3,
            address: 0x2d,
            register: 1,
            value: 0x55,
            delay,
            cancel: Some(0),
            after_unmount: true,
            steps: Steps::default(),
        }
    );
    let line = Line {
        gpio: Some("expander".into()),
        line: 3,
    };
    assert_eq!(board.alive, Some(Drive { line, high: false }));
    let text = text.replace(
        "[mains.register]\nchip = \"mcu\"\nregister = 0x02\nmask = 0x20\npresent = 0x20\n",
        "[mains.kernel]\nsupply = \"x120x-ac\"\n",
    );
    let board = board::parse("all-ways.toml", "all-ways", &text).unwrap();
    assert_eq!(board.mains, MainsBy::Supply("x120x-ac".into()));
    assert_eq!(board.settings().mains_by, Thread::Vitals);
}

/// A board that is told before init is asked leaves time for what follows an init that hangs.
#[test]
fn a_delay_leaves_time_for_the_end() {
    let text = |delay: &str, when: &str| {
        format!(
            "name = \"b\"\ntitle = \"B\"\n[chip.mcu]\ndriver = \"registers\"\naddress = 0x2d\n\
             [cut.register]\nchip = \"mcu\"\nregister = 1\nvalue = 0x55\ndelay = \"{delay}\"\n\
             when = \"{when}\"\n"
        )
    };
    for (delay, when) in [
        ("30s", "before-halt"),
        ("10m", "before-halt"),
        ("1s", "after-unmount"),
    ] {
        let board = board::parse("b.toml", "b", &text(delay, when)).unwrap();
        let ahead = board.settings().cut_ahead;
        assert_eq!(ahead.is_some(), when == "before-halt");
        assert!(ahead.is_none_or(|ahead| ahead.delay >= Duration::from_secs(30)));
    }
    let problems = board::parse("b.toml", "b", &text("29s", "before-halt")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "error: b.toml:10:9: `cut.register.delay` is too short for when = \"before-halt\"\n\x20 \
         10 | delay = \"29s\"\n     |         ^^^^^\n\
         help: write a duration from 30s to 10m, or when = \"after-unmount\" if the bus still works then\n\n\
         1 error\n"
    );
}

/// A board that cuts the power before init could use all its time to unmount: told where that time was
/// chosen, and at no default, which nobody has.
#[test]
fn time_to_unmount_that_a_board_does_not_leave() {
    let folder = tempfile::tempdir().unwrap();
    let text = "name = \"b\"\ntitle = \"B\"\n[chip.mcu]\ndriver = \"registers\"\naddress = 0x2d\n\
                [cut.register]\nchip = \"mcu\"\nregister = 1\nvalue = 0x55\ndelay = \"45s\"\n\
                when = \"before-halt\"\n";
    fs::write(folder.path().join("b.toml"), text).unwrap();
    let shelf = Shelf::of([folder.path().to_owned()]);
    let told = |rest: &str| {
        let text = format!("board = \"b\"\n{rest}");
        let loaded = config::parse_with("test.toml", &text, &shelf).unwrap();
        loaded
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect::<String>()
    };
    assert_eq!(told(""), "");
    assert_eq!(told("stop.unmount = \"45s\"\n"), "");
    assert_eq!(
        told("stop.unmount = \"46s\"\n"),
        "warning: test.toml:2:16: `stop.unmount` (46s) is longer than board b leaves: it cuts the power 45s \
         after it is told\n  2 | stop.unmount = \"46s\"\n    |                ^^^^^\n\
         help: shorten it, or raise `cut.register.delay` in the file of the board\n"
    );
}

/// The exact reports about files with mistakes.
#[test]
fn mistakes_are_reported_as_their_author_needs_it() {
    let mut seen = 0;
    for path in files("tests/config/boards", "toml") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let told = match board::parse(&format!("{name}.toml"), &name, &text) {
            Err(problems) => problems.to_string(),
            // It works all the same.
            Ok(board) if !board.doubts.is_empty() => board.doubts.join("\n") + "\n",
            Ok(_) => {
                assert_eq!(name, "all-ways");
                continue;
            }
        };
        expect(&path.with_extension("expected"), &told);
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

/// Every key of the schema refuses what it cannot be.
#[test]
fn every_key_is_read_and_checked() {
    for section in board::keys::SECTIONS {
        for key in section.keys {
            let header = section.header.replace("NAME", "gauge");
            let full = match header.is_empty() {
                true => key.name.to_owned(),
                false => format!("{header}.{}", key.name),
            };
            let text = format!("{full} = 1979-05-27\n");
            let problems = board::parse("test.toml", "test", &text).unwrap_err();
            let named = |p: &config::Problem| p.what().starts_with(&format!("`{full}` must be"));
            assert!(
                problems.iter().any(named),
                "{full} is not checked:\n{problems}"
            );
        }
    }
}

/// A file of the owner goes before the one that is shipped; a name leads nowhere else; a mistake is
/// shown with the file it is in.
#[test]
fn files_of_the_owner_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, theirs) = (folder.path().join("etc"), folder.path().join("usr"));
    fs::create_dir_all(&mine).unwrap();
    fs::create_dir_all(&theirs).unwrap();
    let shelf = Shelf::of([mine.clone(), theirs.clone()]);
    let load =
        |board: &str| config::parse_with("test.toml", &format!("board = \"{board}\"\n"), &shelf);
    fs::write(
        theirs.join("x728.toml"),
        "name = \"x728\"\ntitle = \"theirs\"\n",
    )
    .unwrap();
    assert_eq!(load("x728").unwrap().config.wiring.board.title, "theirs");
    fs::write(
        mine.join("x728.toml"),
        "name = \"x728\"\ntitle = \"mine\"\n",
    )
    .unwrap();
    assert_eq!(load("x728").unwrap().config.wiring.board.title, "mine");
    fs::write(mine.join("own.toml"), "name = \"own\"\ntitle = \"own\"\n").unwrap();
    assert!(load("own").is_ok());
    assert!(shelf.names().contains(&"own".to_owned()));
    fs::write(folder.path().join("secret.toml"), "name = \"secret\"\n").unwrap();
    for name in ["../secret", "../../etc/passwd", "", ".", "X728", "own.toml"] {
        let problems = load(name).unwrap_err().to_string();
        assert!(problems.contains("`board` cannot be"), "{problems}");
    }
    fs::write(mine.join("own.toml"), "name = \"own\"\ntitel = \"own\"\n").unwrap();
    let problems = load("own").unwrap_err().to_string();
    let file = mine.join("own.toml").display().to_string();
    assert!(
        problems.contains("test.toml:1:9: the file of board own cannot be used"),
        "{problems}"
    );
    assert!(
        problems.contains(&format!("{file}:2:1: unknown key `titel`")),
        "{problems}"
    );
    fs::write(mine.join("own.toml"), [0xFF, 0xFE]).unwrap();
    let problems = load("own").unwrap_err().to_string();
    assert!(problems.contains("not UTF-8"), "{problems}");
    fs::remove_file(mine.join("own.toml")).unwrap();
    fs::create_dir(mine.join("own.toml")).unwrap();
    let problems = load("own").unwrap_err().to_string();
    assert!(problems.contains("own.toml: cannot be read"), "{problems}");
}

/// A board that is not known gets the one that was probably meant.
#[test]
fn an_unknown_board_is_named() {
    let problems = bad("board = \"x729b\"\n").to_string();
    assert!(problems.contains("did you mean \"x729\"?"), "{problems}");
    assert!(problems.contains("\"waveshare-ups-hat-d\""), "{problems}");
}

/// The LED of a board file is driven unless the configuration names another one, or none.
#[test]
fn the_led_of_a_board() {
    let text = "name = \"lit\"\ntitle = \"one with an LED\"\n[led]\nline = 22\nactive_low = true\n";
    let lit = board::parse("lit.toml", "lit", text).unwrap_or_else(|p| panic!("{p}"));
    let line = header(22);
    let active_low = true;
    assert_eq!(lit.led, Some(LedPlan::Line { line, active_low }));
    assert_eq!(lit.job_of(&header(22)).as_deref(), Some("status LED"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lit.toml"), text).unwrap();
    let shelf = Shelf::of([folder.path().to_owned()]);
    let chosen = |rest: &str| {
        let text = format!("board = \"lit\"\n{rest}");
        let loaded =
            config::parse_with("test.toml", &text, &shelf).unwrap_or_else(|p| panic!("{p}"));
        loaded.config.settings.led
    };
    assert_eq!(chosen("").as_deref(), Some("line 22"));
    assert_eq!(chosen("[led]\nname = \"ACT\"\n").as_deref(), Some("ACT"));
    assert_eq!(chosen("[led]\nenabled = false\n"), None);
}

/// A board file says where it comes from and how far it can be trusted; none of these was tried.
#[test]
fn every_board_file_has_its_sources() {
    for (name, _) in BUILT_IN
        .iter()
        .filter(|(name, _)| !["none", "sim"].contains(name))
    {
        let about = shipped(name).about;
        assert!(!about.sources.is_empty(), "{name}");
        let known = [
            Confidence::Maker,
            Confidence::DataSheet,
            Confidence::Reported,
        ];
        assert!(
            known.contains(&about.confidence),
            "{name}: {:?}",
            about.confidence
        );
    }
}

/// Of a board that cuts the power by itself nobody says that it cuts none.
#[test]
fn boards_that_cut_by_themselves() {
    for name in [
        "witty-pi-4",
        "pipower-5",
        "lifepo4wered-4",
        "lifepo4wered-6",
        "lifepo4wered-7",
    ] {
        let board = shipped(name);
        let (can, cannot) = board::words::abilities(&board);
        let cuts = |said: &&String| said.contains("cut the power");
        assert_eq!(can.iter().filter(cuts).count(), 1, "{name}");
        assert_eq!(cannot.iter().find(cuts), None, "{name}");
        assert_eq!(board::words::cut(&board), "the board by itself");
    }
    assert_eq!(board::words::cut(&shipped("x120x")), "nothing");
}

/// A board that cuts no power, as far as is known, starts no computer by itself: it stays supplied.
#[test]
fn a_board_that_cuts_no_power_does_not_come_back() {
    for (name, _) in BUILT_IN {
        let board = shipped(name);
        if board.battery.is_some() && board.cut == Cut::None && !board.simulated {
            assert_ne!(board.about.comes_back, ComesBack::Yes, "{name}");
        }
    }
}

/// What the board has for itself, an LED of the configuration cannot have: lines of its sections, and
/// those that it uses otherwise. That stops nothing: a newer board file may list a pin for the first
/// time.
#[test]
fn pins_of_the_board_are_not_driven() {
    for (line, job) in [
        (6, "tells of mains"),
        (12, "shows the board that the computer runs"),
        (26, "has the board cut the power"),
        (20, "sounds the buzzer"),
    ] {
        let loaded = good(&format!("board = \"x728\"\n[led]\nline = {line}\n"));
        let what = format!("line {line} belongs to board x728 ({job})");
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].what().contains(&what), "{what}");
        assert_eq!(loaded.config.wiring.led, None);
    }
    good("board = \"x728\"\n[led]\nline = 21\n");
    // The same number on another chip is another line.
    good("board = \"x728\"\n[led]\nline = 6\ngpio = \"expander\"\n");
}

/// A board file of the owner with lines that the header needs works as it did, without its LED there,
/// and is doubted where it is named. None that is shipped is.
#[test]
fn a_board_file_with_doubts_still_works() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root().join("tests/config/boards/reserved.toml")).unwrap();
    fs::write(folder.path().join("reserved.toml"), text).unwrap();
    let shelf = Shelf::of([folder.path().to_owned()]);
    let loaded = config::parse_with("test.toml", "board = \"reserved\"\n", &shelf)
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings.len(), 3);
    let what = loaded.warnings[0].what();
    assert!(what.contains("line 3 is one of I2C bus 1"), "{what}");
    assert_eq!(loaded.config.wiring.led, None);
    let lost_low =
        matches!(&loaded.config.wiring.board.mains, MainsBy::Line { line, .. } if line.line == 3);
    assert!(lost_low);
    for (name, _) in BUILT_IN {
        assert_eq!(shipped(name).doubts, [""; 0], "{name}");
    }
}

/// A template is a board file already, and each of its lines is a key.
#[test]
fn a_template_can_be_filled_in() {
    let text = board::template("my-board");
    let board = board::parse("my-board.toml", "my-board", &text).unwrap_or_else(|p| panic!("{p}"));
    let about = board.about.clone();
    let (name, title) = ("my-board".to_owned(), "my-board".to_owned());
    let (origin, source) = ("my-board.toml".to_owned(), text.clone());
    let none = Board {
        name,
        title,
        origin,
        source,
        about,
        ..Board::none()
    };
    assert_eq!(board, none);
    // With everything in it, it says too much; but nothing that is not known.
    let open = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', ':']) => rest,
        _ => line,
    });
    let open = open.collect::<Vec<_>>().join("\n");
    let problems = board::parse("my-board.toml", "my-board", &open).unwrap_err();
    assert!(!problems.to_string().contains("unknown key"), "{problems}");
    assert!(
        problems.to_string().contains("more than one way"),
        "{problems}"
    );
    for section in board::keys::SECTIONS {
        for key in section.keys {
            assert!(open.contains(&format!("\n{} = ", key.name)), "{}", key.name);
        }
    }
}

/// By the schema, every board file that is shipped is right, and what a check refuses for one value is
/// wrong.
#[test]
fn the_schema_takes_board_files() {
    let all_ways = fs::read_to_string(root().join("tests/config/boards/all-ways.toml")).unwrap();
    let template = board::template("my-board");
    let shipped = BUILT_IN.iter().map(|(_, text)| *text);
    let good: Vec<&str> = shipped.chain([&*all_ways, &*template]).collect();
    let bad = [
        "name = 1",
        "colour = 1",
        "comes_back = true",
        "confidence = \"hope\"",
        "sources = \"here\"",
        "[battery]\ncells = 5",
        "[chip.gauge]\ndriver = \"max1705x\"",
        "[chip.gauge]\naddress = 3",
        "[mains.line]\nlost = \"off\"",
        "[mains.lime]\nlost = \"high\"",
        "[pin.fan]\nline = \"16\"",
        "[pin]\nline = 16",
        "[cut.register]\nvalue = 256",
    ];
    for text in bad {
        assert!(board::parse("bad.toml", "bad", text).is_err(), "{text}");
    }
    let documents: Vec<_> = good.iter().copied().chain(bad).map(document).collect();
    let taken = taken(&config::board_schema(), &documents);
    let wanted = (0..documents.len()).map(|at| at < good.len());
    for (at, (taken, wanted)) in taken.iter().zip(wanted).enumerate() {
        assert_eq!(*taken, wanted, "document {at}: {}", documents[at]);
    }
}
