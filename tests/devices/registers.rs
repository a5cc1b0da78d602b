//! What each shipped board with registers says: bytes as its maker's documents have them, and what
//! comes of them. A register, an order of bytes, a scale or a polarity that is wrong in a file fails.

use fieldwarden::chip::Bus;
use fieldwarden::config::board::{self, BUILT_IN, Board, Driver, MainsBy};
use fieldwarden::core::fact::{Errno, Fact, Fault, Reading, Source};
use fieldwarden::edge::bound_chips::BoundChips;
use fieldwarden::edge::gauge::Gauge;
use fieldwarden::units::{Milliamps, Millivolts, Permille};
use std::collections::BTreeMap;
use std::path::Path;

/// Chips by address and register, a byte each; nobody else answers.
#[derive(Clone, Default)]
struct Chips(BTreeMap<(u8, u8), u8>);

impl Chips {
    fn of(bytes: &[(u8, u8, &[u8])]) -> Chips {
        let mut chips = Chips::default();
        for (address, register, bytes) in bytes {
            chips.set(*address, *register, bytes);
        }
        chips
    }

    fn set(&mut self, address: u8, register: u8, bytes: &[u8]) {
        let bytes = (register..).zip(bytes);
        let bytes = bytes.map(|(register, byte)| ((address, register), *byte));
        self.0.extend(bytes);
    }
}

impl Bus for Chips {
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        for (register, byte) in (register..).zip(into) {
            *byte = *self.0.get(&(address, register)).ok_or(Errno(121))?;
        }
        Ok(())
    }

    fn write(&mut self, address: u8, register: u8, _: &[u8]) -> Result<(), Errno> {
        panic!("register {register:#04x} of {address:#04x} is written to");
    }
}

/// A bus that is held: whoever is asked says this, and takes everything.
struct Held(u8);

impl Bus for Held {
    fn read(&mut self, _: u8, _: u8, into: &mut [u8]) -> Result<(), Errno> {
        into.fill(self.0);
        Ok(())
    }

    fn write(&mut self, _: u8, _: u8, _: &[u8]) -> Result<(), Errno> {
        Ok(())
    }

    fn receive(&mut self, _: u8, into: &mut [u8]) -> Result<(), Errno> {
        into.fill(self.0);
        Ok(())
    }
}

