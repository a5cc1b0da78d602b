//! Sentences about services that fail: why, and what to do about it.

use crate::core::Bar;
use crate::core::fact::{Errno, Exit, ServiceId, Stage};
use crate::core::note::{Finish, MachineKept};
use crate::core::picture::{Excuse, Strain};
use crate::core::settings::{Keeper, Need};
use crate::text::job;
use crate::text::keeper;
use crate::text::quantity::for_people;
use crate::text::sentence::{Speaker, counted};
use crate::text::words::stage_word;
use crate::text::{errno_message, signal_word};
use std::time::Duration;

fn start_failed(name: &str, stage: Stage, errno: Errno) -> String {
    let at = stage_word(stage);
    if let Some(who) = nobody(stage, errno) {
        return format!("start of {name} failed at {at}: {who}");
    }
    let remedy = match remedy(stage, errno) {
        None => String::new(),
        Some(text) => format!(": {text}"),
    };
    format!(
        "start of {name} failed at {at}: {}{remedy}",
        errno_message(errno)
    )
}

/// No file is missing then, whatever the error number says.
fn nobody(stage: Stage, errno: Errno) -> Option<&'static str> {
    const NO_ENTRY: Errno = Errno(2);
    match stage {
        Stage::User if errno == NO_ENTRY => {
            Some("there is no such user: check `user`; it is looked up again at each start")
        }
        Stage::Groups if errno == NO_ENTRY => Some(
            "there is no such group: check `group` and `groups`; they are looked up again at each start",
        ),
        Stage::Prepare
        | Stage::Clone
        | Stage::Session
        | Stage::Cgroup
        | Stage::Output
        | Stage::Mounts
        | Stage::Secrets
        | Stage::Paths
        | Stage::Tmp
        | Stage::Network
        | Stage::Limits
        | Stage::Capabilities
        | Stage::Groups
        | Stage::User
        | Stage::Directory
        | Stage::Exec
        | Stage::Machine
        | Stage::Keeper => None,
    }
}

/// What to do about a failed start. `None` where the kernel's word says it all.
fn remedy(stage: Stage, errno: Errno) -> Option<&'static str> {
    // Those that people meet: ENOENT, EINVAL, EACCES, ENOEXEC, EAGAIN.
    const NO_ENTRY: Errno = Errno(2);
    const INVALID: Errno = Errno(22);
    const TOO_MANY: Errno = Errno(11);
    const NO_ACCESS: Errno = Errno(13);
    const NO_EXEC: Errno = Errno(8);
    match stage {
        Stage::Prepare => Some("is /run full or not writable?"),
        Stage::Clone => Some("the machine is short of memory or process numbers"),
        Stage::Session | Stage::Output | Stage::Keeper => None,
        Stage::Cgroup => Some("is the control group delegated to us?"),
        Stage::Mounts | Stage::Secrets | Stage::Paths | Stage::Tmp | Stage::Network => {
            sandbox(stage, errno)
        }
        Stage::Capabilities if errno == INVALID => {
            Some("this kernel does not know one of them: check `capabilities`")
        }
        Stage::Limits | Stage::Capabilities | Stage::Groups | Stage::User => {
            Some("the daemon may lack the right to set this up")
        }
        Stage::Directory => Some("check `directory`"),
        Stage::Exec if errno == NO_ENTRY => {
            Some("check `command`, and the interpreter in a script's first line")
        }
        Stage::Exec if errno == NO_ACCESS => {
            Some("may the service's user execute it? is the file system mounted noexec?")
        }
        Stage::Exec if errno == NO_EXEC => {
            Some("a script needs `#!` and an interpreter in its first line")
        }
        Stage::Machine => Some(
            "its program was built for another kind of machine; `fieldwarden check` says for which",
        ),
        Stage::Exec if errno == TOO_MANY => {
            Some("its user has as many processes as `nproc` in `limits` allows")
        }
        Stage::Exec => Some("check `command`"),
    }
}

