//! Reads one fact: the reverse of `crate::text::fact`.

use super::super::lexer::{Words, expected};
use super::super::problem::{Problem, TraceError};
use super::value;
use crate::core::fact::{
    Asker, Change, Controller, Exit, Fact, Fault, Lack, MountId, OrderId, Pulse, Reading, RtcSeen,
    RunId, ServiceId, Shown, Source, Ticket, WatchdogSeen,
};
use crate::core::memo::{Left, Memo, Progress};
use crate::core::settings::Settings;
use crate::text::{controller_named, lack_named, rest_named, stage_named, thread_named};
use crate::units::Mono;

/// Reads a fact line, with its time.
///
/// # Errors
/// When anything on the line is not exactly understood. The error has no place: see
/// [`TraceError::at`].
pub fn parse_fact(line: &str, settings: &Settings) -> Result<(Mono, Fact), TraceError> {
    Ok(read(line, settings)?)
}

pub(super) fn read(line: &str, settings: &Settings) -> Result<(Mono, Fact), Problem> {
    if line.starts_with([' ', '\t']) {
        return Err(expected(
            "a time at the start of the line, or `>` or `!` behind the indentation",
            line,
        ));
    }
    let mut line = Line {
        words: Words::of(line),
        settings,
    };
    let at = value::mono(&line.words.plain("a time such as `12.400`")?)?;
    let fact = line.fact()?;
    line.words.end()?;
    Ok((at, fact))
}

pub(super) struct Line<'a, 's> {
    pub(super) words: Words<'a>,
    pub(super) settings: &'s Settings,
}

impl Line<'_, '_> {
    fn fact(&mut self) -> Result<Fact, Problem> {
        const KINDS: &str = "`tick`, `seen`, `lost`, `child`, `kept`, `asked`, `done` or `thread`";
        let kind = self.words.plain(KINDS)?;
        match &*kind {
            "tick" => Ok(Fact::Tick),
            "seen" => self.reading().map(Fact::Seen),
            "lost" => Ok(Fact::Lost {
                source: self.source()?,
                why: self.fault()?,
            }),
            "child" => Ok(Fact::Child {
                service: self.service()?,
                run: self.number("run").map(RunId)?,
                change: self.change()?,
            }),
            "kept" => Ok(Fact::Kept {
                service: self.service()?,
                standing: self.standing()?,
            }),
            "asked" => Ok(Fact::Asked {
                ticket: self.number("ticket").map(Ticket)?,
                by: self.asker()?,
                request: self.request()?,
            }),
            "done" => Ok(Fact::Done {
                order: self.number("order").map(OrderId)?,
                outcome: self.outcome()?,
            }),
            "thread" => self.thread(),
            other => Err(expected(KINDS, other)),
        }
    }

    fn reading(&mut self) -> Result<Reading, Problem> {
        Ok(match self.source()? {
            Source::Temperature => {
                let text = self.words.plain("a temperature such as `61.2C`")?;
                Reading::Temperature(value::celsius(&text)?)
            }
            Source::Memory => Reading::Memory {
                available: value::percent(&self.words.keyed("available", "PERCENT%")?)?,
            },
            Source::Load => Reading::Load {
                centi_per_cpu: value::hundredths(&self.words.keyed("per-cpu", "1.25")?)?,
            },
            Source::Clock => Reading::Clock {
                synced: self.flag("synced")?,
                shown: self.shown()?,
            },
            Source::Network => self.network()?,
            Source::Rtc => self.rtc().map(Reading::Rtc)?,
            Source::Floor => Reading::Floor {
                time: value::wall(&self.words.keyed("time", "2031-07-04T12:34:56Z")?)?,
            },
            Source::Mains => Reading::Mains {
                present: self.flag("present")?,
            },
            Source::Throttle => {
                let text = self.words.keyed("flags", "0x50005")?;
                Reading::Throttle(value::throttle_flags(&text)?)
            }
            Source::Mount(mount) => Reading::Mount {
                mount,
                space: value::percent(&self.words.keyed("space", "PERCENT%")?)?,
                inodes: self.known("inodes", "PERCENT%|none", value::percent)?,
                read_only: self.flag("read-only")?,
                errors: self.errors()?,
            },
            Source::Watchdog => self.watchdog()?,
            Source::Marker => Reading::marker(self.found_marker()?),
            Source::Hold => Reading::Hold(self.left_hold()?),
            Source::Configuration => self.problems()?,
            Source::Journal => Reading::Journal,
            Source::Pool => Reading::Pool,
            Source::Health => Reading::Health,
            Source::Starts => self.starts()?,
            Source::Limits => self.unenforced()?,
            Source::Gauge => Reading::Gauge {
                voltage: self.known("voltage", "3.91V|none", value::volts)?,
                charge: self.known("charge", "PERCENT%|none", value::percent)?,
                current: self.known("current", "-0.42A|none", value::amperes)?,
            },
            source => self.guarded(source)?,
        })
    }

