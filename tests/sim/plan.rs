//! What a seed decides before anything happens: the configuration, and which faults there are.

use crate::board_file::Extras;
use crate::faults::Kind;
use crate::probes;
use crate::rng::Rng;
use fieldwarden::config::board::{Board, MainsBy};
use fieldwarden::config::{self, Loaded, Shelf};
use fieldwarden::core::fact::ServiceId;
use fieldwarden::core::settings::{CutAhead, Settings};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// Names of services; their order in the settings is that of the alphabet.
const NAMES: [&str; 8] = [
    "api", "camera", "db", "gateway", "logger", "modem", "tunnel", "web",
];

/// Everything that is fixed for one run of the simulator. Times are in milliseconds.
pub struct Plan {
    pub seed: u64,
    pub toml: String,
    /// The text of its board's file, if that is none of the shipped ones.
    pub file: Option<String>,
    pub settings: Settings,
    /// The board, as its file describes it.
    pub board: Board,
    pub faults: BTreeSet<Kind>,
    /// Init's watchdog over the daemon.
    pub init_watchdog: Option<u64>,
    /// Time between two readings of vitals.
    pub vitals_every: u64,
    /// Orders that a queue holds.
    pub queue: usize,
    /// A service that never stays up, as long as anything goes wrong.
    pub hopeless: Option<ServiceId>,
    /// What becomes of a marker at the end of a boot.
    pub card: Card,
    /// After this time nothing goes wrong any more.
    pub calm_at: u64,
    /// After this time, without faults, everything must be well.
    pub well_by: u64,
}

fn drawn_apart(kind: Kind) -> bool {
    matches!(kind, Kind::Held | Kind::Drilled)
}

impl Plan {
    /// A register of a chip tells of mains.
    pub fn by_register(&self) -> bool {
        matches!(
            self.board.mains,
            MainsBy::Register { .. } | MainsBy::Voltage { .. } | MainsBy::Chip { .. }
        )
    }
}

/// What becomes of a marker at the end of a boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Card {
    /// It is there in the next one.
    Keeps,
    /// It is gone, though its file system is one that keeps it: somebody cleans up.
    Forgets,
    /// It is again as it was after the first boot: what is written goes into memory.
    Stale,
}

/// An essential thread owes for this long before it is late.
pub const LATE_ESSENTIAL: u64 = 3_000;
/// The others may wait for the card.
pub const LATE_OTHER: u64 = 10_000;

impl Plan {
    pub fn of(seed: u64) -> Plan {
        Plan::drawn(seed, true)
    }

    /// With or without jobs, which go by the clock.
    pub fn drawn(seed: u64, jobs: bool) -> Plan {
        Plan::made(seed, jobs, None)
    }

    /// With this board, whose outages and whose gauge go wrong in any case.
    pub fn on(seed: u64, board: &str) -> Plan {
        Plan::made(seed, true, Some(board))
    }

