//! Rebuilds a recorded disk as a power cut would have left it.
//!
//! A recording is what QEMU's blklogwrites driver leaves: the form of Linux's dm-log-writes, one
//! entry per write or flush in the order they were finished. Terms: a *cut* after N entries keeps
//! all that was flushed before it; each later write is *pending*, and the cut keeps it, drops it,
//! or tears it between two sectors, as a seed decides. Nothing here starts or stops a machine.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// First number of a recording, and the version of its form.
const MAGIC: u64 = 0x006a_7366_7773_6872;
const VERSION: u64 = 1;

/// Bits of an entry.
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: u64 = 512;

/// One entry of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// Place on the disk in bytes.
    start: u64,
    /// Bytes written; 0 for a mere flush.
    length: u64,
    /// All earlier writes are safe.
    flushes: bool,
    /// This write itself is safe at once.
    safe: bool,
    /// Where its bytes are in the recording.
    data: u64,
}

/// What a cut did to the pending writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Writes that were pending.
    pub pending: usize,
    /// Of these, lost.
    pub dropped: usize,
    /// Of these, half done.
    pub torn: usize,
}

/// A finished recording.
#[derive(Debug)]
pub struct Recording {
    base: PathBuf,
    log: File,
    entries: Vec<Entry>,
}

impl Recording {
    /// Reads a recording; `base` is the disk as it was when recording began.
    pub fn open(base: &Path, log: &Path) -> Result<Self> {
        let log = File::open(log).with_context(|| format!("open {}", log.display()))?;
        let [magic, version, count, sector] = numbers(&log, 0)?;
        let sector = sector & u64::from(u32::MAX);
        ensure!(
            magic == MAGIC && version == VERSION,
            "this is no recording of a disk"
        );
        ensure!(
            sector >= SECTOR,
            "the recording's sectors have {sector} bytes"
        );
        let mut entries = Vec::new();
        let mut at = sector;
        for number in 0..count {
            let [start, sectors, flags, _] =
                numbers(&log, at).with_context(|| format!("entry {number} of {count}"))?;
            at += sector;
            if flags & DISCARD != 0 {
                bail!("entry {number} discards; the lab's disks do not offer that");
            }
            entries.push(Entry {
                start: start * sector,
                length: sectors * sector,
                flushes: flags & FLUSH != 0,
                safe: flags & FUA != 0,
                data: at,
            });
            at += sectors * sector;
        }
        Ok(Recording {
            base: base.to_owned(),
            log,
            entries,
        })
    }

    /// Number of entries: a cut can be after 0 up to this many.
    pub fn length(&self) -> usize {
        self.entries.len()
    }

    /// What the guest wrote last to this sector among the first `cut` entries, flushed or not.
    pub fn last_write(&self, cut: usize, sector: u64) -> Result<Option<Vec<u8>>> {
        let place = sector * SECTOR;
        let covers = |entry: &&Entry| (entry.start..entry.start + entry.length).contains(&place);
        let Some(entry) = self.entries[..cut].iter().rev().find(covers) else {
            return Ok(None);
        };
        let mut bytes = vec![0; SECTOR as usize];
        self.log
            .read_exact_at(&mut bytes, entry.data + (place - entry.start))?;
        Ok(Some(bytes))
    }

    /// Makes `disk` the disk after a cut of the power behind the first `cut` entries.
    pub fn rebuild(&self, cut: usize, seed: u64, disk: &Path) -> Result<Damage> {
        fs::copy(&self.base, disk).with_context(|| format!("make {}", disk.display()))?;
        let disk = OpenOptions::new().write(true).open(disk)?;
        let done = &self.entries[..cut];
        let flushed = done.iter().rposition(|entry| entry.flushes).unwrap_or(0);
        let mut fate = Fate(seed);
        let mut damage = Damage::default();
        for (number, entry) in done.iter().enumerate() {
            let mut length = entry.length;
            if number > flushed && length > 0 && !entry.safe {
                length = fate.length(length);
                damage.pending += 1;
                damage.dropped += usize::from(length == 0);
                damage.torn += usize::from(length != 0 && length != entry.length);
            }
            let mut bytes = vec![0; usize::try_from(length)?];
            self.log.read_exact_at(&mut bytes, entry.data)?;
            disk.write_all_at(&bytes, entry.start)?;
        }
        Ok(damage)
    }
}

