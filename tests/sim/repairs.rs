//! What is done for the way out, whatever is seen of it: U4 to U7.
//!
//! A core with a ladder of three rungs that is told looks, holds, ends, mains, losses and late threads
//! by chance. The judge counts what was done by itself, from what it has heard; and where nothing but
//! looks and holds rules, it knows which rung is due.

use crate::rng::Rng;
use fieldwarden::core::Core;
use fieldwarden::core::action::{Action, Actions};
use fieldwarden::core::fact::{
    Asker, Change, Exit, Fact, Fault, Found, HaltKind, OrderId, Pid, Pulse, Reading, Request,
    ServiceId, Source, Step, Thread, Ticket, Uplink,
};
use fieldwarden::core::intent::{FoundMarker, Marker};
use fieldwarden::core::note::{NetworkNote, Note};
use fieldwarden::core::picture::HaltCause;
use fieldwarden::units::Mono;
use std::time::Duration;

const CONFIG: &str = "[watchdog]\nowner = \"nobody\"\n[storage]\nmounts = []\n\
    [network]\nname = \"example.org\"\nfailures = 2\nrepairs = [\"tunnel\", \"link\", \"machine\"]\n\
    [repair.tunnel]\nrestart = \"tunnel\"\nsteps = [\"vpn\", \"name\"]\nmost = 3\nwindow = \"2h\"\n\
    [repair.link]\nstart = \"link-up\"\nmost = 2\nwindow = \"1h\"\nsettle = \"5min\"\n\
    [repair.machine]\nmachine = true\n\
    [service.link-up]\ncommand = [\"/bin/true\"]\nautostart = false\nrestart = \"never\"\n\
    [service.tunnel]\ncommand = [\"/bin/sleep\", \"inf\"]\n";

const LINK_UP: ServiceId = ServiceId(0);
const TUNNEL: ServiceId = ServiceId(1);

/// `machine`: its owner wants the machine to be restarted.
fn core(rng: &mut Rng, machine: bool) -> Core {
    let config = match machine {
        true => CONFIG.to_owned(),
        false => CONFIG.replace(", \"machine\"]", "]"),
    };
    crate::core_of(&config, rng.next())
}

fn look(rng: &mut Rng, bad: bool) -> Uplink {
    let mut uplink = Uplink::default();
    for step in Step::ALL {
        uplink.put(step, Found::Well);
    }
    uplink.beyond = rng.chance(50);
    if bad {
        let first = rng.pick(&[Step::Link, Step::Route, Step::Name, Step::Vpn, Step::Ssh]);
        let found = rng.pick(&[Found::Silent, Found::Down, Found::Unsure]);
        // Mostly those behind it are no better.
        let all = rng.chance(70);
        let broken = |step: &Step| *step == first || all && *step > first;
        let steps = Step::ALL.into_iter().filter(broken);
        steps.for_each(|step| uplink.put(step, found));
    }
    uplink
}

/// What the judge knows.
#[derive(Default)]
struct Judge {
    /// When each rung was climbed.
    made: [Vec<u64>; 3],
    latest: u64,
    settle: u64,
    /// Looks in a row that failed, those with the same step, and when the latest was.
    failed: u32,
    same: u32,
    failed_at: u64,
    /// The first broken step of the look that was just told, if it was one; and the one that was told
    /// to be broken.
    step: Option<Step>,
    told: Option<Step>,
    /// By the latest look, it leads out all the same.
    leads_out: bool,
    /// The first broken step of the latest look that could tell.
    step_before: Option<Step>,
    /// The rung that comes next.
    next: usize,
    /// Mains are gone, and since when.
    dark: Option<u64>,
    whole: bool,
    hold_until: u64,
    ending: bool,
    machine: u32,
}

const RULES: [(u64, usize, u64); 3] = [
    // Settle and window in milliseconds, and how often.
    (120_000, 3, 7_200_000),
    (300_000, 2, 3_600_000),
    // How often that may be is the judge's of all restarts to say.
    (120_000, usize::MAX, 0),
];

impl Judge {
    fn hear(&mut self, now: u64, fact: &Fact) {
        self.step = None;
        match fact {
            Fact::Seen(Reading::Uplink(uplink)) => {
                self.look(now, uplink);
            }
            Fact::Seen(Reading::Mains { present }) => {
                self.dark = (!present).then(|| self.dark.unwrap_or(now));
            }
            Fact::Asked {
                request: Request::Hold { time, .. },
                ..
            } => self.hold_until = now + 1_000 * time.as_secs(),
            Fact::Asked {
                request: Request::EndHold,
                ..
            } => self.hold_until = 0,
            Fact::Asked {
                request: Request::Halt(_) | Request::Exit,
                ..
            } => self.ending = true,
            _ => {}
        }
    }

