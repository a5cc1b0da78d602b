//! Where board files are looked for.

use super::super::problem::Problems;
use super::super::syntax;
use super::Board;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Directories of board files, the first one that has a file wins. What is in none of them is taken
/// from the program itself.
pub const PLACES: [&str; 2] = ["/etc/fieldwarden/boards", "/usr/lib/fieldwarden/boards"];

/// Longest name of a board.
const NAME_MAX: usize = 40;

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        /// The board files in the program: name and text, sorted by name.
        pub const BUILT_IN: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../boards/", $name, ".toml")))),+
        ];
    };
}

built_in![
    "dfrobot-ups-hat",
    "ep-0136",
    "geekworm-ups2",
    "geekworm-ups3",
    "hipi-ups-hat",
    "juice4halt",
    "lifepo4wered-4",
    "lifepo4wered-6",
    "lifepo4wered-7",
    "none",
    "pijuice",
    "pipower-3",
    "pipower-5",
    "pironman-u1",
    "pisugar-2",
    "pisugar-2-pro",
    "pisugar-3",
    "sbcomponents-ups-hat",
    "sim",
    "sixfab-ups-hat",
    "strompi-3-line",
    "ups-lite-1.2",
    "ups-lite-1.3",
    "waveshare-ups-hat",
    "waveshare-ups-hat-c",
    "waveshare-ups-hat-d",
    "waveshare-ups-hat-e",
    "witty-pi-4",
    "x120x",
    "x703",
    "x708",
    "x728",
    "x728-1",
    "x729",
    "x735",
];

/// A shelf of board files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shelf {
    folders: Vec<PathBuf>,
    /// The text of whatever board is asked for.
    recorded: Option<String>,
}

/// A board file that was found.
struct Found {
    /// What messages call it.
    file: String,
    text: io::Result<Vec<u8>>,
}

impl Shelf {
    /// What the program brings along, and nothing else.
    pub fn built_in() -> Shelf {
        Shelf::of([])
    }

    /// A shelf on which whatever board is asked for has this text: the one that a trace recorded.
    pub fn recorded(text: String) -> Shelf {
        Shelf {
            recorded: Some(text),
            ..Shelf::built_in()
        }
    }

    /// The [`PLACES`] of this machine, then what the program brings along.
    pub fn installed() -> Shelf {
        Shelf::of(PLACES.map(PathBuf::from))
    }

    /// These folders, then what the program brings along.
    pub fn of(folders: impl IntoIterator<Item = PathBuf>) -> Shelf {
        Shelf {
            folders: folders.into_iter().collect(),
            recorded: None,
        }
    }

    /// A board, checked; `None` if there is none of this name.
    ///
    /// # Errors
    /// Everything that makes its file unusable.
    pub fn board(&self, name: &str) -> Option<Result<Board, Problems>> {
        let found = self.find(name)?;
        Some(match found.text.map(String::from_utf8) {
            Ok(Ok(text)) => super::parse(&found.file, name, &text),
            Ok(Err(error)) => Err(syntax::not_utf8(&found.file, error.as_bytes())),
            Err(error) => Err(syntax::unreadable(&found.file, &error).into()),
        })
    }

    /// The file of a board; `None` if there is no such board.
    fn find(&self, name: &str) -> Option<Found> {
        if !is_name(name) {
            return None;
        }
        let file = format!("{name}.toml");
        if let Some(text) = &self.recorded {
            return Some(Found {
                file: format!("{file} (recorded)"),
                text: Ok(text.clone().into_bytes()),
            });
        }
        let mut paths = self.folders.iter().map(|folder| folder.join(&file));
        if let Some(path) = paths.find(|path| path.exists()) {
            return Some(Found {
                file: path.display().to_string(),
                text: read(&path),
            });
        }
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Found {
            file: format!("{name}.toml (built in)"),
            text: Ok(text.as_bytes().to_vec()),
        })
    }

    /// The names of all boards, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = self.folders.iter().filter_map(|f| f.read_dir().ok());
        let mut names: Vec<String> = entries
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let name = name.to_str()?.strip_suffix(".toml")?;
                is_name(name).then(|| name.to_owned())
            })
            .chain(BUILT_IN.iter().map(|(name, _)| (*name).to_owned()))
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// A board can be called so. A name is a part of a path, so it must not lead anywhere else.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    (1..=NAME_MAX).contains(&name.len())
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = super::FILE_MAX as u64 + 1;
    crate::config::open(path)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
