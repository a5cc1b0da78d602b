//! Every rung of a halt against everything that can happen, and against nothing ever happening.

use super::halt::Halt;
use super::ladder::GRACE;
use super::told::Told;
use super::{Shutdown, State};
use crate::core::action::{Action, Actions};
use crate::core::budget::StopSpan;
use crate::core::fact::{Asker, Fact, Fault, HaltKind, OrderId, Reading, Request, Ticket};
use crate::core::intent::{CutTold, FoundMarker, HaltPhase, Intent, Marker};
use crate::core::note::{HaltNote, Note};
use crate::core::picture::{Ending, HaltCause, Picture, Rung};
use crate::core::settings::{CutAhead, Settings};
use crate::core::{Pass, Policy};
use crate::text::{halt_kind_word, rung_word};
use crate::units::Mono;
use std::time::Duration;

const NOW: Mono = Mono(1_000_000);
const LATER: Mono = Mono(1_003_000);
const BEFORE: Mono = Mono(990_000);
const CAUSE: HaltCause = HaltCause::LowBattery;
const ORDER: OrderId = OrderId(77);

const RUNGS: [Rung; 10] = [
    Rung::Looking,
    Rung::Stopping,
    Rung::Killing,
    Rung::Recording,
    Rung::Syncing,
    Rung::Cutting,
    Rung::Asked,
    Rung::Rescuing,
    Rung::Forced,
    Rung::WatchdogReset,
];

const INPUTS: [&str; 10] = [
    "tick", "down", "recorded", "ok", "failed", "exit", "leave", "back", "gone", "silence",
];

/// A machine that is turned off because its battery is low, on this rung.
fn on(rung: Rung) -> Shutdown {
    Shutdown {
        state: State::Halting(Halt {
            kind: HaltKind::PowerOff,
            cause: CAUSE,
            rung,
            until: LATER,
            since: BEFORE,
            budget: Duration::from_secs(80),
            span: StopSpan::default(),
            attempts: 0,
            carried_out: false,
            looks_until: None,
            order: Some(ORDER),
            dismissed: None,
            board: Told::Nothing,
            taken: false,
            told: false,
        }),
        due: Some(LATER),
        ..Shutdown::default()
    }
}

fn picture(input: &str) -> Picture {
    Picture {
        // One service is alive unless they are down.
        alive: u16::from(input != "down"),
        recorded: input == "recorded",
        mains: match input {
            "back" => Some(true),
            "gone" => Some(false),
            _ => None,
        },
        halt_ask: Some(CAUSE),
        ..Picture::default()
    }
}

fn step(shutdown: &mut Shutdown, fact: &Fact, now: Mono, picture: &mut Picture) -> Actions {
    let mut out = Actions::default();
    shutdown.step(&mut Pass {
        now,
        fact,
        settings: &Settings::nothing(),
        picture,
        out: &mut out,
    });
    out
}

fn word(shutdown: &Shutdown) -> String {
    match &shutdown.state {
        State::Halting(halt) => rung_word(halt.rung).to_owned(),
        State::Running => "running".to_owned(),
        State::Parting { .. } => "parting".to_owned(),
        State::Stopping { .. } => "exit".to_owned(),
        State::Over => "over".to_owned(),
    }
}

/// The next rung, and what is ordered.
fn outcome(rung: Rung, input: &str) -> String {
    let mut shutdown = on(rung);
    let asked = |request| Fact::Asked {
        ticket: Ticket(1),
        by: Asker::Signal(15),
        request,
    };
    let done = |outcome| Fact::Done {
        order: ORDER,
        outcome,
    };
    let (fact, now) = match input {
        "ok" => (done(Ok(())), NOW),
        "failed" => (done(Err(Fault::Busy)), NOW),
        "exit" => (asked(Request::Exit), NOW),
        "leave" => (asked(Request::Leave), NOW),
        "silence" => (Fact::Tick, LATER),
        _ => (Fact::Tick, NOW),
    };
    let out = step(&mut shutdown, &fact, now, &mut picture(input));
    let mut cell = word(&shutdown);
    if cell == rung_word(rung) {
        cell = "-".to_owned();
    }
    for order in &out.orders {
        cell += &match &order.action {
            Action::Sync => "+sync".to_owned(),
            Action::AskInit { kind } => format!("+ask-{}", halt_kind_word(*kind)),
            Action::ForceHalt { kind } => format!("+force-{}", halt_kind_word(*kind)),
            other => panic!("{rung:?} and {input}: {other:?}"),
        };
    }
    if matches!(shutdown.state, State::Halting(_)) && shutdown.due.is_none() {
        cell += "!";
    }
    cell
}