/// What to do where a service cannot be given a view of its own of files and network.
fn sandbox(stage: Stage, errno: Errno) -> Option<&'static str> {
    // EPERM, ENOENT, EINVAL, EFBIG, ENOSYS.
    const NOT_PERMITTED: Errno = Errno(1);
    const NO_ENTRY: Errno = Errno(2);
    const INVALID: Errno = Errno(22);
    const TOO_BIG: Errno = Errno(27);
    const NO_CALL: Errno = Errno(38);
    match stage {
        Stage::Mounts | Stage::Network if errno == NOT_PERMITTED => Some(
            "only a daemon that runs as root, with all capabilities, can give a service a private_tmp, \
             read_only paths, a private_network or secrets",
        ),
        Stage::Network if errno == INVALID => {
            Some("this kernel has no network name spaces: remove `private_network`")
        }
        Stage::Secrets if errno == NO_ENTRY => {
            Some("a file of `secrets` is not there; the log and `fieldwarden check` say which")
        }
        Stage::Secrets if errno == TOO_BIG => {
            Some("a secret has at most 256 KiB; `fieldwarden check` says which has more")
        }
        Stage::Secrets => {
            Some("a file of `secrets` cannot be read; the log and `fieldwarden check` say which")
        }
        Stage::Paths if errno == NO_CALL => {
            Some("`read_only` needs Linux 5.12 or later: remove it, or take a newer kernel")
        }
        Stage::Paths => Some(
            "check `read_only` and `writable`; the log and `fieldwarden check` say what is not there",
        ),
        Stage::Tmp => Some("/tmp and /var/tmp must be directories: check `private_tmp`"),
        Stage::Mounts
        | Stage::Network
        | Stage::Prepare
        | Stage::Clone
        | Stage::Session
        | Stage::Cgroup
        | Stage::Output
        | Stage::Limits
        | Stage::Capabilities
        | Stage::Groups
        | Stage::User
        | Stage::Directory
        | Stage::Exec
        | Stage::Machine
        | Stage::Keeper => None,
    }
}

pub(super) fn exited(name: &str, exit: Exit, asked: bool, lived: Duration) -> String {
    let how = match exit {
        Exit::Code(code) => format!("exited with status {code}"),
        Exit::Signal(number) => format!("was ended by {}", signal_word(number)),
        Exit::Unknown => "ended in a way nobody saw".to_owned(),
    };
    let wish = if asked { ", as asked" } else { "" };
    format!("{name} {how} after {}{wish}", for_people(lived))
}

pub(super) fn finished(name: &str, how: Finish) -> String {
    match how {
        Finish::Done => format!("{name} is done and is not started again"),
        Finish::Failed => format!(
            "{name} stays down, as its `restart` wants: look for the cause, then \
             `fieldwarden start {name}`"
        ),
        Finish::Refused => format!(
            "{name} stays down: its status is one of `no_restart_on`, and another start would be of \
             no use; look for the cause, then `fieldwarden start {name}`"
        ),
    }
}

/// As it reads behind "while".
fn strained(strain: Strain) -> &'static str {
    match strain {
        Strain::Throttled => "the processor was throttled",
        Strain::UnderVoltage => "the supply voltage was too low",
        Strain::OnBattery => "the machine ran on its battery",
        Strain::LowBattery => "the battery was low",
    }
}

pub(super) fn excused(name: &str, excuse: Excuse) -> String {
    match excuse {
        Excuse::Strain(strain) => {
            let strain = strained(strain);
            format!("{name} failed while {strain}, or shortly after: not counted towards giving up")
        }
        Excuse::Hold => format!("{name} failed in a hold: not counted towards giving up"),
    }
}

pub(super) fn restarts_excused(name: &str, strain: Strain, restarts: u32) -> String {
    let does = if restarts == 1 { "does" } else { "do" };
    let restarts = counted(u64::from(restarts), "restart");
    let strain = strained(strain);
    format!("{restarts} of {name} {does} not count towards giving up: {strain} soon afterwards")
}

/// A service lacks something that the machine should have.
pub(super) fn in_need(name: &str, need: Need, stopped: bool) -> String {
    match (need, stopped) {
        (Need::Clock, false) => format!("{name} waits until the time is right"),
        (Need::Clock, true) => format!("{name} is stopped until the time is right"),
        (Need::Mains, false) => format!("{name} waits for mains"),
        (Need::Network, false) => format!("{name} waits for the network"),
        (Need::Network, true) => format!("{name} is stopped until the network is up"),
        (Need::Mains, true) => format!("{name} is stopped until mains are back"),
    }
}