    fn look(&mut self, now: u64, uplink: &Uplink) {
        let well = |step| uplink.found().any(|at| at == (step, Found::Well));
        self.leads_out = well(Step::Peer) || uplink.beyond && well(Step::Ssh);
        let passed = |step| matches!(step, Step::Route | Step::Gateway | Step::Vpn);
        let counted: Vec<(Step, Found)> = uplink
            .found()
            .filter(|(step, _)| !(self.leads_out && passed(*step)))
            .collect();
        let broken = |found| !matches!(found, Found::Well | Found::Unsure);
        self.step = counted
            .iter()
            .find(|(_, f)| broken(*f))
            .map(|(step, _)| *step);
        let Some(step) = self.step else {
            if !counted.iter().any(|(_, found)| *found == Found::Unsure) {
                (self.failed, self.same, self.told) = (0, 0, None);
                (self.whole, self.settle, self.step_before, self.next) = (true, 0, None, 0);
            }
            return;
        };
        if now - self.failed_at > 2 * 300_000 {
            (self.failed, self.same) = (0, 0);
        }
        let again = self.step_before.replace(step) == Some(step);
        self.same = if again { self.same + 1 } else { 1 };
        (self.failed, self.failed_at) = (self.failed + 1, now);
        let lasts = match self.told {
            None => self.failed >= 2,
            Some(told) => told != step && self.same >= 2,
        };
        if lasts {
            self.told = Some(step);
        }
    }

    /// The rung that is due, where the machine is not to be restarted and no service was stopped.
    fn due(&self, now: u64) -> Option<usize> {
        let told = self.step.is_some() && self.step == self.told && self.failed >= 2;
        let rested = self.settle == 0 || now >= self.latest + self.settle;
        if !told || !rested || now < self.hold_until || self.ending {
            return None;
        }
        let young = |rung: usize| {
            let (_, _, window) = RULES[rung];
            self.made[rung]
                .iter()
                .filter(|at| now - **at < window)
                .count()
        };
        let named = matches!(self.step, Some(Step::Vpn | Step::Name));
        let useful = [named, !self.leads_out];
        let mut left = (0..2).filter(|rung| useful[*rung] && young(*rung) < RULES[*rung].1);
        let all: Vec<usize> = left.by_ref().collect();
        all.iter()
            .find(|rung| **rung >= self.next)
            .or(all.first())
            .copied()
    }

    /// U4: only for a look that found it broken, after two in a row, at the step that was told; and
    /// while it leads out all the same, only where its owner has named that step. U5: never more often
    /// than its budget, nor before what was tried has settled. U6: never in a hold or at the end. U7:
    /// the machine only after it was whole.
    fn climbed(&mut self, rung: u16, now: u64, at: &str) {
        let rung = usize::from(rung);
        let (settle, most, window) = RULES[rung];
        let told = self.step.is_some() && self.step == self.told;
        assert!(self.failed >= 2 && told, "U4: {at}");
        let useful = match rung {
            0 => matches!(self.step, Some(Step::Vpn | Step::Name)),
            _ => !self.leads_out,
        };
        assert!(useful, "U4: {at}");
        let rested = self.settle == 0 || now >= self.latest + self.settle;
        assert!(rested, "U5: {at}");
        self.made[rung].push(now);
        let young = |then: &&u64| now - **then < window;
        let count = self.made[rung].iter().filter(young).count();
        assert!(count <= most, "U5: {at}: {:?}", self.made[rung]);
        assert!(now >= self.hold_until && !self.ending, "U6: {at}");
        assert!(rung != 2 || self.whole, "U7: {at}");
        // It takes a moment until it is believed that they are gone.
        let dark = self.dark.is_some_and(|since| now - since > 60_000);
        assert!(rung != 2 || !dark, "U7: {at}");
        (self.latest, self.settle, self.next) = (now, settle, rung + 1);
        self.machine += u32::from(rung == 2);
    }
}

/// `calm`: nothing but looks and holds.
fn chance(rng: &mut Rng, bad: bool, calm: bool) -> Fact {
    let asked = |request| Fact::Asked {
        ticket: Ticket(1),
        by: Asker::User(0),
        request,
    };
    match rng.range(if calm { 20 } else { 0 }, 400) {
        0 => asked(Request::Halt(HaltKind::PowerOff)),
        1 => asked(Request::Exit),
        2..6 => Fact::Seen(Reading::Mains {
            present: rng.chance(50),
        }),
        6..10 => Fact::Lost {
            source: Source::Uplink,
            why: Fault::Busy,
        },
        10..14 => Fact::Thread {
            thread: Thread::Uplink,
            pulse: Pulse::Late { since: Mono(0) },
        },
        14..16 => asked(Request::Stop(TUNNEL)),
        16..20 => asked(Request::Start(TUNNEL)),
        20..24 => asked(Request::Hold {
            time: Duration::from_secs(900),
            reason: "work".into(),
        }),
        24..26 => asked(Request::EndHold),
        26..76 => Fact::Tick,
        _ => Fact::Seen(Reading::Uplink(look(rng, bad))),
    }
}