/// Four numbers, as the head and the entries of a recording have them.
fn numbers(log: &File, at: u64) -> Result<[u64; 4]> {
    let mut bytes = [0; 32];
    log.read_exact_at(&mut bytes, at)
        .context("the recording ends too early")?;
    let (words, _) = bytes.as_chunks::<8>();
    let mut numbers = words.iter().map(|word| u64::from_le_bytes(*word));
    Ok([(); 4].map(|()| numbers.next().unwrap_or_default()))
}

/// Decides what becomes of pending writes, the same for the same seed (SplitMix64).
struct Fate(u64);

impl Fate {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// How much of a pending write reaches the disk: half of them all, a quarter nothing, a
    /// quarter some sectors.
    fn length(&mut self, whole: u64) -> u64 {
        match self.draw() % 4 {
            0 | 1 => whole,
            2 => 0,
            _ => self.draw() % (whole / SECTOR) * SECTOR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recording of writes `(sector, byte)`; a flush is `None`.
    fn record(dir: &Path, entries: &[Option<(u64, u8)>]) -> Recording {
        let (base, log) = (dir.join("base"), dir.join("log"));
        fs::write(&base, [0; 8 * SECTOR as usize]).unwrap();
        let sector = |numbers: [u64; 4]| {
            let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            bytes.resize(SECTOR as usize, 0);
            bytes
        };
        let mut bytes = sector([MAGIC, VERSION, entries.len() as u64, SECTOR]);
        for entry in entries {
            match entry {
                Some((place, byte)) => {
                    bytes.extend(sector([*place, 1, 0, SECTOR]));
                    bytes.extend([*byte; SECTOR as usize]);
                }
                None => bytes.extend(sector([0, 0, FLUSH, 0])),
            }
        }
        fs::write(&log, bytes).unwrap();
        Recording::open(&base, &log).unwrap()
    }

    fn sectors(disk: &Path) -> Vec<u8> {
        fs::read(disk)
            .unwrap()
            .chunks(SECTOR as usize)
            .map(|sector| sector[0])
            .collect()
    }

    /// What was flushed is always there, what came later sometimes is and sometimes is not,
    /// what came after the cut never is.
    #[test]
    fn cut_keeps_what_was_flushed() {
        let dir = tempfile::tempdir().unwrap();
        let recording = record(
            dir.path(),
            &[Some((0, 1)), None, Some((1, 2)), Some((0, 3)), Some((2, 4))],
        );
        let disk = dir.path().join("disk");
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            recording.rebuild(4, seed, &disk).unwrap();
            let found = sectors(&disk);
            assert!(
                found[0] == 1 || found[0] == 3,
                "the flushed write is lost: {found:?}"
            );
            assert_eq!(found[2], 0, "a write after the cut is there");
            seen.insert((found[0], found[1]));
            recording.rebuild(4, seed, &disk).unwrap();
            assert_eq!(sectors(&disk), found, "seed {seed} gives another disk");
        }
        let all = [(1, 0), (1, 2), (3, 0), (3, 2)];
        assert!(all.iter().all(|pair| seen.contains(pair)), "{seen:?}");
    }

    /// The last write to a sector is found up to the cut only.
    #[test]
    fn last_write_stops_at_the_cut() {
        let dir = tempfile::tempdir().unwrap();
        let recording = record(dir.path(), &[Some((3, 1)), None, Some((3, 2))]);
        let at = |cut| recording.last_write(cut, 3).unwrap().map(|bytes| bytes[0]);
        assert_eq!(
            [at(0), at(1), at(2), at(3)],
            [None, Some(1), Some(1), Some(2)]
        );
    }

    /// Something else, and half a recording, are refused.
    #[test]
    fn no_recording_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), &[Some((3, 1))]);
        let (base, log) = (dir.path().join("base"), dir.path().join("log"));
        assert!(Recording::open(&base, &base).is_err());
        let whole = fs::read(&log).unwrap();
        fs::write(&log, &whole[..SECTOR as usize]).unwrap();
        assert!(Recording::open(&base, &log).is_err());
    }
}
