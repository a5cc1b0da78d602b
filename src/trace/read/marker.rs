//! Reads a marker: the reverse of `crate::text::marker`.

use super::super::lexer::{Words, expected};
use super::super::problem::{Problem, TraceError};
use super::fact::Line;
use super::value;
use crate::core::fact::{HaltKind, Thread};
use crate::core::intent::{CutTold, FoundMarker, Intent, LetGo, Marker, Outage, Proof};
use crate::core::picture::HaltCause;
use crate::core::reboots::Reboots;
use crate::core::settings::Settings;
use crate::core::traces::{Firmware, Sample, Traces};
use crate::core::{Confidence, End, LastBoot};
use crate::text::{halt_kind_named, halt_phase_named, shed_named, thread_named};
use crate::units::Mono;

/// Reads the text of a marker.
///
/// # Errors
/// When anything of it is not exactly understood.
pub fn parse_marker(text: &str) -> Result<Marker, TraceError> {
    let settings = Settings::nothing();
    let mut line = Line {
        words: Words::of(text),
        settings: &settings,
    };
    let marker = line.marker()?;
    line.words.end()?;
    Ok(marker)
}

impl Line<'_, '_> {
    /// A marker that was found.
    pub(super) fn found_marker(&mut self) -> Result<FoundMarker, Problem> {
        Ok(FoundMarker {
            marker: self.marker()?,
            same_boot: match &*self.words.keyed("boot", "same|other")? {
                "same" => true,
                "other" => false,
                other => return Err(expected("`same` or `other`", other)),
            },
            reset: self.perhaps("reset")?,
            lasts: match self.words.has_key("lasts") {
                true => self.flag("lasts")?,
                false => true,
            },
            traces: self.traces()?,
        })
    }

    fn marker(&mut self) -> Result<Marker, Problem> {
        Ok(Marker {
            intent: self.intent()?,
            mains: self.perhaps("mains")?,
            attempts: self.number("attempts")?,
            in_vain: match self.words.has_key("in-vain") {
                true => self.number("in-vain")?,
                false => 0,
            },
            sunk: match self.words.has_key("sunk") {
                true => self.number("sunk")?,
                false => 0,
            },
            reboots: match self.words.has_key("reboots") {
                true => self.reboots()?,
                false => Reboots::default(),
            },
            cut: match self.words.has_key("cut") {
                true => self.cut()?,
                false => CutTold::No,
            },
            outage: match self.words.has_key("outage") {
                true => Some(self.outage()?),
                false => None,
            },
            before: match self.words.has_key("before") {
                true => Some(self.before()?),
                false => None,
            },
            sample: self.sample()?,
            dated: self.says_yes("dated")?,
            let_go: match self.words.has_key("let-go") {
                true => Some(LetGo {
                    since: value::mono(&self.words.keyed("let-go", "SECONDS")?)?,
                    timeout: value::seconds(&self.words.keyed("bites-in", "SECONDS")?)?,
                }),
                false => None,
            },
            proof: match self.words.has_key("bit-after") {
                true => Some(self.proof()?),
                false => None,
            },
        })
    }

    fn proof(&mut self) -> Result<Proof, Problem> {
        Ok(Proof {
            took: value::seconds(&self.words.keyed("bit-after", "SECONDS")?)?,
            timeout: value::seconds(&self.words.keyed("bit-timeout", "SECONDS")?)?,
            at: match self.words.has_key("bit-at") {
                true => Some(value::wall(&self.words.keyed("bit-at", "TIME")?)?),
                false => None,
            },
        })
    }

    fn sample(&mut self) -> Result<Sample, Problem> {
        Ok(Sample {
            level: match self.words.has_key("level") {
                true => Some(value::percent(&self.words.keyed("level", "PERCENT")?)?),
                false => None,
            },
            voltage: match self.words.has_key("volts") {
                true => Some(value::volts(&self.words.keyed("volts", "VOLTS")?)?),
                false => None,
            },
            weak: match self.words.has_key("weak") {
                true => Some(self.flag("weak")?),
                false => None,
            },
            low: self.says_yes("low")?,
        })
    }

