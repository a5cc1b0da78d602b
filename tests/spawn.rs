//! Spawning for real, with every method that works on this kernel or emulator. What it does with
//! control groups is in `spawn_in_cgroup.rs`, for a machine of its own.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "spawn/each.rs"]
mod each;

use each::{alone, ended, program, text, with_each_method};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::thread;

use fieldwarden::edge::spawn::{
    Access, BadProgram, Handed, Identity, Limit, Method, Program, Sandbox, Scheduling, SpawnError,
    Spawner, Stage, Stream, start_time,
};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpid};
use rustix::thread::CapabilitySet;

fn failure(spawner: &mut Spawner, program: &Program) -> (Stage, Errno) {
    match spawner.spawn(program) {
        Ok(spawned) => panic!("started, and ended as {:?}", ended(&spawned)),
        Err(error) => (error.stage, error.errno),
    }
}

/// A line `name: value` of /proc/PID/status.
fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status
        .lines()
        .find(|l| l.split(':').next() == Some(name))
        .unwrap();
    line.split_once(':').unwrap().1.trim()
}

fn no_children_left() -> bool {
    waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG) == Err(Errno::ECHILD)
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn exit_codes_arrive_through_the_pidfd() {
    with_each_method(|spawner| {
        for code in [0, 1, 42, 255] {
            let script = format!("exit {code}");
            let spawned = spawner
                .spawn(&program("/bin/sh", &["-c", &script]))
                .unwrap();
            assert_eq!(ended(&spawned), WaitStatus::Exited(spawned.pid, code));
        }
    });
}

#[test]
fn signals_reach_the_child_as_their_defaults() {
    with_each_method(|spawner| {
        for signal in [
            Signal::SIGTERM,
            Signal::SIGPIPE,
            Signal::SIGHUP,
            Signal::SIGUSR1,
        ] {
            let spawned = spawner.spawn(&program("/bin/sleep", &["60"])).unwrap();
            kill(spawned.pid, signal).unwrap();
            assert_eq!(
                ended(&spawned),
                WaitStatus::Signaled(spawned.pid, signal, false)
            );
        }
    });
}

#[test]
fn what_cannot_be_executed_says_why_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8], mode| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    // A 64-bit ELF header of machine 0xffff, which no kernel runs.
    let mut foreign = [0_u8; 64];
    foreign[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    foreign[16] = 2;
    foreign[18..20].copy_from_slice(&[0xff, 0xff]);
    let cases: [(PathBuf, Errno); 5] = [
        (directory.path().join("missing"), Errno::ENOENT),
        (file("foreign", &foreign, 0o755), Errno::ENOEXEC),
        (file("text", b"no program\n", 0o755), Errno::ENOEXEC),
        (file("plain", b"#!/bin/sh\n", 0o644), Errno::EACCES),
        (
            file("lost", b"#!/no/such/interpreter\n", 0o755),
            Errno::ENOENT,
        ),
    ];
    with_each_method(|spawner| {
        for (path, errno) in &cases {
            let found = failure(spawner, &program(path.to_str().unwrap(), &[]));
            assert_eq!(found, (Stage::Exec, *errno), "{path:?}");
        }
        assert!(no_children_left());
    });
}

#[test]
fn an_error_reads_as_a_sentence() {
    let error = SpawnError {
        stage: Stage::Exec,
        errno: Errno::ENOENT,
    };
    assert_eq!(
        error.to_string(),
        "No such file or directory while executing the file"
    );
}

#[test]
fn steps_that_fail_are_named() {
    with_each_method(|spawner| {
        let mut lost = program("/bin/true", &[]);
        lost.set_directory(Path::new("/no/such/directory")).unwrap();
        assert_eq!(failure(spawner, &lost), (Stage::Directory, Errno::ENOENT));

        let mut limited = program("/bin/true", &[]);
        limited.limits = vec![Limit {
            resource: libc::RLIMIT_CORE,
            soft: 2,
            hard: 1,
        }];
        assert_eq!(failure(spawner, &limited), (Stage::Limits, Errno::EINVAL));

        let mut strayed = program("/bin/true", &[]);
        strayed.cgroup = Some(Arc::new(File::open("/").unwrap().into()));
        assert_eq!(failure(spawner, &strayed), (Stage::Cgroup, Errno::ENOENT));
        assert!(no_children_left());
    });
}

