//! A board in words, for those who have it before them or think of buying it.
//!
//! Everything is made from the board file, so that it cannot say anything else than what the daemon
//! goes by.

use super::super::schema::{brief, milli};
use super::{Board, ChipPlan, ComesBack, Confidence, Cut, Drive, Driver, Line, MainsBy, Pull};
use crate::chip::Variant;
use crate::chip::registers::Layout;

/// What measures the battery, in a few words; empty if nothing does.
pub fn gauge(board: &Board) -> String {
    if board.simulated {
        return "simulated".to_owned();
    }
    let measures = board.chips.iter().filter(|chip| chip.driver.tells());
    let all: Vec<String> = measures
        .map(|chip| format!("{} at 0x{:02x}", model(&chip.driver), chip.address))
        .collect();
    all.join(", ")
}

/// What tells of mains, in a few words.
pub fn mains(board: &Board) -> String {
    if board.simulated {
        return "simulated".to_owned();
    }
    match &board.mains {
        MainsBy::Supplies if board.battery.is_some() => {
            "nothing but the kernel's power supplies, if there are such".to_owned()
        }
        MainsBy::Supplies => "the kernel's power supplies, if there are such".to_owned(),
        MainsBy::Supply(name) => format!("the kernel's power supply {name}"),
        MainsBy::Line {
            line, lost_high, ..
        } => format!("{}, {} is lost", named(line), level(*lost_high)),
        MainsBy::Register {
            address, register, ..
        } => format!("register 0x{register:02x} of the chip at 0x{address:02x}"),
        MainsBy::Voltage {
            address,
            inputs,
            above,
            ..
        } => {
            let inputs: Vec<String> = inputs
                .iter()
                .map(|field| format!("0x{:02x}", field.register))
                .collect();
            format!(
                "more than {} in register {} of the chip at 0x{address:02x}",
                milli(above.0, "V"),
                inputs.join(" or ")
            )
        }
        MainsBy::Chip { address } => format!("the controller at 0x{address:02x}"),
        MainsBy::Current { .. } => "the current".to_owned(),
    }
}

/// How the power is cut, in a few words.
pub fn cut(board: &Board) -> String {
    match &board.cut {
        Cut::None if board.about.cuts_by_itself => "the board by itself".to_owned(),
        Cut::None => "nothing".to_owned(),
        Cut::Line { drive, .. } => named(&drive.line),
        Cut::Alive => "the alive line".to_owned(),
        Cut::Register {
            address, register, ..
        } => format!("register 0x{register:02x} of the chip at 0x{address:02x}"),
    }
}

/// Whether it starts the computer by itself, in a word.
pub fn back(board: &Board) -> &'static str {
    match board.about.comes_back {
        ComesBack::Yes => "yes",
        ComesBack::No => "no",
        ComesBack::Unknown => "unknown",
    }
}

/// How it is wired: what of it, and how.
pub fn wiring(board: &Board) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    all.extend(board.chips.iter().map(|chip| ("chip", wired(chip))));
    if let Some(battery) = &board.battery {
        let cells = match battery.cells {
            1 => "one cell".to_owned(),
            n => format!("{n} cells in series"),
        };
        let [full, low, empty] =
            [battery.full, battery.low, battery.empty].map(|v| milli(v.0, "V"));
        let charge = battery.low_charge.map(|share| percent(share.0));
        let charge = charge.map_or_else(String::new, |charge| format!(" or {charge}"));
        all.push((
            "battery",
            format!("{cells}: full at {full}, low at {low}{charge}, empty at {empty}"),
        ));
    }
    all.push(("mains", told(board)));
    if let Some(Drive { line, high }) = &board.alive {
        let text = format!("{} is held {} while it runs", named(line), level(*high));
        all.push(("alive", text));
    }
    all.push(("cut", cuts(board)));
    if let Some(led) = &board.led {
        all.push(("led", led.title().into()));
    }
    all
}

fn wired(chip: &ChipPlan) -> String {
    let ChipPlan {
        name, bus, address, ..
    } = chip;
    let how = match &chip.driver {
        Driver::Max1704x(_) => "voltage and charge".to_owned(),
        Driver::Ina219 {
            micro_ohms,
            charging_positive,
            ..
        } => {
            let sign = if *charging_positive {
                "positive"
            } else {
                "negative"
            };
            let shunt = milli(micro_ohms / 1000, "Ohm");
            format!("voltage and current by a shunt of {shunt}, {sign} charges")
        }
        Driver::Registers { layout, .. } => fields(layout),
        Driver::Framed(_) => "voltage, charge and mains, by a protocol of its own".to_owned(),
    };
    format!(
        "{name}: {} at 0x{address:02x} on bus {bus}; {how}",
        model(&chip.driver)
    )
}

/// What a file names of the registers of a chip.
fn fields(layout: &Layout) -> String {
    let named = [
        ("voltage", &layout.voltage),
        ("charge", &layout.charge),
        ("current", &layout.current),
    ];
    let named = named
        .iter()
        .filter_map(|(what, field)| Some((what, field.as_ref()?.register)));
    let all: Vec<String> = named
        .map(|(what, register)| format!("{what} in 0x{register:02x}"))
        .collect();
    match all.is_empty() {
        true => "it tells nothing of the battery".to_owned(),
        false => all.join(", "),
    }
}

