//! Services whose process somebody else keeps.

use super::{Course, Services};
use crate::core::Pass;
use crate::core::fact::{Pulse, ServiceId, Standing, Thread};
use crate::core::service::Turn;

impl Services {
    /// Takes in how a service stands with its keeper. What is let go is not looked at any more.
    pub(super) fn stand(&mut self, id: ServiceId, standing: &Standing, pass: &mut Pass) {
        if matches!(self.course, Course::Left | Course::Stopped { .. }) {
            return;
        }
        let at = usize::from(id.0);
        let (jitter, excuse) = (self.jitter(), self.excuse(pass.now));
        let (Some(service), Some(s)) = (self.services.get_mut(at), pass.settings.services.get(at))
        else {
            return;
        };
        if s.keeper.is_none() {
            return;
        }
        let mut turn = Turn {
            s,
            now: pass.now,
            jitter,
            excuse,
            out: pass.out,
        };
        let before = service.state;
        service.stand(standing, &mut turn);
        let took = service.stop_took(before, pass.now);
        self.budget.learn(id, took);
        self.tell_group(id, pass);
        self.keep_out(id, pass);
        // What bars it goes before what it bears: others are not stopped for a bar that is over.
        self.bar(id, pass);
        self.touch(id);
        self.moved.push_back(id);
        self.leant_on.push_back(id);
    }

    /// A thread is late, or on time again: some of them are the ears of this policy.
    pub(super) fn miss(&mut self, thread: Thread, pulse: Pulse, pass: &mut Pass) {
        let late = matches!(pulse, Pulse::Late { .. });
        if thread == Thread::Children {
            self.listen(late, pass);
        } else {
            self.ask_no_keeper(thread, late, pass);
        }
    }

    /// Whoever asks these keepers is stuck, or not any more.
    fn ask_no_keeper(&mut self, thread: Thread, stuck: bool, pass: &mut Pass) {
        for (id, s) in self.ids().zip(&pass.settings.services) {
            let keeper = s.keeper.as_ref();
            if keeper.is_some_and(|keeper| keeper.thread() == thread) {
                self.services[usize::from(id.0)].go_unasked(stuck, s, pass.now);
                self.bar(id, pass);
                self.touch(id);
                self.moved.push_back(id);
                self.leant_on.push_back(id);
            }
        }
    }
}
