//! Outages: the core's view of power against cells that drain, gauges that lie and lines that flap.
//!
//! A world of its own beside that of the other seeds, because here hours must pass in milliseconds:
//! nothing but mains, a battery, what tells of them, and the core. Each seed is one story of up to
//! four outages. `judge.rs` holds what must be true of it.
//!
//! `SIM_OUTAGES=n` plays n stories, `SIM_OUTAGE=n` replays one and prints it.

pub mod cell;
mod gauge;
mod judge;
mod story;
mod world;

use crate::series::Series;
use crate::story::Book;
use fieldwarden::config::{self, Shelf};
use fieldwarden::core::action::Actions;
use fieldwarden::core::{BootFacts, Core};
use fieldwarden::trace;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use story::Story;
use world::{Counts, World};

/// Stories of a usual run.
const STORIES: u64 = 1_000;

fn play(seed: u64, book: &Book) -> Result<Counts, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(Story::of(seed), seed, book.clone());
        world.run().map(|()| world.counts)
    }));
    outcome.unwrap_or_else(|_| Err("panic, see above".to_owned()))
}

/// Plays a story once more, written down.
fn tell(seed: u64, why: &str) -> String {
    let story = Story::of(seed);
    let book = Book::of(story.settings.clone());
    let again = play(seed, &book).err();
    let journal = match save(seed, &book, &story) {
        Ok(file) => format!("{} (the last life, as a scenario)", file.display()),
        Err(e) => format!("could not be written: {e}"),
    };
    let differs = match again.as_deref() == Some(why) {
        true => "",
        false => "  THE REPLAY DIFFERS: something is not decided by the seed\n",
    };
    format!(
        "outage {seed} fails {why}\n  commit  {}\n  replay  SIM_OUTAGE={seed} cargo test --test sim \
         outages -- --nocapture\n  journal {journal}\n{differs}",
        crate::commit(),
    )
}

/// Writes the last life of a story as a scenario file.
fn save(seed: u64, book: &Book, story: &Story) -> io::Result<PathBuf> {
    let scenario = book.scenario(&format!("outage {seed}"), &story.toml, Some(&story.board));
    crate::save(&format!("outage-{seed}.txt"), &scenario)
}

/// What a seed has decided.
fn opening(seed: u64, story: &Story) -> String {
    format!(
        "outage {seed}\n{}line {:?}, gauge {:?}\ncell {:?}, load {} mA\ncuts {:?}, kills {:?}\nwrong {:?}\nblind \
         {:?}, stuck {:?}, at present {:?}",
        story.toml,
        story.line,
        story.gauge,
        story.cell,
        story.load,
        story.cuts,
        story.kills,
        story.wrongs,
        story.blind,
        story.stuck,
        story.present
    )
}

fn replay(seed: u64) {
    let story = Story::of(seed);
    let book = Book::of(story.settings.clone());
    println!("{}", opening(seed, &story));
    let outcome = play(seed, &book);
    println!("{}", book.text());
    save(seed, &book, &story).unwrap_or_else(|e| panic!("{e}"));
    if let Err(why) = outcome {
        panic!("{}", tell(seed, &why));
    }
}

/// Zero spurious and zero missed halts, in every story; and every kind of thing occurred.
#[test]
fn outages() {
    if let Some(seed) = crate::variable("SIM_OUTAGE") {
        return replay(seed);
    }
    let series = Series::of("outage", "SIM_OUTAGES", STORIES);
    let mut all = Counts::default();
    let outcome = series.run(
        |seed| play(seed, &Book::default()),
        |counts| all.add(&counts),
    );
    println!(
        "{} outages in {:.1} s: {all}",
        series.count, outcome.seconds
    );
    crate::fail(&outcome, tell);
    let missing: BTreeMap<_, _> = all
        .occurred()
        .into_iter()
        .filter(|(_, n)| *n == 0)
        .collect();
    assert!(
        series.count < STORIES || missing.is_empty(),
        "never occurred: {missing:?}"
    );
}

/// What is written down of a story is a scenario: played by itself, it comes out the same.
#[test]
fn stories_are_scenarios() {
    for seed in 0..20 {
        let story = Story::of(seed);
        let book = Book::of(story.settings.clone());
        play(seed, &book).unwrap_or_else(|why| panic!("outage {seed} fails {why}"));
        let text = book.scenario(&format!("outage {seed}"), &story.toml, Some(&story.board));
        let document = trace::open("simulated.txt", &text).unwrap_or_else(|e| panic!("{e}"));
        let board: Vec<_> = document.metas("board").collect();
        let shelf = Shelf::recorded(board.join("\n"));
        let loaded = config::parse_with("simulated.txt", document.config, &shelf);
        let settings = loaded.unwrap_or_else(|p| panic!("{p}")).config.settings;
        let boot = BootFacts {
            seed: 1,
            init_watchdog: None,
            first: document.metas("first").all(|word| word == "yes"),
        };
        let (mut core, mut out) = (Core::new(settings.clone(), boot), Actions::default());
        let header = document.config.lines().count() + 1;
        let (mut was, mut is) = (String::new(), String::new());
        for line in text.lines().skip(header) {
            was.push_str(line);
            was.push('\n');
            if !line.starts_with(' ') {
                let (at, fact) =
                    trace::parse_fact(line, &settings).unwrap_or_else(|e| panic!("{e}"));
                out.clear();
                core.step(at, &fact, &mut out);
                is.push_str(&trace::step_lines(at, &fact, &out, &settings));
            }
        }
        assert!(was.lines().count() > 10, "outage {seed}");
        assert_eq!(was, is, "outage {seed}");
    }
}
