//! Numbers as a sentence has them.

/// Four digits that matter.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.2e}");
    }
    let digits = if size >= 1.0 { 3 } else { 4 };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text.as_str()
    };
    text.to_owned()
}

pub(crate) fn percent(share: f64) -> String {
    format!("{} %", number((share * 1_000.0).round() / 10.0))
}

/// With its plural.
pub(crate) fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(crate) fn named(columns: &[&str]) -> String {
    let quoted: Vec<_> = columns.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.25, 0.123_456, 12.345_678, 2.5e9, 1.5e-5, -3.0].map(number);
        assert_eq!(shown, ["0", "0.25", "0.1235", "12.346", "2.50e9", "1.50e-5", "-3"]);
        assert_eq!([percent(0.5), percent(0.0333)], ["50 %", "3.3 %"]);
    }
}
