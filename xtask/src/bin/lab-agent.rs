//! Guest side of the VM lab: carries out the host's orders that arrive over a virtio-serial port,
//! or over another device that is named (the emulated Pi has a serial line).
//!
//! `lab-agent serve [DEVICE]` is started by systemd early in the boot and stays until the last kill
//! of a shutdown. `lab-agent tick DIR` is a stand-in process with two named threads, `left` and
//! `right`, each writing a rising number to a file of its name; the lab uses it to test
//! `hold-thread`. The agent never decides anything: it runs what it is told and reports.

// The agent is a tool of the tests and starts processes; the daemon's ban does not concern it.
#![allow(clippy::disallowed_methods)]

#[path = "../vm/proto.rs"]
mod proto;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};
use nix::unistd::Pid;
use proto::{Bytes, CHUNK, Message, Op, PORT, Reply, Request};

/// How often the agent looks for the port at boot, and again after the host hung up.
const RETRY: Duration = Duration::from_millis(20);

/// How often a running script is looked at; bounds how late its end is reported.
const LOOK: Duration = Duration::from_millis(5);

/// Put before each script: what it starts is not protected from the OOM killer as the agent is.
const ORDINARY: &str = "echo 0 >/proc/self/oom_score_adj\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["serve"] => open_port().and_then(serve),
        ["serve", device] => open(Path::new(device)).and_then(serve),
        ["tick", dir] => tick(Path::new(dir)),
        _ => Err(io::Error::other(
            "usage: lab-agent serve [DEVICE] | lab-agent tick DIR",
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers requests until the machine goes down.
fn serve(port: File) -> io::Result<()> {
    let writer = Arc::new(Mutex::new(port.try_clone()?));
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned();
    let session = format!("{boot}/{}", std::process::id());
    let hello = Message::Hello {
        session: session.clone(),
        boot,
    };
    say(&writer, &hello)?;
    let mut reader = BufReader::new(port);
    let mut line = String::new();
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(0) => thread::sleep(RETRY), // host not connected
            Ok(_) => answer(&line, &session, &hello, &writer)?,
            // The tail of a request that a reset cut in half need not be UTF-8.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) => return Err(error),
        }
    }
}

/// Carries out one line from the host, in a thread of its own so that a long script does not
/// block the next order. Lines that do not parse or are meant for another session are dropped.
fn answer(line: &str, session: &str, hello: &Message, writer: &Arc<Mutex<File>>) -> io::Result<()> {
    let Ok(request) = serde_json::from_str::<Request>(line) else {
        return Ok(());
    };
    if matches!(request.op, Op::Hello) {
        return say(writer, hello);
    }
    if request.session != session {
        return Ok(());
    }
    let writer = Arc::clone(writer);
    thread::spawn(move || {
        let reply = carry_out(request.op).unwrap_or_else(|error| Reply::Failed {
            why: error.to_string(),
        });
        // A port that cannot be written ends the reading loop too; nothing to add here.
        let _ = say(
            &writer,
            &Message::Done {
                id: request.id,
                reply,
            },
        );
    });
    Ok(())
}

fn say(writer: &Mutex<File>, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut port = writer
        .lock()
        .map_err(|_| io::Error::other("a writer panicked"))?;
    port.write_all(&line)
}

/// Finds the port by its name in sysfs, so that udev is not needed, and waits for it.
fn open_port() -> io::Result<File> {
    loop {
        for entry in fs::read_dir("/sys/class/virtio-ports")
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            if name.trim() == PORT {
                let device = Path::new("/dev").join(entry.file_name());
                return open(&device);
            }
        }
        thread::sleep(RETRY);
    }
}

fn open(device: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(device)
}

fn carry_out(op: Op) -> io::Result<Reply> {
    match op {
        Op::Hello => Ok(Reply::Ok), // answered before a thread is started
        Op::Run { script, timeout_ms } => run(&script, Duration::from_millis(timeout_ms)),
        Op::Write {
            path,
            offset,
            data,
            finish,
        } => write_piece(Path::new(&path), offset, &data.0, finish),
        Op::Read { path, offset } => read_piece(Path::new(&path), offset),
        Op::SetClock { unix_ms } => set_clock(unix_ms),
    }
}

