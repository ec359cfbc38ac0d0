//! Layers on numbers of any shape.

use domain::spec::{Activation, Layer, Shape};

use super::{Drawing, Value};
use crate::{
    OnnxError,
    graph::{Edge, float, int},
};

impl Drawing<'_, '_> {
    pub(super) fn any(
        &mut self,
        layer: &Layer,
        value: Value,
        last: bool,
    ) -> Result<Value, OnnxError> {
        match layer {
            Layer::Dense { units, activation, use_bias, .. } => {
                let shape = [self.width(), *units as usize];
                let activation = if last { Activation::Linear } else { *activation };
                let bias = use_bias.then_some("bias");
                self.each(value, |drawing, x| {
                    let x = drawing.affine(x, "kernel", bias, shape)?;
                    Ok(drawing.activate(x, activation))
                })
            }
            Layer::Activation { .. } if last => Ok(value),
            Layer::Activation { activation } => {
                self.each(value, |drawing, x| Ok(drawing.activate(x.clone(), *activation)))
            }
            Layer::Dropout { .. } => Ok(value),
            Layer::BatchNormalization { epsilon, .. } => self.batch_normalization(value, *epsilon),
            Layer::LayerNormalization { epsilon } => {
                let width = self.width();
                self.each(value, |drawing, x| drawing.normalize(x, "", width, *epsilon))
            }
            Layer::Flatten {} => Ok(self.flatten(value)),
            Layer::Residual { layers } => self.residual(layers, value),
            layer => Err(self.refused(layer)),
        }
    }

    /// What `draw` makes of numbers whose last axis are the features.
    fn each(
        &mut self,
        value: Value,
        draw: impl FnOnce(&mut Self, &Edge) -> Result<Edge, OnnxError>,
    ) -> Result<Value, OnnxError> {
        Ok(match value {
            Value::Features(x) => Value::Features(draw(self, &x)?),
            Value::Sequence { x, lengths } => Value::Sequence { x: draw(self, &x)?, lengths },
            Value::Image(x) => {
                let x = self.graph.transpose(&x, &[0, 2, 3, 1]);
                let x = draw(self, &x)?;
                Value::Image(self.graph.transpose(&x, &[0, 3, 1, 2]))
            }
            other => other,
        })
    }

    /// `x kernel + bias` of the last axis, with the weights under these names.
    pub(super) fn affine(
        &mut self,
        x: &str,
        kernel: &str,
        bias: Option<&str>,
        shape: [usize; 2],
    ) -> Result<Edge, OnnxError> {
        let kernel = self.weight(kernel, &shape)?;
        let x = self.graph.op("MatMul", &[x, &kernel]);
        let Some(bias) = bias else { return Ok(x) };
        let bias = self.weight(bias, &shape[1..])?;
        Ok(self.graph.op("Add", &[&x, &bias]))
    }

    /// [`Self::affine`] by the kernel and the bias of a part of the layer.
    pub(super) fn dense(
        &mut self,
        x: &str,
        part: &str,
        shape: [usize; 2],
    ) -> Result<Edge, OnnxError> {
        let (kernel, bias) = (format!("{part}.kernel"), format!("{part}.bias"));
        self.affine(x, &kernel, Some(&bias), shape)
    }

    pub(super) fn activate(&mut self, x: Edge, activation: Activation) -> Edge {
        let graph = &mut *self.graph;
        match activation {
            Activation::Linear => x,
            Activation::Relu => graph.op("Relu", &[&x]),
            Activation::LeakyRelu => {
                graph.op_with("LeakyRelu", &[&x], vec![float("alpha", Activation::LEAK)])
            }
            Activation::Elu => graph.op("Elu", &[&x]),
            Activation::Gelu => {
                let [root, one, half] =
                    [std::f32::consts::SQRT_2, 1.0, 0.5].map(|n| graph.float(n));
                let part = graph.op("Div", &[&x, &root]);
                let part = graph.op("Erf", &[&part]);
                let part = graph.op("Add", &[&part, &one]);
                let x = graph.op("Mul", &[&x, &half]);
                graph.op("Mul", &[&x, &part])
            }
            Activation::Silu => {
                let part = graph.op("Sigmoid", &[&x]);
                graph.op("Mul", &[&x, &part])
            }
            Activation::Sigmoid => graph.op("Sigmoid", &[&x]),
            Activation::Tanh => graph.op("Tanh", &[&x]),
            Activation::Softmax => graph.op_with("Softmax", &[&x], vec![int("axis", -1)]),
        }
    }

