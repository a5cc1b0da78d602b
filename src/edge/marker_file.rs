//! The marker's file: one line, written whole or not at all, and found by whoever comes next.
//!
//! ```text
//! fieldwarden-marker 1 boot=UUID up=812.345 wall=TIME intent=run mains=yes attempts=0 crc=1a2b3c4d
//! ```
//!
//! It lies in two places. That of the runtime directory is of this boot only: it outlives the daemon,
//! works where the other cannot be written, and is what the hook of systemd's last moments reads.
//! That of the state directory outlives the boot.
//!
//! They are written by two threads, because the card may stall: what holds in this boot must not
//! wait behind what is to outlive it, or a daemon that dies meanwhile leaves its successor a halt that
//! was taken back.

use super::clock;
use super::inbox::Inbox;
use super::mountinfo::{self, Mount};
use super::orders::Work;
use super::places::Places;
use crate::core::fact::{Errno, Fact, Fault, OrderId, Reading, Source};
use crate::core::intent::{FoundMarker, Marker};
use crate::core::traces::Traces;
use crate::text;
use crate::trace::parse_marker;
use crate::units::Mono;
use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Beginning of the line, with the version of its form.
const MAGIC: &str = "fieldwarden-marker 1 ";

/// Before the checksum of everything that stands before it.
const CRC: &str = " crc=";

/// Longest line that is looked at, in bytes: three times what any marker needs.
const LENGTH_MAX: u64 = 1024;

/// What the thread of the marker can be told to do.
pub struct MarkerOrder {
    /// To be quoted in the outcome.
    pub order: OrderId,
    /// What to write.
    pub marker: Marker,
}

/// A marker with where it came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The boot in which it was written.
    pub boot: Box<str>,
    /// How long that had lasted then.
    pub up: Mono,
    /// What the clock showed then.
    pub wall: Option<Timestamp>,
    /// What it tells.
    pub marker: Marker,
}

/// Whose marker it is. They have different files: what was meant for a simulated machine must never
/// halt a real one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// The machine that we run on.
    ThisMachine,
    /// One that ends with its daemon.
    SimulatedMachine,
}

/// The two places of the marker.
#[derive(Clone, Debug)]
pub struct MarkerFiles {
    runtime: PathBuf,
    /// Where an earlier daemon of this boot may have left its own.
    others: Vec<PathBuf>,
    state: PathBuf,
    boot: Box<str>,
}

impl MarkerFiles {
    /// Those of a daemon with these directories, in this boot.
    pub fn new(places: &Places, state_dir: &Path, boot: &str, of: Of) -> MarkerFiles {
        let (runtime, state) = (places.marker(), state_dir.join("marker"));
        let (runtime, state) = match of {
            Of::ThisMachine => (runtime, state),
            Of::SimulatedMachine => (runtime.with_extension("sim"), state.with_extension("sim")),
        };
        MarkerFiles {
            runtime,
            others: Vec::new(),
            state,
            boot: boot.into(),
        }
    }

    /// A daemon whose runtime directory could not be used has worked in one of these instead.
    pub fn or_in(mut self, runtime_dirs: &[PathBuf]) -> MarkerFiles {
        let name = self.runtime.file_name().unwrap_or_default();
        self.others = runtime_dirs.iter().map(|dir| dir.join(name)).collect();
        self
    }

    /// What was written last in this boot.
    fn of_this_boot(&self) -> Option<Written> {
        // What everybody could have written is nobody's word.
        let ours = |path: &&PathBuf| path.parent().is_some_and(|d| Places::check_ours(d).is_ok());
        let others = self.others.iter().filter(ours);
        let found = std::iter::once(&self.runtime).chain(others);
        let found = found.filter_map(|path| read(path).ok());
        let ours = found.filter(|written| written.boot == self.boot);
        ours.max_by_key(|written| written.up)
    }

    /// The fact that there is no marker.
    pub fn nothing() -> Fact {
        Fact::Lost {
            source: Source::Marker,
            why: Fault::Absent,
        }
    }

