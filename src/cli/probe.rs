//! `boards probe`: which boards would fit, by what their chips answer. Reads, and never writes.
//!
//! ```text
//! board files ──question──► one register of one chip ──► Found ──judge──► fits, may fit, does not
//! ```
//!
//! That somebody answers at an address tells nothing of who it is: only a chip whose board file knows
//! it by a register (`id`) *fits*. Everything else that answers *may fit*, and the owner decides.
//!
//! Never asks a chip that a driver of the kernel owns, one on a bus that a daemon uses or any other
//! process has open, one that answers only to what is written to it, nor for a register that any board
//! file says must not be written at that address: such registers begin something.

use super::daemon::REFUGES;
use super::printer::Printer;
use super::remote::Daemon;
use crate::app::board_look;
use crate::config::board::{Board, ChipPlan, Driver, Shelf};
use crate::core::fact::Errno;
use crate::edge::board_record;
use crate::edge::bus_look::bus_users;
use crate::edge::places::Places;
use crate::error::Error;
use crate::text::errno_word;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Nobody answers: as most adapters say it, and as the rest do.
const NOBODY: [Errno; 2] = [Errno(121), Errno(6)];

/// The register of a MAX1704x and of an INA219 that is read: the voltage, as the daemon reads it.
const VOLTAGE: u8 = 0x02;

/// What a chip is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Question {
    bus: u8,
    address: u8,
    register: u8,
    /// What it holds, if that tells this chip from others.
    wanted: Option<u8>,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Found {
    /// A driver of the kernel owns it.
    Taken(String),
    /// Nobody answers.
    Nobody,
    /// It answers with this.
    Byte(u8),
    /// It was not asked, or could not be.
    Unknown(String),
}

/// How well a board fits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Judged {
    /// Every chip that its file knows by a register holds what it should, and there is one.
    Fits,
    /// Somebody answers at each of its addresses.
    MayFit,
    /// A driver of the kernel owns one of its chips.
    Taken,
    /// One of its chips could not be asked.
    Unknown,
    /// One of its chips is missing, or is another one.
    DoesNotFit,
    /// It has no chip on a bus.
    NothingToAsk,
}

impl Judged {
    fn word(self) -> &'static str {
        match self {
            Judged::Fits => "fits",
            Judged::MayFit => "may fit",
            Judged::Taken => "taken by the kernel",
            Judged::Unknown => "cannot be told",
            Judged::DoesNotFit => "does not fit",
            Judged::NothingToAsk => "nothing to ask",
        }
    }
}

/// A chip of a board, and what was found of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct ChipFound {
    chip: String,
    bus: u8,
    address: u8,
    fit: Judged,
    found: String,
}

/// A board, and how well it fits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct BoardFound {
    board: String,
    title: String,
    fit: Judged,
    chips: Vec<ChipFound>,
}

/// What a chip is asked for; why it cannot be asked anything.
fn question(chip: &ChipPlan) -> Result<Question, &'static str> {
    let (register, wanted) = match &chip.driver {
        Driver::Max1704x(_) | Driver::Ina219 { .. } => (VOLTAGE, None),
        Driver::Framed(_) => return Err("it answers only to what is written to it"),
        Driver::Registers { layout, .. } => match layout.proof.id {
            Some(id) => (id.register, Some(id.value)),
            None => {
                let fields = [&layout.voltage, &layout.charge, &layout.current];
                let first = fields.into_iter().flatten().next();
                let first = first.ok_or("its file names no register to be read")?;
                (first.register, None)
            }
        },
    };
    Ok(Question {
        bus: chip.bus,
        address: chip.address,
        register,
        wanted,
    })
}

/// Registers that must not be written, by bus-independent address, of all boards.
fn forbidden(boards: &[Board]) -> BTreeSet<(u8, u8)> {
    let chips = boards.iter().flat_map(|board| &board.chips);
    let of = |chip: &ChipPlan| match &chip.driver {
        Driver::Registers { never_write, .. } => {
            let address = chip.address;
            never_write.iter().map(|r| (address, *r)).collect()
        }
        Driver::Max1704x(_) | Driver::Ina219 { .. } | Driver::Framed(_) => Vec::new(),
    };
    chips.flat_map(of).collect()
}

