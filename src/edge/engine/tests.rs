//! The thread against an engine that says what it is told to say.

mod stuck;

use super::fake::{Fake, Manner, event};
use super::*;
use crate::core::fact::{Exit, Health, Obstacle, Thread};
use crate::core::settings::Unhealthy;
use crate::edge::inbox::{Facts, inbox};
use crate::edge::orders::{Orders, with_bell};
use crate::edge::pulse::Pulse;
use std::sync::Arc;

const WEB: ServiceId = ServiceId(3);

const UP: &str = r#"{"Status":"running","Pid":812,"StartedAt":"2026-11-27T10:00:00Z",
    "FinishedAt":"0001-01-01T00:00:00Z"}"#;

/// The same life, over.
const ENDED: &str = r#"{"Status":"exited","Pid":0,"ExitCode":3,"StartedAt":"2026-11-27T10:00:00Z",
    "FinishedAt":"2026-11-27T10:00:30Z"}"#;

/// Ten seconds before that.
const BEFORE: i128 = 1_795_773_620_000_000_000;

struct Rig {
    fake: Fake,
    orders: Orders<KeeperOrder>,
    facts: Facts,
    thread: std::thread::JoinHandle<io::Result<()>>,
}

/// With an engine of this kind whose one container stands so, if there is one.
fn rig_of(engine: Engine, state: Option<&str>, change: impl FnOnce(&Fake, &mut Engines)) -> Rig {
    let fake = Fake::new();
    if let Some(state) = state {
        fake.stands(state);
    }
    let pulse = Arc::new(Pulse::new(Thread::Engine, Duration::from_secs(30)));
    let (orders, work) = with_bell(8, pulse).unwrap();
    let (inbox, facts) = inbox();
    let keeper = Keeper::Engine {
        engine,
        socket: fake.socket().to_str().unwrap().into(),
        container: "web".into(),
        unhealthy: Unhealthy::Restart,
    };
    let mut engines = Engines::new(&[(WEB, keeper)], false, inbox);
    change(&fake, &mut engines);
    let thread = std::thread::spawn(move || engines.run(&work));
    Rig {
        fake,
        orders,
        facts,
        thread,
    }
}

fn rig(state: &str) -> Rig {
    rig_of(Engine::Docker, Some(state), |_, _| {})
}

/// One that runs, and whose news are heard.
fn listening() -> Rig {
    let mut rig = rig(UP);
    assert_eq!(rig.standing(), up());
    while !rig.fake.is_heard() {
        std::thread::yield_now();
    }
    rig
}

impl Rig {
    fn give(&self, order: KeeperOrder) {
        self.orders.give(clock::now(), order).unwrap();
    }

    fn start(&self, order: u64) {
        let (order, service) = (OrderId(order), WEB);
        self.give(KeeperOrder::Start { order, service });
    }

    fn signal(&self, order: u64, signal: Signal) {
        let (order, service) = (OrderId(order), WEB);
        self.give(KeeperOrder::Signal {
            order,
            service,
            signal,
            reach: crate::core::action::Reach::All,
        });
    }

    fn next(&mut self) -> Fact {
        let now = clock::now();
        let until = Some(now.after(Duration::from_secs(20)));
        let fact = self.facts.wait_until(now, until);
        fact.expect("a fact within 20 s")
    }

    fn standing(&mut self) -> Standing {
        match self.next() {
            Fact::Kept { service, standing } if service == WEB => standing,
            other => panic!("{other:?}"),
        }
    }

    /// It stands so from now on, and the engine tells.
    fn becomes(&self, state: &str) {
        self.fake.stands(state);
        self.fake.tell("die");
    }

    /// What it was told to do.
    fn asked(&self) -> Vec<String> {
        let asked = &self.fake.says().asked;
        let orders = asked.iter().filter(|line| line.starts_with("POST"));
        orders.cloned().collect()
    }

    /// How often it was asked for the events of an end.
    fn histories(&self) -> usize {
        let asked = &self.fake.says().asked;
        asked.iter().filter(|line| line.contains("since=")).count()
    }

    fn end(self) {
        self.give(KeeperOrder::Quit);
        self.thread.join().unwrap().unwrap();
    }
}

fn done(order: u64, outcome: Result<(), Fault>) -> Fact {
    let order = OrderId(order);
    Fact::Done { order, outcome }
}