/// What a board says.
struct Row {
    board: &'static str,
    /// Address, first register, bytes.
    bytes: &'static [(u8, u8, &'static [u8])],
    millivolts: u32,
    percent: Option<u16>,
    milliamps: Option<i32>,
    /// What says that mains are there, and that they are gone.
    mains: Option<[(u8, u8, &'static [u8]); 2]>,
}

const ROWS: [Row; 13] = [
    Row {
        board: "dfrobot-ups-hat",
        bytes: &[(0x10, 1, &[0xDF]), (0x10, 3, &[0xFC, 0x58, 0x4B, 0x00])],
        millivolts: 3_950,
        percent: Some(75),
        milliamps: None,
        mains: None,
    },
    Row {
        board: "ep-0136",
        bytes: &[
            (0x17, 0x05, &[0x6E, 0x0F]),
            (0x17, 0x07, &[0x00, 0x00, 0x00, 0x00]),
            (0x17, 0x13, &[75, 0]),
        ],
        millivolts: 3_950,
        percent: Some(75),
        milliamps: None,
        mains: Some([(0x17, 0x09, &[0x88, 0x13]), (0x17, 0x09, &[0xA0, 0x0F])]),
    },
    Row {
        board: "geekworm-ups2",
        bytes: &[
            (0x55, 0x04, &[0x6E, 0x0F]),
            (0x55, 0x10, &[0x0C, 0xFE]),
            (0x55, 0x1C, &[75, 0]),
        ],
        millivolts: 3_950,
        percent: Some(75),
        milliamps: Some(-500),
        mains: None,
    },
    Row {
        board: "geekworm-ups3",
        bytes: &[(0x36, 0x02, &[0xC5, 0x80, 0x4B, 0x00])],
        millivolts: 3_950,
        percent: Some(75),
        milliamps: None,
        mains: Some([(0x6A, 0x0B, &[0x04]), (0x6A, 0x0B, &[0xFB])]),
    },
    Row {
        board: "lifepo4wered-4",
        bytes: &[(0x43, 0, &[4]), (0x43, 0x1D, &[0xA3, 0x02])],
        millivolts: 3_299,
        percent: None,
        milliamps: None,
        mains: Some([(0x43, 0x21, &[0x11, 0x02]), (0x43, 0x21, &[0xFF, 0xFF])]),
    },
    Row {
        board: "lifepo4wered-6",
        bytes: &[(0x43, 0, &[6]), (0x43, 0x22, &[0x18, 0x15])],
        millivolts: 3_299,
        percent: None,
        milliamps: None,
        mains: Some([(0x43, 0x26, &[0x89, 0x10]), (0x43, 0x26, &[0xFE, 0xFF])]),
    },
    Row {
        board: "lifepo4wered-7",
        bytes: &[(0x43, 0, &[7]), (0x43, 0x32, &[0x18, 0x15])],
        millivolts: 3_299,
        percent: None,
        milliamps: None,
        mains: Some([(0x43, 0x36, &[0x4D, 0x06]), (0x43, 0x36, &[0x4D, 0x05])]),
    },
    Row {
        board: "pipower-3",
        bytes: &[(0x5B, 8, &[0xB0, 0x1D]), (0x5B, 12, &[75])],
        millivolts: 7_600,
        percent: Some(75),
        milliamps: None,
        mains: Some([(0x5B, 16, &[1]), (0x5B, 16, &[0])]),
    },
    Row {
        board: "pipower-5",
        bytes: &[
            (0x5C, 8, &[0xB0, 0x1D]),
            (0x5C, 10, &[0x0C, 0xFE]),
            (0x5C, 12, &[75]),
        ],
        millivolts: 7_600,
        percent: Some(75),
        milliamps: Some(-500),
        mains: Some([(0x5C, 16, &[1]), (0x5C, 16, &[0])]),
    },
    Row {
        board: "pisugar-2",
        bytes: &[(0x75, 0xA2, &[0x88, 0xD3])],
        millivolts: 3_942,
        percent: None,
        milliamps: None,
        mains: None,
    },
    Row {
        board: "pisugar-2-pro",
        bytes: &[(0x75, 0xD0, &[0x88, 0xD3])],
        millivolts: 3_942,
        percent: None,
        milliamps: None,
        mains: None,
    },
    Row {
        board: "pisugar-3",
        bytes: &[(0x57, 0x22, &[0x0F, 0x6E]), (0x57, 0x2A, &[75])],
        millivolts: 3_950,
        percent: Some(75),
        milliamps: None,
        mains: Some([(0x57, 0x02, &[0x80]), (0x57, 0x02, &[0x7F])]),
    },
    Row {
        board: "waveshare-ups-hat-e",
        bytes: &[
            (0x2D, 0, &[0x0A]),
            (0x2D, 0x20, &[0xB8, 0x3D, 0x0C, 0xFE, 75, 0]),
        ],
        millivolts: 15_800,
        percent: Some(75),
        milliamps: Some(-500),
        mains: Some([(0x2D, 0x02, &[0x20]), (0x2D, 0x02, &[0xDF])]),
    },
];

/// Has its mains by a line.
const UPS_LITE: Row = Row {
    board: "ups-lite-1.3",
    bytes: &[(0x62, 0x02, &[0x30, 0xAB, 75]), (0x62, 0x0A, &[0x00])],
    millivolts: 3_799,
    percent: Some(75),
    milliamps: None,
    mains: None,
};

fn shipped(name: &str) -> Board {
    let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == name).unwrap();
    board::parse(name, name, text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn heard(board: &Board, bus: impl Bus + Send + 'static) -> Vec<Fact> {
    let nowhere = BoundChips::new(Path::new("/nowhere"));
    let mut gauge = Gauge::of(board, Box::new(bus), nowhere).pausing(|_| {});
    // Some chips are set up by the first look.
    gauge.look();
    gauge.look().facts
}

fn lost(source: Source) -> Fact {
    let why = Fault::Implausible;
    Fact::Lost { source, why }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain([&UPS_LITE])
}

/// Every board of which the file lists registers says what its maker's documents make of these bytes,
/// with mains and without them.
#[test]
fn every_board_says_what_its_registers_hold() {
    for row in rows() {
        let board = shipped(row.board);
        let gauge = Fact::Seen(Reading::Gauge {
            voltage: Some(Millivolts(row.millivolts)),
            charge: row.percent.map(|percent| Permille(percent * 10)),
            current: row.milliamps.map(Milliamps),
        });
        let Some(mains) = row.mains else {
            let chips = Chips::of(row.bytes);
            assert_eq!(heard(&board, chips), [gauge], "{}", row.board);
            continue;
        };
        for ((address, register, bytes), present) in mains.into_iter().zip([true, false]) {
            let mut chips = Chips::of(row.bytes);
            chips.set(address, register, bytes);
            let mains = Fact::Seen(Reading::Mains { present });
            let heard = heard(&board, chips);
            assert_eq!(heard, [gauge.clone(), mains], "{}", row.board);
        }
    }
}

/// No such board is left out.
#[test]
fn every_board_with_registers_has_a_row() {
    for (name, _) in BUILT_IN {
        let board = shipped(name);
        let tells = |driver: &Driver| match driver {
            Driver::Registers { layout, .. } => layout.tells(),
            Driver::Max1704x(_) | Driver::Ina219 { .. } | Driver::Framed(_) => false,
        };
        let by_register = matches!(
            board.mains,
            MainsBy::Register { .. } | MainsBy::Voltage { .. }
        );
        if by_register || board.chips.iter().any(|chip| tells(&chip.driver)) {
            assert!(rows().any(|row| row.board == *name), "{name}");
        }
    }
}

/// A bus that is held up or down, where everything reads as zeros or as ones, is a lost battery and
/// lost mains on every board: never an empty battery, an outage, or mains.
#[test]
fn a_bus_that_is_held_says_nothing() {
    let mut asked = 0;
    for (name, _) in BUILT_IN {
        let board = shipped(name);
        for byte in [0x00, 0xFF] {
            if board.simulated || !board.has_gauge() {
                continue;
            }
            let heard = heard(&board, Held(byte));
            let lost = heard.iter().all(|fact| matches!(fact, Fact::Lost { .. }));
            assert!(lost && !heard.is_empty(), "{name} {byte:#04x}: {heard:?}");
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
}

/// Where something else answers at the address of a chip with an id, mains are not believed either.
#[test]
fn another_chip_is_not_believed() {
    for (name, address, register) in [
        ("waveshare-ups-hat-e", 0x2D, 0),
        ("lifepo4wered-4", 0x43, 0),
        ("lifepo4wered-6", 0x43, 0),
        ("lifepo4wered-7", 0x43, 0),
    ] {
        let row = rows().find(|row| row.board == name).unwrap();
        for (at, mains, bytes) in row.mains.unwrap() {
            let mut chips = Chips::of(row.bytes);
            chips.set(at, mains, bytes);
            chips.set(address, register, &[0x55]);
            let wanted = [lost(Source::Gauge), lost(Source::Mains)];
            assert_eq!(heard(&shipped(name), chips), wanted, "{name}");
        }
    }
}

/// A charge that cannot be is not one of 100 %, and takes no voltage with it.
#[test]
fn a_senseless_charge_leaves_the_voltage() {
    for (name, address, register, bytes) in [
        ("waveshare-ups-hat-e", 0x2D, 0x24, [101, 0]),
        ("dfrobot-ups-hat", 0x10, 0x05, [111, 0]),
        ("geekworm-ups2", 0x55, 0x1C, [0xFF, 0xFF]),
    ] {
        let row = rows().find(|row| row.board == name).unwrap();
        let mut chips = Chips::of(row.bytes);
        if let Some([(at, mains, bytes), _]) = row.mains {
            chips.set(at, mains, bytes);
        }
        chips.set(address, register, &bytes);
        let gauge = Fact::Seen(Reading::Gauge {
            voltage: Some(Millivolts(row.millivolts)),
            charge: None,
            current: row.milliamps.map(Milliamps),
        });
        assert_eq!(heard(&shipped(name), chips)[0], gauge, "{name}");
    }
}

/// An input of more than any board takes is no mains, but lost; one below zero has none.
#[test]
fn a_senseless_input_is_no_mains() {
    for (name, bytes) in [
        ("ep-0136", [0xFF, 0xFF]),
        ("lifepo4wered-4", [0xFF, 0x7F]),
        ("lifepo4wered-6", [0xFF, 0x7F]),
        ("lifepo4wered-7", [0xFF, 0x7F]),
    ] {
        let row = rows().find(|row| row.board == name).unwrap();
        let mut chips = Chips::of(row.bytes);
        let (address, register, _) = row.mains.unwrap()[0];
        chips.set(address, register, &bytes);
        let heard = heard(&shipped(name), chips);
        assert_eq!(heard[1], lost(Source::Mains), "{name}");
    }
}
