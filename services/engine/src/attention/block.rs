//! One block: self-attention, then a feed-forward network, each with a residual connection and layer
//! normalisation.

use burn::{backend::Dispatch, tensor::Tensor};
use domain::spec::{Activation, Transformer};

use super::{kernel::View, layer_norm, ops::Fused};
use crate::ops::{dense::dense, flex::tensor};

/// A kernel, inputs by outputs, and a bias.
pub(crate) type Affine = (Tensor<2>, Tensor<1>);
/// Gamma and beta.
pub(crate) type Norm = (Tensor<1>, Tensor<1>);

#[derive(Debug, Clone)]
pub(crate) struct BlockWeights {
    pub query: Affine,
    pub key: Affine,
    pub value: Affine,
    pub output: Affine,
    pub inner: Affine,
    pub outer: Affine,
    /// Of attention.
    pub norm_1: Norm,
    /// Of the feed-forward network.
    pub norm_2: Norm,
}

/// `x` is `[batch, time, width]`. Of each sequence, places from its length on are padding that no
/// other place sees. `masks` gives inverted dropout's factors for so many numbers, first for what
/// attention made, then for what the feed-forward network made ("Attention is all you need", 5.4).
pub(crate) fn block(
    x: Tensor<3>,
    weights: &BlockWeights,
    spec: &Transformer,
    causal: bool,
    lengths: Option<&[usize]>,
    masks: &mut dyn FnMut(usize) -> Option<Vec<f32>>,
) -> Tensor<3> {
    let heads = spec.num_heads as usize;
    let lengths = lengths.map(<[usize]>::to_vec);
    let [batch, _, width] = x.dims();
    assert_eq!(width % heads, 0, "the heads share the width evenly");
    assert!(lengths.as_ref().is_none_or(|l| l.len() == batch), "each sequence has its length");
    sublayers(x, weights, spec, masks, |[query, key, value]| {
        let view = View { heads, causal, lengths };
        Tensor::from_dispatch(<Dispatch as Fused>::attend(
            query.into_dispatch(),
            key.into_dispatch(),
            value.into_dispatch(),
            view,
        ))
    })
}

/// `attend` makes of queries, keys and values what each place gets to see.
pub(super) fn sublayers(
    x: Tensor<3>,
    weights: &BlockWeights,
    spec: &Transformer,
    masks: &mut dyn FnMut(usize) -> Option<Vec<f32>>,
    attend: impl FnOnce([Tensor<3>; 3]) -> Tensor<3>,
) -> Tensor<3> {
    let norm = |x, (gamma, beta): &Norm| {
        layer_norm(x, gamma.clone(), beta.clone(), spec.layer_norm_epsilon)
    };
    let attention = |x: Tensor<3>| {
        let inputs = [&weights.query, &weights.key, &weights.value];
        affine(attend(inputs.map(|weights| affine(x.clone(), weights))), &weights.output)
    };
    let feed_forward = |x| affine(dense_of(x, &weights.inner, spec.activation), &weights.outer);
    if spec.normalize_first {
        let x = x.clone() + dropped(attention(norm(x, &weights.norm_1)), masks);
        x.clone() + dropped(feed_forward(norm(x, &weights.norm_2)), masks)
    } else {
        let x = norm(x.clone() + dropped(attention(x), masks), &weights.norm_1);
        norm(x.clone() + dropped(feed_forward(x), masks), &weights.norm_2)
    }
}

fn affine(x: Tensor<3>, weights: &Affine) -> Tensor<3> {
    dense_of(x, weights, Activation::Linear)
}

/// All places in one product of two matrices.
fn dense_of(x: Tensor<3>, (kernel, bias): &Affine, activation: Activation) -> Tensor<3> {
    let [batch, time, width] = x.dims();
    let [_, units] = kernel.dims();
    let x = x.reshape([batch * time, width]);
    dense(x, kernel.clone(), Some(bias.clone()), activation).reshape([batch, time, units])
}

fn dropped(x: Tensor<3>, masks: &mut dyn FnMut(usize) -> Option<Vec<f32>>) -> Tensor<3> {
    let shape = x.dims();
    match masks(shape.iter().product()) {
        Some(mask) => {
            let mask = tensor(mask, shape, &x.device());
            x * mask
        }
        None => x,
    }
}
