//! The time of a log entry: the wall clock in the local time zone, as RFC 3339
//! writes it.
//!
//! Called once per entry of the supervisor's and once per read of a child's
//! output. It allocates nothing and never fails.

use std::time::{SystemTime, UNIX_EPOCH};

use super::block::Block;
use crate::config::logging::Format;

/// A moment as a calendar and a clock on the wall show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) year: i32,
    /// 1 to 12.
    pub(crate) month: i32,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    pub(crate) nanosecond: u32,
    /// Seconds east of UTC.
    pub(crate) offset: i32,
}

impl Moment {
    /// Now, in the time zone of the environment (`TZ`, else `/etc/localtime`).
    pub(crate) fn now() -> Self {
        Self::at(SystemTime::now())
    }

    /// That time, in the same zone.
    pub(crate) fn at(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        // SAFETY: `tm` consists of integers and a pointer that nobody follows;
        // all zeroes are valid for it.
        let mut tm: libc::tm = unsafe { std::mem::zeroed() };
        // A time_t; its name is deprecated for some targets until it has 64
        // bits on all of them.
        let seconds = since_epoch.as_secs() as _;
        // SAFETY: both pointers are valid for the call. It reads `TZ`, which is
        // sound because nothing in this program changes its own environment.
        let converted = unsafe { libc::localtime_r(&raw const seconds, &raw mut tm) };
        if converted.is_null() {
            // Only a year beyond an i32 gets here.
            return Self::EPOCH;
        }
        Self {
            year: tm.tm_year.saturating_add(1900),
            month: tm.tm_mon + 1,
            day: tm.tm_mday,
            hour: tm.tm_hour,
            minute: tm.tm_min,
            second: tm.tm_sec,
            nanosecond: since_epoch.subsec_nanos(),
            offset: tm.tm_gmtoff as i32,
        }
    }

    const EPOCH: Self = Self {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        offset: 0,
    };

    /// Appends the time as `format` shows it: with whole seconds in the text
    /// format, which is what logrus does, else with all nine digits of the
    /// nanoseconds, so that entries sort and stand in columns.
    pub(crate) fn write(&self, format: Format, out: &mut Block) {
        self.write_date_and_clock(out);
        if format != Format::Text {
            out.push(b'.');
            push_padded(out, self.nanosecond, 9);
        }
        self.write_offset(out);
    }

    fn write_date_and_clock(&self, out: &mut Block) {
        let fields = [
            (self.year, 4, b'-'),
            (self.month, 2, b'-'),
            (self.day, 2, b'T'),
            (self.hour, 2, b':'),
            (self.minute, 2, b':'),
            (self.second, 2, 0),
        ];
        for (value, width, separator) in fields {
            push_padded(out, value.unsigned_abs(), width);
            if separator != 0 {
                out.push(separator);
            }
        }
    }

    /// `Z` for UTC, else `+hh:mm` or `-hh:mm`.
    fn write_offset(&self, out: &mut Block) {
        let minutes = self.offset / 60;
        if minutes == 0 {
            out.push(b'Z');
            return;
        }
        out.push(if minutes < 0 { b'-' } else { b'+' });
        let minutes = minutes.unsigned_abs();
        push_padded(out, minutes / 60, 2);
        out.push(b':');
        push_padded(out, minutes % 60, 2);
    }
}

/// Appends `value` in decimal, with zeroes in front up to `width` digits.
pub(crate) fn push_padded(out: &mut Block, value: u32, width: u32) {
    let mut divisor = 10_u32.saturating_pow(width.saturating_sub(1));
    while value / divisor >= 10 {
        divisor = divisor.saturating_mul(10);
    }
    while divisor > 0 {
        out.push(b'0' + (value / divisor % 10) as u8);
        divisor /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(moment: &Moment, format: Format) -> String {
        let mut out = Block::default();
        moment.write(format, &mut out);
        String::from_utf8_lossy(out.as_slice()).into_owned()
    }

    const MOMENT: Moment = Moment {
        year: 2026,
        month: 1,
        day: 2,
        hour: 3,
        minute: 4,
        second: 5,
        nanosecond: 123_456_789,
        offset: 0,
    };

    #[test]
    fn times_are_rfc3339_in_the_zone_of_the_moment() {
        let cases = [
            (MOMENT, "2026-01-02T03:04:05.123456789Z"),
            (
                Moment {
                    nanosecond: 120_000_000,
                    offset: 5400 + 3600,
                    ..MOMENT
                },
                "2026-01-02T03:04:05.120000000+02:30",
            ),
            (
                Moment {
                    month: 12,
                    day: 31,
                    nanosecond: 0,
                    offset: -(4 * 3600),
                    ..MOMENT
                },
                "2026-12-31T03:04:05.000000000-04:00",
            ),
            (
                Moment {
                    year: 12026,
                    nanosecond: 7,
                    offset: -30,
                    ..MOMENT
                },
                "12026-01-02T03:04:05.000000007Z",
            ),
        ];
        for (moment, expected) in cases {
            assert_eq!(shown(&moment, Format::Default), expected);
            assert_eq!(shown(&moment, Format::Json), expected);
        }
    }

    #[test]
    fn the_text_format_shows_whole_seconds() {
        assert_eq!(shown(&MOMENT, Format::Text), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn a_moment_names_the_same_instant_as_the_system_clock() {
        let moment = Moment::at(UNIX_EPOCH + std::time::Duration::new(951_782_400 + 61, 5));
        // 2000-02-29T00:00:00Z and 61 seconds.
        let of_day = moment.hour * 3600 + moment.minute * 60 + moment.second;
        assert_eq!((of_day - moment.offset).rem_euclid(86_400), 61);
        assert_eq!((moment.year, moment.nanosecond), (2000, 5));
    }

    #[test]
    fn numbers_grow_beyond_their_padding() {
        for (value, width, expected) in [
            (0, 1, "0"),
            (7, 3, "007"),
            (1234, 2, "1234"),
            (10, 2, "10"),
            (u32::MAX, 1, "4294967295"),
        ] {
            let mut out = Block::default();
            push_padded(&mut out, value, width);
            assert_eq!(String::from_utf8_lossy(out.as_slice()), expected);
        }
    }
}
