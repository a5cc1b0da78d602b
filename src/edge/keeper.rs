//! The keeper thread: asks systemd for the units that it keeps for us, and says how they stand.
//!
//! ```text
//! order ──► systemctl start, stop, kill ──► done
//! news of a group or a file, or time ─► systemctl show ──► how each unit stands, if that is new
//! ```
//!
//! Terms: a *look* is one question about all units. Each piece of news is followed by a few looks,
//! at growing intervals: the kernel tells of the end of a process before systemd has dealt with it.
//! After that a look a minute is enough, in case something was not told.
//!
//! Never decides, and never waits for systemd without a deadline.

mod doubt;
mod show;
mod span;
mod systemctl;
mod watch;

use super::clock;
use super::inbox::Inbox;
use super::orders::Work;
use crate::core::action::{Action, Reach, Signal};
use crate::core::fact::{Fact, Fault, OrderId, Pid, ServiceId, Standing};
use crate::units::Mono;
use doubt::Doubts;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use show::Seen;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
pub use systemctl::Systemctl;
use watch::Watch;

/// Reads whatever systemd may have said of a unit, and the journal of its jobs.
#[cfg(any(test, fuzzing))]
pub(super) fn hostile(text: &str) {
    let units = text.split("\n\n").filter(|b| !b.trim().is_empty()).count();
    if let Some(seen) = show::seen(text, units, |_| None) {
        assert_eq!(seen.len(), units);
    }
    show::stopped(text);
}

/// Time from one look to the next while nothing is told.
const IDLE: Duration = Duration::from_secs(60);

/// The first look after news comes at once, the next one after this time, and so on, each time twice
/// as long: systemd has dealt with it within milliseconds, unless the machine is busy.
const FIRST: Duration = Duration::from_millis(100);

/// The longest such interval, while a unit is on its way up or down.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest time by which news has to wait, where it comes all the time.
const STORM: Duration = Duration::from_secs(5);

/// Pieces of news that may come one after the other before the time from one look to the next doubles:
/// a unit that ends and starts brings up to four.
const PIECES: u32 = 8;

/// Looks that follow on news, beside the first.
const LOOKS: u32 = 4;

/// Where systemd's command is.
const PROGRAMS: [&str; 2] = ["/usr/bin/systemctl", "/bin/systemctl"];

/// It is there where systemd runs the machine, sd_booted(3).
const BOOTED: &str = "/run/systemd/system";

/// What a stop begins with, unless the unit says otherwise.
const TERM: u8 = 15;

/// Where units are masked and unmasked, and where packages install them; that they come and go there is
/// told by the kernel.
const PLACES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The root of all control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// What the keeper thread can be told.
#[derive(Clone, Copy, Debug)]
pub enum KeeperOrder {
    /// Have this unit started.
    Start {
        /// To be quoted in the answer.
        order: OrderId,
        /// Which.
        service: ServiceId,
    },
    /// Have this unit stopped, or killed.
    Signal {
        /// To be quoted in the answer.
        order: OrderId,
        /// Which.
        service: ServiceId,
        /// How.
        signal: Signal,
        /// Whether all of it is meant.
        reach: Reach,
    },
    /// End.
    Quit,
}

impl KeeperOrder {
    /// The order for this action, if it is one for a keeper.
    pub fn of(order: OrderId, action: &Action) -> Option<KeeperOrder> {
        match *action {
            Action::Start { service, .. } => Some(KeeperOrder::Start { order, service }),
            Action::Signal {
                service,
                signal,
                reach,
                ..
            } => Some(KeeperOrder::Signal {
                order,
                service,
                signal,
                reach,
            }),
            _ => None,
        }
    }
}

/// The keeper thread's own state.
pub struct Keeper {
    /// Our services that are units, and the names of those.
    units: Vec<(ServiceId, Box<str>)>,
    /// `None` where no systemd runs, or none that we may ask.
    systemctl: Option<Systemctl>,
    watch: Option<Watch>,
    root: PathBuf,
    /// What was said of each last.
    said: BTreeMap<ServiceId, Standing>,
    failed: BTreeSet<ServiceId>,
    /// Services of which something is to be said, new or not.
    owed: BTreeSet<ServiceId>,
    doubts: Doubts,
    /// When the latest look was.
    looked: Mono,
    looks: u32,
    pace: Duration,
    next: Mono,
    news: News,
    inbox: Inbox,
}

/// News of control groups since the latest quiet minute.
#[derive(Default)]
struct News {
    pieces: u32,
    latest: Mono,
}

impl News {
    /// One more. Returns the time that has to pass from one look to the next.
    fn heard(&mut self, now: Mono) -> Duration {
        if now.since(self.latest) >= IDLE {
            self.pieces = 0;
        }
        (self.pieces, self.latest) = (self.pieces.saturating_add(1), now);
        let doubled = 1 << (self.pieces / PIECES).min(16);
        (FIRST * doubled).min(STORM)
    }
}

