//! The board that the daemon works with, left in the runtime directory for the hook of systemd's last
//! moments: by then the configuration may have been changed, or may not be readable any more.
//!
//! ```text
//! fieldwarden-board 1 NAME CRC
//! (the text of the board file)
//! ```
//!
//! A record that is damaged anywhere is none.

use super::places::Places;
use crate::config::board::{self, Board};
use std::fs;
use std::io;

/// Beginning of the first line, with the version of its form.
const MAGIC: &str = "fieldwarden-board 1 ";

/// Longest record that is read, in bytes: a board file and the line before it.
const LENGTH_MAX: usize = 1 << 20;

/// Writes down which board it is. An older record is gone in any case.
///
/// # Errors
/// What the kernel said.
pub fn write(places: &Places, board: &Board) -> io::Result<()> {
    let path = places.board();
    let new = path.with_extension("new");
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    fs::write(&new, text(board))?;
    fs::rename(&new, &path)
}

/// Writes down which board it is, unless an earlier daemon of this boot has.
///
/// # Errors
/// What the kernel said.
pub fn write_first(places: &Places, board: &Board) -> io::Result<()> {
    match read(places) {
        Some(_) => Ok(()),
        None => write(places, board),
    }
}

/// The board of the latest daemon of this boot that had all of its configuration; if there was none, of
/// the first one.
pub fn read(places: &Places) -> Option<Board> {
    let text = fs::read_to_string(places.board()).ok()?;
    parse(&text)
}

fn text(board: &Board) -> String {
    let Board { name, source, .. } = board;
    let crc = crc32fast::hash(source.as_bytes());
    format!("{MAGIC}{name} {crc:08x}\n{source}")
}

pub(super) fn parse(text: &str) -> Option<Board> {
    if text.len() > LENGTH_MAX {
        return None;
    }
    let (first, source) = text.split_once('\n')?;
    let (name, crc) = first.strip_prefix(MAGIC)?.rsplit_once(' ')?;
    if crc != format!("{:08x}", crc32fast::hash(source.as_bytes())) {
        return None;
    }
    match source.is_empty() {
        // No board was named, and so there is no file of one.
        true => Some(Board::none()).filter(|none| none.name == name),
        false => board::parse("the board in the runtime directory", name, source).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::board::BUILT_IN;

    /// Every board that we know, and none, is found as it was left; what came before is gone.
    #[test]
    fn boards_there_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        places.make().unwrap();
        assert_eq!(read(&places), None);
        let mut boards = vec![Board::none()];
        for (name, source) in BUILT_IN {
            boards.push(board::parse("test", name, source).unwrap());
        }
        for board in boards {
            write(&places, &board).unwrap();
            let found = read(&places).unwrap();
            let same = |b: &Board| {
                (
                    b.name.clone(),
                    b.cut.clone(),
                    b.mains.clone(),
                    b.alive.clone(),
                )
            };
            assert_eq!(same(&found), same(&board));
            assert_eq!(found.source, board.source);
        }
        let last = read(&places).unwrap();
        write_first(&places, &Board::none()).unwrap();
        assert_eq!(read(&places).unwrap().name, last.name);
        fs::remove_file(places.board()).unwrap();
        write_first(&places, &Board::none()).unwrap();
        assert_eq!(read(&places), Some(Board::none()));
    }

    /// Cut off or damaged anywhere, it is none.
    #[test]
    fn damage_is_seen() {
        let (name, source) = BUILT_IN.iter().find(|(name, _)| *name == "x728").unwrap();
        let text = text(&board::parse("test", name, source).unwrap());
        for at in 0..text.len() {
            if text.is_char_boundary(at) {
                assert_eq!(parse(&text[..at]), None, "cut at {at}");
            }
        }
        for at in [0, 21, 30, 200] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let damaged = String::from_utf8(bytes).unwrap();
            assert_eq!(parse(&damaged), None, "damaged at {at}");
        }
    }
}