/// `-` is "as before"; `!` would be a rung that nothing ends.
const TABLE: &str = "
                tick                down                recorded            ok                  failed              exit                leave               back                gone                silence
looking         -                   -                   -                   -                   -                   -                   -                   running             stopping            stopping
stopping        -                   recording           -                   -                   -                   -                   -                   running             -                   killing
killing         -                   recording           -                   -                   -                   -                   -                   running             -                   recording
recording       -                   -                   syncing+sync        -                   -                   -                   -                   running             -                   syncing+sync
syncing         -                   -                   -                   asked+ask-poweroff  asked+ask-poweroff  -                   -                   running             -                   asked+ask-poweroff
cutting         -                   -                   -                   asked+ask-poweroff  asked+ask-poweroff  -                   -                   -                   -                   asked+ask-poweroff
asked           -                   -                   -                   -                   rescuing+sync       -                   -                   -+ask-reboot        -                   rescuing+sync
rescuing        -                   -                   -                   forced+force-poweroff forced+force-poweroff -                   -                   -                   -                   forced+force-poweroff
forced          -                   -                   -                   watchdog-reset      watchdog-reset      -                   -                   -                   -                   watchdog-reset
watchdog-reset  -                   -                   -                   -                   -                   -                   -                   -                   -                   forced+force-poweroff
";

#[test]
fn every_rung_and_every_input() {
    let mut is = format!("\n{:<15}", "");
    for input in INPUTS {
        is += &format!(" {input:<19}");
    }
    for rung in RUNGS {
        is = format!("{}\n{:<15}", is.trim_end(), rung_word(rung));
        for input in INPUTS {
            is += &format!(" {:<19}", outcome(rung, input));
        }
    }
    let is = is.trim_end().to_owned() + "\n";
    assert!(is == TABLE, "the table is now:\n{is}");
}

/// L5: nobody ever answers, no service ever ends, and every rung is climbed within its time.
#[test]
fn nothing_ever_answers() {
    let mut shutdown = Shutdown::default();
    let mut picture = picture("silence");
    let (mut now, mut climbed) = (NOW, Vec::new());
    for _ in 0..100 {
        step(&mut shutdown, &Fact::Tick, now, &mut picture);
        if climbed.last() != Some(&word(&shutdown)) {
            climbed.push(word(&shutdown));
        }
        if climbed.len() == 10 {
            break;
        }
        now = shutdown.due.unwrap_or(now).max(now);
    }
    let all = "stopping killing recording syncing asked rescuing forced watchdog-reset forced \
               watchdog-reset";
    assert_eq!(climbed.join(" "), all);
    // Budget, grace, marker, sync, init, sync, kernel; and once more after a minute.
    let seconds = 80 + 5 + 3 + 10 + 30 + 5 + 10 + 60 + 10;
    assert_eq!(now, NOW.after(Duration::from_secs(seconds)));
}

/// Init that does not stop us is waited for as long as the battery allows: 100 s where nothing is known
/// of it and nothing says that it is low.
#[test]
fn init_is_waited_for_while_the_battery_lasts() {
    let asked = HaltCause::Asked { by: Asker::User(0) };
    for (cause, hold_up, seconds) in [
        (asked, None, 100),
        (HaltCause::RideThrough, None, 100),
        (HaltCause::LowBattery, None, 30),
        (HaltCause::GaugeSilent, None, 30),
        (HaltCause::RideThrough, Some(600), 100),
        (HaltCause::LowBattery, Some(90), 60),
        (HaltCause::RideThrough, Some(10), 30),
    ] {
        let mut shutdown = on(Rung::Syncing);
        if let State::Halting(halt) = &mut shutdown.state {
            halt.cause = cause;
        }
        let mut picture = Picture {
            hold_up: hold_up.map(Duration::from_secs),
            ..picture("ok")
        };
        let done = |order| Fact::Done {
            order,
            outcome: Ok(()),
        };
        step(&mut shutdown, &done(ORDER), NOW, &mut picture);
        assert_eq!(word(&shutdown), "asked");
        let end = |s| NOW.after(Duration::from_secs(s));
        assert_eq!(shutdown.due, Some(NOW), "{cause:?}");
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        assert_eq!(shutdown.due, Some(end(seconds)), "{cause:?} {hold_up:?}");
        // It turns out to last less long.
        picture.hold_up = Some(Duration::from_secs(1));
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        assert_eq!(shutdown.due, Some(end(30)), "{cause:?}");
    }
}

