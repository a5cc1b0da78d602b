//! Looks users and groups up in `/etc/passwd` and `/etc/group`.
//!
//! Not by the C library's name services: these load libraries into the process that pets the
//! watchdog, and may wait for a network. Who is known elsewhere only (a directory server) is named by
//! number. Why: `docs/decisions/0009-rights.md`.

use super::Rights;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Who a service runs as, in the numbers that the kernel takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
    /// Supplementary groups, exactly these.
    pub groups: Vec<u32>,
    /// Name of the user; `None` where a number stands for nobody in `/etc/passwd`.
    pub name: Option<String>,
    /// Home directory, where there is such a user.
    pub home: Option<String>,
}

/// Why there is no such account.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoAccount {
    /// Nobody has this name.
    #[error("there is no user {0:?} in /etc/passwd")]
    User(String),
    /// The number stands for nobody, and `group` does not say which group is meant.
    #[error("user {0} is not in /etc/passwd, so that its group is not known")]
    GroupOfUser(u32),
    /// No group has this name.
    #[error("there is no group {0:?} in /etc/group")]
    Group(String),
    /// The files cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

impl NoAccount {
    /// It is about a group, not about the user.
    pub fn of_group(&self) -> bool {
        match self {
            NoAccount::Group(_) | NoAccount::GroupOfUser(_) => true,
            NoAccount::User(_) | NoAccount::Unreadable(_) => false,
        }
    }
}

/// By what a file is known not to have changed: time of change in nanoseconds, inode, length.
type Stamp = Option<(i64, i64, u64, u64)>;

/// The two files, read again when they have changed.
#[derive(Debug)]
pub struct Accounts {
    passwd: PathBuf,
    group: PathBuf,
    seen: (Stamp, Stamp),
    texts: io::Result<(String, String)>,
}

impl Accounts {
    /// The files of this folder, `/etc` in the field. Nothing is read yet.
    pub fn of(folder: &Path) -> Accounts {
        Accounts {
            passwd: folder.join("passwd"),
            group: folder.join("group"),
            seen: (None, None),
            texts: Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Reads the files if they are not as they were; returns whether they were read. A look at two
    /// files costs two microseconds, reading them a hundred.
    pub fn refresh(&mut self) -> bool {
        let now = (stamp(&self.passwd), stamp(&self.group));
        if now == self.seen && self.texts.is_ok() {
            return false;
        }
        self.seen = now;
        let read = |path: &Path| fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned());
        self.texts = read(&self.passwd).and_then(|passwd| Ok((passwd, read(&self.group)?)));
        true
    }

    /// Who is meant; `None` inside if the service runs as whoever the daemon runs as. `own`: user and
    /// group of the daemon, for a service that names a group alone.
    ///
    /// # Errors
    /// Who is not there.
    pub fn find(&self, rights: &Rights, own: (u32, u32)) -> Result<Option<Account>, NoAccount> {
        if rights.user.is_none() && rights.group.is_none() && rights.groups.is_none() {
            return Ok(None);
        }
        let (passwd, groups) = match &self.texts {
            Ok((passwd, groups)) => (passwd.as_str(), groups.as_str()),
            Err(e) => {
                let what = format!(
                    "{}, or {}: {e}",
                    self.passwd.display(),
                    self.group.display()
                );
                return Err(NoAccount::Unreadable(what));
            }
        };
        let user = match &rights.user {
            Some(name) => user(passwd, name)?,
            None => User {
                uid: own.0,
                gid: Some(own.1),
                name: None,
                home: None,
            },
        };
        let group = match &rights.group {
            Some(name) => group(groups, name)?,
            None => user.gid.ok_or(NoAccount::GroupOfUser(user.uid))?,
        };
        let others = match &rights.groups {
            Some(names) => names
                .iter()
                .map(|name| self::group(groups, name))
                .collect::<Result<_, _>>()?,
            None => user.name.map_or(Vec::new(), |name| groups_of(groups, name)),
        };
        Ok(Some(Account {
            user: user.uid,
            group,
            groups: others,
            name: user.name.map(str::to_owned),
            home: user.home.map(str::to_owned),
        }))
    }
}

impl Accounts {
    /// The number of the user of this name, or of this number.
    ///
    /// # Errors
    /// There is no such user.
    pub fn user_number(&self, name: &str) -> Result<u32, NoAccount> {
        let passwd = self
            .texts
            .as_ref()
            .map_or("", |(passwd, _)| passwd.as_str());
        user(passwd, name).map(|user| user.uid)
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = fs::metadata(path).ok()?;
    Some((about.mtime(), about.mtime_nsec(), about.ino(), about.len()))
}

struct User<'t> {
    uid: u32,
    gid: Option<u32>,
    name: Option<&'t str>,
    home: Option<&'t str>,
}

/// The user of this name, or else of this number.
fn user<'t>(passwd: &'t str, wanted: &str) -> Result<User<'t>, NoAccount> {
    let lines = || {
        passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
    };
    let number = wanted.parse::<u32>().ok();
    let named = lines().find(|fields| fields.first() == Some(&wanted));
    let found =
        named.or_else(|| lines().find(|fields| number.is_some() && field(fields, 2) == number));
    match (found, number) {
        (Some(fields), _) => Ok(User {
            uid: field(&fields, 2).ok_or_else(|| NoAccount::User(wanted.to_owned()))?,
            gid: field(&fields, 3),
            name: fields.first().copied(),
            home: fields.get(5).copied().filter(|home| home.starts_with('/')),
        }),
        (None, Some(uid)) => Ok(User {
            uid,
            gid: None,
            name: None,
            home: None,
        }),
        (None, None) => Err(NoAccount::User(wanted.to_owned())),
    }
}

