//! What the child is told by its arguments, and what it tells by its lines.

use super::Dated;
use crate::config::UplinkPlan;
use crate::core::fact::{Errno, Fault, Uplink};
use crate::text::{found_named, found_word, step_named, step_word};
use crate::units::Wall;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

/// What is to be looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Errand {
    /// The way out; `None` if only files are.
    pub plan: Option<UplinkPlan>,
    /// Files, each with the number of what expires.
    pub files: Vec<(u16, Dated)>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The steps of the way out.
    Uplink(Uplink),
    /// The date in the file with this number.
    Dated(u16, Result<Wall, Fault>),
}

impl Errand {
    /// It as arguments: each a key and its value.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = Vec::new();
        let mut put = |key: &str, value: &OsStr| {
            let mut bytes = key.as_bytes().to_vec();
            bytes.push(b'=');
            bytes.extend_from_slice(value.as_bytes());
            all.push(OsString::from_vec(bytes));
        };
        if let Some(plan) = &self.plan {
            put("timeout", plan.timeout.as_millis().to_string().as_ref());
            for interface in &plan.interfaces {
                put("interface", interface.as_ref());
            }
            let texts = [("name", &plan.name), ("vpn", &plan.vpn)];
            for (key, text) in texts {
                text.iter().for_each(|text| put(key, text.as_ref()));
            }
            for (key, address) in [("peer", plan.peer), ("ssh", plan.ssh)] {
                let address = address.map(|address| address.to_string());
                address.iter().for_each(|text| put(key, text.as_ref()));
            }
        }
        for (number, dated) in &self.files {
            let (key, path) = match dated {
                Dated::Certificates(path) => ("certificate", path),
                Dated::Written(path) => ("file", path),
            };
            put(&format!("{key}:{number}"), path.as_os_str());
        }
        all
    }

    /// The errand that these arguments are; `None` if they are none.
    pub fn read(arguments: &[OsString]) -> Option<Errand> {
        let mut errand = Errand::default();
        for argument in arguments {
            let bytes = argument.as_bytes();
            let at = bytes.iter().position(|byte| *byte == b'=')?;
            let key = std::str::from_utf8(&bytes[..at]).ok()?;
            let value = OsStr::from_bytes(&bytes[at + 1..]);
            match key.split_once(':') {
                Some((kind, number)) => {
                    let (number, path) = (number.parse().ok()?, PathBuf::from(value));
                    let dated = match kind {
                        "certificate" => Dated::Certificates(path),
                        "file" => Dated::Written(path),
                        _ => return None,
                    };
                    errand.files.push((number, dated));
                }
                None => errand.take(key, value.to_str()?)?,
            }
        }
        Some(errand)
    }

    fn take(&mut self, key: &str, value: &str) -> Option<()> {
        let plan = self.plan.get_or_insert(UplinkPlan {
            every: Duration::ZERO,
            timeout: Duration::ZERO,
            interfaces: Vec::new(),
            name: None,
            vpn: None,
            peer: None,
            ssh: None,
        });
        match key {
            "timeout" => plan.timeout = Duration::from_millis(value.parse().ok()?),
            "interface" => plan.interfaces.push(value.to_owned()),
            "name" => plan.name = Some(value.to_owned()),
            "vpn" => plan.vpn = Some(value.to_owned()),
            "peer" => plan.peer = Some(value.parse().ok()?),
            "ssh" => plan.ssh = Some(value.parse().ok()?),
            _ => return None,
        }
        Some(())
    }
}

impl fmt::Display for Finding {
    /// As one line: `uplink link=well handshake=45`, `expiry 0 1798761600`, `expiry 1 absent`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Uplink(uplink) => {
                f.write_str("uplink")?;
                for (step, found) in uplink.found() {
                    write!(f, " {}={}", step_word(step), found_word(found))?;
                }
                if uplink.beyond {
                    f.write_str(" beyond=yes")?;
                }
                match uplink.handshake {
                    Some(age) => write!(f, " handshake={}", age.as_secs()),
                    None => Ok(()),
                }
            }
            Finding::Dated(number, Ok(wall)) => write!(f, "expiry {number} {}", wall.seconds()),
            Finding::Dated(number, Err(Fault::Errno(errno))) => {
                write!(f, "expiry {number} errno={}", errno.0)
            }
            Finding::Dated(number, Err(Fault::Absent)) => write!(f, "expiry {number} absent"),
            Finding::Dated(number, Err(_)) => write!(f, "expiry {number} implausible"),
        }
    }
}