    /// By the moments that training has gathered.
    fn batch_normalization(&mut self, value: Value, epsilon: f64) -> Result<Value, OnnxError> {
        let width = self.width();
        let array = |name: &str| self.array(name, &[width]);
        let (gamma, beta) = (array("gamma")?, array("beta")?);
        let (mean, variance) = (array("moving_mean")?, array("moving_variance")?);
        let spread = |v: &f32| (f64::from(*v) + epsilon).sqrt();
        let scales = gamma.values.iter().zip(&variance.values);
        let scales: Vec<f32> =
            scales.map(|(gamma, v)| (f64::from(*gamma) / spread(v)) as f32).collect();
        self.each(value, |drawing, x| {
            let graph = &mut *drawing.graph;
            let mean = mean.draw(graph);
            let x = graph.op("Sub", &[x, &mean]);
            let scale = graph.floats(&scales, &[width]);
            let x = graph.op("Mul", &[&x, &scale]);
            let beta = beta.draw(graph);
            Ok(graph.op("Add", &[&x, &beta]))
        })
    }

    /// Layer normalisation of the last axis; its weights' names begin with `part`.
    pub(super) fn normalize(
        &mut self,
        x: &str,
        part: &str,
        width: usize,
        epsilon: f64,
    ) -> Result<Edge, OnnxError> {
        let gamma = self.weight(&format!("{part}gamma"), &[width])?;
        let beta = self.weight(&format!("{part}beta"), &[width])?;
        let attributes = vec![int("axis", -1), float("epsilon", epsilon as f32)];
        Ok(self.graph.op_with("LayerNormalization", &[x, &gamma, &beta], attributes))
    }

    fn flatten(&mut self, value: Value) -> Value {
        let flat = vec![int("axis", 1)];
        match value {
            Value::Sequence { x, .. } => {
                Value::Features(self.graph.op_with("Flatten", &[&x], flat))
            }
            Value::Image(x) => {
                let x = self.graph.transpose(&x, &[0, 2, 3, 1]);
                Value::Features(self.graph.op_with("Flatten", &[&x], flat))
            }
            other => other,
        }
    }

    fn residual(&mut self, layers: &[Layer], value: Value) -> Result<Value, OnnxError> {
        let (prefix, before) = (self.prefix.clone(), self.shape);
        let made = self.run(layers, value.clone(), &format!("{prefix}.layers"), false)?;
        let after = std::mem::replace(&mut self.shape, before);
        self.prefix = prefix;
        let skipped = if after == before { value } else { self.project(value, after)? };
        let ((Value::Features(a), Value::Features(b))
        | (Value::Sequence { x: a, .. }, Value::Sequence { x: b, .. })
        | (Value::Image(a), Value::Image(b))) = (&skipped, &made)
        else {
            let why = "its two ways do not meet".to_owned();
            return Err(OnnxError::Layer { place: self.prefix.clone(), why });
        };
        let sum = self.graph.op("Add", &[a, b]);
        Ok(match made {
            Value::Features(_) => Value::Features(sum),
            Value::Sequence { lengths, .. } => Value::Sequence { x: sum, lengths },
            _ => Value::Image(sum),
        })
    }

    /// What the layers inside got, as wide (and of an image as small) as what they made.
    fn project(&mut self, value: Value, after: Shape) -> Result<Value, OnnxError> {
        if let (Value::Image(x), Shape::Image { height, channels, .. }) = (&value, after) {
            return self.project_image(x, height, channels).map(Value::Image);
        }
        let to = match after {
            Shape::Features(width) => width,
            Shape::Sequence { features, .. } => features,
            _ => 0,
        };
        let shape = [self.width(), to];
        self.each(value, |drawing, x| drawing.affine(x, "projection", None, shape))
    }
}
