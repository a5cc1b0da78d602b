//! What a decision costs: the core alone, with one service and with a thousand.
//! `cargo bench --bench step`. All times are per fact, with its orders and notes.
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement needs the clock; it is outside the core"
)]

use fieldwarden::config;
use fieldwarden::core::action::{Action, Actions};
use fieldwarden::core::fact::{
    Change, Exit, Fact, OrderId, Pid, Reading, RunId, ServiceId, WatchdogSeen,
};
use fieldwarden::core::settings::Settings;
use fieldwarden::core::{BootFacts, Core};
use fieldwarden::units::{MilliCelsius, Mono};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Facts of each kind. Enough for a mean that is stable within a few per cent.
const FACTS: u64 = 200_000;

/// Time between heartbeats of one service in the simulated day, in seconds.
const BEAT: u64 = 10;

fn settings(services: usize) -> Settings {
    let mut text = "[storage]\nmounts = [\"/\"]\n".to_owned();
    for at in 0..services {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[service.s{at}]\ncommand = [\"/bin/s\"]\nheartbeat = \"30s\"\n\
             backoff = {{ restarts = 1000, immediate = 100 }}\n"
        );
    }
    let loaded = config::parse("bench.toml", &text).unwrap_or_else(|p| panic!("{p}"));
    loaded.config.settings
}

/// A core whose services are all up and whose watchdog is armed, at this time.
struct Bench {
    core: Core,
    out: Actions,
    services: u16,
    now: Mono,
    orders: u64,
}

impl Bench {
    fn new(services: usize) -> Bench {
        let boot = BootFacts {
            seed: 1,
            init_watchdog: None,
            first: true,
        };
        let mut bench = Bench {
            core: Core::new(settings(services), boot),
            out: Actions::default(),
            services: u16::try_from(services).unwrap_or(u16::MAX),
            now: Mono(1_000),
            orders: 0,
        };
        bench.give(&Fact::Tick);
        bench.give(&Fact::Seen(Reading::Watchdog(WatchdogSeen {
            identity: "timer".into(),
            timeout: Duration::from_secs(15),
            nowayout: false,
            caused_reset: false,
        })));
        bench
    }

    /// Gives a fact; starts and pets succeed at once.
    fn give(&mut self, fact: &Fact) {
        self.core.step(self.now, fact, &mut self.out);
        let orders = std::mem::take(&mut self.out.orders);
        self.out.clear();
        for order in orders {
            self.orders += 1;
            match order.action {
                Action::Start { service, run } => {
                    // Any number above 1 will do.
                    if let Some(pid) = Pid::new(4711) {
                        let change = Change::Started { pid };
                        self.give(&Fact::Child {
                            service,
                            run,
                            change,
                        });
                    }
                }
                Action::Pet => self.done(order.id),
                _ => {}
            }
        }
    }

    fn done(&mut self, order: OrderId) {
        self.give(&Fact::Done {
            order,
            outcome: Ok(()),
        });
    }

    fn child(&mut self, at: u64, run: u32, change: Change) {
        let service = ServiceId(u16::try_from(at % u64::from(self.services)).unwrap_or(0));
        self.give(&Fact::Child {
            service,
            run: RunId(run),
            change,
        });
    }
}

fn report(what: &str, services: usize, facts: u64, took: Duration) {
    let each = took.as_nanos() / u128::from(facts.max(1));
    println!("{what:<44} {services:>5} services {each:>8} ns");
}

/// Means of single kinds of facts.
fn kinds(services: usize) {
    let mut bench = Bench::new(services);
    let began = Instant::now();
    for at in 0..FACTS {
        bench.child(at, 1, Change::Heartbeat);
    }
    report("a heartbeat", services, FACTS, began.elapsed());

    let fact = Fact::Seen(Reading::Temperature(MilliCelsius(61_000)));
    let began = Instant::now();
    for _ in 0..FACTS {
        bench.give(&fact);
    }
    report("a temperature", services, FACTS, began.elapsed());

    let began = Instant::now();
    for round in 0..50 {
        for at in 0..u64::from(bench.services) {
            bench.child(at, round + 1, Change::Exited(Exit::Code(1)));
        }
    }
    let exits = 50 * u64::from(bench.services);
    report(
        "an exit, its restart, and that it started",
        services,
        exits,
        began.elapsed(),
    );
}

/// A day: heartbeats, pets, ticks.
fn day(services: usize) {
    let mut bench = Bench::new(services);
    let (first, mut facts) = (bench.now, 0u64);
    let began = Instant::now();
    for second in 1..=86_400 {
        let until = Mono(first.0 + second * 1000);
        while let Some(due) = bench.core.deadline().filter(|due| *due <= until) {
            bench.now = due.max(bench.now);
            bench.give(&Fact::Tick);
            facts += 1;
        }
        bench.now = until;
        if second % BEAT == 0 {
            for at in 0..u64::from(bench.services) {
                bench.child(at, 1, Change::Heartbeat);
                facts += 1;
            }
        }
    }
    let took = began.elapsed();
    report("a fact of a whole day", services, facts, took);
    println!(
        "{:<44} {services:>5} services {:>8.2} s for {facts} facts, {} orders",
        "the whole day",
        took.as_secs_f64(),
        bench.orders
    );
}

fn main() {
    for services in [1, 20, 1000] {
        kinds(services);
    }
    for services in [1, 20] {
        day(services);
    }
}
