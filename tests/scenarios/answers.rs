//! What becomes of orders in a script: the answers of threads, processes and devices.

use fieldwarden::core::action::{Action, Order, Signal};
use fieldwarden::core::fact::{
    Asker, Change, Exit, Fact, Fault, Health, Life, OrderId, Pid, Probed, Reading, Request,
    Standing, Ticket, WatchdogSeen,
};
use fieldwarden::core::settings::Settings;
use fieldwarden::text::probe_kind_word;
use fieldwarden::trace::parse_fact;
use fieldwarden::units::Mono;
use std::collections::BTreeMap;

/// Words that can stand behind `answer`.
const WORDS: [&str; 23] = [
    "start",
    "stop",
    "abort",
    "restart",
    "kill",
    "arm",
    "pet",
    "disarm",
    "record",
    "keep",
    "sync",
    "cut",
    "init",
    "force",
    "light",
    "check",
    "set-rtc",
    "trim",
    "other",
    "startup",
    "readiness",
    "liveness",
    "isolation",
];

/// What an order is answered with.
#[derive(Clone)]
enum Answer {
    /// Nothing: whoever should do it is stuck.
    Nothing,
    /// It is refused.
    Refused(Fault),
    /// It is carried out, and this happens to the process.
    Process(Change),
    /// It is carried out, and the device says this.
    Device(WatchdogSeen),
    /// The probe is made, and this comes of it.
    Probed(Probed),
    /// Its keeper does it, and this is how it stands then.
    Stands(Standing),
}

/// The answers that are in force.
#[derive(Default)]
pub struct Answers {
    /// By word, or by word and name of a service: `stop`, `stop.web`.
    given: BTreeMap<String, Answer>,
    pids: u32,
}

impl Answers {
    /// Takes in a line `answer WORD[.SERVICE] HOW`, without its first word.
    pub fn set(&mut self, line: &str, settings: &Settings) -> Result<(), String> {
        let (key, how) = line.split_once(' ').ok_or("`answer ORDER HOW` is wanted")?;
        let (word, service) = key.split_once('.').unwrap_or((key, ""));
        if !WORDS.contains(&word) {
            return Err(format!(
                "`{word}` cannot be answered, only {}",
                WORDS.join(", ")
            ));
        }
        if !service.is_empty() && settings.service(service).is_none() {
            return Err(format!("the configuration has no service `{service}`"));
        }
        if how == "ok" {
            self.given.remove(key);
            return Ok(());
        }
        self.given.insert(key.to_owned(), answer(how, settings)?);
        Ok(())
    }

