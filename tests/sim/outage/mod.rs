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
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
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
        Ok(file) => file.display().to_string(),
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

/// Writes the story and what was heard and answered in it. No scenario: its board has no file.
fn save(seed: u64, book: &Book, story: &Story) -> io::Result<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sim");
    let file = directory.join(format!("outage-{seed}.txt"));
    fs::create_dir_all(&directory)?;
    fs::write(&file, format!("{}\n{}", opening(seed, story), book.text()))?;
    Ok(file)
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
