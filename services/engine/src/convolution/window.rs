//! Where a convolution's window stands: sizes, strides, dilation and padding, and how an image is laid
//! out in memory so that every tap of the window is a plain offset. Both directions of a convolution
//! are the same walk: the gradient of the input is a convolution of the output's gradient, spread by
//! the stride, with the flipped kernel (Dumoulin and Visin, "A guide to convolution arithmetic for
//! deep learning", 2016, chapter 4).

use domain::spec::{Padding1D, Padding2D};

/// Rows and columns; a sequence is one row.
pub(super) type Pair = [usize; 2];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub input: Pair,
    pub channels: usize,
    pub filters: usize,
    pub kernel: Pair,
    pub stride: Pair,
    pub dilation: Pair,
    /// Zeros before the first row and column.
    pub before: Pair,
    pub output: Pair,
}

impl Window {
    pub fn of_image(
        input: Pair,
        [kernel_rows, kernel_columns, channels, filters]: [usize; 4],
        strides: usize,
        padding: Padding2D,
    ) -> Self {
        let rows = side(input[0], kernel_rows, strides, 1, padding.into());
        let columns = side(input[1], kernel_columns, strides, 1, padding.into());
        Self {
            input,
            channels,
            filters,
            kernel: [kernel_rows, kernel_columns],
            stride: [strides; 2],
            dilation: [1; 2],
            before: [rows.0, columns.0],
            output: [rows.1, columns.1],
        }
    }

    pub fn of_sequence(
        steps: usize,
        [kernel, channels, filters]: [usize; 3],
        dilation: usize,
        padding: Padding1D,
    ) -> Self {
        let (before, output) = side(steps, kernel, 1, dilation, padding);
        Self {
            input: [1, steps],
            channels,
            filters,
            kernel: [1, kernel],
            stride: [1; 2],
            dilation: [1, dilation],
            before: [0, before],
            output: [1, output],
        }
    }

    pub const fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels
    }

    pub const fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis]
    }

    /// The walk over an image of this window, outputs in squares of `side` rows and columns.
    pub fn walk(&self, side: usize) -> Walk {
        let canvas = [0, 1].map(|a| (self.output[a] - 1) * self.stride[a] + self.reach(a) + 1);
        let mut walk = Walk::new(canvas, self.channels, self.kernel, self.dilation);
        walk.visit(self.output, self.stride, side);
        walk
    }

    /// The walk over the gradient of an output, which makes that of an input.
    pub fn backward_walk(&self) -> Walk {
        let canvas = [0, 1].map(|a| self.input[a] + self.reach(a));
        let mut walk = Walk::new(canvas, self.filters, self.kernel, self.dilation);
        walk.visit(self.input, [1; 2], 1);
        walk
    }

    /// Draws an image with its padding.
    pub fn draw(&self, image: &[f32], walk: &Walk, canvas: &mut [f32]) {
        let [rows, columns] = walk.canvas;
        let row_len = self.input[1] * self.channels;
        let shown = self.input[1].min(columns - self.before[1]) * self.channels;
        for y in 0..self.input[0].min(rows - self.before[0]) {
            let start = ((y + self.before[0]) * columns + self.before[1]) * self.channels;
            canvas[start..start + shown].copy_from_slice(&image[y * row_len..][..shown]);
        }
    }

    /// Takes an image off a canvas.
    pub fn lift(&self, canvas: &[f32], walk: &Walk, image: &mut [f32]) {
        let [rows, columns] = walk.canvas;
        let row_len = self.input[1] * self.channels;
        let shown = self.input[1].min(columns - self.before[1]) * self.channels;
        for y in 0..self.input[0].min(rows - self.before[0]) {
            let start = ((y + self.before[0]) * columns + self.before[1]) * self.channels;
            image[y * row_len..][..shown].copy_from_slice(&canvas[start..start + shown]);
        }
    }

    /// Draws the gradient of an output, spread by the stride.
    pub fn draw_backward(&self, gradient: &[f32], walk: &Walk, canvas: &mut [f32]) {
        let lead = [0, 1].map(|a| self.reach(a) - self.before[a]);
        for (i, pixel) in gradient.chunks_exact(self.filters).enumerate() {
            let (y, x) = (i / self.output[1], i % self.output[1]);
            let row = y * self.stride[0] + lead[0];
            let place = row * walk.canvas[1] + x * self.stride[1] + lead[1];
            canvas[place * self.filters..][..self.filters].copy_from_slice(pixel);
        }
    }

    /// The kernel that the gradient of an output is convolved with: turned by half a circle, filters
    /// and channels swapped.
    pub fn flip(&self, kernel: &[f32]) -> Vec<f32> {
        let (channels, filters) = (self.channels, self.filters);
        let places = self.kernel[0] * self.kernel[1];
        let mut flipped = vec![0.0; kernel.len()];
        for place in 0..places {
            let from = &kernel[place * channels * filters..][..channels * filters];
            let to = &mut flipped[(places - 1 - place) * channels * filters..];
            for c in 0..channels {
                for f in 0..filters {
                    to[f * channels + c] = from[c * filters + f];
                }
            }
        }
        flipped
    }
}

/// Offsets into a canvas of `channels` numbers a pixel.
#[derive(Debug)]
pub struct Walk {
    pub canvas: Pair,
    channels: usize,
    pub canvas_len: usize,
    /// Of each output pixel, where its window starts.
    pub origins: Vec<usize>,
    /// Within a window, where each run of neighbouring numbers starts.
    pub runs: Vec<usize>,
    pub run_len: usize,
}

impl Walk {
    fn new(canvas: Pair, channels: usize, kernel: Pair, dilation: Pair) -> Self {
        let solid = dilation[1] == 1;
        let columns = if solid { 1 } else { kernel[1] };
        let runs = (0..kernel[0] * columns).map(|i| {
            let (y, x) = (i / columns * dilation[0], i % columns * dilation[1]);
            (y * canvas[1] + x) * channels
        });
        Self {
            canvas,
            channels,
            canvas_len: canvas[0] * canvas[1] * channels,
            origins: vec![],
            runs: runs.collect(),
            run_len: if solid { kernel[1] * channels } else { channels },
        }
    }

    /// Sets the origins: square by square, and in each row by row.
    fn visit(&mut self, output: Pair, stride: Pair, side: usize) {
        let [rows, columns] = output.map(|n| n / side);
        let area = side * side;
        let at = |i: usize| {
            let (square, place) = (i / area, i % area);
            let y = square / columns * side + place / side;
            let x = square % columns * side + place % side;
            (y * stride[0] * self.canvas[1] + x * stride[1]) * self.channels
        };
        self.origins = (0..rows * columns * area).map(at).collect();
    }
}

/// Zeros before the first place, and places of the output.
fn side(
    length: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: Padding1D,
) -> (usize, usize) {
    let reach = (kernel - 1) * dilation;
    let [before, _] = padding.zeros(length, reach, stride);
    let starts = if padding == Padding1D::Valid { length - reach } else { length };
    (before, starts.div_ceil(stride))
}
