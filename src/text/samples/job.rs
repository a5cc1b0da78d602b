//! Notes about jobs.

use super::{WEB, seconds};
use crate::core::Bar;
use crate::core::fact::ServiceId;
use crate::core::job::Age;
use crate::core::note::{JobNote, Note};
use crate::core::picture::Verdict;
use crate::core::settings::Hindrance;

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let fresh = |verdict, age| JobNote::JobFreshness { verdict, age };
    let all = [
        (
            JobNote::JobLate {
                late: seconds(7_500),
            },
            "web was to run 2 h 5 min ago, and runs now",
        ),
        (
            JobNote::JobSkipped,
            "web ran for so long that it missed times of its own: they do not come again",
        ),
        (
            JobNote::JobOverran {
                ran: seconds(3_600),
            },
            "web still runs after 1 h: stopping it",
        ),
        (
            fresh(Verdict::Ok, Some(Age::Known(seconds(5)))),
            "web is well again: its last good run was 5 s ago",
        ),
        (
            fresh(Verdict::Warn, Some(Age::Known(seconds(7_500)))),
            "web needs a look: its last good run was 2 h 5 min ago",
        ),
        (
            fresh(Verdict::Unknown, Some(Age::AtLeast(seconds(60)))),
            "nobody can tell how web is: its last good run was before this start of the machine, \
             1 min ago or longer",
        ),
        (
            fresh(Verdict::Critical, None),
            "web is overdue: no good run of it is known",
        ),
    ];
    let barred = |bar, words| {
        let stopped = false;
        let service = WEB;
        (
            Note::ServiceBarred {
                service,
                bar,
                stopped,
            },
            words,
        )
    };
    let bars = [
        barred(
            Bar::Hindered(Hindrance::Battery),
            "web waits while the machine runs on its battery",
        ),
        barred(
            Bar::Hindered(Hindrance::Throttled),
            "web waits while the processor is throttled or the supply too weak",
        ),
        barred(
            Bar::Hindered(Hindrance::MemoryLow),
            "web waits while memory is low",
        ),
        barred(
            Bar::Taken { by: ServiceId(0) },
            "web waits for sensor-bridge, which must not run at the same time",
        ),
    ];
    let all = all.map(|(note, words)| (Note::Job(WEB, note), words));
    all.into_iter().chain(bars).collect()
}
