//! LSTM and GRU. Keras, and so the engine, has an LSTM's gates in the order input, forget, cell, output
//! and kernels of inputs by units; ONNX has input, output, forget, cell, and the other way round. A
//! GRU's gates are in one order: update, reset, candidate. Its reset gate acts after the product.

use domain::spec::{Layer, Recurrent};

use super::{Drawing, Value};
use crate::{
    OnnxError,
    graph::{Edge, int, text},
    proto::Type,
    weights::Array,
};

struct Cell {
    operation: &'static str,
    /// Of ONNX' gates, the places of ours.
    gates: &'static [usize],
    /// Biases of a gate: the input's, and perhaps the state's.
    biases: usize,
}

const LSTM: Cell = Cell { operation: "LSTM", gates: &[0, 3, 1, 2], biases: 1 };
const GRU: Cell = Cell { operation: "GRU", gates: &[0, 1, 2], biases: 2 };

impl Drawing<'_, '_> {
    pub(super) fn recurrent(
        &mut self,
        layer: &Layer,
        x: &str,
        lengths: Option<Edge>,
    ) -> Result<Value, OnnxError> {
        let (inner, ways): (&Layer, &[&str]) = match layer {
            Layer::Bidirectional { layer } => (layer, &["forward.", "backward."]),
            layer => (layer, &[""]),
        };
        let (cell, r) = match inner {
            Layer::Lstm(r) => (LSTM, r),
            Layer::Gru(r) => (GRU, r),
            other => return Err(self.refused(other)),
        };
        let [kernel, state, bias] = self.recurrent_weights(&cell, r, ways)?;
        let graph = &mut *self.graph;
        let x = graph.transpose(x, &[1, 0, 2]);
        let lengths_32 = lengths.as_ref().map(|lengths| graph.cast(lengths, Type::Int32));
        let mut inputs = vec![&x, &kernel, &state, &bias];
        inputs.extend(&lengths_32);
        let inputs: Vec<&str> = inputs.into_iter().map(String::as_str).collect();
        let way = if ways.len() == 2 { "bidirectional" } else { "forward" };
        let mut attributes = vec![int("hidden_size", i64::from(r.units)), text("direction", way)];
        if cell.operation == "GRU" {
            attributes.push(int("linear_before_reset", 1));
        }
        // of all steps, and after the last one that was read
        let [steps, last] = graph.op_of_many(cell.operation, &inputs, attributes);
        let width = i64::from(r.units) * ways.len() as i64;
        Ok(if r.return_sequences {
            let x = graph.transpose(&steps, &[2, 0, 1, 3]);
            Value::Sequence { x: graph.reshape(&x, &[0, 0, width]), lengths }
        } else {
            let x = graph.transpose(&last, &[1, 0, 2]);
            Value::Features(graph.reshape(&x, &[0, width]))
        })
    }

    /// The kernels `[ways, gates * units, inputs]` and `[ways, gates * units, units]`, and the biases
    /// `[ways, 2 * gates * units]`, the inputs' first.
    fn recurrent_weights(
        &mut self,
        cell: &Cell,
        r: &Recurrent,
        ways: &[&str],
    ) -> Result<[Edge; 3], OnnxError> {
        let (units, count) = (r.units as usize, cell.gates.len());
        let mut all: [Vec<f32>; 3] = [vec![], vec![], vec![]];
        for way in ways {
            let kernel = self.array(&format!("{way}kernel"), &[self.width(), count * units])?;
            let state = self.array(&format!("{way}recurrent_kernel"), &[units, count * units])?;
            let bias = self.array(&format!("{way}bias"), &[cell.biases * count * units])?;
            for (kernel, all) in [kernel, state].iter().zip(&mut all) {
                all.extend(kernel.transposed(&[1, 0]).blocks(count, cell.gates).values);
            }
            for part in bias.values.chunks(count * units) {
                let part = Array { shape: vec![part.len()], values: part.to_vec() };
                all[2].extend(part.blocks(count, cell.gates).values);
            }
            if cell.biases == 1 {
                all[2].extend(vec![0.0; count * units]);
            }
        }
        let rows = count * units;
        let [kernel, state, bias] = all;
        Ok([
            self.graph.floats(&kernel, &[ways.len(), rows, self.width()]),
            self.graph.floats(&state, &[ways.len(), rows, units]),
            self.graph.floats(&bias, &[ways.len(), 2 * rows]),
        ])
    }
}
