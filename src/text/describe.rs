//! Notes for machines: a fixed name and fields with units.

mod clock;
mod fault;
mod limits;
pub(super) mod service;
mod value;

use super::group;
use super::guard;
use super::halt;
use super::hold;
use super::job;
use super::keeper;
use super::led;
use super::legacy::left_word;
use super::notify;
use super::probe;
use super::signal_word;
use super::throttle;
use super::words::{
    dispute_word, finish_word, heat_word, shed_word, source, strain_word, thread_word, trust_word,
};
use crate::core::fact::{Asker, MountId, ServiceId};
use crate::core::note;
use crate::core::note::{Note, RtcDoubt};
use crate::core::settings::Settings;
use crate::units::Permille;
pub(super) use fault::cause;
use std::fmt;
use std::time::Duration;
pub use value::Value;

/// A note as a name and its fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// Name of the event, for example `service-exited`: the variant of [`Note`] in kebab case.
    pub name: &'static str,
    /// Its fields in a fixed order. A field that does not apply is left out.
    pub fields: Vec<(&'static str, Value)>,
}

impl fmt::Display for Described {
    /// As in a line of the trace: `service-exited service=web code=1 asked=no lived=3.2s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (key, value) in &self.fields {
            write!(f, " {key}={value}")?;
        }
        Ok(())
    }
}

/// A note as a name and its fields.
pub fn describe(note: &Note, settings: &Settings) -> Described {
    let (name, fields) = Describer(settings).describe(note);
    Described { name, fields }
}

/// The fields of a note, in their order.
pub(super) type Fields = Vec<(&'static str, Value)>;

struct Describer<'a>(&'a Settings);

