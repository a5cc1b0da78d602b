//! The page on power shows what follows when mains come back or stay away, in each case that can come
//! about: made from the function that decides it.

use super::page::{page, root};
use fieldwarden::core::comeback::{
    ABILITIES, Ability, Answer, EVENTS, Event, KNOWN, Knows, STAGES, Stage, answer,
};
use std::fs;

const PAGE: &str = "docs/power.md";
const FROM: &str = "<!-- generated: return of power -->\n";
const TO: &str = "<!-- end of what is generated -->\n";

/// Every case is shown, as the program decides it.
#[test]
fn every_case_of_a_return_is_shown() {
    let text = page(PAGE).text;
    let (head, rest) = text.split_once(FROM).expect("the first mark");
    let (shown, tail) = rest.split_once(TO).expect("the last mark");
    let now: String = EVENTS.into_iter().map(table).collect();
    if std::env::var_os("REWRITE").is_some() {
        let text = format!("{head}{FROM}{now}{TO}{tail}");
        fs::write(root().join(PAGE), text).expect("writable sources");
        return;
    }
    assert!(shown == now, "{PAGE} differs; REWRITE=1 rewrites it");
}

fn table(event: Event) -> String {
    let title = match event {
        Event::Back => "Mains are back",
        Event::Away => "Mains stay away",
        Event::AwayAgain => "Mains go again, after the halt has become a restart",
    };
    let rows: String = STAGES.into_iter().map(|stage| rows(event, stage)).collect();
    format!(
        "\n### {title}\n\n| the machine | the board | holds the power | cuts ahead, can forget | \
         cuts ahead, cannot forget |\n|---|---|---|---|---|\n{rows}"
    )
}

/// The cases of a stage: one row where all of them have the same answer.
fn rows(event: Event, stage: Stage) -> String {
    let cases = KNOWN.map(|knows| row(event, stage, knows));
    let cells = |row: &str| {
        row.split(" | ")
            .skip(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows: Vec<String> = cases.into_iter().flatten().collect();
    let said: Vec<String> = rows
        .iter()
        .flat_map(|row| cells(row.trim_end_matches(" |\n")))
        .collect();
    let mut said: Vec<&String> = said.iter().filter(|cell| !cell.trim().is_empty()).collect();
    said.dedup();
    match said[..] {
        [one] if rows.len() > 1 => {
            format!(
                "| {} | whatever it knows | {one} | {one} | {one} |\n",
                of(stage)
            )
        }
        _ => rows.concat(),
    }
}

/// `None` if this case cannot come about with any board.
fn row(event: Event, stage: Stage, knows: Knows) -> Option<String> {
    let cells = ABILITIES.map(|ability: Ability| {
        let possible = stage.is_possible(knows, ability, event);
        possible.then(|| said(answer(event, stage, knows, ability)))
    });
    cells.iter().any(Option::is_some).then(|| {
        let cells = cells.map(Option::unwrap_or_default).join(" | ");
        format!("| {} | {} | {cells} |\n", of(stage), board(knows))
    })
}

fn of(stage: Stage) -> &'static str {
    match stage {
        Stage::Riding => "runs on its battery",
        Stage::Begun => "stops services, records, syncs",
        Stage::Telling => "tells the board",
        Stage::Asked => "has asked init",
        Stage::Forced => "is ended without init",
        Stage::Unmounted => "has unmounted everything",
    }
}

fn board(knows: Knows) -> &'static str {
    match knows {
        Knows::Nothing => "knows of no cut",
        Knows::Maybe => "may know of the cut",
        Knows::Took => "took the cut",
        Knows::Keeps { certain: false } => "does not forget what it may know",
        Knows::Keeps { certain: true } => "does not forget the cut",
    }
}

fn said(answer: Answer) -> &'static str {
    match answer {
        Answer::Resume => "services come back",
        Answer::Ride => "goes by the plan",
        Answer::TakeBack => "halt taken back",
        Answer::Restart => "restart",
        Answer::Forget { restart: false } => "board forgets first",
        Answer::Forget { restart: true } => "board forgets, and restart in any case",
        Answer::Insist => "board cuts if it hears it again, else restart",
        Answer::GoOn => "goes off, and the board cuts",
        Answer::Cut => "board cuts, if it can",
        Answer::Keep => "goes on",
    }
}
