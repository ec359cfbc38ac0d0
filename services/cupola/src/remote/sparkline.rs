//! A series of numbers as a line of blocks: ▇▅▄▃▂▁▁

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// From the lowest to the highest that there is. A series longer than `width` is shown in as many
/// pieces, each by its mean; what is not finite is left out.
pub fn sparkline(series: &[f64], width: usize) -> String {
    let finite: Vec<f64> = series.iter().copied().filter(|value| value.is_finite()).collect();
    let pieces = finite.len().min(width);
    let piece = |place: usize| {
        let (from, to) = (place * finite.len() / pieces, (place + 1) * finite.len() / pieces);
        finite[from..to].iter().sum::<f64>() / (to - from) as f64
    };
    let means: Vec<f64> = (0..pieces).map(piece).collect();
    let lowest = means.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = highest - lowest;
    let top = (BLOCKS.len() - 1) as f64;
    let block = |mean: &f64| match span > 0.0 && span.is_finite() {
        true => BLOCKS[((mean - lowest) / span * top).round() as usize],
        false => BLOCKS[0],
    };
    means.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_loss_falls() {
        assert_eq!(sparkline(&[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 20), "█▇▆▅▄▃▂▁");
        assert_eq!(sparkline(&[1.0, 0.0], 20), "█▁");
    }

    #[test]
    fn a_long_series_is_as_wide_as_there_is_room() {
        let long: Vec<f64> = (0..1_000).map(f64::from).collect();
        let line = sparkline(&long, 16);
        assert_eq!(line.chars().count(), 16);
        assert!(line.starts_with('▁') && line.ends_with('█'), "{line}");
        assert_eq!(sparkline(&[0.0, 2.0, 4.0, 4.0, 4.0], 2).chars().count(), 2);
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        assert_eq!(sparkline(&[], 8), "");
        assert_eq!(sparkline(&[1.0], 0), "");
        assert_eq!(sparkline(&[f64::NAN, 2.0, f64::INFINITY], 8), "▁");
        assert_eq!(sparkline(&[3.0, 3.0, 3.0], 8), "▁▁▁");
        assert_eq!(sparkline(&[f64::MAX, f64::MIN], 8), "▁▁");
    }
}
