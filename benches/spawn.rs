//! What starting a program costs: median time of start, exec and wait of a child that exits at
//! once, all methods interleaved, small and with touched memory (which a fork has to copy the
//! tables of). `cargo bench --bench spawn [CHILD]`; without CHILD, `/bin/true`.
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement needs the clock, and std to compare"
)]

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use fieldwarden::edge::spawn::{Method, Program, Spawner};
use nix::sys::wait::{Id, WaitPidFlag, waitid};

/// Enough for a median that is stable within a few per cent on a shared machine.
const ROUNDS: usize = 1000;

/// Touched memory of the second table, in MiB.
const BALLAST: usize = 64;

struct Way<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
}

fn spawning<'a>(method: Method, program: &'a Program) -> Option<Way<'a>> {
    let mut spawner = Spawner::with_method(method).ok()?;
    let run = move || {
        let spawned = spawner.spawn(program).expect("the child exists");
        waitid(Id::PIDFd(spawned.pidfd.as_fd()), WaitPidFlag::WEXITED).expect("it is ours");
    };
    Some(Way {
        name: method.name(),
        run: Box::new(run),
    })
}

fn command(child: &str, forks: bool) -> impl FnMut() {
    move || {
        let mut command = Command::new(child);
        command.env_clear();
        if forks {
            // SAFETY: does nothing at all; that there is one makes std fork.
            unsafe { command.pre_exec(|| Ok(())) };
        }
        let status = command.spawn().and_then(|mut child| child.wait());
        assert!(status.is_ok(), "{status:?}");
    }
}

fn measure(title: &str, ways: &mut [Way<'_>]) {
    let mut samples = vec![Vec::with_capacity(ROUNDS); ways.len()];
    for _ in 0..ROUNDS {
        for (way, samples) in ways.iter_mut().zip(&mut samples) {
            let began = Instant::now();
            (way.run)();
            samples.push(began.elapsed().as_nanos() as u64);
        }
    }
    println!(
        "{title}\n{:<34}{:>10}{:>10}{:>8}",
        "", "median us", "p90 us", "ratio"
    );
    for samples in &mut samples {
        samples.sort_unstable();
    }
    let best = samples[0][ROUNDS / 2];
    for (way, samples) in ways.iter().zip(&samples) {
        let (median, late) = (samples[ROUNDS / 2], samples[ROUNDS * 9 / 10]);
        let (name, ratio) = (way.name, median as f64 / best as f64);
        println!(
            "{name:<34}{:>10.1}{:>10.1}{ratio:>8.2}",
            us(median),
            us(late)
        );
    }
}

fn us(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

fn main() {
    let child = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let child = child.unwrap_or_else(|| "/bin/true".to_owned());
    let none: [(&str, &str); 0] = [];
    let program = Program::new(Path::new(&child), [""; 0], none).expect("an absolute path");
    let mut ways: Vec<Way<'_>> = [
        Method::Sharing,
        Method::Clone3,
        Method::Clone,
        Method::Emulated,
    ]
    .into_iter()
    .filter_map(|method| spawning(method, &program))
    .collect();
    for (name, forks) in [
        ("std Command (posix_spawn)", false),
        ("std Command + pre_exec (fork)", true),
    ] {
        ways.push(Way {
            name,
            run: Box::new(command(&child, forks)),
        });
    }
    measure("small process", &mut ways);
    let ballast = vec![1_u8; BALLAST << 20];
    measure("with 64 MiB of touched memory", &mut ways);
    drop(std::hint::black_box(ballast));
}
