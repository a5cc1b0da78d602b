//! QEMU's control protocol (QMP): commands, and the events of the virtual hardware with the time
//! they arrived. Decides nothing; a closed connection means that QEMU has ended.

// The lab waits for a real emulator in real time.
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// QEMU answers at once; the two that take long (saving, loading) are asked again and again.
const ANSWER: Duration = Duration::from_secs(20);

/// Something the virtual hardware did.
#[derive(Debug, Clone)]
pub struct Event {
    /// QMP's name: RESET, SHUTDOWN, WATCHDOG, POWERDOWN, STOP, RESUME …
    pub name: String,
    /// Its data.
    pub data: Value,
    /// When it reached us.
    pub at: Instant,
}

/// A place in the sequence of events: those before it are not looked at. The default is the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark(usize);

#[derive(Debug, Default)]
struct Shared {
    events: Vec<Event>,
    answers: Vec<Value>,
    closed: bool,
}

/// A connection to one QEMU.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

impl Qmp {
    /// Greets QEMU on its connected socket.
    pub fn new(stream: UnixStream) -> Result<Self> {
        let shared = Arc::<(Mutex<Shared>, Condvar)>::default();
        let reader = stream.try_clone().context("QMP socket")?;
        let for_reader = Arc::clone(&shared);
        thread::spawn(move || read_lines(reader, &for_reader));
        let mut qmp = Qmp { stream, shared };
        qmp.command("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Sends a command and returns what it answered.
    pub fn command(&mut self, name: &str, arguments: &Value) -> Result<Value> {
        let order = json!({"execute": name, "arguments": arguments});
        writeln!(self.stream, "{order}").with_context(|| format!("QMP {name}: QEMU is gone"))?;
        let deadline = Instant::now() + ANSWER;
        let found = self.wait(deadline, |shared| shared.answers.pop());
        let answer = found.with_context(|| format!("QMP {name}: no answer"))?;
        if let Some(error) = answer.get("error") {
            bail!("QMP {name}: {error}");
        }
        Ok(answer.get("return").cloned().unwrap_or_default())
    }

    /// The present end of the events.
    pub fn mark(&self) -> Mark {
        Mark(self.lock().events.len())
    }

    /// The events since a mark.
    pub fn events_since(&self, mark: Mark) -> Vec<Event> {
        self.lock()
            .events
            .get(mark.0..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Waits for the first event of that name since a mark.
    pub fn wait_event(&self, name: &str, since: Mark, deadline: Instant) -> Result<Event> {
        let found = self.wait(deadline, |shared| {
            let later = shared.events.get(since.0..).unwrap_or_default();
            later.iter().find(|event| event.name == name).cloned()
        });
        found.with_context(|| {
            let seen: Vec<String> = self
                .events_since(since)
                .into_iter()
                .map(|event| event.name)
                .collect();
            format!("waiting for the machine's event {name}, saw only {seen:?}")
        })
    }

    fn wait<T>(
        &self,
        deadline: Instant,
        mut look: impl FnMut(&mut Shared) -> Option<T>,
    ) -> Result<T> {
        let mut shared = self.lock();
        loop {
            if let Some(found) = look(&mut shared) {
                return Ok(found);
            }
            if shared.closed {
                bail!("QEMU closed the connection");
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                bail!("the time is over");
            };
            let woken = self.shared.1.wait_timeout(shared, left);
            shared = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_lines(stream: UnixStream, shared: &(Mutex<Shared>, Condvar)) {
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        let Ok(value) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        let mut state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = value.get("event").and_then(Value::as_str) {
            let data = value.get("data").cloned().unwrap_or_default();
            state.events.push(Event {
                name: name.to_owned(),
                data,
                at: Instant::now(),
            });
        } else if value.get("QMP").is_none() {
            state.answers.push(value);
        }
        shared.1.notify_all();
    }
    shared
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .closed = true;
    shared.1.notify_all();
}
