//! Order: who may start, and who may be stopped.

use super::{Course, Services};
use crate::core::Pass;
use crate::core::fact::ServiceId;
use crate::core::picture::Shed;
use crate::core::service::Service;
use crate::core::settings::{Class, Service as Settings};

/// The class that rules for each service: its own, or a more important one of a service that comes
/// after it. What others are stopped before cannot go before them.
pub(super) fn classes(settings: &[Settings]) -> Vec<Class> {
    let mut classes: Vec<Class> = settings.iter().map(|s| s.class).collect();
    let mut moved = true;
    while std::mem::take(&mut moved) {
        for (at, service) in settings.iter().enumerate() {
            for before in &service.after {
                let class = classes[at];
                if let Some(ruling) = classes.get_mut(usize::from(before.0))
                    && class < *ruling
                {
                    (*ruling, moved) = (class, true);
                }
            }
        }
    }
    classes
}

impl Services {
    /// Lets services that can move, move, until none can.
    pub(super) fn settle(&mut self, pass: &mut Pass) {
        loop {
            // First it is found out who may, then somebody moves.
            while let Some(id) = self.leant_on.pop_front() {
                if self.course == Course::Kept && self.begun {
                    self.recover(id, pass);
                    self.bar_followers(id, pass);
                }
            }
            let Some(id) = self.moved.pop_front() else {
                return;
            };
            match self.course {
                Course::Kept if self.begun => self.settle_kept(id, pass),
                Course::Kept | Course::Left => {}
                Course::Stopped { .. } | Course::Held { .. } => self.settle_stopped(id, pass),
            }
        }
    }

    /// A service is started once nothing that it comes after is on its way up; one that is held is
    /// stopped as at the end.
    fn settle_kept(&mut self, id: ServiceId, pass: &mut Pass) {
        let at = usize::from(id.0);
        self.recover(id, pass);
        self.bar(id, pass);
        self.settle_stopped(id, pass);
        self.start_if_free(id, pass);
        for follower in self.followers[at].clone() {
            self.stop_if_free(follower, pass);
            if !self.parts[at].holds_up_others {
                self.start_if_free(follower, pass);
            }
        }
    }

    fn start_if_free(&mut self, id: ServiceId, pass: &mut Pass) {
        let at = usize::from(id.0);
        if !self.services[at].wants_start() {
            return;
        }
        let before = &pass.settings.services[at].after;
        let held_up = |b: &ServiceId| self.services[usize::from(b.0)].holds_up_others();
        if before.iter().any(held_up) || self.taken_by(id).is_some() {
            return;
        }
        self.services[at].start(&pass.settings.services[at], pass.now, pass.out);
        self.touch(id);
    }

    /// While the daemon ends, or the service must not run: it is stopped once nothing that comes after
    /// it is alive.
    fn settle_stopped(&mut self, id: ServiceId, pass: &mut Pass) {
        self.stop_if_free(id, pass);
        if !self.services[usize::from(id.0)].alive() {
            for before in &pass.settings.services[usize::from(id.0)].after {
                self.stop_if_free(*before, pass);
            }
        }
    }

    fn stop_if_free(&mut self, id: ServiceId, pass: &mut Pass) {
        let at = usize::from(id.0);
        let kept = self.course == Course::Kept;
        if kept && !self.services[at].must_stop() {
            return;
        }
        // One that is stopped alone waits only for those that cannot do without it, or go with it.
        let all = !kept || self.services[at].held;
        let group = self.services[at].group_bar();
        let waited_for = |f: &ServiceId| {
            let follower = &self.services[usize::from(f.0)];
            let s = &pass.settings.services[usize::from(f.0)];
            let together = group.is_some() && follower.group_bar() == group;
            let bound = s.requires.contains(&id) || together;
            follower.alive() && (all || bound)
        };
        let busy = self.followers[at].iter().any(waited_for);
        if busy && !self.is_rushed() {
            return;
        }
        let before = (self.services[at].state, self.services[at].order);
        let s = &pass.settings.services[at];
        let held_up = |b: &ServiceId| self.services[usize::from(b.0)].holds_up_others();
        let free = kept && !s.after.iter().any(held_up);
        if free && self.services[at].restart_in_one_go(s, pass.now, pass.out) {
            return self.touch(id);
        }
        self.services[at].stop(&pass.settings.services[at], pass.now, pass.out);
        if before != (self.services[at].state, self.services[at].order) {
            self.touch(id);
        }
    }