    fn traces(&mut self) -> Result<Traces, Problem> {
        Ok(Traces {
            alive: match self.words.has_key("alive") {
                true => Some(value::mono(&self.words.keyed("alive", "SECONDS")?)?),
                false => None,
            },
            at: match self.words.has_key("at") {
                true => Some(value::wall(&self.words.keyed("at", "TIME")?)?),
                false => None,
            },
            gap: match self.words.has_key("gap") {
                true => Some(value::seconds(&self.words.keyed("gap", "SECONDS")?)?),
                false => None,
            },
            firmware: match self.words.has_key("firmware") {
                true => Some(self.firmware()?),
                false => None,
            },
            panic: self.says_yes("panic")?,
        })
    }

    fn firmware(&mut self) -> Result<Firmware, Problem> {
        match &*self.words.keyed("firmware", "power-on|reset|weak")? {
            "power-on" => Ok(Firmware::PowerOn),
            "reset" => Ok(Firmware::Reset),
            "weak" => Ok(Firmware::Weak),
            other => Err(expected("`power-on`, `reset` or `weak`", other)),
        }
    }

    /// A flag that is only there if it is set.
    fn says_yes(&mut self, key: &str) -> Result<bool, Problem> {
        match self.words.has_key(key) {
            true => self.flag(key),
            false => Ok(false),
        }
    }

    fn outage(&mut self) -> Result<Outage, Problem> {
        Ok(Outage {
            since: value::mono(&self.words.keyed("outage", "SECONDS")?)?,
            confirmed: match &*self.words.keyed("confirmed", "yes|no")? {
                "yes" => true,
                "no" => false,
                other => return Err(expected("`yes` or `no`", other)),
            },
            shed: {
                let word = self.words.keyed("shed", "nothing|optional|normal")?;
                shed_named(&word)
                    .ok_or_else(|| expected("`nothing`, `optional` or `normal`", &word))?
            },
            charge: match self.words.has_key("charge") {
                true => Some(value::percent(&self.words.keyed("charge", "PERCENT")?)?),
                false => None,
            },
            dark: match self.words.has_key("dark") {
                true => Some(value::mono(&self.words.keyed("dark", "SECONDS")?)?),
                false => None,
            },
        })
    }

    /// The ages of restarts, in steps of 10 min.
    fn reboots(&mut self) -> Result<Reboots, Problem> {
        const AGES: &str = "up to 6 numbers such as `0,36`";
        let text = self.words.keyed("reboots", AGES)?;
        let ages: Result<Vec<u16>, _> = text.split(',').map(str::parse).collect();
        let reboots = ages.ok().and_then(Reboots::of);
        reboots.ok_or_else(|| expected(AGES, &text))
    }

    fn cut(&mut self) -> Result<CutTold, Problem> {
        match &*self.words.keyed("cut", "maybe|yes")? {
            "maybe" => Ok(CutTold::Maybe),
            // An older daemon has not said since when: it may cut at any moment.
            "yes" if !self.words.has_key("told") => Ok(CutTold::Taken {
                since: Mono::default(),
            }),
            "yes" => Ok(CutTold::Taken {
                since: value::mono(&self.words.keyed("told", "SECONDS")?)?,
            }),
            other => Err(expected("`maybe` or `yes`", other)),
        }
    }

