//! What is a request for a page, and what is none.

use super::*;
use proptest::prelude::*;
use std::fs;

fn told(text: &str, trust: Trust) -> String {
    tell(text.as_bytes(), trust, None)
}

fn tell(bytes: &[u8], trust: Trust, token: Option<&Token>) -> String {
    match judge(bytes, trust, token) {
        Judged::More => "more".to_owned(),
        Judged::Asks { wanted, bare } => {
            let Wanted { page, verbose, .. } = wanted;
            let bare = if bare { " bare" } else { "" };
            let verbose = if verbose { " verbose" } else { "" };
            format!("{page:?}{verbose}{bare}")
        }
        Judged::Refused { refusal, bare } => {
            format!("{}{}", refusal.code, if bare { " bare" } else { "" })
        }
    }
}

/// One line of a request, and headers that do no harm.
fn line(line: &str) -> String {
    told(
        &format!("{line}\r\nHost: localhost\r\nX-A: b\r\n\r\n"),
        Trust::Local,
    )
}

/// A request with these headers.
fn headers(headers: &str) -> String {
    told(
        &format!("GET /livez HTTP/1.1\r\n{headers}\r\n"),
        Trust::Local,
    )
}

#[test]
fn pages_are_asked_for_by_their_paths() {
    assert_eq!(line("GET /livez HTTP/1.1"), "Livez");
    assert_eq!(line("GET /readyz HTTP/1.0"), "Readyz");
    assert_eq!(line("HEAD /status.json HTTP/1.1"), "Status bare");
    assert_eq!(line("GET /healthz?verbose HTTP/1.1"), "Healthz verbose");
    assert_eq!(
        line("GET /healthz?a=b&verbose=1 HTTP/1.1"),
        "Healthz verbose"
    );
    assert_eq!(line("GET /healthz?exclude=x HTTP/1.1"), "Healthz");
    for path in [
        "/",
        "/livez/",
        "//livez",
        "/LIVEZ",
        "/%6civez",
        "/../livez",
        "/livez#a",
    ] {
        assert_eq!(line(&format!("GET {path} HTTP/1.1")), "404", "{path}");
    }
}

/// Nothing but reading, and nothing through us.
#[test]
fn other_methods_and_forms_are_refused() {
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "BREW",
    ] {
        assert_eq!(
            line(&format!("{method} /livez HTTP/1.1")),
            "405",
            "{method}"
        );
    }
    assert_eq!(line("CONNECT localhost:22 HTTP/1.1"), "405");
    for target in [
        "http://localhost/livez",
        "https://localhost/livez",
        "*",
        "livez",
    ] {
        assert_eq!(line(&format!("GET {target} HTTP/1.1")), "400", "{target}");
    }
    for other in [
        "GET /livez",
        "GET /livez HTTP/0.9",
        "GET /livez HTTP/2",
        "GET /livez HTTP/1.2",
        "GET  /livez HTTP/1.1",
        "GET /livez  HTTP/1.1",
        "GET /li vez HTTP/1.1",
        "G\u{0}T /livez HTTP/1.1",
        " GET /livez HTTP/1.1",
    ] {
        assert_eq!(line(other), "400", "{other}");
    }
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_eq!(told(preface, Trust::Anybody), "400");
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert_eq!(tell(hello, Trust::Anybody, None), "400");
}

/// What could be a second request behind the first is refused with it.
#[test]
fn bodies_are_refused() {
    let host = "Host: localhost\r\n";
    assert_eq!(headers(&format!("{host}Content-Length: 0\r\n")), "Livez");
    for smuggled in [
        "Content-Length: 1\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: 0, 5\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "content-length: 18446744073709551616\r\n",
        "Content-Length:\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "transfer-encoding: xchunked\r\nContent-Length: 0\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\u{b}: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: a\r\n Transfer-Encoding: chunked\r\n",
        "X: a\rTransfer-Encoding: chunked\r\n",
        "X: a\u{0}\r\n",
    ] {
        assert_eq!(headers(&format!("{host}{smuggled}")), "400", "{smuggled:?}");
    }
}

