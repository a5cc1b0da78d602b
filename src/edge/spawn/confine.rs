//! What the child does to see only a part of the machine.
//!
//! It runs in the daemon's memory, as [`super::child`] does, and under the same rules: nothing here
//! may allocate, lock, index, format or panic, and nothing may be called but the wrappers of system
//! calls in `raw`. All of it is undone by the kernel when the last process of the service has ended:
//! there is nothing to clean up, whoever is killed when.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use super::Stage;
use super::program::Identity;
use super::raw::{self, Code, mounts};
use super::sandbox::{Access, Network, PATHS_MAX, SECRET_MAX, Sandbox, Secret, Secrets, is_root};

/// Where private temporary files are.
const TMP: [&std::ffi::CStr; 2] = [c"/tmp", c"/var/tmp"];

/// Takes a view of its own, and changes it. Secrets come first, because their sources may lie where
/// nothing is seen any more afterwards.
pub(super) fn confine(sandbox: &Sandbox, identity: Option<&Identity>) -> Result<(), (Stage, Code)> {
    let at = |stage| move |code| (stage, code);
    match sandbox.network() {
        Network::Shared => {}
        Network::Private => {
            mounts::unshare(libc::CLONE_NEWNET).map_err(at(Stage::Network))?;
            mounts::loopback_up().map_err(at(Stage::Network))?;
        }
        Network::Of(path) => {
            let space = mounts::open_source(path).map_err(at(Stage::Network))?;
            let joined = mounts::join(space, libc::CLONE_NEWNET);
            joined.and(raw::close(space)).map_err(at(Stage::Network))?;
        }
    }
    if !sandbox.has_mounts() {
        return Ok(());
    }
    mounts::unshare(libc::CLONE_NEWNS).map_err(at(Stage::Mounts))?;
    // What the machine mounts and unmounts later is seen here too, and nothing of ours there.
    mounts::follow_only().map_err(at(Stage::Mounts))?;
    if let Some(secrets) = sandbox.secrets() {
        take_over(secrets, identity).map_err(at(Stage::Secrets))?;
    }
    restrict(sandbox).map_err(at(Stage::Paths))?;
    if let Some(options) = sandbox.tmp() {
        for path in TMP {
            mounts::mount(c"tmpfs", path, options, mounts::PLAIN).map_err(at(Stage::Tmp))?;
        }
    }
    Ok(())
}

/// Copies the secrets into memory that is never swapped out. The kernel copies; they are never in
/// ours.
fn take_over(secrets: &Secrets, identity: Option<&Identity>) -> Result<(), Code> {
    let directory = secrets.directory.as_c_str();
    let flags = mounts::PLAIN | libc::MS_NOEXEC;
    match mounts::mount(c"tmpfs", directory, &secrets.options, flags) {
        // Before Linux 6.4 a tmpfs can be swapped out, and a ramfs has no options but this.
        Err(libc::EINVAL) => mounts::mount(c"ramfs", directory, c"mode=0500", flags)?,
        outcome => outcome?,
    }
    for secret in &secrets.each {
        copy(secret, identity)?;
    }
    if let Some(identity) = identity {
        mounts::change_owner(directory, identity.user, identity.group)?;
    }
    mounts::make_mount_read_only(directory, flags)
}

fn copy(secret: &Secret, identity: Option<&Identity>) -> Result<(), Code> {
    let source = mounts::open_source(&secret.source)?;
    let copied = mounts::create(&secret.copy).and_then(|copy| {
        let done = fill(copy, source);
        done.and(raw::close(copy))
    });
    copied.and(raw::close(source))?;
    // Whatever our umask is.
    mounts::change_mode(&secret.copy, 0o400)?;
    match identity {
        Some(identity) => mounts::change_owner(&secret.copy, identity.user, identity.group),
        None => Ok(()),
    }
}

fn fill(copy: RawFd, source: RawFd) -> Result<(), Code> {
    // One byte more, to see that there is one.
    let mut room = SECRET_MAX + 1;
    loop {
        match mounts::send(copy, source, room)? {
            0 => return Ok(()),
            sent => room = room.saturating_sub(sent),
        }
        if room == 0 {
            return Err(libc::EFBIG);
        }
    }
}

/// Makes paths read-only, and leaves those below them that are to be as they are. All are taken hold
/// of before any is changed: so one that stays as it is loses nothing that the machine says of it.
fn restrict(sandbox: &Sandbox) -> Result<(), Code> {
    let mut taken = [None::<RawFd>; PATHS_MAX];
    for ((path, _), slot) in sandbox.paths().iter().zip(&mut taken) {
        if !is_root(path) {
            *slot = Some(mounts::take_tree(path)?);
        }
    }
    for ((path, access), slot) in sandbox.paths().iter().zip(taken) {
        let read_only = match access {
            Access::ReadOnly => true,
            Access::AsBefore => false,
        };
        match slot {
            None if read_only => mounts::make_tree_read_only(libc::AT_FDCWD, path)?,
            None => {}
            Some(tree) => {
                if read_only {
                    mounts::make_tree_read_only(tree, c"")?;
                }
                mounts::put_tree(tree, path)?;
                raw::close(tree)?;
            }
        }
    }
    Ok(())
}