/// systemd's command, where systemd runs this machine.
pub fn systemctl() -> Option<PathBuf> {
    let there = PROGRAMS.iter().map(Path::new).find(|path| path.exists());
    there
        .filter(|_| Path::new(BOOTED).is_dir())
        .map(Path::to_owned)
}

impl Keeper {
    /// Ready to ask for these units.
    pub fn new(
        units: Vec<(ServiceId, Box<str>)>,
        systemctl: Option<Systemctl>,
        inbox: Inbox,
    ) -> Keeper {
        Keeper::with_groups(units, systemctl, inbox, Path::new(GROUPS))
    }

    /// The same, with control groups below this directory.
    pub fn with_groups(
        units: Vec<(ServiceId, Box<str>)>,
        systemctl: Option<Systemctl>,
        inbox: Inbox,
        root: &Path,
    ) -> Keeper {
        let watch = systemctl
            .as_ref()
            .and_then(|_| Watch::new(root, &PLACES.map(Path::new)).ok());
        Keeper {
            units,
            systemctl,
            watch,
            root: root.to_owned(),
            said: BTreeMap::new(),
            failed: BTreeSet::new(),
            owed: BTreeSet::new(),
            doubts: Doubts::default(),
            looked: Mono(0),
            looks: LOOKS,
            pace: FIRST,
            next: Mono(0),
            news: News::default(),
            inbox,
        }
    }

    /// Carries out orders and looks, until told to quit.
    ///
    /// # Errors
    /// When the kernel cannot wait for descriptors, which leaves nothing to do here.
    pub fn run(mut self, work: &Work<KeeperOrder>) -> io::Result<()> {
        loop {
            if self.next <= clock::now() {
                self.look();
            }
            self.wait(work)?;
            if self.watch.as_mut().is_some_and(Watch::hear) {
                let floor = self.news.heard(clock::now());
                self.be_alert(floor);
            }
            work.silence();
            while let Some(order) = work.take() {
                let quit = matches!(order, KeeperOrder::Quit);
                self.obey(order);
                work.finish(clock::now());
                if quit {
                    return Ok(());
                }
            }
        }
    }

