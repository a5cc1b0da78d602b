//! One virtual machine: started, spoken to, reset, looked at, and always killed in the end.
//!
//! Terms: a *cold* machine boots the kernel; a *resumed* one continues from the snapshot of a
//! booted guest and is ready in about a second. Both have a disk of their own that outlives
//! resets and power-offs of the guest, but not the machine. Every wait ends at its own limit or
//! at the machine's, whichever is earlier.

// The lab starts an emulator and waits for it in real time.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::channel::{Channel, Session};
use super::disk;
use super::launch::Qemu;
pub use super::options::{Options, Start};
use super::pi::Pins;
use super::prepare::Lab;
use super::proto::{Bytes, CHUNK, Op, Reply};
use super::qemu::Places;
use super::qmp::{Event, Mark, Qmp};
use super::replay::Recording;

/// File the guest creates when `multi-user.target` has been reached (`lab-ready.service`).
const READY_FILE: &str = "/run/fieldwarden-lab-ready";

/// A boot takes 3 s on a quiet host; ten times and more on a busy one have been seen.
const BOOT: Duration = Duration::from_secs(90);

/// Limit of a script for which nobody named one.
const SCRIPT: Duration = Duration::from_secs(30);

/// Time for the agent to report a script's end after the script's own limit.
const GRACE: Duration = Duration::from_secs(10);

/// Lines of the console shown when a boot fails: enough for an oops's first page.
const CONSOLE_TAIL: usize = 25;

/// Pause between two looks where nothing can wake us.
const LOOK: Duration = Duration::from_millis(5);

/// What a script in the guest did.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code, 128 + number after a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A running machine.
#[derive(Debug)]
pub struct Machine {
    qmp: Qmp,
    channel: Channel,
    session: Option<Session>,
    places: Places,
    deadline: Instant,
    /// What the guest's clock showed, and when.
    shown: Option<(Duration, Instant)>,
    qemu: Qemu,
    _dir: TempDir,
}

