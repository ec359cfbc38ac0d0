//! The rating of a pair from learned vectors: matrix factorisation and two towers.
//!
//! The vectors and biases at place 0 belong to users and items that were not in training. Whatever
//! they hold counts as zero, so an unknown user gets the item's mean rating and has no gradient.

use burn::tensor::{Int, Tensor, activation};

/// One row for each place; `mean` is the overall mean, a bias of all pairs.
#[derive(Debug, Clone)]
pub(crate) struct FactorWeights {
    /// [users, dim]
    pub user_vectors: Tensor<2>,
    /// [items, dim]
    pub item_vectors: Tensor<2>,
    /// [users]
    pub user_bias: Tensor<1>,
    /// [items]
    pub item_bias: Tensor<1>,
    /// [1]
    pub mean: Tensor<1>,
}

/// Dense layers over a vector: kernel [inputs, units] and bias [units] of each.
pub(crate) type Tower = [(Tensor<2>, Tensor<1>)];

/// `mean + user bias + item bias + user vector · item vector` (Koren, Bell and Volinsky, "Matrix
/// factorization techniques for recommender systems", 2009), [n, 1], of the vectors that the dense
/// layers make: relu between them and none after the last, since a product of numbers that are never
/// below zero could only raise a rating. Towers without layers leave a matrix factorisation.
pub(crate) fn two_tower(
    users: Tensor<1, Int>,
    items: Tensor<1, Int>,
    weights: &FactorWeights,
    user_tower: &Tower,
    item_tower: &Tower,
) -> Tensor<2> {
    let side = |places: Tensor<1, Int>, vectors: &Tensor<2>, bias: &Tensor<1>, tower: &Tower| {
        let known = places.clone().greater_elem(0).float().unsqueeze_dim::<2>(1);
        let bias = bias.clone().select(0, places.clone()).unsqueeze_dim::<2>(1);
        let mut x = vectors.clone().select(0, places);
        for (i, (kernel, bias)) in tower.iter().enumerate() {
            if i > 0 {
                x = activation::relu(x);
            }
            x = x.matmul(kernel.clone()) + bias.clone().unsqueeze();
        }
        (x * known.clone(), bias * known)
    };
    let (user, user_bias) = side(users, &weights.user_vectors, &weights.user_bias, user_tower);
    let (item, item_bias) = side(items, &weights.item_vectors, &weights.item_bias, item_tower);
    (user * item).sum_dim(1) + user_bias + item_bias + weights.mean.clone().unsqueeze()
}
