//! Notes for people: what happened, and what to do where that helps.

mod clock;
mod guard;
mod heat;
mod power;
mod service;
mod storage;

use super::daemon;
use super::errno_message;
use super::group;
use super::halt;
use super::hold;
use super::job;
use super::keeper;
use super::led;
use super::legacy::recalled;
use super::notify;
use super::plain::plain;
use super::probe;
use super::quantity::{for_people, hundredths, percent};
use super::signal_word;
use super::throttle;
use super::words::thread_word;
use crate::core::fact::{Asker, Fault, Request, ServiceId, Source};
use crate::core::note::Note;
use crate::core::picture::Verdict;
use crate::core::settings::{Restart, Settings};
pub use service::kept_because;

/// What an operator reads: plain English without a full stop at its end.
pub fn sentence(note: &Note, settings: &Settings) -> String {
    Speaker(settings).sentence(note)
}

/// Why something failed, in words: `input/output error (EIO)`, `taken by systemd (pid 1)`.
pub fn fault_sentence(fault: &Fault) -> String {
    match fault {
        Fault::Busy => "the thread that should do it is overloaded".to_owned(),
        Fault::Errno(errno) => errno_message(*errno),
        Fault::Taken { by: None } => "taken by another process".to_owned(),
        Fault::Taken { by: Some(by) } => format!("taken by {by}"),
        Fault::Absent => "there is none on this machine".to_owned(),
        Fault::Implausible => "its value cannot be true".to_owned(),
    }
}

struct Speaker<'a>(&'a Settings);

