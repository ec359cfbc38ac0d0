//! Where in a sequence a place is, as numbers that are added to its vector.

/// `sin(place / 10000^(2i / width))` at `2i` and its cosine at `2i + 1`, one row a place ("Attention is
/// all you need", section 3.5).
pub fn sinusoidal(length: usize, width: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(length * width);
    for place in 0..length {
        for i in 0..width {
            let even = (i - i % 2) as f64;
            let angle = place as f64 / 10_000_f64.powf(even / width as f64);
            rows.push(if i % 2 == 0 { angle.sin() } else { angle.cos() } as f32);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_by_waves_of_growing_length() {
        let rows = sinusoidal(3, 4);
        // By hand: angles 0, 1, 2 for the first pair and a hundredth of them for the second.
        let expected = [
            [0.0, 1.0, 0.0, 1.0],
            [0.841_471, 0.540_302_3, 0.009_999_833, 0.999_95],
            [0.909_297_4, -0.416_146_84, 0.019_998_666, 0.999_8],
        ];
        for (got, expected) in rows.iter().zip(expected.as_flattened()) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
        assert_eq!(sinusoidal(2, 3).len(), 6);
        assert!(sinusoidal(0, 4).is_empty());
    }
}
