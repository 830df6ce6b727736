//! A moment as the reference writes it in `dump`. Always in universal time; a reference server uses its own time zone.

const DAY_MS: i64 = 86_400_000;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Tue Nov 24 13:06:23 UTC 2026`, of milliseconds since the Unix epoch.
pub(super) fn date(unix_ms: i64) -> String {
    let (day, of_day_s) = (unix_ms.div_euclid(DAY_MS), unix_ms.rem_euclid(DAY_MS) / 1000);
    // Years begin in March here, so that the leap day is a year's last.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    let year = era * 400 + year_of_era + i64::from(month < 2);
    format!(
        "{} {} {of_month:02} {:02}:{:02}:{:02} UTC {year}",
        named(&WEEKDAYS, day),
        named(&MONTHS, month),
        of_day_s / 3600,
        of_day_s / 60 % 60,
        of_day_s % 60
    )
}

fn named(names: &[&'static str], number: i64) -> &'static str {
    names.get(number.rem_euclid(names.len() as i64) as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (951_868_800_000, "Wed Mar 01 00:00:00 UTC 2000"),
            (1_709_164_799_000, "Wed Feb 28 23:59:59 UTC 2024"),
            (1_795_525_583_087, "Tue Nov 24 13:06:23 UTC 2026"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
        ];
        for (unix_ms, expected) in table {
            assert_eq!(date(unix_ms), expected);
        }
    }
}
