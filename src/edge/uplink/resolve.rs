//! Looks a name up with the machine's own resolver, as every program on it does.

use crate::core::fact::Found;
use std::ffi::CString;
use std::ptr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Looks it up, for so long at most. The thread that does it is left behind if it takes longer: the
/// process ends soon.
pub(super) fn look_up(name: &str, timeout: Duration) -> Found {
    let Ok(name) = CString::new(name) else {
        return Found::Unsure;
    };
    let (tell, found) = mpsc::channel();
    let looker = move || {
        // Nobody listens once the time is over.
        let _ = tell.send(ask(&name));
    };
    match thread::Builder::new().spawn(looker) {
        Ok(_) => found.recv_timeout(timeout).unwrap_or(Found::Silent),
        Err(_) => Found::Unsure,
    }
}

fn ask(name: &CString) -> Found {
    // SAFETY: all zero is what getaddrinfo(3) wants of hints that ask for nothing.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = ptr::null_mut();
    // SAFETY: the name ends with NUL, and both structures live until the call returns.
    let code =
        unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if code == 0 {
        // SAFETY: the list is from the call above, which succeeded, and is not used after this.
        unsafe { libc::freeaddrinfo(list) };
        return Found::Well;
    }
    match code {
        // Whoever was asked knows no such name, or no address of it.
        libc::EAI_NONAME | libc::EAI_NODATA => Found::Refused,
        // Nobody answered, or the one who did has nobody to ask.
        libc::EAI_AGAIN | libc::EAI_FAIL => Found::Silent,
        _ => Found::Unsure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every machine knows its own name for itself; the other one is never given to anybody
    /// (RFC 6761, 6.4), so whoever answers says no.
    #[test]
    fn names() {
        let patience = Duration::from_secs(20);
        assert_eq!(look_up("localhost", patience), Found::Well);
        let nobody = look_up("fieldwarden.invalid", patience);
        assert!(
            matches!(nobody, Found::Refused | Found::Silent),
            "{nobody:?}"
        );
        assert_eq!(look_up("a\0b", patience), Found::Unsure);
        assert_eq!(
            look_up("fieldwarden.invalid", Duration::ZERO),
            Found::Silent
        );
    }
}
