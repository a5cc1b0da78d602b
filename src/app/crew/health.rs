//! The health endpoint and its thread, if there is to be one.

use super::Hands;
use super::queues::{PROMPT, Queues};
use crate::app::{AppError, Plan};
use crate::core::fact::Thread;
use crate::edge::health::{self, Health, HealthOrder, ROOM};
use crate::edge::inbox::Inbox;
use crate::edge::orders;
use crate::edge::pulse::Pulse;
use crate::units::Mono;
use std::sync::Arc;

/// What the endpoint works with, at the other end of a queue; nothing where none is configured.
pub(super) fn prepare(
    plan: &Plan,
    queues: &mut Queues,
    inbox: &Inbox,
) -> Result<Option<Health>, AppError> {
    let passed = match plan.own_process {
        true => health::passed(&plan.environment),
        false => Vec::new(),
    };
    let Some(endpoint) = plan.config.wiring.health.clone() else {
        health::shut_what_was_left();
        return Ok(None);
    };
    let pulse = Arc::new(Pulse::new(Thread::Health, PROMPT));
    let (orders, work) = orders::with_bell(ROOM, pulse).map_err(AppError::kernel("health"))?;
    queues.health = Some(orders);
    Ok(Some(Health {
        plan: endpoint,
        passed,
        inbox: inbox.clone(),
        work,
    }))
}

/// Lets its thread end.
pub(super) fn dismiss(queues: &Queues, now: Mono) {
    if let Some(health) = &queues.health {
        // One that is stuck does not heed it.
        let _ = health.give(now, HealthOrder::Quit);
    }
}

impl Hands {
    pub(super) fn man_health(&mut self, health: Option<Health>) -> Result<(), AppError> {
        let Some(health) = health else {
            return Ok(());
        };
        // Without it nobody is told by HTTP; everything else goes on.
        self.man("health", move || {
            if let Err(e) = health.run() {
                log::error!("thread health ended: {e}");
            }
        })
    }
}
