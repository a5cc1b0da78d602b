//! Times of a calendar: which one comes next, in the rules of a time zone.
//!
//! | written | means |
//! |---|---|
//! | `03:30` | every day |
//! | `mon,thu 03:30`, `mon-fri 03:30` | on these days of the week |
//! | `15 03:30` | on this day of every month, or on its last one if it has no such day |
//! | `last 03:30` | on the last day of every month |
//! | `:15` | every hour, at this minute |
//!
//! A time that the zone leaves out (clocks are put forward) comes as much later as they are put
//! forward; one that the zone has twice (clocks are put back) comes once, the first time. What is
//! to come every hour comes every hour.
//!
//! Never reads a clock: every time is an argument.

use crate::units::Wall;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::time::Duration;

/// Days that are looked at for the next one: a month has at most 31, and a day may be left out
/// whole where a zone crosses the date line.
const DAYS: usize = 40;

/// The rules of a time zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// As the configuration has it.
    pub name: Box<str>,
    /// Its rules.
    pub rules: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone {
            name: "UTC".into(),
            rules: TimeZone::UTC,
        }
    }

    /// What clocks of this zone show then; `None` beyond the times that there are.
    fn local(&self, wall: Wall) -> Option<DateTime> {
        let time = Timestamp::from_second(wall.seconds()).ok()?;
        Some(self.rules.to_datetime(time))
    }

    /// When clocks of this zone show this; see above for what they leave out or show twice.
    fn instant(&self, local: DateTime) -> Option<Wall> {
        let time = self.rules.to_ambiguous_timestamp(local).compatible().ok()?;
        Wall::new(time.as_second())
    }
}

/// Days and a time of day, or a minute of every hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Every hour at this minute.
    Hour {
        /// 0 to 59.
        minute: i8,
    },
    /// On some days of the week.
    Week {
        /// Monday is the lowest of seven bits.
        days: u8,
        /// 0 to 23.
        hour: i8,
        /// 0 to 59.
        minute: i8,
    },
    /// On one day of every month.
    Month {
        /// 1 to 31; a month without it has its last day instead.
        day: i8,
        /// 0 to 23.
        hour: i8,
        /// 0 to 59.
        minute: i8,
    },
}

impl When {
    /// The forms that there are, for messages.
    pub const FORMS: &'static str =
        "\"03:30\", \"mon,thu 03:30\", \"mon-fri 03:30\", \"15 03:30\", \"last 03:30\" or \":15\"";

    /// Reads one of them; `None` for anything else.
    pub fn parse(text: &str) -> Option<When> {
        if let Some(minute) = text.strip_prefix(':') {
            let minute = two_digits(minute, 59)?;
            return Some(When::Hour { minute });
        }
        let (days, time) = match text.split_once(' ') {
            Some((days, time)) => (Some(days), time),
            None => (None, text),
        };
        let (hour, minute) = time.split_once(':')?;
        let (hour, minute) = (two_digits(hour, 23)?, two_digits(minute, 59)?);
        let Some(days) = days else {
            let days = 0x7f;
            return Some(When::Week { days, hour, minute });
        };
        if let Some(day) = day_of_month(days) {
            return Some(When::Month { day, hour, minute });
        }
        let days = days.split(',').map(day_range);
        let days = days.reduce(|all, days| Some(all? | days?)).flatten()?;
        Some(When::Week { days, hour, minute })
    }

    /// It falls on this day.
    fn is_on(self, date: Date) -> bool {
        match self {
            When::Hour { .. } => true,
            When::Week { days, .. } => days & 1 << date.weekday().to_monday_zero_offset() != 0,
            When::Month { day, .. } => date.day() == day.min(date.days_in_month()),
        }
    }
}

fn two_digits(text: &str, most: i8) -> Option<i8> {
    let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits)?;
    (number <= most).then_some(number)
}

fn day_of_month(text: &str) -> Option<i8> {
    if text == "last" {
        return Some(31);
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let day = text.parse().ok().filter(|_| digits)?;
    (1..=31).contains(&day).then_some(day)
}

/// Bits of a day, or of the days from one to another.
fn day_range(text: &str) -> Option<u8> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let find = |name: &str| NAMES.iter().position(|n| *n == name);
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (find(first)?, find(last)?),
        None => (find(text)?, find(text)?),
    };
    // From Saturday to Monday goes by way of Sunday.
    let count = (last + 7 - first) % 7;
    Some((0..=count).fold(0, |bits, step| bits | 1 << ((first + step) % 7)))
}