#[test]
fn programs_that_cannot_be_prepared_are_refused() {
    let none: [(&str, &str); 0] = [];
    let refused = |path: &str, argument: &str, name: &str| {
        Program::new(Path::new(path), [argument], [(name, "x")]).err()
    };
    assert_eq!(
        refused("true", "", "A"),
        Some(BadProgram::NotAbsolute("true".into()))
    );
    assert_eq!(
        refused("/bin/true", "a\0b", "A"),
        Some(BadProgram::Nul("an argument"))
    );
    assert_eq!(
        refused("/bin/true", "", ""),
        Some(BadProgram::BadName("".into()))
    );
    assert_eq!(
        refused("/bin/true", "", "A=B"),
        Some(BadProgram::BadName("A=B".into()))
    );
    assert_eq!(
        refused("/bin/true", "", "A\0"),
        Some(BadProgram::Nul("the environment"))
    );
    let fine = Program::new(Path::new("/bin/true"), ["a b", ""], none).unwrap();
    assert_eq!(fine.path(), c"/bin/true");
    assert_eq!(fine.given_arguments(), [c"a b".to_owned(), c"".to_owned()]);
}

#[test]
fn arguments_and_environment_are_exactly_those_given() {
    with_each_method(|spawner| {
        let environment = [("ONE", "1"), ("EMPTY", ""), ("ODD", "a=b c")];
        let mut env = Program::new(Path::new("/usr/bin/env"), [""; 0], environment).unwrap();
        assert_eq!(text(spawner, &mut env), "ONE=1\nEMPTY=\nODD=a=b c\n");
        let mut arguments = program("/bin/sh", &["-c", "printf '<%s>' \"$@\"", "sh", "", "a  b"]);
        assert_eq!(text(spawner, &mut arguments), "<><a  b>");
    });
}

#[test]
fn signal_mask_and_dispositions_are_fresh() {
    let ignored = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: SIGURG means nothing to this process, and by default it is ignored anyway.
    unsafe { sigaction(Signal::SIGURG, &ignored) }.unwrap();
    with_each_method(|spawner| {
        SigSet::all().thread_block().unwrap();
        let status = text(spawner, &mut program("/bin/cat", &["/proc/self/status"]));
        let still = SigSet::thread_get_mask().unwrap();
        SigSet::all().thread_unblock().unwrap();
        assert!(still.contains(Signal::SIGTERM), "our own mask was changed");
        // qemu's user mode keeps signal 32 ignored for its own use.
        let emulators = if spawner.method() == Method::Emulated {
            1 << 31
        } else {
            0
        };
        for set in ["SigBlk", "SigIgn", "SigCgt", "SigPnd"] {
            let signals = u64::from_str_radix(field(&status, set), 16).unwrap();
            assert_eq!(signals & !emulators, 0, "{set}: {signals:x}");
        }
    });
}

#[test]
fn child_leads_a_session_unless_told_otherwise() {
    with_each_method(|spawner| {
        let ids = |text: &str| -> Vec<i32> {
            let fields = text.rsplit_once(") ").unwrap().1.split(' ');
            fields
                .skip(2)
                .take(2)
                .map(|id| id.parse().unwrap())
                .collect()
        };
        let mut cat = program("/bin/cat", &["/proc/self/stat"]);
        let own = text(spawner, &mut cat);
        let pid: i32 = own.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(ids(&own), [pid, pid]);
        cat.session = false;
        let ours = [nix::unistd::getpgrp(), nix::unistd::getsid(None).unwrap()];
        assert_eq!(ids(&text(spawner, &mut cat)), ours.map(Pid::as_raw));
    });
}

#[test]
fn none_of_our_descriptors_is_passed_on() {
    with_each_method(|spawner| {
        // Not closed by exec, which is the careless case.
        let careless: Vec<OwnedFd> = (0..5)
            .map(|_| nix::unistd::dup(File::open("/").unwrap()).unwrap())
            .collect();
        // The last one is the directory that `ls` itself reads.
        let seen = text(spawner, &mut program("/bin/ls", &["-x", "/proc/self/fd"]));
        let seen: Vec<&str> = seen.split_whitespace().collect();
        assert_eq!(seen, ["0", "1", "2", "3"]);
        drop(careless);
    });
}

