//! What follows from the end of a process that nobody asked to end, as the configuration has it.

use crate::checks::View;
use fieldwarden::core::fact::{Exit, ServiceId};
use fieldwarden::core::note::{Finish, Note};
use fieldwarden::core::settings::{Restart, Service, Settings};
use fieldwarden::core::{State, Wish};

/// What came before the end of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    ByItself,
    /// It was told to end, or killed: what was ended because it hung says nothing by the way it ends.
    Told,
    /// It was about to end by itself, and was killed for want of time. Its own end may have come first.
    CutShort,
}

/// Services stay down after exactly those ends after which they should. `before` says what came before
/// the end of the present run of a service, `asked` whether its next start is somebody's wish.
pub fn ends_are_judged(
    v: &View,
    settings: &Settings,
    before: impl Fn(ServiceId) -> End,
    asked: impl Fn(ServiceId) -> bool,
) -> Result<(), String> {
    for note in v.notes {
        let Note::ServiceExited {
            service,
            exit,
            asked: false,
            ..
        } = note
        else {
            continue;
        };
        let s = &settings.services[usize::from(service.0)];
        let before = before(*service);
        let said = match before {
            End::Told => Exit::Unknown,
            End::ByItself | End::CutShort => *exit,
        };
        let finish = v.notes.iter().find_map(|n| match n {
            Note::ServiceFinished { service: of, how } if of == service => Some(*how),
            _ => None,
        });
        let due = stays_down(s, said);
        let also = (before == End::CutShort).then(|| stays_down(s, Exit::Unknown));
        let comes_back = v.core.services().any(|view| {
            let waits = matches!(view.state, State::Backoff { .. } | State::GaveUp { .. });
            view.service == *service && view.wish == Wish::Run && waits
        });
        let right = |due: Option<Finish>| match finish {
            Some(how) => due == Some(how),
            None => due.is_none() || !comes_back || asked(*service),
        };
        let wrong = !right(due) && !also.is_some_and(right);
        if wrong {
            let name = &s.name;
            return Err(format!(
                "{name} ended ({said:?}): {finish:?}, and {due:?} was due"
            ));
        }
    }
    Ok(())
}

/// How it is to stay down, if it is not to be started again.
fn stays_down(s: &Service, exit: Exit) -> Option<Finish> {
    let (code, clean) = match exit {
        Exit::Code(code) => (Some(code), code == 0 || s.success_on.contains(&code)),
        // What a job was to write is not all there.
        Exit::Signal(n) => (None, s.job.is_none() && [1, 2, 13, 15].contains(&n)),
        Exit::Unknown => (None, false),
    };
    let refused = code.is_some_and(|code| s.no_restart_on.contains(&code));
    match (refused, clean, s.restart) {
        (true, true, _) => Some(Finish::Done),
        (true, false, _) => Some(Finish::Refused),
        (false, _, Restart::Always) => None,
        (false, true, _) => Some(Finish::Done),
        (false, false, Restart::Never) => Some(Finish::Failed),
        (false, false, Restart::OnAbnormal) => code.map(|_| Finish::Failed),
        (false, false, Restart::OnFailure) => None,
    }
}
