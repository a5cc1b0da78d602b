//! When a service that ended without being asked to is started again, and how long that waits.
//!
//! | how it ended | always | on-failure | on-abnormal | never |
//! |---|---|---|---|---|
//! | cleanly: 0, `success_on`, HUP, INT, TERM, PIPE | again | done | done | done |
//! | with another code | again | again | failed | failed |
//! | in any other way, or not even started | again | again | again | failed |
//!
//! A code in `no_restart_on` comes before all of them: done if it is a clean one, refused otherwise.

use super::Service;
use crate::core::fact::Exit;
use std::time::Duration;

/// When a service is started again after it ended without being asked to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// Always.
    Always,
    /// Unless it ended cleanly.
    OnFailure,
    /// Unless it exited by itself, with whatever code.
    OnAbnormal,
    /// Never.
    Never,
}

/// Waits between restarts, and when to give up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Failures in a row that are answered at once.
    pub immediate: u32,
    /// First wait after those.
    pub first: Duration,
    /// Longest wait; each wait is twice the one before.
    pub cap: Duration,
    /// A run this long wipes out the failures before it.
    pub stable: Duration,
    /// Restarts allowed inside `window`.
    pub restarts: u32,
    /// The window of `restarts`.
    pub window: Duration,
    /// After giving up, one more try comes after this time.
    pub cooldown: Duration,
}

impl Backoff {
    /// As in the sample configuration.
    pub const DEFAULT: Backoff = Backoff {
        immediate: 3,
        first: Duration::from_secs(1),
        cap: Duration::from_secs(60),
        stable: Duration::from_secs(600),
        restarts: 8,
        window: Duration::from_secs(600),
        cooldown: Duration::from_secs(600),
    };
}

/// How a run ended that nobody asked to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// There was no process.
    NotStarted,
    /// We ended it: it did not get ready, or its heartbeat ceased. Whatever it says on its way out.
    Hung,
    /// It ended by itself.
    By(Exit),
}

/// What follows from that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sequel {
    /// It is started again.
    Again,
    /// It has done its work, and stays down.
    Done,
    /// It failed, and stays down: `restart` wants it so.
    Failed,
    /// It failed, and stays down: its code says that it is of no use to start it again.
    Refused,
}

impl Service {
    /// What follows from such an end.
    pub(crate) fn sequel(&self, ended: Ended) -> Sequel {
        let clean = self.is_clean(ended);
        if let Ended::By(Exit::Code(code)) = ended
            && self.no_restart_on.contains(&code)
        {
            return match clean {
                true => Sequel::Done,
                false => Sequel::Refused,
            };
        }
        let by_code = matches!(ended, Ended::By(Exit::Code(_)));
        match self.restart {
            Restart::Always => Sequel::Again,
            Restart::OnFailure | Restart::OnAbnormal | Restart::Never if clean => Sequel::Done,
            Restart::OnFailure => Sequel::Again,
            Restart::OnAbnormal if by_code => Sequel::Failed,
            Restart::OnAbnormal => Sequel::Again,
            Restart::Never => Sequel::Failed,
        }
    }

    /// The ends that systemd calls clean (systemd.service(5), `Restart=`), and those of `success_on`.
    /// No signal is a good end of a job: what it was to write is not all there.
    fn is_clean(&self, ended: Ended) -> bool {
        match ended {
            Ended::NotStarted | Ended::Hung | Ended::By(Exit::Unknown) => false,
            Ended::By(Exit::Code(code)) => code == 0 || self.success_on.contains(&code),
            Ended::By(Exit::Signal(signal)) => {
                self.job.is_none() && matches!(signal, 1 | 2 | 13 | 15)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends by their words in the table below. Code 7 is in both lists, 143 in `success_on`, 78 in
    /// `no_restart_on`.
    const ENDS: [(&str, Ended); 10] = [
        ("0", Ended::By(Exit::Code(0))),
        ("1", Ended::By(Exit::Code(1))),
        ("143", Ended::By(Exit::Code(143))),
        ("78", Ended::By(Exit::Code(78))),
        ("7", Ended::By(Exit::Code(7))),
        ("TERM", Ended::By(Exit::Signal(15))),
        ("SEGV", Ended::By(Exit::Signal(11))),
        ("unseen", Ended::By(Exit::Unknown)),
        ("hung", Ended::Hung),
        ("no start", Ended::NotStarted),
    ];

    const TABLE: &str = "
            always     on-failure on-abnormal never
0           Again      Done       Done       Done
1           Again      Again      Failed     Failed
143         Again      Done       Done       Done
78          Refused    Refused    Refused    Refused
7           Done       Done       Done       Done
TERM        Again      Done       Done       Done
SEGV        Again      Again      Again      Failed
unseen      Again      Again      Again      Failed
hung        Again      Again      Again      Failed
no start    Again      Again      Again      Failed
";

    #[test]
    fn every_class_and_every_end() {
        let classes = [
            Restart::Always,
            Restart::OnFailure,
            Restart::OnAbnormal,
            Restart::Never,
        ];
        let mut is = format!("\n{:<12}always     on-failure on-abnormal never\n", "");
        for (word, ended) in ENDS {
            is += &format!("{word:<12}");
            for restart in classes {
                let service = Service {
                    restart,
                    success_on: [143, 7].into(),
                    no_restart_on: [78, 7].into(),
                    ..Service::named("web")
                };
                is += &format!("{:<11}", format!("{:?}", service.sequel(ended)));
            }
            is = format!("{}\n", is.trim_end());
        }
        assert!(is == TABLE, "the table is now:\n{is}");
    }

    /// A job whose process was ended by a signal has not done its work, whichever signal it was.
    #[test]
    fn no_signal_is_a_good_end_of_a_job() {
        let job = super::super::Job {
            schedule: super::super::Schedule::Every(Duration::from_secs(3600)),
            jitter: Duration::ZERO,
            timeout: Duration::from_secs(60),
            exclusive: None,
            not_while: Vec::new(),
            fresh_within: None,
        };
        let service = Service {
            job: Some(Box::new(job)),
            restart: Restart::Never,
            ..Service::named("dump")
        };
        for signal in [1, 2, 9, 13, 15] {
            assert_eq!(
                service.sequel(Ended::By(Exit::Signal(signal))),
                Sequel::Failed
            );
        }
        assert_eq!(service.sequel(Ended::By(Exit::Code(0))), Sequel::Done);
    }
}
