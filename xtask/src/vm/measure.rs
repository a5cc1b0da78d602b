//! Measures the fixed costs of a case, for docs/decisions/0003-vm-fixed-costs.md.

// Measuring is reading the clock.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use anyhow::Result;

use super::machine::{Machine, Options, Start};
use super::prepare::Lab;

/// Size of the file sent, about that of the release binary.
const FILE: usize = 3_000_000;

/// Limit for one round.
const LIMIT: Duration = Duration::from_secs(180);

/// Prints the least, middle and greatest time of each cost over that many rounds.
pub fn measure(lab: &Lab, rounds: u32) -> Result<()> {
    let mut rows: [(&str, Vec<Duration>); 5] = [
        ("resume from the snapshot", Vec::new()),
        ("boot from power-on", Vec::new()),
        ("reset to multi-user", Vec::new()),
        ("a script that does nothing", Vec::new()),
        ("a file of 3 MB", Vec::new()),
    ];
    for _ in 0..rounds.max(1) {
        let started = Instant::now();
        let mut machine = start(lab, Start::Resumed)?;
        rows[0].1.push(started.elapsed());
        let started = Instant::now();
        machine.ok("true")?;
        rows[3].1.push(started.elapsed());
        let started = Instant::now();
        machine.put_bytes(&vec![0x5a; FILE], "/tmp/file", 0o644)?;
        rows[4].1.push(started.elapsed());
        let started = Instant::now();
        machine.reset()?;
        machine.wait_boot()?;
        rows[2].1.push(started.elapsed());
        drop(machine);
        let started = Instant::now();
        start(lab, Start::Cold)?;
        rows[1].1.push(started.elapsed());
    }
    println!(
        "{:28} {:>6} {:>6} {:>6}  seconds",
        "", "least", "middle", "most"
    );
    for (what, mut times) in rows {
        times.sort();
        let [least, middle, most] =
            [0, times.len() / 2, times.len() - 1].map(|at| times[at].as_secs_f32());
        println!("{what:28} {least:6.2} {middle:6.2} {most:6.2}");
    }
    Ok(())
}

fn start(lab: &Lab, start: Start) -> Result<Machine> {
    Machine::start(lab, &Options::plain(start, LIMIT))
}
