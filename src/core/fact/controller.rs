//! The controllers of control groups that limits rest on, and why one may not do its work.

/// A controller of the kernel's control groups, version 2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Controller {
    /// Time on the processors.
    Cpu,
    /// Transfers to and from disks.
    Io,
    /// Memory and swap.
    Memory,
    /// Number of processes.
    Pids,
}

impl Controller {
    /// All of them, in the order in which they are told.
    pub const ALL: [Controller; 4] = [
        Controller::Cpu,
        Controller::Io,
        Controller::Memory,
        Controller::Pids,
    ];

    /// Its name in the kernel's files.
    pub fn name(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::Io => "io",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
        }
    }
}

/// Why limits of a controller are not enforced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lack {
    /// It was switched off by the kernel's command line, which a Pi's firmware writes.
    SwitchedOff,
    /// The kernel has no such controller.
    NotInKernel,
    /// The kernel has it, and the pool was not given it.
    NotDelegated,
    /// Services do not run in control groups of their own.
    NoPool,
    /// The kernel refused the limits.
    Refused,
    /// No disk of this machine is shared out by weight.
    NoScheduler,
}

impl Lack {
    /// All of them.
    pub const ALL: [Lack; 6] = [
        Lack::SwitchedOff,
        Lack::NotInKernel,
        Lack::NotDelegated,
        Lack::NoPool,
        Lack::Refused,
        Lack::NoScheduler,
    ];

    /// Why, and what to do about it, to be read after a colon.
    pub fn remedy(self) -> &'static str {
        match self {
            Lack::SwitchedOff => {
                "the kernel's command line switches the controller off (cgroup_disable=memory, which a \
                 Pi's firmware writes, because it costs some memory); add cgroup_enable=memory at the \
                 end of the one line of /boot/firmware/cmdline.txt (/boot/cmdline.txt on old releases) \
                 and reboot"
            }
            Lack::NotInKernel => {
                "this kernel was built without the controller; install the distribution's kernel"
            }
            Lack::NotDelegated => {
                "the control group of the services was not given the controller; its unit needs \
                 Delegate=cpu io memory pids, as the shipped fieldwarden-pool.service has"
            }
            Lack::NoPool => {
                "services have no control groups of their own; run the daemon under systemd with \
                 fieldwarden-pool.service, or name a delegated group as `cgroup`"
            }
            Lack::Refused => "the kernel refused them; the daemon's log says which and why",
            Lack::NoScheduler => {
                "no disk is shared out by weight; give one the scheduler bfq, as in echo bfq > \
                 /sys/block/mmcblk0/queue/scheduler, by a rule of udev to last"
            }
        }
    }
}
