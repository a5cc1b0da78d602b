//! Names of the signals.

/// The classic signals of Linux on ARM and x86; the index is the number less one.
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The name of a signal, or the plain number where it has none: `SIGKILL`, `40`.
///
/// Real-time signals stay numbers: what `SIGRTMIN` is depends on the C library of the reader.
pub fn signal_word(number: u8) -> String {
    let name = usize::from(number)
        .checked_sub(1)
        .and_then(|at| NAMES.get(at));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

/// The signal with this name, or with this number: `SIGKILL`, `9`.
pub fn signal_named(word: &str) -> Option<u8> {
    let by_name = NAMES.iter().position(|name| *name == word);
    match by_name.and_then(|at| u8::try_from(at + 1).ok()) {
        Some(number) => Some(number),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name stands beside the number that the kernel's headers give it.
    #[test]
    fn numbers_are_the_kernels() {
        for number in 1..=31u8 {
            let theirs = nix::sys::signal::Signal::try_from(i32::from(number)).unwrap();
            assert_eq!(signal_word(number), theirs.as_str());
        }
    }

    /// Every number leads back to itself.
    #[test]
    fn words_lead_back() {
        for number in 0..=u8::MAX {
            assert_eq!(signal_named(&signal_word(number)), Some(number));
        }
    }
}