#[test]
fn streams_are_connected_as_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("in");
    fs::write(&path, "hello").unwrap();
    with_each_method(|spawner| {
        let script = "cat; echo out; echo err >&2; readlink /proc/self/fd/0";
        let mut shell = program("/bin/sh", &["-c", script]);
        let (reading, writing) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        shell.errors = Stream::To(Arc::new(writing));
        assert_eq!(text(spawner, &mut shell), "out\n/dev/null\n");
        shell.input = Stream::To(Arc::new(File::open(&path).unwrap().into()));
        shell.errors = Stream::Null;
        assert!(text(spawner, &mut shell).starts_with("helloout\n"));
        let mut errors = String::new();
        File::from(reading).read_to_string(&mut errors).unwrap();
        assert_eq!(errors, "err\n");
    });
}

/// The child opens the FIFO itself, both ways: it does not wait for a reader, and what it wrote can
/// be read while it lives. Without the FIFO it does not start, and says why.
#[test]
fn output_may_go_to_a_fifo() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("output");
    with_each_method(|spawner| {
        let mut shell = program(
            "/bin/sh",
            &["-c", "echo out; echo err >&2; exec sleep 1000"],
        );
        shell.output = Stream::fifo(&path).unwrap();
        shell.errors = Stream::Output;
        assert_eq!(failure(spawner, &shell), (Stage::Output, Errno::ENOENT));
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let before = open_descriptors();
        let spawned = spawner.spawn(&shell).unwrap();
        assert_eq!(open_descriptors(), before + 1, "the pidfd");
        let mut said = [0; 8];
        File::open(&path).unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"out\nerr\n");
        nix::sys::signal::kill(spawned.pid, Signal::SIGKILL).unwrap();
        ended(&spawned);
        fs::remove_file(&path).unwrap();
    });
}

/// A source that is itself 0, 1 or 2 must not be overwritten before it is copied: here our own
/// standard input is the pipe that the child writes to, and its input is /dev/null.
/// A program whose file cannot be opened yet: its exec waits as it does for a card that stalls. The
/// lease (see `fcntl(2)`) is given back when this is dropped.
struct Stalled(File);

impl Stalled {
    fn copy_of(program: &str, at: &Path) -> Stalled {
        /// `F_SETSIG`, which libc does not have.
        const SET_SIGNAL: i32 = 10;
        fs::copy(program, at).unwrap();
        fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
        let stalled = Stalled(File::open(at).unwrap());
        // By default the one who is to give the lease back is killed by SIGIO.
        stalled.control(SET_SIGNAL, libc::SIGURG);
        stalled.control(libc::F_SETLEASE, libc::F_WRLCK);
        stalled
    }

    fn control(&self, command: i32, argument: i32) -> i32 {
        // SAFETY: these commands take an integer, and the descriptor is open.
        let result = unsafe { libc::fcntl(self.0.as_raw_fd(), command, argument) };
        Errno::result(result).unwrap()
    }

    /// Returns once somebody waits for the file.
    fn wait(&self) {
        while self.control(libc::F_GETLEASE, 0) == libc::F_WRLCK {
            thread::yield_now();
        }
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.control(libc::F_SETLEASE, libc::F_UNLCK);
    }
}

/// The only child of this process, which is alone.
fn only_child() -> PathBuf {
    let own = getpid().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut children = processes.map(|e| e.path()).filter(|path| {
        let status = fs::read_to_string(path.join("status"));
        status.is_ok_and(|status| field(&status, "PPid") == own)
    });
    children.next().unwrap()
}

/// While the card stalls, a child may wait for its program and outlive us. It must not keep from our
/// successor what only one process can have: the lock, and the watchdog device.
#[test]
fn a_child_that_waits_for_its_program_holds_none_of_our_descriptors() {
    with_each_method(|spawner| {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = directory.path().join("true");
        let stalled = Stalled::copy_of("/bin/true", &path);
        let report = usize::from(spawner.method() == Method::Emulated);
        let program = program(path.to_str().unwrap(), &[]);
        let spawned = thread::scope(|scope| {
            let spawning = scope.spawn(|| spawner.spawn(&program));
            stalled.wait();
            let held = fs::read_dir(only_child().join("fd")).unwrap().count();
            drop(stalled);
            assert_eq!(held, 3 + report, "input, output, errors");
            spawning.join().unwrap().unwrap()
        });
        assert!(matches!(ended(&spawned), WaitStatus::Exited(_, 0)));
    });
}

