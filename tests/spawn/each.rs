//! Each method of spawning in turn, and what a program says.

use fieldwarden::edge::spawn::{Method, Program, SpawnError, Spawned, Spawner, Stream};
use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The tests look at descriptors, signals and children of the whole process: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Until this is dropped no other test runs.
pub fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `check` with each method that works here, and insists that one does.
pub fn with_each_method(mut check: impl FnMut(&mut Spawner)) {
    let _alone = alone();
    let mut worked = 0;
    for method in [
        Method::Sharing,
        Method::Clone3,
        Method::Clone,
        Method::Emulated,
    ] {
        match Spawner::with_method(method) {
            Ok(mut spawner) => {
                assert_eq!(spawner.method(), method);
                check(&mut spawner);
                worked += 1;
            }
            Err(error) => eprintln!("{} does not work here: {error}", method.name()),
        }
    }
    assert!(worked > 0, "no method works");
}

/// A program with a plain environment.
pub fn program(path: &str, arguments: &[&str]) -> Program {
    let environment = [("PATH", "/usr/bin:/bin"), ("LC_ALL", "C")];
    Program::new(Path::new(path), arguments, environment).unwrap()
}

/// How it ended, once it has.
pub fn ended(spawned: &Spawned) -> WaitStatus {
    loop {
        match waitid(Id::PIDFd(spawned.pidfd.as_fd()), WaitPidFlag::WEXITED) {
            Err(Errno::EINTR) => {}
            status => return status.unwrap(),
        }
    }
}

/// What the program writes to its standard output, and how it ends.
pub fn output(
    spawner: &mut Spawner,
    program: &mut Program,
) -> Result<(String, WaitStatus), SpawnError> {
    let (reading, writing) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    program.output = Stream::To(Arc::new(writing));
    let spawned = spawner.spawn(program);
    program.output = Stream::Null;
    let spawned = spawned?;
    let mut text = String::new();
    File::from(reading).read_to_string(&mut text).unwrap();
    let status = ended(&spawned);
    Ok((text, status))
}

/// What the program writes; it must end well.
pub fn text(spawner: &mut Spawner, program: &mut Program) -> String {
    let (text, status) = output(spawner, program).unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    text
}
