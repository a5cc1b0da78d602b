//! Notes about probes of services.

use super::{WEB, seconds};
use crate::core::fact::{Errno, Exit, Ill, ProbeKind};
use crate::core::note::{Note, ProbeNote};

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let all = failed().into_iter().chain(others());
    all.map(|(kind, note, words)| (Note::Probe(WEB, kind, note), words))
        .collect()
}

type Sample = (ProbeKind, ProbeNote, &'static str);

fn failed() -> Vec<Sample> {
    let of = |kind, failures, why, words| (kind, ProbeNote::ProbeFailed { why, failures }, words);
    vec![
        of(
            ProbeKind::Startup,
            60,
            Ill::Errno(Errno(111)),
            "web has not started: its startup probe failed 60 times in a row (connection refused \
             (ECONNREFUSED)): ended and started again",
        ),
        of(
            ProbeKind::Readiness,
            1,
            Ill::Status(503),
            "web is not ready: its readiness probe failed (HTTP status 503)",
        ),
        of(
            ProbeKind::Liveness,
            3,
            Ill::TimedOut,
            "web hangs: its liveness probe failed 3 times in a row (no answer in time): ended and \
             started again",
        ),
        of(
            ProbeKind::Liveness,
            2,
            Ill::Exit(Exit::Code(7)),
            "web hangs: its liveness probe failed 2 times in a row (exited with status 7): ended and \
             started again",
        ),
        of(
            ProbeKind::Readiness,
            3,
            Ill::Exit(Exit::Signal(11)),
            "web is not ready: its readiness probe failed 3 times in a row (ended by SIGSEGV)",
        ),
        of(
            ProbeKind::Readiness,
            3,
            Ill::Closed,
            "web is not ready: its readiness probe failed 3 times in a row (the connection was closed \
             without an answer)",
        ),
        of(
            ProbeKind::Readiness,
            3,
            Ill::NotHttp,
            "web is not ready: its readiness probe failed 3 times in a row (the answer is no HTTP)",
        ),
        of(
            ProbeKind::Readiness,
            3,
            Ill::Unchanged(seconds(61)),
            "web is not ready: its readiness probe failed 3 times in a row (the file has not changed \
             for 1 min 1 s)",
        ),
        of(
            ProbeKind::Isolation,
            1,
            Ill::Reaches(2),
            "the network of web is not closed: it reaches number 2 of `must_not_reach`; it runs on",
        ),
    ]
}

fn others() -> Vec<Sample> {
    let unsure = |why| ProbeNote::ProbeUnsure { why };
    vec![
        (
            ProbeKind::Readiness,
            ProbeNote::ProbePassed,
            "web is ready: its readiness probe succeeds",
        ),
        (
            ProbeKind::Isolation,
            ProbeNote::ProbePassed,
            "the network of web is closed again",
        ),
        (
            ProbeKind::Liveness,
            unsure(Ill::Busy),
            "the liveness probe of web tells nothing (the daemon was busy or held up): nothing follows \
             from it",
        ),
        (
            ProbeKind::Startup,
            unsure(Ill::Undated),
            "the startup probe of web tells nothing (the time of the file tells nothing yet: it is \
             watched for a change): nothing follows from it",
        ),
        (
            ProbeKind::Liveness,
            unsure(Ill::Exit(Exit::Unknown)),
            "the liveness probe of web tells nothing (ended in a way nobody saw): nothing follows from \
             it",
        ),
        (
            ProbeKind::Liveness,
            ProbeNote::ProbeSure,
            "the liveness probe of web can be made again",
        ),
    ]
}