fn up() -> Standing {
    let text = format!(r#"{{"Id":"4d4f","State":{UP}}}"#);
    inspect::seen(text.as_bytes()).unwrap().standing
}

fn ended(exit: Exit, told: bool) -> Standing {
    Standing::Down {
        exit,
        told,
        obstacle: None,
    }
}

/// The first look is told; then what is new is, as soon as the engine says that there is something. An
/// order is answered, and then how the container stands is said in any case.
#[test]
fn looks_and_orders() {
    let mut rig = listening();
    rig.becomes(ENDED);
    assert_eq!(rig.standing(), ended(Exit::Code(3), false));
    rig.start(5);
    assert_eq!(rig.next(), done(5, Ok(())));
    assert_eq!(rig.standing(), ended(Exit::Code(3), false));
    rig.fake.says().obeys = 304;
    rig.start(6);
    assert_eq!(rig.next(), done(6, Ok(())));
    assert_eq!(rig.standing(), ended(Exit::Code(3), false));
    assert_eq!(rig.asked(), ["POST /containers/web/start"; 2]);
    // Of one end, the engine is asked once.
    assert_eq!(rig.histories(), 1);
    rig.end();
}

/// What somebody has stopped is told from what has ended by itself; what we have had stopped is known.
#[test]
fn who_ended_it() {
    let mut rig = listening();
    rig.fake.says().history = event("kill", "\"signal\":\"15\",", BEFORE);
    rig.becomes(ENDED);
    assert_eq!(rig.standing(), ended(Exit::Code(3), true));
    let other = ENDED.replace("10:00:00Z", "10:00:25Z");
    rig.becomes(&UP.replace("10:00:00Z", "10:00:25Z"));
    assert!(matches!(rig.standing(), Standing::Up { .. }));
    // That was of the life before.
    rig.becomes(&other.replace("10:00:30Z", "10:00:31Z"));
    assert_eq!(rig.standing(), ended(Exit::Code(3), false));
    assert_eq!(rig.histories(), 2);
    rig.becomes(UP);
    assert_eq!(rig.standing(), up());
    rig.signal(1, Signal::Stop);
    assert_eq!(rig.next(), done(1, Ok(())));
    assert_eq!(rig.standing(), up());
    rig.becomes(&ENDED.replace("10:00:30Z", "10:00:32Z"));
    assert_eq!(rig.standing(), ended(Exit::Code(3), true));
    assert_eq!(rig.histories(), 2);
    assert_eq!(rig.asked(), ["POST /containers/web/kill?signal=SIGINT"]);
    rig.end();
}

/// Podman tells of a stop when it is over: it is asked once more.
#[test]
fn a_stop_may_be_told_late() {
    let mut rig = rig_of(Engine::Podman, Some(ENDED), |_, _| {});
    assert_eq!(rig.standing(), Standing::Going);
    while rig.histories() == 0 {
        std::thread::yield_now();
    }
    rig.fake.says().history = event("stop", "", BEFORE);
    assert_eq!(rig.standing(), ended(Exit::Code(3), true));
    rig.end();
}

/// An engine that is gone is no container that is down; one that ends takes its containers along.
#[test]
fn an_engine_comes_and_goes() {
    let mut rig = listening();
    rig.fake.go();
    let gone = |standing| {
        matches!(
            standing,
            Standing::Unknown {
                why: Fault::Errno(_)
            }
        )
    };
    assert!(gone(rig.standing()));
    rig.start(1);
    assert_eq!(rig.next(), done(1, Err(UNANSWERED)));
    rig.fake.come();
    assert_eq!(rig.standing(), up());
    while !rig.fake.is_heard() {
        std::thread::yield_now();
    }
    rig.fake.go();
    assert!(gone(rig.standing()));
    rig.fake.stands(ENDED);
    rig.fake.come();
    assert_eq!(rig.standing(), ended(Exit::Unknown, false));
    rig.end();
}

/// Whatever it answers: nothing is known then, and all is well when it answers as it should.
#[test]
fn answers_that_are_none() {
    let reset = Fault::Errno(Errno(libc::ECONNRESET));
    for (manner, why) in [
        (Manner::Never, UNANSWERED),
        (Manner::Half, reset.clone()),
        (Manner::Huge, Fault::Implausible),
        (Manner::Garbage, Fault::Implausible),
        (Manner::Closes, reset),
    ] {
        let mut rig = rig_of(Engine::Docker, Some(UP), |fake, engines| {
            fake.says().manner = manner;
            if manner == Manner::Never {
                engines.patience.answer = Duration::from_millis(200);
            }
        });
        let unknown = Standing::Unknown { why };
        assert_eq!(rig.standing(), unknown, "{manner:?}");
        rig.signal(1, Signal::Kill);
        assert!(
            matches!(
                rig.next(),
                Fact::Done {
                    outcome: Err(_),
                    ..
                }
            ),
            "{manner:?}"
        );
        rig.fake.says().manner = Manner::Well;
        assert_eq!(rig.standing(), up(), "{manner:?}");
        rig.end();
    }
}

/// An answer that is no container's says nothing of that one, and of no other.
#[test]
fn nonsense_about_a_container() {
    let mut rig = rig(r#"{"Status":"happy"}"#);
    let why = Fault::Implausible;
    assert_eq!(rig.standing(), Standing::Unknown { why });
    rig.fake.stands(UP);
    assert_eq!(rig.standing(), up());
    rig.end();
}

#[test]
fn what_cannot_be_started() {
    let mut rig = rig_of(Engine::Docker, None, |_, _| {});
    let of = |standing| match standing {
        Standing::Down { obstacle, told, .. } => (obstacle, told),
        other => panic!("{other:?}"),
    };
    assert_eq!(of(rig.standing()), (Some(Obstacle::Missing), true));
    while !rig.fake.is_heard() {
        std::thread::yield_now();
    }
    rig.fake
        .stands(r#"{"Status":"created","StartedAt":"0001-01-01T00:00:00Z"}"#);
    rig.fake.tell("create");
    assert_eq!(of(rig.standing()), (None, false));
    rig.fake.says().obeys = 500;
    rig.start(1);
    assert_eq!(rig.next(), done(1, Err(REFUSED)));
    assert_eq!(of(rig.standing()), (None, false));
    assert_eq!(rig.histories(), 0);
    rig.end();
}

/// What its HEALTHCHECK finds is said as soon as the engine tells.
#[test]
fn health_is_told() {
    let healthy = |word: &str| {
        let health = format!(r#""Health":{{"Status":"{word}"}},"Pid""#);
        UP.replace("\"Pid\"", &health)
    };
    let of = |standing| match standing {
        Standing::Up { health, .. } => health,
        other => panic!("{other:?}"),
    };
    let mut rig = listening();
    for (word, health) in [
        ("starting", Health::Awaited),
        ("unhealthy", Health::Ill),
        ("healthy", Health::Well),
    ] {
        rig.fake.stands(&healthy(word));
        rig.fake.tell(&format!("health_status: {word}"));
        assert_eq!(of(rig.standing()), health);
    }
    rig.end();
}

/// One that is frozen counts as stopped by somebody; to be ended, it has to go on first.
#[test]
fn what_is_paused() {
    let mut rig = listening();
    rig.fake.stands(&UP.replace("running", "paused"));
    rig.fake.tell("pause");
    let paused = Standing::Down {
        exit: Exit::Unknown,
        told: true,
        obstacle: Some(Obstacle::Paused),
    };
    assert_eq!(rig.standing(), paused);
    rig.signal(1, Signal::Kill);
    assert_eq!(rig.next(), done(1, Ok(())));
    let asked = [
        "POST /containers/web/unpause",
        "POST /containers/web/kill?signal=SIGKILL",
    ];
    assert_eq!(rig.asked(), asked);
    rig.end();
}

/// Where no events are to be had, looks tell, later.
#[test]
fn without_news() {
    let mut rig = rig_of(Engine::Docker, Some(UP), |fake, engines| {
        fake.says().tells = 500;
        engines.patience.deaf = Duration::from_millis(100);
    });
    assert_eq!(rig.standing(), up());
    rig.fake.stands(ENDED);
    assert_eq!(rig.standing(), ended(Exit::Code(3), false));
    rig.end();
}

/// Where nobody may be asked nothing is known, and nothing can be had.
#[test]
fn without_an_engine() {
    let mut rig = rig_of(Engine::Docker, Some(UP), |_, engines| engines.barred = true);
    let why = Fault::Absent;
    assert_eq!(rig.standing(), Standing::Unknown { why });
    rig.start(1);
    assert_eq!(rig.next(), done(1, Err(Fault::Absent)));
    rig.end();
}

/// Two containers of one socket are of one host, and other services are none of ours.
#[test]
fn hosts_are_shared() {
    let (inbox, _facts) = inbox();
    let of = |socket: &str, name: &str| Keeper::Engine {
        engine: Engine::Docker,
        socket: socket.into(),
        container: name.into(),
        unhealthy: Unhealthy::Restart,
    };
    let unit = Keeper::Systemd {
        unit: "web.service".into(),
        own_start: true,
        own_stop: true,
    };
    let kept = [
        (ServiceId(0), of("/a", "x")),
        (ServiceId(1), unit),
        (ServiceId(2), of("/a", "y")),
        (ServiceId(3), of("/b", "x")),
    ];
    let engines = Engines::new(&kept, false, inbox);
    let hosts = engines.containers.iter().map(|c| (c.service.0, c.host));
    assert_eq!(hosts.collect::<Vec<_>>(), [(0, 0), (2, 0), (3, 1)]);
}
