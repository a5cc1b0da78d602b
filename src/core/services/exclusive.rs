//! Jobs of which one runs at a time.
//!
//! They run in the order in which their time came. One that something else keeps from running lets
//! those behind it pass.

use crate::core::fact::ServiceId;
use crate::core::settings::Service as Settings;
use crate::sorted::Map;
use std::collections::VecDeque;

/// Jobs with one word.
#[derive(Default)]
struct Exclusive {
    members: Vec<ServiceId>,
    /// Those that are to run and do not, in the order in which their time came.
    queue: VecDeque<ServiceId>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Exclusives {
    all: Vec<Exclusive>,
    /// To which each belongs.
    places: Map<ServiceId, usize>,
}

impl Exclusives {
    pub fn of(services: &[Settings]) -> Exclusives {
        let mut words: Map<&str, usize> = Map::new();
        let mut exclusives = Exclusives::default();
        for (id, s) in (0u16..).map(ServiceId).zip(services) {
            let Some(word) = s.job.as_ref().and_then(|job| job.exclusive.as_deref()) else {
                continue;
            };
            let place = *words.entry(word).or_insert(exclusives.all.len());
            if place == exclusives.all.len() {
                exclusives.all.push(Exclusive::default());
            }
            exclusives.all[place].members.push(id);
            exclusives.places.insert(id, place);
        }
        exclusives
    }

    fn of_job(&self, id: ServiceId) -> Option<&Exclusive> {
        Some(&self.all[*self.places.get(&id)?])
    }

    /// Takes in whether it is to run and does not.
    pub fn queue(&mut self, id: ServiceId, waits: bool) {
        let Some(place) = self.places.get(&id) else {
            return;
        };
        let queue = &mut self.all[*place].queue;
        match (queue.contains(&id), waits) {
            (false, true) => queue.push_back(id),
            (true, false) => queue.retain(|other| *other != id),
            (true, true) | (false, false) => {}
        }
    }

    /// The others of its kind.
    pub fn others(&self, id: ServiceId) -> impl Iterator<Item = ServiceId> + '_ {
        let members = self.of_job(id).map_or(&[][..], |e| &e.members);
        members.iter().copied().filter(move |other| *other != id)
    }

    /// Those whose time came before its own.
    pub fn ahead(&self, id: ServiceId) -> impl Iterator<Item = ServiceId> + '_ {
        let queue = self.of_job(id).into_iter().flat_map(|e| &e.queue);
        queue.copied().take_while(move |other| *other != id)
    }
}
