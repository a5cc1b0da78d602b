//! What lies on the card: the configuration, the journal, and what the daemon keeps for itself.

use super::gather::Basket;
use super::redact;
use super::report::of_problems;
use crate::config::{self, DROP_INS, Shelf, Source, SourceFile};
use crate::edge::archive::{Beneath, Entry};
use crate::journal::{Reader, Record, Store};
use crate::status::{BootBefore, Dated, dated};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Where the state is unless a configuration says otherwise.
const STATE: &str = "/var/lib/fieldwarden";

/// Bytes of a file that the daemon keeps for itself: one line each.
const LINE: usize = 4 * 1024;

/// Bytes of a segment of the journal that are read; it has a quarter of that.
const SEGMENT: usize = 1 << 20;

/// Bytes of the latest records that are packed. A journal has less than half.
const RECORDS: usize = 6 << 20;

/// Boots whose end is told.
const BOOTS: usize = 8;

/// Files of one line that this program knows, each with how it begins: they hold words and numbers.
const KNOWN: [(&str, &str); 5] = [
    ("marker", "fieldwarden-marker 1 "),
    ("marker.sim", "fieldwarden-marker 1 "),
    ("floor", "fieldwarden-floor 1 "),
    ("resets", ""),
    ("starts", ""),
];

/// Looks at the card of the machine with this root.
pub fn look(root: &Path, config: &Path, here: bool, basket: &Basket) {
    let root = match Beneath::root(root) {
        Ok(root) => root,
        Err(e) => return basket.unread("card", e.to_string()),
    };
    // The card of another machine has its own idea of where `/` is.
    let config = match here {
        true => std::path::absolute(config).unwrap_or_else(|_| config.to_owned()),
        false => config.to_owned(),
    };
    let state = configuration(&root, &config, here, basket);
    match root.place(&state) {
        Ok(place) => {
            listing(&place, "state", basket);
            known_files(&place, "state", basket);
        }
        Err(e) => basket.failed("state", &e),
    }
    match root.place(&state.join("journal")) {
        Ok(place) => journal(place, basket),
        Err(e) => basket.failed("journal", &e),
    }
}

/// Packs the configuration, and tells where the state is by it.
fn configuration(root: &Beneath, path: &Path, here: bool, basket: &Basket) -> PathBuf {
    let (folder, main) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(main)) => (folder, main.to_string_lossy().into_owned()),
        _ => return STATE.into(),
    };
    let place = match root.place(folder) {
        Ok(place) => place,
        Err(e) => {
            basket.failed("config", &e);
            return STATE.into();
        }
    };
    let (files, whole) = files(&place, folder, &main, basket);
    let source = Source::of(files);
    let shelf = match here {
        true => Shelf::installed(),
        false => Shelf::built_in(),
    };
    let loaded = config::parse_source(source.clone(), &shelf);
    let mut text = String::new();
    for file in source.files() {
        text.push_str(&format!("# {}: {} bytes\n", file.name, file.text.len()));
    }
    text.push_str(&config::redacted(&source, whole && loaded.is_ok()));
    basket.text("config.toml", text);
    if !here {
        let problems = match &loaded {
            Ok(loaded) => of_problems(loaded.warnings.iter(), &BTreeSet::new()),
            Err(problems) => of_problems(problems.iter(), &BTreeSet::new()),
        };
        basket.text("check.txt", problems);
    }
    let config = loaded.ok().map(|loaded| loaded.config);
    let config = config.or_else(|| config::salvage_of(&source));
    config.map_or_else(|| STATE.into(), |config| config.wiring.state_dir)
}

