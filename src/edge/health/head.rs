//! Reads the head of a request, and says what is wrong with it.
//!
//! Whatever is not plainly a request for one of our pages is refused: there is no client that needs
//! leniency, and none of it can be turned against us then. Nothing that a client sends is quoted back.

use super::token::Token;
use super::{HEAD_MAX, Page, Wanted};
use httparse::{EMPTY_HEADER, Error, Header, Request, Status};
use std::net::IpAddr;

/// Most headers of a request. Browsers send less than twenty.
const HEADERS_MAX: usize = 32;

/// Whom a door is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    /// Whoever may open the socket's file.
    Anybody,
    /// Programs of this machine. A browser among them may be led here by a page from elsewhere, under
    /// a name of its own; so we go by names of this machine only.
    Local,
    /// Whoever has the token.
    Holders,
}

/// What came of reading.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Judged {
    /// It is not complete.
    More,
    /// It asks for this; if `bare`, without the text of it.
    Asks { wanted: Wanted, bare: bool },
    /// It will not be answered.
    Refused { refusal: Refusal, bare: bool },
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    /// The code of the answer.
    pub code: u16,
    /// Headers of it, each with its line end.
    pub headers: &'static str,
    /// For people, with what to do.
    pub text: String,
}

impl Refusal {
    pub fn new(code: u16, text: &str) -> Refusal {
        Refusal {
            code,
            headers: "",
            text: format!("{text}\n"),
        }
    }
}

/// Reads what has come of a request so far.
pub(super) fn judge(bytes: &[u8], trust: Trust, token: Option<&Token>) -> Judged {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let refused = |code, text| Judged::Refused {
        refusal: Refusal::new(code, text),
        bare: false,
    };
    match request.parse(bytes) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) if bytes.len() < HEAD_MAX => return Judged::More,
        Ok(Status::Partial) => return refused(431, "the head is longer than 4096 bytes"),
        Err(Error::TooManyHeaders) => return refused(431, "there are more than 32 headers"),
        Err(Error::Version) => return refused(400, "only HTTP/1.1 and HTTP/1.0 are spoken here"),
        Err(_) => return refused(400, "this is no request of HTTP/1.1"),
    }
    let bare = request.method == Some("HEAD");
    match answer(&request, trust, token) {
        Ok(wanted) => Judged::Asks { wanted, bare },
        Err(refusal) => Judged::Refused { refusal, bare },
    }
}

fn answer(request: &Request, trust: Trust, token: Option<&Token>) -> Result<Wanted, Refusal> {
    let headers = &*request.headers;
    without_body(headers)?;
    host(request, trust)?;
    holds(headers, trust, token)?;
    if !matches!(request.method, Some("GET" | "HEAD")) {
        return Err(Refusal {
            headers: "Allow: GET, HEAD\r\n",
            ..Refusal::new(405, "pages can only be read: use GET or HEAD")
        });
    }
    let target = request.path.unwrap_or_default();
    if !target.starts_with('/') {
        let text = "this is no proxy: ask for a path, such as /healthz";
        return Err(Refusal::new(400, text));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some((_, page)) = Page::ALL.iter().find(|(known, _)| *known == path) else {
        let known: Vec<&str> = Page::ALL.iter().map(|(path, _)| *path).collect();
        let text = format!("no such page; there are:\n{}", known.join("\n"));
        return Err(Refusal::new(404, &text));
    };
    let word = |part: &str| part.split('=').next() == Some("verbose");
    Ok(Wanted {
        page: *page,
        verbose: query.split('&').any(word),
        open_metrics: wants_open_metrics(headers),
    })
}

fn values<'h>(headers: &'h [Header<'h>], name: &str) -> impl Iterator<Item = &'h [u8]> {
    let named = move |h: &&Header| h.name.eq_ignore_ascii_case(name);
    headers.iter().filter(named).map(|h| h.value)
}

/// What has a body may hide another request in it.
fn without_body(headers: &[Header]) -> Result<(), Refusal> {
    let empty = values(headers, "Content-Length").all(|length| length == b"0");
    match empty && values(headers, "Transfer-Encoding").next().is_none() {
        true => Ok(()),
        false => Err(Refusal::new(400, "a request for a page has no body")),
    }
}

/// One host, and where it matters a name of this machine.
fn host(request: &Request, trust: Trust) -> Result<(), Refusal> {
    let mut hosts = values(request.headers, "Host");
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() || host.is_none() && request.version == Some(1) {
        return Err(Refusal::new(400, "a request names one host"));
    }
    match (trust, host) {
        (Trust::Local, Some(host)) if !is_here(host) => {
            let text = "ask by an address or as localhost: other names are not taken for ours";
            Err(Refusal::new(421, text))
        }
        (Trust::Local | Trust::Anybody | Trust::Holders, _) => Ok(()),
    }
}

/// `localhost` or an address, with or without a port. An address cannot be made to lead elsewhere.
fn is_here(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((inner, port)) => (inner, port.strip_prefix(':').unwrap_or(port)),
            None => return false,
        },
        None => host.split_once(':').unwrap_or((host, "")),
    };
    digits(port) && (name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok())
}

/// The token, where it is wanted.
fn holds(headers: &[Header], trust: Trust, token: Option<&Token>) -> Result<(), Refusal> {
    match trust {
        Trust::Anybody | Trust::Local => return Ok(()),
        Trust::Holders => {}
    }
    let mut shown = values(headers, "Authorization");
    let (first, more) = (shown.next(), shown.next());
    let bearer = first.and_then(|value| {
        let (scheme, rest) = value.split_at_checked(b"Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(rest)
    });
    match (bearer, token, more) {
        (Some(shown), Some(token), None) if token.is(shown) => Ok(()),
        _ => Err(Refusal {
            headers: "WWW-Authenticate: Bearer\r\n",
            ..Refusal::new(401, "send the token: Authorization: Bearer TOKEN")
        }),
    }
}

/// It takes OpenMetrics. Whoever says nothing gets the older form, which everything understands.
fn wants_open_metrics(headers: &[Header]) -> bool {
    let named = |value: &[u8]| {
        let mut kinds = value.split(|b| *b == b',');
        kinds.any(|kind| {
            kind.trim_ascii()
                .starts_with(b"application/openmetrics-text")
        })
    };
    values(headers, "Accept").any(named)
}

#[cfg(test)]
mod tests;