/// What the answer says of the chip.
fn judge_chip(wanted: Option<u8>, found: &Found) -> (Judged, String) {
    match (found, wanted) {
        (Found::Taken(driver), _) => (Judged::Taken, format!("the driver {driver} owns it")),
        (Found::Nobody, _) => (Judged::DoesNotFit, "nobody answers".to_owned()),
        (Found::Unknown(why), _) => (Judged::Unknown, why.clone()),
        (Found::Byte(byte), None) => (
            Judged::MayFit,
            format!("somebody answers (0x{byte:02x}), and nothing tells who"),
        ),
        (Found::Byte(byte), Some(wanted)) if *byte == wanted => {
            (Judged::Fits, format!("it is known by 0x{byte:02x}"))
        }
        (Found::Byte(byte), Some(wanted)) => (
            Judged::DoesNotFit,
            format!("another chip answers: 0x{byte:02x} instead of 0x{wanted:02x}"),
        ),
    }
}

/// How well a board fits, by its chips: the worst of them counts.
fn judge(chips: &[Judged]) -> Judged {
    chips.iter().copied().max().unwrap_or(Judged::NothingToAsk)
}

/// Goes through all boards; each question is asked once.
fn probe(boards: &[Board], mut ask: impl FnMut(Question) -> Found) -> Vec<BoardFound> {
    let forbidden = forbidden(boards);
    let mut answers: BTreeMap<(u8, u8, u8), Found> = BTreeMap::new();
    let mut of_chip = |chip: &ChipPlan| {
        let (wanted, found) = match question(chip) {
            Err(why) => (None, Found::Unknown(format!("not asked: {why}"))),
            Ok(q) if forbidden.contains(&(q.address, q.register)) => {
                let why = "not asked: that register does something on another board";
                (None, Found::Unknown(why.to_owned()))
            }
            Ok(q) => {
                let key = (q.bus, q.address, q.register);
                let found = answers.entry(key).or_insert_with(|| ask(q));
                (q.wanted, found.clone())
            }
        };
        let (fit, found) = judge_chip(wanted, &found);
        ChipFound {
            chip: chip.name.clone(),
            bus: chip.bus,
            address: chip.address,
            fit,
            found,
        }
    };
    let boards = boards.iter().filter(|board| !board.simulated);
    let boards = boards.map(|board| {
        let chips: Vec<ChipFound> = board.chips.iter().map(&mut of_chip).collect();
        let fits: Vec<Judged> = chips.iter().map(|chip| chip.fit).collect();
        BoardFound {
            board: board.name.clone(),
            title: board.title.clone(),
            fit: judge(&fits),
            chips,
        }
    });
    let mut boards: Vec<BoardFound> = boards.collect();
    boards.sort_by(|a, b| (a.fit, &a.board).cmp(&(b.fit, &b.board)));
    boards
}

/// Who uses which bus. What is not known may be in use.
struct InUse {
    /// Buses that daemons work on, even while they have not opened them; `None` if one runs and that
    /// is not known.
    daemons: Option<BTreeSet<u8>>,
    /// Buses that other processes have open, with who; or why that is not known.
    open: Result<BTreeMap<u8, String>, String>,
}

impl InUse {
    /// As it stands now, by the daemons that may be in these directories and by procfs.
    fn look(dirs: &BTreeSet<&Path>, proc: &Path) -> InUse {
        let daemons = dirs.iter().map(|dir| of_daemon(dir));
        let daemons = daemons.collect::<Option<Vec<_>>>();
        InUse {
            daemons: daemons.map(|buses| buses.into_iter().flatten().collect()),
            open: bus_users(proc, std::process::id()).map_err(|e| e.to_string()),
        }
    }

    /// Why nobody else may ask on this bus.
    fn why_not(&self, bus: u8) -> Option<String> {
        if self.daemons.as_ref().is_none_or(|used| used.contains(&bus)) {
            let why = "not asked: the daemon uses this bus; with `board = \"none\"` and \
                `fieldwarden reload` it does not";
            return Some(why.to_owned());
        }
        match &self.open {
            Ok(users) => {
                let who = users.get(&bus)?;
                Some(format!("not asked: /dev/i2c-{bus} is open in {who}"))
            }
            Err(why) => Some(format!(
                "not asked: who has this bus open cannot be told ({why}); it takes root"
            )),
        }
    }
}

