//! Every board that is shipped, in the world of the other seeds: its chips are played by the registers
//! that its file names, with all that they can misread.
//!
//! `SIM_BOARD_SEEDS=n` plays n seeds of each. The invariants are those of all seeds: no halt on mains,
//! and none missed on battery.

use crate::chips::Chips;
use crate::outage::cell::Cell;
use crate::plan::Plan;
use crate::play_plan;
use crate::rng::Rng;
use crate::story::Book;
use crate::tally::Tally;
use fieldwarden::config::board::{BUILT_IN, Board, MainsBy, Shelf};
use fieldwarden::core::fact::{Fact, Reading};

/// Seeds of each board in a usual run. In the long run they meet with every misreading.
const SEEDS: u64 = 3;

/// So many of each board meet with several misreadings of its own.
const MANY: u64 = 12;

fn boards() -> impl Iterator<Item = Board> {
    let shelf = Shelf::built_in();
    BUILT_IN
        .iter()
        .filter_map(move |(name, _)| shelf.board(name)?.ok())
}

/// Each board lives through outages with a gauge that lies.
#[test]
fn every_board_lives() {
    let seeds = crate::variable("SIM_BOARD_SEEDS").unwrap_or(SEEDS);
    let mut failed = Vec::new();
    // A board without a battery is the world of the other seeds.
    for board in boards().filter(|b| !b.simulated && b.battery.is_some()) {
        let mut all = Tally::default();
        for seed in 0..seeds {
            match play_plan(Plan::on(seed, &board.name), &Book::default()) {
                Ok(tally) => all.add(&tally),
                Err(why) => failed.push(format!("{} on seed {seed}: {why}", board.name)),
            }
        }
        let sees = board.mains != MainsBy::Supplies;
        println!(
            "{}: {} outages seen, {} halts, off by mains {}, empty {}, misread {:?}",
            board.name,
            all.note("MainsLost"),
            all.halts,
            all.power.off_by_mains,
            all.power.empty,
            all.power.ails
        );
        if seeds >= MANY {
            assert!(!sees || all.note("MainsLost") > 0, "{}", board.name);
            let ails = &all.power.ails;
            assert!(ails.len() > 3, "{}: {ails:?}", board.name);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What a chip has at its pins is what is read of it, for each board, whatever scale and order of bytes
/// its file names; and its register or its inputs tell of mains as they are.
#[test]
fn every_board_reads_what_is_there() {
    let mut rng = Rng::new(7);
    for board in boards().filter(|b| !b.simulated && b.battery.is_some()) {
        let cells = board.battery.map_or(1, |battery| i64::from(battery.cells));
        let by_chip = matches!(
            board.mains,
            MainsBy::Register { .. } | MainsBy::Voltage { .. } | MainsBy::Chip { .. }
        );
        for mains in [true, false] {
            let mut cell = Cell::small(&mut rng);
            let mut chips = Chips::of(&board, &mut rng).expect("a gauge");
            for step in 0..20 {
                cell.pass(10_000, mains, 300, 0);
                let look = chips.look(step * 10_000, &cell, None, Some(mains));
                let told = look.facts.iter().find_map(|fact| match fact {
                    Fact::Seen(Reading::Mains { present }) => Some(*present),
                    _ => None,
                });
                assert_eq!(told, by_chip.then_some(mains), "{}", board.name);
                let gauge = look.facts.iter().find_map(|fact| match fact {
                    Fact::Seen(Reading::Gauge {
                        voltage,
                        charge,
                        current,
                    }) => Some((*voltage, *charge, *current)),
                    _ => None,
                });
                let (voltage, charge, current) =
                    gauge.unwrap_or_else(|| panic!("{}: {look:?}", board.name));
                // Noise of 3 mV and 3 mA, and a step of the chip.
                let off = |told: i64, truth: i64, most: i64| (told - truth).abs() <= most;
                let volts = voltage.is_some_and(|v| off(v.0.into(), cell.voltage() * cells, 10));
                assert!(volts, "{}: {voltage:?} for {cell:?}", board.name);
                let charge = charge.is_none_or(|c| off(c.0.into(), cell.share(), 10));
                assert!(charge, "{}: {cell:?}", board.name);
                let current = current.is_none_or(|c| off(c.0.into(), cell.current, 20));
                assert!(current, "{}: {cell:?}", board.name);
            }
        }
    }
}
