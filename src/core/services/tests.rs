//! Shedding: who is stopped to save power, in which order, and how all come back.

use super::Services;
use crate::core::action::{Action, Actions};
use crate::core::budget::Fit;
use crate::core::fact::{Asker, Change, Exit, Fact, Pid, Request, RunId, ServiceId, Ticket};
use crate::core::intent::Outage;
use crate::core::memo::{Left, Rest};
use crate::core::picture::{Ending, Picture, Shed, Verdict};
use crate::core::settings::Settings;
use crate::core::{Down, Pass, Policy, State};
use crate::text;
use crate::units::Mono;
use std::time::Duration;

const OUTAGE: Outage = Outage {
    since: Mono(1_000),
    confirmed: true,
    shed: Shed::Nothing,
    charge: None,
    dark: None,
};

/// The database is of the class optional and is needed by the essential logger, so it counts as
/// essential.
const SERVICES: &str = r#"
[service.camera]
command = ["/usr/bin/camera"]
class = "optional"
[service.database]
command = ["/usr/bin/database"]
class = "optional"
[service.gallery]
command = ["/usr/bin/gallery"]
class = "optional"
after = ["camera"]
[service.logger]
command = ["/usr/bin/logger"]
class = "essential"
after = ["database"]
[service.uplink]
command = ["/usr/bin/uplink"]
"#;

struct Set {
    settings: Settings,
    services: Services,
    picture: Picture,
    out: Actions,
    now: Mono,
}

impl Set {
    /// All services are up.
    fn up() -> Set {
        Set::of(SERVICES)
    }

    /// The same with other services.
    fn of(services: &str) -> Set {
        let config = crate::config::parse("test", services).unwrap().config;
        let mut set = Set {
            services: Services::new(&config.settings, 1),
            settings: config.settings,
            picture: Picture::default(),
            out: Actions::default(),
            now: Mono(1_000),
        };
        set.give(&Fact::Tick);
        // Those that come after others are started as these come up.
        while set.picture.up < set.picture.wanted {
            assert!(set.run_what_is_started() > 0, "nothing is started");
        }
        set
    }

