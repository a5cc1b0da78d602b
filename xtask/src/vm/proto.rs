//! What the host and the agent in the guest say to each other over the virtio-serial port.
//!
//! One JSON document per line in both directions. Terms: a *session* is one life of the agent
//! (its boot id and pid); a request names the session it was meant for, so that a request still
//! lying in the port when the guest was reset is not carried out by the next boot. Half a line
//! left over by a reset does not parse and is dropped. This module moves no bytes itself.

use serde::{Deserialize, Serialize};

/// Name of the virtio-serial port, as QEMU's `name=` and the guest's sysfs show it.
pub const PORT: &str = "fieldwarden.lab";

/// Bytes of a file moved per request: large enough that a 2 MB binary takes few round trips,
/// small enough that one line (twice this, in hex) is no burden for either side.
pub const CHUNK: usize = 128 * 1024;

/// One order from the host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Session the order is meant for; ignored for [`Op::Hello`].
    pub session: String,
    /// Chosen by the host, repeated in the answer.
    pub id: u64,
    /// What to do.
    pub op: Op,
}

/// The orders there are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Introduce yourself.
    Hello,
    /// Run a script with `/bin/sh -c` in a process group of its own.
    Run {
        /// The script.
        script: String,
        /// After this many milliseconds the process group is killed.
        timeout_ms: u64,
    },
    /// Write bytes at an offset of `path`'s temporary neighbour.
    Write {
        /// Final path of the file; missing directories are created.
        path: String,
        /// Where in the file the bytes go; 0 truncates.
        offset: u64,
        /// The bytes.
        data: Bytes,
        /// Set on the last piece: give the file this mode and its final name.
        finish: Option<u32>,
    },
    /// Read up to [`CHUNK`] bytes of a file.
    Read {
        /// The file.
        path: String,
        /// Where to start.
        offset: u64,
    },
    /// Set the guest's wall clock (after a resume it stands at the moment of the snapshot).
    SetClock {
        /// Milliseconds since 1970-01-01 00:00 UTC.
        unix_ms: u64,
    },
}

/// One line from the agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Sent when the agent starts and when asked.
    Hello {
        /// This life of the agent.
        session: String,
        /// The kernel's boot id: a new one after every reset or reboot.
        boot: String,
    },
    /// Answer to the request with this id.
    Done {
        /// The request's id.
        id: u64,
        /// What came of it.
        reply: Reply,
    },
}

/// Outcome of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// A script ended.
    Ran {
        /// Exit code; 128 + signal number when a signal ended it, as a shell shows it.
        code: i32,
        /// True when it was killed because its time was over.
        late: bool,
        /// Standard output.
        stdout: Bytes,
        /// Standard error.
        stderr: Bytes,
    },
    /// Bytes of a file; fewer than [`CHUNK`] only at its end.
    Data {
        /// The bytes.
        data: Bytes,
    },
    /// Done, nothing to tell.
    Ok,
    /// Not done.
    Failed {
        /// Why.
        why: String,
    },
}

/// Bytes that travel as lower-case hex, because a JSON string cannot hold them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Bytes(pub Vec<u8>);

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(bytes.0.len() * 2);
        for byte in bytes.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }
}

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |c: u8| match c {
            b'0'..=b'9' => Ok(c - b'0'),
            b'a'..=b'f' => Ok(c - b'a' + 10),
            other => Err(format!("not a hex digit: {other:#x}")),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return Err(format!("odd number of hex digits: {}", text.len()));
        }
        let bytes: Result<Vec<u8>, String> = pairs
            .iter()
            .map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?))
            .collect();
        bytes.map(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte value survives the trip through hex; damaged text is refused.
    #[test]
    fn bytes_survive_hex() {
        let all = Bytes((0..=255).collect());
        let text = String::from(all.clone());
        assert_eq!(Bytes::try_from(text), Ok(all));
        assert!(Bytes::try_from("0".to_owned()).is_err());
        assert!(Bytes::try_from("0g".to_owned()).is_err());
    }

    /// A request cut in half, as a reset leaves it, does not parse.
    #[test]
    fn half_a_request_does_not_parse() {
        let op = Op::Run {
            script: "true".into(),
            timeout_ms: 1,
        };
        let request = Request {
            session: "s".into(),
            id: 1,
            op,
        };
        let line = serde_json::to_string(&request).unwrap();
        for cut in 1..line.len() {
            assert!(
                serde_json::from_str::<Request>(&line[cut..]).is_err(),
                "cut at {cut}"
            );
        }
    }
}
