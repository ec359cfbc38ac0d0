//! The network at rows that change by degrees, which only numbers can: a table's inputs, or the vectors that the
//! first layer makes of tokens. How its answers change with them is what explains an answer.

use burn::tensor::{Gradients, Tensor};

use super::{
    Frozen, Inputs, Pass,
    forward::{Value, run, value},
    numbers, tensor,
};
use crate::ops::seed::backward_from;

/// One row's numbers.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub values: Vec<f32>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Features,
    /// Of so many tokens, padded to a length.
    Vectors {
        tokens: usize,
        length: usize,
    },
}

impl Point {
    /// Of a text, how many numbers each of its places has.
    pub fn width(&self) -> usize {
        match self.kind {
            Kind::Features => 1,
            Kind::Vectors { length, .. } => self.values.len() / length.max(1),
        }
    }
}

impl Frozen {
    /// Where one row lies.
    pub fn point(&self, inputs: Inputs) -> Point {
        match self.layers.at_least(inputs) {
            Inputs::Features { values, .. } => Point { values, kind: Kind::Features },
            Inputs::Tokens { ids, length, lengths } => {
                let kind = Kind::Vectors { tokens: lengths[0], length };
                let mut pass = Pass::inference(&self.weights);
                let read = value(Inputs::Tokens { ids, length, lengths }, &pass);
                let Value::Sequence { x, .. } = run(&self.layers.list[..1], read, false, &mut pass)
                else {
                    unreachable!("tokens become vectors in the first layer")
                };
                Point { values: numbers(x), kind }
            }
            _ => unreachable!("only numbers and tokens have a path"),
        }
    }

    /// The last layer's numbers at rows like `like`, one after the other in `values`; and the derivative of what
    /// `outer` is the derivative of, by each of `values`.
    pub fn slopes(
        &self,
        like: &Point,
        values: Vec<f32>,
        outer: impl FnOnce(&[f32]) -> Vec<f32>,
    ) -> Vec<f32> {
        let rows = values.len() / like.values.len().max(1);
        let count = values.len();
        let mut pass = Pass::differentiating(&self.weights);
        let device = pass.device.clone();
        let found = match like.kind {
            Kind::Features => {
                let width = like.values.len();
                let x: Tensor<2> = tensor(values, [rows, width], &device).require_grad();
                let made = run(&self.layers.list, Value::Features(x.clone()), true, &mut pass);
                slope_of(&x, backward_from(logits(made), outer))
            }
            Kind::Vectors { tokens, length } => {
                let width = like.width();
                let x: Tensor<3> = tensor(values, [rows, length, width], &device).require_grad();
                let lengths = Some(vec![tokens; rows]);
                // the vectors are what its array has given already
                pass.pass_by(1);
                let read = Value::Sequence { x: x.clone(), lengths };
                let made = run(&self.layers.list[1..], read, true, &mut pass);
                slope_of(&x, backward_from(logits(made), outer))
            }
        };
        // numbers that the answer does not depend on
        found.unwrap_or_else(|| vec![0.0; count])
    }
}

fn logits(made: Value) -> Tensor<2> {
    match made {
        Value::Features(x) => x,
        _ => unreachable!("a row has one answer"),
    }
}

fn slope_of<const D: usize>(x: &Tensor<D>, mut gradients: Gradients) -> Option<Vec<f32>> {
    x.grad_remove(&mut gradients).map(numbers)
}
