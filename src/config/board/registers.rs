//! Reads what a board file says of the registers of a chip.

use super::super::restart;
use super::super::table::{At, Table};
use super::{ChipPlan, Driver, Steps, Unlock};
use crate::chip::registers::{Encoding, Field, Id, Layout, Manner, Order, Proof, Wake};
use std::ops::Range;

type Section<'r, 't, 'i> = Table<'r, 't, 'i>;

/// Most inputs of a board.
const INPUTS_MAX: usize = 4;

/// Highest voltage at an input that is believed where the file gives none, in millivolts: no board
/// takes more, and a bus that is held up reads as far more.
const INPUT_HIGHEST: u32 = 30_000;

/// The layout of a chip, without the sign of its current, and what must never be written. `None` if
/// anything is wrong with it.
pub(super) fn layout(table: &mut Section) -> Option<(Layout, Box<[u8]>)> {
    let [voltage, charge, current] = ["voltage", "charge", "current"].map(|name| {
        let mut inner = table.inner(name);
        let given = inner.entries().next().is_some();
        given.then(|| field(&mut inner))
    });
    let bytewise = table.flag("bytewise");
    let alike = table.count("alike");
    let id = id(table);
    let wake = wake(table);
    let never_write = bytes(table, "never_write");
    // A field that is given and wrong makes all of it wrong.
    let layout = Layout {
        manner: Manner {
            bytewise: bytewise?.value,
            alike: u8::try_from(alike?.value).ok()?,
        },
        proof: Proof {
            id: id?,
            wake: wake?,
        },
        voltage: sound(voltage)?,
        charge: sound(charge)?,
        current: sound(current)?,
        charging_positive: true,
    };
    Some((layout, never_write?.value))
}

/// `None` if it is given and wrong.
fn sound<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
        None => Some(None),
    }
}

fn id(table: &mut Section) -> Option<Option<Id>> {
    let given = table.gives("id");
    let mut inner = table.inner("id");
    if !given {
        return Some(None);
    }
    let (register, value) = (byte(&mut inner, "register"), byte(&mut inner, "value"));
    Some(Some(Id {
        register: register?,
        value: value?,
    }))
}

fn wake(table: &mut Section) -> Option<Option<Wake>> {
    let given = table.gives("wake");
    let mut inner = table.inner("wake");
    if !given {
        return Some(None);
    }
    let register = byte(&mut inner, "register");
    let (mask, value) = (byte(&mut inner, "mask"), byte(&mut inner, "value"));
    Some(Some(Wake {
        register: register?,
        mask: mask?,
        value: value?,
    }))
}

/// A field with its own register.
fn field(table: &mut Section) -> Option<Field> {
    let register = byte(table, "register");
    let written = written(table);
    Some(Field {
        register: register?,
        ..written?
    })
}

/// How a quantity is written, wherever it stands.
fn written(table: &mut Section) -> Option<Field> {
    let order = table.choice("order");
    let mask = table.count("mask");
    let encoding = table.choice("encoding");
    let (times, divided_by) = (table.count("times"), table.count("divided_by"));
    let plus = table.signed("plus");
    let signed = table.flag("signed");
    let most_given = table.gives("most");
    let most = table.count("most");
    let most = match most_given {
        true => Some(most?.value),
        false => None,
    };
    let order = match order?.value {
        "byte" => Order::Byte,
        "high-first" => Order::HighFirst,
        _ => Order::LowFirst,
    };
    let mut mask = mask?;
    if order == Order::Byte {
        // By default all bits count, of which there are eight.
        if mask.span.is_some() && mask.value > 0xFF {
            let span = mask.span.clone().unwrap_or(table.header());
            let path = table.full("mask");
            let what = format!("`{path}` ({:#06x}) has more bits than a byte", mask.value);
            let help = "write at most 0xFF, or an order of two bytes".to_owned();
            table.report().error(span, what, help);
            return None;
        }
        mask.value &= 0xFF;
    }
    Some(Field {
        register: 0,
        order,
        mask: u16::try_from(mask.value).ok()?,
        encoding: match encoding?.value {
            "bcd" => Encoding::Bcd,
            "hundredths" => Encoding::Hundredths,
            _ => Encoding::Binary,
        },
        signed: signed?.value,
        times: times?.value,
        divided_by: divided_by?.value,
        plus: plus?.value,
        most,
    })
}

/// The inputs of `[mains.voltage]`.
pub(super) fn inputs(table: &mut Section) -> Option<Vec<Field>> {
    let registers = bytes(table, "registers");
    let written = written(table);
    let registers = registers?;
    if !(1..=INPUTS_MAX).contains(&registers.value.len()) {
        let what = format!(
            "`{}` must name one to four registers",
            table.full("registers")
        );
        let span = registers.span.clone().unwrap_or(table.header());
        let help = "write the first register of each input, as in [0x07, 0x09]".to_owned();
        table.report().error(span, what, help);
        return None;
    }
    let written = written?;
    let input = |register: &u8| Field {
        register: *register,
        most: written.most.or(Some(INPUT_HIGHEST)),
        ..written
    };
    Some(registers.value.iter().map(input).collect())
}

/// What is done beside the writing of one register.
pub(super) fn steps(table: &mut Section, proof: Proof) -> Option<Steps> {
    let keep = byte(table, "keep");
    let checked = table.choice("check");
    let (unlocks, before) = (table.gives("unlock"), table.gives("before"));
    let unlock = {
        let mut inner = table.inner("unlock");
        let of = |inner: &mut Section| {
            let register = byte(inner, "register");
            let (open, close) = (byte(inner, "open"), byte(inner, "close"));
            Some(Unlock {
                register: register?,
                open: open?,
                close: close?,
            })
        };
        unlocks.then(|| of(&mut inner))
    };
    let first = {
        let mut inner = table.inner("before");
        let of = |inner: &mut Section| byte(inner, "register").zip(byte(inner, "value"));
        before.then(|| of(&mut inner))
    };
    Some(Steps {
        proof,
        checked: checked?.value == "xor",
        keep: keep?,
        unlock: sound(unlock)?,
        first: sound(first)?,
    })
}

/// What wakes the chip up may be written. False if it must not be.
pub(super) fn may_wake(table: &mut Section, layout: &Layout, never_write: &[u8]) -> bool {
    let wake = layout.proof.wake.map(|wake| wake.register);
    let Some(register) = wake.filter(|register| never_write.contains(register)) else {
        return true;
    };
    let span = table.header();
    refuse(table, span, register);
    false
}

/// A register of a chip may be written. False if it must not be.
pub(super) fn may_write(table: &mut Section, chip: &ChipPlan, register: u8) -> bool {
    let forbidden = match &chip.driver {
        Driver::Registers { never_write, .. } => never_write.contains(&register),
        Driver::Max1704x(_) | Driver::Ina219 { .. } | Driver::Framed(_) => false,
    };
    if forbidden {
        let span = table.header();
        refuse(table, span, register);
    }
    !forbidden
}

fn refuse(table: &mut Section, span: Range<usize>, register: u8) {
    let what = format!("register {register:#04x} must never be written: `never_write` names it");
    let help = "name the register that the maker's documents name for this".to_owned();
    table.report().error(span, what, help);
}

fn bytes(table: &mut Section, name: &str) -> Option<At<Box<[u8]>>> {
    table.other(name, restart::codes)
}

pub(super) fn byte(table: &mut Section, name: &str) -> Option<u8> {
    u8::try_from(table.count(name)?.value).ok()
}
