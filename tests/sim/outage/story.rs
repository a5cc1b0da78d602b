//! What a seed decides: the board, the configuration, when mains are there, and what goes wrong.

use super::gauge::{Gauge, Wrong};
use crate::outage::cell::Cell;
use crate::rng::Rng;
use fieldwarden::config::{self, Shelf};
use fieldwarden::core::budget::StopTimes;
use fieldwarden::core::settings::Settings;
use std::fmt::Write as _;
use std::time::Duration;

/// What tells of mains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// Edges, and a look every so often.
    Gpio,
    /// A look every so many milliseconds.
    Polled(u64),
    /// Nothing but the sign of the current.
    None,
}

/// By how much a load makes a gauge say less charge at most, in thousandths.
pub const MOST_DIP: i64 = 8;

/// A span of time, from the first to the second millisecond.
pub type Span = (u64, u64);

/// Everything that is fixed for one run. Times in milliseconds.
pub struct Story {
    pub toml: String,
    /// The file of its board.
    pub board: String,
    pub settings: Settings,
    pub line: Line,
    pub cell: Cell,
    /// No gauge at all if `None`.
    pub gauge: Option<Gauge>,
    /// Mean load on the battery, in milliamperes.
    pub load: i64,
    /// When mains are gone, in order.
    pub cuts: Vec<Span>,
    /// When the gauge is wrong, and how, in order; never two at a time.
    pub wrongs: Vec<(Span, Wrong)>,
    /// When the line cannot be read.
    pub blind: Vec<Span>,
    /// When the line says that mains are gone, whatever is true.
    pub stuck: Option<Span>,
    /// When it says that they are there.
    pub present: Option<Span>,
    /// When a load makes the gauge say so much less charge, in thousandths, in order.
    pub dips: Vec<(Span, i64)>,
    /// When the daemon is killed, and for how long there is none then, in order.
    pub kills: Vec<(u64, u64)>,
    /// How long each service really takes to stop, in milliseconds.
    pub truth: Vec<u64>,
    /// What was seen of that before, if anything. It may have become slower since.
    pub learned: Vec<StopTimes>,
    pub end: u64,
}

impl Story {
    pub fn of(seed: u64) -> Story {
        let mut rng = Rng::new(seed ^ 0x0007_A6E5);
        let mut cell = Cell::of(&mut rng);
        let mut gauge = rng.chance(85).then(|| Gauge::of(&mut rng));
        let line = match rng.range(0, 9) {
            0..=3 => Line::Gpio,
            4 => Line::Polled(15_000),
            5 => Line::Polled(1_000),
            _ => Line::None,
        };
        // Without a line, the current has to tell.
        if line == Line::None {
            let mut told = gauge.unwrap_or_else(|| Gauge::of(&mut rng));
            told.current = true;
            gauge = Some(told);
        }
        let never = gauge.is_some() && rng.chance(35);
        let board = board(gauge.as_ref(), line);
        let (toml, settings) = settings(&mut rng, never, &board);
        let load = cell.drain_of(rng.range(30, 90));
        // A worn one lasts for minutes.
        if Rng::new(seed ^ 0x0051_7A11).chance(30) {
            cell.wear(15);
        }
        let (cuts, end) = cuts(&mut rng);
        let wrongs = match gauge {
            Some(_) => wrongs(&mut rng, end),
            None => Vec::new(),
        };
        let blind = match rng.chance(25) && line != Line::None {
            true => vec![span(&mut rng, end)],
            false => Vec::new(),
        };
        let stuck = (rng.chance(8) && line != Line::None).then(|| stuck(&mut rng));
        let present = match stuck {
            None if rng.chance(10) && line != Line::None => Some(stuck_present(&mut rng, &cuts)),
            Some(_) | None => None,
        };
        let end = stuck.map_or(end, |(_, to)| end.max(to + 60_000));
        let dips = match rng.chance(40) {
            true => dips(&mut rng, end),
            false => Vec::new(),
        };
        let kills = match rng.chance(30) {
            true => kills(&mut rng, &cuts),
            false => Vec::new(),
        };
        let (truth, learned) = stops(&mut Rng::new(seed ^ 0x5709_7135), &settings);
        Story {
            toml,
            board,
            settings,
            line,
            cell,
            gauge,
            load,
            cuts,
            wrongs,
            blind,
            stuck,
            present,
            dips,
            kills,
            truth,
            learned,
            end,
        }
    }

