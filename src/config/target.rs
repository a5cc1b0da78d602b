//! Reads where a probe connects to.
//!
//! Names are not looked up: that may take long, and depends on the network. Only `localhost` is known.

use super::problem::quote;
use super::report::Report;
use super::schema::Kind;
use super::value::{self, Node};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Longest path of a Unix socket: `sun_path` of the kernel without the NUL.
pub(super) const UNIX_MAX: usize = 107;

/// Longest path of a URL.
const PATH_MAX: usize = 1024;

/// Where a probe connects to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// An address and a port.
    Inet(SocketAddr),
    /// The path of a Unix socket; absolute.
    Unix(PathBuf),
}

impl Target {
    /// It lies on this machine, whatever becomes of its network.
    pub fn is_here(&self) -> bool {
        match self {
            Target::Inet(address) => address.ip().is_loopback(),
            Target::Unix(_) => true,
        }
    }
}

/// What is asked by HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    /// Whom.
    pub target: Target,
    /// What to call it, for the header `Host`.
    pub host: String,
    /// Path and query, from the first `/` on.
    pub path: String,
}

/// Reads the value of `tcp`.
pub(super) fn tcp(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Target> {
    let text = value::string(report, path, node, &kind)?;
    let found = match text.strip_prefix("unix:") {
        Some(socket) => unix(socket),
        None => inet(text, None),
    };
    told(report, path, node, found)
}

/// Reads the value of `http`.
pub(super) fn http(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: Kind,
) -> Option<Url> {
    let text = value::string(report, path, node, &kind)?;
    told(report, path, node, url(text))
}

/// Reports what is wrong: what it is, and what to write.
fn told<T>(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    found: Result<T, (String, &str)>,
) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err((what, help)) => {
            report.error(node.span(), format!("`{path}`: {what}"), help.to_owned());
            None
        }
    }
}

const WRITE_URL: &str =
    "write \"http://127.0.0.1:80/alive\" or \"http://unix:/run/web.sock:/alive\"";
const WRITE_ADDRESS: &str = "write \"127.0.0.1:80\", \"[::1]:80\" or \"unix:/run/web.sock\"";

