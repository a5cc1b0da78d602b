//! Which configuration a daemon goes by: its own, or what stands in for one that cannot be used.
//!
//! ```text
//! the files ──cannot be used──► what was in force before a reload ──► copy of this boot
//!     ──► copy that outlived a boot ──► safe mode
//! ```
//!
//! A machine that nobody can walk up to is never left without a daemon because of a file: services that
//! run go on, and its owner is told. Somebody who starts one at a terminal sees what is wrong, and
//! nothing is started.

use crate::config::{self, Bundle, Config, DropIns, LeftOut, Loaded, Problems, Severity};
use crate::core::StartKind;
use crate::core::fact::StandIn;
use crate::edge::places::Places;
use crate::edge::run_table::RunTable;
use crate::edge::{clock, config_copy, control, luggage, starts};
use crate::error::{Error, RUNTIME_DIR};
use crate::text;
use crate::units::Wall;
use std::path::{Path, PathBuf};

/// The copy of what is in force, in the luggage.
const IN_FORCE: &str = "configuration";

/// Most characters of what is wrong that are passed on; the log has all of it.
const LONGEST: usize = 300;

/// What a daemon goes by.
pub struct Taken {
    /// Its configuration.
    pub config: Config,
    /// What it is instead of its own, and what is wrong with that.
    pub stand_in: Option<(StandIn, Box<str>)>,
    /// Its files as one text, to be kept.
    pub bundle: Option<String>,
    /// Services that run and of which nothing is known but their names.
    pub by_name: Vec<String>,
    /// Daemons of the minute before that broke off, where they could be counted ahead.
    pub aborted: Option<u32>,
    /// Drop-ins are left out because of those: the configuration is not all that there is.
    pub alone: bool,
}

/// Whose daemon it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The machine's: init has started it, a container has, or it goes by the machine's configuration.
    Machines,
    /// Somebody has started it, and may not look.
    Somebodys,
    /// Somebody is there to mend what is wrong.
    Watched,
}

/// Finds the configuration. `runtime_dir` goes before what the
/// configuration says. After daemons that broke off one after another, drop-ins are left out.
///
/// # Errors
/// What is wrong with it, where somebody is there.
pub fn take(path: &Path, runtime_dir: Option<PathBuf>, whose: Whose) -> Result<Taken, Error> {
    let watched = whose == Whose::Watched;
    let before = luggage::take_text(IN_FORCE);
    let foreseen = runtime_dir.clone().or_else(|| foreseen(path));
    // Before anything is read that this daemon may break off of, too.
    let counted = foreseen.as_deref().filter(|_| !watched);
    let aborted = counted.and_then(count);
    let alone = aborted.is_some_and(|n| StartKind::after(n) != StartKind::Usual);
    let copies = alone.then(|| recalled(path, runtime_dir.as_deref()));
    let mut left_out = copies.as_deref().map(|copies| LeftOut::of(path, copies));
    let drop_ins = match aborted.map(|n| StartKind::after(n + 1)) {
        _ if !alone => DropIns::All,
        Some(StartKind::Safe) => DropIns::OfMachine,
        // The last daemon that tries does not look at what a daemon may break off of.
        Some(StartKind::Usual | StartKind::Hopeless) | None => {
            let copy = copies.into_iter().flatten().next();
            copy.map_or(DropIns::None, |copy| DropIns::OfCopy(Box::new(copy)))
        }
    };
    // It is where they were counted, although what says so may be left out.
    let runtime_dir = runtime_dir.or_else(|| foreseen.clone().filter(|_| alone));
    let loaded = match &left_out {
        Some(left_out) => config::load_alone(path, left_out, &drop_ins),
        None => config::load(path),
    };
    let mut taken = match loaded {
        Ok(loaded) => own(loaded),
        Err(problems) if watched && before.is_none() => return Err(problems.into()),
        Err(problems) => {
            let (whose, left_out) = ((path, whose, &drop_ins), left_out.as_mut());
            stand_in(whose, runtime_dir.as_deref(), left_out, before, &problems)?
        }
    };
    if let Some(dir) = runtime_dir {
        taken.config.wiring.runtime_dir = dir;
    }
    taken.aborted = aborted;
    if let Some(dir) = foreseen.filter(|dir| *dir != taken.config.wiring.runtime_dir) {
        // It is counted where it really is, and nobody would ever clear it here.
        if taken.aborted.take().is_some() {
            starts::take_back(&Places::new(&dir).starts());
        }
    }
    if let Some(left_out) = left_out {
        log::warn!("drop-ins in {} are left out", config::DROP_INS);
        taken.alone = true;
        // It proves nothing for the files as they are.
        taken.bundle = None;
        taken.know_by_name(&left_out);
        let places = Places::new(&taken.config.wiring.runtime_dir);
        taken.add_running(&places);
    }
    Ok(taken)
}

