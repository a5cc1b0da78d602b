//! Reads an answer of HTTP/1.1, piece by piece as it comes.
//!
//! ```text
//! head ─► (interim: head again) ─► body: so many bytes, in chunks, or up to the end ─► whole
//! ```
//!
//! Keeps no more than [`HEAD_MAX`] of a head and [`BODY_MAX`] of a body that nobody has taken yet;
//! whoever sends more sends nonsense.

/// Most of a head that is read. An engine sends some 300 bytes.
const HEAD_MAX: usize = 16 << 10;

/// Most headers of one.
const HEADERS_MAX: usize = 64;

/// Most of a body that is kept. What is known of a container takes some 10 KiB, and with the latest
/// outputs of its HEALTHCHECK 30.
const BODY_MAX: usize = 1 << 20;

/// Digits and extensions of one chunk.
const CHUNK_HEAD_MAX: usize = 256;

/// Why an answer cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bad {
    /// It is none, or one without an end.
    Nonsense,
    /// It ended before it was whole.
    Cut,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Head,
    /// So many bytes of the body.
    Bytes(usize),
    /// All of it, up to the end of the connection.
    Rest,
    /// The size of a chunk.
    Chunk,
    /// So many bytes of a chunk.
    InChunk(usize),
    /// The end of the line behind a chunk.
    AfterChunk,
    /// Nothing that counts.
    Over,
}

/// An answer, as far as it has come.
#[derive(Debug)]
pub(super) struct Answer {
    /// What has not been understood yet.
    raw: Vec<u8>,
    part: Part,
    status: Option<u16>,
    body: Vec<u8>,
}

impl Answer {
    /// Nothing has come yet.
    pub fn new() -> Answer {
        Answer {
            raw: Vec::new(),
            part: Part::Head,
            status: None,
            body: Vec::new(),
        }
    }

    /// Its status, once that is known.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// It has all come.
    pub fn is_whole(&self) -> bool {
        self.part == Part::Over
    }

    /// What has come of its body and was not taken.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes the first line of the body, if all of it is there.
    pub fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.body.iter().position(|byte| *byte == b'\n')?;
        let rest = self.body.split_off(end + 1);
        Some(std::mem::replace(&mut self.body, rest))
    }

    /// Takes in what has come.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        self.raw.extend_from_slice(bytes);
        while self.go_on()? {}
        match self.body.len() <= BODY_MAX {
            true => Ok(()),
            false => Err(Bad::Nonsense),
        }
    }

    /// No more will come.
    pub fn end(&mut self) -> Result<(), Bad> {
        match self.part {
            Part::Rest | Part::Over => {
                self.part = Part::Over;
                Ok(())
            }
            _ => Err(Bad::Cut),
        }
    }

    /// Understands one part more. False if that takes more than has come.
    fn go_on(&mut self) -> Result<bool, Bad> {
        match self.part {
            Part::Head => self.head(),
            Part::Bytes(left) => {
                let left = left - self.take(left);
                let part = match left {
                    0 => Part::Over,
                    left => Part::Bytes(left),
                };
                Ok(self.turn_to(part))
            }
            Part::Rest => {
                self.take(usize::MAX);
                Ok(false)
            }
            Part::Chunk => self.chunk(),
            Part::InChunk(left) => {
                let left = left - self.take(left);
                let part = match left {
                    0 => Part::AfterChunk,
                    left => Part::InChunk(left),
                };
                Ok(self.turn_to(part))
            }
            Part::AfterChunk if self.raw.len() < 2 => Ok(false),
            Part::AfterChunk if self.raw.starts_with(b"\r\n") => {
                self.raw.drain(..2);
                Ok(self.turn_to(Part::Chunk))
            }
            Part::AfterChunk => Err(Bad::Nonsense),
            Part::Over => {
                self.raw.clear();
                Ok(false)
            }
        }
    }

    /// Whether that is another part than before.
    fn turn_to(&mut self, part: Part) -> bool {
        let other = self.part != part;
        self.part = part;
        other && !self.raw.is_empty()
    }

    /// Takes up to so many bytes of the body; returns how many.
    fn take(&mut self, most: usize) -> usize {
        let count = most.min(self.raw.len());
        self.body.extend(self.raw.drain(..count));
        count
    }

    fn head(&mut self) -> Result<bool, Bad> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&self.raw) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.raw.len() <= HEAD_MAX => return Ok(false),
            Ok(httparse::Status::Partial) | Err(_) => return Err(Bad::Nonsense),
        };
        let status = head.code.ok_or(Bad::Nonsense)?;
        let part = match status {
            // What it changes to is none of ours.
            101 => return Err(Bad::Nonsense),
            100..=199 => Part::Head,
            204 | 304 => Part::Over,
            _ => body(head.headers)?,
        };
        self.raw.drain(..length);
        if part == Part::Head {
            return Ok(!self.raw.is_empty());
        }
        self.status = Some(status);
        self.turn_to(part);
        Ok(part != Part::Over)
    }

    fn chunk(&mut self) -> Result<bool, Bad> {
        match httparse::parse_chunk_size(&self.raw) {
            Ok(httparse::Status::Complete((length, size))) => {
                self.raw.drain(..length);
                let size = usize::try_from(size).map_err(|_| Bad::Nonsense)?;
                Ok(match size {
                    // What may follow says nothing of the body.
                    0 => self.turn_to(Part::Over),
                    size => self.turn_to(Part::InChunk(size)),
                })
            }
            Ok(httparse::Status::Partial) if self.raw.len() <= CHUNK_HEAD_MAX => Ok(false),
            Ok(httparse::Status::Partial) | Err(_) => Err(Bad::Nonsense),
        }
    }
}

