//! The same layers step by step from the tensor library's own operations.

use burn::tensor::{Tensor, TensorData, activation::sigmoid};

use super::{Case, Cell, Direction};

pub(super) struct Reference<'a> {
    pub case: &'a Case,
    pub direction: Direction<'a>,
}

impl Reference<'_> {
    /// All states and the last one.
    pub fn run(&self, x: &Tensor<3>) -> (Tensor<3>, Tensor<2>) {
        let Case { batch, time, units, .. } = *self.case;
        let zeros = || Tensor::<2>::zeros([batch, units], &x.device());
        let mask = match &self.direction.state_mask {
            Some(mask) => {
                Tensor::from_data(TensorData::new(mask.clone(), [batch, units]), &x.device())
            }
            None => zeros() + 1.0,
        };
        let (mut hidden, mut cell) = (zeros(), zeros());
        let mut outputs = vec![None; time];
        for step in 0..time {
            let at = if self.direction.reverse { time - 1 - step } else { step };
            let input = x.clone().slice([0..batch, at..at + 1]).squeeze_dim::<2>(1);
            let alive = self.alive(at, &x.device());
            let (new_hidden, new_cell) =
                self.step(input, hidden.clone(), hidden.clone() * mask.clone(), cell.clone());
            hidden = new_hidden * alive.clone() + hidden * (alive.clone() * -1.0 + 1.0);
            cell = new_cell * alive.clone() + cell * (alive.clone() * -1.0 + 1.0);
            outputs[at] = Some((hidden.clone() * alive).unsqueeze_dim::<3>(1));
        }
        (Tensor::cat(outputs.into_iter().map(Option::unwrap).collect(), 1), hidden)
    }

    fn alive(&self, at: usize, device: &burn::tensor::Device) -> Tensor<2> {
        let Case { batch, time, .. } = *self.case;
        let length = |row: usize| self.case.lengths.as_ref().map_or(time, |lengths| lengths[row]);
        let alive: Vec<f32> = (0..batch).map(|row| f32::from(u8::from(at < length(row)))).collect();
        Tensor::from_data(TensorData::new(alive, [batch, 1]), device)
    }

    fn step(
        &self,
        x: Tensor<2>,
        hidden: Tensor<2>,
        masked: Tensor<2>,
        cell: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let Case { units, .. } = *self.case;
        let gates = self.case.cell.gates() * units;
        let part = |from: &Tensor<2>, i: usize| from.clone().narrow(1, i * units, units);
        let bias = |i: usize| {
            self.direction.weights.bias.clone().narrow(0, i * gates, gates).unsqueeze::<2>()
        };
        let a = x.matmul(self.direction.weights.kernel.clone()) + bias(0);
        let q = masked.matmul(self.direction.weights.recurrent_kernel.clone());
        match self.case.cell {
            Cell::Lstm => {
                let all = a + q;
                let (i, f) = (sigmoid(part(&all, 0)), sigmoid(part(&all, 1)));
                let (g, o) = (part(&all, 2).tanh(), sigmoid(part(&all, 3)));
                let cell = f * cell + i * g;
                (o * cell.clone().tanh(), cell)
            }
            Cell::Gru => {
                let q = q + bias(1);
                let z = sigmoid(part(&a, 0) + part(&q, 0));
                let r = sigmoid(part(&a, 1) + part(&q, 1));
                let g = (part(&a, 2) + r * part(&q, 2)).tanh();
                (z.clone() * hidden + (z * -1.0 + 1.0) * g, cell)
            }
        }
    }
}