impl Finding {
    /// What a line says; `None` if it says nothing that is known.
    pub fn read(line: &str) -> Option<Finding> {
        let mut words = line.split(' ');
        match words.next()? {
            "uplink" => {
                let mut uplink = Uplink::default();
                for word in words {
                    let (key, value) = word.split_once('=')?;
                    match (step_named(key), key) {
                        (Some(step), _) => uplink.put(step, found_named(value)?),
                        (None, "handshake") => {
                            uplink.handshake = Some(Duration::from_secs(value.parse().ok()?));
                        }
                        (None, "beyond") if value == "yes" => uplink.beyond = true,
                        (None, _) => return None,
                    }
                }
                Some(Finding::Uplink(uplink))
            }
            "expiry" => {
                let (number, value) = (words.next()?.parse().ok()?, words.next()?);
                let ends = match (value, value.strip_prefix("errno=")) {
                    ("absent", _) => Err(Fault::Absent),
                    ("implausible", _) => Err(Fault::Implausible),
                    (_, Some(errno)) => Err(Fault::Errno(Errno(errno.parse().ok()?))),
                    (seconds, None) => Ok(Wall::new(seconds.parse().ok()?)?),
                };
                Some(Finding::Dated(number, ends))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Found, Step};

    /// What is told by arguments is understood, whatever is left out.
    #[test]
    fn errands_come_through() {
        let plan = UplinkPlan {
            every: Duration::ZERO,
            timeout: Duration::from_millis(1500),
            interfaces: vec!["eth0".to_owned(), "wlan0".to_owned()],
            name: Some("example.org".to_owned()),
            vpn: Some("wg0".to_owned()),
            peer: "10.8.0.1:53".parse().ok(),
            ssh: "[fd00::7]:22".parse().ok(),
        };
        let bare = UplinkPlan {
            interfaces: Vec::new(),
            name: None,
            vpn: None,
            peer: None,
            ssh: None,
            ..plan.clone()
        };
        let odd = PathBuf::from(OsString::from_vec(b"/a=b\n\xFF".to_vec()));
        let files = vec![
            (0, Dated::Certificates("/etc/ssl/web.pem".into())),
            (7, Dated::Written(odd)),
        ];
        for (plan, files) in [
            (Some(plan), files.clone()),
            (Some(bare), Vec::new()),
            (None, files),
            (None, Vec::new()),
        ] {
            let errand = Errand { plan, files };
            assert_eq!(Errand::read(&errand.arguments()), Some(errand));
        }
        for wrong in [
            "x",
            "x=y",
            "peer=here",
            "file:x=/a",
            "odd:1=/a",
            "timeout=soon",
        ] {
            assert_eq!(Errand::read(&[wrong.into()]), None, "{wrong}");
        }
    }

    /// What it tells by lines is understood, and nothing else is.
    #[test]
    fn findings_come_through() {
        let mut uplink = Uplink::default();
        let mut all = vec![Finding::Uplink(uplink)];
        for step in Step::ALL {
            for found in Found::ALL {
                uplink.put(step, found);
                all.push(Finding::Uplink(uplink));
            }
        }
        uplink.handshake = Some(Duration::from_secs(45));
        all.push(Finding::Uplink(uplink));
        uplink.beyond = true;
        all.push(Finding::Uplink(uplink));
        for ends in [
            Ok(Wall::new(0).unwrap()),
            Ok(Wall::MAX),
            Err(Fault::Absent),
            Err(Fault::Implausible),
            Err(Fault::Errno(Errno(13))),
        ] {
            all.push(Finding::Dated(3, ends));
        }
        for finding in all {
            assert_eq!(Finding::read(&finding.to_string()), Some(finding));
        }
        for wrong in [
            "",
            "uplink x=well",
            "uplink link=x",
            "expiry 0",
            "expiry x 1",
            "expiry 0 -1",
        ] {
            assert_eq!(Finding::read(wrong), None, "{wrong}");
        }
    }
}
