//! Names of the kernel's capabilities, and sets of them.

/// The names by number, as `<linux/capability.h>` has them; in the file without `CAP_` and in small
/// letters. The numbers are part of the kernel's interface and never change.
pub const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// A set of capabilities, as the kernel writes it: bit N stands for capability N.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities(pub u64);

/// The number of a capability; `CAP_` before the name and capitals are allowed.
pub(super) fn number(name: &str) -> Option<usize> {
    let small = name.to_ascii_lowercase();
    let plain = small.strip_prefix("cap_").unwrap_or(&small);
    NAMES.iter().position(|known| *known == plain)
}
