//! Questions that an engine does not answer, or answers too late.

use super::*;

fn keeper(fake: &Fake, name: &str) -> Keeper {
    Keeper::Engine {
        engine: Engine::Docker,
        socket: fake.socket().to_str().unwrap().into(),
        container: name.into(),
        unhealthy: Unhealthy::Restart,
    }
}

/// Another container of the same engine, of which nothing is said.
fn with_another(fake: &Fake, engines: &mut Engines, name: &str) {
    let service = ServiceId(u16::try_from(engines.containers.len()).unwrap() + 10);
    let host = engines.host(Engine::Docker, fake.socket().to_str().unwrap());
    engines
        .containers
        .insert(0, Container::new(service, name, host));
    fake.says().stuck.insert(name.to_owned());
}

/// An engine that does not answer about one container answers about the others: of the one nothing is
/// known, and the others are kept as ever.
#[test]
fn one_has_no_answer() {
    let mut rig = rig_of(Engine::Docker, Some(UP), |fake, engines| {
        with_another(fake, engines, "db");
        engines.patience.answer = Duration::from_millis(200);
    });
    let why = UNANSWERED;
    let mut facts = [rig.next(), rig.next()];
    facts.sort_by_key(|fact| matches!(fact, Fact::Kept { service, .. } if *service == WEB));
    let (service, standing) = (ServiceId(11), Standing::Unknown { why });
    assert_eq!(facts[0], Fact::Kept { service, standing });
    let (service, standing) = (WEB, up());
    assert_eq!(facts[1], Fact::Kept { service, standing });
    while !rig.fake.is_heard() {
        std::thread::yield_now();
    }
    rig.becomes(ENDED);
    assert_eq!(rig.standing(), ended(Exit::Code(3), false));
    rig.start(1);
    assert_eq!(rig.next(), done(1, Ok(())));
    assert_eq!(rig.standing(), ended(Exit::Code(3), false));
    // It answers about that one, too.
    rig.fake.stands(UP);
    let text = rig.fake.says().containers["web"].clone();
    rig.fake.says().containers.insert("db".to_owned(), text);
    rig.fake.says().stuck.clear();
    rig.fake.tell("start");
    let mut facts = [rig.next(), rig.next()];
    facts.sort_by_key(|fact| matches!(fact, Fact::Kept { service, .. } if *service == WEB));
    let known = |fact: &Fact| matches!(fact, Fact::Kept { standing, .. } if *standing == up());
    assert!(facts.iter().all(known), "{facts:?}");
    rig.end();
}

/// Those whose turn has yet to come do not have the thread go round and round.
#[test]
fn nobody_waits_without_rest() {
    let fake = Fake::new();
    fake.says().manner = Manner::Never;
    let names = ["a", "b", "c", "d", "e"];
    let kept: Vec<_> = (0..)
        .map(ServiceId)
        .zip(names.map(|name| keeper(&fake, name)))
        .collect();
    let (inbox, _facts) = inbox();
    let mut engines = Engines::new(&kept, false, inbox);
    let now = clock::now();
    engines.set_out(now);
    let looks = engines
        .flights
        .iter()
        .filter(|f| matches!(f.what, What::Look(_)));
    assert_eq!(looks.count(), 4);
    let next = engines.next().unwrap();
    assert!(
        next >= now.after(Duration::from_secs(1)),
        "{next:?} {now:?}"
    );
    // Those that never have an answer hold up no others.
    engines.patience.answer = Duration::from_mins(1);
    engines.give_up(now.after(PATIENCE.answer * 2));
    engines.set_out(clock::now());
    let last = |f: &Flight| matches!(f.what, What::Look(4));
    assert!(engines.flights.iter().any(last));
}

/// What was asked before a start was carried out says nothing of the life that it began; and while it
/// is, nothing is asked.
#[test]
fn a_look_before_a_start() {
    let mut rig = listening();
    rig.becomes(ENDED);
    assert_eq!(rig.standing(), ended(Exit::Code(3), false));
    rig.fake.says().stuck.insert("web".to_owned());
    rig.fake.tell("update");
    while rig.fake.unanswered() == 0 {
        std::thread::yield_now();
    }
    rig.fake.says().stuck.clear();
    rig.fake.stands(UP);
    rig.start(1);
    assert_eq!(rig.next(), done(1, Ok(())));
    rig.fake.answer_late(ENDED);
    assert_eq!(rig.standing(), up());
    rig.end();
}

/// An engine may keep its door shut while it starts a container, and that may take long.
#[test]
fn no_look_during_a_start() {
    let fake = Fake::new();
    fake.says().manner = Manner::Never;
    let (inbox, _facts) = inbox();
    let mut engines = Engines::new(&[(WEB, keeper(&fake, "web"))], false, inbox);
    let looks = |engines: &Engines| {
        let look = |f: &&Flight| matches!(f.what, What::Look(_));
        engines.flights.iter().filter(look).count()
    };
    let now = clock::now();
    engines.set_out(now);
    assert_eq!(looks(&engines), 1);
    let (order, service) = (OrderId(1), WEB);
    engines.obey(KeeperOrder::Start { order, service });
    engines.look_soon(0);
    engines.set_out(now.after(Duration::from_secs(1)));
    assert_eq!(looks(&engines), 0);
    assert!(engines.next().unwrap() > now.after(Duration::from_secs(1)));
    let start = |f: &Flight| matches!(f.what, What::Order(..));
    engines.flights.retain(|f| !start(f));
    engines.done(0, order, Ok(()));
    engines.set_out(now.after(Duration::from_secs(1)));
    assert_eq!(looks(&engines), 1);
}

/// With more patience than usual a container is stopped long after its signal: that it was a stop,
/// Docker tells when it is over.
#[test]
fn a_patient_stop() {
    let mut rig = listening();
    let minute = 60_000_000_000;
    rig.fake.says().history = event("kill", "\"signal\":\"15\",", BEFORE - minute);
    rig.becomes(&ENDED.replace("2026-11-27T10:00:00Z", "2026-11-27T08:00:00Z"));
    while rig.histories() == 0 {
        std::thread::yield_now();
    }
    rig.fake.says().history += &event("stop", "", BEFORE);
    assert_eq!(rig.standing(), ended(Exit::Code(3), true));
    rig.end();
}

/// Behind a socket that systemd holds, an engine may end and come again without being missed: what it
/// took along has not ended by itself.
#[test]
fn an_engine_is_replaced() {
    let mut rig = listening();
    let well = ENDED.replace("\"ExitCode\":3", "\"ExitCode\":0");
    rig.fake.is_replaced(&well);
    assert_eq!(rig.standing(), ended(Exit::Unknown, false));
    rig.start(1);
    assert_eq!(rig.next(), done(1, Ok(())));
    assert_eq!(rig.standing(), ended(Exit::Unknown, false));
    // The next life ends before it is seen, and of itself.
    while !rig.fake.is_heard() {
        std::thread::yield_now();
    }
    rig.becomes(&well.replace("10:00:", "10:05:"));
    assert_eq!(rig.standing(), ended(Exit::Code(0), false));
    rig.end();
}
