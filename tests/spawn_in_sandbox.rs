//! What a spawned program sees of the machine, with every method. Mounts, so it runs in a machine of
//! its own only: `cargo xtask vm spawn-programs`. Anywhere else it fails and says so; `cargo test`
//! leaves it out.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "spawn/each.rs"]
mod each;

use each::{ended, program, text, with_each_method};
use fieldwarden::edge::spawn::{
    Access, Identity, Limit, Program, SECRET_MAX, Sandbox, Spawner, Stage,
};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The VM suite sets this.
const PLACE: &str = "FIELDWARDEN_TEST_CGROUP";

/// A directory that no private /tmp hides.
fn place() -> tempfile::TempDir {
    assert!(
        std::env::var_os(PLACE).is_some(),
        "this mounts and runs in a machine of its own: `cargo xtask vm spawn-programs`"
    );
    tempfile::tempdir_in("/run").unwrap()
}

/// A shell in a sandbox.
fn shell(script: &str, sandbox: Sandbox) -> Program {
    let mut shell = program("/bin/sh", &["-c", script]);
    shell.sandbox = Some(Box::new(sandbox));
    shell
}

fn failure(spawner: &mut Spawner, program: &Program) -> (Stage, Errno) {
    match spawner.spawn(program) {
        Ok(spawned) => panic!("started, and ended as {:?}", ended(&spawned)),
        Err(error) => (error.stage, error.errno),
    }
}

/// All that is mounted here, which no child may change.
fn mounted() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

/// Empty, bounded, open to everybody as the real one is, and gone with its owner.
#[test]
fn a_private_tmp_is_empty_bounded_and_gone() {
    let _place = place();
    let marks = ["/tmp/of-the-machine", "/var/tmp/of-the-machine"];
    for mark in marks {
        fs::write(mark, "").unwrap();
    }
    let before = mounted();
    let script = "ls -A /tmp /var/tmp; stat -f -c %T /tmp /var/tmp; stat -c %a /tmp /var/tmp; \
                  echo x > /tmp/ours && echo x > /var/tmp/ours && cat /tmp/ours; \
                  head -c 1500000 /dev/zero 2>/dev/null > /tmp/large || echo full; stat -c %s /tmp/large";
    with_each_method(|spawner| {
        let mut sandbox = Sandbox::default();
        sandbox.set_private_tmp(1 << 20);
        let said = text(spawner, &mut shell(script, sandbox));
        let (head, size) = said.trim_end().rsplit_once('\n').unwrap();
        let wanted = "/tmp:\n\n/var/tmp:\ntmpfs\ntmpfs\n1777\n1777\nx\nfull";
        assert_eq!(head, wanted);
        let size: u64 = size.parse().unwrap();
        assert!(size < 1 << 20, "{size} bytes in 1 MiB");
        assert!(!Path::new("/tmp/ours").exists() && !Path::new("/var/tmp/ours").exists());
    });
    assert_eq!(mounted(), before);
    for mark in marks {
        fs::remove_file(mark).unwrap();
    }
}

/// The path that says it most exactly counts, in both directions; root is bound by it as well; and
/// what the machine has read-only stays so below an exception.
#[test]
fn read_only_holds_but_for_its_exceptions() {
    let place = place();
    let at = |path: &str| place.path().join(path);
    for directory in ["a/open/closed", "a/kept", "beside"] {
        fs::create_dir_all(at(directory)).unwrap();
    }
    let (kept, none) = (at("a/kept"), None::<&str>);
    let bind = MsFlags::MS_BIND;
    mount(Some(&kept), &kept, none, bind, none).unwrap();
    let read_only = bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, &kept, none, read_only, none).unwrap();
    let before = mounted();
    let paths = [
        (at("a/open"), Access::AsBefore),
        (at("a"), Access::ReadOnly),
        (at("a/open/closed"), Access::ReadOnly),
        (at("a/kept"), Access::AsBefore),
    ];
    let script = format!(
        "cd {} && for d in a a/open a/open/closed a/kept beside; do \
         (echo x > $d/file) 2>&1 | sed 's/.*: //'; [ -e $d/file ] && echo \"$d written\"; done; true",
        place.path().display()
    );
    with_each_method(|spawner| {
        let mut sandbox = Sandbox::default();
        let paths = paths.iter().map(|(path, access)| (path.as_path(), *access));
        sandbox.set_paths(paths).unwrap();
        let said = text(spawner, &mut shell(&script, sandbox));
        let refused = "Read-only file system";
        let wanted = format!("{refused}\na/open written\n{refused}\n{refused}\nbeside written\n");
        assert_eq!(said, wanted);
        fs::remove_file(at("a/open/file")).unwrap();
        fs::remove_file(at("beside/file")).unwrap();
    });
    assert_eq!(mounted(), before);
    umount(&kept).unwrap();
}

/// All that is mounted anywhere is read-only, and devices and an exception still work.
#[test]
fn everything_can_be_read_only() {
    let place = place();
    let script = format!(
        "for f in /file /run/file /dev/shm/file /etc/passwd; do (echo x >> $f) 2>&1 | sed 's/.*: //'; done; \
         echo x > /dev/null && echo x > {}/file && echo written",
        place.path().display()
    );
    with_each_method(|spawner| {
        let mut sandbox = Sandbox::default();
        let paths = [
            (Path::new("/"), Access::ReadOnly),
            (place.path(), Access::AsBefore),
        ];
        sandbox.set_paths(paths).unwrap();
        let said = text(spawner, &mut shell(&script, sandbox));
        assert_eq!(
            said,
            format!("{}written\n", "Read-only file system\n".repeat(4))
        );
    });
}

