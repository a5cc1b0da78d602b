//! Fields of notes about services.

use super::{Fields, Value, asker, count, time, word};
use crate::core::Bar;
use crate::core::fact::{Asker, Errno, Exit, GroupId, Request, ServiceId, Stage};
use crate::core::note::MachineKept;
use crate::core::picture::Excuse;
use crate::core::settings::Settings;
use crate::text::words::{need_word, obstacle_word, request_parts, stage_word, strain_word};
use crate::text::{errno_word, hindrance_word, signal_word};
use crate::text::{hold, led};
use std::time::Duration;

type Field = (&'static str, Value);

/// The step of a start that failed, and why.
pub(super) fn step(stage: Stage, errno: Errno) -> [Field; 2] {
    [
        ("stage", word(stage_word(stage))),
        ("errno", Value::Text(errno_word(errno))),
    ]
}

/// How a run ended.
pub(super) fn end(exit: Exit, asked: bool, lived: Duration) -> [Field; 3] {
    [
        how(exit),
        ("asked", Value::Flag(asked)),
        ("lived", time(lived)),
    ]
}

/// All restarts of a window are used up.
pub(super) fn spent(restarts: u32, window: Duration, retry: Duration) -> [Field; 3] {
    [
        ("restarts", count(restarts)),
        ("window", time(window)),
        ("retry", time(retry)),
    ]
}

/// Why the machine is not restarted for the sake of a service.
pub(in crate::text) fn kept(mut of: Fields, why: MachineKept) -> Fields {
    match why {
        MachineKept::UsedUp { reboots, window } => {
            of.extend([
                ("why", word("used-up")),
                ("reboots", count(reboots)),
                ("window", time(window)),
            ]);
        }
        MachineKept::NotCounted => of.push(("why", word("not-counted"))),
        MachineKept::TooSoon { uptime } => {
            of.extend([("why", word("too-soon")), ("uptime", time(uptime))]);
        }
        MachineKept::NotKept => of.push(("why", word("not-kept"))),
        MachineKept::NotWritten => of.push(("why", word("not-written"))),
        MachineKept::OnBattery => of.push(("why", word("on-battery"))),
        MachineKept::Unsteady => of.push(("why", word("unsteady"))),
        MachineKept::Hold => of.push(("why", word("hold"))),
        MachineKept::Refused => of.push(("why", word("refused"))),
    }
    of
}

/// A group, and the member that moved it.
pub(super) fn group(group: GroupId, service: ServiceId, settings: &Settings) -> Fields {
    vec![
        ("group", word(settings.group(group))),
        ("service", word(settings.name(service))),
    ]
}

/// What a service cannot run without.
pub(super) fn barred(bar: Bar, stopped: bool, settings: &Settings) -> [Field; 2] {
    let lacks = match bar {
        Bar::Requirement { service, .. } => ("requires", word(settings.name(service))),
        Bar::Need(need) => ("needs", word(need_word(need))),
        Bar::Group { group, .. } => ("group", word(settings.group(group))),
        Bar::Hindered(hindrance) => ("while", word(hindrance_word(hindrance))),
        Bar::Taken { by } => ("beside", word(settings.name(by))),
        Bar::Keeper(obstacle) => ("keeper", word(obstacle_word(obstacle))),
    };
    [lacks, ("stopped", Value::Flag(stopped))]
}

fn how(exit: Exit) -> (&'static str, Value) {
    match exit {
        Exit::Code(code) => ("code", count(code)),
        Exit::Signal(number) => ("signal", Value::Text(signal_word(number))),
        Exit::Unknown => ("exit", word("unknown")),
    }
}

/// Why a failure counts towards nothing.
pub(super) fn excused(excuse: Excuse) -> (&'static str, Value) {
    match excuse {
        Excuse::Strain(strain) => ("strain", word(strain_word(strain))),
        Excuse::Hold => ("hold", Value::Flag(true)),
    }
}

/// Who asked, and for what.
pub(super) fn asked(by: Asker, request: &Request, settings: &Settings) -> Fields {
    let (verb, service) = request_parts(request);
    let mut fields = vec![asker(by), ("request", word(verb))];
    fields.extend(service.map(|s| ("service", word(settings.name(s)))));
    match request {
        Request::Hold { time, reason } => fields.extend(hold::wanted(*time, reason)),
        Request::ShowLed { state, time } => fields.extend(led::wanted(*state, *time)),
        Request::Status
        | Request::Start(_)
        | Request::Stop(_)
        | Request::Restart(_)
        | Request::Exit
        | Request::Leave
        | Request::Reload
        | Request::Halt(_)
        | Request::Drill
        | Request::EndHold => {}
    }
    fields
}