    fn watchdog(&mut self) -> Result<Reading, Problem> {
        if self.words.has_key("running") {
            return Ok(Reading::WatchdogElsewhere {
                running: self.flag("running")?,
                timeout: self.known("timeout", "15s|none", value::seconds)?,
            });
        }
        Ok(Reading::Watchdog(WatchdogSeen {
            identity: self.words.keyed("identity", "TEXT")?.into(),
            timeout: value::seconds(&self.words.keyed("timeout", "15s")?)?,
            nowayout: self.flag("nowayout")?,
            caused_reset: self.flag("caused-reset")?,
        }))
    }

    /// What a clock showed, if that is given.
    fn shown(&mut self) -> Result<Option<Shown>, Problem> {
        if !self.words.has_key("time") {
            return Ok(None);
        }
        Ok(Some(Shown {
            time: value::wall(&self.words.keyed("time", "2031-07-04T12:34:56Z")?)?,
            at: value::mono(&self.words.keyed("at", "12.400")?)?,
        }))
    }

    fn rtc(&mut self) -> Result<RtcSeen, Problem> {
        let oscillator_stopped = match &*self.words.keyed("stopped", "yes|no|unknown")? {
            "yes" => Some(true),
            "no" => Some(false),
            "unknown" => None,
            other => return Err(expected("`yes`, `no` or `unknown`", other)),
        };
        let shown = self.shown()?;
        let temperature = match self.words.has_key("temperature") {
            true => Some(value::celsius(&self.words.keyed("temperature", "25.2C")?)?),
            false => None,
        };
        Ok(RtcSeen {
            shown,
            oscillator_stopped,
            temperature,
        })
    }

    /// Errors that a file system has recorded; old traces have none.
    fn errors(&mut self) -> Result<u32, Problem> {
        match self.words.has_key("errors") {
            true => self.number("errors"),
            false => Ok(0),
        }
    }

    fn unenforced(&mut self) -> Result<Reading, Problem> {
        Ok(Reading::Unenforced {
            controller: self.controller()?,
            lack: self.lack()?,
            asked: self.flag("asked")?,
        })
    }

    fn controller(&mut self) -> Result<Controller, Problem> {
        const CONTROLLERS: &str = "`cpu`, `io`, `memory` or `pids`";
        let word = self.words.keyed("controller", CONTROLLERS)?;
        controller_named(&word).ok_or_else(|| expected(CONTROLLERS, &word))
    }

    fn lack(&mut self) -> Result<Lack, Problem> {
        const LACKS: &str = "`switched-off`, `not-in-kernel`, `not-delegated`, `no-pool`, `refused` \
             or `no-scheduler`";
        let word = self.words.keyed("lack", LACKS)?;
        lack_named(&word).ok_or_else(|| expected(LACKS, &word))
    }

    fn network(&mut self) -> Result<Reading, Problem> {
        let up = self.flag("up")?;
        Ok(Reading::Network { up })
    }

    fn starts(&mut self) -> Result<Reading, Problem> {
        let aborted = self.number("aborted")?;
        Ok(Reading::Starts { aborted })
    }

