//! Layers on images, `[batch, channels, rows, columns]`.

use domain::spec::{Layer, Padding1D, Padding2D, Shape};

use super::{Drawing, Value};
use crate::{
    OnnxError,
    graph::{Edge, ints},
};

impl Drawing<'_, '_> {
    pub(super) fn image(&mut self, layer: &Layer, x: Edge) -> Result<Value, OnnxError> {
        Ok(Value::Image(match layer {
            Layer::Conv2D {
                filters, kernel_size, strides, padding, activation, use_bias, ..
            } => {
                let (side, filters) = (*kernel_size as usize, *filters as usize);
                let kernel = self.array("kernel", &[side, side, self.width(), filters])?;
                let kernel = kernel.transposed(&[3, 2, 0, 1]).draw(self.graph);
                let mut inputs = vec![x, kernel];
                if *use_bias {
                    inputs.push(self.weight("bias", &[filters])?);
                }
                let x = self.convolve(&inputs, side, *strides as usize, *padding);
                self.activate(x, *activation)
            }
            Layer::MaxPooling2D { pool_size } => self.pool("MaxPool", &x, *pool_size),
            Layer::AveragePooling2D { pool_size } => self.pool("AveragePool", &x, *pool_size),
            Layer::GlobalAveragePooling2D {} => {
                let x = self.graph.op("GlobalAveragePool", &[&x]);
                return Ok(Value::Features(self.graph.reshape(&x, &[0, -1])));
            }
            layer => return Err(self.refused(layer)),
        }))
    }

    fn convolve(
        &mut self,
        inputs: &[Edge],
        side: usize,
        stride: usize,
        padding: Padding2D,
    ) -> Edge {
        let Shape::Image { height, width, .. } = self.shape else {
            unreachable!("an image has the shape of one")
        };
        let padding = Padding1D::from(padding);
        let [[top, bottom], [left, right]] =
            [height, width].map(|length| padding.zeros(length, side - 1, stride));
        let pads = [top, left, bottom, right].map(|zeros| zeros as i64);
        let attributes = vec![
            ints("kernel_shape", &[side as i64; 2]),
            ints("strides", &[stride as i64; 2]),
            ints("pads", &pads),
        ];
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.graph.op_with("Conv", &inputs, attributes)
    }

    /// Of squares that lie side by side; what does not fill one is left out.
    fn pool(&mut self, kind: &str, x: &str, size: u32) -> Edge {
        let square = [i64::from(size); 2];
        let attributes = vec![ints("kernel_shape", &square), ints("strides", &square)];
        self.graph.op_with(kind, &[x], attributes)
    }

    /// Where the layers of a residual have made the image smaller, of every so many pixels.
    pub(super) fn project_image(
        &mut self,
        x: &str,
        made_height: usize,
        made_channels: usize,
    ) -> Result<Edge, OnnxError> {
        let Shape::Image { height, .. } = self.shape else {
            unreachable!("an image has the shape of one")
        };
        let stride = height.div_ceil(made_height.max(1));
        let kernel = self.array("projection", &[self.width(), made_channels])?;
        let mut kernel = kernel.transposed(&[1, 0]);
        kernel.shape.extend([1, 1]);
        let kernel = kernel.draw(self.graph);
        Ok(self.convolve(&[x.to_owned(), kernel], 1, stride, Padding2D::Same))
    }
}