#[test]
fn streams_may_come_from_low_descriptors() {
    with_each_method(|spawner| {
        let (reading, writing) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let mut low = take_standard_input();
        let kept = low.try_clone().unwrap();
        nix::unistd::dup2(&writing, &mut low).unwrap();
        let mut shell = program("/bin/sh", &["-c", "cat; echo out; echo err >&2"]);
        shell.output = Stream::To(Arc::new(low));
        shell.errors = shell.output.clone();
        let spawned = spawner.spawn(&shell);
        // Closes descriptor 0 and the other end, so that reading comes to an end.
        drop((shell, writing));
        put_standard_input_back(&kept);
        ended(&spawned.unwrap());
        let mut said = String::new();
        File::from(reading).read_to_string(&mut said).unwrap();
        assert_eq!(said, "out\nerr\n");
    });
}

fn take_standard_input() -> OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: nothing in this process reads standard input, and the test puts it back.
    unsafe { OwnedFd::from_raw_fd(0) }
}

fn put_standard_input_back(kept: &OwnedFd) {
    // SAFETY: the number is free, the test having closed it; dup2 makes it valid again.
    unsafe { assert_eq!(libc::dup2(kept.as_raw_fd(), 0), 0) };
}

#[test]
fn umask_directory_limits_nice_and_privileges_are_set() {
    let directory = tempfile::tempdir().unwrap();
    let here = fs::canonicalize(directory.path()).unwrap();
    with_each_method(|spawner| {
        let script =
            "umask; pwd; ulimit -n; grep NoNewPrivs /proc/self/status; cat /proc/self/stat";
        let mut shell = program("/bin/sh", &["-c", script]);
        shell.umask = 0o137;
        shell.set_directory(&here).unwrap();
        let resource = libc::RLIMIT_NOFILE;
        shell.limits = vec![Limit {
            resource,
            soft: 77,
            hard: 88,
        }];
        shell.nice = Some(7);
        shell.scheduling = Scheduling::Ordinary;
        shell.no_new_privileges = true;
        let seen = text(spawner, &mut shell);
        let wanted = format!("0137\n{}\n77\nNoNewPrivs:\t1\n", here.display());
        let stat = seen
            .strip_prefix(&wanted)
            .unwrap_or_else(|| panic!("{seen}"));
        let nice = stat.rsplit_once(") ").unwrap().1.split(' ').nth(16);
        assert_eq!(nice, Some("7"));
    });
}

#[test]
fn identity_changes_for_the_child_only() {
    with_each_method(|spawner| {
        let mut cat = program("/bin/cat", &["/proc/self/status"]);
        cat.identity = Some(Identity {
            user: 12345,
            group: 23456,
            groups: vec![34567, 45678],
        });
        let before = fs::read_to_string("/proc/self/status").unwrap();
        if is_root() {
            let status = text(spawner, &mut cat);
            assert_eq!(field(&status, "Uid"), "12345\t12345\t12345\t12345");
            assert_eq!(field(&status, "Gid"), "23456\t23456\t23456\t23456");
            assert_eq!(field(&status, "Groups"), "34567 45678");
            assert_eq!(field(&status, "CapEff"), "0000000000000000");
        } else {
            assert_eq!(failure(spawner, &cat), (Stage::Groups, Errno::EPERM));
        }
        let after = fs::read_to_string("/proc/self/status").unwrap();
        for name in ["Uid", "Gid", "Groups"] {
            assert_eq!(field(&after, name), field(&before, name));
        }
    });
}

/// Capabilities are exactly those that are kept: for root, whose programs would get all that the
/// bounding set has, and for another user, whose programs would get none.
#[test]
fn capabilities_are_exactly_those_that_are_kept() {
    assert!(
        is_root(),
        "only root can keep some capabilities and give up the others: run this as root, or in a \
         machine of its own with `cargo xtask vm spawn-programs`"
    );
    // CAP_NET_BIND_SERVICE and CAP_SYS_TIME of `<linux/capability.h>`.
    const BIND: u64 = 1 << 10;
    const TIME: u64 = 1 << 25;
    let ours = fs::read_to_string("/proc/self/status").unwrap();
    with_each_method(|spawner| {
        for user in [None, Some(12345)] {
            for kept in [0, BIND, BIND | TIME] {
                let mut cat = program("/bin/cat", &["/proc/self/status"]);
                cat.identity = user.map(|user| Identity {
                    user,
                    group: user,
                    groups: vec![],
                });
                cat.capabilities = Some(kept);
                cat.no_new_privileges = true;
                let status = text(spawner, &mut cat);
                let wanted = format!("{kept:016x}");
                for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                    assert_eq!(field(&status, set), wanted, "{set} of {user:?}");
                }
            }
        }
        let mut odd = program("/bin/true", &[]);
        odd.capabilities = Some(1 << 63);
        assert_eq!(failure(spawner, &odd), (Stage::Capabilities, Errno::EINVAL));
    });
    let after = fs::read_to_string("/proc/self/status").unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&after, set), field(&ours, set), "our own {set}");
    }
}