/// Times that come again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    /// As it is written.
    pub text: Box<str>,
    /// The same, read.
    pub when: When,
    /// By whose clocks.
    pub zone: Zone,
}

impl Calendar {
    /// The first of its times after this one; `None` beyond the times that there are.
    pub fn next(&self, after: Wall) -> Option<Wall> {
        match self.when {
            When::Hour { minute } => self.next_minute(after, minute),
            When::Week { hour, minute, .. } | When::Month { hour, minute, .. } => {
                // That of the day before may come after midnight, if it is left out.
                let first = self.zone.local(after)?.date().yesterday().ok()?;
                let tomorrow = |date: &Date| date.tomorrow().ok();
                let days = std::iter::successors(Some(first), tomorrow).take(DAYS);
                days.filter(|date| self.when.is_on(*date))
                    .filter_map(|date| self.zone.instant(date.at(hour, minute, 0, 0)))
                    .find(|time| *time > after)
            }
        }
    }

    fn next_minute(&self, after: Wall, minute: i8) -> Option<Wall> {
        const SECOND: Duration = Duration::from_secs(1);
        let mut time = after.later(SECOND);
        // Once, and once more for each time that the zone changes its hour by some minutes
        // meanwhile.
        for _ in 0..4 {
            let local = self.zone.local(time)?;
            let minutes = (i64::from(minute) - i64::from(local.minute())).rem_euclid(60);
            let wait = (minutes * 60 - i64::from(local.second())).rem_euclid(3600);
            if wait == 0 {
                return Some(time);
            }
            time = time.later(Duration::from_secs(wait.unsigned_abs()));
        }
        None
    }

