//! What the child does between its creation and its program.
//!
//! It runs in the daemon's memory, see [`super::raw`]: nothing here may allocate, lock, index,
//! format or panic, and nothing may be called but the wrappers of system calls in `raw`.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use super::confine::confine;
use super::program::{HANDED_MAX, Identity, Program, Scheduling, Stream};
use super::raw::{self, Code};
use super::{SpawnError, Stage};

/// Exit status of a child that could not execute its program; its report says more.
const FAILED: i32 = 127;

/// Signals that Linux has on our targets: 1 to 64.
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

/// One spawn as its child sees it. Built by the parent, which is suspended while it is used.
pub(super) struct Order<'a> {
    pub task: Task<'a>,
    /// A descriptor of /dev/null, for [`Stream::Null`].
    pub null: RawFd,
    /// The child shares our descriptors, and has to cut itself off from those from this number on
    /// before it does anything with one.
    pub cut: Option<RawFd>,
    /// Signals that may have another disposition than the default when the child begins: bit 0 is
    /// signal 1.
    pub altered: u64,
    /// Write end of a pipe for the report, where memory is not shared.
    pub pipe: Option<RawFd>,
    /// Zero, or what went wrong: the stage in the upper half, the error number in the lower.
    pub report: AtomicU32,
}

/// What the child is for.
pub(super) enum Task<'a> {
    /// Say that the calls work, and exit.
    Prove,
    Execute {
        program: &'a Program,
        /// The child joins this cgroup itself (the call that created it could not).
        join: Option<RawFd>,
        /// Our own out-of-memory adjustment, which the child must not keep.
        oom_score: i32,
    },
}

/// What [`Task::Prove`] reports. No stage has this number.
pub(super) const PROOF: u32 = u32::MAX;

/// The life of the child, which ends in another program or in an exit.
pub(super) fn run(order: &Order<'_>) -> ! {
    if let Some(first) = order.cut
        && let Err(code) = raw::take_own_descriptors(first)
    {
        let report = pack(Stage::Clone, code);
        order.report.store(report, Ordering::Relaxed);
        raw::exit(FAILED)
    }
    match order.task {
        Task::Prove => order.report.store(PROOF, Ordering::Relaxed),
        Task::Execute {
            program,
            join,
            oom_score,
        } => {
            let Err((stage, code)) = prepare(order, program, join, oom_score);
            let report = pack(stage, code);
            order.report.store(report, Ordering::Relaxed);
            if let Some(pipe) = order.pipe {
                // Nobody is left to tell if even that fails; the parent then reports a start, and
                // sees the exit.
                let _untold = raw::write(pipe, &report.to_ne_bytes());
            }
        }
    }
    raw::exit(FAILED)
}

fn pack(stage: Stage, code: Code) -> u32 {
    (stage as u32) << 16 | (code.cast_unsigned() & 0xffff)
}

/// The report of a child, if it failed.
pub(super) fn unpack(report: u32) -> Option<SpawnError> {
    let stage = Stage::ALL.into_iter().find(|s| *s as u32 == report >> 16)?;
    let errno = nix::errno::Errno::from_raw((report & 0xffff).cast_signed());
    Some(SpawnError { stage, errno })
}

/// The steps, in an order that matters: what needs privilege before the user changes (but for the
/// capabilities that are kept over that), the directory after it (the user must be allowed in), and
/// the signal mask last of all.
fn prepare(
    order: &Order<'_>,
    program: &Program,
    join: Option<RawFd>,
    oom_score: i32,
) -> Result<Infallible, (Stage, Code)> {
    let at = |stage| move |code| (stage, code);
    reset_signals(order.altered);
    if program.session {
        raw::new_session().map_err(at(Stage::Session))?;
    }
    if let Some(cgroup) = join {
        join_cgroup(cgroup).map_err(at(Stage::Cgroup))?;
    }
    set_oom_score(oom_score, program.oom_score()).map_err(at(Stage::OomScore))?;
    set_priority(program).map_err(at(Stage::Priority))?;
    // Before its limits, which are for the service: of files, and of their size.
    if let Some(sandbox) = &program.sandbox {
        confine(sandbox, program.identity.as_ref())?;
    }
    for limit in &program.limits {
        raw::set_limit(*limit).map_err(at(Stage::Limits))?;
    }
    raw::set_umask(program.umask);
    connect(order, program).map_err(at(Stage::Output))?;
    hand_over(order, program).map_err(at(Stage::Output))?;
    if let Some(kept) = program.capabilities {
        bound_capabilities(kept).map_err(at(Stage::Capabilities))?;
    }
    if let Some(identity) = &program.identity {
        set_identity(identity)?;
    }
    if let Some(kept) = program.capabilities {
        hold_capabilities(kept).map_err(at(Stage::Capabilities))?;
    }
    if let Some(directory) = program.directory() {
        raw::change_directory(directory).map_err(at(Stage::Directory))?;
    }
    if program.no_new_privileges {
        raw::forbid_new_privileges().map_err(at(Stage::Privileges))?;
    }
    // Now and not by exec, which closes them once it has read the program: while a card stalls there,
    // a child that outlives us must not hold the lock and the watchdog that our successor needs. A
    // kernel before 5.9 refuses; exec then closes them, because all of ours are marked.
    let handed = program.handed().iter().map(|handed| handed.number);
    // The pipe's number is beyond those that are handed over.
    let _refused = raw::close_rest(handed.chain(order.pipe));
    raw::write_own_pid(program.environment());
    raw::unblock_all();
    let code = raw::execute(program.path(), program.arguments(), program.environment());
    Err((Stage::Exec, code))
}

