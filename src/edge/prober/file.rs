//! A file that a service touches while it lives.
//!
//! Its time is one of the wall clock, which may be wrong, be set at any moment, or stand in the past
//! after a boot without network. So it is believed only once: at the first look, and only if by it
//! the file is young. From then on what counts is that the time *changes*, as seen on the clock that
//! nobody can set. A file from the future, or of last year, is watched for as long as it may be old:
//! until then it tells nothing, and then it is old. So neither a clock that is set ends a service, nor
//! does a file from the future keep one for ever.

use crate::core::fact::{Errno, Ill, Probed, RunId};
use crate::edge::clock;
use crate::units::Mono;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::time::Duration;

/// A file as it was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Found {
    inode: u64,
    seconds: i64,
    nanos: u32,
}

/// What is known of a file.
#[derive(Default)]
pub(super) struct Watched {
    known: Option<Known>,
}

#[derive(Clone, Copy)]
struct Known {
    found: Found,
    /// Since when it has not changed, on our own clock.
    since: Mono,
    /// That it was young then was seen, and is not just hoped for.
    believed: bool,
    /// In which run.
    run: RunId,
}

impl Watched {
    /// Looks at the file.
    pub fn look(&mut self, path: &Path, max_age: Duration, run: RunId) -> Probed {
        let flags = StatxFlags::MTIME | StatxFlags::INO;
        match statx(CWD, path, AtFlags::empty(), flags) {
            Ok(stat) => {
                let found = Found {
                    inode: stat.stx_ino,
                    seconds: stat.stx_mtime.tv_sec,
                    nanos: stat.stx_mtime.tv_nsec,
                };
                let wall = clock_gettime(ClockId::Realtime).tv_sec;
                self.judge(found, wall, clock::now(), max_age, run)
            }
            Err(errno) => {
                self.known = None;
                lack(errno)
            }
        }
    }

    fn judge(
        &mut self,
        found: Found,
        wall: i64,
        now: Mono,
        max_age: Duration,
        run: RunId,
    ) -> Probed {
        let known = match self.known {
            Some(known) if known.found == found && known.run == run => known,
            // It has changed since the last look, however that was: by this run, as far as we can tell.
            Some(known) if known.found != found && known.run == run => Known {
                found,
                since: now,
                believed: true,
                run,
            },
            // An earlier run has left it.
            Some(known) if known.found == found => Known {
                since: now,
                believed: false,
                run,
                ..known
            },
            Some(_) | None => first(found, wall, now, max_age, run),
        };
        self.known = Some(known);
        let age = now.since(known.since);
        match (age <= max_age, known.believed) {
            (true, true) => Probed::Good,
            (true, false) => Probed::Unsure(Ill::Undated),
            (false, _) => Probed::Bad(Ill::Unchanged(age)),
        }
    }
}

/// The first look at a file in a run.
fn first(found: Found, wall: i64, now: Mono, max_age: Duration, run: RunId) -> Known {
    let age = wall.checked_sub(found.seconds);
    let age = age.and_then(|age| u64::try_from(age).ok());
    let age = age.map(Duration::from_secs).filter(|age| *age <= max_age);
    let before = |age: Duration| {
        let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        Mono(now.0.saturating_sub(millis))
    };
    Known {
        found,
        since: age.map_or(now, before),
        believed: age.is_some(),
        run,
    }
}

/// That it is not there is the service's doing; that it cannot be looked at is not.
fn lack(errno: rustix::io::Errno) -> Probed {
    let ill = Ill::Errno(Errno(errno.raw_os_error()));
    match errno {
        rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => Probed::Bad(ill),
        _ => Probed::Unsure(ill),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(60);
    const RUN: RunId = RunId(1);

    fn of(seconds: i64) -> Found {
        Found {
            inode: 7,
            seconds,
            nanos: 0,
        }
    }

    /// Looks at these times, in seconds of our clock; the file and the wall clock are as given.
    fn looks(looks: &[(u64, i64, i64)]) -> Vec<Probed> {
        let mut watched = Watched::default();
        let look = |(now, file, wall): &(u64, i64, i64)| {
            watched.judge(of(*file), *wall, Mono(now * 1000), MAX, RUN)
        };
        looks.iter().map(look).collect()
    }

    fn old(seconds: u64) -> Probed {
        Probed::Bad(Ill::Unchanged(Duration::from_secs(seconds)))
    }

    const UNDATED: Probed = Probed::Unsure(Ill::Undated);

    /// What is young stays good for as long as it is, and is old then; each change makes it young.
    #[test]
    fn age_counts_from_the_last_change() {
        let seen = looks(&[
            (1000, 500, 510),
            (1050, 500, 560),
            (1051, 500, 561),
            (1052, 562, 562),
        ]);
        assert_eq!(seen, [Probed::Good, Probed::Good, old(61), Probed::Good]);
    }

    /// A clock that is set by years in either direction changes nothing.
    #[test]
    fn steps_of_the_wall_clock_do_not_count() {
        let year = 31_000_000;
        for step in [year, -year] {
            let seen = looks(&[
                (1000, 500, 510),
                (1010, 500, 520 + step),
                (1062, 500, 572 + step),
            ]);
            assert_eq!(seen, [Probed::Good, Probed::Good, old(72)]);
            // What is written after the step has another time, whichever that is.
            let seen = looks(&[(1000, 500, 510), (1010, 512 + step, 520 + step)]);
            assert_eq!(seen, [Probed::Good; 2]);
        }
    }

    /// A file from the future, or from before, tells nothing until it changes, and is old in the end.
    #[test]
    fn a_file_that_cannot_be_dated_is_watched() {
        for file in [9_000, 300] {
            let seen = looks(&[(1000, file, 500), (1060, file, 560), (1061, file, 561)]);
            assert_eq!(seen, [UNDATED, UNDATED, old(61)]);
            let seen = looks(&[(1000, file, 500), (1050, file + 1, 550)]);
            assert_eq!(seen, [UNDATED, Probed::Good]);
        }
    }

    /// What an earlier run has left is not the work of this one.
    #[test]
    fn a_new_run_begins_anew() {
        let mut watched = Watched::default();
        let mut look = |file, run| watched.judge(of(file), 510, Mono(1_000_000), MAX, RunId(run));
        assert_eq!(look(500, 1), Probed::Good);
        assert_eq!(look(500, 2), UNDATED);
        assert_eq!(look(501, 2), Probed::Good);
        // Written between two looks of two runs: by its time it is young, and that is believed.
        assert_eq!(look(505, 3), Probed::Good);
    }

    /// A real file: missing, fresh, replaced.
    #[test]
    fn a_real_file_is_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alive");
        let mut watched = Watched::default();
        let missing = Probed::Bad(Ill::Errno(Errno(libc::ENOENT)));
        assert_eq!(watched.look(&path, MAX, RUN), missing);
        std::fs::write(&path, "").unwrap();
        assert_eq!(watched.look(&path, MAX, RUN), Probed::Good);
        let below = path.join("below");
        assert_eq!(
            watched.look(&below, MAX, RUN),
            Probed::Bad(Ill::Errno(Errno(libc::ENOTDIR)))
        );
    }
}
