//! The socket over which cases give orders to a running device, and the asking side of it.
//!
//! One connection carries one line of words and one line of answer, `ok …` or `no …`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use super::driver::Driver;

/// Longest order taken, in bytes: all registers of a chip as hex, and some words.
const LONGEST: u64 = 4096;

/// Who connects and says nothing is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

fn place(name: &str) -> PathBuf {
    PathBuf::from("/run/cuse-device").join(name)
}

/// Listens for orders to the device of that name; the socket appears when the device is there.
pub fn listen(name: &str) -> Result<UnixListener, String> {
    let path = place(name);
    let at = |error: io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all("/run/cuse-device").map_err(at)?;
    // A device that was killed leaves its socket behind.
    let _ = fs::remove_file(&path);
    UnixListener::bind(&path).map_err(at)
}

/// Takes one order and answers it; a caller that breaks off is nobody's concern.
pub fn serve(listener: &UnixListener, driver: &mut dyn Driver) -> io::Result<()> {
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    if BufReader::new((&stream).take(LONGEST))
        .read_line(&mut line)
        .is_err()
    {
        return Ok(());
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let answer = match driver.order(&words) {
        Ok(answer) => format!("ok {answer}\n"),
        Err(why) => format!("no {why}\n"),
    };
    let _ = (&stream).write_all(answer.as_bytes());
    Ok(())
}

/// Gives an order to a running device; returns what it said.
pub fn ask(name: &str, words: &[String]) -> Result<String, String> {
    let path = place(name);
    let at = |error: io::Error| format!("{}: {error}", path.display());
    let mut stream = UnixStream::connect(&path).map_err(at)?;
    writeln!(stream, "{}", words.join(" ")).map_err(at)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(at)?;
    match answer.trim_end().split_once(' ') {
        Some(("no", why)) => Err(why.to_owned()),
        Some((_, said)) => Ok(said.to_owned()),
        None => Ok(String::new()),
    }
}
