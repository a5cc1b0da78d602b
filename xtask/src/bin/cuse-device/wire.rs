//! The kernel's side of a CUSE device: its requests as they come out of `/dev/cuse`, and the
//! answers as they go back in.
//!
//! Layouts are those of the kernel's `linux/fuse.h`, protocol 7.31, in the machine's byte order.
//! Terms: an *area* is a piece of the calling program's memory; an ioctl whose driver needs areas
//! it was not given is answered with their list, and comes again with their contents.

use nix::errno::Errno;

/// Version of the protocol spoken.
const MAJOR: u32 = 7;
const MINOR: u32 = 31;

/// The driver, not the ioctl's number, says which memory an ioctl reads and writes.
const UNRESTRICTED_IOCTL: u32 = 1;

/// Asks for the ioctl again, with the listed areas.
const RETRY: u32 = 4;

/// Most bytes in one read or write of the device: more than any caller of these devices needs.
const MOST: u32 = 64 * 1024;

/// Room for one request: the data, and the page that the kernel wants for the headers.
pub const ROOM: usize = MOST as usize + 8192;

/// Length of the headers before a request's own part and before an answer.
const REQUEST_HEADER: usize = 40;
const ANSWER_HEADER: u32 = 16;

/// A piece of the calling program's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Address there.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

/// One request of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Number that the answer repeats.
    pub number: u64,
    /// What is wanted.
    pub call: Call,
}

/// What a program does with the device. `handle` is what the driver gave at `Open`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// The kernel offers to make the device.
    Init,
    /// A program opens it.
    Open,
    /// The last copy of an open file is closed.
    Release { handle: u64 },
    /// read(2) of so many bytes.
    Read { handle: u64, size: usize },
    /// write(2) of these bytes.
    Write { handle: u64, data: Vec<u8> },
    /// ioctl(2).
    Ioctl(Ioctl),
    /// The calling program got a signal; what it waits for is answered in its own time.
    Interrupt,
    /// Something these devices do not have.
    Other,
}

/// An ioctl, with the contents of the areas asked for so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ioctl {
    /// The open file.
    pub handle: u64,
    /// The ioctl's number.
    pub command: u32,
    /// Its argument as passed: a number or an address.
    pub argument: u64,
    /// Contents of the areas that are read, one behind the other.
    pub input: Vec<u8>,
    /// Bytes that the areas to be written can take together.
    pub room: u64,
}

/// What a driver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Opened; later calls carry this number.
    Opened(u64),
    /// Done, nothing to tell.
    Done,
    /// Bytes read.
    Data(Vec<u8>),
    /// Number of bytes written.
    Written(u32),
    /// Result of an ioctl, and what goes into its areas.
    Result(i32, Vec<u8>),
    /// The ioctl needs these areas: first those to read, then those to write.
    Needs(Vec<Area>, Vec<Area>),
    /// Failed.
    Failed(Errno),
    /// No answer now; ask again when something has changed.
    Later,
}

impl Ioctl {
    /// Asks for areas unless their contents and room are there already.
    pub fn lacks(&self, read: &[Area], written: &[Area]) -> Option<Answer> {
        let sum = |areas: &[Area]| areas.iter().map(|area| area.length).sum::<u64>();
        let there = self.input.len() as u64 >= sum(read) && self.room >= sum(written);
        (!there).then(|| Answer::Needs(read.to_vec(), written.to_vec()))
    }

    /// The area of this length at the ioctl's argument.
    pub fn area(&self, length: u64) -> Area {
        Area {
            start: self.argument,
            length,
        }
    }
}

/// Little views into a request; missing bytes are zero, as in a message of an older protocol.
pub fn number32(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    for (place, byte) in four.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
        *place = *byte;
    }
    u32::from_ne_bytes(four)
}

/// As [`number32`], for 64 bits.
pub fn number64(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    for (place, byte) in eight.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
        *place = *byte;
    }
    u64::from_ne_bytes(eight)
}