    fn made(seed: u64, jobs: bool, on: Option<&str>) -> Plan {
        let mut rng = Rng::new(seed);
        let mut toml = configuration(&mut rng);
        if let Some(board) = on {
            let rest = toml.split_once('\n').map_or("", |(_, rest)| rest);
            toml = format!("board = \"{board}\"\n{rest}");
        }
        probes::draw(seed, &mut toml);
        probes::close_off(seed, &mut toml);
        if jobs {
            crate::jobs::jobs(seed, &mut toml);
        }
        let loaded = config::parse("simulated.toml", &toml)
            .unwrap_or_else(|p| panic!("seed {seed}: {p}\n{toml}"));
        let extras = match on {
            Some(_) => Extras {
                cut: None,
                mains: None,
            },
            None => extras(seed, &loaded.config.wiring.board),
        };
        let file = extras.file(&loaded.config.wiring.board.source);
        let loaded = match &file {
            Some(file) => with_board(&toml, file),
            None => loaded,
        };
        let (mut settings, board) = (loaded.config.settings, loaded.config.wiring.board);
        // From a quiet world to one in which nearly everything fails.
        let share = rng.pick(&[0, 10, 25, 50, 80]);
        let mut faults = Kind::ALL
            .into_iter()
            .filter(|kind| !probes::FAULTS.contains(kind) && !drawn_apart(*kind))
            .filter(|_| rng.chance(share))
            .collect::<BTreeSet<_>>();
        let mut calm_at = rng.range(60, 400) * 1000;
        if settings.board.dead_band.is_some() {
            // Where the current tells, it takes longer until anything is plain, so there is more time;
            // and what is new there are outages and gauges that are wrong.
            calm_at *= 3;
            let often = [Kind::MainsOut, Kind::MainsOut, Kind::GaugeLies];
            faults.extend(often.into_iter().filter(|_| rng.chance(50)));
        }
        if on.is_some() {
            faults.extend([
                Kind::MainsOut,
                Kind::MainsCut,
                Kind::GaugeLies,
                Kind::GaugeNaks,
            ]);
        }
        faults.extend(probes::faults(seed, &settings, share));
        // What escalates, and what knows of that, is drawn apart: the other draws stay as they are.
        let mut last = Rng::new(seed.rotate_left(32));
        for at in 0..settings.services.len() {
            let id = ServiceId(u16::try_from(at).unwrap_or(u16::MAX));
            let grouped = settings.groups.iter().any(|g| g.members.contains(&id));
            let job = settings.services[at].job.is_some();
            settings.services[at].escalates = !job && !grouped && last.chance(30);
        }
        // Jobs come last by their names.
        let count = settings.services.iter().filter(|s| s.job.is_none()).count() as u64;
        let hopeless = last.chance(40).then(|| last.range(0, count - 1));
        let hopeless = hopeless.and_then(|at| u16::try_from(at).ok().map(ServiceId));
        if let Some(id) = hopeless {
            let grouped = settings.groups.iter().any(|g| g.members.contains(&id));
            settings.services[usize::from(id.0)].escalates = !grouped;
        }
        let card = last.pick(&[
            Card::Keeps,
            Card::Keeps,
            Card::Keeps,
            Card::Keeps,
            Card::Keeps,
            Card::Forgets,
            Card::Stale,
        ]);
        faults.extend(last.chance(share).then_some(Kind::Held));
        settings.hold_most = Duration::from_secs(last.pick(&[60, 300, 14_400]));
        settings.set_rtc = last.chance(30);
        faults.extend(last.chance(share).then_some(Kind::Drilled));
        let toml = escalating(&toml, &settings);
        Plan {
            seed,
            hopeless,
            card,
            vitals_every: rng.pick(&[1_000, 5_000, 5_000, 15_000]),
            init_watchdog: rng.pick(&[None, Some(4_000), Some(30_000)]),
            queue: match faults.contains(&Kind::ShortQueues) {
                true => 2,
                false => 64,
            },
            calm_at,
            well_by: calm_at + patience(&settings),
            toml,
            file,
            settings,
            board,
            faults,
        }
    }
}

/// The configuration with what escalates in it, and for how long nothing may be.
fn escalating(toml: &str, settings: &Settings) -> String {
    let escalates = settings.services.iter().filter(|s| s.escalates);
    let hold = settings.hold_most.as_secs();
    let set_rtc = settings.set_rtc;
    let toml = format!("{toml}\n[hold]\nmost = \"{hold}s\"\n[clock]\nset_rtc = {set_rtc}\n");
    escalates.fold(toml, |toml, s| {
        let header = format!("[service.{}]\n", s.name);
        toml.replace(&header, &format!("{header}escalate = \"machine\"\n"))
    })
}