/// A capability that was kept is one that works, here to read what only root may; and the score by
/// which the kernel chooses is the service's own.
#[test]
fn a_kept_capability_works_for_another_user() {
    assert!(
        is_root(),
        "only root can start a program as another user: run this as root, or in a machine of its \
         own with `cargo xtask vm spawn-programs`"
    );
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    fs::write(&secret, "secret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    with_each_method(|spawner| {
        let script = format!(
            "cat {} 2>/dev/null; cat /proc/self/oom_score_adj",
            secret.display()
        );
        let mut shell = program("/bin/sh", &["-c", &script]);
        shell.set_oom_score(321);
        shell.identity = Some(Identity {
            user: 12345,
            group: 12345,
            groups: vec![],
        });
        assert_eq!(text(spawner, &mut shell), "321\n");
        // CAP_DAC_READ_SEARCH of `<linux/capability.h>`.
        shell.capabilities = Some(1 << 2);
        assert_eq!(text(spawner, &mut shell), "secret\n321\n");
        shell.set_oom_score(0);
        assert_eq!(text(spawner, &mut shell), "secret\n0\n");
    });
}

/// The directory is entered as the user: one that only root may enter is refused.
#[test]
fn directory_is_entered_as_the_user() {
    assert!(
        is_root(),
        "only root can start a program as another user: run this as root, or in a machine of its \
         own with `cargo xtask vm spawn-programs`"
    );
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    with_each_method(|spawner| {
        let mut refused = program("/bin/true", &[]);
        refused.set_directory(directory.path()).unwrap();
        refused.identity = Some(Identity {
            user: 12345,
            group: 12345,
            groups: vec![],
        });
        assert_eq!(
            failure(spawner, &refused),
            (Stage::Directory, Errno::EACCES)
        );
    });
}

/// Protection where we may give ourselves some, otherwise a handicap.
#[test]
fn oom_score_is_reset() {
    const FILE: &str = "/proc/self/oom_score_adj";
    with_each_method(|spawner| {
        let restored = Restored(fs::read_to_string(FILE).unwrap());
        let ours: i32 = restored.0.trim().parse().unwrap();
        let protected = fs::write(FILE, "-17").is_ok();
        if !protected {
            fs::write(FILE, (ours + 17).to_string()).unwrap();
        }
        let mut spawner = Spawner::with_method(spawner.method()).unwrap();
        let score = text(&mut spawner, &mut program("/bin/cat", &[FILE]));
        let score: i32 = score.trim().parse().unwrap();
        if protected || ours <= 0 {
            assert_eq!(score, 0);
        } else {
            // Lowering one that was given to us takes privilege.
            assert!((0..=ours + 17).contains(&score), "{score}");
        }
    });
}

/// Writes our out-of-memory score back, whatever the test does.
struct Restored(String);

impl Drop for Restored {
    fn drop(&mut self) {
        let written = fs::write("/proc/self/oom_score_adj", &self.0);
        assert!(written.is_ok() || thread::panicking());
    }
}

#[test]
fn start_time_is_that_of_the_kernel() {
    with_each_method(|spawner| {
        let spawned = spawner.spawn(&program("/bin/sleep", &["60"])).unwrap();
        let own = start_time(getpid()).unwrap();
        let child = spawned.start_time().unwrap();
        assert!(child >= own && child < own + 360_000, "{own} {child}");
        kill(spawned.pid, Signal::SIGKILL).unwrap();
        // Before it is reaped, the dead child still has its entry.
        assert_eq!(spawned.start_time().unwrap(), child);
        ended(&spawned);
        assert!(start_time(spawned.pid).is_err());
    });
}