impl Request {
    /// Reads one request of the kernel.
    pub fn parse(bytes: &[u8]) -> Request {
        let body = bytes.get(REQUEST_HEADER..).unwrap_or_default();
        let handle = number64(body, 0);
        let call = match number32(bytes, 4) {
            4096 => Call::Init,
            14 => Call::Open,
            15 => Call::Read {
                handle,
                size: number32(body, 16) as usize,
            },
            16 => Call::Write {
                handle,
                data: body.get(40..).unwrap_or_default().to_vec(),
            },
            18 => Call::Release { handle },
            36 => Call::Interrupt,
            39 => Call::Ioctl(Ioctl {
                handle,
                command: number32(body, 12),
                argument: number64(body, 16),
                input: body.get(32..).unwrap_or_default().to_vec(),
                room: u64::from(number32(body, 28)),
            }),
            _ => Call::Other,
        };
        Request {
            number: number64(bytes, 8),
            call,
        }
    }
}

/// The answer to `Init` that makes the device `/dev/NAME`.
pub fn make_device(number: u64, name: &str) -> Vec<u8> {
    let fields = [MAJOR, MINOR, 0, UNRESTRICTED_IOCTL, MOST, MOST, 0, 0];
    let mut body: Vec<u8> = fields
        .iter()
        .flat_map(|field| field.to_ne_bytes())
        .collect();
    body.resize(72, 0); // reserved fields
    body.extend_from_slice(format!("DEVNAME={name}\0").as_bytes());
    message(number, 0, &body)
}

/// The bytes of an answer; none for [`Answer::Later`].
pub fn answer(number: u64, answer: &Answer) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    let mut put = |fields: &[u32]| body.extend(fields.iter().flat_map(|f| f.to_ne_bytes()));
    match answer {
        Answer::Opened(handle) => {
            body.extend(handle.to_ne_bytes());
            body.extend([0; 8]);
        }
        Answer::Done => {}
        Answer::Data(data) => body.extend(data),
        Answer::Written(length) => put(&[*length, 0]),
        Answer::Result(result, data) => {
            put(&[result.cast_unsigned(), 0, 0, 0]);
            body.extend(data);
        }
        Answer::Needs(read, written) => {
            put(&[0, RETRY, read.len() as u32, written.len() as u32]);
            for area in read.iter().chain(written) {
                body.extend(area.start.to_ne_bytes());
                body.extend(area.length.to_ne_bytes());
            }
        }
        Answer::Failed(error) => return Some(message(number, -(*error as i32), &[])),
        Answer::Later => return None,
    }
    Some(message(number, 0, &body))
}

fn message(number: u64, error: i32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + ANSWER_HEADER as usize);
    bytes.extend((ANSWER_HEADER + body.len() as u32).to_ne_bytes());
    bytes.extend(error.to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ioctl is asked for its areas until it has them.
    #[test]
    fn ioctl_asks_for_what_it_lacks() {
        let mut call = Ioctl {
            handle: 1,
            command: 2,
            argument: 64,
            input: Vec::new(),
            room: 0,
        };
        let area = call.area(4);
        assert_eq!(
            call.lacks(&[area], &[area]),
            Some(Answer::Needs(vec![area], vec![area]))
        );
        (call.input, call.room) = (vec![0; 4], 3);
        assert!(call.lacks(&[area], &[area]).is_some());
        call.room = 4;
        assert_eq!(call.lacks(&[area], &[area]), None);
    }

    /// A request laid out by hand is read as what it is; a cut one does not panic.
    #[test]
    fn write_request_by_hand() {
        let mut bytes = vec![0; REQUEST_HEADER + 40];
        bytes[4] = 16;
        bytes[8] = 9;
        bytes[REQUEST_HEADER] = 7;
        bytes.extend(b"pet");
        let call = Call::Write {
            handle: 7,
            data: b"pet".to_vec(),
        };
        assert_eq!(Request::parse(&bytes), Request { number: 9, call });
        for end in 0..bytes.len() {
            Request::parse(&bytes[..end]);
        }
    }

    /// Errors travel as negative numbers; what is put off is not answered.
    #[test]
    fn answers_by_hand() {
        let failed = answer(5, &Answer::Failed(Errno::EREMOTEIO)).unwrap();
        assert_eq!(number32(&failed, 0), 16);
        assert_eq!(number32(&failed, 4).cast_signed(), -121);
        assert_eq!(number64(&failed, 8), 5);
        assert_eq!(answer(5, &Answer::Later), None);
    }
}