/// A board that is told of a power-off before init is, on one seed in four; and one with a register
/// that tells of mains, on one in six of those with a battery.
fn extras(seed: u64, board: &Board) -> Extras {
    let mut rng = Rng::new(!seed);
    let cut = rng.chance(25).then(|| CutAhead {
        can_be_cancelled: rng.chance(50),
        delay: Duration::from_secs(rng.range(30, 120)),
    });
    let register = board.battery.is_some() && rng.chance(17);
    let mains = register.then(|| rng.chance(50));
    Extras { cut, mains }
}

/// The same configuration, with a board of which this is the file.
fn with_board(toml: &str, file: &str) -> Loaded {
    let shelf = Shelf::recorded(file.to_owned());
    let loaded = config::parse_with("simulated.toml", toml, &shelf);
    loaded.unwrap_or_else(|p| panic!("{p}\n{file}\n{toml}"))
}

/// How long it may take until everything is well again: the longest a service can be held back, one
/// after the other along the longest chain, and the resets and stops that may be under way.
fn patience(settings: &Settings) -> u64 {
    let ms = millis;
    let reset = ms(settings.watchdog.timeout) * 2 + 60_000;
    let stop = ms(settings.stop_budget) + 10_000;
    let held = |s: &fieldwarden::core::settings::Service| {
        let b = &s.backoff;
        let probes = s.probes.as_ref().map_or(0, |plans| probes::patience(plans));
        probes
            + 2 * (ms(s.start_timeout) + ms(s.stop_timeout) + ms(b.cap))
            + ms(b.window)
            + ms(b.cooldown)
    };
    // A process that cannot be killed is free again after a minute and a half at most.
    // An LED is tried again every five minutes.
    let led = 310_000;
    // A board that was told ahead cuts the power first, or somebody has to come.
    let cut = settings
        .board
        .cut_ahead
        .map_or(0, |ahead| 2 * ms(ahead.delay) + 150_000);
    // A group that was restarted too often waits for its window.
    let groups: u64 = settings.groups.iter().map(|g| 2 * ms(g.window)).sum();
    cut + reset + stop + 90_000 + led + groups + settings.services.iter().map(held).sum::<u64>()
}

fn configuration(rng: &mut Rng) -> String {
    let mut out = String::new();
    let owner = rng.pick(&[
        "fieldwarden",
        "fieldwarden",
        "fieldwarden",
        "systemd",
        "nobody",
    ]);
    let timeout = rng.pick(&[2, 5, 15, 15, 40]);
    // On the last three the sign of the current tells of mains, on the others a line.
    let board = rng.pick(&[
        "none",
        "none",
        "none",
        "x728",
        "x120x",
        "ups-lite-1.2",
        "waveshare-ups-hat",
        "waveshare-ups-hat-c",
        "waveshare-ups-hat-d",
    ]);
    let ride = match board {
        "none" => rng.pick(&["10s", "30s", "60s"]),
        _ => rng.pick(&["10s", "30s", "60s", "never"]),
    };
    let disarm = rng.chance(30);
    let budget = rng.range(8, 40);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "board = \"{board}\"\n[power]\nride_through = \"{ride}\"\n\
         [watchdog]\nowner = \"{owner}\"\ntimeout = \"{timeout}s\"\ndisarm_on_stop = {disarm}\n\
         [stop]\nbudget = \"{budget}s\"\n[storage]\nmounts = [\"/\", \"/data\"]\n"
    );
    if rng.chance(70) {
        out.push_str("[led]\nname = \"ACT\"\n");
    }
    let mut before: Vec<&str> = Vec::new();
    let count = rng.range(1, 6);
    while (before.len() as u64) < count {
        let name = rng.pick(&NAMES);
        if !before.contains(&name) {
            let after: Vec<_> = before.iter().copied().filter(|_| rng.chance(35)).collect();
            service(rng, name, &after, &mut out);
            bars(rng, &before, &mut out);
            before.push(name);
        }
    }
    if rng.chance(50) {
        group(rng, &before, &mut out);
    }
    let (most, window, uptime) = (rng.range(0, 4), rng.range(10, 400), rng.range(10, 200));
    let _ = write!(
        out,
        "[reboots]\nmost = {most}\nwindow = \"{window}m\"\nuptime = \"{uptime}s\"\n"
    );
    out
}