fn told(board: &Board) -> String {
    match &board.mains {
        MainsBy::Line { pull, debounce, .. } => {
            let pull = match pull {
                Pull::AsIs => "",
                Pull::Up => ", pulled up",
                Pull::Down => ", pulled down",
            };
            format!("{}{pull}, debounced for {}", mains(board), brief(*debounce))
        }
        MainsBy::Register { mask, present, .. } => format!(
            "{}: there are mains while its bits 0x{mask:02x} are 0x{present:02x}",
            mains(board)
        ),
        MainsBy::Current { dead_band } => format!(
            "the battery's current: lost while more than {} flow out",
            milli(dead_band.0.unsigned_abs(), "A")
        ),
        MainsBy::Supplies | MainsBy::Supply(_) => mains(board),
        MainsBy::Voltage { .. } | MainsBy::Chip { .. } => mains(board),
    }
}

fn cuts(board: &Board) -> String {
    match &board.cut {
        Cut::None if board.about.cuts_by_itself => {
            "the board cuts the power by itself when the computer is off; its advice says what that needs"
                .to_owned()
        }
        Cut::None => "the board cuts no power".to_owned(),
        Cut::Line { drive, hold } => format!(
            "{} is held {} for {} after everything is unmounted",
            named(&drive.line),
            level(drive.high),
            brief(*hold)
        ),
        Cut::Alive => "the alive line falls after everything is unmounted".to_owned(),
        Cut::Register {
            value,
            delay,
            cancel,
            after_unmount,
            ..
        } => {
            let when = match after_unmount {
                true => "after everything is unmounted",
                false => "before init is asked to halt",
            };
            let back = match cancel {
                Some(value) => format!("0x{value:02x} takes it back"),
                None => "cannot be taken back".to_owned(),
            };
            format!(
                "0x{value:02x} into {} {when}; power goes {} later; {back}",
                cut(board),
                brief(*delay)
            )
        }
    }
}

/// What it can do for the computer, and what it cannot, one sentence each.
pub fn abilities(board: &Board) -> (Vec<String>, Vec<String>) {
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    let mut say = |able: bool, yes: &str, no: &str| match able {
        true => can.push(yes.to_owned()),
        false => cannot.push(no.to_owned()),
    };
    let any = |tells: fn(&Driver) -> bool| board.chips.iter().any(|chip| tells(&chip.driver));
    let gauge = any(Driver::tells);
    say(
        gauge,
        "tell the voltage of its battery",
        "tell anything of its battery",
    );
    if gauge {
        say(
            any(Driver::tells_charge),
            "tell what is left in the battery",
            "tell what is left in the battery: it is judged by its voltage",
        );
        say(
            any(Driver::tells_current),
            "tell the current of the battery",
            "tell the current of the battery",
        );
    }
    let mains = !matches!(board.mains, MainsBy::Supplies);
    say(
        mains,
        "tell whether there are mains",
        "tell whether there are mains",
    );
    let does = match board.cut {
        Cut::None => {
            "cut the power after a power-off by itself, without being told; its advice says what that needs"
        }
        Cut::Line { .. } | Cut::Alive | Cut::Register { .. } => "cut the power after a power-off",
    };
    say(
        board.cut != Cut::None || board.about.cuts_by_itself,
        does,
        "cut the power: the computer stays supplied after a power-off, until its battery is empty",
    );
    match board.about.comes_back {
        ComesBack::Yes => say(
            true,
            "start the computer by itself when mains are back after a power-off",
            "",
        ),
        ComesBack::No => say(
            false,
            "",
            "start the computer by itself: if mains come back after a power-off, somebody has to",
        ),
        ComesBack::Unknown => {}
    }
    (can, cannot)
}

/// How far its file can be trusted, as a sentence.
pub fn trusted(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Tried => "tried on the board",
        Confidence::Maker => "by the maker's own code or pages; not tried on the board",
        Confidence::DataSheet => "by data sheets of its chips; not tried on the board",
        Confidence::Reported => "by what others found out; not tried on the board",
        Confidence::Unknown => "unknown: the file does not say",
    }
}

/// A line as people write it: `line 6`, `line 3 of expander`.
pub fn named(line: &Line) -> String {
    match &line.gpio {
        None => format!("line {}", line.line),
        Some(gpio) => format!("line {} of {gpio}", line.line),
    }
}

fn model(driver: &Driver) -> String {
    match driver {
        Driver::Max1704x(variant) => {
            let known = Variant::ALL.iter().find(|(_, known)| known == variant);
            known.map_or("MAX1704x".to_owned(), |(word, _)| word.to_uppercase())
        }
        Driver::Ina219 { .. } => "INA219".to_owned(),
        Driver::Registers { .. } => "chip".to_owned(),
        Driver::Framed(_) => "controller".to_owned(),
    }
}

fn level(high: bool) -> &'static str {
    if high { "high" } else { "low" }
}

fn percent(permille: u16) -> String {
    match permille % 10 {
        0 => format!("{}%", permille / 10),
        tenth => format!("{}.{tenth}%", permille / 10),
    }
}
