//! After how many steps a series repeats itself, told by how far its times lie apart.

use chrono::{NaiveDate, NaiveDateTime};
use domain::dataset::ColumnProfile;

/// What is between two steps, and how many of them make a season.
pub(crate) struct Season {
    pub step: &'static str,
    pub steps: u32,
    pub of: &'static str,
}

/// None where the profile lists no values, or they are neither hours, days nor months apart.
pub(crate) fn of(time: &ColumnProfile) -> Option<Season> {
    let mut times: Vec<_> =
        time.values.as_ref()?.iter().map(|value| parsed(&value.value)).collect::<Option<_>>()?;
    times.sort_unstable();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| gap.num_seconds() > 0);
    let hours = gap.min()?.num_hours();
    match hours {
        1 => Some(Season { step: "hours", steps: 24, of: "a day" }),
        24 => Some(Season { step: "days", steps: 7, of: "a week" }),
        168 => Some(Season { step: "weeks", steps: 52, of: "a year" }),
        // the shortest month
        672..=744 => Some(Season { step: "months", steps: 12, of: "a year" }),
        _ => None,
    }
}

fn parsed(text: &str) -> Option<NaiveDateTime> {
    let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let time = text.trim_end_matches('Z').replace(' ', "T");
    NaiveDateTime::parse_from_str(&time, "%Y-%m-%dT%H:%M:%S")
        .ok()
        .or_else(|| day(text)?.and_hms_opt(0, 0, 0))
        .or_else(|| day(&format!("{text}-01"))?.and_hms_opt(0, 0, 0))
}

#[cfg(test)]
mod tests {
    use domain::dataset::{ColumnType, ValueCount};

    use super::*;

    fn of_values(values: &[&str]) -> Option<u32> {
        let value = |text: &&str| ValueCount { value: (*text).to_owned(), rows: 1 };
        let column = ColumnProfile {
            name: "when".into(),
            kind: ColumnType::Date,
            missing: 0,
            infinite: 0,
            distinct: values.len() as u64,
            distinct_is_exact: true,
            min: None,
            mean: None,
            max: None,
            values: Some(values.iter().map(value).collect()),
            chars: None,
            image: None,
        };
        of(&column).map(|season| season.steps)
    }

    #[test]
    fn the_step_tells_the_season() {
        assert_eq!(of_values(&["2026-03", "2026-01", "2026-02"]), Some(12));
        assert_eq!(of_values(&["2026-01-05", "2026-01-01", "2026-01-02"]), Some(7));
        assert_eq!(of_values(&["2026-01-01T01:00:00Z", "2026-01-01T00:00:00Z"]), Some(24));
        assert_eq!(of_values(&["2026-01-01", "2026-01-08"]), Some(52));
        assert_eq!(of_values(&["2026-01-01", "2027-01-01"]), None);
        assert_eq!(of_values(&["soon", "later"]), None);
        assert_eq!(of_values(&["2026-01-01"]), None);
    }
}
