//! Operations by hand against the tensor library's own, at sizes that fill no vector.

use burn::{
    backend::Dispatch,
    tensor::{Device, Tensor, activation::softmax},
};

use super::{assert_near, backward, learned, numbers, tensor, wave};
use crate::attention::{kernel::View, layer_norm, ops::Fused};

fn attend([query, key, value]: [Tensor<3>; 3], view: View) -> Tensor<3> {
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as Fused>::attend(query, key, value, view))
}

/// `softmax(Q K' / sqrt(d)) V` ("Attention is all you need", 3.2) in plain operations.
fn plain([query, key, value]: [Tensor<3>; 3], view: &View) -> Tensor<3> {
    let ([batch, queries, width], [_, keys, _]) = (query.dims(), key.dims());
    let (heads, head) = (view.heads, width / view.heads);
    let device = query.device();
    let split = |x: Tensor<3>, time| x.reshape([batch, time, heads, head]).swap_dims(1, 2);
    let scores = split(query, queries).matmul(split(key, keys).swap_dims(2, 3));
    let mut mask = vec![];
    for b in 0..batch {
        let length = view.lengths.as_ref().map_or(keys, |lengths| lengths[b]);
        for i in 0..queries {
            let last = if view.causal { keys - queries + i } else { keys };
            mask.extend((0..keys).map(|j| if j < length && j <= last { 0.0 } else { -1e9 }));
        }
    }
    let mask = tensor(mask, [batch, 1, queries, keys], &device);
    let shares = softmax(scores / (head as f64).sqrt() + mask, 3);
    let seen = shares.matmul(split(value, keys));
    seen.swap_dims(1, 2).reshape([batch, queries, width])
}

fn inputs(batch: usize, queries: usize, keys: usize, width: usize) -> [Tensor<3>; 3] {
    let device = Device::flex().autodiff();
    [(1.0, queries), (2.0, keys), (3.0, keys)].map(|(phase, time)| {
        let shape = [batch, time, width];
        learned(wave(shape, phase, 1.7, 1.5), shape, &device)
    })
}

#[test]
fn attention_and_its_gradients_are_those_of_plain_operations() {
    // Batch, queries, keys, heads, width of a head, causal, lengths.
    let cases = [
        (1, 1, 1, 1, 1, true, None),
        (2, 5, 5, 2, 4, false, None),
        (2, 17, 17, 3, 5, true, None),
        (3, 33, 33, 2, 16, false, Some(vec![33, 1, 16])),
        (2, 40, 40, 1, 20, true, Some(vec![40, 7])),
        (1, 3, 21, 2, 8, true, None),
        (1, 64, 64, 4, 32, true, None),
    ];
    for (batch, queries, keys, heads, head, causal, lengths) in cases {
        let view = View { heads, causal, lengths };
        let inputs = inputs(batch, queries, keys, heads * head);
        let expected = plain(inputs.clone(), &view);
        let got = attend(inputs.clone(), view);
        assert_near(&numbers(got.clone()), &numbers(expected.clone()), 3e-6);
        let (got, expected) = (backward(got), backward(expected));
        for input in &inputs {
            let [got, expected] = [&got, &expected].map(|g| numbers(input.grad(g).unwrap()));
            assert_near(&got, &expected, 1e-5);
        }
    }
}

#[test]
fn who_sees_nothing_gets_zeros_and_passes_no_gradient() {
    let inputs = inputs(2, 3, 3, 4);
    let view = View { heads: 2, causal: false, lengths: Some(vec![0, 3]) };
    let output = attend(inputs.clone(), view);
    let values = numbers(output.clone());
    assert!(values[..12].iter().all(|x| *x == 0.0));
    assert!(values[12..].iter().all(|x| x.is_finite() && *x != 0.0));
    let grads = backward(output);
    for input in inputs {
        let grad = numbers(input.grad(&grads).unwrap());
        assert!(grad[..12].iter().all(|x| *x == 0.0) && grad[12..].iter().all(|x| *x != 0.0));
    }
}

#[test]
fn layer_norm_and_its_gradients_are_those_of_plain_operations() {
    let device = Device::flex().autodiff();
    for (rows, width) in [(1, 1), (3, 7), (5, 16), (150, 35)] {
        let x = learned(wave([rows, width], 0.3, 1.1, 3.0), [rows, width], &device);
        let gamma = learned(wave([width], 1.0, 0.7, 1.0), [width], &device);
        let beta = learned(wave([width], 2.0, 0.7, 1.0), [width], &device);
        let centred = x.clone() - x.clone().mean_dim(1);
        let deviation = ((centred.clone() * centred.clone()).mean_dim(1) + 1e-3).sqrt();
        let plain = centred / deviation * gamma.clone().unsqueeze() + beta.clone().unsqueeze();
        let fused = layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-3);
        assert_near(&numbers(fused.clone()), &numbers(plain.clone()), 2e-6);
        let (fused, plain) = (backward(fused), backward(plain));
        let [got, expected] = [&fused, &plain].map(|g| numbers(x.grad(g).unwrap()));
        assert_near(&got, &expected, 1e-5);
        for vector in [gamma, beta] {
            let [got, expected] = [&fused, &plain].map(|g| numbers(vector.grad(g).unwrap()));
            assert_near(&got, &expected, 1e-5);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let made = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let inputs = inputs(5, 30, 30, 24);
            let view = View { heads: 3, causal: true, lengths: None };
            let y = attend(inputs.clone(), view).reshape([150, 24]);
            let device = y.device();
            let gamma = learned(wave([24], 1.0, 0.7, 1.0), [24], &device);
            let y = layer_norm(y, gamma.clone(), gamma.clone(), 1e-5);
            let grads = backward(y.clone());
            let [a, b, c] = inputs.map(|input| numbers(input.grad(&grads).unwrap()));
            [numbers(y), a, b, c, numbers(gamma.grad(&grads).unwrap())]
        })
    });
    assert_eq!(made[0], made[1]);
}