impl Speaker<'_> {
    /// One match over everything that can be said, and therefore long.
    fn sentence(&self, note: &Note) -> String {
        let name = |service| self.0.name(service);
        let mount = |mount| plain(self.0.mount(mount));
        match note {
            Note::Began { services, adopted } => began(*services, *adopted),
            Note::Ending { by } => format!("ending: {} asked to stop all services", person(*by)),
            Note::Leaving { by } => format!(
                "ending: {} asked to leave the services running for the next start",
                person(*by)
            ),
            Note::StopOverran { budget } => format!(
                "services still running after the {} of `budget` in `[stop]` are killed",
                for_people(*budget)
            ),
            Note::Ended => "ended".to_owned(),
            Note::Halt(note) => halt::sentence(note),
            Note::Hold(note) => hold::sentence(note),
            Note::Reload(note) => super::reload::sentence(note),
            Note::Asked { by, request } => {
                format!("{} asked to {}", person(*by), self.wish(request))
            }
            Note::JournalAway { why } => daemon::journal_away(why),
            Note::JournalBack => daemon::JOURNAL_BACK.to_owned(),
            Note::Health(note) => daemon::health(note),
            Note::Guard(note) => super::guard::sentence(note, self.0),
            Note::Network(note) => super::network::sentence(note, self.0),
            Note::PoolMissing { why } => daemon::pool_missing(why),
            Note::LimitsUnenforced {
                controller, lack, ..
            } => daemon::unenforced(*controller, *lack),
            Note::SafeStart { aborted } => daemon::safe_start(*aborted),
            Note::ServiceStarting { service, run } => {
                format!("starting {} (run {})", name(*service), run.0)
            }
            Note::ServiceStartStuck { service, waited } => self.start_stuck(*service, *waited),
            Note::ServiceStartFailed {
                service,
                stage,
                errno,
            } => self.start_failed(*service, *stage, *errno),
            Note::ServiceUp { service, pid, took } => format!(
                "{} is up after {} (pid {})",
                name(*service),
                for_people(*took),
                pid.number()
            ),
            Note::ServiceAdopted { service, pid } => format!(
                "{} was running already and was taken over (pid {})",
                name(*service),
                pid.number()
            ),
            Note::ServiceRecalled { service, left } => recalled(name(*service), *left),
            Note::ServiceRedefined(service) => super::legacy::redefined(name(*service)),
            Note::ServiceNotReady { service, waited } => format!(
                "{} did not say READY=1 within {}: stopping it; if it never says so, use \
                 `ready = \"exec\"`",
                name(*service),
                for_people(*waited)
            ),
            Note::ServiceHung { service, silent } => format!(
                "{} sent no heartbeat for {}: {}",
                name(*service),
                for_people(*silent),
                self.after_a_hang(*service)
            ),
            Note::ServiceExited {
                service,
                exit,
                asked,
                lived,
                done: _,
            } => service::exited(name(*service), *exit, *asked, *lived),
            Note::ServiceBarred {
                service,
                bar,
                stopped,
            } => self.barred(*service, *bar, *stopped),
            Note::ServiceStopping { service } => format!("stopping {}", name(*service)),
            Note::ServiceKilled { service, waited } => format!(
                "{} did not stop within {}: killed",
                name(*service),
                for_people(*waited)
            ),
            Note::ServiceBackoff {
                service,
                delay,
                failures,
            } => format!(
                "{} failed {} in a row: next start in {}",
                name(*service),
                times(*failures),
                for_people(*delay)
            ),
            Note::ServiceExcused { service, excuse } => service::excused(name(*service), *excuse),
            Note::RestartsExcused {
                service,
                strain,
                restarts,
            } => service::restarts_excused(name(*service), *strain, *restarts),
            Note::ServiceGaveUp {
                service,
                restarts,
                window,
                retry,
            } => format!(
                "gave up on {0}: {1} within {2}; one more try in {3}, or now with \
                 `fieldwarden start {0}`",
                name(*service),
                counted(u64::from(*restarts), "restart"),
                for_people(*window),
                for_people(*retry)
            ),
            Note::MachineRestarting { service } => service::machine_restarts(name(*service)),
            Note::MachineKept { service, why } => service::machine_kept(name(*service), *why),
            Note::ServiceFinished { service, how } => self.finished(*service, *how),
            Note::Notify(service, note) => {
                notify::sentence(name(*service), note, self.after_a_hang(*service))
            }
            Note::Probe(service, kind, note) => {
                probe::sentence(name(*service), *kind, note, self.after_a_hang(*service))
            }
            Note::Keeper(service, note) => {
                keeper::sentence(name(*service), self.keeper(*service), note)
            }
            Note::Group(of, service, note) => {
                group::sentence(self.0.group(*of), name(*service), note)
            }
            Note::Job(service, note) => job::sentence(name(*service), note),
            Note::WatchdogArmed {
                identity,
                timeout,
                nowayout,
            } => format!(
                "hardware watchdog armed: {identity}, resets after {} without a pet{}",
                for_people(*timeout),
                if *nowayout { ", cannot be stopped" } else { "" }
            ),
            Note::WatchdogClamped { wanted, timeout } => format!(
                "hardware watchdog did not take a timeout of {}: {} is in force",
                for_people(*wanted),
                for_people(*timeout)
            ),
            Note::WatchdogHadReset => {
                "the previous boot was ended by the hardware watchdog".to_owned()
            }
            Note::WatchdogFailed { why, retry } => guard::failed(why, *retry),
            Note::PetWithheld {
                thread,
                timeout,
                init,
            } => guard::withheld(*thread, *timeout, *init),
            Note::PetResumed => "pets go on".to_owned(),
            Note::WatchdogRuns { timeout } => format!(
                "a hardware watchdog runs, and systemd is to pet it{}",
                timeout.map_or_else(String::new, |t| format!("; timeout {}", for_people(t)))
            ),
            Note::WatchdogIdle => {
                "no hardware watchdog runs, although systemd is to pet it: set RuntimeWatchdogSec="
                    .to_owned()
            }
            Note::DaemonUnwatched => {
                "systemd does not notice when this daemon hangs: set WatchdogSec= in its unit"
                    .to_owned()
            }
            Note::WatchdogDisarmed => {
                "hardware watchdog stopped, as `disarm_on_stop` wants: nothing guards this machine"
                    .to_owned()
            }
            Note::WatchdogLeftArmed { timeout } => format!(
                "hardware watchdog left armed: it resets this machine in {} unless a new \
                 fieldwarden pets it",
                for_people(*timeout)
            ),
            Note::LedFailed { why, retry } => led::failed(self.0.led.as_deref(), why, *retry),
            Note::LedBack => led::back(self.0.led.as_deref()),
            Note::ThreadLate { thread, late } => format!(
                "our {} thread is {} late{}",
                thread_word(*thread),
                for_people(*late),
                daemon::blame(*thread)
            ),
            Note::ThreadOnTime { thread } => {
                format!("our {} thread is on time again", thread_word(*thread))
            }
            Note::SourceLost { source, why } => format!(
                "{} cannot be read: {}",
                self.source(*source),
                fault_sentence(why)
            ),
            Note::SourceBack { source } => {
                format!("{} can be read again", self.source(*source))
            }
            Note::Heat {
                level, temperature, ..
            } => heat::level(*level, *temperature),
            Note::HeatShedding { shed } => heat::shedding(*shed).to_owned(),
            Note::Memory { verdict, available } => format!(
                "{} of memory available: {}",
                percent(*available),
                judged(*verdict)
            ),
            Note::Load {
                verdict,
                centi_per_cpu,
            } => format!(
                "load {} per processor: {}",
                hundredths(*centi_per_cpu),
                judged(*verdict)
            ),
            Note::Space {
                verdict,
                mount: at,
                free,
            } => format!(
                "{} of {} free: {}",
                percent(*free),
                mount(*at),
                judged(*verdict)
            ),
            Note::Inodes {
                verdict,
                mount: at,
                free,
            } => format!(
                "{} of the inodes of {} free: {}",
                percent(*free),
                mount(*at),
                judged(*verdict)
            ),
            Note::MountErrors {
                verdict,
                mount: at,
                errors,
            } => storage::errors(*verdict, &mount(*at), *errors),
            Note::ClockSynced => "the clock is synchronised".to_owned(),
            Note::ClockUnsynced => {
                "the clock is not synchronised any more: wall times may drift".to_owned()
            }
            Note::ClockTrust { trust } => clock::trusted(*trust).to_owned(),
            Note::ClockWrong { why } => format!("the clock is wrong: {}", clock::untrue(*why)),
            Note::ClockStepped { by, ahead } => clock::stepped(*by, *ahead),
            Note::RtcWrong { why } => format!("the battery-backed clock {}", clock::rtc(*why)),
            Note::MainsLost => "mains are gone: running on battery".to_owned(),
            Note::OutageTakenUp { lasted } => format!(
                "mains have been gone for {} by the daemon before this one: times count on from there",
                for_people(*lasted)
            ),
            Note::MainsBack { lasted } => {
                format!("mains are back, they were gone for {}", for_people(*lasted))
            }
            Note::BatteryLow {
                voltage,
                charge,
                on_mains,
            } => power::battery_low(*voltage, *charge, *on_mains),
            Note::Recovering { shed } => power::recovering(*shed).to_owned(),
            Note::Shedding { shed } => power::shedding(*shed).to_owned(),
            Note::SignsDisagree { dispute } => power::disagree(*dispute).to_owned(),
            Note::ThrottleBegan { flag, temperature } => throttle::began(*flag, *temperature),
            Note::ThrottleEnded {
                flag,
                lasted,
                at_least,
                times,
                peak,
            } => throttle::ended(*flag, *lasted, *at_least, *times, *peak),
            Note::ThrottleBrief { flag, within } => throttle::brief(*flag, *within),
            Note::ThrottleEarlier { flag } => throttle::earlier(*flag),
        }
    }

    fn after_a_hang(&self, service: ServiceId) -> &'static str {
        let service = self.0.services.get(usize::from(service.0));
        match service.map(|s| s.restart) {
            Some(Restart::Always | Restart::OnFailure | Restart::OnAbnormal) => {
                "ended and started again"
            }
            Some(Restart::Never) | None => "ended",
        }
    }

    fn wish(&self, request: &Request) -> String {
        match *request {
            Request::Status => "see the status".to_owned(),
            Request::Start(service) => format!("start {}", self.0.name(service)),
            Request::Stop(service) => format!("stop {}", self.0.name(service)),
            Request::Restart(service) => format!("restart {}", self.0.name(service)),
            Request::Exit => "stop all services and end".to_owned(),
            Request::Reload => "reload the configuration".to_owned(),
            Request::Leave => "end and leave the services running".to_owned(),
            Request::Halt(kind) => halt::wish(kind).to_owned(),
            Request::Hold { time, ref reason } => hold::wish(time, reason),
            Request::EndHold => "end the hold".to_owned(),
            Request::Drill => "try out the hardware watchdog".to_owned(),
            Request::ShowLed { state, time } => led::wish(state, time),
        }
    }

    fn source(&self, source: Source) -> String {
        match source {
            Source::Temperature => "the temperature".to_owned(),
            Source::Memory => "available memory".to_owned(),
            Source::Load => "the load".to_owned(),
            Source::Network => "the network".to_owned(),
            Source::Clock => "the state of the clock".to_owned(),
            Source::Rtc => "the battery-backed clock".to_owned(),
            Source::Floor => "what is known to be past".to_owned(),
            Source::Mains => "the state of mains".to_owned(),
            Source::Throttle => "the firmware's throttle flags".to_owned(),
            Source::Mount(mount) => format!("file system {}", plain(self.0.mount(mount))),
            Source::Watchdog => "the hardware watchdog".to_owned(),
            Source::Marker => "the marker of the daemon before this one".to_owned(),
            Source::Gauge => "the battery's gauge".to_owned(),
            Source::Journal => "the journal".to_owned(),
            Source::Pool => "the pool".to_owned(),
            Source::Starts => "the starts of daemons".to_owned(),
            Source::Limits => "the limits of services".to_owned(),
            Source::Hold => "the hold that was left".to_owned(),
            Source::Configuration => "the configuration".to_owned(),
            Source::Health => "the health endpoint".to_owned(),
            source => super::guard::source(source, self.0),
        }
    }
}

fn began(services: u16, adopted: u16) -> String {
    let services = counted(u64::from(services), "service");
    match adopted {
        0 => format!("began with {services}"),
        n => format!("began with {services}, {n} of them running already"),
    }
}

pub(super) fn person(by: Asker) -> String {
    match by {
        Asker::User(0) => "root".to_owned(),
        Asker::User(user) => format!("user {user}"),
        Asker::Signal(number) => signal_word(number),
    }
}

fn judged(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "fine again",
        Verdict::Unknown => "unknown",
        Verdict::Warn => "warning",
        Verdict::Critical => "critical",
    }
}

fn times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}

pub(super) fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}
