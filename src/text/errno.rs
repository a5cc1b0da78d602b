//! Names and meanings of the error numbers that a Pi's services and devices run into.
//!
//! A table of our own instead of `strerror`, so that wording needs no C library, does not depend on
//! a locale, and reads the same when a trace from the field is replayed elsewhere. Numbers are
//! those of Linux on ARM and x86.

use crate::core::fact::Errno;

/// Number, name, meaning. A number that is missing here is written as a number.
const TABLE: &[(i32, &str, &str)] = &[
    (1, "EPERM", "operation not permitted"),
    (2, "ENOENT", "no such file or directory"),
    (3, "ESRCH", "no such process"),
    (4, "EINTR", "interrupted by a signal"),
    (5, "EIO", "input/output error"),
    (6, "ENXIO", "no such device or address"),
    (7, "E2BIG", "arguments or environment too long"),
    (8, "ENOEXEC", "not a program this kernel can run"),
    (9, "EBADF", "bad file descriptor"),
    (10, "ECHILD", "no such child process"),
    (11, "EAGAIN", "resource temporarily unavailable"),
    (12, "ENOMEM", "out of memory"),
    (13, "EACCES", "permission denied"),
    (14, "EFAULT", "bad address"),
    (16, "EBUSY", "device or resource busy"),
    (17, "EEXIST", "file exists"),
    (19, "ENODEV", "no such device"),
    (20, "ENOTDIR", "not a directory"),
    (21, "EISDIR", "is a directory"),
    (22, "EINVAL", "invalid argument"),
    (23, "ENFILE", "too many open files in the system"),
    (24, "EMFILE", "too many open files"),
    (25, "ENOTTY", "the device does not know this request"),
    (26, "ETXTBSY", "the program file is open for writing"),
    (27, "EFBIG", "file too large"),
    (28, "ENOSPC", "no space left on device"),
    (29, "ESPIPE", "illegal seek"),
    (30, "EROFS", "read-only file system"),
    (31, "EMLINK", "too many links"),
    (32, "EPIPE", "broken pipe"),
    (34, "ERANGE", "result out of range"),
    (36, "ENAMETOOLONG", "file name too long"),
    (38, "ENOSYS", "not implemented by this kernel"),
    (39, "ENOTEMPTY", "directory not empty"),
    (40, "ELOOP", "too many symbolic links"),
    (61, "ENODATA", "no data available"),
    (71, "EPROTO", "protocol error"),
    (75, "EOVERFLOW", "value too large"),
    (80, "ELIBBAD", "damaged shared library"),
    (95, "EOPNOTSUPP", "operation not supported"),
    (98, "EADDRINUSE", "address already in use"),
    (99, "EADDRNOTAVAIL", "no such address on this machine"),
    (104, "ECONNRESET", "connection reset by peer"),
    (105, "ENOBUFS", "no buffer space available"),
    (107, "ENOTCONN", "not connected"),
    (110, "ETIMEDOUT", "timed out"),
    (111, "ECONNREFUSED", "connection refused"),
    (116, "ESTALE", "stale file handle"),
    (117, "EUCLEAN", "the file system is damaged"),
    (121, "EREMOTEIO", "remote input/output error"),
    (122, "EDQUOT", "disk quota exceeded"),
    (125, "ECANCELED", "refused by whoever was asked"),
];

/// The name of an error number, or the plain number: `ENOENT`, `523`.
pub fn errno_word(errno: Errno) -> String {
    entry(errno).map_or_else(|| errno.0.to_string(), |(_, name, _)| (*name).to_owned())
}

/// Meaning and name: `no such file or directory (ENOENT)`, or `errno 523`.
pub fn errno_message(errno: Errno) -> String {
    match entry(errno) {
        Some((_, name, meaning)) => format!("{meaning} ({name})"),
        None => format!("errno {}", errno.0),
    }
}

/// The error number with this name, or with this number.
pub fn errno_named(word: &str) -> Option<Errno> {
    if let Some((number, _, _)) = TABLE.iter().find(|(_, name, _)| *name == word) {
        return Some(Errno(*number));
    }
    word.parse().ok().map(Errno)
}

fn entry(errno: Errno) -> Option<&'static (i32, &'static str, &'static str)> {
    TABLE.iter().find(|(number, _, _)| *number == errno.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name stands beside the number that the kernel's headers give it.
    #[test]
    fn numbers_are_the_kernels() {
        for (number, name, _) in TABLE {
            let theirs = nix::errno::Errno::from_raw(*number);
            assert_eq!(format!("{theirs:?}"), *name);
        }
    }

    /// A name and a number lead back to the same error, and nonsense leads nowhere.
    #[test]
    fn words_lead_back() {
        for number in -2..600 {
            assert_eq!(errno_named(&errno_word(Errno(number))), Some(Errno(number)));
        }
        assert_eq!(errno_named("ENOSUCH"), None);
        assert_eq!(errno_message(Errno(523)), "errno 523");
    }
}
