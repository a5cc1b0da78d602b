//! `hold-thread PID COMM|TID`: stops one thread of a process until this program ends.
//!
//! The thread is chosen by its name (`/proc/PID/task/TID/comm`) or by its number and stopped with
//! ptrace (SEIZE, then INTERRUPT), so the program under test needs no hook for it and its other
//! threads run on. When it stands, one line `held TID NAME` is printed. However this program
//! ends, SIGKILL included, the kernel lets the thread go. It never sends a signal to the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &arguments[..] {
        [pid, thread] => pid
            .parse()
            .map_err(|_| format!("{pid}: not a process number"))
            .and_then(|pid| hold(pid, thread)),
        _ => Err("usage: hold-thread PID COMM|TID".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("hold-thread: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Stops the thread and waits until it (or its process) ends, or until we are killed.
fn hold(pid: i32, wanted: &str) -> Result<(), String> {
    let (tid, name) = find_thread(pid, wanted)?;
    let thread = Pid::from_raw(tid);
    let at = |step: &'static str| move |error| format!("thread {tid}: {step}: {error}");
    ptrace::seize(thread, ptrace::Options::empty()).map_err(at("seize"))?;
    ptrace::interrupt(thread).map_err(at("interrupt"))?;
    let mut announced = false;
    loop {
        match waitpid(thread, Some(WaitPidFlag::__WALL)).map_err(at("wait"))? {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Ok(()),
            // Only a stop can follow; a stopped thread makes no further events until it ends.
            _ if announced => {}
            _ => {
                println!("held {tid} {name}");
                announced = true;
            }
        }
    }
}

fn find_thread(pid: i32, wanted: &str) -> Result<(i32, String), String> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let at = |error| format!("{}: {error}", tasks.display());
    let mut threads = Vec::new();
    for entry in fs::read_dir(&tasks).map_err(at)? {
        let entry = entry.map_err(at)?;
        if let Some(tid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            threads.push((tid, thread_name(&entry.path())));
        }
    }
    let fits = |(tid, name): &&(i32, String)| name == wanted || tid.to_string() == wanted;
    let found: Vec<_> = threads.iter().filter(fits).collect();
    match found[..] {
        [thread] => Ok(thread.clone()),
        [] => Err(format!(
            "process {pid} has no thread {wanted}, only {threads:?}"
        )),
        _ => Err(format!(
            "process {pid} has several threads {wanted}: {found:?}; give a TID"
        )),
    }
}

/// Name of a thread; empty if it ended meanwhile.
fn thread_name(task: &Path) -> String {
    fs::read_to_string(task.join("comm"))
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}
