//! Chips on a bus that says anything.

use crate::chip::framed::Protocol;
use crate::chip::registers::Layout;
use crate::chip::{self, Bus, Chip, Ina219, Max1704x, Registers, Variant, ds3231};
use crate::config::board::{BUILT_IN, Board, Driver, Shelf};
use crate::core::fact::Errno;
use crate::units::Milliamps;
use std::sync::OnceLock;

/// A bus whose answers are these bytes, and whose transfers fail now and then. At their end nobody is
/// there.
struct AnyBus<'a>(std::slice::Iter<'a, u8>);

/// ETIMEDOUT, of a stuck bus, and EREMOTEIO, of a chip that does not answer.
const FAULTS: [Errno; 2] = [Errno(110), Errno(121)];

impl AnyBus<'_> {
    fn transfer(&mut self) -> Result<(), Errno> {
        match self.0.next() {
            Some(0xF0..) => Err(FAULTS[0]),
            Some(_) => Ok(()),
            None => Err(FAULTS[1]),
        }
    }
}

impl Bus for AnyBus<'_> {
    fn read(&mut self, _: u8, _: u8, into: &mut [u8]) -> Result<(), Errno> {
        self.transfer()?;
        for byte in into {
            *byte = *self.0.next().ok_or(FAULTS[1])?;
        }
        Ok(())
    }

    fn write(&mut self, _: u8, _: u8, _: &[u8]) -> Result<(), Errno> {
        self.transfer()
    }

    fn receive(&mut self, address: u8, into: &mut [u8]) -> Result<(), Errno> {
        self.read(address, 0, into)
    }
}

/// Every chip that is known: what it tells is something that a battery can do, or it is not believed.
pub fn decoders(bytes: &[u8]) {
    let variants = [
        Variant::Max17040,
        Variant::Max17041,
        Variant::Max17043,
        Variant::Max17044,
        Variant::Max17048,
        Variant::Max17049,
        Variant::Max17058,
        Variant::Max17059,
    ];
    for cells in 1..=4 {
        for variant in variants {
            poll(Max1704x::new(0x36, variant), cells, bytes);
        }
        for (shunt, range) in [(1_000, 1), (10_000, 5_000), (100_000, i32::MAX)] {
            let chip = |sign| Ina219::new(0x40, shunt, Milliamps(range), sign);
            poll(chip(true), cells, bytes);
            poll(chip(false), cells, bytes);
        }
    }
    for (_, protocol) in Protocol::ALL {
        poll_any(protocol.chip(0x14), 1, bytes);
        let mut bus = AnyBus(bytes.iter());
        while bus.0.len() > 0 {
            let _ = protocol.chip(0x14).mains(&mut bus);
        }
    }
    // The first byte chooses: all of them with all bytes would take the time of everything else.
    let chosen = bytes.first().map_or(0, |byte| usize::from(*byte));
    let layouts = layouts();
    if let Some((cells, address, layout)) = layouts.get(chosen % layouts.len().max(1)) {
        poll(Registers::new(*address, layout.clone()), *cells, bytes);
    }
    let mut bus = AnyBus(bytes.iter());
    while bus.0.len() > 0 {
        // Whatever it says; what it shows is judged by the clock's policy.
        let _ = ds3231::time(&mut bus);
        let _ = ds3231::about(&mut bus);
    }
}

/// Chips of which a board file that is shipped lists the registers, with the cells of the board.
fn layouts() -> &'static [(u8, u8, Layout)] {
    static LAYOUTS: OnceLock<Vec<(u8, u8, Layout)>> = OnceLock::new();
    LAYOUTS.get_or_init(|| {
        let shelf = Shelf::built_in();
        let boards = BUILT_IN
            .iter()
            .filter_map(|(name, _)| shelf.board(name)?.ok());
        let of = |board: Board| {
            let cells = board.battery.map_or(1, |battery| battery.cells);
            let chips = board.chips.into_iter();
            chips.filter_map(move |chip| match chip.driver {
                Driver::Registers { layout, .. } => Some((cells, chip.address, *layout)),
                Driver::Ina219 { .. } | Driver::Max1704x(_) | Driver::Framed(_) => None,
            })
        };
        boards.flat_map(of).collect()
    })
}

fn poll(chip: impl Chip + Send + 'static, cells: u8, bytes: &[u8]) {
    poll_any(Box::new(chip), cells, bytes);
}

fn poll_any(mut chip: Box<dyn Chip + Send>, cells: u8, bytes: &[u8]) {
    let mut bus = AnyBus(bytes.iter());
    let mut left = usize::MAX;
    // A chip that is there for something else reads nothing.
    while bus.0.len() > 0 && bus.0.len() < left {
        left = bus.0.len();
        let Ok(sample) = chip.poll(&mut bus).and_then(|s| chip::judge(s, cells)) else {
            continue;
        };
        let volts = sample.voltage.map_or(3_700, |v| v.0 / u32::from(cells));
        assert!((2_000..=4_800).contains(&volts), "{sample:?}");
        assert!(sample.charge.is_none_or(|c| c.0 <= 1_000), "{sample:?}");
        let current = sample.current.map_or(0, |c| c.0.unsigned_abs());
        assert!(current <= 20_000, "{sample:?}");
    }
}
