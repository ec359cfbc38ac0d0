//! Layers on sequences `[batch, steps, features]`, and the one that makes a sequence of tokens.

use domain::spec::{Layer, Padding1D, Positions, Shape, sinusoidal};

use super::{Drawing, Value};
use crate::{
    OnnxError,
    graph::{Edge, ints},
    proto::Type,
};

impl Drawing<'_, '_> {
    pub(super) fn embedding(
        &mut self,
        layer: &Layer,
        ids: &str,
        lengths: Option<Edge>,
    ) -> Result<Value, OnnxError> {
        let Layer::Embedding { output_dim, .. } = layer else { return Err(self.refused(layer)) };
        let vectors = self.weight("embeddings", &[self.width(), *output_dim as usize])?;
        let x = self.graph.op("Gather", &[&vectors, ids]);
        Ok(Value::Sequence { x, lengths })
    }

    pub(super) fn sequence(
        &mut self,
        layer: &Layer,
        x: Edge,
        lengths: Option<Edge>,
    ) -> Result<Value, OnnxError> {
        match layer {
            Layer::PositionEmbedding { kind } => {
                let x = self.with_positions(x, *kind)?;
                Ok(Value::Sequence { x, lengths })
            }
            Layer::Lstm(_) | Layer::Gru(_) | Layer::Bidirectional { .. } => {
                self.recurrent(layer, &x, lengths)
            }
            Layer::Conv1D { .. } => self.convolution(layer, &x, lengths),
            Layer::GlobalAveragePooling1D {} => {
                let Some(lengths) = lengths else {
                    return Ok(Value::Features(self.graph.reduce("ReduceMean", &x, 1, false)));
                };
                let zero = self.graph.float(0.0);
                let x = self.without_padding(&x, &lengths, &zero);
                let sum = self.graph.reduce("ReduceSum", &x, 1, false);
                let count = self.graph.cast(&lengths, Type::Float);
                let count = self.graph.reshape(&count, &[-1, 1]);
                Ok(Value::Features(self.graph.op("Div", &[&sum, &count])))
            }
            Layer::GlobalMaxPooling1D {} => {
                let x = match lengths {
                    None => x,
                    Some(lengths) => {
                        let least = self.graph.float(f32::MIN);
                        self.without_padding(&x, &lengths, &least)
                    }
                };
                Ok(Value::Features(self.graph.reduce("ReduceMax", &x, 1, false)))
            }
            Layer::TransformerEncoder(t) => self.transformer(t, false, x, lengths),
            Layer::TransformerDecoder(t) => self.transformer(t, true, x, lengths),
            layer => Err(self.refused(layer)),
        }
    }

    /// `[steps]`: 0, 1, 2, …
    pub(super) fn places(&mut self, x: &str) -> Edge {
        let steps = self.graph.length(x, 1);
        self.graph.count(&steps)
    }

    /// `[batch, steps]`: whether a step is before its row's length.
    pub(super) fn real(&mut self, x: &str, lengths: &str) -> Edge {
        let places = self.places(x);
        let lengths = self.graph.reshape(lengths, &[-1, 1]);
        self.graph.op("Less", &[&places, &lengths])
    }

    fn without_padding(&mut self, x: &str, lengths: &str, instead: &str) -> Edge {
        let real = self.real(x, lengths);
        let axis = self.graph.ints(&[2]);
        let real = self.graph.op("Unsqueeze", &[&real, &axis]);
        self.graph.op("Where", &[&real, x, instead])
    }

    fn with_positions(&mut self, x: Edge, kind: Positions) -> Result<Edge, OnnxError> {
        let Shape::Sequence { length, features } = self.shape else {
            unreachable!("a sequence has the shape of one")
        };
        let (x, table) = match kind {
            Positions::Learned => (x, self.weight("embeddings", &[length, features])?),
            Positions::Sinusoidal => {
                let factor = self.graph.float((features as f64).sqrt() as f32);
                let table = self.graph.floats(&sinusoidal(length, features), &[length, features]);
                (self.graph.op("Mul", &[&x, &factor]), table)
            }
        };
        let from = self.graph.ints(&[0]);
        let to = self.graph.size(&x, 1);
        let table = self.graph.slice(&table, 0, &from, &to);
        Ok(self.graph.op("Add", &[&x, &table]))
    }

    fn convolution(
        &mut self,
        layer: &Layer,
        x: &str,
        lengths: Option<Edge>,
    ) -> Result<Value, OnnxError> {
        let Layer::Conv1D { filters, kernel_size, padding, dilation_rate, activation, .. } = layer
        else {
            return Err(self.refused(layer));
        };
        let (size, filters) = (*kernel_size as usize, *filters as usize);
        let kernel = self.array("kernel", &[size, self.width(), filters])?;
        let kernel = kernel.transposed(&[2, 1, 0]).draw(self.graph);
        let bias = self.weight("bias", &[filters])?;
        let reach = (size - 1) * *dilation_rate as usize;
        // of one place after the other, it is the same for any number of them
        let pads = padding.zeros(1, reach, 1).map(|zeros| zeros as i64);
        let attributes = vec![
            ints("kernel_shape", &[i64::from(*kernel_size)]),
            ints("dilations", &[i64::from(*dilation_rate)]),
            ints("pads", &pads),
        ];
        let x = self.graph.transpose(x, &[0, 2, 1]);
        let x = self.graph.op_with("Conv", &[&x, &kernel, &bias], attributes);
        let x = self.graph.transpose(&x, &[0, 2, 1]);
        let x = self.activate(x, *activation);
        // a window that is not padded leaves fewer steps than a full row had
        let lengths = match (lengths, padding) {
            (Some(lengths), Padding1D::Valid) => {
                let steps = self.graph.size(&x, 1);
                Some(self.graph.op("Min", &[&lengths, &steps]))
            }
            (lengths, _) => lengths,
        };
        Ok(Value::Sequence { x, lengths })
    }
}
