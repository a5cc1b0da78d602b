//! Cases of cut power: what a disk still holds.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::case::Case;
use super::super::disk::{Disk, MARGIN_SECTOR};
use super::super::machine::Machine;
use super::super::prepare::{run, text, tool};
use super::super::replay::Recording;

/// The cases of this module.
pub const CASES: &[Case] = &[Case::lab(
    "lab-power-cut",
    "cut after any write, a disk keeps each record that was acknowledged, and stays in order",
    power_cut,
)
.on_disk(Disk::Recorded)];

/// Records the guest writes.
const RECORDS: usize = 60;

/// Cuts tried, spread over the recording; each costs a busy host about a second.
const CUTS: usize = 24;

/// Time for the writing on a busy host.
const WRITING: Duration = Duration::from_secs(90);

/// Writes records with fdatasync, and after each its number into the margin; between them other
/// files change, whose writes nobody waits for.
fn write_script() -> String {
    format!(
        "set -e; mount /dev/vdb /mnt; for n in $(seq {RECORDS}); do
            echo $n | dd status=none of=/mnt/records oflag=append conv=notrunc,fdatasync
            printf '%-512d' $n | dd status=none of=/dev/vdb bs=512 seek={MARGIN_SECTOR} \
                oflag=direct conv=notrunc
            head -c 20000 /dev/urandom > /mnt/other
            mv /mnt/other /mnt/moved.$((n % 7))
            [ $((n % 10)) -ne 0 ] || sync -f /mnt &
        done; wait"
    )
}

fn power_cut(machine: &mut Machine) -> Result<()> {
    machine.sh_within(&write_script(), WRITING)?;
    ensure!(machine.ok("tail -n 1 /mnt/records")? == RECORDS.to_string());
    machine.cut_power()?;
    let recording = machine.recording()?;
    let length = recording.length();
    let dir = tempfile::tempdir()?;
    let (mut lost, mut most) = (0, 0);
    for number in 1..=CUTS {
        let cut = length * number / CUTS;
        let disk = dir.path().join("disk");
        let damage = recording.rebuild(cut, number as u64, &disk)?;
        lost += damage.dropped + damage.torn;
        let acknowledged = acknowledged(&recording, cut)?;
        most = most.max(acknowledged);
        check(&disk, acknowledged)
            .with_context(|| format!("cut after {cut} of {length} entries: {damage:?}"))?;
    }
    ensure!(
        most == RECORDS,
        "the recording knows {most} acknowledged records"
    );
    ensure!(
        lost > 0,
        "no cut lost a pending write, so nothing was tried"
    );
    // The kernel reads the last of these disks as e2fsck did.
    let disk = dir.path().join("disk");
    recording.rebuild(length, 0, &disk)?;
    let next = machine.successor(&disk)?;
    let last = next.ok("mount /dev/vdb /mnt && tail -n 1 /mnt/records")?;
    ensure!(
        last == RECORDS.to_string(),
        "the next machine finds record {last} last"
    );
    println!("vm: lab-power-cut: {CUTS} cuts in {length} entries, {lost} pending writes lost");
    Ok(())
}

/// Number of the last record whose end the guest had seen at the cut.
fn acknowledged(recording: &Recording, cut: usize) -> Result<usize> {
    match recording.last_write(cut, MARGIN_SECTOR)? {
        Some(bytes) => Ok(String::from_utf8(bytes)?.trim().parse()?),
        None => Ok(0),
    }
}

/// The file system is sound after replaying its journal, and the records are 1, 2, 3 … up to at
/// least the acknowledged one.
fn check(disk: &Path, acknowledged: usize) -> Result<()> {
    // 1 is "errors were corrected", which is what replaying a journal is called.
    let mended = tool("e2fsck").arg("-fp").arg(disk).output()?;
    ensure!(
        mended.status.code().is_some_and(|code| code <= 1),
        "e2fsck: {}",
        String::from_utf8_lossy(&mended.stdout)
    );
    run(tool("e2fsck").arg("-fn").arg(disk)).context("the mended file system")?;
    let records = text(tool("debugfs").args(["-R", "cat /records"]).arg(disk))?;
    let found = records.lines().count();
    let in_order = (1..)
        .zip(records.lines())
        .all(|(n, line): (usize, _)| line == n.to_string());
    ensure!(in_order, "the records are {records:?}");
    ensure!(
        found >= acknowledged,
        "{found} records, but {acknowledged} were acknowledged"
    );
    Ok(())
}
