//! Reads the tree of a board file.
//!
//! Every value is read before anything is put together, so that one mistake hides no other.

use super::super::build::version;
use super::super::keys::VERSION;
use super::super::led;
use super::super::report::Report;
use super::super::table::{At, Table};
use super::registers::{self, byte};
use super::{Board, ChipPlan, Cut, Drive, Driver, Line, MainsBy, Pull, Reserved};
use super::{about, chips, fit, keys, pins};
use crate::core::settings::Battery;
use std::ops::Range;
use toml::de::DeTable;

/// The label of a line's chip that stands for the Pi's header.
const HEADER: &str = "header";

type Section<'r, 't, 'i> = Table<'r, 't, 'i>;

/// Reads the tree. `None` if a value is wrong; the report has it.
pub(super) fn board<'i>(
    report: &mut Report<'i>,
    tree: &DeTable<'i>,
    sound: bool,
    wanted: &str,
) -> Option<Board> {
    let mut top = Table::top(report, keys::SECTIONS, tree, sound);
    let version = top.other("version", version);
    if version.as_ref().is_some_and(|v| v.value > VERSION) {
        // Its keys are not ours.
        return None;
    }
    top.refuse_unknown(&["battery", "chip", "mains", "alive", "cut", "led", "pin"]);
    let name = name(&mut top, wanted);
    let title = top.text("title");
    let simulated = top.flag("simulated");
    let about = about::about(&mut top);
    let chips = chips::chips(&mut top);
    let battery = battery(&mut top, &chips, simulated.as_ref());
    let mains = mains(&mut top, &chips);
    let bus = on_header_bus(&chips);
    let alive = drive(&mut top, ("alive", keys::ALIVE.keys), "level", bus);
    let cut = cut(&mut top, &chips, alive.as_ref());
    let mut led = led::plan(&mut top.below("led", keys::LED.keys));
    if let Some(Some(wanted)) = &led
        && let Some(line) = wanted.value.line()
    {
        let line = At {
            value: line.clone(),
            span: wanted.span.clone(),
        };
        if !fit::line_is_free(&mut top, &line, bus) {
            led = Some(None);
        }
    }
    let reserved = reserved(&mut top, bus);
    version?;
    let board = Board {
        name: name?,
        title: title?.value,
        origin: String::new(),
        source: String::new(),
        simulated: simulated?.value,
        about: about?,
        battery: battery?,
        chips: chips?.into_iter().map(|chip| chip.value).collect(),
        mains: mains?,
        alive: alive?,
        cut: cut?,
        led: led?.map(|led| led.value),
        reserved: reserved?,
        doubts: Vec::new(),
    };
    fit::lines_differ(&mut top, &board);
    Some(board)
}

fn name(top: &mut Section, wanted: &str) -> Option<String> {
    let name = top.text("name")?;
    if name.value != wanted {
        let span = name.span.clone().unwrap_or(top.header());
        let what = format!(
            "`name` is {:?} in a file that is called {wanted}",
            name.value
        );
        let help = format!(
            "write \"{wanted}\", or rename the file to {}.toml",
            name.value
        );
        top.report().error(span, what, help);
    }
    Some(name.value)
}

/// The battery. `None` if it is wrong; `Some(None)` if there is none and need not be.
fn battery(
    top: &mut Section,
    chips: &Option<Vec<At<ChipPlan>>>,
    simulated: Option<&At<bool>>,
) -> Option<Option<Battery>> {
    let drivers = chips.iter().flatten().map(|chip| &chip.value.driver);
    let simulated = simulated.is_some_and(|flag| flag.value);
    let tells = drivers.clone().any(Driver::tells);
    if !top.gives("battery") {
        if !tells {
            return Some(None);
        }
        if top.sound() {
            let what = "there is a gauge and no battery".to_owned();
            let help = "add [battery] with cells, empty, low and full".to_owned();
            let span = top.header();
            top.report().error(span, what, help);
        }
        return None;
    }
    let tells_charge = simulated || chips.is_none() || drivers.clone().any(Driver::tells_charge);
    let current = simulated || drivers.clone().any(Driver::tells_current);
    let mut table = top.below("battery", keys::BATTERY.keys);
    let cells = table.count("cells");
    let (empty, low, full) = (
        table.voltage("empty"),
        table.voltage("low"),
        table.voltage("full"),
    );
    let low_charge = table.share("low_charge");
    if let Some(low_charge) = low_charge.as_ref().filter(|_| !tells_charge) {
        let what = "`battery.low_charge` needs a chip that tells the charge".to_owned();
        let span = low_charge.span.clone().unwrap_or(table.header());
        let help = "remove it; `low` is enough".to_owned();
        table.report().error(span, what, help);
    }
    let (cells, empty, low, full) = (cells?.value, empty?, low?, full?);
    let span = low.span.clone().unwrap_or(table.header());
    let voltages = [empty.value, low.value, full.value];
    if !fit::voltages(table.report(), span, cells, voltages) {
        return None;
    }
    Some(Some(Battery {
        cells: u8::try_from(cells).ok()?,
        empty: empty.value,
        low: low.value,
        full: full.value,
        low_charge: low_charge.map(|share| share.value),
        current,
    }))
}