/// Every signal to its default. Exec would keep ignored ones ignored, and Rust ignores SIGPIPE.
fn reset_signals(altered: u64) {
    for signal in SIGNALS.filter(|signal| altered >> (signal - 1) & 1 == 1) {
        // Only KILL and STOP refuse, and they have no other action than the default.
        let _refused = raw::default_action(signal);
    }
}

fn join_cgroup(cgroup: RawFd) -> Result<(), Code> {
    let processes = raw::open_for_writing(cgroup, c"cgroup.procs")?;
    raw::write(processes, b"0")
}

/// Gives the child the score that it is to have, and takes our protection away from one that is to
/// have none. A handicap of ours (a positive score) is taken away where that is permitted: it needs
/// privilege, and a daemon run by hand may have neither.
fn set_oom_score(ours: i32, wanted: Option<&[u8]>) -> Result<(), Code> {
    let set = |text| {
        raw::open_for_writing(libc::AT_FDCWD, c"/proc/self/oom_score_adj")
            .and_then(|score| raw::write(score, text))
    };
    match wanted {
        Some(text) => set(text),
        None if ours == 0 => Ok(()),
        None if ours < 0 => set(b"0"),
        None => {
            let _refused = set(b"0");
            Ok(())
        }
    }
}

/// Takes every other capability out of what programs of the child can ever get, and keeps what it has
/// over the change of its user.
fn bound_capabilities(kept: u64) -> Result<(), Code> {
    for number in 0..u64::BITS {
        if kept >> number & 1 == 0 {
            match raw::drop_capability(number) {
                // The kernel knows no more of them.
                Err(libc::EINVAL) => break,
                other => other?,
            }
        }
    }
    raw::keep_capabilities()
}

/// Has exactly these capabilities, which its program inherits although it runs as another user.
fn hold_capabilities(kept: u64) -> Result<(), Code> {
    raw::set_capabilities(kept)?;
    for number in 0..u64::BITS {
        if kept >> number & 1 == 1 {
            raw::raise_ambient(number)?;
        }
    }
    Ok(())
}

fn set_priority(program: &Program) -> Result<(), Code> {
    match program.scheduling {
        Scheduling::Inherit => {}
        // Setting what is set already takes twenty times as long as asking.
        Scheduling::Ordinary if raw::has_ordinary_scheduler() => {}
        Scheduling::Ordinary => raw::set_ordinary_scheduler()?,
    }
    match program.nice {
        Some(nice) => raw::set_nice(nice),
        None => Ok(()),
    }
}

fn set_identity(identity: &Identity) -> Result<(), (Stage, Code)> {
    raw::set_groups(&identity.groups).map_err(|code| (Stage::Groups, code))?;
    raw::set_group(identity.group).map_err(|code| (Stage::Groups, code))?;
    raw::set_user(identity.user).map_err(|code| (Stage::User, code))
}

/// Standard input, output and error. All sources are first moved out of the way of the targets.
fn connect(order: &Order<'_>, program: &Program) -> Result<(), Code> {
    let input = source(order, &program.input)?;
    let output = source(order, &program.output)?;
    let errors = match &program.errors {
        Stream::Output => output.or(Some(1)),
        other => source(order, other)?,
    };
    for (from, to) in [(input, 0), (output, 1), (errors, 2)] {
        if let Some(from) = from {
            raw::copy_to(from, to)?;
        }
    }
    Ok(())
}

/// The descriptors beyond those. Their sources, but for a FIFO that is opened here, have numbers beyond
/// all targets; nothing that is still needed has a number among these.
fn hand_over(order: &Order<'_>, program: &Program) -> Result<(), Code> {
    for handed in program.handed() {
        let Some(mut from) = source(order, &handed.stream)? else {
            continue;
        };
        if from <= HANDED_MAX {
            from = raw::copy_from(from, HANDED_MAX + 1)?;
        }
        raw::copy_to(from, handed.number)?;
    }
    Ok(())
}

/// The descriptor to copy from, above 2; `None` where the inherited one stays.
fn source(order: &Order<'_>, stream: &Stream) -> Result<Option<RawFd>, Code> {
    let from = match stream {
        Stream::Inherit | Stream::Output => return Ok(None),
        Stream::Null => order.null,
        Stream::To(fd) => fd.as_raw_fd(),
        Stream::Fifo(path) => raw::open_both_ways(path)?,
    };
    if from > 2 {
        Ok(Some(from))
    } else {
        raw::copy_above_standard(from).map(Some)
    }
}
