//! How a service that is not started again has ended.

/// How a service ended that is not to be restarted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finish {
    /// It has done its work.
    Done,
    /// It failed, or may have failed, and `restart` wants it to stay down.
    Failed,
    /// Its exit code is one of `no_restart_on`.
    Refused,
}