    /// One pass; what it wants done, in words.
    fn give(&mut self, fact: &Fact) -> String {
        self.out.clear();
        self.services.step(&mut Pass {
            now: self.now,
            fact,
            settings: &self.settings,
            picture: &mut self.picture,
            out: &mut self.out,
        });
        let name = |id: ServiceId| self.settings.name(id).to_owned();
        let words = self.out.orders.iter().map(|o| match o.action {
            Action::Start { service, .. } => format!("start {}", name(service)),
            Action::Signal {
                service, signal, ..
            } => format!("{signal:?} {}", name(service)).to_lowercase(),
            ref other => panic!("{other:?}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn shed(&mut self, shed: Shed) -> String {
        self.picture.shed = shed;
        self.give(&Fact::Tick)
    }

    fn news(&mut self, name: &str, change: Change) -> String {
        let service = self.settings.service(name).unwrap();
        let run = self.run(service);
        self.give(&Fact::Child {
            service,
            run,
            change,
        })
    }

    fn run(&self, service: ServiceId) -> RunId {
        let view = self.services.views().find(|v| v.service == service);
        view.unwrap().run
    }

    fn started(&mut self, name: &str) -> String {
        let pid = Pid::new(77).unwrap();
        self.news(name, Change::Started { pid })
    }

    fn ended(&mut self, name: &str) -> String {
        self.news(name, Change::Exited(Exit::Code(0)))
    }

    fn run_what_is_started(&mut self) -> usize {
        let views: Vec<_> = self.services.views().collect();
        let starting = views
            .iter()
            .filter(|v| matches!(v.state, State::Starting { .. }));
        let names: Vec<String> = starting
            .map(|v| self.settings.name(v.service).to_owned())
            .collect();
        for name in &names {
            self.started(name);
        }
        names.len()
    }

    fn ask(&mut self, request: fn(ServiceId) -> Request, name: &str) -> String {
        let request = request(self.settings.service(name).unwrap());
        self.give(&Fact::Asked {
            ticket: Ticket(1),
            by: Asker::User(0),
            request,
        })
    }

    fn state(&self, name: &str) -> State {
        let service = self.settings.service(name).unwrap();
        let view = self.services.views().find(|v| v.service == service);
        view.unwrap().state
    }

    fn is_held(&self, name: &str) -> bool {
        self.state(name) == State::Down { why: Down::Held }
    }
}

/// Optional services go first, those that come after others before these; what an essential one
/// needs stays. All of it is no fault, and all come back in the order of the start.
#[test]
fn classes_go_in_their_order_and_come_back() {
    let mut set = Set::up();
    assert_eq!(set.shed(Shed::Optional), "stop gallery");
    assert_eq!(set.ended("gallery"), "stop camera");
    assert_eq!(set.ended("camera"), "");
    assert!(set.is_held("gallery") && set.is_held("camera"));
    assert_eq!(set.picture.services, Verdict::Ok);
    assert_eq!((set.picture.up, set.picture.wanted), (3, 3));

    assert_eq!(set.shed(Shed::Normal), "stop uplink");
    assert_eq!(set.ended("uplink"), "");
    assert_eq!((set.picture.up, set.picture.wanted), (2, 2));
    for kept in ["database", "logger"] {
        assert!(matches!(set.state(kept), State::Up { .. }), "{kept}");
    }

    assert_eq!(set.shed(Shed::Optional), "start uplink");
    assert_eq!(set.shed(Shed::Nothing), "start camera");
    assert_eq!(set.picture.services, Verdict::Warn);
    assert_eq!(set.started("camera"), "start gallery");
}

/// A start that was under way becomes a process that is stopped; one that crashes while it is to be
/// stopped is not started again before its time.
#[test]
fn nothing_that_is_held_runs() {
    let mut set = Set::up();
    assert_eq!(set.ended("gallery"), "start gallery");
    assert_eq!(set.shed(Shed::Optional), "");
    assert_eq!(set.started("gallery"), "stop gallery");
    assert_eq!(set.ended("camera"), "");
    assert!(set.is_held("camera"));
    assert_eq!(set.ended("gallery"), "");
    assert_eq!(set.shed(Shed::Nothing), "start camera");
}

/// Power comes back before the turn of one, and before another has ended: the first just stays.
#[test]
fn power_that_comes_back_in_between() {
    let mut set = Set::up();
    assert_eq!(set.shed(Shed::Optional), "stop gallery");
    assert_eq!(set.shed(Shed::Nothing), "");
    assert_eq!(set.ended("gallery"), "start gallery");
    assert!(matches!(set.state("camera"), State::Up { .. }));
}

/// A wish changes nothing while a service is held, and is kept for afterwards.
#[test]
fn wishes_are_kept() {
    let mut set = Set::up();
    set.shed(Shed::Optional);
    set.ended("gallery");
    set.ended("camera");
    assert_eq!(set.ask(Request::Stop, "gallery"), "");
    assert_eq!(set.ask(Request::Restart, "camera"), "");
    assert_eq!(set.ask(Request::Stop, "camera"), "");
    assert_eq!(set.ask(Request::Start, "camera"), "");
    assert!(set.is_held("camera"));
    assert_eq!(set.shed(Shed::Nothing), "start camera");
    assert_eq!(set.started("camera"), "");
    assert!(matches!(
        set.state("gallery"),
        State::Down { why: Down::Stopped }
    ));
}

/// A job that finishes while the machine is halted is finished for whoever comes next; what is stopped
/// for the halt waits. At the end of the daemon nothing is left any more.
#[test]
fn what_finishes_during_a_halt_is_left() {
    let mut set = Set::of(
        "[service.job]\ncommand = [\"/usr/bin/job\"]\nrestart = \"on-failure\"\n\
         [service.web]\ncommand = [\"/usr/bin/web\"]\nafter = [\"job\"]\n",
    );
    set.picture.ending = Ending::Halting { overran: false };
    assert_eq!(set.give(&Fact::Tick), "stop web");
    let left = |set: &Set, name: &str| {
        let id = set.settings.service(name).unwrap();
        let memo = set.out.memos.iter().find(|(of, ..)| *of == id);
        memo.map(|(.., memo)| memo.left)
    };
    assert_eq!(set.ended("job"), "");
    let why = Rest::Finished;
    assert_eq!(left(&set, "job"), Some(Left::Resting { why }));
    assert_eq!(set.ended("web"), "");
    assert_eq!(left(&set, "web"), Some(Left::Waiting));
    set.picture.ending = Ending::Stopping {
        by: Asker::User(0),
        overran: false,
    };
    set.give(&Fact::Tick);
    set.picture.ending = Ending::Halting { overran: false };
    set.give(&Fact::Tick);
    assert_eq!(set.out.memos, []);
}

/// How long stops took is told once they are over, and tells what the next will take.
#[test]
fn stops_are_learned() {
    let mut set = Set::up();
    set.picture.outage = Some(OUTAGE);
    let logger = set.settings.service("logger").unwrap();
    let view = |set: &Set| {
        let views = set.services.stop_views(&set.settings, Duration::MAX);
        let logger = views.iter().find(|v| v.service == logger);
        logger.map(|v| (v.seen, v.expected))
    };
    let seconds = Duration::from_secs;
    for seen in 0..3 {
        assert_eq!(view(&set), Some((seen, seconds(10))));
        set.shed(Shed::Nothing);
        let asked = |request| Fact::Asked {
            ticket: Ticket(1),
            by: Asker::User(0),
            request,
        };
        set.give(&asked(Request::Stop(logger)));
        set.now = set.now.after(Duration::from_millis(450));
        assert_eq!(set.out.stops, []);
        set.news("logger", Change::Exited(Exit::Code(0)));
        assert_eq!(set.out.stops.len(), 1);
        assert_eq!(view(&set), None, "it is down, and is to be");
        set.give(&asked(Request::Start(logger)));
        set.started("logger");
    }
    // 0.5 s, half as much again, and a second.
    let learned = Duration::from_millis(1_750);
    assert_eq!(view(&set), Some((3, learned)));
    // One that ends by itself has not been stopped.
    set.news("logger", Change::Exited(Exit::Code(0)));
    assert_eq!(set.out.stops, []);
    // The chain of logger and database is shorter now than the other one.
    set.started("logger");
    set.now = set.now.after(seconds(2));
    set.give(&Fact::Tick);
    let span = set.picture.stop_span.unwrap();
    assert_eq!((span.expected, span.most), (seconds(20), seconds(20)));
    set.shed(Shed::Optional);
    for name in ["gallery", "camera"] {
        set.news(name, Change::Exited(Exit::Code(0)));
    }
    set.now = set.now.after(seconds(2));
    set.give(&Fact::Tick);
    let span = set.picture.stop_span.unwrap();
    assert_eq!(
        span.expected,
        seconds(10) + learned,
        "what is shed needs no time"
    );
    set.picture.outage = None;
    set.give(&Fact::Tick);
    assert_eq!(set.picture.stop_span, None);
}

/// What is left of its deadline holds for each service that is stopped, also if it becomes less in the
/// middle, and no more once it need not be.
#[test]
fn deadlines_are_shortened_and_given_back() {
    let mut set = Set::up();
    set.picture.ending = Ending::Halting { overran: false };
    set.picture.stop_fit = Some(Fit::Within(500));
    assert_eq!(
        set.give(&Fact::Tick),
        "stop gallery, stop logger, stop uplink"
    );
    let due = |set: &Set| set.services.deadline().unwrap().since(set.now);
    assert_eq!(due(&set), Duration::from_secs(5));
    set.picture.stop_fit = Some(Fit::Within(200));
    assert_eq!(set.give(&Fact::Tick), "");
    assert_eq!(due(&set), Duration::from_secs(2));
    set.picture.stop_fit = None;
    assert_eq!(set.give(&Fact::Tick), "");
    assert_eq!(due(&set), Duration::from_secs(10));
    set.picture.stop_fit = Some(Fit::Within(200));
    set.give(&Fact::Tick);
    set.now = set.now.after(Duration::from_secs(2));
    assert_eq!(
        set.give(&Fact::Tick),
        "kill gallery, kill logger, kill uplink"
    );
    set.news("gallery", Change::Exited(Exit::Signal(9)));
    assert_eq!(text::stops(&set.out.stops[0].1), "killed");
    // What follows is told with what there is of it.
    assert_eq!(due(&set), Duration::from_secs(2));
}

/// A daemon that was held up gives what it has to hear a moment to arrive, also at a deadline that was
/// shortened, and comes to an end with that.
#[test]
fn a_shortened_deadline_has_its_last_call() {
    let mut set = Set::up();
    set.picture.ending = Ending::Halting { overran: false };
    set.picture.stop_fit = Some(Fit::Within(200));
    set.give(&Fact::Tick);
    for late in [2_500, 500, 500] {
        set.now = set.now.after(Duration::from_millis(late));
        assert_eq!(set.give(&Fact::Tick), "", "{late}");
    }
    set.now = set.now.after(Duration::from_millis(500));
    assert_eq!(
        set.give(&Fact::Tick),
        "kill gallery, kill logger, kill uplink"
    );
}

/// There may be a thousand services on a small machine: what is known and decided of each.
#[test]
fn a_service_takes_little_room() {
    let (state, known) = (
        size_of::<super::Service>(),
        size_of::<crate::core::settings::Service>(),
    );
    assert!(state <= 336 && known <= 336, "{state} {known}");
}
