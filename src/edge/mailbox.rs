//! The mailbox to the firmware of a Raspberry Pi: one question, about its throttle flags.
//!
//! The question is `GET_THROTTLED` with the value 0, which changes nothing: other values clear bits
//! of what has occurred, and those are not only ours. So this needs no permission.
//!
//! Device, number of the request, and form of the buffer: kernel, drivers/char/broadcom/vcio.c;
//! tag: kernel, include/soc/bcm2835/raspberrypi-firmware.h.

use super::power_supply::fault_of;
use crate::core::fact::{Errno, Fault, ThrottleFlags};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Words of the buffer: length, code, tag, room, length of the answer, value, end.
const WORDS: usize = 7;

/// Length of the buffer in bytes.
const LENGTH: u32 = 28;

/// The property of the throttle flags.
const GET_THROTTLED: u32 = 0x0003_0046;

/// The value of the question: clear none of the bits of what has occurred.
const CLEAR_NOTHING: u32 = 0;

/// Code of a buffer that was understood.
const UNDERSTOOD: u32 = 0x8000_0000;

/// In the length of a property: it was answered. The rest is the length in bytes.
const ANSWERED: u32 = 0x8000_0000;

/// The mailbox, opened when it is first asked and kept open.
#[derive(Debug)]
pub struct Mailbox {
    device: PathBuf,
    file: Option<File>,
}

impl Mailbox {
    /// The mailbox of the machine whose `/dev` is below `root`. Nothing is opened yet.
    pub fn new(root: &Path) -> Mailbox {
        Mailbox {
            device: root.join("dev/vcio"),
            file: None,
        }
    }

    /// Asks for the throttle flags.
    ///
    /// # Errors
    /// [`Fault::Absent`] on machines without a mailbox; [`Fault::Implausible`] where the firmware
    /// does not know the question. A device that fails is opened anew for the next question.
    pub fn throttled(&mut self) -> Result<ThrottleFlags, Fault> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open().map_err(|e| fault_of(&e))?,
        };
        let mut buffer = question();
        ask(&file, &mut buffer)?;
        self.file = Some(file);
        answer(&buffer)
    }

    fn open(&self) -> io::Result<File> {
        // The standard library adds O_CLOEXEC. The driver looks at no access mode: reading is enough.
        OpenOptions::new().read(true).open(&self.device)
    }
}

fn question() -> [u32; WORDS] {
    [LENGTH, 0, GET_THROTTLED, 4, 0, CLEAR_NOTHING, 0]
}

fn answer(buffer: &[u32; WORDS]) -> Result<ThrottleFlags, Fault> {
    let [_, code, tag, _, length, flags, _] = *buffer;
    let understood = code == UNDERSTOOD && tag == GET_THROTTLED && length == ANSWERED | 4;
    understood
        .then_some(ThrottleFlags(flags))
        .ok_or(Fault::Implausible)
}

/// The kernel reads the length in the first word and writes back as much.
fn ask(file: &File, buffer: &mut [u32; WORDS]) -> Result<(), Fault> {
    debug_assert_eq!(size_of_val(buffer), LENGTH as usize);
    // SAFETY: the descriptor is open; the buffer is writable, lives through the call, is as long as
    // its first word says, and the driver writes no more than that. On any other driver the number
    // of the request is unknown and nothing is written.
    unsafe { request::property(file.as_raw_fd(), buffer) }
        .map(|_| ())
        .map_err(|errno| Fault::Errno(Errno(errno as i32)))
}

mod request {
    use super::WORDS;
    use std::ffi::c_char;

    /// `_IOWR(100, 0, char *)`: the number holds the size of a pointer, so it differs between
    /// programs of 32 and of 64 bits, and the kernel knows both.
    const PROPERTY: u64 = nix::request_code_readwrite!(100, 0, size_of::<*mut c_char>()) as u64;

    #[cfg(target_pointer_width = "64")]
    const _: () = assert!(PROPERTY == 0xc008_6400);
    #[cfg(target_pointer_width = "32")]
    const _: () = assert!(PROPERTY == 0xc004_6400);

    nix::ioctl_readwrite_bad!(property, PROPERTY, [u32; WORDS]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The question clears nothing, and an answer counts only when it is one.
    #[test]
    fn only_an_answer_is_an_answer() {
        assert_eq!(question(), [28, 0, 0x30046, 4, 0, 0, 0]);
        let answered = [28, 0x8000_0000, 0x30046, 4, 0x8000_0004, 0x50005, 0];
        assert_eq!(answer(&answered), Ok(ThrottleFlags(0x50005)));
        for (word, value) in [
            (1, 0x8000_0001),
            (1, 0),
            (2, 0x30047),
            (4, 4),
            (4, 0x8000_0000),
        ] {
            let mut spoilt = answered;
            spoilt[word] = value;
            assert_eq!(answer(&spoilt), Err(Fault::Implausible), "{spoilt:x?}");
        }
        assert_eq!(answer(&question()), Err(Fault::Implausible));
    }

    /// A file that is no mailbox refuses the question, and a missing one is absent.
    #[test]
    fn what_is_no_mailbox_says_so() {
        let root = tempfile::tempdir().unwrap();
        let mut mailbox = Mailbox::new(root.path());
        assert_eq!(mailbox.throttled(), Err(Fault::Absent));
        std::fs::create_dir(root.path().join("dev")).unwrap();
        std::fs::write(root.path().join("dev/vcio"), "").unwrap();
        let refused = Fault::Errno(Errno(libc::ENOTTY));
        assert_eq!(mailbox.throttled(), Err(refused));
    }
}