impl Describer<'_> {
    /// One match over everything that can be said, and therefore long.
    fn describe(&self, note: &Note) -> (&'static str, Fields) {
        match note {
            Note::Began { services, adopted } => (
                "began",
                vec![("services", count(*services)), ("adopted", count(*adopted))],
            ),
            Note::Ending { by } => ("ending", vec![asker(*by)]),
            Note::Leaving { by } => ("leaving", vec![asker(*by)]),
            Note::StopOverran { budget } => ("stop-overran", vec![("budget", time(*budget))]),
            Note::Ended => ("ended", vec![]),
            Note::Halt(note) => halt::describe(note),
            Note::Hold(note) => hold::describe(note),
            Note::Reload(note) => super::reload::describe(note),
            Note::Asked { by, request } => ("asked", service::asked(*by, request, self.0)),
            Note::JournalAway { why } => ("journal-away", cause(why)),
            Note::JournalBack => ("journal-back", vec![]),
            Note::Health(note::HealthNote::HealthAway { why }) => ("health-away", cause(why)),
            Note::Health(note::HealthNote::HealthBack) => ("health-back", vec![]),
            Note::Guard(note) => guard::describe(note, self.0),
            Note::Network(note) => super::network::describe(note, self.0),
            Note::PoolMissing { why } => ("pool-missing", cause(why)),
            Note::LimitsUnenforced { .. } => limits::unenforced(note),
            Note::SafeStart { aborted } => ("safe-start", vec![("aborted", count(*aborted))]),
            Note::ServiceStarting { service, run } => (
                "service-starting",
                self.of(*service, [("run", count(run.0))]),
            ),
            Note::ServiceStartStuck { service, waited } => (
                "service-start-stuck",
                self.of(*service, [("waited", time(*waited))]),
            ),
            Note::ServiceStartFailed {
                service,
                stage,
                errno,
            } => (
                "service-start-failed",
                self.of(*service, service::step(*stage, *errno)),
            ),
            Note::ServiceUp { service, pid, took } => (
                "service-up",
                self.of(
                    *service,
                    [("pid", count(pid.number())), ("took", time(*took))],
                ),
            ),
            Note::ServiceAdopted { service, pid } => (
                "service-adopted",
                self.of(*service, [("pid", count(pid.number()))]),
            ),
            Note::ServiceRecalled { service, left } => (
                "service-recalled",
                self.of(*service, [("left", word(left_word(*left)))]),
            ),
            Note::ServiceRedefined(service) => ("service-redefined", self.of(*service, [])),
            Note::ServiceNotReady { service, waited } => (
                "service-not-ready",
                self.of(*service, [("waited", time(*waited))]),
            ),
            Note::ServiceHung { service, silent } => (
                "service-hung",
                self.of(*service, [("silent", time(*silent))]),
            ),
            Note::ServiceExited {
                service,
                exit,
                asked,
                lived,
                done: _,
            } => (
                "service-exited",
                self.of(*service, service::end(*exit, *asked, *lived)),
            ),
            Note::ServiceBarred {
                service,
                bar,
                stopped,
            } => (
                "service-barred",
                self.of(*service, service::barred(*bar, *stopped, self.0)),
            ),
            Note::ServiceStopping { service } => ("service-stopping", self.of(*service, [])),
            Note::ServiceKilled { service, waited } => (
                "service-killed",
                self.of(*service, [("waited", time(*waited))]),
            ),
            Note::ServiceBackoff {
                service,
                delay,
                failures,
            } => (
                "service-backoff",
                self.of(
                    *service,
                    [("delay", time(*delay)), ("failures", count(*failures))],
                ),
            ),
            Note::ServiceExcused { service, excuse } => (
                "service-excused",
                self.of(*service, [service::excused(*excuse)]),
            ),
            Note::RestartsExcused {
                service,
                strain,
                restarts,
            } => (
                "restarts-excused",
                self.of(
                    *service,
                    [
                        ("strain", word(strain_word(*strain))),
                        ("restarts", count(*restarts)),
                    ],
                ),
            ),
            Note::ServiceGaveUp {
                service,
                restarts,
                window,
                retry,
            } => (
                "service-gave-up",
                self.of(*service, service::spent(*restarts, *window, *retry)),
            ),
            Note::MachineRestarting { service } => ("machine-restarting", self.of(*service, [])),
            Note::MachineKept { service, why } => {
                ("machine-kept", service::kept(self.of(*service, []), *why))
            }
            Note::ServiceFinished { service, how } => (
                "service-finished",
                self.of(*service, [("how", word(finish_word(*how)))]),
            ),
            Note::Notify(service, note) => notify::describe(note, self.of(*service, [])),
            Note::Probe(service, kind, note) => probe::describe(*kind, note, self.of(*service, [])),
            Note::Keeper(service, note) => keeper::describe(note, self.of(*service, [])),
            Note::Group(of, service, note) => {
                group::describe(note, service::group(*of, *service, self.0))
            }
            Note::Job(service, note) => job::describe(note, self.of(*service, [])),
            Note::WatchdogArmed {
                identity,
                timeout,
                nowayout,
            } => (
                "watchdog-armed",
                vec![
                    ("identity", word(identity)),
                    ("timeout", time(*timeout)),
                    ("nowayout", Value::Flag(*nowayout)),
                ],
            ),
            Note::WatchdogClamped { wanted, timeout } => (
                "watchdog-clamped",
                vec![("wanted", time(*wanted)), ("timeout", time(*timeout))],
            ),
            Note::WatchdogHadReset => ("watchdog-had-reset", vec![]),
            Note::WatchdogFailed { why, retry } => {
                let mut fields = cause(why);
                fields.push(("retry", time(*retry)));
                ("watchdog-failed", fields)
            }
            Note::PetWithheld {
                thread,
                timeout,
                init,
            } => {
                let mut fields = vec![("thread", word(thread_word(*thread)))];
                fields.extend(timeout.map(|t| ("timeout", time(t))));
                fields.extend(init.map(|t| ("init", time(t))));
                ("pet-withheld", fields)
            }
            Note::PetResumed => ("pet-resumed", vec![]),
            Note::WatchdogRuns { timeout } => (
                "watchdog-runs",
                timeout.map(|t| ("timeout", time(t))).into_iter().collect(),
            ),
            Note::WatchdogIdle => ("watchdog-idle", vec![]),
            Note::DaemonUnwatched => ("daemon-unwatched", vec![]),
            Note::WatchdogDisarmed => ("watchdog-disarmed", vec![]),
            Note::WatchdogLeftArmed { timeout } => {
                ("watchdog-left-armed", vec![("timeout", time(*timeout))])
            }
            Note::LedFailed { why, retry } => ("led-failed", led::failure(why, *retry)),
            Note::LedBack => ("led-back", vec![]),
            Note::ThreadLate { thread, late } => (
                "thread-late",
                vec![
                    ("thread", word(thread_word(*thread))),
                    ("late", time(*late)),
                ],
            ),
            Note::ThreadOnTime { thread } => (
                "thread-on-time",
                vec![("thread", word(thread_word(*thread)))],
            ),
            Note::SourceLost { source: from, why } => {
                let mut fields = vec![("source", Value::Text(source(*from, self.0)))];
                fields.extend(cause(why));
                ("source-lost", fields)
            }
            Note::SourceBack { source: from } => (
                "source-back",
                vec![("source", Value::Text(source(*from, self.0)))],
            ),
            Note::Heat {
                level,
                verdict,
                temperature,
            } => (
                "heat",
                vec![
                    ("level", word(heat_word(*level))),
                    ("verdict", word(verdict.word())),
                    ("temperature", Value::Heat(*temperature)),
                ],
            ),
            Note::Memory { verdict, available } => (
                "memory",
                vec![
                    ("verdict", word(verdict.word())),
                    ("available", Value::Share(*available)),
                ],
            ),
            Note::Load {
                verdict,
                centi_per_cpu,
            } => (
                "load",
                vec![
                    ("verdict", word(verdict.word())),
                    ("per-cpu", Value::Hundredths(*centi_per_cpu)),
                ],
            ),
            Note::Space {
                verdict,
                mount,
                free,
            } => ("space", self.room(verdict.word(), *mount, *free)),
            Note::Inodes {
                verdict,
                mount,
                free,
            } => ("inodes", self.room(verdict.word(), *mount, *free)),
            Note::MountErrors {
                verdict,
                mount,
                errors,
            } => (
                "mount-errors",
                vec![
                    ("verdict", word(verdict.word())),
                    self.mount(*mount),
                    ("errors", count(*errors)),
                ],
            ),
            Note::ClockSynced => ("clock-synced", vec![]),
            Note::ClockUnsynced => ("clock-unsynced", vec![]),
            Note::ClockTrust { trust } => {
                ("clock-trust", vec![("trust", word(trust_word(*trust)))])
            }
            Note::ClockWrong { why } => ("clock-wrong", clock::doubt(RtcDoubt::Untrue(*why))),
            Note::ClockStepped { by, ahead } => (
                "clock-stepped",
                vec![("by", time(*by)), ("ahead", Value::Flag(*ahead))],
            ),
            Note::RtcWrong { why } => ("rtc-wrong", clock::doubt(*why)),
            Note::MainsLost => ("mains-lost", vec![]),
            Note::OutageTakenUp { lasted } => ("outage-taken-up", vec![("lasted", time(*lasted))]),
            Note::MainsBack { lasted } => ("mains-back", vec![("lasted", time(*lasted))]),
            Note::BatteryLow {
                voltage,
                charge,
                on_mains,
            } => {
                let volts = voltage.map(|v| ("volts", Value::Volts(v)));
                let charge = charge.map(|c| ("charge", Value::Share(c)));
                let on_mains = Some(("on-mains", Value::Flag(*on_mains)));
                let fields = [volts, charge, on_mains];
                ("battery-low", fields.into_iter().flatten().collect())
            }
            Note::Shedding { shed } => ("shedding", vec![("shed", word(shed_word(*shed)))]),
            Note::Recovering { shed } => ("recovering", vec![("shed", word(shed_word(*shed)))]),
            Note::HeatShedding { shed } => {
                ("heat-shedding", vec![("shed", word(shed_word(*shed)))])
            }
            Note::SignsDisagree { dispute } => {
                let dispute = word(dispute_word(*dispute));
                ("signs-disagree", vec![("dispute", dispute)])
            }
            Note::ThrottleBegan { flag, temperature } => {
                let of = throttle::fields(*flag, []);
                let of = throttle::heated(of, "temperature", *temperature);
                ("throttle-began", of)
            }
            Note::ThrottleEnded {
                flag,
                lasted,
                at_least,
                times,
                peak,
            } => {
                let rest = [
                    ("lasted", time(*lasted)),
                    ("at-least", Value::Flag(*at_least)),
                    ("times", count(*times)),
                ];
                let fields = throttle::fields(*flag, rest);
                ("throttle-ended", throttle::heated(fields, "peak", *peak))
            }
            Note::ThrottleBrief { flag, within } => {
                let rest = [("within", time(*within))];
                ("throttle-brief", throttle::fields(*flag, rest))
            }
            Note::ThrottleEarlier { flag } => ("throttle-earlier", throttle::fields(*flag, [])),
        }
    }

    fn of<const N: usize>(&self, service: ServiceId, rest: [(&'static str, Value); N]) -> Fields {
        let mut fields = vec![("service", word(self.0.name(service)))];
        fields.extend(rest);
        fields
    }

    fn mount(&self, mount: MountId) -> (&'static str, Value) {
        ("mount", word(self.0.mount(mount)))
    }

    fn room(&self, verdict: &str, mount: MountId, free: Permille) -> Fields {
        vec![
            ("verdict", word(verdict)),
            self.mount(mount),
            ("free", Value::Share(free)),
        ]
    }
}

pub(super) fn asker(by: Asker) -> (&'static str, Value) {
    match by {
        Asker::User(user) => ("user", count(user)),
        Asker::Signal(number) => ("signal", Value::Text(signal_word(number))),
    }
}

pub(super) fn word(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn count(n: impl Into<u64>) -> Value {
    Value::Count(n.into())
}

pub(super) fn time(d: Duration) -> Value {
    Value::Time(d)
}
