//! Whole files.

use crate::core::action::{Action, Actions};
use crate::core::fact::{Fact, OrderId, RunId, ServiceId};
use crate::core::note::Note;
use crate::text::samples;
use crate::trace::{TraceError, open, opening, step_lines};
use crate::units::Mono;

const SCENARIO: &str = "\
#:fieldwarden-trace 1
#:boot 5f0c
# Shows that a crash is answered at once.
[service.web]
command = [\"/bin/web\"]
----

# It crashes.
12.400 child web run=1 exited code=1
        > start web run=2 order=7
        > pet
        # why: restart = always
        ! service-exited service=web code=1 asked=no lived=3.2s

12.500 tick
# The end.
";

fn message(error: &TraceError) -> String {
    error.to_string()
}

/// A document gives back its header, its steps with their echoes, and every remark.
#[test]
fn everything_is_found() {
    let settings = samples::field();
    let document = open("a.txt", SCENARIO).unwrap();
    assert_eq!(document.meta("boot"), Some("5f0c"));
    assert_eq!(document.meta("host"), None);
    assert!(document.config.ends_with("command = [\"/bin/web\"]\n"));

    let mut steps = document.steps(&settings);
    let first = steps.next().unwrap().unwrap();
    assert_eq!((first.line, first.at), (9, Mono(12_400)));
    assert_eq!(first.lead, ["", "# It crashes."]);
    let orders: Vec<_> = first.orders.iter().map(|o| (o.text, o.order)).collect();
    assert_eq!(
        orders,
        [("start web run=2", Some(OrderId(7))), ("pet", None)]
    );
    assert_eq!(first.notes[0].line, 13);
    assert_eq!(
        first.notes[0].text,
        "service-exited service=web code=1 asked=no lived=3.2s"
    );

    let second = steps.next().unwrap().unwrap();
    assert_eq!((second.line, second.lead), (15, vec![""]));
    assert!(second.orders.is_empty() && second.notes.is_empty());
    assert!(steps.next().is_none());
    assert_eq!(steps.remarks(), ["# The end."]);
}

/// What the recorder writes is a document with the same steps.
#[test]
fn what_is_recorded_is_read() {
    let settings = samples::field();
    let config = "motto = '''\n----\n'''";
    let mut text = opening(&[("boot", "5f\n0c")], config);
    let mut answer = Actions::default();
    answer.push(Action::Start {
        service: ServiceId(1),
        run: RunId(2),
    });
    answer.note(Note::ClockSynced);
    text.push_str(&step_lines(Mono(5), &Fact::Tick, &answer, &settings));

    let document = open("trace", &text).unwrap();
    assert_eq!(document.meta("boot"), Some("5f 0c"));
    assert!(document.config.ends_with("motto = '''\n---- \n'''\n"));
    let steps: Vec<_> = document.steps(&settings).map(Result::unwrap).collect();
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].at, &steps[0].fact), (Mono(5), &Fact::Tick));
    assert_eq!(steps[0].orders[0].text, "start web run=2");
    assert_eq!(steps[0].orders[0].order, Some(OrderId(1)));
    assert_eq!(steps[0].notes[0].text, "clock-synced");
}

/// Headers that are refused, with the reason.
#[test]
fn refused_headers() {
    let cases = [
        (
            "",
            "a.txt:1: not a trace: the first line must be `#:fieldwarden-trace 1`",
        ),
        (
            "#:fieldwarden-trace\n----\n",
            "a.txt:1: not a trace: the first line must be `#:fieldwarden-trace 1`",
        ),
        (
            "#:fieldwarden-trace 2\n----\n",
            "a.txt:1: trace of version 2, but this fieldwarden reads versions up to 1: use the \
             fieldwarden that wrote it, or a newer one",
        ),
        (
            "#:fieldwarden-trace 1\n[a]\n-----\n",
            "a.txt:3: no line `----` between the configuration and the facts",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(message(&open("a.txt", text).unwrap_err()), expected);
    }
}

/// Steps that are refused, with file and line; what stands above is still given.
#[test]
fn refused_steps() {
    let cases = [
        (
            "1.000 tick\n\n2.000 child wbe run=1 ready\n3.000 tick\n",
            "a.txt:5: the configuration has no service `wbe`; did you mean `web`?",
        ),
        (
            "1.000 tick\n0.999 tick\n",
            "a.txt:4: time runs backwards: the fact before this one is from 1.000",
        ),
        (
            "1.000 tick\n        > start web run=2\n2.000 chi",
            "a.txt:5: the file ends in the middle of this line; everything above it is whole",
        ),
        (
            "1.000 tick\n        > start web r",
            "a.txt:4: the file ends in the middle of this line; everything above it is whole",
        ),
    ];
    for (body, expected) in cases {
        let text = format!("#:fieldwarden-trace 1\n----\n{body}");
        let settings = samples::field();
        let mut steps = open("a.txt", &text).unwrap().steps(&settings);
        assert_eq!(steps.next().unwrap().unwrap().fact, Fact::Tick);
        let error = steps.next().unwrap().unwrap_err();
        assert_eq!(message(&error), expected);
        assert!(steps.next().is_none());
    }
}

/// An echo above the first fact belongs to nothing.
#[test]
fn orphaned_echo() {
    let text = "#:fieldwarden-trace 1\n----\n        > pet\n";
    let settings = samples::field();
    let error = open("a.txt", text)
        .unwrap()
        .steps(&settings)
        .next()
        .unwrap()
        .unwrap_err();
    assert_eq!(
        message(&error),
        "a.txt:3: a line with `>` or `!` belongs to a fact, and there is none above it"
    );
}

/// Lines that end in CR LF read the same.
#[test]
fn windows_line_ends() {
    let text = SCENARIO.replace('\n', "\r\n");
    let settings = samples::field();
    let steps: Vec<_> = open("a.txt", &text)
        .unwrap()
        .steps(&settings)
        .map(Result::unwrap)
        .collect();
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0].orders[1].text, "pet");
}

/// Cutting a recording anywhere loses at most the step it was cut in, and invents nothing.
#[test]
fn cut_anywhere() {
    let settings = samples::field();
    let whole: Vec<_> = open("a", SCENARIO)
        .unwrap()
        .steps(&settings)
        .map(|s| s.unwrap().fact)
        .collect();
    for end in 0..SCENARIO.len() {
        let Ok(document) = open("a", &SCENARIO[..end]) else {
            continue;
        };
        let facts: Vec<_> = document
            .steps(&settings)
            .map_while(|s| s.ok().map(|s| s.fact))
            .collect();
        assert!(whole.starts_with(&facts), "cut at {end}");
    }
}