/// A page of the web that leads a browser here under a name of its own is not told anything.
#[test]
fn only_names_of_this_machine_are_ours() {
    for host in [
        "localhost",
        "LOCALHOST:17171",
        "127.0.0.1",
        "127.0.0.1:17171",
        "[::1]",
        "[::1]:17171",
        "192.0.2.7:80",
    ] {
        assert_eq!(headers(&format!("Host: {host}\r\n")), "Livez", "{host}");
    }
    for host in [
        "example.org",
        "example.org:17171",
        "localhost.example.org",
        "127.0.0.1.example.org",
        "example.org:80:80",
        "localhost:80x",
        "::1",
        "[::1",
        "[example.org]",
        "",
        "localhost, example.org",
        "\u{e9}",
    ] {
        assert_eq!(headers(&format!("Host: {host}\r\n")), "421", "{host}");
    }
    assert_eq!(headers(""), "400");
    assert_eq!(headers("Host: localhost\r\nHost: localhost\r\n"), "400");
    assert_eq!(told("GET /livez HTTP/1.0\r\n\r\n", Trust::Local), "Livez");
    // No browser gets through a Unix socket, and none has the token.
    let named = "GET /livez HTTP/1.1\r\nHost: example.org\r\n\r\n";
    assert_eq!(told(named, Trust::Anybody), "Livez");
}

/// Over the network, only who has the token is told anything, even what there is.
#[test]
fn strangers_show_the_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, "0123456789abcdef\n").unwrap();
    let token = Token::read(file.path()).ok().unwrap();
    let asked = |path: &str, shown: &str| {
        let text = format!("GET {path} HTTP/1.1\r\nHost: pi.example.org\r\n{shown}\r\n");
        tell(text.as_bytes(), Trust::Holders, Some(&token))
    };
    let right = "Authorization: Bearer 0123456789abcdef\r\n";
    assert_eq!(asked("/livez", right), "Livez");
    let small = "authorization: bearer 0123456789abcdef\r\n";
    assert_eq!(asked("/livez", small), "Livez");
    assert_eq!(asked("/nothing", right), "404");
    for shown in [
        "",
        "Authorization: Bearer 0123456789abcdee\r\n",
        "Authorization: Bearer 0123456789abcdef0\r\n",
        "Authorization: Bearer  0123456789abcdef\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Basic 0123456789abcdef\r\n",
        "Authorization: 0123456789abcdef\r\n",
        "X-Authorization: Bearer 0123456789abcdef\r\n",
        "Authorization: Bearer 0123456789abcdef\r\nAuthorization: Bearer 0123456789abcdef\r\n",
    ] {
        assert_eq!(asked("/livez", shown), "401", "{shown:?}");
        assert_eq!(asked("/nothing", shown), "401", "{shown:?}");
    }
    let text = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{right}\r\n");
    assert_eq!(tell(text.as_bytes(), Trust::Holders, None), "401");
}

/// As long as more may come that makes it one, it is waited for; what is too long is not.
#[test]
fn heads_are_bounded() {
    let whole = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for end in 0..whole.len() {
        assert_eq!(told(&whole[..end], Trust::Local), "more", "{end}");
    }
    assert_eq!(
        told(&format!("{whole}GET /readyz HTTP/1.1\r\n"), Trust::Local),
        "Livez"
    );
    let long = format!("GET /livez HTTP/1.1\r\nX: {}", "x".repeat(HEAD_MAX));
    assert_eq!(told(&long[..HEAD_MAX - 1], Trust::Local), "more");
    assert_eq!(told(&long[..HEAD_MAX], Trust::Local), "431");
    let endless = "x".repeat(HEAD_MAX);
    assert_eq!(told(&endless, Trust::Local), "431");
    let many = "X: y\r\n".repeat(HEADERS_MAX + 1);
    assert_eq!(headers(&many), "431");
}

proptest! {
    /// Whatever comes, there is an answer, and nothing of it is quoted.
    #[test]
    fn nothing_that_is_sent_panics_or_comes_back(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        begin in 0usize..3,
    ) {
        let begin = [&b""[..], b"GET /", b"GET /livez HTTP/1.1\r\nHost: "][begin];
        bytes.splice(0..0, begin.iter().copied());
        for trust in [Trust::Anybody, Trust::Local, Trust::Holders] {
            if let Judged::Refused { refusal, .. } = judge(&bytes, trust, None) {
                let known = [400, 401, 404, 405, 421, 431];
                prop_assert!(known.contains(&refusal.code));
                prop_assert!(refusal.text.is_ascii());
            }
        }
    }
}