    /// The facts that follow from an order.
    pub fn to(&mut self, order: &Order, settings: &Settings) -> Vec<Fact> {
        let id = order.id;
        match &order.action {
            Action::Start { service, run } => {
                self.pids += 1;
                // Numbers from 1001 on are within the limits of a pid.
                let usual = Pid::new(1000 + self.pids).map(|pid| Change::Started { pid });
                self.process("start", order, (*service, *run), usual, settings)
            }
            Action::Signal {
                service,
                run,
                signal,
                ..
            } => {
                let (word, number) = match signal {
                    Signal::Stop => ("stop", 15),
                    Signal::Abort => ("abort", 6),
                    Signal::Kill => ("kill", 9),
                    Signal::Restart => ("restart", 15),
                };
                let mut usual = Change::Exited(Exit::Signal(number));
                if *signal == Signal::Restart {
                    self.pids += 1;
                    let pid = Pid::new(1000 + self.pids);
                    usual = pid.map_or(usual, |pid| Change::Started { pid });
                }
                self.process(word, order, (*service, *run), Some(usual), settings)
            }
            Action::Arm { timeout } => {
                let usual = WatchdogSeen {
                    identity: "simulated timer".into(),
                    timeout: *timeout,
                    nowayout: false,
                    caused_reset: false,
                };
                match self.given.get("arm") {
                    Some(Answer::Nothing) => Vec::new(),
                    Some(Answer::Refused(why)) => vec![refused(id, why)],
                    Some(Answer::Device(seen)) => armed(id, seen.clone()),
                    Some(Answer::Process(_) | Answer::Probed(_) | Answer::Stands(_)) | None => {
                        armed(id, usual)
                    }
                }
            }
            Action::Probe {
                service,
                run,
                kind,
                attempt,
            } => {
                let word = probe_kind_word(*kind);
                let own = format!("{word}.{}", settings.name(*service));
                let probed = match self.given.get(&own).or_else(|| self.given.get(word)) {
                    Some(Answer::Nothing) => return Vec::new(),
                    Some(Answer::Refused(why)) => return vec![refused(id, why)],
                    Some(Answer::Probed(probed)) => *probed,
                    Some(Answer::Process(_) | Answer::Device(_) | Answer::Stands(_)) | None => {
                        Probed::Good
                    }
                };
                vec![Fact::Child {
                    service: *service,
                    run: *run,
                    change: Change::Probed {
                        kind: *kind,
                        attempt: *attempt,
                        probed,
                    },
                }]
            }
            Action::Pet => self.plain("pet", id),
            Action::Disarm => self.plain("disarm", id),
            Action::Light(_) => self.plain("light", id),
            Action::Record(_) => self.plain("record", id),
            Action::Sync => self.plain("sync", id),
            Action::SetRtc => self.plain("set-rtc", id),
            Action::Trim { .. } => self.plain("trim", id),
            Action::CutPower { .. } => self.plain("cut", id),
            Action::AskInit { .. } => self.init(id),
            // A kernel that halts says nothing any more.
            Action::ForceHalt { .. } if !self.given.contains_key("force") => Vec::new(),
            Action::ForceHalt { .. } => self.plain("force", id),
            // Answered only if it fails.
            Action::Keep(_) | Action::KeepHold { .. } if !self.given.contains_key("keep") => {
                Vec::new()
            }
            Action::Keep(_) | Action::KeepHold { .. } => self.plain("keep", id),
            Action::WatchGauge { .. }
            | Action::RollCall { .. }
            | Action::Reply { .. }
            | Action::Announce(_) => self.plain("other", id),
            Action::CheckConfig => self.plain("check", id),
            Action::HandOver | Action::Exit { .. } => Vec::new(),
        }
    }

    fn process(
        &self,
        word: &str,
        order: &Order,
        (service, run): (
            fieldwarden::core::fact::ServiceId,
            fieldwarden::core::fact::RunId,
        ),
        usual: Option<Change>,
        settings: &Settings,
    ) -> Vec<Fact> {
        let own = format!("{word}.{}", settings.name(service));
        let change = match self.given.get(&own).or_else(|| self.given.get(word)) {
            Some(Answer::Nothing | Answer::Device(_) | Answer::Probed(_)) => return Vec::new(),
            Some(Answer::Refused(why)) => return vec![refused(order.id, why)],
            Some(Answer::Process(change)) => Some(change.clone()),
            Some(Answer::Stands(standing)) => {
                let standing = standing.clone();
                return vec![done(order.id), Fact::Kept { service, standing }];
            }
            // Its keeper is asked, and says how it stands.
            None if settings.services[usize::from(service.0)].keeper.is_some() => {
                let told = word != "abort";
                let standing = self.usual_standing(usual.as_ref(), told);
                return vec![done(order.id), Fact::Kept { service, standing }];
            }
            None => usual,
        };
        let happens = change.map(|change| Fact::Child {
            service,
            run,
            change,
        });
        happens.into_iter().chain([done(order.id)]).collect()
    }