/// Init that took the signal and stops us late, in the last sync, is left to do it. One that never took
/// it is not what has told us to end.
#[test]
fn init_that_comes_late_is_not_cut_short() {
    for (taken, after) in [(true, "parting"), (false, "rescuing")] {
        let mut shutdown = on(Rung::Rescuing);
        if let State::Halting(halt) = &mut shutdown.state {
            halt.taken = taken;
        }
        let fact = Fact::Asked {
            ticket: Ticket(1),
            by: Asker::Signal(15),
            request: Request::Exit,
        };
        step(&mut shutdown, &fact, NOW, &mut picture("tick"));
        assert_eq!(word(&shutdown), after, "{taken}");
    }
}

/// A board that has to be told ahead: mains that are back take it back only where that can be, and a
/// machine whose power will be cut anyhow goes off in order.
#[test]
fn power_that_is_cut_ahead() {
    let settings = |can_be_cancelled| {
        let mut settings = Settings::nothing();
        settings.board.cut_ahead = Some(CutAhead {
            can_be_cancelled,
            delay: Duration::from_secs(60),
        });
        settings
    };
    let go = |shutdown: &mut Shutdown, fact: &Fact, picture: &mut Picture, cancels| {
        let mut out = Actions::default();
        shutdown.step(&mut Pass {
            now: NOW,
            fact,
            settings: &settings(cancels),
            picture,
            out: &mut out,
        });
        let orders = out.orders.iter();
        let texts = orders.map(|o| crate::text::action(&o.action, &Settings::nothing()));
        (texts.collect::<Vec<_>>().join(" "), word(shutdown))
    };
    let done = |outcome| Fact::Done {
        order: ORDER,
        outcome,
    };
    for cancels in [true, false] {
        let step = |rung: Rung, board, fact: &Fact, input: &str| {
            let mut shutdown = on(rung);
            if let State::Halting(halt) = &mut shutdown.state {
                halt.board = board;
                halt.order = (rung != Rung::Asked).then_some(ORDER);
            }
            let mut picture = picture(input);
            let (orders, after) = go(&mut shutdown, fact, &mut picture, cancels);
            if let Some(halting) = picture.halting {
                let late = match halting.rung {
                    Rung::Cutting => !cancels,
                    rung => rung > Rung::Cutting,
                };
                assert_eq!(halting.can_be_taken_back, !late, "{halting:?}");
            }
            (format!("{orders} {after}"), kind_of(&shutdown))
        };
        let off = Some(HaltKind::PowerOff);
        let ok = done(Ok(()));
        let told = step(Rung::Syncing, Told::Nothing, &ok, "ok");
        assert_eq!(told, ("cut-power cutting".to_owned(), off));
        let cut = Told::Cut {
            order: ORDER,
            since: NOW,
        };
        // The board takes it, or does not: the halt goes on.
        for outcome in [ok.clone(), done(Err(Fault::Absent))] {
            let asked = step(Rung::Cutting, cut, &outcome, "ok");
            assert_eq!(asked, ("ask-init poweroff asked".to_owned(), off));
        }
        let taken = Told::Taken { since: NOW };
        for (rung, board, after) in [
            (Rung::Cutting, cut, "cutting"),
            (Rung::Asked, cut, "asked"),
            (Rung::Asked, taken, "asked"),
        ] {
            // Told, or maybe told: it has to forget it first, or it loses its power anyhow.
            let orders = if cancels { "cut-power no" } else { "" };
            let back = step(rung, board, &Fact::Tick, "back");
            assert_eq!(back, (format!("{orders} {after}"), off));
        }
        // It refused, if late: then nothing cuts the power.
        let refused = step(Rung::Asked, cut, &done(Err(Fault::Absent)), "back");
        let unheard = step(Rung::Asked, Told::Nothing, &Fact::Tick, "back");
        for turned in [refused, unheard] {
            let wanted = ("ask-init reboot asked".to_owned(), Some(HaltKind::Reboot));
            assert_eq!(turned, wanted);
        }
        // It heard it late: it will be cut off.
        let mut shutdown = on(Rung::Asked);
        if let State::Halting(halt) = &mut shutdown.state {
            (halt.board, halt.order) = (cut, None);
        }
        go(&mut shutdown, &ok, &mut picture("ok"), cancels);
        assert_eq!(board_of(&shutdown), taken);
    }
}

fn kind_of(shutdown: &Shutdown) -> Option<HaltKind> {
    match shutdown.state {
        State::Halting(halt) => Some(halt.kind),
        _ => None,
    }
}

fn board_of(shutdown: &Shutdown) -> Told {
    match shutdown.state {
        State::Halting(halt) => halt.board,
        _ => panic!("no halt"),
    }
}