impl Taken {
    /// Services that drop-ins say something of are known by their names only. By what the other files
    /// say, they might be run as another user than they are meant to be, or where they are not to be.
    fn know_by_name(&mut self, left_out: &LeftOut) {
        let services = self.config.settings.services.iter();
        let mentioned = services.filter(|service| left_out.mention(&service.name));
        let mut names: Vec<String> = mentioned.map(|service| service.name.to_string()).collect();
        names.retain(|name| !self.by_name.contains(name));
        if names.is_empty() {
            return;
        }
        log::warn!(
            "not started, as drop-ins mention them: {}",
            names.join(", ")
        );
        let runtime_dir = self.config.wiring.runtime_dir.clone();
        self.config = config::by_name_only(self.config.clone(), &names);
        self.config.wiring.runtime_dir = runtime_dir;
        self.by_name.extend(names);
    }

    /// Adds what runs and is in no file that was read.
    fn add_running(&mut self, places: &Places) {
        let running = RunTable::running(places);
        let known = &self.config.settings.services;
        let unknown = |name: &String| known.iter().all(|s| *s.name != **name);
        self.by_name.extend(running.into_iter().filter(unknown));
        let runtime_dir = self.config.wiring.runtime_dir.clone();
        self.config = config::with_running(self.config.clone(), &self.by_name);
        self.config.wiring.runtime_dir = runtime_dir;
    }
}

/// The runtime directory that these files most likely name. `None` for a file of somebody's own that
/// names none: the usual directory is another daemon's.
fn foreseen(path: &Path) -> Option<PathBuf> {
    let usual = path == Path::new(super::CONFIG);
    config::foreseen_dir(path).or_else(|| usual.then(|| RUNTIME_DIR.into()))
}

/// Counts this start, where a daemon has been before and none is now.
fn count(runtime_dir: &Path) -> Option<u32> {
    let places = Places::new(runtime_dir);
    match luggage::came() || control::is_served(&places.control()) {
        true => None,
        false => starts::enter(&places.starts(), clock::now()).ok(),
    }
}

/// Puts what is in force into the luggage, for a successor that finds its files unusable.
pub fn pass_on(text: std::os::fd::OwnedFd) {
    luggage::put(IN_FORCE.to_owned(), text);
}

/// The files of a configuration as one text.
pub fn text_of(config: &Config) -> Option<String> {
    let taken = Wall::new(clock::wall().as_second()).unwrap_or(Wall::MAX);
    Bundle::of(config, taken).to_text()
}

fn own(loaded: Loaded) -> Taken {
    tell_warnings(&loaded);
    Taken {
        bundle: text_of(&loaded.config),
        config: loaded.config,
        stand_in: None,
        by_name: Vec::new(),
        aborted: None,
        alone: false,
    }
}

fn tell_warnings(loaded: &Loaded) {
    for warning in &loaded.warnings {
        log::warn!("{}", warning.brief());
    }
}

fn stand_in(
    (path, whose, drop_ins): (&Path, Whose, &DropIns),
    runtime_dir: Option<&Path>,
    left_out: Option<&mut LeftOut>,
    before: Option<String>,
    problems: &Problems,
) -> Result<Taken, Error> {
    log::error!("{problems}");
    let alone = left_out.is_some();
    let Some(salvaged) = config::salvage(path, drop_ins) else {
        return Err(problems.clone().into());
    };
    let copies = copies(&salvaged, runtime_dir);
    let copies = copies.map(|copy| (copy.display().to_string(), config_copy::read(&copy)));
    // What an aborted daemon had in force is not proven, and what it handed over is not trusted.
    let copies = copies.skip(usize::from(alone));
    let before = before
        .filter(|_| !alone)
        .map(|text| ("what was in force".to_owned(), Ok(text)));
    let problem = first(problems);
    for (name, text) in before.into_iter().chain(copies) {
        let found = text
            .map_err(|e| e.to_string())
            .and_then(|text| usable(&text, path, alone));
        match found {
            Ok((bundle, loaded)) => {
                if let Some(left_out) = left_out {
                    left_out.add_copy(&bundle);
                }
                let by = StandIn::Copy {
                    taken: bundle.taken,
                };
                return Ok(Taken {
                    config: loaded.config,
                    stand_in: Some((by, problem)),
                    bundle: bundle.to_text(),
                    by_name: Vec::new(),
                    aborted: None,
                    alone: false,
                });
            }
            Err(why) => log::warn!("{name}: no copy to go by: {why}"),
        }
    }
    // A path with a typing error must not turn this machine's hardware over to a daemon of nothing.
    if whose != Whose::Machines && !salvaged.wiring.board.simulated {
        return Err(problems.clone().into());
    }
    let places = Places::new(runtime_dir.unwrap_or(&salvaged.wiring.runtime_dir));
    let mut taken = Taken {
        config: salvaged,
        stand_in: Some((StandIn::SafeMode, problem)),
        bundle: None,
        by_name: Vec::new(),
        aborted: None,
        alone: false,
    };
    taken.add_running(&places);
    Ok(taken)
}