fn run(script: &str, timeout: Duration) -> io::Result<Reply> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", &format!("{ORDINARY}{script}")])
        .current_dir("/root")
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("LC_ALL", "C")
        .env("HOME", "/root")
        .env("SYSTEMD_COLORS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let (output, errors) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let (status, late) = wait(&mut child, timeout)?;
    Ok(Reply::Ran {
        code: status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
        late,
        stdout: collected(&output),
        stderr: collected(&errors),
    })
}

/// Waits for the shell itself, not for what it left in the background.
fn wait(child: &mut Child, timeout: Duration) -> io::Result<(ExitStatus, bool)> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, false));
        }
        if Instant::now() >= deadline {
            let group = Pid::from_raw(child.id().cast_signed());
            // An already empty group is as good as a killed one.
            let _ = killpg(group, Signal::SIGKILL);
            return Ok((child.wait()?, true));
        }
        thread::sleep(LOOK);
    }
}

/// What a pipe has brought so far, and whether its reading thread has come to the end.
type Drained = Arc<Mutex<(Vec<u8>, bool)>>;

/// Reads a pipe in the background: a background process of the script may hold it open for ever.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Drained {
    let drained: Drained = Arc::default();
    let shared = Arc::clone(&drained);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut pipe = pipe;
        loop {
            let read = pipe
                .as_mut()
                .map_or(0, |p| p.read(&mut buffer).unwrap_or(0));
            let Ok(mut state) = shared.lock() else { return };
            state.0.extend_from_slice(&buffer[..read]);
            state.1 = read == 0;
            if read == 0 {
                return;
            }
        }
    });
    drained
}

/// The output, after giving the reader a moment to see the end of the pipe.
fn collected(drained: &Drained) -> Bytes {
    const PATIENCE: Duration = Duration::from_millis(200);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match drained.lock() {
            Ok(state) if state.1 || Instant::now() >= deadline => return Bytes(state.0.clone()),
            Ok(_) => {}
            Err(_) => return Bytes::default(),
        }
        thread::sleep(LOOK);
    }
}

fn write_piece(path: &Path, offset: u64, data: &[u8], finish: Option<u32>) -> io::Result<Reply> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".lab-part");
    let temporary = PathBuf::from(temporary);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(offset == 0)
        .open(&temporary)?;
    file.write_all_at(data, offset)?;
    if let Some(mode) = finish {
        fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))?;
        fs::rename(&temporary, path)?;
    }
    Ok(Reply::Ok)
}

fn read_piece(path: &Path, offset: u64) -> io::Result<Reply> {
    let file = File::open(path)?;
    let mut data = vec![0; CHUNK];
    let mut filled = 0;
    while filled < data.len() {
        match file.read_at(&mut data[filled..], offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    data.truncate(filled);
    Ok(Reply::Data { data: Bytes(data) })
}

fn set_clock(unix_ms: u64) -> io::Result<Reply> {
    let time = TimeSpec::from_duration(Duration::from_millis(unix_ms));
    clock_settime(ClockId::CLOCK_REALTIME, time)?;
    Ok(Reply::Ok)
}

/// Two named threads that each show that they run.
fn tick(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut threads = Vec::new();
    for name in ["left", "right"] {
        let file = dir.join(name);
        let body = move || -> io::Result<()> {
            for count in 0_u64.. {
                fs::write(&file, count.to_string())?;
                thread::sleep(RETRY);
            }
            Ok(())
        };
        threads.push(thread::Builder::new().name(name.to_owned()).spawn(body)?);
    }
    for thread in threads {
        thread
            .join()
            .map_err(|_| io::Error::other("a ticking thread panicked"))??;
    }
    Ok(())
}