/// The files of the configuration, and whether all of them could be read.
fn files(place: &Beneath, folder: &Path, main: &str, basket: &Basket) -> (Vec<SourceFile>, bool) {
    let drop_ins = match place.list(DROP_INS) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            basket.failed(&format!("config/{DROP_INS}"), &e);
            Vec::new()
        }
    };
    let drop_ins = drop_ins.into_iter().map(|entry| entry.name);
    let drop_ins = drop_ins.filter(|name| name.ends_with(".toml") && !name.starts_with('.'));
    let names = drop_ins.map(|name| format!("{DROP_INS}/{name}"));
    let (mut files, mut whole) = (Vec::new(), true);
    for name in std::iter::once(main.to_owned()).chain(names) {
        let read = place.read(&name, config::FILE_MAX);
        let text = read.and_then(|piece| match piece.more {
            true => Err(ErrorKind::FileTooLarge.into()),
            false => String::from_utf8(piece.bytes).map_err(|_| ErrorKind::InvalidData.into()),
        });
        match text {
            Ok(text) => files.push(SourceFile {
                name: folder.join(&name).display().to_string(),
                text,
            }),
            Err(e) => {
                whole = false;
                // A configuration that is not there is no small matter.
                basket.unread(&format!("config/{name}"), crate::edge::archive::why(&e));
            }
        }
    }
    (files, whole)
}

/// What is in a directory, by name, size and time. Nothing of it is read.
pub fn listing(place: &Beneath, name: &str, basket: &Basket) {
    match place.list(".") {
        Ok(entries) => {
            let lines: String = entries.iter().map(line).collect();
            basket.text(&format!("{name}/listing.txt"), lines);
        }
        Err(e) => basket.failed(&format!("{name}/listing.txt"), &e),
    }
}

fn line(entry: &Entry) -> String {
    let written = Timestamp::from_second(entry.written);
    let written = written.map_or_else(|_| "?".to_owned(), |at| format!("{at:.0}"));
    let name: String = entry.name.chars().filter(|c| !c.is_control()).collect();
    format!("{written}  {:10}  {name}\n", entry.size)
}

/// Packs the files that the daemon keeps for itself, where they are of this version.
pub fn known_files(place: &Beneath, folder: &str, basket: &Basket) {
    for (file, begins) in KNOWN {
        let name = format!("{folder}/{file}");
        match place.read(file, LINE) {
            Ok(piece) if piece.bytes.starts_with(begins.as_bytes()) => {
                let text = String::from_utf8_lossy(&piece.bytes).into_owned();
                basket.text(&name, text);
            }
            Ok(_) => basket.unread(&name, "it is not what this version writes"),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => basket.failed(&name, &e),
        }
    }
}

/// Packs the journal, and what it says of the ends of boots.
fn journal(place: Beneath, basket: &Basket) {
    listing(&place, "journal", basket);
    let mut reader = match Reader::new(Segments(place)) {
        Ok(reader) => reader,
        Err(e) => return basket.failed("journal", &e),
    };
    let records: Vec<Record> = reader.by_ref().map(redact::record).collect();
    if let Some(left_out) = crate::cli::past::left_out(reader.damage()) {
        basket.unread("journal", left_out);
    }
    let records: Vec<Dated> = dated(records.into_iter()).collect();
    why(&records, basket);
    let mut room = RECORDS;
    let lines = records.iter().rev().map(|record| record.json() + "\n");
    let mut lines: Vec<String> = lines
        .take_while(|line| {
            let fits = line.len() <= room;
            room = room.saturating_sub(line.len());
            fits
        })
        .collect();
    let note = (lines.len() < records.len()).then_some("the latest ones only");
    lines.reverse();
    basket.cut("journal.jsonl", lines.concat().into_bytes(), note);
}

fn why(records: &[Dated], basket: &Basket) {
    let told = BootBefore::latest(records.iter().cloned(), BOOTS);
    if told.is_empty() {
        return basket.unread("why.txt", "no verdict on a boot is in the journal");
    }
    let mut text = String::new();
    for told in told.iter().rev() {
        let screen = anstream::adapter::strip_str(&told.screen()).to_string();
        text.push_str(&format!("boot {} found:\n{screen}\n", told.boot));
    }
    basket.text("why.txt", text);
}

/// The segments of a journal, to be read only.
struct Segments(Beneath);

impl Store for Segments {
    fn prepare(&mut self) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        let entries = self.0.list(".")?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name, SEGMENT).map(|piece| piece.bytes)
    }

    fn create(&mut self, _: &str) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn append(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn cut(&mut self, _: &str, _: u64) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove(&mut self, _: &str) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn place(&self) -> String {
        "journal".to_owned()
    }
}
