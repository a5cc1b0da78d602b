//! Finds a runtime directory that can be used.
//!
//! One that cannot be made, on a disk that is not mounted or a root that can only be read, must not
//! leave the machine without its guard: its own daemon goes elsewhere then, and says so.

use super::super::{AppError, Plan};
use crate::core::fact::StandIn;
use crate::edge::control::{Door, DoorError};
use crate::edge::places::Places;
use std::path::{Path, PathBuf};

/// Takes the runtime directory, or the first other one that can be had.
///
/// # Errors
/// Why the one that is configured cannot be used, where no other can be either; that another daemon is
/// there.
pub(super) fn settle(plan: &mut Plan) -> Result<(Places, Door), AppError> {
    let wanted = plan.config.wiring.runtime_dir.clone();
    let why = match take(&wanted) {
        // Whoever starts a second daemon does not want two.
        Err(why @ AppError::Door(DoorError::Taken { .. })) => return Err(why),
        Err(why) => why,
        taken => return taken,
    };
    let others: Vec<PathBuf> = plan
        .refuges
        .iter()
        .filter(|d| **d != wanted)
        .cloned()
        .collect();
    for dir in others {
        match Places::check_ours(&dir)
            .map_err(AppError::Places)
            .and_then(|()| take(&dir))
        {
            Ok(taken) => {
                let why = match &why {
                    AppError::Places(why) => why.to_string(),
                    why => why.to_string(),
                };
                let problem = format!("{why}; this daemon goes by {} instead", dir.display());
                log::error!("{problem}: name it with --runtime-dir to ask this daemon");
                plan.config.wiring.runtime_dir = dir;
                // What stands in for the whole configuration is the worse news.
                let news = || (StandIn::Elsewhere, problem.into());
                plan.stand_in.get_or_insert_with(news);
                return Ok(taken);
            }
            Err(other) => log::error!("{}: {other}", dir.display()),
        }
    }
    Err(why)
}

fn take(dir: &Path) -> Result<(Places, Door), AppError> {
    let places = Places::new(dir);
    places.make().map_err(AppError::Places)?;
    let door = Door::open(places.root())?;
    Ok((places, door))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::edge::systemd::Environment;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn plan(dir: &Path, refuges: Vec<PathBuf>) -> Plan {
        let text = format!("board = \"sim\"\nruntime_dir = \"{}\"\n", dir.display());
        let config = config::parse("test", &text).unwrap().config;
        Plan {
            devices: super::super::Devices::of(&config.wiring.board),
            config,
            stand_in: None,
            refuges,
            known_by_name: Vec::new(),
            aborted: None,
            alone: false,
            copy: None,
            running: None,
            environment: Environment::of_this_process(),
            own_process: false,
            successor: None,
            log: false,
            observer: None,
            requests: None,
        }
    }

    /// One that can be made is taken; else the first other one that is nobody's; and with none of them
    /// the daemon ends, as it does where another one is.
    #[test]
    fn a_directory_that_cannot_be_made_is_done_without() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "").unwrap();
        let mut usual = plan(&at("run"), vec![at("other")]);
        let (places, first) = settle(&mut usual).unwrap();
        assert_eq!((places.root(), usual.stand_in), (&*at("run"), None));
        let mut second = plan(&at("run"), vec![at("other")]);
        let taken = settle(&mut second).unwrap_err();
        assert!(
            matches!(taken, AppError::Door(DoorError::Taken { .. })),
            "{taken}"
        );
        assert!(!at("other").exists());

        // Somebody else's, open to others, a link, one with a daemon in it.
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(at("real")).unwrap();
        symlink(at("real"), at("link")).unwrap();
        let refuges = ["file", "open", "link", "run", "other", "never"]
            .map(at)
            .to_vec();
        let mut lost = plan(&at("file/run"), refuges);
        let (places, _door) = settle(&mut lost).unwrap();
        assert_eq!(places.root(), at("other"));
        assert_eq!(lost.config.wiring.runtime_dir, at("other"));
        let (by, problem) = lost.stand_in.unwrap();
        assert_eq!(by, StandIn::Elsewhere);
        assert!(
            problem.contains("file/run") && problem.contains("other instead"),
            "{problem}"
        );
        assert!(!at("never").exists());
        drop(first);

        for refuges in [vec![], vec![at("open")]] {
            let why = settle(&mut plan(&at("file/run"), refuges)).unwrap_err();
            assert!(why.to_string().contains("file/run"), "{why}");
        }
    }
}
