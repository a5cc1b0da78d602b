//! Notes about what services say of themselves.

use super::{WEB, pid, seconds};
use crate::core::fact::{Errno, NotifyKey, Refusal};
use crate::core::note::{Note, NotifyNote};
use std::time::Duration;

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let all = said().into_iter().chain(refused());
    all.map(|(note, words)| (Note::Notify(WEB, note), words))
        .collect()
}

fn said() -> Vec<(NotifyNote, &'static str)> {
    vec![
        (NotifyNote::ServiceReloading, "web is reloading"),
        (
            NotifyNote::ServiceReloaded {
                took: Duration::from_millis(120),
            },
            "web has reloaded after 120 ms",
        ),
        (
            NotifyNote::ServiceReloadOverran {
                waited: seconds(90),
            },
            "web did not say READY=1 within 1 min 30 s of RELOADING=1: it counts as up all the same",
        ),
        (
            NotifyNote::ServiceEnding,
            "web says that it is about to end",
        ),
        (
            NotifyNote::ServiceExtended { time: seconds(30) },
            "web asked for more time: 30 s from now",
        ),
        (
            NotifyNote::ServiceErrno { errno: Errno(2) },
            "web says that it failed: no such file or directory (ENOENT)",
        ),
        (
            NotifyNote::ServiceTriggered,
            "web says that it is broken (WATCHDOG=trigger): ended and started again",
        ),
        (
            NotifyNote::ServiceWindow {
                window: Some(seconds(20)),
            },
            "web says that it sends heartbeats at most 20 s apart from now on",
        ),
        (
            NotifyNote::ServiceWindow { window: None },
            "web says that it sends no heartbeats any more (WATCHDOG_USEC=0): a hang of it will \
             not be noticed",
        ),
        (
            NotifyNote::ServiceMain { pid: pid() },
            "the main process of web is pid 812 now",
        ),
    ]
}

fn refused() -> Vec<(NotifyNote, &'static str)> {
    let stranger = |pid| Refusal::Stranger { pid, user: 1000 };
    let refused = |why, times| NotifyNote::ServiceRefused { why, times };
    vec![
        (
            refused(stranger(Some(pid())), 1),
            "process 812 of user 1000 wrote to the notify socket of web and is no part of it: \
             ignored; a helper has to be started by web itself",
        ),
        (
            refused(stranger(None), 40),
            "a process of user 1000 wrote to the notify socket of web and is no part of it: \
             ignored; a helper has to be started by web itself (40 times)",
        ),
        (
            refused(Refusal::TooLong, 1),
            "web sent a notification of more than 4096 bytes: ignored as a whole",
        ),
        (
            refused(Refusal::Nul, 1),
            "web sent a notification with a NUL in it: ignored as a whole",
        ),
        (
            refused(Refusal::Value(NotifyKey::WatchdogUsec), 1),
            "web sent a WATCHDOG_USEC= whose value makes no sense: ignored",
        ),
        (
            refused(Refusal::Main(pid()), 1),
            "web called process 812 its main process, which is gone or no part of it: ignored",
        ),
        (
            refused(Refusal::Store, 1),
            "web left more descriptors than `fd_store` allows: those beyond are closed",
        ),
        (
            refused(Refusal::Flood, 3),
            "web says more on its notify socket than can be of use: it is read more slowly (3 times)",
        ),
    ]
}
