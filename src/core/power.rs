//! Power: does the machine run on mains or on its battery, and for how much longer?
//!
//! ```text
//! line ────┐                                     ┌─► verdict, mains
//!          ├─► supply (five states) ─► plan ─────┼─► what is shed
//! current ─┘      ▲                   ▲          └─► the ask for a halt
//! gauge ─► believed ─► windows ─► signs
//! ```
//!
//! Terms: the *line* is whatever tells of mains alone, be it a GPIO line, a register bit or the
//! kernel; where there is none, the *sign* of the battery's current speaks for it. An outage is
//! *confirmed* when more than the sign of a current says so: by a line, or by the battery itself, whose
//! voltage gave way at the cut or falls, or which has lost charge.
//!
//! Silence is never good news: of mains that were there it makes unknown ones, it takes back neither
//! a failure nor a battery, it interrupts a return, and on battery it counts down by itself. A machine
//! on which neither mains nor a battery was ever heard of has nothing to lose, and no verdict.
//!
//! On battery, the gauge is to be looked at closely. An order for that which was not taken is given
//! again when the gauge is next heard of, because then its thread works again.
//!
//! Halts that it asked for in vain are remembered over boots (`doubt.rs`), and an outage over daemons
//! (`heir.rs`). Who was not there for a while looks first (`look.rs`).
//!
//! Never halts or stops anything: it asks for that in the picture. Never asks for a halt while mains
//! are believed to be there, however low the battery is; but a line is not believed whose battery sinks
//! (`sink.rs`).

mod agree;
mod dispute;
mod doubt;
mod gauge;
mod heir;
mod look;
mod low;
mod outlook;
mod plan;
mod publish;
mod recovery;
mod rise;
mod scarce;
mod sign;
mod sink;
mod supply;
mod trend;
mod view;

pub use dispute::Dispute;
pub use gauge::{Gauge, Quality};
pub use low::Signs;
pub use plan::{Held, Plan};
pub use supply::Supply;
pub use trend::Course;
pub use view::{GaugeView, LineView, PowerView};

use super::action::Action;
use super::fact::{Fact, Fault, OrderId, Pulse, Reading, Source, Thread};
use super::picture::{HaltCause, Shed};
use super::sense::Last;
use super::settings::Settings;
use super::{Pass, Policy};
use crate::units::Mono;
use dispute::Disputed;
use doubt::Doubt;
use gauge::Believed;
use look::Look;
use recovery::Recovery;
use rise::Rise;
use scarce::Scarce;
use sign::Sign;
use sink::Sink;
use std::time::Duration;
use trend::{Creep, Window};

/// Least difference between quarters of a window of the voltage, in millivolts for each cell.
const VOLTAGE_GRAIN: i64 = 2;

/// The same for the charge, in thousandths.
const CHARGE_GRAIN: i64 = 1;

/// State of the policy.
pub(crate) struct Power {
    /// `None` until anything was heard.
    supply: Option<Supply>,
    line: Last<bool>,
    /// Something tells of mains alone.
    line_heard: bool,
    /// When mains were last told of, by either.
    mains_at: Option<Mono>,
    /// The current alone is to tell of mains, and its gauge is silent.
    mute: bool,
    sign: Sign,
    raw: Last<Gauge>,
    gauge: Believed,
    volts: Creep,
    charge: Window,
    rise: Rise,
    /// Charge when the outage began.
    charge_then: Option<u16>,
    confirmed: bool,
    /// Since when the signs of a low battery agree, and in how many readings.
    agreed: Option<(Mono, u32)>,
    low_told: bool,
    shed: Shed,
    /// What is left calls for the stop of services.
    scarce: Scarce,
    recovery: Recovery,
    dispute: Disputed,
    doubt: Doubt,
    /// What holds has to be seen before time alone counts.
    look: Look,
    sink: Sink,
    /// Runtime below which the machine is halted, with the deadlines of all services.
    needed: Duration,
    /// The gauge is to be looked at every second.
    closely: bool,
    /// The latest order about the gauge.
    watch: Option<OrderId>,
    /// It was not taken.
    unheard: bool,
    /// When it wants to be asked again.
    due: Option<Mono>,
}

impl Power {
    pub fn new(settings: &Settings) -> Power {
        Power {
            supply: None,
            line: Last::Never,
            line_heard: false,
            mains_at: None,
            mute: false,
            sign: Sign::new(settings.board.dead_band.unwrap_or(low::DEAD_BAND)),
            raw: Last::Never,
            gauge: Believed::default(),
            volts: Creep::default(),
            charge: Window::default(),
            rise: Rise::default(),
            charge_then: None,
            confirmed: false,
            agreed: None,
            low_told: false,
            shed: Shed::Nothing,
            scarce: Scarce::default(),
            recovery: Recovery::default(),
            dispute: Disputed::default(),
            doubt: Doubt::default(),
            look: Look::default(),
            sink: Sink::default(),
            needed: plan::needed(settings),
            closely: false,
            watch: None,
            unheard: false,
            due: None,
        }
    }

