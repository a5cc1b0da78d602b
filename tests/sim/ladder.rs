//! The invariants of a halt: S1, S2, S5, S13 and L5. They are told from facts, orders and the
//! picture, and know nothing of how the core decides.

use crate::checks::View;
use fieldwarden::core::action::{Action, Answer};
use fieldwarden::core::fact::{Fact, HaltKind, OrderId, Reading, Request};
use fieldwarden::core::intent::{CutTold, HaltPhase, Intent};
use fieldwarden::core::note::{HaltNote, Note};
use fieldwarden::core::picture::{HaltCause, Halting, Rung};
use fieldwarden::core::settings::Settings;

/// All rungs but the services' budget, in milliseconds, with a margin for threads on their way:
/// looking, grace, recording, syncing, cutting and taking it back, asked, rescuing, forced.
const RUNGS: u64 = 10_000 + 5_000 + 3_000 + 10_000 + 2 * 5_000 + 100_000 + 5_000 + 10_000 + 5_000;

/// Time to learn whether mains are back, in milliseconds.
const LOOKING: u64 = 10_000;

/// Time for the marker to reach the card, in milliseconds.
const RECORDING: u64 = 3_000;

/// What was seen of halts in this life.
#[derive(Default)]
pub struct Ladder {
    /// Somebody asked for one.
    asked: bool,
    /// Services could not be kept up.
    escalated: bool,
    /// Somebody asked for a drill.
    drilled: bool,
    /// An earlier daemon left one.
    found: bool,
    /// When the one before in this boot had begun one, and was killed.
    begun: Option<u64>,
    before: Option<Halting>,
    /// When it began, not counting the time for which the daemon stood still.
    since: u64,
    committed: bool,
    /// The order that writes down what is to come, and when it was given.
    record: Option<(OrderId, u64)>,
    /// The board was told to cut the power, and is not known to have refused or forgotten it.
    cut: bool,
    /// It has said that it took that.
    taken: bool,
    /// The latest order to the board, and whether it was to cut.
    told: Option<(OrderId, bool)>,
    /// Init was asked.
    init_asked: bool,
    let_go: bool,
}

impl Ladder {
    /// Takes a step in, and says what is wrong with it.
    pub fn halts_are_right(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        self.hear(v);
        let halting = v.core.picture().halting;
        if let (Some(halting), None) = (halting, self.before) {
            self.since = v.now - v.frozen;
            self.has_a_reason(halting, v)?;
        }
        self.orders(v, halting, settings)?;
        if let (None, Some(before)) = (halting, self.before) {
            // Nothing is lost by one that init or the kernel refuses, unless mains are gone.
            let refused = matches!(
                v.fact,
                Fact::Done {
                    outcome: Err(_),
                    ..
                }
            );
            let spared = before.cause == HaltCause::Services && refused;
            // A drill asks no init, and is over if the watchdog does not bite.
            let drill = matches!(before.cause, HaltCause::Drill { .. });
            let late = before.rung >= Rung::Asked && !spared && !drill || self.cut;
            wrong(
                late,
                "S8: a halt is taken back after the point of no return",
            )?;
            (self.asked, self.committed) = (false, false);
            (self.cut, self.taken) = (false, false);
            self.init_asked &= !spared;
            self.begun = None;
        }
        if let Some(halting) = halting {
            // At the very end, a machine that may lose its power is better than one that may stay off.
            let at_the_end = halting.rung >= Rung::Rescuing && !self.taken;
            wrong(
                halting.kind == HaltKind::Reboot && self.cut && !at_the_end,
                "S8: a restart, and the board may cut the power of the next boot",
            )?;
            let back = v.core.picture().mains == Some(true) && halting.cause.ends_with_mains();
            wrong(
                back && halting.rung < Rung::Cutting,
                "L4: mains are back before the point of no return, and the halt goes on",
            )?;
            let budget = u64::try_from(settings.stop_budget.as_millis()).unwrap_or(u64::MAX);
            let limit = self.since + budget + RUNGS;
            let due = v.now - v.frozen > limit && halting.rung < Rung::Forced;
            wrong(due, format!("L5: a halt stands on {:?}", halting.rung))?;
        }
        self.before = halting;
        Ok(())
    }

    fn hear(&mut self, v: &View) {
        if let Fact::Seen(Reading::Marker(left)) = v.fact
            && let Intent::Halt { phase, cause, .. } = left.marker.intent
        {
            self.record = None;
            // One that is left from long ago is no reason for anything.
            self.found = left.same_boot || left.lasts;
            let begun = left.same_boot && phase == HaltPhase::Begun;
            self.begun = (begun && cause.ends_with_mains()).then_some(v.now);
            self.committed = left.same_boot && phase == HaltPhase::Committed;
            // The board cuts the power whoever follows, and mains that are back start the machine then.
            let taken = matches!(left.marker.cut, CutTold::Taken { .. });
            self.cut = self.committed && taken;
            self.taken = self.cut;
        }
        if let Fact::Done { order, .. } = v.fact
            && self.record.is_some_and(|(record, _)| record == *order)
        {
            self.record = None;
        }
        if let (Fact::Done { order, outcome }, Some((told, cut))) = (v.fact, self.told)
            && *order == told
        {
            self.cut &= outcome.is_ok() == cut;
            self.taken = self.cut && (self.taken || cut);
        }
        let accepted = v.orders.iter().any(|o| {
            matches!(
                o.action,
                Action::Reply {
                    answer: Answer::Accepted,
                    ..
                }
            )
        });
        let halt = matches!(
            v.fact,
            Fact::Asked {
                request: Request::Halt(_),
                ..
            }
        );
        self.asked |= accepted && halt;
        let drill = matches!(
            v.fact,
            Fact::Asked {
                request: Request::Drill,
                ..
            }
        );
        self.drilled |= accepted && drill;
        self.escalated |= v
            .notes
            .iter()
            .any(|note| matches!(note, Note::MachineRestarting { .. }));
    }

