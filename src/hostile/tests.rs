//! What is known to be nasty, and changes of it by chance.

use super::{TARGETS, settings};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Changes of each input.
const CHANGES: u64 = 40;

/// Where inputs of a target are: its own, and what the project has anyway.
fn folders(target: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("fuzz/seeds").join(target);
    let lines = include_str!("../../fuzz/shared").lines();
    let line = lines
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == target);
    let shared = line.map_or("", |(_, folders)| folders).split(' ');
    let shared = shared.filter(|folder| !folder.is_empty());
    let shared = shared.map(|folder| root.join(folder));
    shared.chain([own]).collect()
}

fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in folders(target) {
        let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for file in files.map(|file| file.unwrap().path()) {
            if file.is_file() {
                found.push((file.clone(), fs::read(&file).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// A number that depends on these, and looks as if it did not.
fn chance(of: u64, and: u64) -> usize {
    let mut z = of.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ and.wrapping_mul(0xD134_2543_DE82_EF95);
    z = (z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    usize::try_from((z ^ (z >> 32)) & 0xFFFF_FFFF).unwrap_or(0)
}

/// Something is turned over, cut out, doubled, or cut off.
fn changed(input: &[u8], number: u64) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for round in 0..=number % 3 {
        let draw = |what: u64| chance(number * 8 + round, what);
        let length = bytes.len().max(1);
        let (at, span) = (draw(1) % length, draw(2) % 24);
        let end = (at + span).min(bytes.len());
        match draw(3) % 5 {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at.min(end)..end)),
            2 => {
                let piece = bytes[at.min(end)..end].to_vec();
                let to = draw(4) % length;
                bytes.splice(to..to, piece);
            }
            3 => bytes.insert(
                at.min(bytes.len()),
                u8::try_from(draw(5) % 256).unwrap_or(0),
            ),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (draw(6) % 8);
                }
            }
        }
    }
    bytes
}

/// No reader falls over what is known to be nasty, nor over anything like it.
#[test]
fn nothing_falls_over() {
    for (name, target) in TARGETS {
        let inputs = inputs(name);
        assert!(!inputs.is_empty(), "nothing to try {name} with");
        let each = (4_000 / inputs.len() as u64).min(CHANGES);
        for (number, (path, input)) in inputs.iter().enumerate() {
            let try_one = |bytes: &[u8]| catch_unwind(AssertUnwindSafe(|| target(bytes))).is_ok();
            assert!(try_one(input), "{name} falls over {}", path.display());
            for change in 0..each {
                let bytes = changed(input, number as u64 * 1_000 + change);
                let shown = String::from_utf8_lossy(&bytes);
                assert!(
                    try_one(&bytes),
                    "{name} falls over {path:?} changed to {shown:?}"
                );
            }
        }
    }
}

/// The configuration that other targets rest on has something of everything.
#[test]
fn everything_is_in_it() {
    let settings = settings();
    assert!(settings.services.iter().any(|s| s.job.is_some()));
    assert!(settings.services.iter().any(|s| s.keeper.is_some()));
    assert!(!settings.groups.is_empty());
}
