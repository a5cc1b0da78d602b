//! Hears that something has become of a unit, by what the kernel tells of its control group.
//!
//! The file `cgroup.events` of a group changes when its last process ends; the group itself comes and
//! goes with its unit (kernel, Documentation/admin-guide/cgroup-v2.rst, "Un-populated Notification").
//! And that one was unmasked or installed, by the directories in which units are defined.

use super::show::Seen;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What the kernel is asked to tell.
pub(super) struct Watch {
    inotify: OwnedFd,
    /// The root of all control groups.
    root: PathBuf,
    watched: BTreeMap<PathBuf, i32>,
    /// Names of groups that are ours to know of.
    names: BTreeSet<String>,
}

impl Watch {
    /// Watches for units that are defined in these places, or not any more; what of them is not there
    /// is not watched. Of groups, which lie below `root`, none is watched yet.
    ///
    /// # Errors
    /// When the kernel gives no inotify.
    pub fn new(root: &Path, places: &[&Path]) -> io::Result<Watch> {
        let mut watch = Watch {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            root: root.to_owned(),
            watched: BTreeMap::new(),
            names: BTreeSet::new(),
        };
        for place in places {
            let flags = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
            watch.add(place.to_path_buf(), flags | WatchFlags::ONLYDIR);
        }
        Ok(watch)
    }

    /// Watches what these units have by now. What cannot be watched is looked at now and then.
    pub fn follow(&mut self, units: &[Seen]) {
        for seen in units {
            let below = |path: &str| self.root.join(path.trim_start_matches('/'));
            let slice = below(&slice_path(&seen.slice));
            let events = seen
                .group
                .as_deref()
                .map(|group| below(group).join("cgroup.events"));
            self.names.insert(seen.id.clone());
            self.add(
                slice,
                WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::ONLYDIR,
            );
            if let Some(events) = events {
                self.add(events, WatchFlags::MODIFY);
            }
        }
    }

    fn add(&mut self, path: PathBuf, flags: WatchFlags) {
        if !self.watched.contains_key(&path)
            && let Ok(number) = inotify::add_watch(&self.inotify, &path, flags)
        {
            self.watched.insert(path, number);
        }
    }

    /// Takes in what was told. Returns whether any of it may concern a unit.
    pub fn hear(&mut self) -> bool {
        let (mut gone, mut news) = (Vec::new(), false);
        let mut room = [MaybeUninit::uninit(); 1024];
        let mut told = inotify::Reader::new(&self.inotify, &mut room);
        while let Ok(event) = told.next() {
            if event.events().contains(inotify::ReadFlags::IGNORED) {
                gone.push(event.wd());
            }
            let name = event.file_name().map(|name| name.to_string_lossy());
            // Of a group itself, or of one that we know; others come and go in the same slice.
            news |= name.is_none_or(|name| self.names.contains(&*name));
        }
        self.watched.retain(|_, number| !gone.contains(number));
        news
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// Where the group of a slice is: `a-b.slice` lies in `a.slice` (systemd.slice(5)).
fn slice_path(slice: &str) -> String {
    let stem = slice.strip_suffix(".slice").unwrap_or(slice);
    let ends = stem.match_indices('-').map(|(at, _)| at);
    let ends = ends
        .chain([stem.len()])
        .filter(|end| *end > 0 && stem != "-");
    ends.map(|end| format!("/{}.slice", &stem[..end])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Standing;
    use std::fs;

    #[test]
    fn slices_lie_in_slices() {
        assert_eq!(slice_path("system.slice"), "/system.slice");
        assert_eq!(slice_path("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
        assert_eq!(slice_path("-.slice"), "");
    }

    /// News of a unit's group, and that it comes and goes, are heard; its neighbours are not.
    #[test]
    fn what_is_heard() {
        let root = tempfile::tempdir().unwrap();
        let slice = root.path().join("system.slice");
        fs::create_dir_all(slice.join("web.service")).unwrap();
        fs::write(slice.join("web.service/cgroup.events"), "populated 1\n").unwrap();
        let seen = Seen {
            standing: Standing::Going,
            failed: false,
            blank: false,
            doubtful: false,
            end: 0,
            group: Some("/system.slice/web.service".to_owned()),
            slice: "system.slice".to_owned(),
            id: "web.service".to_owned(),
        };
        let mut watch = Watch::new(root.path(), &[]).unwrap();
        watch.follow(std::slice::from_ref(&seen));
        assert!(!watch.hear());
        fs::create_dir(slice.join("other.service")).unwrap();
        assert!(!watch.hear());
        fs::write(slice.join("web.service/cgroup.events"), "populated 0\n").unwrap();
        assert!(watch.hear());
        fs::remove_dir_all(slice.join("web.service")).unwrap();
        assert!(watch.hear());
        fs::create_dir(slice.join("web.service")).unwrap();
        assert!(watch.hear());
        assert!(!watch.hear());
        // The new group is watched as the old one was.
        fs::write(slice.join("web.service/cgroup.events"), "populated 1\n").unwrap();
        watch.follow(std::slice::from_ref(&seen));
        fs::write(slice.join("web.service/cgroup.events"), "populated 0\n").unwrap();
        assert!(watch.hear());
    }

    /// One that is masked, unmasked or installed is heard of; what else comes and goes there is not. A
    /// place that is not there is none.
    #[test]
    fn what_is_defined_is_heard() {
        let root = tempfile::tempdir().unwrap();
        let (own, none) = (root.path().join("own"), root.path().join("none"));
        fs::create_dir(&own).unwrap();
        let mut watch = Watch::new(root.path(), &[&own, &none]).unwrap();
        watch.names.insert("web.service".to_owned());
        let masked = own.join("web.service");
        std::os::unix::fs::symlink("/dev/null", &masked).unwrap();
        assert!(watch.hear());
        fs::write(own.join("other.service"), "").unwrap();
        assert!(!watch.hear());
        fs::remove_file(&masked).unwrap();
        assert!(watch.hear());
        // As packages install it.
        fs::write(own.join("web.service.new"), "").unwrap();
        assert!(!watch.hear());
        fs::rename(own.join("web.service.new"), &masked).unwrap();
        assert!(watch.hear());
    }
}