/// Mostly it is told from the clock alone: enough spawns to meet both sides of a tick.
#[test]
fn start_time_from_the_clock_agrees_with_the_kernel() {
    with_each_method(|spawner| {
        for _ in 0..300 {
            let spawned = spawner.spawn(&program("/bin/true", &[])).unwrap();
            assert_eq!(
                spawned.start_time().unwrap(),
                start_time(spawned.pid).unwrap()
            );
            ended(&spawned);
        }
    });
}

#[test]
fn two_thousand_spawns_leak_nothing() {
    with_each_method(|spawner| {
        let fine = program("/bin/true", &[]);
        let missing = program("/no/such/program", &[]);
        let mut once = |count: usize| {
            for _ in 0..count {
                let spawned = spawner.spawn(&fine).unwrap();
                assert_eq!(ended(&spawned), WaitStatus::Exited(spawned.pid, 0));
                assert_eq!(failure(spawner, &missing), (Stage::Exec, Errno::ENOENT));
            }
        };
        once(50);
        let before = (open_descriptors(), mapped_pages());
        once(1000);
        let after = (open_descriptors(), mapped_pages());
        assert_eq!(before.0, after.0, "descriptors");
        // An emulator's own caches grow a little, so a page for every hundredth spawn is granted.
        assert!(
            after.1 <= before.1 + 20,
            "pages before {}, after {}",
            before.1,
            after.1
        );
        assert!(no_children_left());
    });
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Size of the address space in pages.
fn mapped_pages() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse().unwrap()
}

static HANDLED: AtomicU32 = AtomicU32::new(0);
static HANDLED_IN_CHILD: AtomicBool = AtomicBool::new(false);
static PARENT: AtomicI32 = AtomicI32::new(0);

extern "C" fn count_signal(_: i32) {
    if getpid().as_raw() == PARENT.load(Ordering::Relaxed) {
        HANDLED.fetch_add(1, Ordering::Relaxed);
    } else {
        HANDLED_IN_CHILD.store(true, Ordering::Relaxed);
    }
}

/// A storm of signals to the whole process group, children between clone and exec included: our
/// handler runs in our process only, and every spawn still succeeds.
#[test]
fn signals_during_a_spawn_are_handled_by_us_alone() {
    let _ = nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0));
    PARENT.store(getpid().as_raw(), Ordering::Relaxed);
    let handler = SigHandler::Handler(count_signal);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    with_each_method(|spawner| {
        // SAFETY: the handler touches atomics only.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        let stop = AtomicBool::new(false);
        let target = if nix::unistd::getpgrp() == getpid() {
            0
        } else {
            getpid().as_raw()
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    kill(Pid::from_raw(target), Signal::SIGUSR1).unwrap();
                }
            });
            let mut fine = program("/bin/true", &[]);
            fine.session = false;
            for _ in 0..300 {
                let spawned = spawner.spawn(&fine).unwrap();
                let status = ended(&spawned);
                let hit = WaitStatus::Signaled(spawned.pid, Signal::SIGUSR1, false);
                assert!(status == WaitStatus::Exited(spawned.pid, 0) || status == hit);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert!(
            HANDLED.swap(0, Ordering::Relaxed) > 0,
            "the storm did not reach us"
        );
        assert!(
            !HANDLED_IN_CHILD.load(Ordering::Relaxed),
            "our handler ran in a child"
        );
        // Ignored rather than default: one that is still on its way must not end this process.
        let ignored = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        // SAFETY: no handler at all.
        unsafe { sigaction(Signal::SIGUSR1, &ignored) }.unwrap();
    });
}

#[test]
fn a_thread_with_a_small_stack_can_spawn() {
    let small = thread::Builder::new().stack_size(32 * 1024);
    let done = small.spawn(|| {
        with_each_method(|spawner| {
            let spawned = spawner.spawn(&program("/bin/true", &[])).unwrap();
            assert_eq!(ended(&spawned), WaitStatus::Exited(spawned.pid, 0));
        });
    });
    done.unwrap().join().unwrap();
}

#[test]
fn spawners_in_several_threads_do_not_disturb_each_other() {
    let _alone = alone();
    thread::scope(|scope| {
        for code in 0..4 {
            scope.spawn(move || {
                let mut spawner = Spawner::new().unwrap();
                let script = format!("exit {code}");
                let shell = program("/bin/sh", &["-c", &script]);
                for _ in 0..50 {
                    let spawned = spawner.spawn(&shell).unwrap();
                    assert_eq!(ended(&spawned), WaitStatus::Exited(spawned.pid, code));
                }
            });
        }
    });
}

