//! Reads the chips of a board file.

use super::super::table::{At, Table};
use super::{ChipPlan, Driver, keys, registers};
use crate::chip::Variant;
use crate::chip::framed::Protocol;

type Section<'r, 't, 'i> = Table<'r, 't, 'i>;

/// Keys of which a driver needs some, and the others nothing.
const OF_DRIVERS: [&str; 12] = [
    "model",
    "shunt",
    "range",
    "charging",
    "voltage",
    "charge",
    "current",
    "bytewise",
    "alike",
    "id",
    "wake",
    "never_write",
];

/// All chips; `None` if anything is wrong with one of them.
pub(super) fn chips(top: &mut Section) -> Option<Vec<At<ChipPlan>>> {
    let mut group = top.group("chip");
    let mut names: Vec<_> = group.entries().map(|(name, _)| name).collect();
    names.sort_by(|a, b| a.get_ref().cmp(b.get_ref()));
    let mut chips: Vec<Option<At<ChipPlan>>> = Vec::new();
    for name in names {
        let text: &str = name.get_ref();
        let chip = chip(group.below(text, keys::CHIP.keys), text);
        chips.push(chip.map(|value| At {
            value,
            span: Some(name.span()),
        }));
    }
    let chips: Vec<_> = chips.into_iter().collect::<Option<_>>()?;
    for (at, chip) in chips.iter().enumerate() {
        let (this, span) = (&chip.value, chip.span.clone().unwrap_or(0..0));
        let before = chips[..at].iter().map(|other| &other.value);
        if let Some(other) = before.clone().find(|other| other.bus != this.bus) {
            let what = format!("chip {} is on another bus than {}", this.name, other.name);
            let help = "all chips of a board are on one bus".to_owned();
            group.report().error(span.clone(), what, help);
        }
        if let Some(other) = before.clone().find(|other| other.address == this.address) {
            let what = format!("chip {} has the address of {}", this.name, other.name);
            group
                .report()
                .error(span, what, "give each its own".to_owned());
        }
    }
    Some(chips)
}

fn chip(mut table: Section, name: &str) -> Option<ChipPlan> {
    let driver = table.choice("driver");
    let bus = table.count("bus");
    let address = table.address("address");
    let model = table.choice("model");
    let shunt = table.resistance("shunt");
    let range = table.current("range");
    let charging = table.choice("charging");
    let layout = registers::layout(&mut table);
    let driver = driver?.value;
    let (wanted, allowed): (&[&str], &[&str]) = match driver {
        "max1704x" => (&["model"], &[]),
        "ina219" => (&["shunt", "range", "charging"], &[]),
        framed if framed.starts_with("framed:") => (&[], &[]),
        _ if table.gives("current") => (&["charging"], &OF_DRIVERS[4..]),
        _ => (&[], &OF_DRIVERS[4..]),
    };
    let right = fits(&mut table, driver, wanted, allowed);
    let driver = match driver {
        "max1704x" => Driver::Max1704x(variant(model?.value)?),
        "ina219" => Driver::Ina219 {
            micro_ohms: shunt?.value,
            range: range?.value,
            charging_positive: charging?.value == "positive",
        },
        framed if framed.starts_with("framed:") => Driver::Framed(protocol(framed)?),
        _ => {
            let (mut layout, never_write) = layout?;
            layout.charging_positive = charging.is_some_and(|sign| sign.value == "positive");
            if !registers::may_wake(&mut table, &layout, &never_write) {
                return None;
            }
            Driver::Registers {
                layout: Box::new(layout),
                never_write,
            }
        }
    };
    right.then_some(ChipPlan {
        name: name.to_owned(),
        bus: u8::try_from(bus?.value).ok()?,
        address: address?.value,
        driver,
    })
}

fn variant(model: &str) -> Option<Variant> {
    let known = Variant::ALL.iter().find(|(word, _)| *word == model);
    known.map(|(_, variant)| *variant)
}

fn protocol(word: &str) -> Option<Protocol> {
    let known = Protocol::ALL.iter().find(|(known, _)| *known == word);
    known.map(|(_, protocol)| *protocol)
}

/// Reports keys that the driver needs and does not have, and those that mean nothing to it.
fn fits(table: &mut Section, driver: &str, wanted: &[&str], allowed: &[&str]) -> bool {
    let mut right = true;
    for key in OF_DRIVERS {
        let (given, needed) = (table.gives(key), wanted.contains(&key));
        let fine = given == needed || given && allowed.contains(&key);
        if fine || (!given && !table.sound()) {
            continue;
        }
        let (path, span) = (table.full(key), table.header());
        let (what, help) = match needed {
            true => {
                let entry = keys::CHIP.keys.iter().find(|k| k.name == key);
                let example = entry.map_or_else(String::new, |k| k.shown());
                (
                    format!("`{path}` is missing, which {driver} needs"),
                    format!("add a line such as {key} = {example}"),
                )
            }
            false => (
                format!("`{path}` means nothing to {driver}"),
                format!("remove the line {key} = ..."),
            ),
        };
        table.report().error(span, what, help);
        right = false;
    }
    right
}