    fn source(&mut self) -> Result<Source, Problem> {
        const SOURCES: &str = "`temperature`, `memory`, `load`, `clock`, `network`, `rtc`, `floor`, `mains`, \
             `throttle`, `mount PATH`, `watchdog`, `marker`, `gauge`, `journal`, `pool`, `starts`, \
             `limits`, `hold`, `configuration`, `health`, `canary PATH`, `cap NAME`, `wear PATH`, `pressure`, \
             `swap`, `uplink` or `expiry NAME`";
        let word = self.words.plain(SOURCES)?;
        match &*word {
            "temperature" => Ok(Source::Temperature),
            "memory" => Ok(Source::Memory),
            "load" => Ok(Source::Load),
            "clock" => Ok(Source::Clock),
            "network" => Ok(Source::Network),
            "rtc" => Ok(Source::Rtc),
            "floor" => Ok(Source::Floor),
            "mains" => Ok(Source::Mains),
            "throttle" => Ok(Source::Throttle),
            "mount" => self.mount().map(Source::Mount),
            "watchdog" => Ok(Source::Watchdog),
            "marker" => Ok(Source::Marker),
            "gauge" => Ok(Source::Gauge),
            "journal" => Ok(Source::Journal),
            "pool" => Ok(Source::Pool),
            "starts" => Ok(Source::Starts),
            "limits" => Ok(Source::Limits),
            "hold" => Ok(Source::Hold),
            "configuration" => Ok(Source::Configuration),
            "health" => Ok(Source::Health),
            "canary" => self.canary().map(Source::Canary),
            "cap" => self.cap().map(Source::Cap),
            "wear" => self.mount().map(Source::Wear),
            "pressure" => Ok(Source::Pressure),
            "swap" => Ok(Source::Swap),
            "uplink" => Ok(Source::Uplink),
            "expiry" => self.expiry().map(Source::Expiry),
            other => Err(expected(SOURCES, other)),
        }
    }

    pub(super) fn fault(&mut self) -> Result<Fault, Problem> {
        const FAULTS: &str =
            "`busy`, `errno=NAME`, `taken`, `taken by=TEXT`, `absent` or `implausible`";
        if self.words.has_key("errno") {
            let name = self.words.keyed("errno", "NAME")?;
            return value::errno(&name).map(Fault::Errno);
        }
        let word = self.words.plain(FAULTS)?;
        match &*word {
            "busy" => Ok(Fault::Busy),
            "taken" if self.words.has_key("by") => Ok(Fault::Taken {
                by: Some(self.words.keyed("by", "TEXT")?.into()),
            }),
            "taken" => Ok(Fault::Taken { by: None }),
            "absent" => Ok(Fault::Absent),
            "implausible" => Ok(Fault::Implausible),
            other => Err(expected(FAULTS, other)),
        }
    }

    fn change(&mut self) -> Result<Change, Problem> {
        const CHANGES: &str = "`started`, `start-failed`, `adopted`, `recalled`, `redefined`, \
             `remembered`, `stops`, `ready`, `heartbeat`, `said`, `refused`, `probed` or `exited`";
        let word = self.words.plain(CHANGES)?;
        match &*word {
            "started" => Ok(Change::Started {
                pid: value::pid(&self.words.keyed("pid", "NUMBER")?)?,
            }),
            "start-failed" => {
                let stage = self.words.keyed("stage", "STEP")?;
                Ok(Change::StartFailed {
                    stage: stage_named(&stage)
                        .ok_or_else(|| expected("a step of a start such as `exec`", &stage))?,
                    errno: value::errno(&self.words.keyed("errno", "NAME")?)?,
                })
            }
            "adopted" => Ok(Change::Adopted {
                pid: value::pid(&self.words.keyed("pid", "NUMBER")?)?,
                ready: self.flag("ready")?,
            }),
            "redefined" => Ok(Change::Redefined),
            "recalled" => self.memo().map(Change::Recalled),
            "remembered" => self.past().map(Change::Remembered),
            "stops" => self.stops().map(Change::Stops),
            "ready" => Ok(Change::Ready),
            "heartbeat" => Ok(Change::Heartbeat),
            "said" => self.said().map(Change::Said),
            "refused" => self.refused(),
            "probed" => self.probed(),
            "exited" => self.exit().map(Change::Exited),
            other => Err(expected(CHANGES, other)),
        }
    }

    fn memo(&mut self) -> Result<Memo, Problem> {
        Ok(Memo {
            left: self.left()?,
            failures: self.number("failures")?,
            restarts: match &*self.words.keyed("restarts", "TIME,TIME|none")? {
                "none" => Box::default(),
                times => times
                    .split(',')
                    .map(value::mono)
                    .collect::<Result<_, _>>()?,
            },
            progress: self.progress()?,
        })
    }

