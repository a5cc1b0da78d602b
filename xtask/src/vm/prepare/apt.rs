//! A private apt: the host's mirrors, keys and proxy settings, but its own lists and suites.
//!
//! Needed because the lab wants packages (a backports kernel, a bookworm root file system) that
//! the host's own configuration need not offer, and must not change that configuration. Terms:
//! an *archive* is where one of the host's source entries points. Installing tools is the one
//! thing here that touches the host, and only adds packages.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::command::{run, text, tool};

/// Debian release of the guest: the older of the two the project supports, with systemd 252.
pub const GUEST: &str = "bookworm";

/// One archive of the host: address and, if stated, the keyring that signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Archive {
    address: String,
    keyring: Option<String>,
}

/// Architecture of the usual guest, as Debian calls it.
const USUAL: &str = "amd64";

/// That of the emulated Pi.
pub const PI: &str = "arm64";

/// Private apt state in a directory.
#[derive(Debug, Clone)]
pub struct Apt {
    dir: PathBuf,
    architecture: &'static str,
    sources: Vec<String>,
}

impl Apt {
    /// Sets the state up in `dir` and downloads the lists of the guest's suites.
    pub fn set_up(dir: &Path) -> Result<Self> {
        Apt::set_up_for(dir, USUAL)
    }

    /// The same for guests of another architecture, of which the host need not know.
    pub fn set_up_for(dir: &Path, architecture: &'static str) -> Result<Self> {
        for sub in ["lists/partial", "cache/archives/partial", "sources"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        let sources = guest_sources(&host_sources()?, &host_release()?)?;
        fs::write(dir.join("sources/guest.list"), sources.join("\n") + "\n")?;
        let apt = Apt {
            dir: dir.to_owned(),
            architecture,
            sources,
        };
        run(apt.command("apt-get").arg("update")).context("download the package lists")?;
        Ok(apt)
    }

    /// The one-line source entries of the guest's suites, backports excluded.
    pub fn release_sources(&self) -> Vec<&str> {
        let backports = format!(" {GUEST}-backports ");
        self.sources
            .iter()
            .map(String::as_str)
            .filter(|line| !line.contains(&backports))
            .collect()
    }

    /// `apt-get` or `apt-cache` with this state.
    pub fn command(&self, program: &str) -> Command {
        let mut command = tool(program);
        for (key, value) in [
            ("Dir::Etc::sourcelist", Path::new("/dev/null").to_owned()),
            ("Dir::Etc::sourceparts", self.dir.join("sources")),
            ("Dir::State::lists", self.dir.join("lists")),
            ("Dir::Cache", self.dir.join("cache")),
        ] {
            command.arg("-o").arg(format!("{key}={}", value.display()));
        }
        let own = self.architecture;
        command.args(["-o", &format!("APT::Architecture={own}")]);
        command.args(["-o", &format!("APT::Architectures={own}")]);
        // The cache directory belongs to the calling user, where apt's own user cannot write.
        command.args(["-o", "APT::Sandbox::User=root"]);
        command
    }

    /// Downloads one package, from backports if told so, and unpacks it into `root`.
    pub fn unpack(&self, package: &str, backports: bool, root: &Path) -> Result<()> {
        let downloads = self.dir.join("downloads");
        fs::create_dir_all(&downloads)?;
        let mut download = self.command("apt-get");
        download.args(["download", "-qq"]).current_dir(&downloads);
        if backports {
            download.args(["-t", &format!("{GUEST}-backports")]);
        }
        run(download.arg(package))?;
        for file in fs::read_dir(&downloads)? {
            let file = file?.path();
            run(tool("dpkg-deb").arg("-x").arg(&file).arg(root))?;
            fs::remove_file(&file)?;
        }
        Ok(())
    }

    /// Name of the newest kernel image package, and whether it comes from backports.
    pub fn kernel_package(&self) -> Result<(String, bool)> {
        let image = format!("linux-image-{}", self.architecture);
        for backports in [true, false] {
            let mut depends = self.command("apt-cache");
            if backports {
                depends.args(["-t", &format!("{GUEST}-backports")]);
            }
            // Fails where backports has nothing; then the release's own kernel is taken.
            let said = text(depends.args(["depends", &image])).unwrap_or_default();
            let package = said
                .lines()
                .find_map(|line| line.trim().strip_prefix("Depends: "));
            if let Some(package) = package {
                return Ok((package.to_owned(), backports));
            }
        }
        bail!("no {image} in the archives {:?}", self.sources)
    }
}

/// The host's settings that decide how (not what) apt downloads, for tools with an apt of their
/// own: proxies and tolerance for old or oddly dated lists.
pub fn transport_options() -> Result<Vec<String>> {
    let dump = text(tool("apt-config").arg("dump"))?;
    let wanted = ["Acquire::http", "Acquire::https", "Acquire::Check-"];
    let lines = dump
        .lines()
        .filter(|line| wanted.iter().any(|start| line.starts_with(start)));
    Ok(lines
        .filter(|line| !line.ends_with("\"\";"))
        .map(str::to_owned)
        .collect())
}

/// Contents of the host's source files.
fn host_sources() -> Result<String> {
    let mut all = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    for entry in fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
    {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|end| end == "list" || end == "sources")
        {
            let text = fs::read_to_string(&path);
            let _ = write!(
                all,
                "\n\n{}\n\n",
                text.with_context(|| path.display().to_string())?
            );
        }
    }
    Ok(all)
}