/// A cut is taken back once the board has said so, and not before; otherwise the machine is turned off
/// in order. An answer that comes late still counts.
#[test]
fn a_cut_is_taken_back_only_for_certain() {
    let mut settings = Settings::nothing();
    settings.board.cut_ahead = Some(CutAhead {
        can_be_cancelled: true,
        delay: Duration::from_secs(60),
    });
    let run = |shutdown: &mut Shutdown, fact: &Fact, now: Mono, input: &str| {
        let mut out = Actions::default();
        shutdown.step(&mut Pass {
            now,
            fact,
            settings: &settings,
            picture: &mut picture(input),
            out: &mut out,
        });
        let stays = |note: &Note| matches!(note, Note::Halt(HaltNote::CutStays { .. }));
        let orders = out.orders.iter().map(|o| &o.action);
        let orders: Vec<_> = orders
            .map(|action| crate::text::action(action, &settings))
            .collect();
        (
            orders.join(" "),
            word(shutdown),
            out.notes.iter().any(stays),
        )
    };
    let late = NOW.after(Duration::from_secs(6));
    for (rung, answer, now, orders, after, stays, kind) in [
        (Rung::Cutting, Some(Ok(())), NOW, "", "running", false, None),
        (
            Rung::Cutting,
            Some(Err(Fault::Absent)),
            NOW,
            "ask-init poweroff",
            "asked",
            true,
            Some(HaltKind::PowerOff),
        ),
        (
            Rung::Cutting,
            None,
            late,
            "ask-init poweroff",
            "asked",
            true,
            Some(HaltKind::PowerOff),
        ),
        (
            Rung::Asked,
            Some(Ok(())),
            NOW,
            "ask-init reboot",
            "asked",
            false,
            Some(HaltKind::Reboot),
        ),
        (
            Rung::Asked,
            Some(Err(Fault::Absent)),
            NOW,
            "",
            "asked",
            true,
            Some(HaltKind::PowerOff),
        ),
        (
            Rung::Asked,
            None,
            late,
            "",
            "asked",
            true,
            Some(HaltKind::PowerOff),
        ),
    ] {
        let shown = format!("{rung:?} {answer:?}");
        let mut shutdown = on(rung);
        if let State::Halting(halt) = &mut shutdown.state {
            halt.board = Told::Taken { since: NOW };
            (halt.order, halt.until) = (None, NOW.after(Duration::from_secs(40)));
        }
        let begun = run(&mut shutdown, &Fact::Tick, NOW, "back");
        assert_eq!(
            (begun.0.as_str(), begun.2),
            ("cut-power no", false),
            "{shown}"
        );
        let Told::TakingBack { order, .. } = board_of(&shutdown) else {
            panic!("{shown}");
        };
        assert!(shutdown.due <= Some(NOW.after(Duration::from_secs(5))));
        let fact = answer.map_or(Fact::Tick, |outcome| Fact::Done { order, outcome });
        let came = run(&mut shutdown, &fact, now, "back");
        assert_eq!(
            came,
            (orders.to_owned(), after.to_owned(), stays),
            "{shown}"
        );
        assert_eq!(kind_of(&shutdown), kind, "{shown}");
        if now == late {
            // It was slow, and it forgets it after all.
            let outcome = Ok(());
            let turned = run(&mut shutdown, &Fact::Done { order, outcome }, now, "back");
            assert_eq!(turned.0, "ask-init reboot", "{shown}");
            assert_eq!(kind_of(&shutdown), Some(HaltKind::Reboot), "{shown}");
        }
    }
}

/// Init has to begin early enough for a last sync and a forced halt before the board cuts the power.
#[test]
fn init_is_given_no_more_than_the_board_leaves() {
    let since = NOW;
    let cut = Told::Cut {
        order: OrderId(5),
        since,
    };
    let stays = Told::Stays {
        order: None,
        since,
        taken: true,
    };
    for (board, delay, seconds) in [
        (Told::Nothing, 30, 30),
        (Told::Forgotten, 30, 30),
        (cut, 30, 15),
        (Told::Taken { since }, 30, 15),
        (stays, 40, 25),
        (Told::Taken { since }, 600, 30),
    ] {
        let mut settings = Settings::nothing();
        settings.board.cut_ahead = Some(CutAhead {
            can_be_cancelled: true,
            delay: Duration::from_secs(delay),
        });
        let mut shutdown = on(Rung::Asked);
        if let State::Halting(halt) = &mut shutdown.state {
            (halt.board, halt.until) = (board, NOW.after(Duration::from_secs(100)));
        }
        shutdown.step(&mut Pass {
            now: NOW,
            fact: &Fact::Tick,
            settings: &settings,
            picture: &mut picture("gone"),
            out: &mut Actions::default(),
        });
        let wanted = NOW.after(Duration::from_secs(seconds));
        assert_eq!(shutdown.due, Some(wanted), "{board:?} {delay}");
    }
}

