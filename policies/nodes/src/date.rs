//! Times as people read them.

const DAY: u64 = 24 * 60 * 60;

/// A time in seconds since 1970, as `2026-02-14 00:00 UTC`.
pub(crate) fn date(seconds: u64) -> String {
    let (hour, minute) = (seconds % DAY / 3600, seconds % 3600 / 60);
    // Days since 0000-03-01, so that a leap day is the last of its year; then in eras of 400 years.
    let days = seconds / DAY + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + 400 * era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn a_date_is_the_calendars() {
        for (seconds, told) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_771_027_200, "2026-02-14 00:00 UTC"),
            (1_774_569_600, "2026-03-27 00:00 UTC"),
            (1_798_761_599, "2026-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(date(seconds), told);
        }
    }
}
