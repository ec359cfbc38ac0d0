//! The unit that numbers are learned in: near zero, and about as large as one.

/// A number is learned as `(x - center) / scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    pub center: f64,
    pub scale: f64,
}

impl Unit {
    pub const ITSELF: Self = Self { center: 0.0, scale: 1.0 };

    /// Mean and population standard deviation.
    pub fn standard(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n = values.clone().count().max(1) as f64;
        let mean = values.clone().sum::<f64>() / n;
        let variance = values.map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        Self::of_moments(mean, variance, n)
    }

    /// Of `n` numbers; 1 in place of a deviation that is only rounding.
    pub fn of_moments(mean: f64, variance: f64, n: f64) -> Self {
        let rounding = (n * mean * f64::EPSILON).powi(2);
        Self { center: mean, scale: if variance > rounding { variance.sqrt() } else { 1.0 } }
    }

    pub fn learned(self, value: f64) -> f64 {
        (value - self.center) / self.scale
    }

    /// What a learned number means.
    pub fn value(self, learned: f64) -> f64 {
        learned * self.scale + self.center
    }
}