/// Buses that the daemon in this directory works on; `None` if one runs and that is not known.
fn of_daemon(dir: &Path) -> Option<BTreeSet<u8>> {
    // One that does not answer well runs all the same.
    if let Err(Error::NotRunning { .. }) = Daemon::new(dir.to_owned()).status() {
        return Some(BTreeSet::new());
    }
    // What others could have left there tells nothing.
    Places::check_ours(dir).ok()?;
    let board = board_record::read(&Places::new(dir))?;
    Some(board.chips.iter().map(|chip| chip.bus).collect())
}

/// Looks, and tells.
///
/// # Errors
/// When nothing can be printed.
pub fn asked(dir: &Path, json: bool, out: &mut Printer) -> Result<(), Error> {
    let shelf = Shelf::installed();
    let names = shelf.names();
    let boards: Vec<Board> = names
        .iter()
        .filter_map(|name| shelf.board(name)?.ok())
        .collect();
    // It is in one of these if the one that is configured could not be used.
    let dirs = REFUGES.iter().map(Path::new).chain([dir]).collect();
    let used = InUse::look(&dirs, Path::new("/proc"));
    let mut look = board_look::begin();
    let found = probe(&boards, |q| {
        if let Some(why) = used.why_not(q.bus) {
            return Found::Unknown(why);
        }
        if let Some(driver) = look.driver(q.bus, q.address) {
            return Found::Taken(driver.to_string());
        }
        if !look.is_there(q.bus) {
            return Found::Unknown(format!(
                "there is no /dev/i2c-{}: `dtparam=i2c_arm=on` in config.txt, `modprobe i2c-dev`",
                q.bus
            ));
        }
        match look.read(q.bus, q.address, q.register) {
            Ok(byte) => Found::Byte(byte),
            Err(errno) if NOBODY.contains(&errno) => Found::Nobody,
            Err(errno) => Found::Unknown(format!("it cannot be read: {}", errno_word(errno))),
        }
    });
    if json {
        let strange = |e: serde_json::Error| Error::Strange(e.to_string());
        return Ok(out.line(&serde_json::to_string(&found).map_err(strange)?)?);
    }
    Ok(out.put(&screen(&found))?)
}