    /// The fact of what was found. `reset`: the driver of the watchdog says whether it ended the
    /// boot before, where it can tell. `traces` looks for what else there is; it is asked only for what
    /// an earlier boot has written.
    pub fn found(&self, reset: Option<bool>, traces: impl FnOnce(&Written) -> Traces) -> Fact {
        let written = match self.of_this_boot() {
            Some(written) => Ok(written),
            None => read(&self.state).map_err(|why| self.lost(why)),
        };
        match written {
            Ok(written) => {
                let same_boot = written.boot == self.boot;
                Fact::Seen(Reading::marker(FoundMarker {
                    marker: written.marker,
                    same_boot,
                    reset,
                    lasts: self.outlives_a_boot(),
                    traces: match same_boot {
                        true => Traces::default(),
                        false => traces(&written),
                    },
                }))
            }
            Err(why) => Fact::Lost {
                source: Source::Marker,
                why,
            },
        }
    }

    /// One of a later version that lies beside was set aside: the machine has been here before.
    fn lost(&self, why: Fault) -> Fault {
        let beside = || {
            let names = fs::read_dir(self.state.parent()?).ok()?;
            let mut prefix = self.state.file_name()?.to_owned();
            prefix.push(".v");
            let prefix = prefix.to_str()?.to_owned();
            let later = names.flatten().any(|entry| {
                let name = entry.file_name();
                name.to_str().is_some_and(|name| name.starts_with(&prefix))
            });
            Some(later)
        };
        match why {
            Fault::Absent if beside() == Some(true) => Fault::Implausible,
            why => why,
        }
    }

    /// The state directory is on a file system that keeps it over a boot. Not where that is not known.
    fn outlives_a_boot(&self) -> bool {
        let there = self.state.ancestors().find_map(|p| p.canonicalize().ok());
        let table = mountinfo::table(Path::new("/"));
        let (Some(there), Ok(table)) = (there, table) else {
            return false;
        };
        mountinfo::mount_of(&table, &there).is_some_and(Mount::outlives_a_boot)
    }

    /// Writes the marker of this boot. Its directory lies in memory, and others may have filled that
    /// up: then it is written over the one that is there, which takes no room. An old one that stayed
    /// would be believed by the hook and by the next daemon.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn keep(&self, marker: &Marker) -> Result<(), Fault> {
        let line = line(&self.boot, marker);
        write_whole(&self.runtime, line.as_bytes())
            .or_else(|why| write_over(&self.runtime, line.as_bytes()).map_err(|_| fault(&why)))
    }

    /// Writes the marker that outlives the boot.
    fn write(&self, marker: &Marker) -> Result<(), Fault> {
        let line = line(&self.boot, marker);
        let directory = self.state.parent().map_or(Ok(()), fs::create_dir_all);
        let written = directory.and_then(|()| write_whole(&self.state, line.as_bytes()));
        written.map_err(|e| fault(&e))
    }

    /// Writes what is ordered, for the next boot, until nobody orders anything.
    pub fn run(&self, work: &Work<MarkerOrder>, inbox: &Inbox) {
        while let Some(MarkerOrder { order, marker }) = work.wait() {
            let outcome = self.write(&marker);
            inbox.send(Fact::Done { order, outcome });
            work.finish(clock::now());
        }
    }
}

/// The line of a marker, with the time and its checksum.
fn line(boot: &str, marker: &Marker) -> String {
    let (up, wall) = (clock::now(), clock::wall());
    let text = text::marker(marker);
    let line = format!("{MAGIC}boot={boot} up={up} wall={wall:.0} {text}");
    let crc = crc32fast::hash(line.as_bytes());
    format!("{line}{CRC}{crc:08x}\n")
}

/// Reads a marker.
///
/// # Errors
/// [`Fault::Absent`] if there is none; [`Fault::Implausible`] if it is damaged or of another
/// version; what the kernel said.
pub fn read(path: &Path) -> Result<Written, Fault> {
    let file = File::open(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Fault::Absent,
        _ => fault(&e),
    })?;
    let mut text = String::new();
    let mut limited = io::Read::take(file, LENGTH_MAX);
    match io::Read::read_to_string(&mut limited, &mut text) {
        Ok(_) => parse(&text).ok_or(Fault::Implausible),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Err(Fault::Implausible),
        Err(e) => Err(fault(&e)),
    }
}

