//! Cases of cut power: what a disk still holds.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::{Cargo, Case};
use super::super::disk::{Disk, MARGIN_SECTOR};
use super::super::machine::Machine;
use super::super::prepare::{run, tool};
use super::super::programs::{PLACE, POWER_CUT, local};

/// The cases of this module.
pub const CASES: &[Case] = &[Case {
    cargo: Cargo::Programs,
    limit: Duration::from_secs(240),
    ..Case::lab(
        "journal-survives-cuts",
        "cut after any write, nothing is lost that the journal or the marker has acknowledged, nothing is \
         there that was not written, and the next daemon goes on behind it",
        journal,
    )
    .on_disk(Disk::Recorded)
}];

/// How many cuts `journal-survives-cuts` tries, where a few are not enough.
pub const MORE: &str = "POWER_CUTS";

/// Cuts tried, spread over the recording; each costs a busy host about a second.
const CUTS: usize = 24;

/// Time for the writing on a busy host.
const WRITING: Duration = Duration::from_secs(90);

/// The program of `tests/power_cut.rs` writes, while other files change; the disk is cut off in the
/// middle of that as well as behind it, and the program looks at what is left, on the host.
fn journal(machine: &mut Machine) -> Result<()> {
    let offset = MARGIN_SECTOR * 512;
    let write = format!(
        "mount /dev/vdb /mnt; mkdir -m 755 /mnt/state
        (n=0; while :; do n=$((n + 1)); head -c 20000 /dev/urandom > /mnt/other
            mv /mnt/other /mnt/moved.$((n % 7)); sleep 0.05; done) > /dev/null 2>&1 & other=$!
        FIELDWARDEN_POWER_CUT='write /mnt/state /dev/vdb {offset}' \
            {PLACE}/{POWER_CUT} --nocapture 2>&1; code=$?; kill $other; exit $code"
    );
    let said = machine.sh_within(&write, WRITING)?;
    ensure!(said.code == 0, "it does not write:\n{}", said.stdout);
    machine.cut_power()?;
    let recording = machine.recording()?;
    let length = recording.length();
    let cuts = match std::env::var(MORE) {
        Ok(more) => more.parse().with_context(|| format!("{MORE}={more}"))?,
        Err(_) => CUTS,
    };
    let dir = tempfile::tempdir()?;
    let disk = dir.path().join("disk");
    let (mut lost, mut found) = (0, BTreeSet::new());
    for number in 1..=cuts {
        // Spread over all entries; where there are more cuts than those, with another fate each time.
        let cut = (length * number / cuts).max(1);
        let damage = recording.rebuild(cut, number as u64, &disk)?;
        lost += damage.dropped + damage.torn;
        let done = match recording.last_write(cut, MARGIN_SECTOR)? {
            Some(bytes) => String::from_utf8(bytes)?.trim().to_owned(),
            None => "0 0".to_owned(),
        };
        look(&disk, dir.path(), &done).with_context(|| {
            format!("cut {number}, after {cut} of {length} entries: {damage:?}")
        })?;
        found.insert(done);
    }
    ensure!(
        lost > 0,
        "no cut lost a pending write, so nothing was tried"
    );
    ensure!(found.len() > CUTS / 2, "cuts at {found:?} only");
    println!(
        "vm: journal-survives-cuts: {cuts} cuts in {length} entries, {lost} pending writes lost"
    );
    Ok(())
}

/// What is left on this disk, by the program that wrote it. `done`: what it had acknowledged.
fn look(disk: &Path, dir: &Path, done: &str) -> Result<()> {
    mend(disk)?;
    let state = dir.join("state");
    let _ = std::fs::remove_dir_all(&state);
    let dump = format!("rdump /state {}", dir.display());
    run(tool("debugfs").args(["-R", &dump]).arg(disk))?;
    // The directory itself may have come after the cut.
    std::fs::create_dir_all(&state)?;
    let check = format!("check {} {done}", state.display());
    let mut program = tool(local(POWER_CUT));
    let said = program.env("FIELDWARDEN_POWER_CUT", check).output()?;
    ensure!(
        said.status.success(),
        "acknowledged: {done}\n{}",
        String::from_utf8_lossy(&said.stdout)
    );
    Ok(())
}

/// Does what a kernel does that mounts it.
fn mend(disk: &Path) -> Result<()> {
    // 1 is "errors were corrected", which is what replaying a journal is called.
    let mended = tool("e2fsck").arg("-fp").arg(disk).output()?;
    ensure!(
        mended.status.code().is_some_and(|code| code <= 1),
        "e2fsck: {}",
        String::from_utf8_lossy(&mended.stdout)
    );
    Ok(())
}