    /// Least time between two runs, by whatever clock: one that jumps must not make it run again
    /// and again.
    pub fn least(&self) -> Duration {
        Duration::from_secs(match self.when {
            When::Hour { .. } => 600,
            When::Week { .. } | When::Month { .. } => 3600,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Berlin: clocks are put forward at 02:00 on the last Sunday of March, and back at 03:00 on
    /// the last one of October.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    /// Lord Howe Island changes by half an hour.
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

    fn calendar(text: &str, zone: &str) -> Calendar {
        Calendar {
            text: text.into(),
            when: When::parse(text).unwrap(),
            zone: Zone {
                name: zone.into(),
                rules: TimeZone::posix(zone).unwrap(),
            },
        }
    }

    fn wall(text: &str) -> Wall {
        let time: Timestamp = text.parse().unwrap();
        Wall::new(time.as_second()).unwrap()
    }

    /// The next times after `after`, as clocks of the zone show them.
    fn next(text: &str, zone: &str, after: &str, count: usize) -> String {
        let calendar = calendar(text, zone);
        let mut at = wall(after);
        let mut times = Vec::new();
        for _ in 0..count {
            at = calendar.next(at).unwrap();
            let time = Timestamp::from_second(at.seconds()).unwrap();
            times.push(time.strftime("%m-%d %H:%M").to_string());
        }
        times.join(", ")
    }

    #[test]
    fn what_can_be_written() {
        let week = |days, hour, minute| Some(When::Week { days, hour, minute });
        assert_eq!(When::parse("03:30"), week(0x7f, 3, 30));
        assert_eq!(When::parse("mon,thu 03:30"), week(0b1001, 3, 30));
        assert_eq!(When::parse("mon-fri 23:59"), week(0b1_1111, 23, 59));
        assert_eq!(When::parse("sat-mon,wed 00:00"), week(0b110_0101, 0, 0));
        let month = |day| {
            Some(When::Month {
                day,
                hour: 3,
                minute: 0,
            })
        };
        assert_eq!(When::parse("1 03:00"), month(1));
        assert_eq!(When::parse("31 03:00"), month(31));
        assert_eq!(When::parse("last 03:00"), month(31));
        assert_eq!(When::parse(":00"), Some(When::Hour { minute: 0 }));
        for wrong in [
            "",
            ":",
            ":60",
            ":5",
            "24:00",
            "3:30",
            "03:60",
            "03:3",
            "0 03:00",
            "32 03:00",
            "+1 03:00",
            "mo 03:30",
            "mon, 03:30",
            "mon- 03:30",
            "mon  03:30",
            "03:30 mon",
            "mon",
            "03",
            "-1 03:00",
            "03:30:00",
            "\u{0663}\u{0663}:00",
        ] {
            assert_eq!(When::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn days_and_hours() {
        let utc = |text, after, count| next(text, "UTC0", after, count);
        // 2031-01-01 is a Wednesday.
        assert_eq!(
            utc("03:30", "2031-01-01T03:29:59Z", 2),
            "01-01 03:30, 01-02 03:30"
        );
        assert_eq!(utc("03:30", "2031-01-01T03:30:00Z", 1), "01-02 03:30");
        assert_eq!(
            utc("mon,thu 03:30", "2031-01-01T00:00:00Z", 3),
            "01-02 03:30, 01-06 03:30, 01-09 03:30"
        );
        assert_eq!(
            utc(":15", "2031-01-01T00:15:00Z", 3),
            "01-01 01:15, 01-01 02:15, 01-01 03:15"
        );
        assert_eq!(utc(":15", "2031-01-01T00:14:59Z", 1), "01-01 00:15");
        assert_eq!(utc(":00", "2031-12-31T23:00:01Z", 1), "01-01 00:00");
    }

    /// A month without such a day has its last one instead; also February of a leap year, of a year
    /// that is none, and of 2100, which is none either.
    #[test]
    fn ends_of_months() {
        let utc = |text, after, count| next(text, "UTC0", after, count);
        assert_eq!(
            utc("31 01:00", "2031-01-01T00:00:00Z", 4),
            "01-31 01:00, 02-28 01:00, 03-31 01:00, 04-30 01:00"
        );
        assert_eq!(
            utc("last 01:00", "2032-01-31T01:00:00Z", 2),
            "02-29 01:00, 03-31 01:00"
        );
        assert_eq!(
            utc("29 01:00", "2032-02-01T00:00:00Z", 2),
            "02-29 01:00, 03-29 01:00"
        );
        assert_eq!(
            utc("29 01:00", "2100-02-01T00:00:00Z", 2),
            "02-28 01:00, 03-29 01:00"
        );
        assert_eq!(utc("1 00:00", "2031-12-01T00:00:00Z", 1), "01-01 00:00");
    }

    /// What the zone leaves out comes later on that day, what it has twice comes once, and every
    /// hour is every hour. All in UTC, which is an hour behind in winter and two in summer.
    #[test]
    fn clocks_that_are_put_forward_and_back() {
        let berlin = |text, after, count| next(text, BERLIN, after, count);
        // 2031-03-30, 02:00 to 03:00 is left out.
        assert_eq!(
            berlin("02:30", "2031-03-29T00:00:00Z", 3),
            "03-29 01:30, 03-30 01:30, 03-31 00:30"
        );
        assert_eq!(
            berlin(":15", "2031-03-30T00:00:00Z", 3),
            "03-30 00:15, 03-30 01:15, 03-30 02:15"
        );
        // 2031-10-26, 02:00 to 03:00 comes twice.
        assert_eq!(
            berlin("02:30", "2031-10-25T12:00:00Z", 2),
            "10-26 00:30, 10-27 01:30"
        );
        assert_eq!(
            berlin(":15", "2031-10-26T00:00:00Z", 3),
            "10-26 00:15, 10-26 01:15, 10-26 02:15"
        );
        // 02:00 on 2031-10-05 becomes 02:30, in UTC 15:30 of the day before.
        assert_eq!(
            next(":15", LORD_HOWE, "2031-10-04T14:00:00Z", 4),
            "10-04 14:45, 10-04 16:15, 10-04 17:15, 10-04 18:15"
        );
    }

    /// Near the last time that can be written there is no next one, and no endless search.
    #[test]
    fn the_end_of_time() {
        assert_eq!(calendar("03:30", "UTC0").next(Wall::MAX), None);
        assert_eq!(calendar(":15", "UTC0").next(Wall::MAX), None);
        let epoch = Wall::new(0).unwrap();
        assert!(calendar("03:30", BERLIN).next(epoch).is_some());
    }
}
