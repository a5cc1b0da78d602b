//! The sync thread: what may wait for a disk or a bus, and holds up nothing else.

use super::inbox::Inbox;
use super::orders::Work;
use super::rtc::RtcSetter;
use super::{caps, clock};
use crate::core::fact::{CapId, Fact, Fault, OrderId};
use crate::core::settings::Settings;
use std::sync::Arc;

/// What the sync thread can be told to do. Each is quoted in its outcome.
pub enum SyncOrder {
    /// Sync all file systems.
    Sync(OrderId),
    /// Set the battery-backed clock.
    SetRtc(OrderId),
    /// Delete what is to be deleted for a cap.
    Trim(OrderId, CapId),
}

/// What it does that with.
pub struct Syncer {
    /// This machine has file systems of ours to sync.
    pub real: bool,
    /// Nothing, where there is no clock of ours to set.
    pub rtc: Option<RtcSetter>,
    /// The caps.
    pub settings: Arc<Settings>,
}

impl Syncer {
    /// Carries out orders until nobody gives any.
    pub fn run(&self, work: &Work<SyncOrder>, inbox: &Inbox) {
        while let Some(order) = work.wait() {
            let (order, outcome) = match order {
                SyncOrder::Sync(order) => {
                    if self.real {
                        rustix::fs::sync();
                    }
                    (order, Ok(()))
                }
                SyncOrder::Trim(order, cap) => {
                    let trimmed = match self.real {
                        true => caps::trim(&self.settings, cap),
                        false => Err(Fault::Absent),
                    };
                    (order, trimmed.map(|fact| inbox.send(fact)))
                }
                SyncOrder::SetRtc(order) => {
                    let setter = self.rtc.as_ref().ok_or(Fault::Absent);
                    (order, setter.and_then(RtcSetter::set))
                }
            };
            inbox.send(Fact::Done { order, outcome });
            work.finish(clock::now());
        }
    }
}