/// The group of this name, or else this number, whether it is in the file or not.
fn group(groups: &str, wanted: &str) -> Result<u32, NoAccount> {
    let mut lines = groups
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let named = lines.find(|fields| fields.first() == Some(&wanted));
    let number = named.and_then(|fields| field(&fields, 2));
    number
        .or_else(|| wanted.parse().ok())
        .ok_or_else(|| NoAccount::Group(wanted.to_owned()))
}

/// The groups that have this user as a member.
fn groups_of(groups: &str, name: &str) -> Vec<u32> {
    let lines = groups
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let mine = lines.filter(|fields| {
        let members = fields.get(3).map_or("", |members| members);
        members.split(',').any(|member| member == name)
    });
    mine.filter_map(|fields| field(&fields, 2)).collect()
}

/// A number of a line; -1 is none, and means "unchanged" to the kernel.
fn field(fields: &[&str], at: usize) -> Option<u32> {
    let number = fields.get(at)?.parse().ok()?;
    (number != u32::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        web:x:33:34:web,,,:/var/www:/usr/sbin/nologin\nbroken\nodd:x:4294967295:1::/:\n\
        7:x:70:71::relative:\n";
    const GROUP: &str = "root:x:0:\nweb:x:34:\ngpio:x:997:pi,web\ni2c:x:998:web\nx:x:bad:web\n";

    fn accounts() -> (tempfile::TempDir, Accounts) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("passwd"), PASSWD).unwrap();
        fs::write(folder.path().join("group"), GROUP).unwrap();
        let mut accounts = Accounts::of(folder.path());
        assert!(accounts.refresh());
        assert!(!accounts.refresh());
        (folder, accounts)
    }

    fn rights(user: Option<&str>, group: Option<&str>, groups: Option<&[&str]>) -> Rights {
        Rights {
            user: user.map(str::to_owned),
            group: group.map(str::to_owned),
            groups: groups.map(|names| names.iter().map(|n| (*n).to_owned()).collect()),
            capabilities: None,
            no_new_privileges: false,
            umask: 0o022,
        }
    }

    /// User, group and other groups, by name and number, known and unknown.
    #[test]
    fn who_is_meant() {
        let (_folder, accounts) = accounts();
        let found = |user, group, groups| {
            let account = accounts.find(&rights(user, group, groups), (5, 6));
            account.map(|a| a.map(|a| (a.user, a.group, a.groups, a.home)))
        };
        let www = || Some("/var/www".to_owned());
        assert_eq!(found(None, None, None), Ok(None));
        let all = Ok(Some((33, 34, vec![997, 998], www())));
        assert_eq!(found(Some("web"), None, None), all);
        assert_eq!(found(Some("33"), None, None), all);
        let none = Ok(Some((33, 997, vec![], www())));
        assert_eq!(found(Some("web"), Some("gpio"), Some(&[])), none);
        let some = Ok(Some((33, 34, vec![998, 5], www())));
        assert_eq!(found(Some("web"), None, Some(&["i2c", "5"])), some);
        // A name of digits comes before the number.
        assert_eq!(
            found(Some("7"), None, None),
            Ok(Some((70, 71, vec![], None)))
        );
        assert_eq!(
            found(None, Some("gpio"), None),
            Ok(Some((5, 997, vec![], None)))
        );
        let unknown = Ok(Some((5000, 34, vec![], None)));
        assert_eq!(found(Some("5000"), Some("web"), None), unknown);
        let lost = |n: &str| Err(NoAccount::Group(n.to_owned()));
        assert_eq!(
            found(Some("5000"), None, None),
            Err(NoAccount::GroupOfUser(5000))
        );
        assert_eq!(
            found(Some("nobody"), None, None),
            Err(NoAccount::User("nobody".into()))
        );
        assert_eq!(
            found(Some("odd"), None, None),
            Err(NoAccount::User("odd".into()))
        );
        assert_eq!(
            found(Some("broken"), None, None),
            Err(NoAccount::User("broken".into()))
        );
        assert_eq!(found(Some("web"), Some("x"), None), lost("x"));
        assert_eq!(found(Some("web"), None, Some(&["spi"])), lost("spi"));
    }

    /// A user that is added while the daemon runs is found at the next look.
    #[test]
    fn a_user_may_come_later() {
        let (folder, mut accounts) = accounts();
        let later = rights(Some("later"), None, None);
        assert!(accounts.find(&later, (0, 0)).is_err());
        let more = format!("{PASSWD}later:x:55:56::/:\n");
        fs::write(folder.path().join("passwd"), more).unwrap();
        assert!(accounts.refresh());
        assert_eq!(accounts.find(&later, (0, 0)).unwrap().unwrap().user, 55);
        fs::remove_file(folder.path().join("group")).unwrap();
        assert!(accounts.refresh());
        let lost = accounts.find(&later, (0, 0)).unwrap_err();
        assert!(matches!(lost, NoAccount::Unreadable(_)), "{lost}");
        assert!(accounts.refresh(), "what could not be read is tried again");
    }
}