    /// `None` where nothing was ever heard of mains: a gauge alone knows nothing of them. Where its
    /// current is to tell of them, its silence means that they are not known.
    pub fn supply(&self) -> Option<Supply> {
        let told = self.line_heard || self.mains_at.is_some() || self.mute;
        self.supply.filter(|s| told || s.outage().is_some())
    }

    pub fn gauge(&self) -> Option<Gauge> {
        self.raw.value()
    }

    fn watch(&mut self, closely: bool, pass: &mut Pass) {
        self.watch = Some(pass.out.push(Action::WatchGauge { closely }));
        self.unheard = false;
    }

    /// The gauge was heard of: its thread takes orders.
    fn gauge_spoke(&mut self, pass: &mut Pass) {
        if self.unheard {
            self.watch(self.closely, pass);
        }
    }

    /// Enters a state, and tells what is new about it.
    fn turn(&mut self, next: Supply, pass: &mut Pass) {
        let before = self.supply.replace(next);
        let note = before.and_then(|before| before.news(next));
        if let Some(note) = note {
            pass.out.note(note);
        }
        let outage = |s: Option<Supply>| s.and_then(Supply::outage);
        if let (Some(_), None) = (outage(before), outage(Some(next))) {
            self.begin_recovery(pass);
        }
        if outage(before) != outage(Some(next)) {
            // Another story begins; nothing of the old one may come due in it.
            self.volts.forget();
            self.charge.forget();
            self.rise.forget();
            self.charge_then = self.gauge.last().charge.map(|c| c.0);
            self.confirmed = false;
            self.agreed = None;
            self.scarce = Scarce::default();
            self.low_told = false;
        }
    }

    fn hear(&mut self, mains: Option<bool>, pass: &mut Pass) {
        if mains.is_some() {
            self.mains_at = Some(pass.now);
        }
        let before = self.supply.unwrap_or(Supply::Unknown { failing: None });
        self.turn(before.hear(mains, pass.now), pass);
        let (look, over) = self.look.hear(mains, pass.now);
        self.look = look;
        if over {
            self.turn(Supply::OnLine { failing: None }, pass);
        }
    }

    /// A thread is stuck: what it would tell is not known any more.
    fn distrust(&mut self, thread: Thread, pass: &mut Pass) {
        if thread == Thread::Bus {
            self.raw.distrust();
        }
        if thread == pass.settings.board.mains_by && self.line_heard {
            self.line.distrust();
            self.hear(None, pass);
        }
    }

    fn hear_line(&mut self, said: Result<bool, &Fault>, pass: &mut Pass) {
        self.line_heard = true;
        match said {
            Ok(present) => self.line.see(present, Source::Mains, pass),
            Err(why) => self.line.lose(Source::Mains, why, pass),
        }
        self.hear(said.ok(), pass);
    }

    /// What the gauge said a moment ago is not used where it talks nonsense.
    fn look_away(&mut self, now: Mono) {
        if self.gauge.nonsense {
            self.sign.lose_sight();
        }
        if self.gauge.impossible {
            self.sign.blur(now);
        }
    }

    fn hear_gauge(&mut self, said: Gauge, pass: &mut Pass) {
        self.raw.see(said, Source::Gauge, pass);
        self.gauge_spoke(pass);
        let battery = pass.settings.board.battery.as_ref();
        let before = self.gauge.last().charge;
        let stood = self.gauge.stands_still(pass.now);
        let heard = self.gauge.see(pass.now, said, battery);
        self.move_charge(before, heard.charge);
        self.look_away(pass.now);
        if self.supply.is_none() {
            self.turn(Supply::Unknown { failing: None }, pass);
        }
        let cells = battery.map_or(1, |b| b.cells);
        if self.sign.turns(heard) || self.gives_way(heard, cells) {
            // The battery goes another way now; what it did before says nothing about that.
            self.volts.forget();
            self.charge.forget();
            self.rise.forget();
        }
        if let Some(v) = heard.voltage {
            let current = heard.current.map(|c| c.0).filter(|c| *c != 0);
            let said = (v.0, current);
            self.volts.see(pass.now, said, stood, cells, VOLTAGE_GRAIN);
        }
        if let Some(c) = heard.charge {
            self.charge.see(pass.now, i64::from(c.0), CHARGE_GRAIN);
            let rises = self.charge.trend().map(|t| t.course) == Some(Course::Rising);
            self.rise.see(rises, c.0, pass.now);
        }
        let course = self.course();
        // Jumps at the end of a stand-still are those of all that was missed in it.
        let sound = self.gauge.sound() && !stood;
        let said = self.sign.see(pass.now, heard, course, cells, sound);
        // Bytes in the wrong order make sense now and then, and a silence after that counts down.
        let outage = self.supply.and_then(Supply::outage).is_some();
        let begins = said == Some(false) && !outage;
        let said = said.filter(|_| !begins || !self.sign.is_blurred(pass.now));
        if let (Some(present), false) = (said, self.line_heard) {
            self.hear(Some(present), pass);
        }
        self.count_signs(heard.voltage.is_some() || heard.charge.is_some(), pass);
        self.see_sink(pass);
    }

