//! Notes about reloads.

use crate::core::fact::{Asker, Errno, Fault, Request, Thread};
use crate::core::note::{Note, ReloadNote, Unready};

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let by = Asker::User(0);
    let refused = |why, words| (Note::Reload(ReloadNote::ReloadRefused { why }), words);
    let request = Request::Reload;
    vec![
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