/// How long the body is.
fn body(headers: &[httparse::Header<'_>]) -> Result<Part, Bad> {
    let text = |name: &str| {
        let mut named = headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        let value = named.next()?.value;
        Some(std::str::from_utf8(value).unwrap_or_default().trim())
    };
    if let Some(coding) = text("transfer-encoding") {
        return match coding.eq_ignore_ascii_case("chunked") {
            true => Ok(Part::Chunk),
            false => Err(Bad::Nonsense),
        };
    }
    match text("content-length").map(str::parse::<usize>) {
        None => Ok(Part::Rest),
        Some(Ok(0)) => Ok(Part::Over),
        Some(Ok(length)) if length <= BODY_MAX => Ok(Part::Bytes(length)),
        Some(Ok(_) | Err(_)) => Err(Bad::Nonsense),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX: y\r\n\r\n";
    const REST: &str = "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello";
    const INTERIM: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\
        \r\nhello";

    /// However it is cut, it says the same.
    #[test]
    fn answers_come_in_pieces() {
        for (text, status) in [(LENGTH, 200), (CHUNKS, 200), (REST, 200), (INTERIM, 404)] {
            for size in 1..=text.len() {
                let mut answer = Answer::new();
                for piece in text.as_bytes().chunks(size) {
                    answer.hear(piece).unwrap();
                }
                assert_eq!(answer.is_whole(), text != REST, "{size} of {text}");
                answer.end().unwrap();
                assert!(answer.is_whole());
                assert_eq!(answer.status(), Some(status));
                assert_eq!(answer.body(), b"hello", "{size} of {text}");
            }
        }
    }

    #[test]
    fn answers_without_a_body() {
        for head in [
            "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ] {
            let mut answer = Answer::new();
            answer.hear(head.as_bytes()).unwrap();
            assert!(answer.is_whole(), "{head}");
            assert!(answer.body().is_empty());
        }
    }

    #[test]
    fn what_is_cut_is_no_answer() {
        for text in [LENGTH, CHUNKS] {
            for end in 0..text.len() - 18 {
                let mut answer = Answer::new();
                answer.hear(&text.as_bytes()[..end]).unwrap();
                assert_eq!(answer.end(), Err(Bad::Cut), "{end} of {text}");
            }
        }
    }

    /// Nonsense, and answers without an end, cost no more than a little memory.
    #[test]
    fn nonsense_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_MAX));
        let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for text in [
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            &long,
            &format!("{chunk}zz\r\n"),
            &format!("{chunk}2\r\nabcd\r\n"),
            &format!("{chunk}1;{}", "x".repeat(CHUNK_HEAD_MAX)),
        ] {
            let mut answer = Answer::new();
            assert_eq!(answer.hear(text.as_bytes()), Err(Bad::Nonsense), "{text}");
        }
        let mut answer = Answer::new();
        answer.hear(REST.as_bytes()).unwrap();
        let piece = vec![b'x'; BODY_MAX / 2];
        answer.hear(&piece).unwrap();
        assert_eq!(answer.hear(&piece), Err(Bad::Nonsense));
    }

    /// A stream of lines without an end is read line by line.
    #[test]
    fn lines_are_taken() {
        let mut answer = Answer::new();
        answer
            .hear(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for _ in 0..100_000 {
            answer
                .hear(b"8\r\none\ntwo\n\r\n4\r\nthre\r\n2\r\ne\n\r\n")
                .unwrap();
            for line in ["one\n", "two\n", "three\n"] {
                assert_eq!(answer.take_line().as_deref(), Some(line.as_bytes()));
            }
            assert_eq!(answer.take_line(), None);
        }
        assert!(!answer.is_whole());
    }
}