    /// A gauge that the board is said to have is missed from the first look on.
    fn lose_gauge(&mut self, why: &Fault, pass: &mut Pass) {
        self.raw.lose(Source::Gauge, why, pass);
        self.gauge.lose(why);
        self.look_away(pass.now);
        self.gauge_spoke(pass);
        let board = &pass.settings.board;
        let by_current = board.dead_band.is_some();
        self.mute |= by_current;
        if self.supply.is_none() && (by_current || board.battery.is_some()) {
            self.turn(Supply::Unknown { failing: None }, pass);
        }
    }

    /// The sign of the current has said nothing for long, and nothing else speaks of mains.
    fn miss_sign(&mut self, pass: &mut Pass) {
        if !self.line_heard && self.sign.falls_silent(pass.now) {
            self.hear(None, pass);
        }
    }

    /// Where the voltage is going.
    fn course(&self) -> Option<Course> {
        self.volts.trend().map(|t| t.course)
    }

    /// Acts upon what is due, and writes down what holds now.
    fn judge(&mut self, pass: &mut Pass) {
        let gauge = self.gauge.now(pass.now);
        (pass.picture.charge, pass.picture.voltage) = (gauge.charge, gauge.voltage);
        self.miss_sign(pass);
        self.look = self.look.wait(pass.now);
        let recovered = self.recover(pass);
        let Some(supply) = self.supply else { return };
        self.confirm(pass);
        self.count_in_vain(supply, pass);
        let plan = self.plan(pass.now, pass.settings);
        let returning = self.held(pass.now) == Some(Held::Returning);
        let low = !returning && !self.look.goes_on() && self.low(pass.now, pass.settings);
        let cause = match low {
            true => Some(HaltCause::LowBattery),
            false => plan.and_then(|plan| plan.halt(pass.now)),
        };
        if let Some(cause) = cause {
            self.turn(supply.force(cause, pass.now), pass);
        }
        self.shed(plan, recovered, pass);
        self.dispute(pass);
        self.publish(pass);
        self.due = self.next(pass.now, pass.settings);
    }
}

impl Policy for Power {
    fn step(&mut self, pass: &mut Pass) {
        // Time first: news that come late find what was due before them. Who comes late itself looks
        // before it acts.
        if let Some(supply) = self.supply {
            self.look = self.look.after(self.due, pass.now);
            self.turn(supply.wait(pass.now), pass);
            self.judge(pass);
        } else if self.recovery.goes_on() {
            self.judge(pass);
        }
        match pass.fact {
            Fact::Seen(Reading::Mains { present }) => self.hear_line(Ok(*present), pass),
            Fact::Lost {
                source: Source::Mains,
                why,
            } => self.hear_line(Err(why), pass),
            Fact::Seen(Reading::Gauge {
                voltage,
                charge,
                current,
            }) => {
                let (voltage, charge, current) = (*voltage, *charge, *current);
                let gauge = Gauge {
                    voltage,
                    charge,
                    current,
                };
                self.hear_gauge(gauge, pass);
            }
            Fact::Lost {
                source: Source::Gauge,
                why,
            } => self.lose_gauge(why, pass),
            Fact::Thread {
                thread,
                pulse: Pulse::Late { .. },
            } => self.distrust(*thread, pass),
            Fact::Done {
                order,
                outcome: Err(_),
            } => self.unheard |= self.watch == Some(*order),
            Fact::Seen(Reading::Marker(left)) => {
                self.doubt.take_up(left);
                self.sink.take_up(left);
                self.inherit(left, pass);
                self.recover_from_halt(left, pass);
                pass.picture.halts_in_vain = self.doubt.halts();
                pass.picture.mains_doubted = self.doubt.stands();
                pass.picture.sinks = self.sink.sinks();
                pass.picture.sunk = self.sink.halts();
            }
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {
                return;
            }
        }
        self.judge(pass);
    }

    fn deadline(&self) -> Option<Mono> {
        self.due
    }
}
