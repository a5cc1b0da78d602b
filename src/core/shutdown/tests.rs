//! Every stage of an end against everything that can happen, and against nothing ever happening.

use super::{Shutdown, State};
use crate::core::action::{Action, Actions};
use crate::core::fact::{Asker, Fact, HaltKind, Request, Ticket};
use crate::core::picture::{Ending, HaltCause, Picture};
use crate::core::settings::Settings;
use crate::core::{Pass, Policy};
use crate::units::Mono;

const NOW: Mono = Mono(1_000_000);
const LATER: Mono = Mono(1_003_000);

const STAGES: [&str; 6] = [
    "running", "stopping", "overran", "parting", "leaving", "over",
];

const INPUTS: [&str; 9] = [
    "exit", "leave", "halt", "ask", "other", "tick", "down", "settled", "silence",
];

fn in_stage(word: &str) -> Shutdown {
    let by = Asker::User(0);
    let state = match word {
        "running" => State::Running,
        "stopping" => State::Stopping {
            by,
            until: LATER,
            overran: false,
        },
        "overran" => State::Stopping {
            by,
            until: LATER,
            overran: true,
        },
        "parting" => State::Parting {
            until: LATER,
            services_left: false,
            exit: None,
        },
        "leaving" => State::Parting {
            until: LATER,
            services_left: true,
            exit: None,
        },
        "over" => State::Over,
        _ => panic!("no stage {word}"),
    };
    Shutdown {
        state,
        ..Shutdown::default()
    }
}

fn word(shutdown: &Shutdown) -> &'static str {
    match shutdown.state {
        State::Running => "running",
        State::Stopping { overran: false, .. } => "stopping",
        State::Stopping { overran: true, .. } => "overran",
        State::Parting {
            services_left: false,
            ..
        } => "parting",
        State::Parting {
            services_left: true,
            ..
        } => "leaving",
        State::Halting(_) => "halting",
        State::Over => "over",
    }
}

/// The next stage, with the answer to a request, and `.` where the daemon ends.
fn outcome(stage: &str, input: &str) -> String {
    let mut shutdown = in_stage(stage);
    let asked = |request| Fact::Asked {
        ticket: Ticket(1),
        by: Asker::User(0),
        request,
    };
    let (fact, now) = match input {
        "exit" => (asked(Request::Exit), NOW),
        "leave" => (asked(Request::Leave), NOW),
        "halt" => (asked(Request::Halt(HaltKind::Reboot)), NOW),
        "other" => (asked(Request::Status), NOW),
        "silence" => (Fact::Tick, LATER),
        _ => (Fact::Tick, NOW),
    };
    let mut picture = Picture {
        // One service is alive unless they are down.
        alive: u16::from(input != "down"),
        wanted: 0,
        guard_settled: input == "settled",
        halt_ask: (input == "ask").then_some(HaltCause::LowBattery),
        ..Picture::default()
    };
    let mut out = Actions::default();
    shutdown.step(&mut Pass {
        now,
        fact: &fact,
        settings: &Settings::nothing(),
        picture: &mut picture,
        out: &mut out,
    });
    let mut cell = word(&shutdown).to_owned();
    if cell == stage {
        cell = "-".to_owned();
    }
    if let Some((_, answer)) = picture.answer {
        cell += &format!(" {answer:?}").to_lowercase();
    }
    let ends = out
        .orders
        .iter()
        .any(|o| matches!(o.action, Action::Exit { .. }));
    cell + if ends { "." } else { "" }
}

/// `-` is "as before".
const TABLE: &str = "
           exit              leave             halt              ask               other             tick              down              settled           silence
running    stopping accepted leaving accepted  halting accepted  halting           -                 -                 -                 -                 -
stopping   - already         - ending          - ending          halting           -                 -                 parting           -                 overran
overran    - already         - ending          - ending          halting           -                 -                 parting           -                 parting
parting    - already         - ending          - ending          -                 -                 -                 -                 over.             over.
leaving    - ending          - already         - ending          -                 -                 -                 -                 over.             over.
over       - ending          - ending          - ending          -                 -                 -                 -                 -                 -
";

#[test]
fn every_stage_and_every_input() {
    let mut is = format!("\n{:<10}", "");
    for input in INPUTS {
        is += &format!(" {input:<17}");
    }
    for stage in STAGES {
        is = format!("{}\n{stage:<10}", is.trim_end());
        for input in INPUTS {
            is += &format!(" {:<17}", outcome(stage, input));
        }
    }
    let is = is.trim_end().to_owned() + "\n";
    assert!(is == TABLE, "the table is now:\n{is}");
}

/// Services that have not seen the wish to end may still be about to start: their not being alive is
/// not the end then.
#[test]
fn waits_for_services_that_are_still_wanted() {
    let mut shutdown = in_stage("stopping");
    let mut picture = Picture {
        alive: 0,
        wanted: 1,
        ..Picture::default()
    };
    let mut out = Actions::default();
    shutdown.step(&mut Pass {
        now: NOW,
        fact: &Fact::Tick,
        settings: &Settings::nothing(),
        picture: &mut picture,
        out: &mut out,
    });
    assert_eq!(word(&shutdown), "stopping");
    assert_eq!(picture.ending, Ending::No);
}