    /// How a service stands with its keeper when what is usual has come of an order.
    fn usual_standing(&self, usual: Option<&Change>, told: bool) -> Standing {
        match usual {
            Some(Change::Started { pid }) => Standing::Up {
                life: Life(u64::from(pid.number())),
                pid: *pid,
                again: 0,
                health: Health::Untold,
                patience: None,
            },
            Some(Change::Exited(exit)) => Standing::Down {
                exit: *exit,
                told,
                obstacle: None,
            },
            Some(_) | None => Standing::Going,
        }
    }

    /// Init that is asked to halt tells the daemon to end.
    fn init(&self, order: OrderId) -> Vec<Fact> {
        let told = Fact::Asked {
            ticket: Ticket(0),
            by: Asker::Signal(15),
            request: Request::Exit,
        };
        match self.given.get("init") {
            // It takes the signal, and nothing comes of it.
            Some(Answer::Nothing) => vec![done(order)],
            Some(Answer::Refused(why)) => vec![refused(order, why)],
            Some(
                Answer::Process(_) | Answer::Device(_) | Answer::Probed(_) | Answer::Stands(_),
            )
            | None => {
                vec![done(order), told]
            }
        }
    }

    fn plain(&self, word: &str, order: OrderId) -> Vec<Fact> {
        match self.given.get(word) {
            Some(Answer::Nothing) => Vec::new(),
            Some(Answer::Refused(why)) => vec![refused(order, why)],
            Some(
                Answer::Process(_) | Answer::Device(_) | Answer::Probed(_) | Answer::Stands(_),
            )
            | None => {
                vec![done(order)]
            }
        }
    }
}

fn done(order: OrderId) -> Fact {
    Fact::Done {
        order,
        outcome: Ok(()),
    }
}

fn refused(order: OrderId, why: &Fault) -> Fact {
    Fact::Done {
        order,
        outcome: Err(why.clone()),
    }
}

fn armed(order: OrderId, seen: WatchdogSeen) -> Vec<Fact> {
    vec![Fact::Seen(Reading::Watchdog(seen)), done(order)]
}

/// `none`, `failed FAULT`, `watchdog ...`, or what happens to the process: the words of the trace.
fn answer(how: &str, settings: &Settings) -> Result<Answer, String> {
    let fact = |line: String| {
        let read: Result<(Mono, Fact), _> = parse_fact(&line, settings);
        read.map(|(_, fact)| fact).map_err(|e| e.to_string())
    };
    if how == "none" {
        return Ok(Answer::Nothing);
    }
    if how.starts_with("failed ") {
        return match fact(format!("0 done order=1 {how}"))? {
            Fact::Done {
                outcome: Err(why), ..
            } => Ok(Answer::Refused(why)),
            _ => Err("a fault is wanted behind `failed`".to_owned()),
        };
    }
    if how.starts_with("watchdog ") {
        return match fact(format!("0 seen {how}"))? {
            Fact::Seen(Reading::Watchdog(seen)) => Ok(Answer::Device(seen)),
            _ => Err("what the device says is wanted".to_owned()),
        };
    }
    let name = settings.services.first().map_or("", |s| &s.name);
    let stands = ["up ", "coming ", "going", "down ", "unknown "];
    if stands.iter().any(|word| how.starts_with(word)) {
        return match fact(format!("0 kept {name} {how}"))? {
            Fact::Kept { standing, .. } => Ok(Answer::Stands(standing)),
            _ => Err("how it stands is wanted".to_owned()),
        };
    }
    let probed = ["good", "bad ", "unsure "];
    if probed.iter().any(|word| how.starts_with(word)) {
        let line = format!("0 child {name} run=1 probed liveness attempt=1 {how}");
        return match fact(line)? {
            Fact::Child {
                change: Change::Probed { probed, .. },
                ..
            } => Ok(Answer::Probed(probed)),
            _ => Err("what comes of a probe is wanted".to_owned()),
        };
    }
    match fact(format!("0 child {name} run=1 {how}"))? {
        Fact::Child { change, .. } => Ok(Answer::Process(change)),
        _ => Err("what happens to the process is wanted".to_owned()),
    }
}