    fn before(&mut self) -> Result<LastBoot, Problem> {
        const ENDS: &str = "first-boot|halted|planned-cut|in-halt|drill|asked-to-end|cut-on-battery|\
                            battery-empty|brown-out|mains-cut|cut-or-hang|withheld|hang|panic|\
                            unknown";
        let word = self.words.keyed("before", ENDS)?;
        let confidence = match &*self.words.keyed("confidence", "possible|likely|certain")? {
            "possible" => Confidence::Possible,
            "likely" => Confidence::Likely,
            "certain" => Confidence::Certain,
            other => return Err(expected("`possible`, `likely` or `certain`", other)),
        };
        let end = match &*word {
            "first-boot" => End::FirstBoot,
            "halted" => End::Halted {
                kind: {
                    let word = self.words.keyed("kind", "poweroff|reboot")?;
                    kind(&word)?
                },
                cause: self.cause()?,
            },
            "planned-cut" => End::PlannedCut {
                cause: self.cause()?,
            },
            "drill" => End::Drill {
                by: self.asker()?,
                took: value::seconds(&self.words.keyed("took", "SECONDS")?)?,
                timeout: value::seconds(&self.words.keyed("timeout", "SECONDS")?)?,
            },
            "in-halt" => End::InHalt {
                cause: self.cause()?,
            },
            "asked-to-end" => End::AskedToEnd,
            "cut-on-battery" => End::CutOnBattery,
            "battery-empty" => End::BatteryEmpty,
            "brown-out" => End::BrownOut,
            "mains-cut" => End::MainsCut,
            "cut-or-hang" => End::CutOrHang,
            "withheld" => End::Withheld {
                thread: self.stuck_thread()?,
            },
            "hang" => End::Hang,
            "panic" => End::Panic,
            "unknown" => End::Unknown,
            other => return Err(expected(ENDS, other)),
        };
        Ok(LastBoot { end, confidence })
    }

    fn stuck_thread(&mut self) -> Result<Thread, Problem> {
        let name = self.words.keyed("thread", "NAME")?;
        thread_named(&name).ok_or_else(|| expected("a thread such as `watchdog`", &name))
    }

    fn intent(&mut self) -> Result<Intent, Problem> {
        const INTENTS: &str = "run|exit|leave|withhold|halt";
        match &*self.words.keyed("intent", INTENTS)? {
            "run" => Ok(Intent::Run),
            "exit" => Ok(Intent::Exit),
            "leave" => Ok(Intent::Leave),
            "withhold" => Ok(Intent::Withhold {
                thread: self.stuck_thread()?,
            }),
            "halt" => Ok(Intent::Halt {
                kind: {
                    let word = self.words.keyed("kind", "poweroff|reboot")?;
                    kind(&word)?
                },
                cause: self.cause()?,
                phase: {
                    let word = self.words.keyed("phase", "begun|committed")?;
                    halt_phase_named(&word)
                        .ok_or_else(|| expected("`begun` or `committed`", &word))?
                },
            }),
            other => Err(expected(INTENTS, other)),
        }
    }

    fn cause(&mut self) -> Result<HaltCause, Problem> {
        const CAUSES: &str =
            "ride-through|low-battery|gauge-silent|battery-sinks|services|drill|asked";
        match &*self.words.keyed("cause", CAUSES)? {
            "ride-through" => Ok(HaltCause::RideThrough),
            "low-battery" => Ok(HaltCause::LowBattery),
            "gauge-silent" => Ok(HaltCause::GaugeSilent),
            "battery-sinks" => Ok(HaltCause::BatterySinks),
            "services" => Ok(HaltCause::Services),
            "network" => Ok(HaltCause::Network),
            "asked" => self.asker().map(|by| HaltCause::Asked { by }),
            "drill" => self.asker().map(|by| HaltCause::Drill { by }),
            other => Err(expected(CAUSES, other)),
        }
    }

    /// How a halt ends.
    pub(super) fn halt_kind(&mut self) -> Result<HaltKind, Problem> {
        let word = self.words.plain("`poweroff` or `reboot`")?;
        kind(&word)
    }

    fn perhaps(&mut self, key: &str) -> Result<Option<bool>, Problem> {
        match &*self.words.keyed(key, "yes|no|unknown")? {
            "yes" => Ok(Some(true)),
            "no" => Ok(Some(false)),
            "unknown" => Ok(None),
            other => Err(expected("`yes`, `no` or `unknown`", other)),
        }
    }
}

fn kind(word: &str) -> Result<HaltKind, Problem> {
    halt_kind_named(word).ok_or_else(|| expected("`poweroff` or `reboot`", word))
}