/// Some of the services are a group. Each comes only after such as stand before it.
fn group(rng: &mut Rng, services: &[&str], out: &mut String) {
    let members: Vec<&str> = services
        .iter()
        .copied()
        .filter(|_| rng.chance(70))
        .collect();
    let (strategy, escalate) = rng.pick(&[
        ("one-for-one", "group"),
        ("one-for-one", "machine"),
        ("one-for-all", "machine"),
        ("one-for-all", "none"),
        ("one-for-all", "group"),
        ("rest-for-one", "none"),
        ("rest-for-one", "group"),
    ]);
    let (restarts, window) = (rng.range(1, 5), rng.range(10, 90));
    let _ = write!(
        out,
        "[group.field]\nmembers = {members:?}\nstrategy = \"{strategy}\"\nrestarts = {restarts}\n\
         window = \"{window}s\"\nescalate = \"{escalate}\"\n"
    );
}

/// What the service just written cannot run without.
fn bars(rng: &mut Rng, before: &[&str], out: &mut String) {
    let mut some = |percent| -> Vec<&str> {
        let names = before.iter().copied();
        names.filter(|_| rng.chance(percent)).collect()
    };
    let (requires, wants) = (some(20), some(15));
    let needs: Vec<&str> = ["clock", "mains", "network"]
        .into_iter()
        .filter(|_| rng.chance(12))
        .collect();
    let stop: Vec<&str> = needs.iter().copied().filter(|_| rng.chance(60)).collect();
    let _ = write!(
        out,
        "requires = {requires:?}\nwants = {wants:?}\nneeds = {needs:?}\nstop_without = {stop:?}\n"
    );
}

/// In milliseconds.
pub fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

fn service(rng: &mut Rng, name: &str, after: &[&str], out: &mut String) {
    let ready = rng.pick(&["exec", "notify"]);
    let class = rng.pick(&["essential", "normal", "optional"]);
    let restart = rng.pick(&[
        "always",
        "always",
        "always",
        "on-failure",
        "on-abnormal",
        "never",
    ]);
    let start_timeout = rng.range(2, 15);
    let stop_timeout = rng.pick(&[0, 1000, 3000, 8000]);
    let _ = write!(
        out,
        "[service.{name}]\ncommand = [\"/usr/bin/{name}\"]\nautostart = {}\nafter = {after:?}\n\
         ready = \"{ready}\"\nstart_timeout = \"{start_timeout}s\"\n\
         stop_timeout = \"{stop_timeout}ms\"\nrestart = \"{restart}\"\nclass = \"{class}\"\n",
        rng.chance(85)
    );
    if rng.chance(30) {
        out.push_str("success_on = [143]\nno_restart_on = [2, 78]\n");
    }
    if rng.chance(60) {
        let _ = writeln!(out, "heartbeat = \"{}ms\"", rng.range(800, 8000));
    }
    let first = rng.range(200, 2000);
    let _ = writeln!(
        out,
        "backoff = {{ immediate = {}, first = \"{first}ms\", cap = \"{}ms\", stable = \"{}s\", \
         restarts = {}, window = \"{}s\", cooldown = \"{}s\" }}",
        rng.range(0, 3),
        first * rng.range(1, 8),
        rng.range(5, 40),
        rng.range(2, 8),
        rng.range(20, 90),
        rng.range(5, 40),
    );
}

/// What a seed writes down is what it plays: its scenario is its story.
#[test]
fn plans_are_their_files() {
    for seed in 0..300 {
        let plan = Plan::of(seed);
        let loaded = match &plan.file {
            Some(file) => with_board(&plan.toml, file),
            None => config::parse("simulated.toml", &plan.toml).unwrap_or_else(|p| panic!("{p}")),
        };
        assert_eq!(loaded.config.settings, plan.settings, "seed {seed}");
    }
}
