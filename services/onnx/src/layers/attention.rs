//! One block of a transformer: self-attention, then a feed-forward network, each with a sum around it
//! and a normalisation before or after.

use domain::spec::Transformer;

use super::{Drawing, Value};
use crate::{
    OnnxError,
    graph::{Edge, int},
};

impl Drawing<'_, '_> {
    pub(super) fn transformer(
        &mut self,
        t: &Transformer,
        causal: bool,
        x: Edge,
        lengths: Option<Edge>,
    ) -> Result<Value, OnnxError> {
        let width = self.width();
        let hidden = self.hidden(&x, causal, lengths.as_deref());
        let norm = |drawing: &mut Self, x: &str, part: &str| {
            drawing.normalize(x, part, width, t.layer_norm_epsilon)
        };
        let x = if t.normalize_first {
            let inner = norm(self, &x, "norm_1.")?;
            let inner = self.attention(t, &inner, hidden.as_deref())?;
            let x = self.graph.op("Add", &[&x, &inner]);
            let inner = norm(self, &x, "norm_2.")?;
            let inner = self.feed_forward(t, &inner)?;
            self.graph.op("Add", &[&x, &inner])
        } else {
            let inner = self.attention(t, &x, hidden.as_deref())?;
            let x = self.graph.op("Add", &[&x, &inner]);
            let x = norm(self, &x, "norm_1.")?;
            let inner = self.feed_forward(t, &x)?;
            let x = self.graph.op("Add", &[&x, &inner]);
            norm(self, &x, "norm_2.")?
        };
        Ok(Value::Sequence { x, lengths })
    }

    /// `[batch or 1, 1, queries or 1, keys]`: which places a place does not see, if there are any.
    fn hidden(&mut self, x: &str, causal: bool, lengths: Option<&str>) -> Option<Edge> {
        let padding = lengths.map(|lengths| {
            let real = self.real(x, lengths);
            let axes = self.graph.ints(&[1, 2]);
            let real = self.graph.op("Unsqueeze", &[&real, &axes]);
            self.graph.op("Not", &[&real])
        });
        let later = causal.then(|| {
            let keys = self.places(x);
            let queries = self.graph.reshape(&keys, &[-1, 1]);
            self.graph.op("Greater", &[&keys, &queries])
        });
        match (padding, later) {
            (Some(padding), Some(later)) => Some(self.graph.op("Or", &[&padding, &later])),
            (padding, later) => padding.or(later),
        }
    }

    fn attention(
        &mut self,
        t: &Transformer,
        x: &str,
        hidden: Option<&str>,
    ) -> Result<Edge, OnnxError> {
        let width = self.width();
        let (heads, head) = (i64::from(t.num_heads), width / t.num_heads as usize);
        let mut of_heads = |name: &str, order: [i64; 4]| {
            let x = self.dense(x, name, [width, width])?;
            let x = self.graph.reshape(&x, &[0, 0, heads, head as i64]);
            Ok::<_, OnnxError>(self.graph.transpose(&x, &order))
        };
        let query = of_heads("query", [0, 2, 1, 3])?;
        let key = of_heads("key", [0, 2, 3, 1])?;
        let value = of_heads("value", [0, 2, 1, 3])?;
        let graph = &mut *self.graph;
        let scale = graph.float(1.0 / (head as f32).sqrt());
        let scores = graph.op("MatMul", &[&query, &key]);
        let mut scores = graph.op("Mul", &[&scores, &scale]);
        if let Some(hidden) = hidden {
            let least = graph.float(f32::MIN);
            scores = graph.op("Where", &[hidden, &least, &scores]);
        }
        let shares = graph.op_with("Softmax", &[&scores], vec![int("axis", -1)]);
        let seen = graph.op("MatMul", &[&shares, &value]);
        let seen = graph.transpose(&seen, &[0, 2, 1, 3]);
        let seen = graph.reshape(&seen, &[0, 0, width as i64]);
        self.dense(&seen, "output", [width, width])
    }

    fn feed_forward(&mut self, t: &Transformer, x: &str) -> Result<Edge, OnnxError> {
        let (width, inner) = (self.width(), t.intermediate_dim as usize);
        let x = self.dense(x, "inner", [width, inner])?;
        let x = self.activate(x, t.activation);
        self.dense(&x, "outer", [inner, width])
    }
}