/// Where copies may be, by what could be read of the configuration; and where they are if nothing
/// could.
fn copies(salvaged: &Config, runtime_dir: Option<&Path>) -> std::array::IntoIter<PathBuf, 3> {
    let wiring = &salvaged.wiring;
    let places = Places::new(runtime_dir.unwrap_or(&wiring.runtime_dir));
    [
        config_copy::here(&places),
        config_copy::lasting(&wiring.state_dir),
        config_copy::lasting(Path::new(config_copy::USUAL_STATE)),
    ]
    .into_iter()
}

/// The copies of this file, of this boot first, whether this program can use them or not.
fn recalled(path: &Path, runtime_dir: Option<&Path>) -> Vec<Bundle> {
    let Some(salvaged) = config::salvage(path, &DropIns::None) else {
        return Vec::new();
    };
    let found = copies(&salvaged, runtime_dir).filter_map(|copy| {
        let bundle = Bundle::parse(&config_copy::read(&copy).ok()?).ok()?;
        (Path::new(bundle.name()) == config::main_file(path)).then_some(bundle)
    });
    found.collect()
}

/// The copy that would stand in for this file, which cannot be used, and when it was made.
pub fn prospect(path: &Path, runtime_dir: Option<&Path>) -> Option<(String, String)> {
    let copies = copies(&config::salvage(path, &DropIns::All)?, runtime_dir);
    let mut found = copies.filter_map(|copy| {
        let text = config_copy::read(&copy).ok()?;
        let (bundle, _) = usable(&text, path, false).ok()?;
        Some((copy.display().to_string(), text::wall(bundle.taken)))
    });
    found.next()
}

/// A copy of the configuration with this name, if it can be used; where drop-ins are left out, without
/// its own.
fn usable(text: &str, path: &Path, alone: bool) -> Result<(Bundle, Loaded), String> {
    let bundle = Bundle::parse(text).map_err(|e| e.to_string())?;
    if Path::new(bundle.name()) != config::main_file(path) {
        return Err(format!("it is one of {}", bundle.name()));
    }
    let loaded = match alone {
        true => bundle.clone().alone().load(),
        false => bundle.load(),
    };
    match loaded {
        Ok(loaded) => Ok((bundle, loaded)),
        Err(problems) => Err(first(&problems).to_string()),
    }
}

/// The first thing that is wrong, and how much more there is.
fn first(problems: &Problems) -> Box<str> {
    let mut errors = problems.iter().filter(|p| p.severity() == Severity::Error);
    let first = errors
        .next()
        .map_or_else(String::new, config::Problem::brief);
    let first: String = first.chars().take(LONGEST).collect();
    match errors.count() {
        0 => first.into(),
        more => format!("{first} (and {more} more)").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A path with a typing error is refused, unless it is the machine's own daemon that must not be
    /// without one; a simulated machine is nobody's.
    #[test]
    fn whose_daemon_goes_on_in_safe_mode() {
        let dir = tempfile::tempdir().unwrap();
        let (path, runtime) = (dir.path().join("tpyo.toml"), dir.path().join("run"));
        let take = |whose| take(&path, Some(runtime.clone()), whose);
        let safe = |taken: Result<Taken, Error>| {
            let by = taken.ok()?.stand_in?.0;
            Some(by == StandIn::SafeMode)
        };
        assert_eq!(safe(take(Whose::Machines)), Some(true));
        assert_eq!(safe(take(Whose::Somebodys)), None);
        assert_eq!(safe(take(Whose::Watched)), None);
        fs::write(&path, "board = \"sim\"\nx = 1\n").unwrap();
        assert_eq!(safe(take(Whose::Somebodys)), Some(true));
        assert_eq!(safe(take(Whose::Watched)), None);
    }
}
