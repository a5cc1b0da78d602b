//! Stands in for an engine in tests: says what it is told to say, in the way that it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use tempfile::TempDir;

/// How it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    Well,
    /// It takes the connection, and says nothing.
    Never,
    /// It goes away in the middle of its answer.
    Half,
    /// It sends without an end.
    Huge,
    /// It speaks of something else.
    Garbage,
    /// It ends the connection at once.
    Closes,
}

pub struct Says {
    pub manner: Manner,
    /// What it says of each container; of others, that there are none.
    pub containers: BTreeMap<String, String>,
    /// The events that it has had.
    pub history: String,
    /// It does not answer about these, until it is told to.
    pub stuck: BTreeSet<String>,
    /// Status of its answers to orders, and of that to the question for its news.
    pub obeys: u16,
    pub tells: u16,
    /// What it was asked but for looks.
    pub asked: Vec<String>,
    news: Vec<UnixStream>,
    held: Vec<UnixStream>,
    gone: bool,
}

pub struct Fake {
    dir: TempDir,
    says: Arc<Mutex<Says>>,
}

impl Fake {
    pub fn new() -> Fake {
        let fake = Fake {
            dir: tempfile::tempdir().unwrap(),
            says: Arc::new(Mutex::new(Says {
                manner: Manner::Well,
                containers: BTreeMap::new(),
                history: String::new(),
                stuck: BTreeSet::new(),
                obeys: 204,
                tells: 200,
                asked: Vec::new(),
                news: Vec::new(),
                held: Vec::new(),
                gone: false,
            })),
        };
        fake.come();
        fake
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("engine.sock")
    }

    pub fn says(&self) -> MutexGuard<'_, Says> {
        self.says.lock().unwrap()
    }

    /// How `web` stands from now on.
    pub fn stands(&self, state: &str) {
        let name = "web".to_owned();
        self.says().containers.insert(name, web(state));
    }

    /// Questions that it has taken, and not answered.
    pub fn unanswered(&self) -> usize {
        self.says().held.len()
    }

    /// Answers those, with what it said of `web` when it had this state.
    pub fn answer_late(&self, state: &str) {
        for mut stream in std::mem::take(&mut self.says().held) {
            whole(&mut stream, 200, &web(state));
        }
    }

    /// Another one takes its place, of which `web` stands so: its news end, and its socket stays, as
    /// where systemd holds it.
    pub fn is_replaced(&self, state: &str) {
        let mut says = self.says();
        says.news = Vec::new();
        says.containers.insert("web".to_owned(), web(state));
    }

    /// Tells whoever listens to its news.
    pub fn tell(&self, action: &str) {
        let line = event(action, "", 0);
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        for mut listener in &self.says().news {
            let _ = listener.write_all(chunk.as_bytes());
        }
    }

    /// Somebody listens to its news.
    pub fn is_heard(&self) -> bool {
        !self.says().news.is_empty()
    }

    /// It ends, and its connections with it.
    pub fn go(&self) {
        self.says().gone = true;
        let _ = UnixStream::connect(self.socket());
        while self.socket().exists() {
            std::thread::yield_now();
        }
        let mut says = self.says();
        (says.news, says.held) = (Vec::new(), Vec::new());
    }

    /// It is there again.
    pub fn come(&self) {
        self.says().gone = false;
        let (says, path) = (self.says.clone(), self.socket());
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if says.lock().unwrap().gone {
                    break;
                }
                let says = says.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &says));
            }
            drop(listener);
            std::fs::remove_file(path).unwrap();
        });
    }
}

fn web(state: &str) -> String {
    format!(
        r#"{{"Id":"4d4f","State":{state},"RestartCount":0,"Config":{{"StopSignal":"SIGINT"}}}}"#
    )
}

/// One line of its events.
pub fn event(action: &str, attributes: &str, nanos: i128) -> String {
    format!(
        "{{\"status\":\"{action}\",\"id\":\"4d4f\",\"Type\":\"container\",\"Action\":\"{action}\",\
         \"Actor\":{{\"ID\":\"4d4f\",\"Attributes\":{{{attributes}\"name\":\"web\"}}}},\
         \"timeNano\":{nanos}}}\n"
    )
}

fn answer(mut stream: UnixStream, says: &Mutex<Says>) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    reader.read_line(&mut line).unwrap();
    let mut header = String::new();
    while reader.read_line(&mut header).unwrap_or(0) > 2 {
        header.clear();
    }
    let Some(asked) = line.strip_suffix(" HTTP/1.1\r\n").map(str::to_owned) else {
        // Whoever was about to ask has gone.
        return;
    };
    let mut says = says.lock().unwrap();
    let name = asked.strip_prefix("GET /containers/");
    let name = name.and_then(|rest| rest.strip_suffix("/json"));
    if name.is_none() {
        let plain = asked.split("?filters").next().unwrap_or_default();
        says.asked.push(plain.to_owned());
    }
    match says.manner {
        Manner::Well => {}
        Manner::Never => return says.held.push(stream),
        Manner::Half => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Id\":");
            return;
        }
        Manner::Huge => {
            drop(says);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[b'x'; 65536]).is_ok() {}
            return;
        }
        Manner::Garbage => {
            let _ = stream.write_all(b"220 mail.test ESMTP\r\n");
            return;
        }
        Manner::Closes => return,
    }
    if asked.contains("/events?since=") {
        let text = says.history.clone();
        return whole(&mut stream, 200, &text);
    }
    if asked.contains("/events?filters=") {
        if says.tells != 200 {
            return whole(&mut stream, says.tells, "{\"message\":\"no journal\"}");
        }
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).unwrap();
        return says.news.push(stream);
    }
    if name.is_some_and(|name| says.stuck.contains(name)) {
        return says.held.push(stream);
    }
    match name.map(|name| says.containers.get(name)) {
        Some(Some(text)) => whole(&mut stream, 200, text),
        Some(None) => whole(&mut stream, 404, "{\"message\":\"No such container\"}"),
        None => whole(&mut stream, says.obeys, "{\"message\":\"because\"}"),
    }
}

fn whole(stream: &mut UnixStream, status: u16, text: &str) {
    let text = if status == 204 { "" } else { text };
    let length = match status {
        204 => String::new(),
        _ => format!("Content-Length: {}\r\n", text.len()),
    };
    // Whoever asked may be gone.
    let _ = write!(stream, "HTTP/1.1 {status} Some\r\n{length}\r\n{text}");
}
