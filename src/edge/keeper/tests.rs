//! The thread against a systemctl that says what it is told to say.

use super::*;
use crate::core::fact::{Exit, Health, Life, Thread};
use crate::edge::inbox::{Facts, inbox};
use crate::edge::orders::{Orders, with_bell};
use crate::edge::pulse::Pulse;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use tempfile::TempDir;

const WEB: ServiceId = ServiceId(3);

const UP: &str = "Id=web.service\nLoadState=loaded\nActiveState=active\nSubState=running\n\
    Result=success\nInvocationID=000000000000000711111111111111\nMainPID=812\nNRestarts=0\n\
    ControlGroup=/system.slice/web.service\nSlice=system.slice\n";

const FAILED: &str = "Id=web.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\n\
    Result=exit-code\nMainPID=0\nNRestarts=0\nExecMainCode=1\nExecMainStatus=3\n\
    ExecMainStartTimestampMonotonic=100\nExecMainExitTimestampMonotonic=200\n\
    ActiveEnterTimestampMonotonic=100\nActiveExitTimestampMonotonic=201\nSlice=system.slice\n";

struct Rig {
    dir: TempDir,
    orders: Orders<KeeperOrder>,
    facts: Facts,
    thread: std::thread::JoinHandle<io::Result<()>>,
}

fn rig(show: &str) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge/keeper/fake-systemctl.sh");
    for name in ["systemctl", "journalctl"] {
        symlink(&fake, dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("show"), show).unwrap();
    fs::create_dir_all(dir.path().join("system.slice/web.service")).unwrap();
    fs::write(
        dir.path().join("system.slice/web.service/cgroup.events"),
        "",
    )
    .unwrap();
    let systemctl = Systemctl::new(dir.path().join("systemctl"), None).unwrap();
    let pulse = Arc::new(Pulse::new(Thread::Keeper, Duration::from_secs(30)));
    let (orders, work) = with_bell(8, pulse).unwrap();
    let (inbox, facts) = inbox();
    let units = vec![(WEB, "web.service".into())];
    let keeper = Keeper::with_groups(units, Some(systemctl), inbox, dir.path());
    let thread = std::thread::spawn(move || keeper.run(&work));
    Rig {
        dir,
        orders,
        facts,
        thread,
    }
}