    fn wait(&self, work: &Work<KeeperOrder>) -> io::Result<()> {
        work.pulse().sleep_until(self.next);
        let wait = clock::wait(self.next.since(clock::now()));
        // Not a moment too early, or it would be waited for once more.
        let wait = Timespec::try_from(wait + Duration::from_millis(1)).ok();
        let fds = work.bell().into_iter();
        let fds = fds.chain(self.watch.as_ref().map(AsFd::as_fd));
        let mut fds: Vec<PollFd<'_>> = fds
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Something has happened, or is about to: looks at once, and a few times after that.
    /// A unit that comes and goes all the time must not make us busy: `floor` lies between two looks.
    fn be_alert(&mut self, floor: Duration) {
        (self.looks, self.pace) = (LOOKS, floor);
        self.next = self.next.min(self.looked.after(floor));
    }

    fn obey(&mut self, order: KeeperOrder) {
        // After anything else it may be up again, and down once more by itself.
        let stop = match order {
            KeeperOrder::Signal { signal, .. } => matches!(signal, Signal::Stop | Signal::Kill),
            KeeperOrder::Start { .. } | KeeperOrder::Quit => false,
        };
        let (order, service, outcome) = match order {
            KeeperOrder::Start { order, service } => (order, service, self.start(service)),
            KeeperOrder::Signal {
                order,
                service,
                signal,
                reach,
            } => (order, service, self.end(service, signal, reach)),
            KeeperOrder::Quit => return,
        };
        if outcome.is_ok() {
            self.doubts.order(service, stop);
        }
        let silent = matches!(&outcome, Err(Fault::Errno(e)) if e.0 == libc::ETIMEDOUT);
        let done = Fact::Done {
            order,
            outcome: outcome.clone(),
        };
        self.inbox.send(done);
        // After that, so that the core does not take it for older than its order.
        self.owed.insert(service);
        self.be_alert(FIRST);
        if let (true, Err(why)) = (silent, outcome) {
            self.say_nothing_known(&why);
        }
    }

    fn unit(&self, service: ServiceId) -> Option<Box<str>> {
        let mut units = self.units.iter();
        units
            .find(|(id, _)| *id == service)
            .map(|(_, unit)| unit.clone())
    }

    fn ask(&mut self, service: ServiceId, arguments: &[&str]) -> Result<(), Fault> {
        self.asked(service, arguments).map(drop)
    }

    fn asked(&mut self, service: ServiceId, arguments: &[&str]) -> Result<String, Fault> {
        let unit = self.unit(service).ok_or(Fault::Absent)?;
        let systemctl = self.systemctl.as_mut().ok_or(Fault::Absent)?;
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--", &unit]).collect();
        systemctl.ask(&arguments)
    }

    fn start(&mut self, service: ServiceId) -> Result<(), Fault> {
        if self.failed.contains(&service) {
            // How often it is started is for the core to say: its count is not systemd's. If that is
            // not heard, the start says so.
            let _ = self.ask(service, &["reset-failed"]);
        }
        self.ask(service, &["start", "--no-block"])
    }

    fn end(&mut self, service: ServiceId, signal: Signal, reach: Reach) -> Result<(), Fault> {
        match (signal, reach) {
            (Signal::Stop, _) => self.ask(service, &["stop", "--no-block"]),
            // Those that require it are started again with it, as they would not be after a stop.
            (Signal::Restart, _) => self.ask(service, &["restart", "--no-block"]),
            (Signal::Abort, Reach::Main) => self.fail(service),
            (Signal::Abort, Reach::All) => self.kill(service),
            (Signal::Kill, _) => {
                // Stopped first, or systemd might take that for a failure and start it again.
                self.ask(service, &["stop", "--no-block"])?;
                self.kill(service)
            }
        }
    }

    fn kill(&mut self, service: ServiceId) -> Result<(), Fault> {
        match self.ask(service, &["kill", "--signal=SIGKILL"]) {
            // There is nothing left to kill.
            Err(systemctl::REFUSED) => Ok(()),
            outcome => outcome,
        }
    }

    /// Ends it as one that fails by itself, with the signal that a stop would begin with: nothing that
    /// requires it is stopped for that. One that has no main process has to be stopped.
    fn fail(&mut self, service: ServiceId) -> Result<(), Fault> {
        let said = self.asked(service, &["show", "--property=KillSignal"])?;
        let mut signals = said
            .lines()
            .filter_map(|line| line.strip_prefix("KillSignal="));
        let signal = signals.next().and_then(|number| number.parse::<u8>().ok());
        let signal = signal.unwrap_or(TERM);
        let signal = format!("--signal={signal}");
        match self.ask(service, &["kill", "--kill-who=main", &signal]) {
            Err(systemctl::REFUSED) => self.ask(service, &["stop", "--no-block"]),
            Ok(()) => {
                // One that was stopped by a signal hears it now; it may as well be gone.
                let _ = self.ask(service, &["kill", "--kill-who=main", "--signal=SIGCONT"]);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Asks how all of them stand, and says what is new.
    fn look(&mut self) {
        match self.ask_all() {
            Ok(seen) => self.tell(&seen),
            Err(why) => {
                self.doubts.put_off();
                self.say_nothing_known(&why);
            }
        }
        let changing = |s: &Standing| match s {
            Standing::Coming { .. } | Standing::Going | Standing::Unknown { .. } => true,
            Standing::Up { .. } | Standing::Down { .. } => false,
        };
        let alert = self.looks > 0 || self.said.values().any(changing);
        let now = clock::now();
        self.looked = now;
        self.next = match self.systemctl {
            None => Mono(u64::MAX),
            Some(_) if self.doubts.any() => now.after(doubt::AGAIN),
            Some(_) if alert => now.after(self.pace),
            Some(_) => now.after(IDLE),
        };
        self.looks = self.looks.saturating_sub(1);
        self.pace = (self.pace * 2).min(LONGEST);
    }

    fn ask_all(&mut self) -> Result<Vec<Seen>, Fault> {
        let systemctl = self.systemctl.as_mut().ok_or(Fault::Absent)?;
        let mut arguments = vec!["show", "--no-pager", "--property", show::PROPERTIES, "--"];
        arguments.extend(self.units.iter().map(|(_, unit)| &**unit));
        let text = systemctl.ask(&arguments)?;
        let first = |group: &str| first_process(&self.root, group);
        let mut seen = show::seen(&text, self.units.len(), first).ok_or(Fault::Implausible)?;
        self.fill_in(&mut seen);
        Ok(seen)
    }

    fn tell(&mut self, seen: &[Seen]) {
        let mut news = Vec::new();
        for ((service, _), seen) in self.units.iter().zip(seen) {
            let service = *service;
            match seen.failed {
                true => self.failed.insert(service),
                false => self.failed.remove(&service),
            };
            let same = self.said.get(&service) == Some(&seen.standing);
            if same && !self.owed.contains(&service) {
                continue;
            }
            let standing = seen.standing.clone();
            self.said.insert(service, standing.clone());
            news.push(Fact::Kept { service, standing });
        }
        self.owed.clear();
        if !news.is_empty() {
            self.inbox.send_all(news);
        }
        if let Some(watch) = &mut self.watch {
            watch.follow(seen);
        }
    }

    fn say_nothing_known(&mut self, why: &Fault) {
        let mut news = Vec::new();
        for (service, _) in &self.units {
            let (service, why) = (*service, why.clone());
            if !matches!(self.said.get(&service), Some(Standing::Unknown { .. })) {
                let standing = Standing::Unknown { why };
                self.said.insert(service, standing.clone());
                news.push(Fact::Kept { service, standing });
            }
        }
        if !news.is_empty() {
            self.inbox.send_all(news);
        }
    }
}

/// A process of a control group.
fn first_process(root: &Path, group: &str) -> Option<Pid> {
    let path = root
        .join(group.trim_start_matches('/'))
        .join("cgroup.procs");
    let text = fs::read_to_string(path).ok()?;
    Pid::new(text.lines().next()?.parse().ok()?)
}

#[cfg(test)]
mod tests;
