//! Plays a script: reads its lines, keeps time, and writes down what the core answers.

use crate::answers::Answers;
use fieldwarden::config;
use fieldwarden::core::action::Actions;
use fieldwarden::core::fact::Fact;
use fieldwarden::core::settings::Settings;
use fieldwarden::core::{BootFacts, Core};
use fieldwarden::trace::{self, action_line, fact_line, note_line, order_line, parse_fact};
use fieldwarden::units::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// Facts that a script may bring about by itself before its next line. More mean a circle.
const MOST_STEPS: u32 = 20_000;

/// How a file is played.
struct Form {
    /// It is a script: deadlines come due and orders are answered by themselves. Otherwise it was
    /// recorded, and holds every fact.
    script: bool,
    /// First words of orders that are not written down.
    hide: Vec<String>,
    boot: BootFacts,
}

/// A core on the stage.
pub struct Stage {
    settings: Settings,
    form: Form,
    core: Core,
    out: Actions,
    answers: Answers,
    now: Mono,
    ended: bool,
    /// Facts that follow from orders and have not been given yet.
    following: VecDeque<Fact>,
    text: String,
}

impl Stage {
    /// The text of the whole file as it should be. `Err` begins with the number of the line.
    pub fn play(name: &str, text: &str) -> Result<String, String> {
        let document = trace::open(name, text).map_err(|e| e.to_string())?;
        let board: Vec<&str> = document.metas("board").collect();
        let shelf = match board.is_empty() {
            true => config::Shelf::built_in(),
            false => config::Shelf::recorded(board.join("\n")),
        };
        let loaded = config::parse_with(name, document.config, &shelf);
        let loaded = loaded.map_err(|e| e.to_string())?;
        let settings = loaded.config.settings;
        let form = form(&document)?;
        let mut stage = Stage {
            core: Core::new(settings.clone(), form.boot),
            settings,
            form,
            out: Actions::default(),
            answers: Answers::default(),
            now: Mono(0),
            ended: false,
            following: VecDeque::new(),
            text: format!("{}{}\n", document.config, trace::SEPARATOR),
        };
        let header = document.config.lines().count() + 1;
        for (number, line) in (1..).zip(text.lines()).skip(header) {
            // What is indented was written by us.
            if !line.starts_with(' ') {
                stage.line(line).map_err(|why| format!("{number}: {why}"))?;
            }
        }
        Ok(stage.text)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            self.write(line);
            return Ok(());
        }
        if let Some(how) = line.strip_prefix("answer ") {
            self.write(line);
            return self.answers.set(how, &self.settings);
        }
        if line == "end" {
            self.write(line);
            return self.play_to_the_end();
        }
        let (at, fact) = parse_fact(line, &self.settings).map_err(|e| e.to_string())?;
        if at < self.now {
            return Err(format!("time runs backwards: it is {}", self.now));
        }
        if self.form.script {
            self.pass_time(at, fact == Fact::Tick)?;
        }
        if self.ended {
            return Err("the daemon has ended".to_owned());
        }
        self.now = at;
        self.write(line);
        self.step(&fact);
        self.follow()
    }

    /// Lets time pass until the daemon has ended.
    fn play_to_the_end(&mut self) -> Result<(), String> {
        self.pass_time(Mono(u64::MAX), true)?;
        match self.ended {
            true => Ok(()),
            false => Err("the daemon does not end".to_owned()),
        }
    }

    /// Lets all deadlines come due that lie before this time, or up to it.
    fn pass_time(&mut self, until: Mono, tick: bool) -> Result<(), String> {
        for _ in 0..MOST_STEPS {
            // A tick of the script stands for the deadlines at its own time.
            let due = self.core.deadline().map(|d| d.max(self.now));
            let Some(due) = due.filter(|d| *d < until || (!tick && *d == until)) else {
                return Ok(());
            };
            if self.ended {
                return Ok(());
            }
            self.now = due;
            self.by_itself(&Fact::Tick);
            self.follow()?;
        }
        Err("deadlines without end".to_owned())
    }

    /// Gives all facts that follow from orders.
    fn follow(&mut self) -> Result<(), String> {
        for _ in 0..MOST_STEPS {
            if self.ended {
                return Ok(());
            }
            let overdue = self.form.script && self.core.deadline().is_some_and(|d| d <= self.now);
            match self.following.pop_front() {
                Some(fact) => self.by_itself(&fact),
                None if overdue => self.by_itself(&Fact::Tick),
                None => return Ok(()),
            }
        }
        Err("facts without end".to_owned())
    }

    /// A fact that is not in the script: written down if anything comes of it.
    fn by_itself(&mut self, fact: &Fact) {
        let before = self.text.len();
        let line = fact_line(self.now, fact, &self.settings);
        self.write(&format!("  {line}"));
        let shown = self.text.len();
        self.step(fact);
        if self.text.len() == shown {
            self.text.truncate(before);
        }
    }

    fn step(&mut self, fact: &Fact) {
        self.core.step(self.now, fact, &mut self.out);
        let answer = self.out.take();
        for order in &answer.orders {
            let line = match self.form.script {
                true => action_line(&order.action, &self.settings),
                false => order_line(order, &self.settings),
            };
            let word = line.trim_start_matches([' ', '>']).split(' ').next();
            if !self.form.hide.iter().any(|h| Some(h.as_str()) == word) {
                self.write(&line);
            }
            use fieldwarden::core::action::Action;
            self.ended |= matches!(order.action, Action::Exit { .. } | Action::HandOver);
            if self.form.script {
                let facts = self.answers.to(order, &self.settings);
                self.following.extend(facts);
            }
        }
        for note in &answer.notes {
            let line = note_line(note, &self.settings);
            self.write(&line);
        }
    }

    fn write(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn form(document: &trace::Document) -> Result<Form, String> {
    let script = document.config.lines().any(|l| l == "#:script");
    let init = document.meta("init-watchdog").filter(|m| *m != "none");
    let seconds = |text: &str| {
        let number = text.strip_suffix('s')?.parse().ok()?;
        Some(Duration::from_secs(number))
    };
    let millis = |text: &str| {
        Some(Duration::from_millis(
            text.strip_suffix("ms")?.parse().ok()?,
        ))
    };
    let wrong = |what: &str| format!("1: `#:{what}` is wrong");
    Ok(Form {
        script,
        hide: document
            .meta("hide")
            .map(|words| words.split(' ').map(str::to_owned).collect())
            .unwrap_or_default(),
        boot: BootFacts {
            seed: match document.meta("jitter") {
                Some(text) => text.parse().map_err(|_| wrong("jitter"))?,
                None => 1,
            },
            init_watchdog: match init {
                Some(text) => Some(
                    millis(text)
                        .or_else(|| seconds(text))
                        .ok_or_else(|| wrong("init-watchdog"))?,
                ),
                None => None,
            },
            first: document.meta("first") != Some("no"),
        },
    })
}
