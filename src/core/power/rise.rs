//! A charge that was seen to rise goes on doing so behind a dip.
//!
//! A gauge that makes its charge from the voltage says a little less while a load is on, also of a
//! battery that is being charged. Such a dip breaks the trend of minutes, long after it is over, and
//! beside a line that is stuck at "lost" the machine would be halted for it. So once the trend has said
//! that the charge rises, it still does while it comes to new heights now and then.
//!
//! Never begins without a trend that rises; a charge that stands, or of which 1 % was used, ends it.

use super::sign::CHARGE_LOST;
use crate::units::Mono;
use std::time::Duration;

/// A charge that has been below its height for this long does not rise. Shorter: the dip of a camera
/// that uploads its pictures ends it. Longer: an outage that begins beside such a line is acted upon so
/// much later.
const DIPS: Duration = Duration::from_secs(150);

/// The height of a charge that was seen to rise, in thousandths, and when it was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Rise(Option<(u16, Mono)>);

impl Rise {
    /// Takes a charge in. `rises`: its trend says so.
    pub fn see(&mut self, rises: bool, charge: u16, now: Mono) {
        self.0 = match self.0 {
            None => rises.then_some((charge, now)),
            Some((height, _)) if charge > height => Some((charge, now)),
            Some((height, _)) if charge + CHARGE_LOST <= height => None,
            Some(known) => Some(known),
        };
    }

    /// A dip may hide that it rises.
    pub fn goes_on(&self, now: Mono) -> bool {
        self.0.is_some_and(|(_, at)| now < at.after(DIPS))
    }

    /// From when on it does not count any more.
    pub fn due(&self) -> Option<Mono> {
        self.0.map(|(_, at)| at.after(DIPS))
    }

    /// Another story begins.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A charge after so many seconds, and whether it counts as one that rises then.
    fn counts(trend: bool, charges: &[(u64, u16)]) -> bool {
        let mut rise = Rise::default();
        let mut now = Mono(0);
        for (at, charge) in charges {
            now = Mono(at * 1_000);
            rise.see(trend && *at == 0, *charge, now);
        }
        assert!(
            rise.due()
                .is_none_or(|due| rise.goes_on(now) == (now < due))
        );
        rise.goes_on(now)
    }

    #[test]
    fn a_dip_hides_no_rise() {
        assert!(
            !counts(false, &[(0, 600), (10, 601)]),
            "no trend ever said so"
        );
        assert!(counts(true, &[(0, 600), (149, 591)]), "a dip");
        assert!(!counts(true, &[(0, 600), (150, 595)]), "for long");
        assert!(!counts(true, &[(0, 600), (10, 590)]), "1 % was used");
        assert!(
            !counts(true, &[(0, 600), (10, 590), (20, 601)]),
            "and is not forgotten"
        );
        assert!(
            !counts(true, &[(0, 600), (100, 600), (150, 600)]),
            "it stands"
        );
        assert!(counts(
            true,
            &[(0, 600), (100, 595), (140, 601), (280, 595)]
        ));
    }
}
