//! Keeps up to date what a successor of this daemon would have to know.

use super::{Course, Services};
use crate::core::action::Actions;
use crate::core::fact::ServiceId;
use crate::core::service::Digest;
use crate::sorted::Set;

/// What a successor was last left.
pub(super) struct Legacy {
    /// About each service, in short.
    digests: Vec<Option<Digest>>,
    /// Services about which it has to be left something else.
    changed: Set<ServiceId>,
    /// The daemon ends: nothing more is left.
    closed: bool,
}

impl Legacy {
    pub fn new(services: usize) -> Legacy {
        Legacy {
            digests: vec![None; services],
            changed: Set::new(),
            closed: false,
        }
    }

    /// All services are to end, and that is nobody's wish for one of them.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// This is how a service stands.
    pub fn look(&mut self, id: ServiceId, digest: Digest) {
        let last = &mut self.digests[usize::from(id.0)];
        if last.replace(digest) != Some(digest) {
            self.changed.insert(id);
        }
    }
}

impl Services {
    /// Leaves what has changed. At the end of the daemon nothing is left any more: the successor of
    /// one that is killed then must not take the end for everybody's wish. A halt keeps the wishes.
    pub(super) fn leave_memos(&mut self, out: &mut Actions) {
        if !self.begun || self.legacy.closed || self.course == Course::Left {
            return;
        }
        for id in std::mem::take(&mut self.legacy.changed) {
            let service = &self.services[usize::from(id.0)];
            out.memos.push((id, service.run, service.memo()));
        }
    }
}
