//! The LEDs of the kernel's LED class that this machine has. Only looks.

use super::class::{FOLDER, PATTERN, Triggers};
use std::fs;
use std::io;
use std::path::Path;

/// An LED as the kernel shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// The trigger that drives it.
    pub trigger: String,
    /// The kernel can carry out a rhythm on it.
    pub patterns: bool,
    /// Its brightness now, and the highest one, if they can be read.
    pub brightness: Option<(u32, u32)>,
}

/// The LEDs of the machine whose `/sys` is below `root`, by their names. A machine without an LED
/// class has none.
///
/// # Errors
/// When the folder cannot be read.
pub fn leds(root: &Path) -> io::Result<Vec<Seen>> {
    let folder = root.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut seen: Vec<Seen> = names.map(|name| look(&folder, name)).collect();
    seen.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(seen)
}

fn look(folder: &Path, name: String) -> Seen {
    let text = |file: &str| fs::read_to_string(folder.join(&name).join(file));
    let triggers = Triggers::parse(&text("trigger").unwrap_or_default());
    let number = |file| text(file).ok()?.trim().parse().ok();
    Seen {
        trigger: triggers.active.clone(),
        patterns: triggers.offers(PATTERN),
        brightness: number("brightness").zip(number("max_brightness")),
        name,
    }
}