    /// How much less charge the gauge says now, because of a load.
    pub fn dip(&self, now: u64) -> i64 {
        let dip = self.dips.iter().find(|(span, _)| within(*span, now));
        dip.map_or(0, |(_, less)| *less)
    }

    pub fn mains(&self, now: u64) -> bool {
        !self.cuts.iter().any(|c| within(*c, now))
    }

    pub fn wrong(&self, now: u64) -> Option<Wrong> {
        let wrong = self.wrongs.iter().find(|(span, _)| within(*span, now));
        wrong.map(|(_, kind)| *kind)
    }

    /// When what is wrong now began.
    pub fn wrong_since(&self, now: u64) -> u64 {
        let wrong = self.wrongs.iter().find(|(span, _)| within(*span, now));
        wrong.map_or(now, |(span, _)| span.0)
    }

    pub fn stuck(&self, now: u64) -> bool {
        self.stuck.is_some_and(|s| within(s, now))
    }

    /// It says that there are mains though there are none.
    pub fn hides(&self, now: u64) -> bool {
        !self.mains(now) && self.present.is_some_and(|s| within(s, now))
    }

    /// What the line says of mains.
    pub fn says(&self, now: u64) -> bool {
        self.mains(now) && !self.stuck(now) || self.hides(now)
    }

    pub fn blind(&self, now: u64) -> bool {
        self.blind.iter().any(|b| within(*b, now))
    }
}

fn within((from, to): Span, now: u64) -> bool {
    (from..to).contains(&now)
}

fn settings(rng: &mut Rng, never: bool, board: &str) -> (String, Settings) {
    let ride = rng.pick(&["5s", "30s", "60s", "60s", "5m"]);
    let ride = if never { "never" } else { ride };
    let mut toml = format!(
        "board = \"simulated\"\n[watchdog]\nowner = \"nobody\"\n[power]\nride_through = \"{ride}\"\n"
    );
    let optional = rng.pick(&[2, 10, 10, 30]);
    // Writing to a string cannot fail.
    let _ = write!(
        toml,
        "shed_optional = \"{optional}s\"\n[stop]\nbudget = \"30s\"\n"
    );
    for (name, class, after) in [
        ("camera", "optional", ""),
        ("tunnel", "essential", ""),
        ("web", "normal", "\"tunnel\""),
    ] {
        let most = if class == "essential" { 28 } else { 8 };
        let stop = rng.pick(&[1, most, most]);
        let _ = write!(
            toml,
            "[service.{name}]\ncommand = [\"/usr/bin/{name}\"]\nclass = \"{class}\"\nafter = \
             [{after}]\nstop_timeout = \"{stop}s\"\n"
        );
    }
    let shelf = Shelf::recorded(board.to_owned());
    let config = config::parse_with("simulated.toml", &toml, &shelf);
    let loaded = config.unwrap_or_else(|p| panic!("{p}\n{board}\n{toml}"));
    (toml, loaded.config.settings)
}

/// The file of a board with this gauge and this line.
fn board(gauge: Option<&Gauge>, line: Line) -> String {
    let mut file = "name = \"simulated\"\ntitle = \"A board of the simulator\"\n".to_owned();
    if let Some(gauge) = gauge {
        file.push_str("[battery]\ncells = 1\nempty = \"3V\"\nlow = \"3.3V\"\nfull = \"4.2V\"\n");
        if gauge.charge {
            file.push_str("low_charge = \"15%\"\n");
            file.push_str(
                "[chip.charge]\ndriver = \"max1704x\"\nmodel = \"max17040\"\naddress = 0x36\n",
            );
        }
        if gauge.current {
            file.push_str("[chip.current]\ndriver = \"ina219\"\naddress = 0x43\n");
            file.push_str("shunt = \"10mOhm\"\nrange = \"5A\"\ncharging = \"positive\"\n");
        }
    }
    file.push_str(match line {
        Line::Gpio => "[mains.line]\nline = 6\nlost = \"high\"\n",
        // The kernel's power supplies.
        Line::Polled(_) => "",
        Line::None => "[mains.current]\ndead_band = \"50mA\"\n",
    });
    file
}