/// `None` unless it is whole, of our version, and every word of it is understood. Behind its line may
/// lie the rest of an older one.
pub(super) fn parse(text: &str) -> Option<Written> {
    let (line, _) = text.split_once('\n')?;
    let (line, crc) = line.rsplit_once(CRC)?;
    if crc != format!("{:08x}", crc32fast::hash(line.as_bytes())) {
        return None;
    }
    let rest = line.strip_prefix(MAGIC)?.strip_prefix("boot=")?;
    let (boot, rest) = rest.split_once(' ')?;
    let (up, rest) = rest.strip_prefix("up=")?.split_once(' ')?;
    let (wall, marker) = rest.strip_prefix("wall=")?.split_once(' ')?;
    let (seconds, millis) = up.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    Some(Written {
        boot: boot.into(),
        up: Mono(
            seconds
                .checked_mul(1000)?
                .checked_add(millis.parse().ok()?)?,
        ),
        wall: wall.parse().ok(),
        marker: parse_marker(marker).ok()?,
    })
}

/// Replaces a file so that a power cut at any instant leaves the old or the new one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)?.sync_all()
}

/// Writes over a file that is there, at once: no block and no entry of a directory is needed for that
/// where it lies in memory. One that is cut off in the middle is no marker, by its checksum.
fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.write_all_at(bytes, 0)
}