/// Code name of the host's Debian release.
pub fn host_release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.context("/etc/os-release names no release; the VM lab needs a Debian host")?;
    Ok(name.trim_matches('"').to_owned())
}

/// Source entries for the guest, at the archives the host uses for its own release.
fn guest_sources(host: &str, release: &str) -> Result<Vec<String>> {
    let missing = || format!("the host's apt sources name no archive for {release}");
    let main = archive_of(host, release).with_context(missing)?;
    let entry = |archive: &Archive, suite: &str| {
        let signed = archive
            .keyring
            .as_ref()
            .map(|path| format!("[signed-by={path}] "));
        let signed = signed.unwrap_or_default();
        format!("deb {signed}{} {GUEST}{suite} main", archive.address)
    };
    let mut entries = vec![
        entry(&main, ""),
        entry(&main, "-updates"),
        entry(&main, "-backports"),
    ];
    if let Some(security) = archive_of(host, &format!("{release}-security")) {
        entries.push(entry(&security, "-security"));
    }
    Ok(entries)
}

/// First archive that offers `suite`, in either form of source file.
fn archive_of(sources: &str, suite: &str) -> Option<Archive> {
    let one_line = sources
        .lines()
        .find_map(|line| one_line_archive(line, suite));
    one_line.or_else(|| {
        sources
            .split("\n\n")
            .find_map(|stanza| stanza_archive(stanza, suite))
    })
}

/// `deb [options] address suite components`.
fn one_line_archive(line: &str, suite: &str) -> Option<Archive> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let address = words.next()?;
    if words.next()? != suite {
        return None;
    }
    let keyring = options
        .split_whitespace()
        .find_map(|o| o.strip_prefix("signed-by="));
    Some(Archive {
        address: address.to_owned(),
        keyring: keyring.map(str::to_owned),
    })
}

/// A deb822 stanza with `Types`, `URIs`, `Suites` and perhaps `Signed-By` as a path.
fn stanza_archive(stanza: &str, suite: &str) -> Option<Archive> {
    let field = |name: &str| {
        let line = stanza.lines().find(|line| {
            line.split_once(':')
                .is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
        })?;
        line.split_once(':').map(|(_, value)| value.trim())
    };
    let has = |name: &str, word: &str| {
        field(name).is_some_and(|value| value.split_whitespace().any(|w| w == word))
    };
    let enabled = field("Enabled") != Some("no");
    if !(enabled && has("Types", "deb") && has("Suites", suite)) {
        return None;
    }
    let address = field("URIs")?.split_whitespace().next()?.to_owned();
    let keyring = field("Signed-By").filter(|value| value.starts_with('/'));
    Some(Archive {
        address,
        keyring: keyring.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both forms of source file give the same entries, other archives are left alone.
    #[test]
    fn guest_entries_use_the_hosts_archives() {
        let lines = "# deb http://no.test/debian trixie main\n\
             deb https://other.test/tool stable main\n\
             deb [arch=amd64 signed-by=/k.gpg] http://a.test/debian trixie main contrib\n\
             deb [signed-by=/k.gpg] http://s.test/security trixie-security main\n";
        let stanzas = "Types: deb\nURIs: https://other.test/tool\nSuites: nodistro\n\n\
             Types: deb\n# a remark\nURIs: http://a.test/debian\nSuites: trixie trixie-updates\n\
             Signed-By: /k.gpg\n\n\
             Types: deb\nURIs: http://s.test/security\nSuites: trixie-security\nSigned-By: /k.gpg";
        let expected = [
            "deb [signed-by=/k.gpg] http://a.test/debian bookworm main",
            "deb [signed-by=/k.gpg] http://a.test/debian bookworm-updates main",
            "deb [signed-by=/k.gpg] http://a.test/debian bookworm-backports main",
            "deb [signed-by=/k.gpg] http://s.test/security bookworm-security main",
        ];
        assert_eq!(guest_sources(lines, "trixie").unwrap(), expected);
        assert_eq!(guest_sources(stanzas, "trixie").unwrap(), expected);
        assert!(guest_sources(stanzas, "sid").is_err());
    }
}