impl Rig {
    fn write(&self, name: &str, text: &str) {
        // At once: the fake reads it at any time.
        let path = self.dir.path().join(name);
        let new = self.dir.path().join(format!("{name}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn give(&self, order: KeeperOrder) {
        self.orders.give(clock::now(), order).unwrap();
    }

    fn next(&mut self) -> Fact {
        let now = clock::now();
        let fact = self
            .facts
            .wait_until(now, Some(now.after(Duration::from_secs(20))));
        fact.expect("a fact within 20 s")
    }

    fn standing(&mut self) -> Standing {
        match self.next() {
            Fact::Kept { service, standing } if service == WEB => standing,
            other => panic!("{other:?}"),
        }
    }

    /// How it stands once that is known.
    fn settled(&mut self) -> Standing {
        loop {
            match self.standing() {
                Standing::Going => {}
                standing => return standing,
            }
        }
    }

    /// It stands so from now on, and the kernel tells.
    fn becomes(&self, show: &str) {
        self.write("show", show);
        let group = self.dir.path().join("system.slice/web.service");
        fs::write(group.join("cgroup.events"), "x").unwrap();
    }

    /// Its newest job, as the journal has it.
    fn job(&self, job: &str) {
        let line = format!("{{\"UNIT\":\"web.service\",\"JOB_TYPE\":\"{job}\"}}\n");
        self.write("jobs", &line);
    }

    /// What was asked beside how it stands.
    fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("asked")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("show"));
        lines.map(str::to_owned).collect()
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
    let (life, pid) = (Life(7), Pid::new(812).unwrap());
    Standing::Up {
        life,
        pid,
        again: 0,
        health: Health::Untold,
        patience: None,
    }
}

fn failed() -> Standing {
    Standing::Down {
        exit: Exit::Code(3),
        told: false,
        obstacle: None,
    }
}

/// The first look is told; then only what is new is, as soon as the kernel says that there may be
/// something. An order is answered, and then how the unit stands is said in any case.
#[test]
fn looks_and_orders() {
    let mut rig = rig(UP);
    assert_eq!(rig.standing(), up());
    rig.write("show", FAILED);
    fs::write(
        rig.dir
            .path()
            .join("system.slice/web.service/cgroup.events"),
        "x",
    )
    .unwrap();
    assert_eq!(rig.standing(), failed());
    rig.give(KeeperOrder::Start {
        order: OrderId(5),
        service: WEB,
    });
    assert_eq!(rig.next(), done(5, Ok(())));
    assert_eq!(rig.standing(), failed());
    let asked = [
        "reset-failed -- web.service",
        "start --no-block -- web.service",
    ];
    assert_eq!(rig.asked(), asked);
    rig.end();
}

/// systemd lets go of a unit that was stopped, or has ended well; then the journal is asked once.
#[test]
fn the_journal_is_asked_for_what_systemd_forgot() {
    let gone = "Id=web.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\n\
        Result=success\nMainPID=0\nExecMainStartTimestampMonotonic=0\n";
    for (job, told) in [("stop", true), ("start", false)] {
        let mut rig = rig(UP);
        assert_eq!(rig.standing(), up());
        rig.job(job);
        rig.becomes(gone);
        let down = |told| Standing::Down {
            exit: Exit::Unknown,
            told,
            obstacle: None,
        };
        assert_eq!(rig.settled(), down(told));
        // What it says after an order is about that.
        rig.job("start");
        let (order, service) = (OrderId(1), WEB);
        rig.give(KeeperOrder::Start { order, service });
        assert_eq!(rig.next(), done(1, Ok(())));
        assert_eq!(rig.settled(), down(false));
        rig.end();
    }
}

/// It left its active state first: on its own account, or because somebody stopped it.
const LEFT: &str = "Id=web.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\n\
    Result=success\nMainPID=0\nNRestarts=0\nExecMainCode=1\nExecMainStatus=0\n\
    ExecMainStartTimestampMonotonic=100\nExecMainExitTimestampMonotonic=200\n\
    ActiveEnterTimestampMonotonic=100\nActiveExitTimestampMonotonic=190\n\
    InactiveEnterTimestampMonotonic=201\nInactiveExitTimestampMonotonic=99\n";

fn left(told: bool) -> Standing {
    Standing::Down {
        exit: Exit::Code(0),
        told,
        obstacle: None,
    }
}

/// A unit that says that it stops (`STOPPING=1`) and ends has ended by itself, unless a stop is its
/// newest job. Where there is no journal, the times alone tell.
#[test]
fn the_times_alone_are_no_stop() {
    for (job, told) in [("stop", true), ("start", false)] {
        let mut rig = rig(UP);
        assert_eq!(rig.standing(), up());
        rig.job(job);
        rig.becomes(LEFT);
        assert_eq!(rig.settled(), left(told));
        rig.end();
    }
    let mut rig = rig(UP);
    assert_eq!(rig.standing(), up());
    fs::remove_file(rig.dir.path().join("journalctl")).unwrap();
    rig.becomes(LEFT);
    assert_eq!(rig.settled(), left(true));
    rig.end();
}

/// A journal that fails, or does not have the stop yet, is asked again before anything is started.
#[test]
fn a_journal_that_lags_undoes_no_stop() {
    for before in [None, Some("start")] {
        let mut rig = rig(UP);
        assert_eq!(rig.standing(), up());
        if let Some(job) = before {
            rig.job(job);
        }
        rig.becomes(LEFT);
        assert_eq!(rig.standing(), Standing::Going);
        rig.job("stop");
        assert_eq!(rig.settled(), left(true));
        rig.end();
    }
}

/// What we have had stopped needs no journal: a halt would wait for it.
#[test]
fn our_own_stop_is_not_asked_for() {
    let mut rig = rig(UP);
    assert_eq!(rig.standing(), up());
    let (order, service, signal) = (OrderId(1), WEB, Signal::Stop);
    rig.give(KeeperOrder::Signal {
        order,
        service,
        signal,
        reach: Reach::Main,
    });
    assert_eq!(rig.next(), done(1, Ok(())));
    assert_eq!(rig.standing(), up());
    rig.becomes(LEFT);
    assert_eq!(rig.standing(), left(true));
    // The next life is nobody's to stop but its owner's.
    rig.becomes(UP);
    assert_eq!(rig.standing(), up());
    rig.becomes(&LEFT.replace("=201", "=401"));
    assert_eq!(rig.standing(), Standing::Going);
    rig.job("start");
    assert_eq!(rig.settled(), left(false));
    rig.end();
}

/// News that does not cease makes looks rarer, and a quiet minute makes them as quick as before.
#[test]
fn a_storm_of_news_is_not_followed() {
    let mut news = News::default();
    let mut now = Mono(1_000_000);
    let floors: Vec<Duration> = (0..100)
        .map(|_| {
            now = now.after(Duration::from_secs(59));
            news.heard(now)
        })
        .collect();
    assert!(floors[..6].iter().all(|floor| *floor == FIRST));
    assert!(floors.is_sorted());
    assert_eq!(floors[99], STORM);
    assert_eq!(news.heard(now.after(IDLE)), FIRST);
}

/// What is killed is stopped first, so that nobody starts it again for that.
#[test]
fn kills_are_stops() {
    let mut rig = rig(UP);
    assert_eq!(rig.standing(), up());
    for (order, signal) in [(1, Signal::Stop), (2, Signal::Kill)] {
        let (order, service) = (OrderId(order), WEB);
        rig.give(KeeperOrder::Signal {
            order,
            service,
            signal,
            reach: Reach::All,
        });
    }
    let mut facts = vec![rig.next(), rig.next(), rig.next()];
    facts.retain(|fact| matches!(fact, Fact::Done { .. }));
    assert_eq!(facts[0], done(1, Ok(())));
    let asked = [
        "stop --no-block -- web.service",
        "stop --no-block -- web.service",
        "kill --signal=SIGKILL -- web.service",
    ];
    while rig.asked().len() < 3 {
        std::thread::yield_now();
    }
    assert_eq!(rig.asked(), asked);
    rig.end();
}

/// A restart is one, and takes nothing along; a unit that hangs ends as one that fails, by the signal that
/// a stop of it begins with, and then by KILL, and is not stopped for that.
#[test]
fn restarts_and_failures_are_no_stops() {
    let mut rig = rig(&(UP.to_owned() + "KillSignal=2\n"));
    assert_eq!(rig.standing(), up());
    let orders = [
        (Signal::Restart, Reach::Main),
        (Signal::Abort, Reach::Main),
        (Signal::Abort, Reach::All),
    ];
    for (order, (signal, reach)) in (1..).map(OrderId).zip(orders) {
        rig.give(KeeperOrder::Signal {
            order,
            service: WEB,
            signal,
            reach,
        });
        assert_eq!(rig.next(), done(order.0, Ok(())));
        assert_eq!(rig.standing(), up());
    }
    let asked = [
        "restart --no-block -- web.service",
        "kill --kill-who=main --signal=2 -- web.service",
        "kill --kill-who=main --signal=SIGCONT -- web.service",
        "kill --signal=SIGKILL -- web.service",
    ];
    assert_eq!(rig.asked(), asked);
    // An end after that is not ours: the journal tells whose it is.
    rig.job("start");
    rig.becomes(LEFT);
    assert_eq!(rig.settled(), left(false));
    rig.end();
}

/// One without a main process cannot be told to fail, and is stopped.
#[test]
fn what_cannot_fail_is_stopped() {
    let mut rig = rig(UP);
    assert_eq!(rig.standing(), up());
    rig.write("refuse", "kill");
    let (order, signal, reach) = (OrderId(1), Signal::Abort, Reach::Main);
    rig.give(KeeperOrder::Signal {
        order,
        service: WEB,
        signal,
        reach,
    });
    assert_eq!(rig.next(), done(1, Ok(())));
    let asked = [
        "kill --kill-who=main --signal=15 -- web.service",
        "stop --no-block -- web.service",
    ];
    assert_eq!(rig.asked(), asked);
    rig.end();
}

/// A refusal is told as one, and what cannot be understood is not taken for news of a unit.
#[test]
fn refusals_and_nonsense() {
    let mut rig = rig(UP);
    assert_eq!(rig.standing(), up());
    rig.write("refuse", "all");
    rig.give(KeeperOrder::Start {
        order: OrderId(9),
        service: WEB,
    });
    let refused = Err(Fault::Errno(crate::core::fact::Errno(libc::ECANCELED)));
    assert_eq!(rig.next(), done(9, refused));
    assert_eq!(rig.standing(), up());
    rig.write("show", "Failed to connect to bus\n");
    rig.give(KeeperOrder::Start {
        order: OrderId(10),
        service: WEB,
    });
    assert!(matches!(rig.next(), Fact::Done { .. }));
    let why = Fault::Implausible;
    assert_eq!(rig.standing(), Standing::Unknown { why });
    rig.write("show", UP);
    assert_eq!(rig.standing(), up());
    rig.end();
}

/// Where no systemd runs nothing is known, and nothing can be had.
#[test]
fn without_systemd() {
    let pulse = Arc::new(Pulse::new(Thread::Keeper, Duration::from_secs(30)));
    let (orders, work) = with_bell(8, pulse).unwrap();
    let (inbox, mut facts) = inbox();
    let keeper = Keeper::new(vec![(WEB, "web.service".into())], None, inbox);
    let thread = std::thread::spawn(move || keeper.run(&work));
    let (order, service) = (OrderId(1), WEB);
    let mut next = || facts.wait_until(clock::now(), None).unwrap();
    let why = Fault::Absent;
    let unknown = Fact::Kept {
        service,
        standing: Standing::Unknown { why },
    };
    assert_eq!(next(), unknown);
    orders
        .give(clock::now(), KeeperOrder::Start { order, service })
        .unwrap();
    assert_eq!(next(), done(1, Err(Fault::Absent)));
    orders.give(clock::now(), KeeperOrder::Quit).unwrap();
    thread.join().unwrap().unwrap();
}
