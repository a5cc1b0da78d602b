//! Host side of the connection to the agent in the guest.
//!
//! Requests and answers are matched by number. Term: the *session* is one life of the agent; when
//! a new one says hello, everything still unanswered belongs to a boot that is over and fails.

// The lab waits for a real guest in real time.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::proto::{Message, Op, Reply, Request};

/// A guest that takes no byte for this long is not going to.
const STUCK: Duration = Duration::from_secs(30);

/// What is known of the guest's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// This life of the agent.
    pub name: String,
    /// The boot it lives in.
    pub boot: String,
}

#[derive(Debug, Default)]
struct Shared {
    session: Option<Session>,
    /// Requests without an answer (`None`) and answers nobody has fetched.
    answers: BTreeMap<u64, Option<Reply>>,
    closed: bool,
}

/// A connection to the agent's port.
#[derive(Debug)]
pub struct Channel {
    writer: Mutex<UnixStream>,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

impl Channel {
    /// Listens to the port on a connected socket.
    pub fn new(stream: UnixStream) -> Result<Self> {
        stream
            .set_write_timeout(Some(STUCK))
            .context("agent socket")?;
        let reader = stream.try_clone().context("agent socket")?;
        let shared = Arc::<(Mutex<Shared>, Condvar)>::default();
        let for_reader = Arc::clone(&shared);
        thread::spawn(move || read_lines(reader, &for_reader));
        Ok(Channel {
            writer: Mutex::new(stream),
            shared,
        })
    }

    /// Asks a running agent to say hello again, as after a resume.
    pub fn ask_hello(&self) -> Result<()> {
        self.send(&Request {
            session: String::new(),
            id: 0,
            op: Op::Hello,
        })
    }

    /// Waits for an agent of another boot than `known`.
    pub fn wait_session(&self, known: Option<&Session>, deadline: Instant) -> Result<Session> {
        let known = known.map(|session| &session.boot);
        self.wait(deadline, |shared| {
            let session = shared.session.as_ref()?;
            (Some(&session.boot) != known).then(|| Ok(session.clone()))
        })
    }

    /// Sends an order to this session and waits for its answer.
    pub fn request(&self, session: &Session, op: Op, deadline: Instant) -> Result<Reply> {
        let id = {
            let mut shared = self.lock();
            let id = shared.answers.keys().next_back().map_or(1, |last| last + 1);
            shared.answers.insert(id, None);
            id
        };
        let outcome = self
            .send(&Request {
                session: session.name.clone(),
                id,
                op,
            })
            .and_then(|()| self.wait(deadline, |shared| take_answer(shared, session, id)));
        self.lock().answers.remove(&id);
        outcome
    }

    fn send(&self, request: &Request) -> Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&line).context("the guest takes no orders")
    }

    fn wait<T>(
        &self,
        deadline: Instant,
        mut look: impl FnMut(&mut Shared) -> Option<Result<T>>,
    ) -> Result<T> {
        let mut shared = self.lock();
        loop {
            if let Some(outcome) = look(&mut shared) {
                return outcome;
            }
            if shared.closed {
                bail!("QEMU closed the agent's port");
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                bail!("no answer from the guest in time");
            };
            let woken = self.shared.1.wait_timeout(shared, left);
            shared = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer if it is there; an error if the agent that was asked is no more.
fn take_answer(shared: &mut Shared, session: &Session, id: u64) -> Option<Result<Reply>> {
    if let Some(reply) = shared.answers.get_mut(&id).and_then(Option::take) {
        return Some(Ok(reply));
    }
    let present = shared.session.as_ref()?;
    if present.boot != session.boot {
        return Some(Err(anyhow::anyhow!(
            "the guest has booted anew; call wait_boot first"
        )));
    }
    (present.name != session.name).then(|| Err(anyhow::anyhow!("the guest's agent was restarted")))
}

fn read_lines(stream: UnixStream, shared: &(Mutex<Shared>, Condvar)) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(read) if read > 0 => {}
            Ok(_) | Err(_) => break,
        }
        // A reset can cut a line in half; what does not parse belonged to the boot before. A serial
        // line brings a byte of noise when it is set up, in front of the next message.
        let noise = line.iter().position(|byte| *byte == b'{').unwrap_or(0);
        let Ok(message) = serde_json::from_slice::<Message>(&line[noise..]) else {
            continue;
        };
        let mut state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            Message::Hello { session, boot } => {
                state.session = Some(Session {
                    name: session,
                    boot,
                })
            }
            Message::Done { id, reply } => {
                if let Some(place) = state.answers.get_mut(&id) {
                    *place = Some(reply);
                }
            }
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