impl Machine {
    /// Starts a machine and waits until its guest has reached multi-user.
    pub fn start(lab: &Lab, options: &Options) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("fw-vm-")
            .tempdir()
            .context("temporary dir")?;
        let places = Places::new(dir.path());
        let snapshot = match options.start {
            Start::Cold => None,
            Start::Resumed if options.disk.is_some() => {
                bail!("the snapshot has no second disk; boot the machine")
            }
            Start::Resumed => Some(lab.snapshot.clone().context("the lab has no snapshot")?),
        };
        let deadline = Instant::now() + options.limit;
        let (qemu, qmp, agent) = Qemu::launch(lab, &places, snapshot.as_deref(), options)?;
        let mut machine = Machine {
            qmp: Qmp::new(qmp)?,
            channel: Channel::new(agent)?,
            session: None,
            places,
            deadline,
            shown: None,
            qemu,
            _dir: dir,
        };
        match snapshot {
            Some(snapshot) => machine.resume(&snapshot)?,
            None => machine.wait_boot()?,
        }
        Ok(machine)
    }

    /// Loads the saved state, lets it run and puts its clock right.
    fn resume(&mut self, snapshot: &Path) -> Result<()> {
        let from = json!({"uri": exec_uri("cat <", &snapshot.join("state"))});
        self.qmp.command("migrate-incoming", &from)?;
        self.wait_migration()?;
        self.qmp.command("cont", &json!({}))?;
        self.channel.ask_hello()?;
        let session = self.channel.wait_session(None, self.until(BOOT));
        self.session = Some(session.context("the resumed guest does not answer")?);
        self.set_clock()?;
        self.look_at_clock();
        Ok(())
    }

    /// Writes the running machine's state to a file and ends the machine's life; its disk goes
    /// to `disk`.
    pub fn freeze(mut self, state: &Path, disk: &Path) -> Result<()> {
        self.qmp.command("stop", &json!({}))?;
        self.qmp.command(
            "migrate-set-parameters",
            &json!({"max-bandwidth": 10_u64 << 30}),
        )?;
        self.qmp
            .command("migrate", &json!({"uri": exec_uri("cat >", state)}))?;
        self.wait_migration()?;
        // A clean quit makes QEMU complete the disk's own tables.
        self.qmp.command("quit", &json!({}))?;
        self.qemu.wait()?;
        fs::copy(self.places.disk(), disk).context("keep the disk")?;
        Ok(())
    }

    fn wait_migration(&mut self) -> Result<()> {
        let deadline = self.until(BOOT);
        loop {
            let answer = self.qmp.command("query-migrate", &json!({}))?;
            match answer.get("status").and_then(Value::as_str) {
                Some("completed") => return Ok(()),
                Some("failed") => bail!("QEMU could not save or load the state: {answer}"),
                _ if Instant::now() > deadline => bail!("saving or loading the state takes ages"),
                _ => thread::sleep(LOOK),
            }
        }
    }

    /// Waits until the agent of another boot answers. Until this is called, scripts for a
    /// rebooted guest fail.
    pub fn wait_agent(&mut self) -> Result<()> {
        let deadline = self.until(BOOT);
        let session = self.channel.wait_session(self.session.as_ref(), deadline);
        let session = session.with_context(|| {
            let console = self.serial().unwrap_or_default();
            let lines: Vec<&str> = console.lines().collect();
            let last = lines[lines.len().saturating_sub(CONSOLE_TAIL)..].join("\n  ");
            format!("waiting for the guest to boot, whose console says\n  {last}\n")
        });
        self.session = Some(session?);
        self.look_at_clock();
        Ok(())
    }

    /// Waits until the guest has booted anew since the last time it was seen booting, and has
    /// reached multi-user.
    pub fn wait_boot(&mut self) -> Result<()> {
        self.wait_agent()?;
        self.wait_until("multi-user", &format!("[ -e {READY_FILE} ]"), BOOT)
    }

    /// Sets the guest's wall clock to the host's.
    pub fn set_clock(&mut self) -> Result<()> {
        let unix_ms = u64::try_from(unix_time().as_millis())?;
        self.order(Op::SetClock { unix_ms }, SCRIPT)
            .context("set the guest's clock")?;
        Ok(())
    }

    /// A guest that is reset again at this moment shows nothing, which is no fault of its own.
    fn look_at_clock(&mut self) {
        self.shown = self.uptime().ok().map(|up| (up, Instant::now()));
    }

    /// The guest's clock that nobody can set.
    fn uptime(&self) -> Result<Duration> {
        let text = self.ok("cat /proc/uptime")?;
        let seconds = text.split(' ').next().unwrap_or_default();
        Ok(Duration::from_secs_f64(
            seconds.parse().context("/proc/uptime")?,
        ))
    }

    /// How far the guest's clock has run ahead of the host's since its boot, if it answers.
    ///
    /// Emulated processors take their time from the host's time stamp counter. On a host whose
    /// processors do not agree on it, the guest was seen to gain minutes at once.
    pub fn clock_ahead(&self) -> Option<Duration> {
        let (then, at) = self.shown?;
        let passed = self.uptime().ok()?.checked_sub(then)?;
        passed.checked_sub(at.elapsed())
    }

    /// Runs a script in the guest, for at most 30 s.
    pub fn sh(&self, script: &str) -> Result<Output> {
        self.sh_within(script, SCRIPT)
    }

    /// Runs a script in the guest; an error if it is not done in time, not if it fails.
    pub fn sh_within(&self, script: &str, limit: Duration) -> Result<Output> {
        let timeout_ms = u64::try_from(limit.as_millis())?;
        let order = Op::Run {
            script: script.to_owned(),
            timeout_ms,
        };
        let reply = self
            .order(order, limit + GRACE)
            .with_context(|| format!("`{script}`"))?;
        let Reply::Ran {
            code,
            late,
            stdout,
            stderr,
        } = reply
        else {
            bail!("`{script}`: unexpected answer {reply:?}");
        };
        let [stdout, stderr] =
            [stdout, stderr].map(|Bytes(bytes)| String::from_utf8_lossy(&bytes).into_owned());
        if late {
            bail!("`{script}` not done after {limit:?}: {stdout}{stderr}");
        }
        Ok(Output {
            code,
            stdout,
            stderr,
        })
    }

    /// Runs a script that must succeed; returns its output without the last line end.
    pub fn ok(&self, script: &str) -> Result<String> {
        let Output {
            code,
            stdout,
            stderr,
        } = self.sh(script)?;
        if code != 0 {
            bail!("`{script}` ended with {code}: {stdout}{stderr}");
        }
        Ok(stdout.trim_end().to_owned())
    }

    /// Waits until a script in the guest succeeds; it is tried again and again, inside the guest.
    pub fn wait_until(&self, what: &str, script: &str, limit: Duration) -> Result<()> {
        let looping = format!("until ( {script}\n) >/dev/null 2>&1; do sleep 0.05; done");
        self.sh_within(&looping, limit)
            .with_context(|| format!("waiting for {what}"))?;
        Ok(())
    }

    /// Copies a file of the host into the guest, with this mode.
    pub fn put(&self, local: &Path, guest: &str, mode: u32) -> Result<()> {
        let bytes = fs::read(local).with_context(|| format!("read {}", local.display()))?;
        self.put_bytes(&bytes, guest, mode)
    }

    /// Writes a file in the guest; it appears whole or not at all.
    pub fn put_bytes(&self, bytes: &[u8], guest: &str, mode: u32) -> Result<()> {
        let mut offset = 0;
        loop {
            let end = bytes.len().min(offset + CHUNK);
            let order = Op::Write {
                path: guest.to_owned(),
                offset: offset as u64,
                data: Bytes(bytes[offset..end].to_vec()),
                finish: (end == bytes.len()).then_some(mode),
            };
            self.order(order, SCRIPT)
                .with_context(|| format!("write {guest} in the guest"))?;
            if end == bytes.len() {
                return Ok(());
            }
            offset = end;
        }
    }

    /// Unpacks a tar archive of the host over the guest's root.
    pub fn unpack(&self, archive: &Path) -> Result<()> {
        let place = "/tmp/unpack.tar";
        self.put(archive, place, 0o600)?;
        // Links to directories, such as /lib, stay links.
        self.ok(&format!(
            "tar -xf {place} --keep-directory-symlink -C / && rm {place}"
        ))?;
        Ok(())
    }

    /// Reads a file of the guest.
    pub fn get(&self, guest: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let order = Op::Read {
                path: guest.to_owned(),
                offset: bytes.len() as u64,
            };
            let reply = self.order(order, SCRIPT);
            let reply = reply.with_context(|| format!("read {guest} in the guest"))?;
            let Reply::Data { data } = reply else {
                bail!("read {guest}: answer {reply:?}")
            };
            bytes.extend_from_slice(&data.0);
            if data.0.len() < CHUNK {
                return Ok(bytes);
            }
        }
    }

    fn order(&self, op: Op, limit: Duration) -> Result<Reply> {
        let session = self
            .session
            .as_ref()
            .context("the guest has not booted yet")?;
        match self.channel.request(session, op, self.until(limit))? {
            Reply::Failed { why } => bail!("{why}"),
            reply @ (Reply::Ran { .. } | Reply::Data { .. } | Reply::Ok) => Ok(reply),
        }
    }

    /// The present end of the hardware's events, for [`Machine::wait_event`].
    pub fn mark(&self) -> Mark {
        self.qmp.mark()
    }

    /// Waits for an event of the virtual hardware since a mark.
    pub fn wait_event(&self, name: &str, since: Mark, limit: Duration) -> Result<Event> {
        self.qmp.wait_event(name, since, self.until(limit))
    }

    /// All events of the virtual hardware since a mark.
    pub fn events_since(&self, since: Mark) -> Vec<Event> {
        self.qmp.events_since(since)
    }

    /// Presses the reset button.
    pub fn reset(&mut self) -> Result<()> {
        self.qmp.command("system_reset", &json!({})).map(drop)
    }

    /// Switches a machine on that has powered itself off; it boots from its own disk.
    pub fn power_on(&mut self) -> Result<()> {
        self.reset()?;
        self.qmp.command("cont", &json!({})).map(drop)
    }

    /// Ends the machine as a cut of the power would; only its disks can be looked at afterwards.
    /// QEMU itself finishes its files, or the end of a recording would be missing.
    pub fn cut_power(&mut self) -> Result<()> {
        self.qmp.command("quit", &json!({}))?;
        self.qemu.wait()
    }

    /// Lets the second disk take no more than so many bytes a second; zero: as fast as it can.
    pub fn throttle_second_disk(&mut self, bytes: u64) -> Result<()> {
        let limits = json!({
            "id": format!("/machine/peripheral/{}/virtio-backend", disk::DEVICE),
            "bps": 0, "bps_rd": 0, "bps_wr": bytes,
            "iops": 0, "iops_rd": 0, "iops_wr": 0,
        });
        self.qmp.command("block_set_io_throttle", &limits).map(drop)
    }

    /// What was written to the recorded second disk of a machine whose power has been cut.
    pub fn recording(&self) -> Result<Recording> {
        Recording::open(&self.places.recording_base(), &self.places.recording())
    }

    /// The pins of an emulated Pi.
    pub fn pins(&self) -> Result<Pins> {
        Pins::of(&self.places)
    }

    /// Everything the guest wrote to its console.
    pub fn serial(&self) -> Result<String> {
        let bytes = fs::read(self.places.serial()).context("read the serial log")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Where the console's log lies while the machine lives.
    pub fn serial_file(&self) -> PathBuf {
        self.places.serial()
    }

    /// The moment `limit` from now, or the machine's own end if that is earlier.
    fn until(&self, limit: Duration) -> Instant {
        self.deadline.min(Instant::now() + limit)
    }
}

/// The host's wall clock.
pub fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// `exec:` address that streams through a file; QEMU hands it to a shell.
fn exec_uri(command: &str, file: &Path) -> String {
    format!(
        "exec:{command} '{}'",
        file.display().to_string().replace('\'', r"'\''")
    )
}
