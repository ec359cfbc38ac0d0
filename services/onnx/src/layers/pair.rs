//! The rating of a user and an item from their vectors. Place 0 belongs to those that training has not
//! seen, and whatever is stored there counts as zero.

use domain::spec::{Activation, Layer, Shape};

use super::Drawing;
use crate::{OnnxError, graph::Edge, proto::Type};

impl Drawing<'_, '_> {
    pub(super) fn pair(
        &mut self,
        layer: &Layer,
        user: &str,
        item: &str,
    ) -> Result<Edge, OnnxError> {
        let (width, units): (_, &[u32]) = match layer {
            Layer::MatrixFactorization { embedding_dim } => (*embedding_dim as usize, &[]),
            Layer::TwoTower { embedding_dim, units } => (*embedding_dim as usize, units),
            layer => return Err(self.refused(layer)),
        };
        let Shape::Pair { users, items } = self.shape else {
            unreachable!("a pair has the shape of one")
        };
        let (user, user_bias) = self.side("user", user, [users, width], units)?;
        let (item, item_bias) = self.side("item", item, [items, width], units)?;
        let mean = self.weight("mean", &[1])?;
        let product = self.graph.op("Mul", &[&user, &item]);
        let mut sum = self.graph.reduce("ReduceSum", &product, 1, true);
        for part in [user_bias, item_bias, mean] {
            sum = self.graph.op("Add", &[&sum, &part]);
        }
        Ok(sum)
    }

    /// The vector `[batch, width]` and the bias `[batch, 1]` of the places.
    fn side(
        &mut self,
        name: &str,
        places: &str,
        shape: [usize; 2],
        units: &[u32],
    ) -> Result<(Edge, Edge), OnnxError> {
        let vectors = self.weight(&format!("{name}.embeddings"), &shape)?;
        let biases = self.weight(&format!("{name}.biases"), &shape[..1])?;
        let mut x = self.graph.op("Gather", &[&vectors, places]);
        let bias = self.graph.op("Gather", &[&biases, places]);
        let bias = self.graph.reshape(&bias, &[-1, 1]);
        let mut width = shape[1];
        for (i, &units) in units.iter().enumerate() {
            if i > 0 {
                x = self.activate(x, Activation::Relu);
            }
            x = self.dense(&x, &format!("{name}.tower.{i}"), [width, units as usize])?;
            width = units as usize;
        }
        let unknown = self.graph.int(0);
        let known = self.graph.op("Greater", &[places, &unknown]);
        let known = self.graph.cast(&known, Type::Float);
        let known = self.graph.reshape(&known, &[-1, 1]);
        Ok((self.graph.op("Mul", &[&x, &known]), self.graph.op("Mul", &[&bias, &known])))
    }
}