/// A halt that is asked for while an exit waits for the watchdog's last order is not lost; one that is
/// asked for while services are left to a successor is the successor's.
#[test]
fn a_halt_in_the_last_moment_of_an_exit() {
    for (request, after) in [(Request::Exit, "recording"), (Request::Leave, "parting")] {
        let mut shutdown = Shutdown::default();
        let fact = Fact::Asked {
            ticket: Ticket(1),
            by: Asker::Signal(15),
            request: request.clone(),
        };
        let mut picture = Picture::default();
        step(&mut shutdown, &fact, NOW, &mut picture);
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        assert_eq!(word(&shutdown), "parting");
        picture.ask_halt(CAUSE);
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        assert_eq!(word(&shutdown), after, "{request:?}");
        // Once init is asked, it goes, as it was told to.
        let dismissed = picture.halting.is_some_and(|halting| halting.dismissed);
        assert_eq!(dismissed, request == Request::Exit);
    }
}

/// An exit whose time is over has had its grace: a halt that is begun then and taken back gives it no
/// other time of its own.
#[test]
fn a_halt_gives_an_exit_no_more_time() {
    let mut shutdown = Shutdown {
        state: State::Stopping {
            by: Asker::Signal(15),
            until: NOW.after(GRACE),
            overran: true,
        },
        ..Shutdown::default()
    };
    let mut picture = picture("gone");
    picture.alive = 1;
    picture.ask_halt(CAUSE);
    step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
    assert_eq!(word(&shutdown), "stopping");
    picture.mains = Some(true);
    step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
    let State::Stopping { until, overran, .. } = shutdown.state else {
        panic!("{}", word(&shutdown));
    };
    assert_eq!((until, overran), (NOW, false));
}

/// S8: mains that are back after the point of no return make a machine that runs, whatever rung it
/// is on; the one that is being asked is told at once.
#[test]
fn after_the_point_of_no_return_mains_make_it_a_reboot() {
    for rung in [
        Rung::Asked,
        Rung::Rescuing,
        Rung::Forced,
        Rung::WatchdogReset,
    ] {
        let mut shutdown = on(rung);
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture("back"));
        let State::Halting(halt) = shutdown.state else {
            panic!("{rung:?} was taken back");
        };
        assert_eq!(halt.kind, HaltKind::Reboot, "{rung:?}");
    }
}

/// What an operator asked for does not end because mains are there.
#[test]
fn an_operators_halt_has_nothing_to_do_with_mains() {
    let mut shutdown = Shutdown::default();
    let request = Request::Halt(HaltKind::PowerOff);
    let fact = Fact::Asked {
        ticket: Ticket(1),
        by: Asker::User(0),
        request,
    };
    let mut picture = Picture {
        alive: 1,
        mains: Some(true),
        ..Picture::default()
    };
    step(&mut shutdown, &fact, NOW, &mut picture);
    step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
    assert_eq!(word(&shutdown), "stopping");
}

/// The services get what the battery gives, and less when it turns out to give less; but a moment in
/// any case.
#[test]
fn the_stop_fits_into_the_hold_up() {
    for (hold_up, seconds) in [
        (None, 80),
        (Some(600), 80),
        (Some(90), 60),
        (Some(40), 10),
        (Some(33), 5),
        (Some(5), 5),
        (Some(0), 5),
    ] {
        let mut shutdown = Shutdown::default();
        let mut picture = picture("tick");
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        picture.hold_up = hold_up.map(Duration::from_secs);
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        let end = NOW.after(Duration::from_secs(seconds));
        assert_eq!(shutdown.due, Some(end), "{hold_up:?}");
    }
}

/// The daemon is told to end while it halts, which init says once only; then mains are back: it ends,
/// with its services or without them, and the machine stays on.
#[test]
fn dismissed_and_cancelled() {
    for (request, after) in [(Request::Exit, "exit"), (Request::Leave, "parting")] {
        let mut shutdown = on(Rung::Stopping);
        let fact = Fact::Asked {
            ticket: Ticket(1),
            by: Asker::Signal(15),
            request: request.clone(),
        };
        let mut first = picture("tick");
        step(&mut shutdown, &fact, NOW, &mut first);
        assert_eq!(word(&shutdown), "stopping");
        assert!(first.halting.is_some_and(|halting| halting.dismissed));
        let mut back = picture("back");
        step(&mut shutdown, &Fact::Tick, NOW, &mut back);
        assert_eq!(word(&shutdown), after);
        assert_eq!((back.halt_ask, back.halting), (None, None));
        let services_left = request == Request::Leave;
        match back.ending {
            Ending::Stopping { .. } => assert!(!services_left),
            Ending::Parting {
                services_left: left,
            } => assert_eq!(left, services_left),
            other => panic!("{other:?}"),
        }
    }
}

