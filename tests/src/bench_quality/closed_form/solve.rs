//! The best linear models: least squares by the normal equations, and logistic regression by Newton's
//! method (iteratively reweighted least squares; Hastie, Tibshirani and Friedman, "The Elements of
//! Statistical Learning", 4.4.1).

use anyhow::{Context, ensure};

use super::{Matrix, dot};

/// Makes the equations solvable where columns depend on each other, as all categories of a one-hot
/// column and the bias do; predictions stay as they are, up to this share.
const RIDGE: f64 = 1e-10;
const NEWTON_STEPS: usize = 100;
/// Of a step of Newton's method, below which it has arrived.
const TINY: f64 = 1e-10;
/// Of a loss; smaller differences say nothing.
const ROUNDING: f64 = 1e-12;

/// Of the mean squared error.
pub fn least_squares(inputs: &Matrix, targets: &[f64]) -> anyhow::Result<Vec<f64>> {
    let n = inputs.width;
    let mut gram = vec![0.0; n * n];
    let mut right = vec![0.0; n];
    let share = 1.0 / targets.len() as f64;
    for (row, target) in inputs.rows().zip(targets) {
        add_square(&mut gram, row, share);
        right.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * target * share);
    }
    solve(&gram, &right)
}

/// Of the mean cross-entropy plus `l2` times the sum of squares of the kernel, without the bias.
pub fn logistic(inputs: &Matrix, targets: &[f64], l2: f64) -> anyhow::Result<Vec<f64>> {
    ensure!(l2 > 0.0, "without a penalty there may be no best logistic regression");
    let n = inputs.width;
    let share = 1.0 / targets.len() as f64;
    let mut weights = vec![0.0; n];
    for _ in 0..NEWTON_STEPS {
        let mut hessian = vec![0.0; n * n];
        let mut gradient = vec![0.0; n];
        for (row, target) in inputs.rows().zip(targets) {
            let p = sigmoid(dot(row, &weights));
            add_square(&mut hessian, row, p * (1.0 - p) * share);
            gradient.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * (p - target) * share);
        }
        for i in 0..n - 1 {
            hessian[i * n + i] += 2.0 * l2;
            gradient[i] += 2.0 * l2 * weights[i];
        }
        let step = solve(&hessian, &gradient)?;
        // halved until the loss falls: far from the optimum a whole step can overshoot
        let before = loss(inputs, targets, l2, &weights);
        let mut size = 1.0;
        let mut next = moved(&weights, &step, size);
        while loss(inputs, targets, l2, &next) > before + ROUNDING && size > TINY {
            size /= 2.0;
            next = moved(&weights, &step, size);
        }
        weights = next;
        if step.iter().all(|step| step.abs() < TINY) {
            return Ok(weights);
        }
    }
    anyhow::bail!("Newton's method has not arrived after {NEWTON_STEPS} steps")
}

fn moved(weights: &[f64], step: &[f64], size: f64) -> Vec<f64> {
    weights.iter().zip(step).map(|(weight, step)| weight - size * step).collect()
}

fn loss(inputs: &Matrix, targets: &[f64], l2: f64, weights: &[f64]) -> f64 {
    // log(1 + e^z) - t z, without overflow
    let row_loss = |(row, target): (&[f64], &f64)| {
        let z = dot(row, weights);
        z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
    };
    let mean = inputs.rows().zip(targets).map(row_loss).sum::<f64>() / targets.len() as f64;
    let kernel = &weights[..weights.len() - 1];
    mean + l2 * dot(kernel, kernel)
}

pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Adds `factor * row rowᵀ`.
fn add_square(matrix: &mut [f64], row: &[f64], factor: f64) {
    for (line, x) in matrix.chunks_exact_mut(row.len()).zip(row) {
        line.iter_mut().zip(row).for_each(|(cell, y)| *cell += factor * x * y);
    }
}

/// `(A + RIDGE) x = b` by Cholesky's decomposition; `A` is symmetric and not negative.
fn solve(a: &[f64], b: &[f64]) -> anyhow::Result<Vec<f64>> {
    let n = b.len();
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let known = dot(&lower[i * n..i * n + j], &lower[j * n..j * n + j]);
            let ridge = if i == j { RIDGE } else { 0.0 };
            let rest = a[i * n + j] + ridge - known;
            lower[i * n + j] = if i == j {
                (rest > 0.0).then(|| rest.sqrt()).context("the equations have no solution")?
            } else {
                rest / lower[j * n + j]
            };
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let known = dot(&lower[i * n..i * n + i], &x[..i]);
        x[i] = (x[i] - known) / lower[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| lower[j * n + i] * x[j]).sum();
        x[i] = (x[i] - known) / lower[i * n + i];
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [[f64; 2]; 8] = [
        [0.5, 1.0],
        [-1.0, 0.3],
        [2.0, -0.7],
        [-0.4, -1.2],
        [1.1, 0.9],
        [-1.5, 0.2],
        [0.1, -0.6],
        [0.8, 0.4],
    ];

    fn points() -> Matrix {
        Matrix::new(3, POINTS.iter().flat_map(|&[x, y]| [x, y, 1.0]).collect())
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }

    /// Expected: scikit-learn's `LinearRegression` on these points.
    #[test]
    fn least_squares_are_those_of_scikit_learn() {
        let targets = [1.2, -0.3, 2.9, 0.4, 2.2, -1.1, 0.7, 1.5];
        let weights = least_squares(&points(), &targets).unwrap();
        assert_close(&weights, &[1.127_978_16, 0.015_299_73, 0.711_330_63]);
    }

    /// Expected: scikit-learn's `LogisticRegression(C=1 / (2 * 8 * 0.01), tol=1e-12)`.
    #[test]
    fn logistic_regression_is_that_of_scikit_learn() {
        let targets = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
        let weights = logistic(&points(), &targets, 0.01).unwrap();
        assert_close(&weights, &[1.615_172_01, 0.196_189_16, -0.354_419_29]);
    }

    #[test]
    fn columns_that_depend_on_each_other_still_have_a_best_prediction() {
        // two categories and the bias
        let inputs = Matrix::new(3, vec![1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
        let weights = least_squares(&inputs, &[1.0, 2.0, 4.0]).unwrap();
        let found: Vec<f64> = inputs.rows().map(|row| dot(row, &weights)).collect();
        assert_close(&found, &[1.0, 3.0, 3.0]);
    }
}
