//! What is said of file systems.

use super::counted;
use crate::core::picture::Verdict;

pub(super) fn errors(verdict: Verdict, mount: &str, errors: u32) -> String {
    let errors = counted(errors.into(), "error");
    match verdict {
        Verdict::Ok => format!("{mount} has no recorded errors any more"),
        Verdict::Critical => format!(
            "{mount} has just recorded errors ({errors} in all): writes may fail from now on, look \
             into `dmesg`; the card may be failing"
        ),
        Verdict::Warn | Verdict::Unknown => format!(
            "{mount} has recorded {errors} since it was last checked: check it with `e2fsck`, \
             and look at the card"
        ),
    }
}
