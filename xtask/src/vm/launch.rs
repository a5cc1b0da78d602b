//! Starts QEMU with its disk and sockets, and sees to it that it ends: with its owner, or when its
//! time is over.

// The lab starts an emulator and waits for it in real time.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::disk;
use super::options::{Board, Options};
use super::pi;
use super::prepare::{Lab, run, tool};
use super::qemu::{self, Places};

/// QEMU connects to our sockets in the first 0.1 s of its life.
const CONNECT: Duration = Duration::from_secs(20);

/// Pause between two looks where nothing can wake us.
const LOOK: Duration = Duration::from_millis(5);

/// A running QEMU, killed when dropped.
#[derive(Debug)]
pub struct Qemu {
    child: Arc<Mutex<Child>>,
    /// Dropped with the rest, which ends the thread that watches the limit.
    _limit: Sender<()>,
}

impl Qemu {
    /// Starts it; returns also the connected sockets of QMP and of the agent's port.
    pub fn launch(
        lab: &Lab,
        places: &Places,
        snapshot: Option<&Path>,
        options: &Options,
    ) -> Result<(Self, UnixStream, UnixStream)> {
        let pi = match options.board {
            Board::Pc => None,
            Board::Pi => Some(lab.pi.as_ref().context("the lab has no Pi")?),
        };
        match pi {
            None => make_disk(lab, snapshot, places)?,
            Some(parts) => pi::make(parts, places)?,
        }
        if let Some(disk) = options.disk {
            disk::make(disk, options.content.as_deref(), places).context("make the second disk")?;
        }
        let qmp = UnixListener::bind(places.qmp()).context("bind QMP")?;
        let agent = UnixListener::bind(places.agent()).context("bind the agent's port")?;
        let complaints = File::create(places.complaints())?;
        let mut command = match pi {
            None => qemu::command(
                lab,
                places,
                snapshot.is_some(),
                &options.append,
                options.disk,
            ),
            Some(parts) => pi::command(parts, places, &options.append),
        };
        command.stdout(Stdio::null()).stderr(complaints);
        let child = Arc::new(Mutex::new(command.spawn().context("start QEMU")?));
        let limit = watch_limit(Arc::clone(&child), options.limit);
        let qemu = Qemu {
            child,
            _limit: limit,
        };
        let accept = |listener: &UnixListener| {
            qemu.accept(listener).with_context(|| {
                fs::read_to_string(places.complaints())
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
        };
        let (qmp, agent) = (accept(&qmp)?, accept(&agent)?);
        Ok((qemu, qmp, agent))
    }

    /// Waits for its end; its limit bounds the wait.
    pub fn wait(&self) -> Result<()> {
        // Never with the lock held, or the limit could not kill it.
        while self
            .lock()
            .try_wait()
            .context("wait for QEMU's end")?
            .is_none()
        {
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Takes QEMU's connection; an error if QEMU ends first.
    fn accept(&self, listener: &UnixListener) -> Result<UnixStream> {
        listener.set_nonblocking(true)?;
        let deadline = Instant::now() + CONNECT;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(status) = self.lock().try_wait()? {
                bail!("QEMU ended at its start: {status}");
            }
            if Instant::now() > deadline {
                bail!("QEMU does not connect");
            }
            thread::sleep(LOOK);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let mut child = self.lock();
        // Both fail only if it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The disk that takes this machine's writes.
fn make_disk(lab: &Lab, snapshot: Option<&Path>, places: &Places) -> Result<()> {
    let (form, base) = match snapshot {
        Some(snapshot) => ("qcow2", snapshot.join("disk.qcow2")),
        None => ("raw", lab.image.clone()),
    };
    let mut command = tool("qemu-img");
    command
        .args(["create", "-q", "-f", "qcow2", "-F", form, "-b"])
        .arg(base);
    run(command.arg(places.disk())).map(drop)
}

/// Kills the machine when its time is over.
fn watch_limit(child: Arc<Mutex<Child>>, limit: Duration) -> Sender<()> {
    let (ended, wait) = mpsc::channel();
    thread::spawn(move || {
        if wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        }
    });
    ended
}