/// Whoever told the daemon to end, be it to make room for a successor, has it end once init was
/// asked, and no later rung cuts init's own shutdown short.
#[test]
fn dismissed_and_asked() {
    for request in [Request::Exit, Request::Leave] {
        let mut shutdown = on(Rung::Syncing);
        let fact = Fact::Asked {
            ticket: Ticket(1),
            by: Asker::Signal(3),
            request: request.clone(),
        };
        step(&mut shutdown, &fact, NOW, &mut picture("tick"));
        let done = |order| Fact::Done {
            order,
            outcome: Ok(()),
        };
        step(&mut shutdown, &done(ORDER), NOW, &mut picture("ok"));
        let State::Halting(halt) = shutdown.state else {
            panic!("{request:?}");
        };
        assert_eq!(halt.rung, Rung::Asked);
        let asked = halt.order.unwrap();
        step(&mut shutdown, &done(asked), NOW, &mut picture("ok"));
        assert_eq!(word(&shutdown), "parting", "{request:?}");
    }
}

/// Mains are back when init has not halted the machine: one that surely loses its power is turned off, and
/// one of which nobody knows that is restarted, because it might stay off. While init may still do it, the
/// hook decides that, which can ask the board.
#[test]
fn a_cut_that_nobody_knows_of() {
    let (order, since) = (None, NOW);
    let stays = |taken| Told::Stays {
        order,
        since,
        taken,
    };
    let cut = Told::Cut {
        order: OrderId(9),
        since,
    };
    let (off, on_again) = (Some(HaltKind::PowerOff), Some(HaltKind::Reboot));
    for (board, kind) in [
        (cut, on_again),
        (stays(false), on_again),
        (stays(true), off),
        (Told::Taken { since }, off),
    ] {
        for rung in [Rung::Rescuing, Rung::Forced, Rung::WatchdogReset] {
            for (input, wanted) in [("back", kind), ("tick", off)] {
                let mut shutdown = on(rung);
                if let State::Halting(halt) = &mut shutdown.state {
                    halt.board = board;
                }
                step(&mut shutdown, &Fact::Tick, NOW, &mut picture(input));
                assert_eq!(kind_of(&shutdown), wanted, "{board:?}, {rung:?}, {input}");
            }
        }
        let mut shutdown = on(Rung::Asked);
        if let State::Halting(halt) = &mut shutdown.state {
            halt.board = board;
        }
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture("back"));
        assert_eq!(kind_of(&shutdown), off, "{board:?}");
    }
}