    /// S1: no halt without an ask.
    fn has_a_reason(&self, halting: Halting, v: &View) -> Result<(), String> {
        let reason = match halting.cause {
            HaltCause::Asked { .. } => self.asked || self.found,
            HaltCause::BatterySinks => self.found || v.core.picture().sinks,
            HaltCause::Services => self.found || self.escalated,
            // Nobody has a repair in this world.
            HaltCause::Network => false,
            HaltCause::Drill { .. } => self.drilled,
            HaltCause::RideThrough | HaltCause::LowBattery | HaltCause::GaugeSilent => {
                self.found || v.core.picture().mains == Some(false)
            }
        };
        wrong(!reason, format!("S1: {halting:?} without a reason"))
    }

    fn orders(
        &mut self,
        v: &View,
        halting: Option<Halting>,
        settings: &Settings,
    ) -> Result<(), String> {
        for order in v.orders {
            let drill = halting.is_some_and(|h| matches!(h.cause, HaltCause::Drill { .. }));
            let asks = matches!(
                order.action,
                Action::AskInit { .. } | Action::ForceHalt { .. }
            );
            wrong(drill && asks, "D1: a drill that asks for a halt")?;
            let let_go = drill && halting.is_some_and(|h| h.rung == Rung::WatchdogReset);
            let pets = matches!(order.action, Action::Pet);
            wrong(let_go && pets, "D1: a pet while the watchdog is to bite")?;
            match &order.action {
                Action::Record(marker) => {
                    if let Intent::Halt { phase, .. } = marker.intent
                        && phase == HaltPhase::Committed
                        && !self.committed
                    {
                        self.committed = true;
                        self.record = Some((order.id, v.now));
                    }
                }
                Action::CutPower { cut } => {
                    let rung = halting.map(|h| h.rung);
                    let ahead = settings.board.cut_ahead;
                    let early = rung.is_some_and(|rung| rung < Rung::Cutting);
                    wrong(
                        *cut && early || ahead.is_none(),
                        "S8: the power is cut out of its turn",
                    )?;
                    let off = halting.is_some_and(|h| h.kind == HaltKind::PowerOff);
                    wrong(*cut && !off, "S8: the power of a restart is cut")?;
                    let cancels = ahead.is_some_and(|ahead| ahead.can_be_cancelled);
                    wrong(
                        !*cut && !cancels,
                        "S8: what cannot be taken back is taken back",
                    )?;
                    self.told = Some((order.id, *cut));
                    self.cut |= *cut;
                }
                Action::AskInit { kind } => {
                    wrong(halting.is_none(), "S1: init is asked without a halt")?;
                    wrong(
                        !self.committed,
                        "S13: init is asked and nothing is written down",
                    )?;
                    let waits = |(_, at)| v.now < at + RECORDING;
                    wrong(
                        self.record.is_some_and(waits) && !self.init_asked,
                        "S13: init is asked before it is written down",
                    )?;
                    let unknown = v.core.picture().mains.is_none();
                    wrong(
                        unknown && self.begun.is_some_and(|since| v.now < since + LOOKING),
                        "S8: init is asked before it is known whether mains are back",
                    )?;
                    let mains = v.core.picture().mains == Some(true);
                    let by_mains = halting.is_some_and(|h| h.cause.ends_with_mains());
                    let off = *kind == HaltKind::PowerOff && by_mains && mains && !self.cut;
                    wrong(off, "S8: init is asked to turn off a machine with mains")?;
                    self.init_asked = true;
                }
                Action::ForceHalt { kind } => {
                    if !self.taken {
                        ends_in_a_running_machine(*kind, halting, v)?;
                    }
                    let rung = halting.map(|h| h.rung);
                    wrong(
                        rung != Some(Rung::Forced),
                        "S1: a forced halt out of its turn",
                    )?;
                }
                Action::Start { .. } => {
                    wrong(self.init_asked, "S2: a start after the return")?;
                    let halts = halting.is_some() && self.before.is_some();
                    wrong(halts, "S2: a start while the machine is halted")?;
                }
                Action::Pet => wrong(self.let_go, "S5: a pet after the last rung")?,
                _ => {}
            }
        }
        let given_up = |n: &Note| *n == Note::Halt(HaltNote::HaltLeftToWatchdog);
        self.let_go |= v.notes.iter().any(given_up);
        Ok(())
    }
}

/// S8: a machine whose mains are believed to be back is not turned off because of mains.
fn ends_in_a_running_machine(
    kind: HaltKind,
    halting: Option<Halting>,
    v: &View,
) -> Result<(), String> {
    let by_mains = halting.is_some_and(|h| h.cause.ends_with_mains());
    let back = v.core.picture().mains == Some(true);
    wrong(
        kind == HaltKind::PowerOff && by_mains && back,
        "S8: a machine with mains is turned off",
    )
}

fn wrong(wrong: bool, why: impl Into<String>) -> Result<(), String> {
    if wrong { Err(why.into()) } else { Ok(()) }
}
