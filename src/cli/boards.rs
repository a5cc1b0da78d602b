//! `boards`: what is known of boards, and which would fit. Nothing here talks to one.

use super::printer::{Printer, tell, tell_line};
use super::probe;
use crate::config::board::{self, Board, Shelf, words};
use crate::config::board_schema;
use crate::error::Error;
use crate::text::nearest;
use clap::Subcommand;
use std::path::Path;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  fieldwarden boards list            which boards are known, and how far?
  fieldwarden boards show x728       wiring, pins, what it can and cannot do
  sudo fieldwarden boards probe      which would fit what answers here?
  fieldwarden boards new my-board > /etc/fieldwarden/boards/my-board.toml
  fieldwarden boards schema > board.schema.json";

/// What is wanted.
#[derive(Subcommand, Debug)]
pub enum Wanted {
    /// List all boards that `board` in the configuration can name
    List,
    /// Show how a board is wired, its pins, what it can and cannot do, and who says so
    Show {
        /// Its name, as `board` in the configuration has it
        #[arg(value_name = "BOARD")]
        board: String,
    },
    /// Look which boards would fit, by what their chips answer; reads only
    ///
    /// One register of each chip is read, where no driver of the kernel owns it and nobody else uses
    /// its bus. Only a chip that its board file knows by a register fits; whoever else answers may fit,
    /// because an address tells no board from another.
    Probe {
        /// For programs: a JSON list of boards, described in docs/boards.md
        #[arg(long)]
        json: bool,
    },
    /// Print a board file to be filled in, every key commented
    New {
        /// The name of the board: lower case letters, digits, `-`, `.` and `_`
        #[arg(value_name = "NAME", value_parser = name)]
        name: String,
    },
    /// Print the JSON schema of board files, for editors (`#:schema`)
    Schema,
}

/// A name that a board can have.
fn name(text: &str) -> Result<String, String> {
    match board::is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("write lower case letters, digits, -, . and _, 40 at most".to_owned()),
    }
}

/// Tells it.
pub fn boards(wanted: &Wanted, dir: &Path, out: &mut Printer) -> Result<(), Error> {
    let shelf = Shelf::installed();
    match wanted {
        Wanted::List => Ok(out.put(&list(&shelf))?),
        Wanted::Show { board } => show(&shelf, board, out),
        Wanted::Probe { json } => probe::asked(dir, *json, out),
        Wanted::New { name } => Ok(out.put(&board::template(name))?),
        Wanted::Schema => Ok(out.put(&board_schema())?),
    }
}

fn list(shelf: &Shelf) -> String {
    let mut rows = vec![
        [
            "NAME",
            "BOARD",
            "MAINS BY",
            "CUT BY",
            "COMES BACK",
            "KNOWN BY",
        ]
        .map(str::to_owned),
    ];
    for name in shelf.names() {
        rows.push(match shelf.board(&name) {
            Some(Ok(board)) => row(&board),
            Some(Err(_)) | None => {
                let why =
                    format!("its file cannot be used: `fieldwarden boards show {name}` says why");
                let [a, b, c, d] = [(); 4].map(|()| String::new());
                [name, why, a, b, c, d]
            }
        });
    }
    let widths: Vec<usize> = (0..6)
        .map(|at| {
            rows.iter()
                .map(|row| row[at].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(board: &Board) -> [String; 6] {
    [
        board.name.clone(),
        board.title.clone(),
        words::mains(board),
        words::cut(board),
        words::back(board).to_owned(),
        board.about.confidence.word().to_owned(),
    ]
}

fn show(shelf: &Shelf, name: &str, out: &mut Printer) -> Result<(), Error> {
    match shelf.board(name) {
        Some(Ok(board)) => Ok(out.put(&shown(&board))?),
        Some(Err(problems)) => {
            tell(&problems.to_string());
            Err(Error::SaidConfig)
        }
        None => {
            let names = shelf.names();
            let near = nearest(name, names.iter().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "`fieldwarden boards list` shows all".to_owned(),
            };
            tell_line(&format!(
                "fieldwarden: there is no board {name:?}\nhelp: {help}"
            ));
            Err(Error::Said)
        }
    }
}

/// How a board is wired, what is known of it, and by whom.
pub(super) fn shown(board: &Board) -> String {
    let about = &board.about;
    let mut text = format!(
        "{}: {}\n  file        {}\n  known       {}\n  comes back  {}\n",
        board.name,
        board.title,
        board.origin,
        words::trusted(about.confidence),
        words::back(board),
    );
    let wiring = words::wiring(board);
    let wiring: Vec<String> = wiring
        .iter()
        .map(|(what, how)| format!("{what:8} {how}"))
        .collect();
    let mut pins = board.pins();
    pins.sort_by(|a, b| a.line.cmp(&b.line));
    let pins: Vec<String> = pins
        .iter()
        .map(|pin| format!("{}: {}", words::named(&pin.line), pin.job))
        .collect();
    let (can, cannot) = words::abilities(board);
    for (title, lines) in [
        ("wiring", &wiring),
        ("pins that nothing else can have", &pins),
        ("it can", &can),
        ("it cannot", &cannot),
        ("to be done by hand", &about.advice),
        ("not known", &about.not_known),
        ("sources", &about.sources),
    ] {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n"));
        }
        for line in lines {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}
