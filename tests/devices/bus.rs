//! The bus thread: it looks at once, looks again when it is told to, answers, and ends.

use fieldwarden::core::fact::{Fact, Fault, OrderId, Reading, Thread};
use fieldwarden::edge::bus::{self, BusOrder};
use fieldwarden::edge::gauge::Look;
use fieldwarden::edge::inbox::{Facts, inbox};
use fieldwarden::edge::orders::{self, Orders};
use fieldwarden::edge::pulse::Pulse;
use fieldwarden::edge::register::Write;
use fieldwarden::edge::{clock, thread};
use fieldwarden::units::Millivolts;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bus thread whose readings count up.
fn bus() -> (Orders<BusOrder>, Facts, JoinHandle<()>) {
    let pulse = Arc::new(Pulse::new(Thread::Bus, Duration::from_secs(10)));
    let (orders, work) = orders::plain(4, pulse);
    let (inbox, facts) = inbox();
    let mut looks = 0;
    let sample = move || {
        looks += 1;
        Look {
            facts: vec![look(looks)],
            doubtful: false,
        }
    };
    // It takes what is written to register 1, and nothing else.
    let write = |write: Write| match write.register {
        1 => Ok(()),
        _ => Err(Fault::Absent),
    };
    let run = move || bus::run(&work, &inbox, sample, write);
    let hand = thread::start("bus", run).unwrap();
    (orders, facts, hand)
}

fn next(facts: &mut Facts) -> Fact {
    let now = clock::now();
    let fact = facts.wait_until(now, Some(now.after(PATIENCE)));
    fact.expect("a fact in time")
}

fn look(number: u32) -> Fact {
    Fact::Seen(Reading::Gauge {
        voltage: Some(Millivolts(number)),
        charge: None,
        current: None,
    })
}

/// Looks once at the start; told to look closely it answers and looks within about a second, not
/// after five; its queue closed, it ends.
#[test]
fn looks_closely_when_told_to() {
    let (orders, mut facts, hand) = bus();
    assert_eq!(next(&mut facts), look(1));
    let began = clock::now();
    let order = OrderId(7);
    let closely = true;
    orders
        .give(began, BusOrder::Watch { order, closely })
        .unwrap();
    let outcome = Ok(());
    assert_eq!(next(&mut facts), Fact::Done { order, outcome });
    assert_eq!(next(&mut facts), look(2));
    assert_eq!(next(&mut facts), look(3));
    let took = clock::now().since(began);
    // The first of the two may have been due anyway, at any moment.
    assert!(
        (Duration::from_millis(900)..Duration::from_millis(4_500)).contains(&took),
        "two looks in {took:?}"
    );
    drop(orders);
    hand.join().unwrap();
}

/// Told to write, it does so between two looks, and answers with what came of it.
#[test]
fn writes_what_it_is_told_to() {
    let (orders, mut facts, hand) = bus();
    assert_eq!(next(&mut facts), look(1));
    for (register, outcome) in [(1, Ok(())), (2, Err(Fault::Absent))] {
        let order = OrderId(register.into());
        let write = Write {
            bus: 1,
            address: 0x2d,
            register,
            value: 0x55,
            steps: Default::default(),
        };
        let order_to_write = BusOrder::Write { order, write };
        orders.give(clock::now(), order_to_write).unwrap();
        assert_eq!(next(&mut facts), Fact::Done { order, outcome });
    }
    drop(orders);
    hand.join().unwrap();
}
