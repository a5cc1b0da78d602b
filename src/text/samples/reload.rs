//! Notes about reloads, and about a configuration that cannot be taken up.

use crate::core::fact::{Asker, Errno, Fault, Request, StandIn, Thread};
use crate::core::note::{Note, ReloadNote, Unready};
use crate::units::Wall;

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let by = Asker::User(0);
    let refused = |why, words| (Note::Reload(ReloadNote::ReloadRefused { why }), words);
    let unusable = |by, words| {
        let problem = "a.toml:3:1: there is no key comand".into();
        let note = ReloadNote::ConfigurationUnusable { by, problem };
        (Note::Reload(note), words)
    };
    let taken = Wall::new(1_000_000_000).unwrap_or(Wall::MAX);
    let request = Request::Reload;
    vec![
        unusable(
            StandIn::Copy { taken },
            "the configuration cannot be used, and a copy of 2001-09-09T01:46:40Z of one that was in \
             force stands in for it: a.toml:3:1: there is no key comand; mend it (`fieldwarden check` \
             shows all that is wrong), then run `fieldwarden reload`",
        ),
        unusable(
            StandIn::SafeMode,
            "the configuration cannot be used, and there is no copy of one that was in force: in safe \
             mode the machine is guarded, what runs goes on, and no service is started: a.toml:3:1: \
             there is no key comand; mend it (`fieldwarden check` shows all that is wrong), then run \
             `fieldwarden reload`",
        ),
        unusable(
            StandIn::Elsewhere,
            "the runtime directory cannot be used: a.toml:3:1: there is no key comand; mend it, or name \
             another in `runtime_dir`, then run `fieldwarden reload`",
        ),
        (
            Note::Asked { by, request },
            "root asked to reload the configuration",
        ),
        (
            Note::Reload(ReloadNote::HandingOver { by }),
            "root asked to reload: handing over to a successor in this process",
        ),
        refused(
            Unready::Problems("a.toml:3:1: there is no key comand\n  help: command\n".into()),
            "not reloaded, and nothing was changed: a.toml:3:1: there is no key comand",
        ),
        refused(
            Unready::NotChecked(Fault::Errno(Errno(110))),
            "not reloaded, and nothing was changed: the program that is to come has not checked the \
             configuration: timed out (ETIMEDOUT)",
        ),
        refused(
            Unready::Stuck(Thread::Watchdog),
            "not reloaded, and nothing was changed: the thread watchdog is stuck",
        ),
        refused(
            Unready::Starting,
            "not reloaded, and nothing was changed: a service has been starting all the time",
        ),
    ]
}