/// Flickers, short outages, and ones that outlast any battery.
fn cuts(rng: &mut Rng) -> (Vec<Span>, u64) {
    let mut cuts = Vec::new();
    let mut at = rng.range(20_000, 300_000);
    for _ in 0..rng.range(0, 4) {
        let flicker = rng.range(100, 1_900);
        let short = rng.range(3_000, 70_000);
        let medium = rng.range(70_000, 500_000);
        let long = 4 * 3_600_000;
        let length = rng.pick(&[flicker, flicker, short, short, medium, long]);
        cuts.push((at, at + length));
        at += length + rng.pick(&[500, 4_000, 8_000, 60_000]) + rng.range(0, 200_000);
    }
    (cuts, at + 60_000)
}

fn wrongs(rng: &mut Rng, end: u64) -> Vec<(Span, Wrong)> {
    if rng.chance(6) {
        // A board file with the wrong sign, from the first day on.
        return vec![((0, end), Wrong::SignFlip)];
    }
    let mut wrongs = Vec::new();
    let mut from = rng.range(10_000, 400_000);
    for _ in 0..rng.pick(&[0, 0, 1, 1, 2, 3]) {
        let length = rng.pick(&[5_000, 30_000, 120_000, 900_000, end]);
        let to = from + rng.range(1_000, length);
        wrongs.push(((from, to), rng.pick(&Wrong::ALL)));
        from = to + rng.range(60_000, 600_000);
    }
    wrongs
}

/// How long services take to stop: as long as they may, or less, and then that was seen a few times.
/// Some have become slower since.
fn stops(rng: &mut Rng, settings: &Settings) -> (Vec<u64>, Vec<StopTimes>) {
    let mut stop = |deadline: u64| {
        let mut times = StopTimes::default();
        if rng.chance(50) {
            return (deadline, times);
        }
        let truth = rng.range(50, deadline);
        for _ in 0..rng.pick(&[1, 3, 3, 8, 12]) {
            let took = truth * rng.range(60, 100) / 100;
            times.see((!rng.chance(3)).then(|| Duration::from_millis(took)));
        }
        (if rng.chance(20) { deadline } else { truth }, times)
    };
    let all = settings.services.iter();
    all.map(|s| stop(millis(s.stop_timeout))).unzip()
}

fn span(rng: &mut Rng, end: u64) -> Span {
    let from = rng.range(0, end.min(1_000_000));
    (from, from + rng.range(1_000, 600_000))
}

/// In an outage, once or again and again, or at any other time.
fn kills(rng: &mut Rng, cuts: &[Span]) -> Vec<(u64, u64)> {
    let (from, to) = match cuts {
        [] => (60_000, 600_000),
        cuts => rng.pick(cuts),
    };
    let mut at = from.saturating_sub(2_000) + rng.range(0, 20_000);
    let (every, times) = rng.pick(&[(1, 1), (25_000, 100), (50_000, 100), (200_000, 5)]);
    let mut kills = Vec::new();
    for _ in 0..times {
        let away = rng.pick(&[100, 1_000, 1_000, 5_000, 90_000]);
        kills.push((at, at + away));
        at += away + rng.range(1_000, 10_000 + every);
        if at > to + 60_000 {
            break;
        }
    }
    kills
}

/// From some outage on, or from the first day.
fn stuck_present(rng: &mut Rng, cuts: &[Span]) -> Span {
    match (cuts, rng.chance(50)) {
        ([], _) | (_, true) => (0, u64::MAX),
        (cuts, false) => {
            let (from, to) = rng.pick(cuts);
            (
                from.saturating_sub(rng.range(0, 60_000)),
                rng.pick(&[to, to + 60_000, u64::MAX]),
            )
        }
    }
}

/// A camera that uploads its pictures, a modem that dials: seconds to a minute and a half, again and
/// again.
fn dips(rng: &mut Rng, end: u64) -> Vec<(Span, i64)> {
    let mut dips = Vec::new();
    let mut from = rng.range(0, 400_000);
    let every = rng.pick(&[120_000, 600_000, 3_600_000]);
    while from < end && dips.len() < 100 {
        let to = from + rng.range(2_000, 90_000);
        dips.push((
            (from, to),
            rng.range(1, MOST_DIP.unsigned_abs()).cast_signed(),
        ));
        from = to + rng.range(60_000, every);
    }
    dips
}

/// For minutes or for hours.
fn stuck(rng: &mut Rng) -> Span {
    let from = rng.range(0, 400_000);
    (from, from + rng.pick(&[300_000, 3_600_000, 5 * 3_600_000]))
}

/// In milliseconds.
pub fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