/// A service lacks one that it requires.
pub(super) fn without(name: &str, required: &str, stopped: bool) -> String {
    match stopped {
        false => format!("{name} waits for {required}, which it requires"),
        true => format!("{name} is stopped: {required}, which it requires, is not up"),
    }
}

/// A service goes with its group.
pub(super) fn with_group(name: &str, group: &str, stopped: bool) -> String {
    match stopped {
        false => format!("{name} waits for its group {group}"),
        true => format!("{name} is stopped: its group {group} is restarted"),
    }
}

pub(super) fn machine_restarts(name: &str) -> String {
    format!("{name} could not be kept up: restarting this machine")
}

pub(super) fn machine_kept(name: &str, why: MachineKept) -> String {
    let why = kept_because(why);
    format!("{name} could not be kept up, but this machine is not restarted: {why}")
}

/// Why this machine is not restarted for the sake of a service.
pub fn kept_because(why: MachineKept) -> String {
    match why {
        MachineKept::UsedUp { reboots: 0, .. } => "`most` of [reboots] is 0".to_owned(),
        MachineKept::UsedUp { reboots, window } => format!(
            "it was restarted on purpose, or hung, {} within {}: look for the cause",
            times(reboots),
            for_people(window)
        ),
        MachineKept::NotCounted => {
            "nobody knows how often it was restarted already: is `state_dir` readable?".to_owned()
        }
        MachineKept::NotKept => {
            "nothing in `state_dir` is known to have outlived a boot, so nobody would \
                                 know of it"
                .to_owned()
        }
        MachineKept::NotWritten => {
            "it cannot be written down that it is: is `state_dir` writable?".to_owned()
        }
        MachineKept::TooSoon { uptime } => {
            format!("it has not been up for {} yet", for_people(uptime))
        }
        MachineKept::OnBattery => "it runs on its battery, or that sinks".to_owned(),
        MachineKept::Unsteady => "daemons before this one broke off".to_owned(),
        MachineKept::Hold => "somebody works on it, and has a hold in force".to_owned(),
        MachineKept::Refused => {
            "neither init nor the kernel did it when they were asked".to_owned()
        }
    }
}

fn times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

impl Speaker<'_> {
    /// Who keeps it, where that is not this daemon.
    pub(super) fn keeper(&self, service: ServiceId) -> Option<&Keeper> {
        self.0
            .services
            .get(usize::from(service.0))?
            .keeper
            .as_deref()
    }

    pub(super) fn start_stuck(&self, service: ServiceId, waited: Duration) -> String {
        let name = self.0.name(service);
        match self.keeper(service) {
            Some(keeper) => keeper::start_stuck(name, keeper, waited),
            None => format!(
                "start of {name} has been stuck for {}: the storage may hang; it is not repeated",
                for_people(waited)
            ),
        }
    }

    pub(super) fn start_failed(&self, service: ServiceId, stage: Stage, errno: Errno) -> String {
        let name = self.0.name(service);
        match self.keeper(service).filter(|_| stage == Stage::Keeper) {
            Some(keeper) => keeper::start_refused(name, keeper),
            None => start_failed(name, stage, errno),
        }
    }

    pub(super) fn finished(&self, service: ServiceId, how: Finish) -> String {
        let job = self.0.services.get(usize::from(service.0));
        match job.is_some_and(|s| s.job.is_some()) {
            true => job::finished(self.0.name(service), how),
            false => finished(self.0.name(service), how),
        }
    }

    pub(super) fn barred(&self, service: ServiceId, bar: Bar, stopped: bool) -> String {
        let (own, name) = (service, self.0.name(service));
        match bar {
            Bar::Requirement { service, .. } => without(name, self.0.name(service), stopped),
            Bar::Need(need) => in_need(name, need, stopped),
            Bar::Group { group, .. } => with_group(name, self.0.group(group), stopped),
            Bar::Hindered(hindrance) => job::hindered(name, hindrance),
            Bar::Taken { by } => job::taken(name, self.0.name(by)),
            Bar::Keeper(obstacle) => keeper::barred(name, self.keeper(own), obstacle),
        }
    }
}
