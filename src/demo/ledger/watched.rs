//! What was seen of one service.

use crate::units::Mono;
use std::time::Duration;

/// What a service is doing, as far as the entries tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It has no process and waits for nothing.
    Down,
    /// A process is being started or gets ready.
    Starting,
    /// It runs.
    Up,
    /// It was told to end.
    Stopping,
    /// It will be started at this time.
    Backoff {
        /// When.
        until: Mono,
    },
    /// It failed too often.
    GaveUp,
}

impl Phase {
    /// The word for it, as `fieldwarden status` has it.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Down => "down",
            Phase::Starting => "starting",
            Phase::Up => "up",
            Phase::Stopping => "stopping",
            Phase::Backoff { .. } => "backoff",
            Phase::GaveUp => "gave-up",
        }
    }
}

/// What was seen of one service.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What it is doing.
    pub phase: Phase,
    /// Times it came up.
    pub ups: u32,
    /// Times it ended without being asked to.
    pub crashes: u32,
    /// Times it fell silent and was ended.
    pub hangs: u32,
    /// Times it ended because it was asked to.
    pub stops: u32,
    /// Times it was sent into a wait.
    pub waits: u32,
    /// Heartbeats in all its lives.
    pub heartbeats: u32,
    /// The last sign of life of this run.
    pub last_beat: Option<Mono>,
    /// Longest silence between two signs of life, hangs left out.
    pub longest_silence: Duration,
    /// When the present outage began to count.
    pub outage_since: Option<Mono>,
    /// How long the last outage lasted.
    pub last_outage: Option<Duration>,
    /// The longest of them.
    pub longest_outage: Option<Duration>,
    /// When it went down without being asked to, however often it was tried since.
    down_since: Option<Mono>,
    /// Longest time between such an end and the next time it was up, waits and all.
    pub longest_down: Option<Duration>,
    /// The latest outage counts from its start: what was before was a wait, or somebody's wish.
    pub from_start: bool,
    /// It had to wait before its latest start.
    pub waited: bool,
    /// Its end under way was brought about because it hung.
    hung: bool,
}

impl Default for Watched {
    fn default() -> Watched {
        Watched {
            phase: Phase::Down,
            ups: 0,
            crashes: 0,
            hangs: 0,
            stops: 0,
            waits: 0,
            heartbeats: 0,
            last_beat: None,
            longest_silence: Duration::ZERO,
            outage_since: None,
            last_outage: None,
            longest_outage: None,
            down_since: None,
            longest_down: None,
            from_start: false,
            waited: false,
            hung: false,
        }
    }
}

impl Watched {
    pub(super) fn start(&mut self, now: Mono) {
        self.phase = Phase::Starting;
        self.from_start = self.outage_since.is_none();
        if self.ups > 0 {
            self.outage_since.get_or_insert(now);
        }
    }

    pub(super) fn come_up(&mut self, now: Mono) {
        self.phase = Phase::Up;
        self.ups += 1;
        self.last_beat = Some(now);
        if let Some(since) = self.down_since.take() {
            self.longest_down = self.longest_down.max(Some(now.since(since)));
        }
        if let Some(since) = self.outage_since.take() {
            let outage = now.since(since);
            self.last_outage = Some(outage);
            self.longest_outage = self.longest_outage.max(Some(outage));
        }
    }

    pub(super) fn beat(&mut self, now: Mono) {
        self.heartbeats += 1;
        if let Some(last) = self.last_beat {
            self.longest_silence = self.longest_silence.max(now.since(last));
            self.last_beat = Some(now);
        }
    }

    pub(super) fn hang(&mut self) {
        self.hangs += 1;
        self.hung = true;
        self.phase = Phase::Stopping;
        self.last_beat = None;
    }

    pub(super) fn exit(&mut self, now: Mono, asked: bool) {
        self.phase = Phase::Down;
        self.last_beat = None;
        self.waited = false;
        if !asked {
            self.crashes += u32::from(!std::mem::take(&mut self.hung));
            self.outage_since = Some(now);
            self.down_since.get_or_insert(now);
        } else {
            self.stops += 1;
            self.down_since = None;
        }
    }

    pub(super) fn wait(&mut self, phase: Phase) {
        self.waits += 1;
        self.waited = true;
        self.outage_since = None;
        self.phase = phase;
    }
}