/// `errno` and allocation of other threads stay intact while children share our memory.
#[test]
fn memory_of_other_threads_is_left_alone() {
    let _alone = alone();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let words: BTreeMap<usize, String> = (0..100).map(|n| (n, n.to_string())).collect();
                assert!(words.iter().all(|(n, word)| n.to_string() == *word));
            }
        });
        let mut spawner = Spawner::new().unwrap();
        for _ in 0..200 {
            Errno::set_raw(12345);
            assert_eq!(
                failure(&mut spawner, &program("/no/such", &[])).0,
                Stage::Exec
            );
            let spawned = spawner.spawn(&program("/bin/true", &[])).unwrap();
            assert_eq!(ended(&spawned), WaitStatus::Exited(spawned.pid, 0));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Descriptors beyond the standard ones arrive under their numbers and alone, and the child is told
/// that they are for it; a FIFO is opened by it.
#[test]
fn descriptors_are_handed_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(path("from"), "words").unwrap();
    let script = "[ \"$LISTEN_PID\" = $$ ] || exit 3\n\
                  [ \"$LISTEN_FDS $LISTEN_FDNAMES\" = '2 a:b' ] || exit 4\n\
                  cat <&3 >&4 || exit 5\n\
                  [ -p /proc/self/fd/9 ] || exit 6\n\
                  for n in 5 6 7 8 10 11 12 13 20 101 102; do [ -e /proc/$$/fd/$n ] && exit 7; done\n\
                  exit 0";
    with_each_method(|spawner| {
        let mut program = program("/bin/sh", &["-c", script]);
        let from = File::open(path("from")).unwrap();
        let to = File::create(path("to")).unwrap();
        let to_fd = |file: File| Stream::To(Arc::new(OwnedFd::from(file)));
        let handed = |number, stream| Handed { number, stream };
        let streams = vec![
            handed(9, Stream::fifo(&path("fifo")).unwrap()),
            handed(4, to_fd(to)),
            handed(3, to_fd(from)),
        ];
        program.hand_over(streams).unwrap();
        program.name_handed(Some("a:b")).unwrap();
        let spawned = spawner.spawn(&program).unwrap();
        assert_eq!(ended(&spawned), WaitStatus::Exited(spawned.pid, 0));
        assert_eq!(fs::read_to_string(path("to")).unwrap(), "words");
        program.hand_over_nothing();
        program.name_handed(None).unwrap();
        let twice = vec![handed(3, Stream::Null), handed(3, Stream::Null)];
        assert!(program.hand_over(twice).is_err());
        assert!(program.hand_over(vec![handed(2, Stream::Null)]).is_err());
        let spawned = spawner.spawn(&program).unwrap();
        assert_eq!(ended(&spawned), WaitStatus::Exited(spawned.pid, 3));
    });
}

/// Whoever lacks the right to mount gives nobody a view of their own: the start fails at that step, and
/// never starts the program with less.
#[test]
fn a_sandbox_takes_root() {
    let (mut tmp, mut paths, mut network) = <(Sandbox, Sandbox, Sandbox)>::default();
    tmp.set_private_tmp(1 << 20);
    let etc = (Path::new("/etc"), Access::ReadOnly);
    paths.set_paths([etc]).unwrap();
    network.set_private_network();
    let wanted = [
        (tmp, Stage::Mounts),
        (paths, Stage::Mounts),
        (network, Stage::Network),
    ];
    let wanted = wanted.map(|(sandbox, stage)| {
        let mut program = program("/bin/true", &[]);
        program.sandbox = Some(Box::new(sandbox));
        (program, stage)
    });
    // Capabilities are those of a thread.
    let without = move || {
        let mut own = rustix::thread::capabilities(None).unwrap();
        own.effective.remove(CapabilitySet::SYS_ADMIN);
        rustix::thread::set_capabilities(None, own).unwrap();
        with_each_method(|spawner| {
            for (program, stage) in &wanted {
                assert_eq!(failure(spawner, program), (*stage, Errno::EPERM));
            }
            assert!(no_children_left());
        });
    };
    thread::spawn(without).join().unwrap();
}
