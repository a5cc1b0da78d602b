//! Spawning into a control group, with every method. Makes groups, so it runs in a machine of its
//! own only: `cargo xtask vm spawn-programs`. Anywhere else it fails and says so; `cargo test` leaves
//! it out.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "spawn/each.rs"]
mod each;

use each::{alone, ended, output, program, text, with_each_method};
use fieldwarden::edge::spawn::Stage;
use nix::errno::Errno;
use nix::sys::wait::WaitStatus;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// The VM suite sets this to the directory of a control group that is there for this.
const PLACE: &str = "FIELDWARDEN_TEST_CGROUP";

/// The child is in its group when it starts, with every method, and the group is gone when it is.
#[test]
fn child_starts_in_its_cgroup() {
    let group = OwnCgroup::make("own");
    let directory: Arc<OwnedFd> = Arc::new(File::open(&group.0).unwrap().into());
    with_each_method(|spawner| {
        let mut cat = program("/bin/cat", &["/proc/self/cgroup"]);
        cat.cgroup = Some(directory.clone());
        let seen = text(spawner, &mut cat);
        let line = seen.lines().find_map(|line| line.strip_prefix("0::"));
        let line = line.unwrap().trim_start_matches('/');
        assert!(group.0.ends_with(line), "{line} is not {:?}", group.0);
    });
}

/// A child without a group of its own stays in ours.
#[test]
fn without_a_group_the_child_is_in_ours() {
    let ours = fs::read_to_string("/proc/self/cgroup").unwrap();
    with_each_method(|spawner| {
        let mut cat = program("/bin/cat", &["/proc/self/cgroup"]);
        let (seen, status) = output(spawner, &mut cat).unwrap();
        assert_eq!(seen, ours);
        assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    });
}

/// A group that was removed, or one that takes no more processes, is refused with its stage; nothing
/// is left behind.
#[test]
fn a_group_that_takes_nobody_is_told() {
    let gone = OwnCgroup::make("gone");
    let full = OwnCgroup::make("full");
    fs::write(full.0.join("pids.max"), "0").unwrap();
    let open = |group: &OwnCgroup| Arc::new(OwnedFd::from(File::open(&group.0).unwrap()));
    let (into_gone, into_full) = (open(&gone), open(&full));
    drop(gone);
    with_each_method(|spawner| {
        for (group, errnos) in [
            (&into_gone, &[Errno::ENODEV, Errno::ENOENT][..]),
            (&into_full, &[Errno::EAGAIN][..]),
        ] {
            let mut refused = program("/bin/true", &[]);
            refused.cgroup = Some(group.clone());
            match spawner.spawn(&refused) {
                // Moved there after the fact, a process is not counted as a new one.
                Ok(spawned) => {
                    assert!(errnos.contains(&Errno::EAGAIN), "started in no group");
                    ended(&spawned);
                }
                Err(error) => {
                    let stages = [Stage::Cgroup, Stage::Clone];
                    assert!(stages.contains(&error.stage), "{error:?}");
                    assert!(errnos.contains(&error.errno), "{error:?}");
                }
            }
        }
    });
    let procs = fs::read_to_string(full.0.join("cgroup.procs")).unwrap();
    assert_eq!(procs, "");
}

/// A group below the one that the suite has made for us.
struct OwnCgroup(PathBuf);

impl OwnCgroup {
    fn make(name: &str) -> OwnCgroup {
        let place = std::env::var_os(PLACE).unwrap_or_else(|| {
            panic!(
                "this makes control groups and runs in a machine of its own: \
                 `cargo xtask vm spawn-programs`"
            )
        });
        let path = PathBuf::from(place).join(name);
        fs::create_dir(&path).unwrap();
        OwnCgroup(path)
    }
}

impl Drop for OwnCgroup {
    fn drop(&mut self) {
        let _alone = alone();
        let gone = fs::remove_dir(&self.0);
        assert!(gone.is_ok() || std::thread::panicking(), "{gone:?}");
    }
}