pub(super) fn fault(error: &io::Error) -> Fault {
    Fault::Errno(Errno(error.raw_os_error().unwrap_or(libc::EIO)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::HaltKind;
    use crate::core::intent::{CutTold, HaltPhase, Intent, LetGo, Outage, Proof};
    use crate::core::picture::{HaltCause, Shed};
    use crate::core::traces::Sample;
    use crate::core::{Confidence, End, LastBoot};
    use crate::units::{Millivolts, Permille, Wall};
    use std::time::Duration;

    const BOOT: &str = "0b3a3cbd-6e3b-4d0b-9d27-3d1a1d2f9f10";

    fn marker() -> Marker {
        Marker {
            intent: Intent::Halt {
                kind: HaltKind::PowerOff,
                cause: HaltCause::LowBattery,
                phase: HaltPhase::Committed,
            },
            mains: Some(false),
            attempts: 2,
            in_vain: 3,
            sunk: 1,
            reboots: crate::core::reboots::Reboots::default(),
            outage: Some(Outage {
                since: Mono(812_345),
                confirmed: true,
                shed: Shed::Optional,
                charge: Some(Permille(645)),
                dark: Some(Mono(830_000)),
            }),
            cut: CutTold::Taken {
                since: Mono(900_120),
            },
            before: Some(LastBoot {
                end: End::Halted {
                    kind: HaltKind::PowerOff,
                    cause: HaltCause::RideThrough,
                },
                confidence: Confidence::Likely,
            }),
            sample: Sample {
                level: Some(Permille(512)),
                voltage: Some(Millivolts(3_700)),
                weak: Some(false),
                low: true,
            },
            dated: true,
            let_go: Some(LetGo {
                since: Mono(812_000),
                timeout: Duration::from_secs(15),
            }),
            proof: Some(Proof {
                took: Duration::from_millis(14_250),
                timeout: Duration::from_secs(15),
                at: Wall::new(1_900_000_000),
            }),
        }
    }

    fn nothing(_: &Written) -> Traces {
        Traces::default()
    }

    fn files(dir: &Path, boot: &str) -> MarkerFiles {
        let places = Places::new(&dir.join("run"));
        places.make().unwrap();
        MarkerFiles::new(&places, &dir.join("state"), boot, Of::ThisMachine)
    }

    /// A daemon that worked elsewhere in this boot, and could not write to the card, is heard.
    #[test]
    fn found_where_an_earlier_daemon_had_to_go() {
        let dir = tempfile::tempdir().unwrap();
        let refuge = dir.path().join("refuge");
        let places = Places::new(&refuge);
        places.make().unwrap();
        let state = dir.path().join("state");
        let elsewhere = MarkerFiles::new(&places, &state, BOOT, Of::ThisMachine);
        elsewhere.keep(&marker()).unwrap();
        let here = files(dir.path(), BOOT).or_in(std::slice::from_ref(&refuge));
        let seen = |fact| matches!(fact, Fact::Seen(Reading::Marker(left)) if left.same_boot);
        assert!(seen(here.found(None, nothing)));
        let next = files(dir.path(), "another").or_in(std::slice::from_ref(&refuge));
        assert!(!seen(next.found(None, nothing)));
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&refuge, open).unwrap();
        assert!(!seen(here.found(None, nothing)));
    }

    /// A marker of a later version that was set aside is no first boot: nothing is known of what it
    /// told, and no budget begins anew. That of a simulated machine is another one.
    #[test]
    fn one_that_was_set_aside_is_not_absent() {
        let dir = tempfile::tempdir().unwrap();
        let here = files(dir.path(), BOOT);
        let state = dir.path().join("state");
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("marker.sim"), "fieldwarden-marker 2\n").unwrap();
        let set_aside = || {
            let places = Places::new(&dir.path().join("run"));
            crate::edge::newer::set_aside(&places, &state);
        };
        set_aside();
        assert_eq!(here.found(None, nothing), lost(Fault::Absent));
        fs::write(state.join("marker"), "fieldwarden-marker 2 boot=x\n").unwrap();
        set_aside();
        assert!(!state.join("marker").exists());
        assert_eq!(here.found(None, nothing), lost(Fault::Implausible));
        // As soon as there is one of ours, that counts.
        here.write(&marker()).unwrap();
        assert!(matches!(here.found(None, nothing), Fact::Seen(_)));
    }

    /// The daemon that follows in this boot finds it, and so does the next boot, without the runtime
    /// directory.
    #[test]
    fn found_by_whoever_comes_next() {
        let dir = tempfile::tempdir().unwrap();
        let here = files(dir.path(), BOOT);
        assert_eq!(here.found(None, nothing), lost(Fault::Absent));
        here.keep(&marker()).unwrap();
        here.write(&marker()).unwrap();
        let left = |same_boot, reset| {
            Fact::Seen(Reading::marker(FoundMarker {
                marker: marker(),
                same_boot,
                reset,
                lasts: here.outlives_a_boot(),
                traces: Traces::default(),
            }))
        };
        assert_eq!(here.found(None, nothing), left(true, None));
        let next = files(dir.path(), "another");
        assert_eq!(next.found(Some(true), nothing), left(false, Some(true)));
        fs::remove_file(dir.path().join("run/marker")).unwrap();
        assert_eq!(next.found(Some(false), nothing), left(false, Some(false)));
    }

    /// A halt is taken back while the card still stalls at it: whoever follows in this boot learns it.
    #[test]
    fn what_holds_now_does_not_wait_for_the_card() {
        let dir = tempfile::tempdir().unwrap();
        let here = files(dir.path(), BOOT);
        here.keep(&marker()).unwrap();
        here.write(&marker()).unwrap();
        let back = Marker {
            intent: Intent::Run,
            ..marker()
        };
        here.keep(&back).unwrap();
        let Fact::Seen(Reading::Marker(left)) = here.found(None, nothing) else {
            panic!("no marker");
        };
        assert!(left.same_boot);
        assert_eq!(left.marker, back);
    }

    /// Where no new file can be made, the one that is there is written over, by shorter lines and by
    /// longer ones; what is left of an older one behind it does not count.
    #[test]
    fn a_full_runtime_directory_keeps_no_old_marker() {
        let dir = tempfile::tempdir().unwrap();
        let here = files(dir.path(), BOOT);
        let run = Marker {
            intent: Intent::Run,
            outage: None,
            ..marker()
        };
        here.keep(&run).unwrap();
        // In its place nothing can be made.
        fs::create_dir(dir.path().join("run/marker.new")).unwrap();
        for marker in [marker(), run, marker(), run] {
            here.keep(&marker).unwrap();
            let written = read(&here.runtime).unwrap();
            assert_eq!((written.marker, &*written.boot), (marker, BOOT));
        }
        fs::remove_file(&here.runtime).unwrap();
        let told = here.keep(&marker());
        assert_eq!(told, Err(Fault::Errno(Errno(libc::EISDIR))));
    }

    /// What a simulated machine was to do is nothing that a real one finds.
    #[test]
    fn a_simulated_machine_leaves_nothing_to_a_real_one() {
        let dir = tempfile::tempdir().unwrap();
        let (places, state) = (Places::new(dir.path()), dir.path().join("state"));
        fs::create_dir_all(places.root()).unwrap();
        let simulated = MarkerFiles::new(&places, &state, BOOT, Of::SimulatedMachine);
        simulated.write(&marker()).unwrap();
        let real = MarkerFiles::new(&places, &state, BOOT, Of::ThisMachine);
        assert_eq!(real.found(None, nothing), MarkerFiles::nothing());
    }

    /// A marker without what later writers have added is one in which none of that holds.
    #[test]
    fn words_that_an_older_version_did_not_know() {
        let whole = |line: &str| format!("{line}{CRC}{:08x}\n", crc32fast::hash(line.as_bytes()));
        let line = format!("{MAGIC}boot={BOOT} up=812.3 wall=- intent=run mains=yes attempts=0");
        let older = parse(&whole(&line)).map(|written| written.marker);
        let wanted = Marker {
            intent: Intent::Run,
            mains: Some(true),
            attempts: 0,
            in_vain: 0,
            sunk: 0,
            outage: None,
            cut: CutTold::No,
            before: None,
            ..Marker::default()
        };
        assert_eq!(older, Some(wanted));
        let newer = line.replacen("marker 1", "marker 2", 1);
        assert_eq!(parse(&whole(&newer)), None);
    }

    /// Cut at any byte, or with any bit of it changed, it is no marker.
    #[test]
    fn damage_is_seen() {
        let whole = line(BOOT, &marker());
        assert_eq!(parse(&whole).map(|w| w.marker), Some(marker()));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "cut at {end}");
        }
        for at in 0..whole.len() {
            for bit in 0..7 {
                let mut bytes = whole.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let text = String::from_utf8(bytes).unwrap();
                assert_eq!(parse(&text), None, "bit {bit} of byte {at}");
            }
        }
    }

    /// A state directory that cannot be written is told, and the daemon that follows in this boot
    /// finds the marker nevertheless.
    #[test]
    fn without_a_state_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = files(dir.path(), BOOT);
        files.state = "/proc/nowhere/marker".into();
        let told = files.keep(&marker()).and_then(|()| files.write(&marker()));
        assert!(matches!(told, Err(Fault::Errno(_))), "{told:?}");
        assert!(matches!(files.found(None, nothing), Fact::Seen(_)));
    }

    /// What is in memory does not outlive a boot, whether the directory is there yet or not.
    #[test]
    fn a_marker_in_memory_does_not_last() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let files = files(dir.path(), BOOT);
        assert!(!files.outlives_a_boot());
        files.write(&marker()).unwrap();
        let found = MarkerFiles {
            boot: "another".into(),
            ..files
        }
        .found(None, nothing);
        let Fact::Seen(Reading::Marker(left)) = found else {
            panic!("{found:?}");
        };
        assert!(!left.same_boot && !left.lasts);
    }

    /// A file that is something else is damage, not silence.
    #[test]
    fn nonsense_is_no_marker() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marker");
        for bytes in [
            &b""[..],
            b"\xff\xfe",
            b"fieldwarden-marker 2 x crc=00000000\n",
        ] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(read(&path), Err(Fault::Implausible));
        }
        assert_eq!(
            read(dir.path()),
            Err(Fault::Errno(Errno(libc::EISDIR))),
            "a directory"
        );
    }

    fn lost(why: Fault) -> Fact {
        Fact::Lost {
            source: Source::Marker,
            why,
        }
    }
}