/// Answers what can be answered at once: starts with a process, stops with its end.
fn answer(
    core: &mut Core,
    now: u64,
    out: &mut Actions,
    seen: &mut Vec<Note>,
    acts: &mut Vec<Action>,
) {
    for _ in 0..8 {
        let taken = out.take();
        seen.extend(taken.notes);
        if taken.orders.is_empty() {
            return;
        }
        for order in taken.orders {
            let child = |service, run, change| Fact::Child {
                service,
                run,
                change,
            };
            let fact = match &order.action {
                Action::Start { service, run } => {
                    let pid = Pid::new(100 + run.0 % 1000).expect("a number");
                    child(*service, *run, Change::Started { pid })
                }
                Action::Signal { service, run, .. } => {
                    let exit = Exit::Signal(15);
                    child(*service, *run, Change::Exited(exit))
                }
                _ => Fact::Done {
                    order: OrderId(order.id.0),
                    outcome: Ok(()),
                },
            };
            core.step(Mono(now), &fact, out);
            if let Action::Start {
                service: LINK_UP,
                run,
            } = order.action
            {
                // It does its work, and ends.
                let exit = Change::Exited(Exit::Code(0));
                core.step(Mono(now), &child(LINK_UP, run, exit), out);
            }
            acts.push(order.action);
        }
    }
}

/// U4 to U7, and that what a rung asks for is done, and nothing else: services are started and stopped
/// only for a rung, an operator or a start of the daemon, and the machine is restarted only for a rung.
#[test]
fn repairs_stay_within_what_their_owner_allows() {
    let (mut climbs, mut restarts, mut spent, mut begun) = (0, 0, 0, 0);
    let (mut dues, mut ends) = (0, 0);
    for seed in 0..200 {
        let mut rng = Rng::new(seed ^ 0x4E_7A11);
        // Half of the calm ones go without the machine, so that the judge knows what is due.
        let (machine, calm) = (rng.chance(50), rng.chance(50));
        let (mut core, mut out) = (core(&mut rng, machine), Actions::default());
        let mut judge = Judge::default();
        let left = FoundMarker {
            marker: Marker::default(),
            same_boot: false,
            reset: None,
            lasts: true,
            traces: Default::default(),
        };
        core.step(Mono(0), &Fact::Seen(Reading::marker(left)), &mut out);
        core.step(Mono(0), &Fact::Tick, &mut out);
        answer(&mut core, 0, &mut out, &mut Vec::new(), &mut Vec::new());
        let (mut now, mut bad) = (0, false);
        for _ in 0..400 {
            now += rng.range(1_000, 240_000);
            if rng.chance(6) {
                bad = !bad;
            }
            let fact = chance(&mut rng, bad, calm);
            judge.hear(now, &fact);
            // The core was woken for whatever was due meanwhile, such as the end of a hold.
            core.step(Mono(now - 1), &Fact::Tick, &mut out);
            let mut more = Vec::new();
            answer(&mut core, now - 1, &mut out, &mut more, &mut Vec::new());
            let due = judge.due(now);
            core.step(Mono(now), &fact, &mut out);
            let at = format!("seed {seed} at {now}: {fact:?}");
            let (mut notes, mut acts) = (Vec::new(), Vec::new());
            notes.extend(out.notes.iter().cloned());
            out.notes.clear();
            let mut rungs = Vec::new();
            for note in &notes {
                match note {
                    Note::Network(NetworkNote::Repairing { rung, .. }) => rungs.push(*rung),
                    Note::Network(NetworkNote::RepairsSpent { .. }) => spent += 1,
                    Note::Network(NetworkNote::RestartsMachine) => restarts += 1,
                    _ => {}
                }
            }
            assert!(rungs.len() <= 1, "{at}: {rungs:?}");
            if calm && !machine {
                let climbed = rungs.first().map(|rung| usize::from(*rung));
                assert_eq!(climbed, due, "U4: {at}");
                dues += u32::from(due.is_some());
            }
            if let Some(rung) = rungs.first() {
                judge.climbed(*rung, now, &at);
                climbs += 1;
            }
            answer(&mut core, now, &mut out, &mut more, &mut acts);
            restarts += more
                .iter()
                .filter(|n| matches!(n, Note::Network(NetworkNote::RestartsMachine)))
                .count();
            let link = |action: &Action| match action {
                Action::Start { service, .. } => *service == LINK_UP,
                _ => false,
            };
            if acts.iter().any(link) {
                assert_eq!(rungs, [1], "{at}: link-up was started");
                begun += 1;
            }
            if judge.ending {
                // A while longer, to see that nothing is done any more.
                ends += 1;
                if acts.iter().any(|act| matches!(act, Action::Exit { .. })) {
                    break;
                }
                continue;
            }
            if let Some(halt) = core.picture().halting {
                if halt.cause == HaltCause::RideThrough {
                    judge.ending = true;
                    continue;
                }
                assert_eq!(halt.cause, HaltCause::Network, "{at}");
                assert_eq!(halt.kind, HaltKind::Reboot, "{at}");
                assert!(machine && judge.machine > 0 && judge.whole, "U7: {at}");
                break;
            }
        }
    }
    assert!(
        climbs > 500 && restarts > 20 && spent > 50 && begun > 100 && dues > 200 && ends > 100,
        "{climbs} {restarts} {spent} {begun} {dues} {ends}"
    );
}
