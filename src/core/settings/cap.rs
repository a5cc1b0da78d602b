//! A cap: what files of a directory may take up together, and which of them may be deleted for that.
//!
//! Which ones are is decided here, as a pure function of what lies there, for the daemon as for a look
//! at what it would do.

use crate::units::Wall;

/// What files of a directory may take up together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cap {
    /// Its name.
    pub name: Box<str>,
    /// The directory, by absolute path. What is below directories in it is not looked at.
    pub dir: Box<str>,
    /// Most that the files together may take up, in bytes.
    pub max: u64,
    /// Forms of names, with `*` for any characters and `?` for one: only what has one of these counts,
    /// and can be deleted.
    pub only: Vec<Box<str>>,
    /// So many of them, the newest ones, are never deleted. 1 to 1000.
    pub keep: u32,
}

/// A regular file in the directory of a cap, whose name has one of the forms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapFile {
    /// Its name, as it is.
    pub name: Box<[u8]>,
    /// What it takes up, in bytes.
    pub size: u64,
    /// When it was written last, as the clock of that time had it.
    pub changed: Wall,
}

impl Cap {
    /// The cap is about a file with this name.
    pub fn is_about(&self, name: &[u8]) -> bool {
        self.only.iter().any(|form| fits(form.as_bytes(), name))
    }

    /// What has to be deleted until the rest is below the cap: the oldest first, by what they say of
    /// themselves and then by name, and never the newest ones.
    pub fn surplus(&self, mut files: Vec<CapFile>) -> Vec<CapFile> {
        files.sort_by(|a, b| (a.changed, &a.name).cmp(&(b.changed, &b.name)));
        let mut size: u64 = files.iter().map(|f| f.size).fold(0, u64::saturating_add);
        let keep = usize::try_from(self.keep.max(1)).unwrap_or(usize::MAX);
        files.truncate(files.len().saturating_sub(keep));
        let over = files.into_iter().take_while(|file| {
            let over = size > self.max;
            size = size.saturating_sub(file.size);
            over
        });
        over.collect()
    }
}

/// A name has this form. Linear in each star: the last one that was met is tried further on.
fn fits(form: &[u8], name: &[u8]) -> bool {
    let (mut f, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match form.get(f) {
            Some(b'*') => {
                star = Some((f, n));
                f += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                f += 1;
                n += 1;
            }
            Some(_) | None => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (f, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    form[f..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cap(max: u64, keep: u32) -> Cap {
        Cap {
            name: "logs".into(),
            dir: "/var/log/app".into(),
            max,
            only: vec!["*.log.*".into()],
            keep,
        }
    }

    fn file(name: &str, size: u64, changed: i64) -> CapFile {
        CapFile {
            name: name.as_bytes().into(),
            size,
            changed: Wall::new(changed).unwrap(),
        }
    }

    #[test]
    fn forms_of_names() {
        for (form, name, expected) in [
            ("*.log.*", "app.log.1", true),
            ("*.log.*", "app.log", false),
            ("*.log.*", "app.log.1.log.2", true),
            ("app.?", "app.1", true),
            ("app.?", "app.12", false),
            ("*", "", true),
            ("**a", "aa", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("", "a", false),
        ] {
            assert_eq!(
                fits(form.as_bytes(), name.as_bytes()),
                expected,
                "{form} {name}"
            );
        }
    }

    #[test]
    fn the_oldest_go_and_the_newest_stay() {
        let files = || vec![file("c", 50, 3), file("a", 50, 1), file("b", 50, 2)];
        let names = |cap: &Cap| -> Vec<String> {
            let gone = cap.surplus(files()).into_iter();
            gone.map(|f| String::from_utf8_lossy(&f.name).into_owned())
                .collect()
        };
        assert_eq!(names(&cap(150, 1)), [""; 0]);
        assert_eq!(names(&cap(149, 1)), ["a"]);
        assert_eq!(names(&cap(99, 1)), ["a", "b"]);
        assert_eq!(names(&cap(0, 1)), ["a", "b"]);
        assert_eq!(names(&cap(0, 2)), ["a"]);
        assert_eq!(names(&cap(0, 9)), [""; 0]);
    }

    proptest! {
        /// Whatever lies there: no more goes than has to, nothing newer than what stays, and never the
        /// newest.
        #[test]
        fn never_more_than_has_to(
            all in prop::collection::vec((0..500_u64, 0..20_i64), 0..20),
            max in 0..3_000_u64,
            keep in 1..4_u32,
        ) {
            let files: Vec<CapFile> = (0..)
                .zip(&all)
                .map(|(at, (size, changed))| file(&format!("{at:02}"), *size, *changed))
                .collect();
            let cap = cap(max, keep);
            let gone = cap.surplus(files.clone());
            let stays: Vec<&CapFile> = files.iter().filter(|f| !gone.contains(f)).collect();
            let size = |of: &[&CapFile]| of.iter().map(|f| f.size).sum::<u64>();
            let least = files.len().min(usize::try_from(keep).unwrap());
            prop_assert!(stays.len() >= least);
            prop_assert!(size(&stays) <= max || stays.len() == least);
            if let Some(last) = gone.last() {
                let before: Vec<&CapFile> = stays.iter().copied().chain([last]).collect();
                prop_assert!(size(&before) > max, "one less would have done");
                let newest = gone.iter().map(|f| f.changed).max();
                prop_assert!(stays.iter().all(|f| Some(f.changed) >= newest));
            }
        }

        /// No name and no form is too much.
        #[test]
        fn any_form_and_name(form in "[a*?]{0,12}", name in "[ab]{0,24}") {
            let slow = |form: &[u8], name: &[u8]| -> bool {
                fn go(form: &[u8], name: &[u8]) -> bool {
                    match (form.split_first(), name.split_first()) {
                        (None, None) => true,
                        (None, Some(_)) => false,
                        (Some((b'*', rest)), None) => go(rest, name),
                        (Some((b'*', rest)), Some((_, tail))) => go(rest, name) || go(form, tail),
                        (Some(_), None) => false,
                        (Some((b'?', rest)), Some((_, tail))) => go(rest, tail),
                        (Some((c, rest)), Some((d, tail))) => c == d && go(rest, tail),
                    }
                }
                go(form, name)
            };
            let (form, name) = (form.as_bytes(), name.as_bytes());
            prop_assert_eq!(fits(form, name), slow(form, name));
        }
    }
}