/// What is done about a marker: by cause, phase, boot, mains and attempts.
#[test]
fn what_an_earlier_daemon_left() {
    let left = |cause, phase, same_boot, attempts| FoundMarker {
        lasts: true,
        marker: Marker {
            intent: Intent::Halt {
                kind: HaltKind::PowerOff,
                cause,
                phase,
            },
            mains: Some(false),
            attempts,
            in_vain: 0,
            sunk: 0,
            reboots: crate::core::reboots::Reboots::default(),
            outage: None,
            cut: CutTold::No,
            before: None,
            ..Marker::default()
        },
        same_boot,
        reset: None,
        ..FoundMarker::default()
    };
    let asked = HaltCause::Asked { by: Asker::User(0) };
    use HaltPhase::{Begun, Committed};
    for (left, first, gone, silent) in [
        (
            left(CAUSE, Begun, true, 0),
            "stopping",
            "stopping",
            "killing",
        ),
        (
            left(CAUSE, Committed, true, 0),
            "asked",
            "asked",
            "rescuing",
        ),
        (
            left(asked, Begun, true, 0),
            "stopping",
            "stopping",
            "killing",
        ),
        (
            left(CAUSE, Begun, false, 0),
            "looking",
            "stopping",
            "stopping",
        ),
        (
            left(CAUSE, Begun, false, 1),
            "looking",
            "stopping",
            "running",
        ),
        // It was carried out, as far as anybody knows: nothing but mains has started it since.
        (
            left(CAUSE, Committed, false, 0),
            "looking",
            "stopping",
            "running",
        ),
        (
            FoundMarker {
                lasts: true,
                reset: Some(true),
                ..left(CAUSE, Committed, false, 0)
            },
            "looking",
            "stopping",
            "stopping",
        ),
        (
            left(CAUSE, Committed, false, 1),
            "looking",
            "stopping",
            "running",
        ),
        (
            left(CAUSE, Committed, false, 2),
            "looking",
            "stopping",
            "running",
        ),
        (
            left(CAUSE, Committed, false, 3),
            "looking",
            "running",
            "running",
        ),
        (
            left(asked, Committed, false, 0),
            "running",
            "running",
            "running",
        ),
        // Nothing outlives a boot here, so this is not what the boot before has left.
        (
            FoundMarker {
                lasts: false,
                reset: Some(true),
                ..left(CAUSE, Begun, false, 0)
            },
            "running",
            "running",
            "running",
        ),
        (
            FoundMarker {
                lasts: false,
                ..left(CAUSE, Begun, true, 0)
            },
            "stopping",
            "stopping",
            "killing",
        ),
    ] {
        let fact = Fact::Seen(Reading::marker(left));
        let begin = || {
            let mut shutdown = Shutdown::default();
            let mut picture = Picture {
                alive: 1,
                ..Picture::default()
            };
            step(&mut shutdown, &fact, NOW, &mut picture);
            (shutdown, picture)
        };
        let (shutdown, _) = begin();
        assert_eq!(word(&shutdown), first, "{left:?}");
        let (mut shutdown, mut picture) = begin();
        picture.mains = Some(false);
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        assert_eq!(word(&shutdown), gone, "{left:?}, mains gone");
        let (mut shutdown, mut picture) = begin();
        let late = NOW.after(Duration::from_secs(80));
        step(&mut shutdown, &Fact::Tick, late, &mut picture);
        assert_eq!(word(&shutdown), silent, "{left:?}, mains silent");
        let (mut shutdown, mut picture) = begin();
        picture.mains = Some(true);
        step(&mut shutdown, &Fact::Tick, NOW, &mut picture);
        if left.marker.intent
            != (Intent::Halt {
                kind: HaltKind::PowerOff,
                cause: asked,
                phase: Begun,
            })
            && first != "asked"
        {
            assert_eq!(word(&shutdown), "running", "{left:?}, mains back");
        }
    }
}

/// What the marker says of the board: it may cut the power from the record on that is written ahead, it
/// does once it has taken that, and it does not once it has refused or forgotten it.
#[test]
fn what_the_marker_says_of_the_board() {
    let (order, since, until) = (ORDER, NOW, LATER);
    let back = |taken| Told::TakingBack {
        order,
        since,
        until,
        taken,
    };
    let stays = |taken| Told::Stays {
        order: None,
        since,
        taken,
    };
    use CutTold::{Maybe, No};
    let taken = CutTold::Taken { since };
    for (rung, board, cut) in [
        (Rung::Stopping, Told::Nothing, No),
        (Rung::Killing, Told::Nothing, No),
        (Rung::Recording, Told::Nothing, Maybe),
        (Rung::Syncing, Told::Nothing, Maybe),
        (Rung::Cutting, Told::Cut { order, since }, Maybe),
        (Rung::Asked, Told::Cut { order, since }, Maybe),
        (Rung::Asked, Told::Taken { since }, taken),
        (Rung::Asked, Told::Nothing, No),
        (Rung::Asked, back(true), Maybe),
        (Rung::Asked, back(false), Maybe),
        (Rung::Asked, stays(true), taken),
        (Rung::Asked, stays(false), Maybe),
        (Rung::Asked, Told::Forgotten, No),
    ] {
        let mut shutdown = on(rung);
        let State::Halting(halt) = &mut shutdown.state else {
            panic!("{rung:?}");
        };
        halt.board = board;
        assert_eq!(halt.cut(true, false), cut, "{rung:?} {board:?}");
        // One that does not take this cut may still hold an earlier one.
        let may = if board == Told::Nothing { Maybe } else { cut };
        assert_eq!(halt.cut(true, true), may, "{rung:?} {board:?}");
        let told = board != Told::Nothing;
        assert_eq!(
            halt.cut(false, false) != No,
            told && cut != No,
            "no such board"
        );
    }
}