fn screen(found: &[BoardFound]) -> String {
    let width = found.iter().map(|b| b.board.len()).max().unwrap_or(0);
    let mut text = String::new();
    for board in found {
        let BoardFound { board, fit, .. } = board;
        text.push_str(&format!("{board:width$}  {}\n", fit.word()));
    }
    text.push('\n');
    for board in found.iter().filter(|b| b.fit < Judged::DoesNotFit) {
        text.push_str(&format!("{}: {}\n", board.board, board.title));
        for chip in &board.chips {
            text.push_str(&format!(
                "  {} on bus {} at 0x{:02x}: {}\n",
                chip.chip, chip.bus, chip.address, chip.found
            ));
        }
    }
    text.push_str(
        "An address tells no board from another: compare with what is printed on yours, then name it \
         as `board`.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> Vec<Board> {
        let shelf = Shelf::built_in();
        let names = shelf.names();
        names
            .iter()
            .map(|name| shelf.board(name).unwrap().unwrap())
            .collect()
    }

    /// How boards fit where these chips answer, each with all of its registers.
    fn fits(chips: &[(u8, &[(u8, u8)])]) -> BTreeMap<String, Judged> {
        let found = probe(&built_in(), |q| {
            let chip = chips.iter().find(|(address, _)| *address == q.address);
            let Some((_, registers)) = chip else {
                return Found::Nobody;
            };
            let byte = registers.iter().find(|(r, _)| *r == q.register);
            Found::Byte(byte.map_or(0xFF, |(_, byte)| *byte))
        });
        found.into_iter().map(|b| (b.board, b.fit)).collect()
    }

    /// Only who is known by a register fits; who shares its address with others may fit.
    #[test]
    fn an_address_proves_nothing() {
        let fits = fits(&[(0x43, &[(0x00, 7)])]);
        assert_eq!(fits["lifepo4wered-7"], Judged::Fits);
        assert_eq!(fits["lifepo4wered-6"], Judged::DoesNotFit);
        assert_eq!(fits["waveshare-ups-hat-c"], Judged::MayFit);
        assert_eq!(fits["x728"], Judged::DoesNotFit);
        assert_eq!(fits["pijuice"], Judged::Unknown);
        assert_eq!(fits["none"], Judged::NothingToAsk);
        assert!(!fits.contains_key("sim"));
        let many = self::fits(&[(0x36, &[])]);
        for board in ["x728", "x120x", "ups-lite-1.2", "x708"] {
            assert_eq!(many[board], Judged::MayFit, "{board}");
        }
    }

    /// Whatever byte a chip holds: it fits only with the very one, and nothing is believed of nobody.
    #[test]
    fn raw_bytes_decide() {
        for byte in 0..=u8::MAX {
            let (fit, _) = judge_chip(Some(7), &Found::Byte(byte));
            let expected = if byte == 7 {
                Judged::Fits
            } else {
                Judged::DoesNotFit
            };
            assert_eq!(fit, expected, "{byte}");
            assert_eq!(judge_chip(None, &Found::Byte(byte)).0, Judged::MayFit);
        }
        for wanted in [None, Some(0)] {
            let of = |found: Found| judge_chip(wanted, &found).0;
            assert_eq!(of(Found::Nobody), Judged::DoesNotFit);
            assert_eq!(of(Found::Taken("ina2xx".into())), Judged::Taken);
            assert_eq!(of(Found::Unknown(String::new())), Judged::Unknown);
        }
        assert_eq!(judge(&[Judged::Fits, Judged::MayFit]), Judged::MayFit);
        assert_eq!(
            judge(&[Judged::Unknown, Judged::DoesNotFit]),
            Judged::DoesNotFit
        );
        assert_eq!(judge(&[]), Judged::NothingToAsk);
    }

    /// A register that must not be written on some board is not read for another one's sake, each is
    /// read once, and controllers that answer in frames are left alone.
    #[test]
    fn what_is_asked() {
        let boards = built_in();
        let forbidden = forbidden(&boards);
        assert!(!forbidden.is_empty());
        let mut asked = BTreeSet::new();
        probe(&boards, |q| {
            assert!(!forbidden.contains(&(q.address, q.register)), "{q:?}");
            assert!(asked.insert((q.bus, q.address, q.register)), "{q:?} twice");
            Found::Nobody
        });
        let framed = boards.iter().flat_map(|b| &b.chips);
        for chip in framed.filter(|c| matches!(c.driver, Driver::Framed(_))) {
            let there =
                |(bus, address, _): &(u8, u8, u8)| (*bus, *address) == (chip.bus, chip.address);
            assert!(!asked.iter().any(there), "{chip:?}");
        }
    }

    /// A bus is asked only if no daemon works on it and nobody has it open, and if both are known.
    #[test]
    fn who_uses_a_bus_is_left_alone() {
        let free = || InUse {
            daemons: Some(BTreeSet::new()),
            open: Ok(BTreeMap::new()),
        };
        assert_eq!(free().why_not(1), None);
        let open = Ok(BTreeMap::from([(1, "i2cdetect (pid 7)".to_owned())]));
        let held = InUse { open, ..free() };
        assert_eq!(held.why_not(0), None);
        let why = held.why_not(1).unwrap();
        assert!(why.contains("i2cdetect (pid 7)"), "{why}");
        let open = Err("/proc/1/fd: permission denied".to_owned());
        let shut = InUse { open, ..free() };
        let why = shut.why_not(0).unwrap();
        assert!(why.contains("/proc/1/fd: permission denied"), "{why}");
        for (daemons, left_alone) in [(None, [true, true]), (Some([1].into()), [false, true])] {
            let used = InUse { daemons, ..free() };
            let found = [0, 1].map(|bus| used.why_not(bus).is_some());
            assert_eq!(found, left_alone);
        }
    }

    /// A daemon may be in any of these directories; one that does not answer well runs all the same,
    /// on the buses of the board that it has left word of, or on any.
    #[test]
    fn daemons_are_looked_for_everywhere() {
        let dir = tempfile::tempdir().unwrap();
        let [none, some] = ["none", "some"].map(|name| dir.path().join(name));
        let places = Places::new(&some);
        places.make().unwrap();
        let used = || InUse::look(&[&*none, &*some].into(), Path::new("/proc")).daemons;
        assert_eq!(used(), Some(BTreeSet::new()));
        let door = std::os::unix::net::UnixListener::bind(places.control()).unwrap();
        let hangs_up = std::thread::spawn(move || {
            for _ in 0..2 {
                drop(door.accept());
            }
        });
        assert_eq!(used(), None);
        let board = Shelf::built_in().board("x728").unwrap().unwrap();
        board_record::write(&places, &board).unwrap();
        assert_eq!(used(), Some([1].into()));
        hangs_up.join().unwrap();
    }
}
