//! Which limits of services hold on this machine, found out at the start.

use crate::config::Command;
use crate::core::fact::{Controller, Fact, Lack, Reading};
use crate::edge::pool::Pool;
use std::path::Path;

/// What the core is told of limits that are not enforced. The services run all the same.
pub(super) fn unenforced(pool: Option<&Pool>, commands: &[Command]) -> Vec<Fact> {
    let asked = |controller: Controller| {
        let mut shares = commands.iter().map(|command| &command.share);
        shares.any(|share| share.asked.iter().any(|(c, _)| *c == controller))
    };
    let Some(pool) = pool else {
        // Who runs services without a pool has chosen so, or is told that it is missing.
        let asked = Controller::ALL.into_iter().filter(|c| asked(*c));
        return asked.map(|c| fact(c, Lack::NoPool, true)).collect();
    };
    let enabled = pool.enable_controllers();
    if let Err(e) = &enabled {
        log::warn!("{e}");
    }
    let lacks = pool.lacks(Path::new("/"));
    let mut facts = Vec::new();
    for controller in Controller::ALL {
        let lack = lacks.iter().find(|(c, _)| *c == controller);
        match lack.map(|(_, lack)| *lack) {
            // By default every service has the same weight, and nobody misses that.
            Some(_) if controller == Controller::Io && !asked(controller) => {}
            Some(lack) => facts.push(fact(controller, lack, asked(controller))),
            None if enabled.is_err() => {
                facts.push(fact(controller, Lack::Refused, asked(controller)));
            }
            None => {}
        }
    }
    facts
}

fn fact(controller: Controller, lack: Lack, asked: bool) -> Fact {
    Fact::Seen(Reading::Unenforced {
        controller,
        lack,
        asked,
    })
}
