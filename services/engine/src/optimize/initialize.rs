//! How weights start: the initializers of Keras 3
//! (`keras/src/initializers/random_initializers.py`).

use domain::spec::Initializer;

use crate::{chance::Chance, ops::simd::vectorized};

/// The deviation of a standard normal distribution that is cut at two deviations.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;
/// Of `RandomUniform` the bound, of `RandomNormal` the deviation.
const SMALL: f64 = 0.05;
/// A vector that loses more of its length than this to earlier ones is drawn again: what is left of
/// it would be rounding.
const MIN_SHARE: f64 = 1e-6;

/// The numbers of a tensor of `shape`, whose units each see `fan_in` numbers and are seen by
/// `fan_out`. Glorot and Bengio (2010), equation 16; He and others (2015), equation 10; their
/// normal forms are cut at two deviations, as in Keras.
pub(crate) fn initial(
    initializer: Initializer,
    shape: &[usize],
    fan_in: usize,
    fan_out: usize,
    chance: &mut Chance,
) -> Vec<f32> {
    let glorot = 2.0 / (fan_in + fan_out).max(2) as f64;
    let he = 2.0 / fan_in.max(1) as f64;
    let size = shape.iter().product();
    let mut draw: Box<dyn FnMut() -> f32 + '_> = match initializer {
        Initializer::Zeros => return vec![0.0; size],
        Initializer::RandomUniform => Box::new(|| uniform(SMALL, chance)),
        Initializer::RandomNormal => Box::new(|| SMALL as f32 * chance.normal()),
        Initializer::GlorotUniform => Box::new(|| uniform((3.0 * glorot).sqrt(), chance)),
        Initializer::HeUniform => Box::new(|| uniform((3.0 * he).sqrt(), chance)),
        Initializer::GlorotNormal => Box::new(|| truncated_normal(glorot.sqrt(), chance)),
        Initializer::HeNormal => Box::new(|| truncated_normal(he.sqrt(), chance)),
    };
    (0..size).map(|_| draw()).collect()
}

fn uniform(bound: f64, chance: &mut Chance) -> f32 {
    (bound * (2.0 * f64::from(chance.unit()) - 1.0)) as f32
}

fn truncated_normal(deviation: f64, chance: &mut Chance) -> f32 {
    loop {
        let z = chance.normal();
        if z.abs() <= 2.0 {
            return (f64::from(z) * deviation / TRUNCATED_DEVIATION) as f32;
        }
    }
}

/// A matrix whose shorter side is orthonormal, uniformly distributed among all such (Saxe and
/// others, 2014; `keras.initializers.Orthogonal`), for recurrent kernels. It is the Q of the QR
/// decomposition of a Gaussian matrix with positive diagonal in R, by modified Gram and Schmidt
/// (Golub and Van Loan, 5.2.8).
pub(crate) fn orthogonal(rows: usize, columns: usize, chance: &mut Chance) -> Vec<f32> {
    let (length, count) = (rows.max(columns), rows.min(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| f64::from(chance.normal())).collect();
        let drawn = dot(&vector, &vector).sqrt();
        vectorized(
            #[inline(always)]
            || vectors.iter().for_each(|earlier| remove(earlier, &mut vector)),
        );
        let left = dot(&vector, &vector).sqrt();
        if left > MIN_SHARE * drawn {
            vector.iter_mut().for_each(|x| *x /= left);
            vectors.push(vector);
        }
    }
    if rows < columns {
        return vectors.iter().flatten().map(|&x| x as f32).collect();
    }
    (0..rows).flat_map(|row| vectors.iter().map(move |vector| vector[row] as f32)).collect()
}

/// Takes from `vector` its part along the unit vector `axis`.
#[inline(always)]
fn remove(axis: &[f64], vector: &mut [f64]) {
    let along = dot(axis, vector);
    for (x, a) in vector.iter_mut().zip(axis) {
        *x -= along * a;
    }
}