    /// Holds back the services that are shed, and lets those run again that are not any more.
    pub(super) fn shed(&mut self, shed: Shed) {
        if self.shedding != shed {
            self.hold_back(shed);
        }
    }

    fn hold_back(&mut self, shed: Shed) {
        self.shedding = shed;
        // First all, then one after another: none may move before its neighbours know.
        for (service, class) in self.services.iter_mut().zip(&self.classes) {
            service.hold(shed.holds(*class));
        }
        for id in self.ids() {
            self.touch(id);
            self.moved.push_back(id);
            self.leant_on.push_back(id);
        }
    }

    /// There is no time for order.
    fn is_rushed(&self) -> bool {
        match self.course {
            Course::Stopped { rushed } | Course::Held { rushed } => rushed,
            Course::Kept | Course::Left => false,
        }
    }

    /// News of a service that must not run: a start that was under way has become a process, or one
    /// has ended that others wait for.
    pub(super) fn keep_out(&mut self, id: ServiceId, pass: &mut Pass) {
        let rushed = self.is_rushed();
        let service = &mut self.services[usize::from(id.0)];
        let ends = matches!(self.course, Course::Stopped { .. });
        if ends && !service.is_kept_elsewhere() {
            service.want_rest();
        }
        if ends || service.must_stop() {
            self.moved.push_back(id);
        }
        if rushed {
            service.kill(pass.now, pass.out);
        }
    }

    /// The daemon ends.
    pub(super) fn end(&mut self, overran: bool, pass: &mut Pass) {
        if matches!(self.course, Course::Kept | Course::Held { .. }) {
            self.course = Course::Stopped { rushed: false };
            self.legacy.close();
            // What others keep is left as it is: its life does not hang on ours.
            self.stop_in_turn(|service| match service.let_go(true) {
                true => {}
                false => service.want_rest(),
            });
        }
        if overran && self.course == (Course::Stopped { rushed: false }) {
            self.course = Course::Stopped { rushed: true };
            self.kill_all(pass);
        }
    }

    /// The machine is being halted. Wishes are kept, because that may be taken back.
    pub(super) fn halt(&mut self, overran: bool, pass: &mut Pass) {
        if matches!(self.course, Course::Kept | Course::Stopped { .. }) {
            self.course = Course::Held { rushed: false };
            self.stop_in_turn(|service| {
                let s = &pass.settings.services[usize::from(service.id.0)];
                service.let_go(false);
                service.hold(true);
                service.go_down(s, pass.now);
            });
        }
        if overran && self.course == (Course::Held { rushed: false }) {
            self.course = Course::Held { rushed: true };
            self.kill_all(pass);
        }
    }

    /// The halt was taken back.
    pub(super) fn resume(&mut self, shed: Shed) {
        if !matches!(self.course, Course::Held { .. }) {
            return;
        }
        self.course = Course::Kept;
        self.hold_back(shed);
    }

    fn stop_in_turn(&mut self, change: impl Fn(&mut Service)) {
        for service in &mut self.services {
            change(service);
        }
        for id in self.ids() {
            self.touch(id);
            self.moved.push_back(id);
        }
    }

    fn kill_all(&mut self, pass: &mut Pass) {
        for id in self.ids() {
            self.services[usize::from(id.0)].kill(pass.now, pass.out);
            self.touch(id);
        }
    }
}
