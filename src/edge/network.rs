//! Looks whether there is a way out of this machine: a default route over a link that is up.
//!
//! The kernel's tables are read and nothing is sent: a probe of somebody else's machine would make this
//! one's services depend on that. A route whose link has lost its carrier stays in the table until
//! somebody takes it out, so the link is looked at as well. Never judges for how long it has been so.

use super::power_supply::fault_of;
use super::proc_text;
use crate::core::fact::{Fact, Fault, Reading, Source};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a table that are read at most. A line has 128 bytes in IPv4 and 150 in IPv6; a machine with
/// more than some four hundred routes is no board of ours, and its default route comes first.
const MOST: u64 = 64 * 1024;

/// Where the kernel shows its routes and links.
pub struct Network {
    root: PathBuf,
    table: Vec<u8>,
}

impl Network {
    /// The network of the machine whose `/proc` and `/sys` are below `root`.
    pub fn new(root: &Path) -> Network {
        Network {
            root: root.to_owned(),
            table: Vec::new(),
        }
    }

    /// Looks at both tables: it is up if one of them says so.
    pub fn sample(&mut self) -> Fact {
        let four = self.up("proc/net/route", proc_text::default_links);
        if four == Ok(true) {
            return seen(true);
        }
        // A kernel without IPv6 has no such table.
        match (
            four,
            self.up("proc/net/ipv6_route", proc_text::default_links_6),
        ) {
            (_, Ok(true)) => seen(true),
            (Ok(_), Ok(false) | Err(Fault::Absent)) | (Err(Fault::Absent), Ok(false)) => {
                seen(false)
            }
            (Err(why), _) | (_, Err(why)) => Fact::Lost {
                source: Source::Network,
                why,
            },
        }
    }

    /// One of the links of the default routes in this table is up.
    fn up<'a, L: Iterator<Item = &'a str>>(
        &'a mut self,
        table: &str,
        links: impl Fn(&'a str) -> L,
    ) -> Result<bool, Fault> {
        self.table.clear();
        let file = File::open(self.root.join(table)).map_err(|e| fault_of(&e))?;
        let read = file.take(MOST).read_to_end(&mut self.table);
        read.map_err(|e| fault_of(&e))?;
        let text = std::str::from_utf8(&self.table).map_err(|_| Fault::Implausible)?;
        let classes = self.root.join("sys/class/net");
        Ok(links(text).any(|link| is_up(&classes, link)))
    }
}

/// A link that tells of no carrier (`unknown`: a tunnel, a modem) is up if it has a route.
fn is_up(classes: &Path, link: &str) -> bool {
    let state = std::fs::read_to_string(classes.join(link).join("operstate"));
    state.is_ok_and(|state| matches!(state.trim_end(), "up" | "unknown"))
}

fn seen(up: bool) -> Fact {
    Fact::Seen(Reading::Network { up })
}