/// What tells of mains. `None` if it is wrong.
fn mains(top: &mut Section, chips: &Option<Vec<At<ChipPlan>>>) -> Option<MainsBy> {
    let mut group = top.group("mains");
    if !one_of(
        &mut group,
        &["line", "register", "voltage", "chip", "current", "kernel"],
    ) {
        return None;
    }
    if group.gives("line") {
        let mut table = group.below("line", keys::MAINS_LINE.keys);
        return by_line(&mut table, on_header_bus(chips));
    }
    if group.gives("register") {
        let mut table = group.below("register", keys::MAINS_REGISTER.keys);
        let chip = named_chip(&mut table, chips);
        let (register, mask, present) = (
            byte(&mut table, "register"),
            byte(&mut table, "mask"),
            byte(&mut table, "present"),
        );
        let (chip, mask, present) = (chip?, mask?, present?);
        return fit::bits(&mut table, mask, present).then_some(MainsBy::Register {
            address: chip.address,
            register: register?,
            mask,
            present,
        });
    }
    if group.gives("voltage") {
        let mut table = group.below("voltage", keys::MAINS_VOLTAGE.keys);
        let chip = named_chip(&mut table, chips);
        let inputs = registers::inputs(&mut table);
        let above = table.voltage("above");
        let chip = chip?;
        return Some(MainsBy::Voltage {
            address: chip.address,
            manner: chip.driver.manner(),
            inputs: inputs?,
            above: above?.value,
        });
    }
    if group.gives("chip") {
        let mut table = group.below("chip", keys::MAINS_CHIP.keys);
        let chip = named_chip(&mut table, chips)?;
        let address = chip.address;
        return fit::tells_mains(&mut table, &chip).then_some(MainsBy::Chip { address });
    }
    if group.gives("current") {
        let mut table = group.below("current", keys::MAINS_CURRENT.keys);
        let tells = chips.is_none() || any(chips, Driver::tells_current);
        return by_current(&mut table, tells);
    }
    if group.gives("kernel") {
        let supply = group
            .below("kernel", keys::MAINS_KERNEL.keys)
            .text("supply");
        return Some(MainsBy::Supply(supply?.value));
    }
    Some(MainsBy::Supplies)
}

/// Mains by a line.
fn by_line(table: &mut Section, bus: bool) -> Option<MainsBy> {
    let line = line(table, bus);
    let lost = table.choice("lost");
    let pull = table.choice("pull");
    let debounce = table.duration("debounce");
    Some(MainsBy::Line {
        line: line?,
        lost_high: lost?.value == "high",
        pull: match pull?.value {
            "up" => Pull::Up,
            "down" => Pull::Down,
            _ => Pull::AsIs,
        },
        debounce: debounce?.value,
    })
}

/// Mains by the current. `tells`: a chip tells it.
fn by_current(table: &mut Section, tells: bool) -> Option<MainsBy> {
    let dead_band = table.current("dead_band");
    if !tells {
        let what = "`mains.current` needs a chip that tells the current".to_owned();
        let help = "add one, such as driver = \"ina219\"".to_owned();
        let span = table.header();
        table.report().error(span, what, help);
    }
    Some(MainsBy::Current {
        dead_band: dead_band?.value,
    })
}

fn any(chips: &Option<Vec<At<ChipPlan>>>, tells: impl Fn(&Driver) -> bool) -> bool {
    let mut drivers = chips.iter().flatten().map(|chip| &chip.value.driver);
    drivers.any(tells)
}

/// How power is cut. `None` if it is wrong.
fn cut(
    top: &mut Section,
    chips: &Option<Vec<At<ChipPlan>>>,
    alive: Option<&Option<Drive>>,
) -> Option<Cut> {
    let mut group = top.group("cut");
    if !one_of(&mut group, &["line", "alive", "register"]) {
        return None;
    }
    if group.gives("alive") {
        let mut table = group.below("alive", keys::CUT_ALIVE.keys);
        let falls = table.flag("falls");
        return fit::falls(&mut table, falls, alive).then_some(Cut::Alive);
    }
    if group.gives("line") {
        let mut table = group.below("line", keys::CUT_LINE.keys);
        let line = line(&mut table, on_header_bus(chips));
        let level = table.choice("level");
        let hold = table.duration("hold");
        return Some(Cut::Line {
            drive: Drive {
                line: line?,
                high: level?.value == "high",
            },
            hold: hold?.value,
        });
    }
    if group.gives("register") {
        let mut table = group.below("register", keys::CUT_REGISTER.keys);
        return cut_by_register(&mut table, chips);
    }
    Some(Cut::None)
}

