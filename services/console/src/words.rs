//! Numbers, sizes and times as people read them.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Timestamp;
use maud::{Markup, html};

/// Four digits that matter, and no more zeros than there are.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    if value == value.trunc() && size < 1e6 {
        return format!("{value}");
    }
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        return format!("{value:.2e}");
    }
    let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// With a blank between thousands.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            // a narrow blank that does not break
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// So many of something that has its plural with an s.
pub(crate) fn many(value: impl Into<u64>, what: &str) -> String {
    let value = value.into();
    let end = if value == 1 { "" } else { "s" };
    format!("{} {what}{end}", count(value))
}

/// So many characters of it at most, and a sign that there is more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

pub(crate) fn bytes(value: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut size, mut unit) = (value as f64, 0);
    while size >= 1024.0 && unit + 1 < units.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    let digits = usize::from(unit > 0 && size < 100.0);
    format!("{size:.digits$} {}", units[unit])
}

pub(crate) fn percent(share: f64) -> String {
    let share = share * 100.0;
    if share > 0.0 && share < 0.1 {
        "<0.1 %".to_owned()
    } else {
        format!("{} %", number((share * 10.0).round() / 10.0))
    }
}

pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3_600 % 24),
    }
}

/// How long ago, with the exact time for who points at it and for programs.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let since = now - at;
    let text = if since < TimeDelta::seconds(5) && since > TimeDelta::seconds(-5) {
        "just now".to_owned()
    } else if since < TimeDelta::zero() {
        format!("in {}", duration(-since.num_seconds() as f64))
    } else if since < TimeDelta::days(1) {
        format!("{} ago", coarse(since))
    } else {
        at.format("%F %H:%M").to_string()
    };
    when(at, &text)
}

pub(crate) fn moment(at: Timestamp) -> Markup {
    when(at, &at.format("%F %H:%M:%S").to_string())
}

fn when(at: DateTime<Utc>, text: &str) -> Markup {
    html! {
        time datetime=(at.format("%FT%TZ")) title=(at.format("%F %H:%M:%S UTC")) { (text) }
    }
}

fn coarse(since: TimeDelta) -> String {
    match since.num_seconds() {
        s @ ..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}

/// A name of the API as people would write it: `max_running_jobs` as "max running jobs".
pub(crate) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let all = [0.0, 1.0, 0.98246, 17.99, 12345.678, 1e9, 0.00012, -3.5, f64::NAN];
        let texts = all.map(number);
        assert_eq!(texts, ["0", "1", "0.9825", "17.99", "12346", "1.00e9", "1.20e-4", "-3.5", "–"]);
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!([bytes(12), bytes(1536), bytes(5 << 30)], ["12 B", "1.5 KiB", "5.0 GiB"]);
        assert_eq!([percent(0.5), percent(0.0004), percent(0.1234)], ["50 %", "<0.1 %", "12.3 %"]);
        assert_eq!(
            [duration(4.2), duration(61.0), duration(7_260.0)],
            ["4 s", "1 min 1 s", "2 h 1 min"]
        );
    }
}