#[test]
fn a_path_that_is_not_there_fails_the_start() {
    let place = place();
    let lost = place.path().join("lost");
    with_each_method(|spawner| {
        for access in [Access::ReadOnly, Access::AsBefore] {
            let mut sandbox = Sandbox::default();
            sandbox.set_paths([(lost.as_path(), access)]).unwrap();
            let found = failure(spawner, &shell("true", sandbox));
            assert_eq!(found, (Stage::Paths, Errno::ENOENT), "{access:?}");
        }
    });
}

/// Only a loopback interface, which is up and has its address.
#[test]
fn a_private_network_is_a_loopback_interface() {
    let _place = place();
    let ours = fs::read_to_string("/proc/self/net/dev").unwrap();
    with_each_method(|spawner| {
        let mut sandbox = Sandbox::default();
        sandbox.set_private_network();
        let script = "ip -o link; ip -o -4 addr; ip route show default";
        let said = text(spawner, &mut shell(script, sandbox));
        let lines: Vec<&str> = said.lines().collect();
        let [link, address] = lines[..] else {
            panic!("{said}");
        };
        assert!(link.starts_with("1: lo: <LOOPBACK,UP,LOWER_UP>"), "{link}");
        assert!(address.contains("127.0.0.1/8"), "{address}");
    });
    let now = fs::read_to_string("/proc/self/net/dev").unwrap();
    assert_eq!(now.lines().count(), ours.lines().count());
}

/// A secret of 256 KiB and an empty one, in files that only the user can read, in memory; whatever
/// the umask and the limits of the program are. Nobody else sees them, and nothing is left.
#[test]
fn secrets_are_for_the_user_alone() {
    let place = place();
    let (source, empty, mounts) = sources(&place, SECRET_MAX);
    let before = mounted();
    let script = format!(
        "cd {} && id -u && stat -c '%n %a %u %g' . && stat -c '%n %a %u %g %s' * && echo $(stat -f -c %T .) $(grep -o noswap /proc/self/mounts) && cksum < long && \
         ! (echo x > long) 2>/dev/null && ! (chmod 700 . && touch new) 2>/dev/null",
        mounts.display()
    );
    let sum = with_plain(&format!("cksum < {}", source.display()));
    with_each_method(|spawner| {
        for (user, other) in [(12345, 23456), (0, 0)] {
            let mut shell = shell(&script, secrets(&mounts, &source, &empty));
            shell.identity = (user != 0).then(|| Identity {
                user,
                group: other,
                groups: vec![],
            });
            shell.umask = 0o777;
            shell.limits = vec![Limit {
                resource: libc::RLIMIT_FSIZE,
                soft: 0,
                hard: 0,
            }];
            let said = text(spawner, &mut shell);
            let owner = format!("{user} {other}");
            let head = format!(
                "{user}\n. 500 {owner}\nempty 400 {owner} 0\nlong 400 {owner} {SECRET_MAX}\n"
            );
            let rest = said.strip_prefix(&head).unwrap_or_else(|| panic!("{said}"));
            let (kind, rest) = rest.split_once('\n').unwrap();
            // Never swapped out, either way.
            assert!(matches!(kind, "ramfs" | "tmpfs noswap"), "{kind}");
            assert_eq!(rest, sum);
        }
        // A program with another user finds the directory of the machine, which is empty.
        let mut other = program("/bin/ls", &["-A", mounts.to_str().unwrap()]);
        assert_eq!(text(spawner, &mut other), "");
        let mut other = shell("cat long", secrets(&mounts, &source, &empty));
        other.set_directory(&mounts).unwrap();
        other.identity = Some(Identity {
            user: 12345,
            group: 12345,
            groups: vec![],
        });
        assert_eq!(text(spawner, &mut other).len(), SECRET_MAX);
    });
    assert_eq!(mounted(), before);
    assert_eq!(fs::read_dir(&mounts).unwrap().count(), 0);
}

/// Too long, not there, no file: the step that failed, and no process.
#[test]
fn a_secret_that_cannot_be_handed_over_fails_the_start() {
    let place = place();
    let (long, empty, mounts) = sources(&place, SECRET_MAX + 1);
    let lost = place.path().join("lost");
    with_each_method(|spawner| {
        for (source, errno) in [
            (&long, Errno::EFBIG),
            (&lost, Errno::ENOENT),
            (&mounts, Errno::EINVAL),
        ] {
            let shell = shell("true", secrets(&mounts, source, &empty));
            let found = failure(spawner, &shell);
            assert_eq!(found, (Stage::Secrets, errno), "{source:?}");
        }
    });
    assert_eq!(fs::metadata(&mounts).unwrap().mode() & 0o777, 0o555);
}

/// Sources of secrets, one of so many bytes, and where they are mounted.
fn sources(place: &tempfile::TempDir, length: usize) -> (PathBuf, PathBuf, PathBuf) {
    let at = |name: &str| place.path().join(name);
    let bytes: Vec<u8> = (0..length).map(|n| b' ' + (n % 89) as u8).collect();
    fs::write(at("source"), bytes).unwrap();
    fs::write(at("none"), "").unwrap();
    fs::set_permissions(at("source"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(at("secrets")).unwrap();
    for (directory, mode) in [(place.path(), 0o755), (&at("secrets"), 0o555)] {
        fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
    }
    (at("source"), at("none"), at("secrets"))
}

fn secrets(mounts: &Path, long: &Path, empty: &Path) -> Sandbox {
    let mut sandbox = Sandbox::default();
    let all = [("long", long), ("empty", empty)];
    sandbox.set_secrets(mounts, all).unwrap();
    sandbox
}

/// What a shell without a sandbox says.
fn with_plain(script: &str) -> String {
    let mut said = String::new();
    with_each_method(|spawner| said = text(spawner, &mut program("/bin/sh", &["-c", script])));
    said
}