    /// How far its probes had let it come; where nothing is said, all the way.
    fn progress(&mut self) -> Result<Progress, Problem> {
        match self.words.has_key("started") {
            true => Ok(Progress {
                started: self.flag("started")?,
                ready: self.flag("ready")?,
            }),
            false => Ok(Progress::FULL),
        }
    }

    fn left(&mut self) -> Result<Left, Problem> {
        const LEFT: &str = "`over`, `waiting`, `running`, `ending`, `not-started`, `stopped`, \
                            `stopped-elsewhere`, `finished`, `failed`, `backoff` or `gave-up`";
        let word = self.words.plain(LEFT)?;
        let mut until = || value::mono(&self.words.keyed("until", "TIME")?);
        match &*word {
            "over" => Ok(Left::Over),
            "waiting" => Ok(Left::Waiting),
            "running" => Ok(Left::Running),
            "ending" => Ok(Left::Ending),
            "backoff" => Ok(Left::Backoff { until: until()? }),
            "gave-up" => Ok(Left::GaveUp { until: until()? }),
            other => rest_named(other)
                .map(|why| Left::Resting { why })
                .ok_or_else(|| expected(LEFT, other)),
        }
    }

    pub(super) fn exit(&mut self) -> Result<Exit, Problem> {
        if self.words.has_key("code") {
            return self.number("code").map(Exit::Code);
        }
        if self.words.has_key("signal") {
            let name = self.words.keyed("signal", "NAME")?;
            return value::signal(&name).map(Exit::Signal);
        }
        const EXITS: &str = "`code=NUMBER`, `signal=NAME` or `unknown`";
        match &*self.words.plain(EXITS)? {
            "unknown" => Ok(Exit::Unknown),
            other => Err(expected(EXITS, other)),
        }
    }

    pub(super) fn asker(&mut self) -> Result<Asker, Problem> {
        if self.words.has_key("signal") {
            let name = self.words.keyed("signal", "NAME")?;
            return value::signal(&name).map(Asker::Signal);
        }
        let user = self.words.keyed("user", "NUMBER` or `signal=NAME")?;
        value::number(&user).map(Asker::User)
    }

    fn outcome(&mut self) -> Result<Result<(), Fault>, Problem> {
        match &*self.words.plain("`ok` or `failed`")? {
            "ok" => Ok(Ok(())),
            "failed" => self.fault().map(Err),
            other => Err(expected("`ok` or `failed`", other)),
        }
    }

    fn thread(&mut self) -> Result<Fact, Problem> {
        let word = self.words.plain("a thread such as `disk`")?;
        let thread =
            thread_named(&word).ok_or_else(|| expected("a thread such as `disk`", &word))?;
        let pulse = match &*self.words.plain("`late` or `on-time`")? {
            "late" => Pulse::Late {
                since: value::mono(&self.words.keyed("since", "12.400")?)?,
            },
            "on-time" => Pulse::OnTime,
            other => return Err(expected("`late` or `on-time`", other)),
        };
        Ok(Fact::Thread { thread, pulse })
    }

    pub(super) fn service(&mut self) -> Result<ServiceId, Problem> {
        let name = self.words.plain("the name of a service")?;
        let names = self.settings.services.iter().map(|s| &*s.name);
        self.settings
            .service(&name)
            .ok_or_else(|| value::unknown("service", &name, names))
    }

    fn mount(&mut self) -> Result<MountId, Problem> {
        let name = self.words.plain("a mount point")?;
        let mut mounts = self.settings.mounts.iter();
        let at = mounts.position(|m| **m == *name);
        at.and_then(|at| u16::try_from(at).ok().map(MountId))
            .ok_or_else(|| {
                let names = self.settings.mounts.iter().map(|m| &**m);
                value::unknown("mount point", &name, names)
            })
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, key: &str) -> Result<T, Problem> {
        value::number(&self.words.keyed(key, "NUMBER")?)
    }

    /// A value, or `none` where it is not known.
    pub(super) fn known<T>(
        &mut self,
        key: &str,
        form: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        match &*self.words.keyed(key, form)? {
            "none" => Ok(None),
            text => read(text).map(Some),
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<bool, Problem> {
        match &*self.words.keyed(key, "yes|no")? {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(expected("`yes` or `no`", other)),
        }
    }
}