/// In eight sums side by side, which vector units can take at once.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Purpose;

    fn chance(index: u64) -> Chance {
        Chance::new(1, Purpose::Weights, index, 0)
    }

    /// Mean, standard deviation and largest distance from zero of a drawn [300, 200] kernel.
    fn moments(initializer: Initializer) -> (f64, f64, f64) {
        let values = initial(initializer, &[300, 200], 300, 200, &mut chance(0));
        assert_eq!(values.len(), 60_000);
        let values: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        (mean, variance.sqrt(), values.iter().fold(0.0, |most, x| x.abs().max(most)))
    }

    #[test]
    fn each_has_the_mean_deviation_and_bound_of_keras() {
        let glorot = (2.0f64 / 500.0).sqrt();
        let he = (2.0f64 / 300.0).sqrt();
        let root_3 = 3.0f64.sqrt();
        let cases = [
            (Initializer::RandomUniform, 0.05 / root_3, 0.05),
            (Initializer::RandomNormal, 0.05, 0.3),
            (Initializer::GlorotUniform, glorot, glorot * root_3),
            (Initializer::GlorotNormal, glorot, 2.0 * glorot / TRUNCATED_DEVIATION),
            (Initializer::HeUniform, he, he * root_3),
            (Initializer::HeNormal, he, 2.0 * he / TRUNCATED_DEVIATION),
        ];
        for (initializer, expected, bound) in cases {
            let (mean, deviation, most) = moments(initializer);
            // Four standard errors of the mean; the deviation's are smaller than a hundredth.
            assert!(mean.abs() < 4.0 * expected / 60_000f64.sqrt(), "{initializer:?}: {mean}");
            assert!((deviation / expected - 1.0).abs() < 0.01, "{initializer:?}: {deviation}");
            assert!(most <= bound * (1.0 + 1e-6), "{initializer:?}: {most}");
            let is_cut = initializer != Initializer::RandomNormal;
            assert!(!is_cut || most > 0.99 * bound, "{initializer:?}: {most}");
        }
        assert_eq!(moments(Initializer::Zeros), (0.0, 0.0, 0.0));
    }

    #[test]
    fn degenerate_shapes_are_no_trouble() {
        for initializer in [Initializer::GlorotUniform, Initializer::HeNormal] {
            assert!(initial(initializer, &[0, 5], 0, 5, &mut chance(0)).is_empty());
            let one = initial(initializer, &[1], 0, 0, &mut chance(0));
            assert!(one.len() == 1 && one[0].is_finite());
        }
        assert!(orthogonal(0, 5, &mut chance(0)).is_empty());
        assert_eq!(orthogonal(1, 1, &mut chance(0))[0].abs(), 1.0);
    }

    #[test]
    fn the_same_chance_gives_the_same_weights() {
        let draw = |index| orthogonal(8, 32, &mut chance(index));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    /// The largest entry of `Q Qᵀ - I` over the shorter side.
    fn defect(rows: usize, columns: usize) -> f64 {
        let q = orthogonal(rows, columns, &mut chance(3));
        let at = |i: usize, k: usize| match rows < columns {
            true => f64::from(q[i * columns + k]),
            false => f64::from(q[k * columns + i]),
        };
        let (length, count) = (rows.max(columns), rows.min(columns));
        let mut worst = 0.0f64;
        for i in 0..count {
            for j in 0..=i {
                let product: f64 = (0..length).map(|k| at(i, k) * at(j, k)).sum();
                let expected = if i == j { 1.0 } else { 0.0 };
                worst = worst.max((product - expected).abs());
            }
        }
        worst
    }

    #[test]
    fn orthogonal_kernels_are_orthonormal() {
        for (rows, columns) in [(64, 256), (256, 64), (100, 100), (3, 5), (1, 4), (4, 1)] {
            let defect = defect(rows, columns);
            assert!(defect < 2e-7, "{rows}x{columns}: {defect}");
        }
    }

    /// A sign left to the decomposition would show in the trace, whose mean over uniformly
    /// distributed matrices is 0 and its variance 1 (Diaconis and Shahshahani, 1994).
    #[test]
    fn orthogonal_kernels_are_uniformly_distributed() {
        let traces: Vec<f64> = (0..1_000)
            .map(|index| {
                let q = orthogonal(4, 4, &mut chance(index));
                (0..4).map(|i| f64::from(q[5 * i])).sum()
            })
            .collect();
        let mean = traces.iter().sum::<f64>() / 1_000.0;
        let square = traces.iter().map(|t| t * t).sum::<f64>() / 1_000.0;
        assert!(mean.abs() < 0.13, "{mean}");
        assert!((square - 1.0).abs() < 0.2, "{square}");
    }
}
