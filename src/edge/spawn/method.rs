//! The ways to create a child, and what each asks of the kernel.

use super::raw::Call;
use std::os::fd::RawFd;

/// How the kernel, or the emulator, lets us create a child. In order of preference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// `clone3` with our table of descriptors, from which the child takes the few it needs: its
    /// cost does not grow with the number of services. Needs `close_range` (Linux 5.9).
    Sharing,
    /// `clone3`, which also puts the child into its cgroup.
    Clone3,
    /// `clone`; the child joins its cgroup itself. For sandboxes that refuse `clone3`.
    Clone,
    /// `clone` without pidfd, `pidfd_open` after it, and a pipe for what went wrong. For user-mode
    /// emulators, which make a fork of it.
    Emulated,
}

impl Method {
    pub(super) const ALL: [Method; 4] = [
        Method::Sharing,
        Method::Clone3,
        Method::Clone,
        Method::Emulated,
    ];

    /// Name for logs.
    pub fn name(self) -> &'static str {
        match self {
            Method::Sharing => "clone3 with shared descriptors",
            Method::Clone3 => "clone3",
            Method::Clone => "clone",
            Method::Emulated => "clone and pidfd_open",
        }
    }

    pub(super) fn call(self, cgroup: Option<RawFd>) -> Call {
        match self {
            Method::Sharing => Call {
                clone3: true,
                pidfd: true,
                files: true,
                cgroup,
            },
            Method::Clone3 => Call {
                clone3: true,
                pidfd: true,
                files: false,
                cgroup,
            },
            Method::Clone => Call {
                clone3: false,
                pidfd: true,
                files: false,
                cgroup: None,
            },
            Method::Emulated => Call {
                clone3: false,
                pidfd: false,
                files: false,
                cgroup: None,
            },
        }
    }
}