fn url(text: &str) -> Result<Url, (String, &'static str)> {
    if text.starts_with("https:") {
        let what = "HTTPS is not spoken by probes".to_owned();
        let help = "ask the service over plain HTTP on this machine, or use exec with a program \
                    that can, such as curl";
        return Err((what, help));
    }
    let Some(rest) = text.strip_prefix("http://") else {
        return Err((format!("{} is no URL of HTTP", quote(text)), WRITE_URL));
    };
    let bad = |c: char| c.is_ascii_control() || c == ' ' || !c.is_ascii();
    if rest.contains(bad) {
        let what = "a URL has no blanks, control characters or letters beyond ASCII".to_owned();
        return Err((what, "write them as %20 and the like"));
    }
    if let Some(rest) = rest.strip_prefix("unix:") {
        let (socket, path) = rest.split_once(':').unwrap_or((rest, "/"));
        let (target, path) = (unix(socket)?, self::path(path)?);
        let host = "localhost".to_owned();
        return Ok(Url { target, host, path });
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if host.contains('@') {
        let what = "a URL with a user cannot be asked for".to_owned();
        return Err((
            what,
            "probes have no passwords: use exec with a program that has",
        ));
    }
    Ok(Url {
        target: inet(host, Some(80))?,
        host: host.to_owned(),
        path: self::path(path)?,
    })
}

fn path(path: &str) -> Result<String, (String, &'static str)> {
    // What stands behind # is for whoever shows the page.
    let path = path.split('#').next().unwrap_or_default();
    if path.len() > PATH_MAX {
        let what = format!("its path has {} bytes, and may have {PATH_MAX}", path.len());
        return Err((what, "ask for something shorter"));
    }
    match path.starts_with('/') {
        true => Ok(path.to_owned()),
        false => Ok(format!("/{path}")),
    }
}

fn unix(path: &str) -> Result<Target, (String, &'static str)> {
    if !path.starts_with('/') {
        let what = format!("{} is no absolute path of a socket", quote(path));
        return Err((what, "start it with /, as in \"unix:/run/web.sock\""));
    }
    if path.len() > UNIX_MAX {
        let what = format!("the path of the socket has {} bytes", path.len());
        return Err((what, "the kernel takes at most 107 bytes"));
    }
    Ok(Target::Unix(PathBuf::from(path)))
}

/// An address with its port, or with this one if none is given.
fn inet(text: &str, port: Option<u16>) -> Result<Target, (String, &'static str)> {
    let help = if port.is_some() {
        WRITE_URL
    } else {
        WRITE_ADDRESS
    };
    let (host, number) = match text.rsplit_once(':') {
        Some((host, number)) if !number.ends_with(']') => (host, Some(number)),
        Some(_) | None => (text, None),
    };
    let number = match (number, port) {
        (Some(number), _) => number.parse().ok().filter(|port| *port > 0),
        (None, port) => port,
    };
    let Some(number) = number else {
        return Err((format!("{} has no port from 1 to 65535", quote(text)), help));
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let ip = match (host, bracketed) {
        ("localhost", _) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        (_, Some(inner)) => inner.parse().ok().map(IpAddr::V6),
        (host, None) => host.parse().ok().map(IpAddr::V4),
    };
    let Some(ip) = ip else {
        let what = format!("{} is neither an address nor localhost", quote(host));
        return Err((
            what,
            "names are not looked up: write the address, one of IPv6 in [ ]",
        ));
    };
    if ip.is_unspecified() {
        let what = format!("nobody can be asked at {ip}");
        return Err((
            what,
            "a service that listens there is found at 127.0.0.1 or [::1]",
        ));
    }
    Ok(Target::Inet(SocketAddr::new(ip, number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<String, String> {
        match inet(text, None) {
            Ok(Target::Inet(address)) => Ok(address.to_string()),
            Ok(Target::Unix(path)) => Err(format!("{path:?}")),
            Err((what, _)) => Err(what),
        }
    }

    /// Addresses are taken as they are written; names, and what nobody can be asked at, are not.
    #[test]
    fn addresses_are_literal() {
        assert_eq!(address("localhost:80").as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(address("127.3.2.1:1").as_deref(), Ok("127.3.2.1:1"));
        assert_eq!(address("[::1]:65535").as_deref(), Ok("[::1]:65535"));
        for wrong in [
            "",
            ":80",
            "80",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "::1:80",
            "[::1]",
            "[127.0.0.1]:80",
            "db:80",
            "0.0.0.0:80",
            "[::]:80",
            "127.1:80",
            "1.2.3.4:-1",
        ] {
            assert!(address(wrong).is_err(), "{wrong}: {:?}", address(wrong));
        }
        let Ok(Target::Inet(far)) = inet("192.0.2.1:80", None) else {
            panic!("an address of another machine is one");
        };
        assert!(!Target::Inet(far).is_here());
    }

    /// The parts of a URL, with and without a port, path, query and socket.
    #[test]
    fn urls_have_their_parts() {
        let parts = |text| url(text).map(|url| (format!("{:?}", url.target), url.host, url.path));
        let found = parts("http://localhost").unwrap();
        assert_eq!(found.0, "Inet(127.0.0.1:80)");
        assert_eq!((&*found.1, &*found.2), ("localhost", "/"));
        let found = parts("http://[::1]:8080/a?b=c#d").unwrap();
        assert_eq!(found.0, "Inet([::1]:8080)");
        assert_eq!((&*found.1, &*found.2), ("[::1]:8080", "/a?b=c"));
        assert_eq!(parts("http://127.0.0.1?x").unwrap().2, "/?x");
        let found = parts("http://unix:/run/a.sock:/b").unwrap();
        assert_eq!(found.0, "Unix(\"/run/a.sock\")");
        assert_eq!((&*found.1, &*found.2), ("localhost", "/b"));
        assert_eq!(parts("http://unix:/run/a.sock").unwrap().2, "/");
        let long = format!("http://localhost/{}", "x".repeat(PATH_MAX));
        let deep = format!("http://unix:/{}", "x".repeat(UNIX_MAX));
        for wrong in [
            "",
            "http:",
            "http://",
            "https://localhost",
            "ftp://localhost",
            "localhost/x",
            "http://me@localhost/",
            "http://localhost/a b",
            "http://localhost/\r\nX: y",
            "http://unix:run/a.sock",
            "http://db/",
            "http://localhost:x/",
            &long,
            &deep,
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
