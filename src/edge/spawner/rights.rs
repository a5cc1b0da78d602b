//! Who a service runs as, and what bounds its processes: from the configuration's words to what the
//! child sets.
//!
//! Names are looked up here, by the spawner thread, and never in the child. Once is not enough: a user
//! may be added while we run, so the files are looked at again before each start of a service that
//! names one, and read again when they have changed.

use super::making::Variable;
use super::{Recipe, Stage};
use crate::config::accounts::{Account, Accounts, NoAccount};
use crate::config::{Command, Resource, elf};
use crate::core::fact::Errno;
use crate::edge::spawn::{Identity, Limit, Program};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The accounts of this machine, and of which reading of them each service is.
pub(super) struct Roster {
    accounts: Accounts,
    /// How often the files were read.
    reading: u64,
    /// The reading by which each service was prepared.
    of_service: Vec<u64>,
}

impl Roster {
    pub(super) fn new(services: usize) -> Roster {
        Roster {
            accounts: Accounts::of(Path::new("/etc")),
            reading: 0,
            of_service: vec![0; services],
        }
    }

    /// Whether what is known of a service's user may be out of date. Services that name nobody cost
    /// nothing.
    pub(super) fn is_stale(&mut self, at: usize, recipe: &Recipe) -> bool {
        let rights = &recipe.command.rights;
        if rights.user.is_none() && rights.group.is_none() && rights.groups.is_none() {
            return false;
        }
        if self.accounts.refresh() {
            self.reading += 1;
        }
        self.of_service.get(at) != Some(&self.reading)
    }

    /// Who a service runs as.
    pub(super) fn find(
        &mut self,
        at: usize,
        recipe: &Recipe,
    ) -> Result<Option<Account>, (Stage, Errno)> {
        let own = (
            nix::unistd::geteuid().as_raw(),
            nix::unistd::getegid().as_raw(),
        );
        let found = self
            .accounts
            .find(&recipe.command.rights, own)
            .map_err(|missing| {
                log::warn!("{}: {missing}", recipe.name);
                refusal(&missing)
            })?;
        if let Some(reading) = self.of_service.get_mut(at) {
            *reading = self.reading;
        }
        Ok(found)
    }
}

fn refusal(missing: &NoAccount) -> (Stage, Errno) {
    match missing {
        NoAccount::User(_) => (Stage::User, Errno(libc::ENOENT)),
        NoAccount::Group(_) | NoAccount::GroupOfUser(_) => (Stage::Groups, Errno(libc::ENOENT)),
        NoAccount::Unreadable(_) => (Stage::User, Errno(libc::EIO)),
    }
}

/// What a program finds in its environment about its user, unless the configuration says otherwise.
pub(super) fn of_user<'a>(account: &'a Account, environment: &mut Vec<Variable<'a>>) {
    let name = account.name.as_deref();
    let home = account.home.as_deref().or(name.map(|_| "/"));
    for (variable, value) in [("HOME", home), ("USER", name), ("LOGNAME", name)] {
        let variable = OsStr::new(variable);
        let known = environment.iter().any(|(known, _)| *known == variable);
        if let Some(value) = value.filter(|_| !known) {
            environment.push((variable.into(), OsStr::new(value).into()));
        }
    }
}

/// Whether a variable is about the daemon's own user, so that a service that runs as another one is
/// not given it.
pub(super) fn is_of_user(variable: &str) -> bool {
    matches!(variable, "HOME" | "USER" | "LOGNAME" | "SHELL" | "MAIL")
}

/// Puts the rights and bounds of a service into its program. `descriptors`: the limit of open
/// descriptors that it is to have, unless it has one of its own.
pub(super) fn apply(
    program: &mut Program,
    command: &Command,
    descriptors: Option<Limit>,
    account: Option<&Account>,
) {
    program.identity = account.map(|account| Identity {
        user: account.user,
        group: account.group,
        groups: account.groups.clone(),
    });
    program.capabilities = command.rights.capabilities.map(|set| set.0);
    program.no_new_privileges = command.rights.no_new_privileges;
    program.umask = command.rights.umask;
    program.nice = command.bounds.nice;
    program.set_oom_score(command.bounds.oom_score);
    let chosen = command.bounds.limits.iter();
    let chosen: Vec<Limit> = chosen.map(|(what, most)| limit(*what, *most)).collect();
    let number = |resource| limit(resource, None).resource;
    let usual = descriptors.filter(|usual| {
        usual.resource != number(Resource::OpenFiles)
            || chosen.iter().all(|limit| limit.resource != usual.resource)
    });
    program.limits.extend(usual);
    program.limits.extend(chosen);
}

/// The same for what is in force and how far it may be raised: a limit that the service can raise by
/// itself is none.
fn limit(what: Resource, most: Option<u64>) -> Limit {
    // In the type of `Limit`: libc's differs from one C library to the next.
    #[allow(clippy::unnecessary_cast, reason = "not the same type everywhere")]
    let resource = match what {
        Resource::OpenFiles => libc::RLIMIT_NOFILE as u32,
        Resource::Processes => libc::RLIMIT_NPROC as u32,
        Resource::CoreSize => libc::RLIMIT_CORE as u32,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK as u32,
        Resource::Stack => libc::RLIMIT_STACK as u32,
        Resource::FileSize => libc::RLIMIT_FSIZE as u32,
        Resource::AddressSpace => libc::RLIMIT_AS as u32,
    };
    let most = most.unwrap_or(u64::MAX);
    Limit {
        resource,
        soft: most,
        hard: most,
    }
}

/// The step at which an exec failed: the kernel gives the same error for a program of another kind of
/// machine as for a file that is no program at all.
pub(super) fn step_of_exec(recipe: &Recipe, (stage, errno): (Stage, Errno)) -> (Stage, Errno) {
    if (stage, errno) != (Stage::Exec, Errno(libc::ENOEXEC)) {
        return (stage, errno);
    }
    let Some(path) = recipe.command.argv.first() else {
        return (stage, errno);
    };
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(elf::HEAD).read_to_end(&mut head));
    match (read, elf::program(&head)) {
        (Ok(_), Some(program)) => {
            let (theirs, ours) = (program.built_for(), elf::this_machine());
            let (name, path) = (&recipe.name, path);
            log::warn!("{name}: {path} was built for {theirs}, and this machine is {ours}");
            (Stage::Machine, errno)
        }
        (Ok(_) | Err(_), _) => (stage, errno),
    }
}