fn cut_by_register(table: &mut Section, chips: &Option<Vec<At<ChipPlan>>>) -> Option<Cut> {
    let chip = named_chip(table, chips);
    let (register, value) = (byte(table, "register"), byte(table, "value"));
    let proof = chip.as_ref().map(|chip| chip.driver.proof());
    let steps = registers::steps(table, proof.unwrap_or_default());
    let delay = table.duration("delay");
    let when = table.choice("when");
    let takes_back = table.gives("cancel");
    let cancel = byte(table, "cancel");
    let after_unmount = when.as_ref()?.value == "after-unmount";
    fit::ahead_is_long_enough(table, delay.as_ref(), after_unmount);
    let (chip, register, value, steps) = (chip?, register?, value?, steps?);
    let unlocked = steps.unlock.map(|unlock| unlock.register);
    let before = steps.first.map(|(register, _)| register);
    for register in [Some(register), unlocked, before].into_iter().flatten() {
        if !registers::may_write(table, &chip, register) {
            return None;
        }
    }
    let cancel = match takes_back {
        true => Some(cancel?),
        false => None,
    };
    let sensible = fit::taking_back(table, value, cancel);
    if !fit::keeping(table, value, cancel, steps.keep) {
        return sensible.then_some(Cut::None);
    }
    sensible.then_some(Cut::Register {
        bus: chip.bus,
        address: chip.address,
        register,
        value,
        delay: delay?.value,
        cancel,
        after_unmount,
        steps,
    })
}

/// The group has these tables only, and at most one of them.
fn one_of(group: &mut Section, names: &[&'static str]) -> bool {
    group.refuse_unknown(names);
    let given: Vec<&str> = names.iter().copied().filter(|n| group.gives(n)).collect();
    if given.len() < 2 {
        return true;
    }
    let (what, span) = (
        format!("more than one way is given: {}", given.join(", ")),
        group.header(),
    );
    group
        .report()
        .error(span, what, "keep one of them".to_owned());
    false
}

/// A line that is driven. `None` if it is wrong; `Some(None)` if there is none.
fn drive(
    top: &mut Section,
    (name, keys): (&str, &'static [super::super::schema::Key]),
    level: &str,
    bus: bool,
) -> Option<Option<Drive>> {
    if !top.gives(name) {
        return Some(None);
    }
    let mut table = top.below(name, keys);
    let line = line(&mut table, bus);
    let level = table.choice(level);
    Some(Some(Drive {
        line: line?,
        high: level?.value == "high",
    }))
}

/// Lines that the board uses in its own way. `None` if one of them is wrong.
fn reserved(top: &mut Section, bus: bool) -> Option<Vec<Reserved>> {
    let mut group = top.group("pin");
    let mut names: Vec<&str> = group.entries().map(|(name, _)| &**name.get_ref()).collect();
    names.sort_unstable();
    let mut all = Vec::new();
    for name in names {
        let mut table = group.below(name, keys::PIN.keys);
        let line = line(&mut table, bus);
        let purpose = table.text("use");
        all.push(line.zip(purpose).map(|(line, purpose)| Reserved {
            line,
            purpose: purpose.value,
        }));
    }
    all.into_iter().collect()
}

/// A line that nothing else needs. `bus`: a chip of the board is on the header's bus.
fn line(table: &mut Section, bus: bool) -> Option<Line> {
    let gpio = table.text("gpio");
    let line = table.count("line");
    let gpio = gpio?.value;
    let gpio = (gpio != HEADER).then_some(gpio);
    let line = line?.map(|line| Line { gpio, line });
    fit::line_is_free(table, &line, bus);
    Some(line.value)
}

fn on_header_bus(chips: &Option<Vec<At<ChipPlan>>>) -> bool {
    let mut buses = chips.iter().flatten().map(|chip| chip.value.bus);
    buses.any(|bus| bus == pins::HEADER_BUS)
}

/// The chip that `chip` names.
fn named_chip(table: &mut Section, chips: &Option<Vec<At<ChipPlan>>>) -> Option<ChipPlan> {
    let name = table.text("chip")?;
    let chips = chips.as_ref()?;
    let found = chips.iter().find(|chip| chip.value.name == name.value);
    if found.is_none() {
        let span: Range<usize> = name.span.clone().unwrap_or(table.header());
        let what = format!("there is no chip {:?}", name.value);
        let known: Vec<&str> = chips.iter().map(|chip| &*chip.value.name).collect();
        let help = match known.is_empty() {
            true => format!("add [chip.{}]", name.value),
            false => format!("name one of: {}", known.join(", ")),
        };
        table.report().error(span, what, help);
    }
    found.map(|chip| chip.value.clone())
}
