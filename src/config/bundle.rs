//! The files of a configuration as one text, for a daemon that may find the files themselves unusable.
//!
//! ```text
//! fieldwarden-configuration 1 TIME CRC
//! file BYTES PATH
//! (so many bytes, and a line feed)
//! board BYTES NAME
//! (the same; not there if no board is named)
//! ```
//!
//! One that is damaged anywhere is none: half a configuration would be worse than an old one.

use super::{Config, Loaded, Problem, Problems, Shelf, Source, SourceFile, parse_files};
use crate::units::Wall;

/// Beginning of the first line; the version of the form follows.
const MAGIC: &str = "fieldwarden-configuration ";

/// The version that is written.
const VERSION: u32 = 1;

/// The files of a configuration, and when they were taken up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    /// When, by the clock of that time.
    pub taken: Wall,
    files: Source,
    /// Name and text of the board file.
    board: Option<(String, String)>,
}

/// Why a text is no bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BundleError {
    /// It was written by a later version of this program.
    #[error("it is of version {0}, which this program is too old for")]
    Newer(u32),
    /// Something of it is missing or was changed.
    #[error("it is damaged")]
    Damaged,
}

impl Bundle {
    /// That of a configuration, taken up now.
    pub fn of(config: &Config, taken: Wall) -> Bundle {
        let board = &config.wiring.board;
        let named = !board.source.is_empty();
        Bundle {
            taken,
            files: config.source.clone(),
            board: named.then(|| (board.name.clone(), board.source.clone())),
        }
    }

    /// The file that it is of.
    pub fn name(&self) -> &str {
        self.files.name()
    }

    /// Its files: the one that was named first, then its drop-ins.
    pub(super) fn files(&self) -> &[SourceFile] {
        self.files.files()
    }

    /// Its text; `None` where a name has a line feed in it, which would be two lines.
    pub fn to_text(&self) -> Option<String> {
        let mut body = String::new();
        let files = self.files.files().iter();
        let files = files.map(|file| ("file", &file.name, &file.text));
        let board = self.board.iter().map(|(name, text)| ("board", name, text));
        for (what, name, text) in files.chain(board) {
            if name.contains('\n') {
                return None;
            }
            body.push_str(&format!("{what} {} {name}\n{text}\n", text.len()));
        }
        let taken = self.taken.seconds();
        let crc = crc(taken, &body);
        Some(format!("{MAGIC}{VERSION} {taken} {crc:08x}\n{body}"))
    }

    /// Reads such a text.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Bundle, BundleError> {
        let rest = text.strip_prefix(MAGIC).ok_or(BundleError::Damaged)?;
        let (first, body) = rest.split_once('\n').ok_or(BundleError::Damaged)?;
        let (version, first) = first.split_once(' ').ok_or(BundleError::Damaged)?;
        match version.parse() {
            Ok(VERSION) => {}
            Ok(newer) if newer > VERSION => return Err(BundleError::Newer(newer)),
            Ok(_) | Err(_) => return Err(BundleError::Damaged),
        }
        parts(first, body).ok_or(BundleError::Damaged)
    }

    /// Checks it, with the board file that is in it.
    ///
    /// # Errors
    /// What this program finds wrong with it.
    pub fn load(&self) -> Result<Loaded, Problems> {
        parse_files(self.files.clone(), Vec::<Problem>::new(), &self.shelf())
    }

    /// Its files, with where they were.
    pub(super) fn source(&self) -> &Source {
        &self.files
    }

    /// A shelf with its board file.
    pub(super) fn shelf(&self) -> Shelf {
        match &self.board {
            Some((_, text)) => Shelf::recorded(text.clone()),
            None => Shelf::built_in(),
        }
    }

    /// The same without drop-ins.
    pub fn alone(self) -> Bundle {
        let first = self.files.files().iter().take(1).cloned();
        Bundle {
            files: Source::of(first.collect()),
            ..self
        }
    }
}

/// Two bundles say the same, whenever they were taken.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    let body = |text: &str| text.split_once('\n').map(|(_, body)| body.to_owned());
    body(one) == body(other)
}

fn crc(taken: i64, body: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(taken.to_string().as_bytes());
    hasher.update(body.as_bytes());
    hasher.finalize()
}

fn parts(first: &str, mut body: &str) -> Option<Bundle> {
    let (taken, sum) = first.split_once(' ')?;
    let taken = Wall::new(taken.parse().ok()?)?;
    if sum != format!("{:08x}", crc(taken.seconds(), body)) {
        return None;
    }
    let (mut files, mut board) = (Vec::new(), None);
    while !body.is_empty() {
        let (line, rest) = body.split_once('\n')?;
        let (what, line) = line.split_once(' ')?;
        let (length, name) = line.split_once(' ')?;
        let (text, rest) = rest.split_at_checked(length.parse().ok()?)?;
        body = rest.strip_prefix('\n')?;
        let (name, text) = (name.to_owned(), text.to_owned());
        match what {
            "file" => files.push(SourceFile { name, text }),
            "board" => board = Some((name, text)),
            _ => return None,
        }
    }
    Some(Bundle {
        taken,
        files: Source::of(files),
        board,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn bundle() -> Bundle {
        let text = "board = \"x728\"\n[service.web]\ncommand = [\"/bin/web\", \"\u{e9}\"]\n";
        let config = parse("/etc/f.toml", text).unwrap().config;
        let mut bundle = Bundle::of(&config, Wall::new(1_900_000_000).unwrap());
        let drop_in = SourceFile {
            name: "/etc/conf.d/a b.toml".to_owned(),
            text: "service.web.nice = 5".to_owned(),
        };
        bundle.files = Source::of([bundle.files.files(), &[drop_in]].concat());
        bundle
    }

    /// What is written is read, and means what the files meant.
    #[test]
    fn there_and_back() {
        let bundle = bundle();
        let text = bundle.to_text().unwrap();
        assert_eq!(Bundle::parse(&text), Ok(bundle.clone()));
        let loaded = bundle.load().unwrap().config;
        assert_eq!(loaded.wiring.board.name, "x728");
        assert_eq!(loaded.wiring.commands[0].bounds.nice, Some(5));
        assert_eq!(bundle.name(), "/etc/f.toml");
        let alone = bundle.alone().load().unwrap().config;
        assert_eq!(alone.wiring.commands[0].bounds.nice, None);
    }

    /// Cut off or changed anywhere, it is none; one of a later version is refused by its number.
    #[test]
    fn damage_and_later_versions_are_seen() {
        let text = bundle().to_text().unwrap();
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            assert!(Bundle::parse(&text[..at]).is_err(), "cut at {at}");
        }
        for at in [28, 33, 40, 60, 200] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let damaged = String::from_utf8_lossy(&bytes).into_owned();
            assert!(Bundle::parse(&damaged).is_err(), "changed at {at}");
        }
        let newer = text.replacen("configuration 1", "configuration 7", 1);
        assert_eq!(Bundle::parse(&newer), Err(BundleError::Newer(7)));
    }

    /// When it was taken makes no other one.
    #[test]
    fn the_same_files_are_alike() {
        let one = bundle();
        let later = Bundle {
            taken: Wall::MAX,
            ..one.clone()
        };
        let texts = (one.to_text().unwrap(), later.to_text().unwrap());
        assert!(texts.0 != texts.1 && alike(&texts.0, &texts.1));
        assert!(!alike(&texts.0, &one.alone().to_text().unwrap()));
    }
}