/// A daemon that follows in the same boot tells a board that may have been told, asks init at once where
/// it took that, and where it refused.
#[test]
fn what_an_earlier_daemon_left_of_the_board() {
    let mut settings = Settings::nothing();
    settings.board.cut_ahead = Some(CutAhead {
        can_be_cancelled: true,
        delay: Duration::from_secs(60),
    });
    let take_up = |cut, same_boot| {
        let mut shutdown = Shutdown::default();
        let mut out = Actions::default();
        let left = FoundMarker {
            lasts: true,
            marker: Marker {
                intent: Intent::Halt {
                    kind: HaltKind::PowerOff,
                    cause: CAUSE,
                    phase: HaltPhase::Committed,
                },
                mains: Some(false),
                attempts: 0,
                in_vain: 0,
                sunk: 0,
                reboots: crate::core::reboots::Reboots::default(),
                outage: None,
                cut,
                before: None,
                ..Marker::default()
            },
            same_boot,
            reset: None,
            ..FoundMarker::default()
        };
        let mut picture = picture("down");
        shutdown.step(&mut Pass {
            now: NOW,
            fact: &Fact::Seen(Reading::marker(left)),
            settings: &settings,
            picture: &mut picture,
            out: &mut out,
        });
        let orders = out.orders.iter().map(|order| order.action.clone());
        (orders.collect::<Vec<_>>(), word(&shutdown), picture.halting)
    };
    let ask = Action::AskInit {
        kind: HaltKind::PowerOff,
    };
    let tell = |cut| Action::CutPower { cut };
    for (cut, order, rung) in [
        (CutTold::Maybe, tell(true), "cutting"),
        (CutTold::Taken { since: BEFORE }, ask.clone(), "asked"),
        (CutTold::No, ask, "asked"),
    ] {
        let (orders, after, halting) = take_up(cut, true);
        assert_eq!((orders, after.as_str()), (vec![order], rung), "{cut:?}");
        assert_eq!(halting.map(|halting| halting.cut), Some(cut));
        // After a reset, the board is to forget it, whatever follows.
        let (orders, after, _) = take_up(cut, false);
        let forgets = (cut != CutTold::No).then(|| tell(false));
        let wanted: Vec<_> = forgets.into_iter().collect();
        assert_eq!((orders, after.as_str()), (wanted, "looking"), "{cut:?}");
    }
}

/// No hook follows where init hangs: a board that did not take the cut is told once more before the
/// last sync, and one that took it, or whose machine is to run, is not.
#[test]
fn a_board_that_refused_is_told_again_where_init_hangs() {
    let mut settings = Settings::nothing();
    let since = NOW;
    let stays = Told::Stays {
        order: None,
        since,
        taken: true,
    };
    let (off, again) = (HaltKind::PowerOff, HaltKind::Reboot);
    for (ahead, kind, board, wanted) in [
        (true, off, Told::Nothing, "cut-power sync"),
        (true, off, Told::Taken { since }, "sync"),
        (true, off, stays, "sync"),
        (true, again, Told::Nothing, "sync"),
        (true, again, Told::Forgotten, "sync"),
        (false, off, Told::Nothing, "sync"),
    ] {
        settings.board.cut_ahead = ahead.then_some(CutAhead {
            can_be_cancelled: false,
            delay: Duration::from_secs(60),
        });
        let mut shutdown = on(Rung::Asked);
        if let State::Halting(halt) = &mut shutdown.state {
            (halt.board, halt.kind) = (board, kind);
        }
        let mut out = Actions::default();
        shutdown.step(&mut Pass {
            now: NOW.after(Duration::from_secs(1_000)),
            fact: &Fact::Tick,
            settings: &settings,
            picture: &mut picture("tick"),
            out: &mut out,
        });
        let orders = out.orders.iter().map(|o| &o.action);
        let orders: Vec<_> = orders
            .map(|action| crate::text::action(action, &settings))
            .collect();
        assert_eq!(word(&shutdown), "rescuing", "{board:?}");
        assert_eq!(orders.join(" "), wanted, "{ahead} {kind:?} {board:?}");
    }
}

/// Whoever follows in the same boot pets the device again: a drill is over then, and so it is in the next
/// boot.
#[test]
fn a_drill_is_not_taken_up() {
    let by = Asker::User(0);
    for (phase, same_boot) in [
        (HaltPhase::Begun, true),
        (HaltPhase::Committed, true),
        (HaltPhase::Committed, false),
    ] {
        let mut left = FoundMarker {
            lasts: true,
            same_boot,
            ..FoundMarker::default()
        };
        left.marker.intent = Intent::Halt {
            kind: HaltKind::Reboot,
            cause: HaltCause::Drill { by },
            phase,
        };
        let mut shutdown = Shutdown::default();
        let mut picture = Picture::default();
        let mut out = Actions::default();
        shutdown.step(&mut Pass {
            now: NOW,
            fact: &Fact::Seen(Reading::marker(left)),
            settings: &Settings::nothing(),
            picture: &mut picture,
            out: &mut out,
        });
        assert_eq!(word(&shutdown), "running");
        assert_eq!(picture.halting, None);
    }
}
