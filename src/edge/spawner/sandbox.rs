//! What a service sees of the machine: from the configuration's words to what the child sets up.

use super::Recipe;
use crate::config;
use crate::core::fact::Stage;
use crate::edge::places::Places;
use crate::edge::spawn::{Access, BadProgram, Program, SECRET_MAX, Sandbox};
use crate::sorted::Map;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Puts the sandbox of a service into its program.
pub(super) fn apply(
    program: &mut Program,
    wanted: Option<&config::Sandbox>,
    places: &Places,
) -> Result<(), BadProgram> {
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let mut sandbox = Sandbox::default();
    if wanted.private_network {
        sandbox.set_private_network();
    }
    if let Some(size) = wanted.private_tmp {
        sandbox.set_private_tmp(size);
    }
    let paths = resolved(&wanted.read_only, &wanted.writable);
    sandbox.set_paths(paths.iter().map(|(path, access)| (path.as_path(), *access)))?;
    if !wanted.secrets.is_empty() {
        let secrets = wanted.secrets.iter();
        let secrets = secrets.map(|(name, source)| (name.as_str(), source.as_path()));
        sandbox.set_secrets(&places.secrets(), secrets)?;
    }
    program.sandbox = Some(Box::new(sandbox));
    Ok(())
}

/// Where these paths lead, whatever way they are written and whatever links are in them: the root of
/// all has to be known as that, and which of two paths says it more exactly is seen only so. One that
/// is not there stays as it is, and the start fails at it. Where two lead to one place, it is
/// read-only.
fn resolved(read_only: &[PathBuf], writable: &[PathBuf]) -> Map<PathBuf, Access> {
    let lead = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    let writable = writable.iter().map(|path| (lead(path), Access::AsBefore));
    let read_only = read_only.iter().map(|path| (lead(path), Access::ReadOnly));
    writable.chain(read_only).collect()
}

/// Makes the directory on which each service with secrets finds its own. Others see it empty.
///
/// # Errors
/// What the kernel said, with the path.
pub(super) fn make(recipe: &Recipe, places: &Places) -> io::Result<()> {
    match recipe.has_secrets() {
        true => places.make_secrets(),
        false => Ok(()),
    }
}

/// Says in the log which path it was that a start failed at: the child can only give a number.
pub(super) fn say_which(recipe: &Recipe, stage: Stage) {
    let Some(sandbox) = &recipe.command.sandbox else {
        return;
    };
    let mut lacks: Vec<(&str, &Path, String)> = Vec::new();
    if stage == Stage::Paths {
        let all = sandbox.read_only.iter().map(|path| ("read_only", path));
        let all = all.chain(sandbox.writable.iter().map(|path| ("writable", path)));
        let lost = |(key, path)| Some((key, path, fs::metadata(path).err()?.to_string()));
        lacks.extend(
            all.map(|(key, path)| (key, path.as_path()))
                .filter_map(lost),
        );
    } else if stage == Stage::Secrets {
        let all = sandbox.secrets.iter();
        let all = all.map(|(name, source)| (name.as_str(), source.as_path()));
        lacks.extend(all.filter_map(|(name, source)| Some((name, source, unfit(source)?))));
    }
    for (what, path, why) in lacks {
        log::warn!("{}: {what}: {}: {why}", recipe.name, path.display());
    }
}

/// Why a file cannot be the source of a secret.
fn unfit(source: &Path) -> Option<String> {
    match fs::metadata(source) {
        Err(error) => Some(error.to_string()),
        Ok(found) if !found.is_file() => Some("it is no regular file".to_owned()),
        Ok(found) if found.len() > SECRET_MAX as u64 => {
            Some(format!("it has {} bytes, more than 256 KiB", found.len()))
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A root that is written in another way is the root, a link is where it leads, and what is both is
    /// read-only.
    #[test]
    fn paths_are_known_by_where_they_lead() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("usr/lib")).unwrap();
        symlink("usr/lib", at("lib")).unwrap();
        symlink("/", at("all")).unwrap();
        for root in [PathBuf::from("//"), PathBuf::from("/."), at("all")] {
            let found = resolved(&[root], &[]);
            assert_eq!(found, Map::from_iter([("/".into(), Access::ReadOnly)]));
        }
        let found = resolved(&[at("lib")], &[at("usr"), at("usr/lib"), at("gone")]);
        let real = directory.path().canonicalize().unwrap();
        let wanted = [
            (at("gone"), Access::AsBefore),
            (real.join("usr"), Access::AsBefore),
            (real.join("usr/lib"), Access::ReadOnly),
        ];
        assert_eq!(found, Map::from_iter(wanted));
    }
}
