//! Layers on a user and an item.

use burn::tensor::{Int, Tensor, TensorData};
use domain::spec::Layer;

use super::Pass;
use crate::ratings::{self, FactorWeights};

pub(super) fn apply(layer: &Layer, users: Vec<i32>, items: Vec<i32>, pass: &mut Pass) -> Tensor<2> {
    let depth = match layer {
        Layer::MatrixFactorization { .. } => 0,
        Layer::TwoTower { units, .. } => units.len(),
        layer => unreachable!("shapes are checked: {} reads no pairs", layer.name()),
    };
    let (user_vectors, user_bias, user_tower) = side("user", depth, pass);
    let (item_vectors, item_bias, item_tower) = side("item", depth, pass);
    let mean = pass.weight("mean");
    let weights = FactorWeights { user_vectors, item_vectors, user_bias, item_bias, mean };
    let places = |ids: Vec<i32>| {
        let rows = ids.len();
        Tensor::<1, Int>::from_data(TensorData::new(ids, [rows]), &pass.device)
    };
    ratings::two_tower(places(users), places(items), &weights, &user_tower, &item_tower)
}

/// Vectors, biases, and the dense layers of the tower.
type Side = (Tensor<2>, Tensor<1>, Vec<(Tensor<2>, Tensor<1>)>);

fn side(name: &str, depth: usize, pass: &mut Pass) -> Side {
    let vectors = pass.weight(&format!("{name}.embeddings"));
    let biases = pass.weight(&format!("{name}.biases"));
    let mut dense = |i| {
        let name = format!("{name}.tower.{i}");
        (pass.weight(&format!("{name}.kernel")), pass.weight(&format!("{name}.bias")))
    };
    (vectors, biases, (0..depth).map(&mut dense).collect())
}
