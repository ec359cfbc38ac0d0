//! The gradients of a convolution, image by image, while an image is near: those of the outputs, of the
//! biases, of the kernel and of the image.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    dense::{self, KernelSums, Squares},
    forward::Mirrored,
    fused::{Fused, Then},
    sparse::Sparse,
    vectors::{Aligned, Vectors, joined, pieces, unpack},
    window::Walk,
};
use crate::ops::{flex::zeros, product::PanelWidth};

/// Into so many parts the gradients of kernel and biases are summed; fixed, so that sums do not depend
/// on how many threads there are.
const PARTS: usize = 8;
/// A run of the window that fills vectors well.
const LONG_RUN: usize = 24;

/// What the forward pass read and made, and the gradient of that.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub images: &'a [f32],
    pub kernel: &'a [f32],
    pub out: &'a [f32],
    pub picks: &'a [u8],
    pub gradient: &'a [f32],
}

/// What was made of one image, and the gradient of that.
#[derive(Clone, Copy)]
pub(super) struct Outputs<'a> {
    pub out: &'a [f32],
    pub picks: &'a [u8],
    pub gradient: &'a [f32],
}

/// Whose gradients are asked.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub images: bool,
    pub kernel: bool,
}

pub(super) struct Slopes {
    /// Empty where they are not asked.
    pub images: Vec<f32>,
    pub kernel: Vec<f32>,
    pub bias: Vec<f32>,
}

pub(super) fn backward(vectors: impl Vectors, fused: &Fused, given: Given, asked: Asked) -> Slopes {
    let window = &fused.window;
    let walk = fused.walk();
    let panel = vectors.run(PanelWidth);
    let way = Way::of(fused, &walk, given, asked, panel);
    let batch = given.images.len() / window.input_len();
    let part = batch.div_ceil(PARTS).max(1);
    let mut of_images = zeros(if asked.images { given.images.len() } else { 0 });
    let mut slots: Vec<&mut [f32]> = of_images.chunks_mut(part * window.input_len()).collect();
    slots.resize_with(batch.div_ceil(part), Default::default);
    let sums: Vec<Sums> = slots
        .into_par_iter()
        .enumerate()
        .map(|(i, of_images)| {
            let images = i * part..batch.min((i + 1) * part);
            let part = Part { fused, walk: &walk, way: &way, given, asked, images, of_images };
            vectors.run(part)
        })
        .collect();
    let mut bias = vec![0.0; window.filters];
    let mut total: Vec<f32> = vec![];
    for part in sums {
        bias.iter_mut().zip(part.bias).for_each(|(sum, x)| *sum += x);
        if total.is_empty() {
            total = part.kernel.to_vec();
        } else {
            total.iter_mut().zip(&*part.kernel).for_each(|(sum, x)| *sum += x);
        }
    }
    let bias = bias.into_iter().map(|sum| sum as f32).collect();
    let kernel = match &way {
        _ if !asked.kernel => vec![],
        _ if batch == 0 => vec![0.0; given.kernel.len()],
        Way::Sparse { piece, .. } => joined(&total, window.filters, walk.run_len, *piece),
        _ => unpack(&total, window.taps(), window.filters, panel),
    };
    Slopes { images: of_images, kernel, bias }
}

/// How gradients are made.
enum Way {
    Sparse {
        piece: usize,
        weights: Aligned,
    },
    /// Where the gradient of the images is as large as that of the outputs, or hardly larger.
    Mirrored {
        panel: usize,
        mirrored: Box<Mirrored>,
    },
    Spread {
        panel: usize,
        weights: Aligned,
    },
}

impl Way {
    fn of(fused: &Fused, walk: &Walk, given: Given, asked: Asked, panel: usize) -> Self {
        let (window, kernel) = (&fused.window, given.kernel);
        let weights = |piece| {
            let kernel = if asked.images { kernel } else { &[] };
            pieces(kernel, window.filters, walk.run_len, piece)
        };
        let [inputs, outputs] = [window.input, window.output].map(|[rows, columns]| rows * columns);
        if fused.then.pool > 1 && walk.run_len >= LONG_RUN {
            let piece = walk.run_len.next_multiple_of(panel / 2);
            Self::Sparse { piece, weights: weights(piece) }
        } else if asked.images && fused.then.pool == 1 && 4 * inputs <= 5 * outputs {
            Self::Mirrored { panel, mirrored: Box::new(Mirrored::new(window, kernel, panel)) }
        } else {
            Self::Spread { panel, weights: weights(panel) }
        }
    }
}

/// Images whose gradients are summed one after another.
struct Part<'a> {
    fused: &'a Fused,
    walk: &'a Walk,
    way: &'a Way,
    given: Given<'a>,
    asked: Asked,
    images: std::ops::Range<usize>,
    of_images: &'a mut [f32],
}

struct Sums {
    kernel: Aligned,
    bias: Vec<f64>,
}

impl WithSimd for Part<'_> {
    type Output = Sums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Sums {
        match self.way {
            Way::Sparse { piece, weights } => self.sparse(simd, *piece, weights),
            Way::Mirrored { panel, mirrored } => {
                let mut canvas = mirrored.canvas();
                let window = &self.fused.window;
                self.dense(simd, *panel, |gradient, out| {
                    mirrored.run(simd, window, gradient, &mut canvas, out);
                })
            }
            Way::Spread { panel, weights } => {
                let (window, walk) = (&self.fused.window, self.walk);
                let mut canvas = self.canvas::<S>();
                self.dense(simd, *panel, |gradient, out| {
                    canvas.fill(0.0);
                    dense::spread(simd, walk, window.filters, gradient, weights, &mut canvas);
                    window.lift(&canvas, walk, out);
                })
            }
        }
    }
}

impl<'a> Part<'a> {
    /// With room for what is read beyond a run's end.
    fn canvas<S: Simd>(&self) -> Aligned {
        Aligned::zeros(self.walk.canvas_len + 2 * S::F32_LANES)
    }

    /// Image `n` of the batch, and what was made of it.
    fn of(&self, n: usize) -> (&'a [f32], Outputs<'a>) {
        let (input_len, len) = (self.fused.window.input_len(), self.fused.output_len());
        let Given { images, out, picks, gradient, .. } = self.given;
        let picks = picks.get(n * len..(n + 1) * len).unwrap_or_default();
        let (out, gradient) = (&out[n * len..][..len], &gradient[n * len..][..len]);
        let made = Outputs { out, picks, gradient };
        (&images[n * input_len..][..input_len], made)
    }

    #[inline(always)]
    fn sparse<S: Simd>(self, simd: S, piece: usize, weights: &[f32]) -> Sums {
        let (window, walk) = (&self.fused.window, self.walk);
        let mut kernel = Aligned::zeros(walk.runs.len() * window.filters * piece);
        let mut bias = BiasSums::new(window.filters);
        let (mut canvas, mut drawn) = (self.canvas::<S>(), self.canvas::<S>());
        let mut list = Sparse::new(self.fused, piece, self.asked.images);
        let mut passed = vec![];
        for (i, n) in self.images.clone().enumerate() {
            let (image, made) = self.of(n);
            let gradient = made.passed(self.fused.then, &mut passed);
            bias.add(gradient);
            list.list(self.fused, walk, gradient, made.picks);
            if self.asked.kernel {
                window.draw(image, walk, &mut drawn);
                list.add_to_kernel(simd, &drawn, walk, &mut kernel);
            }
            if self.asked.images {
                canvas.fill(0.0);
                list.add_to_image(simd, weights, walk, &mut canvas);
                let out = &mut self.of_images[i * window.input_len()..][..window.input_len()];
                window.lift(&canvas, walk, out);
            }
        }
        Sums { kernel, bias: bias.total }
    }

    #[inline(always)]
    fn dense<S: Simd>(
        self,
        simd: S,
        panel: usize,
        mut to_image: impl FnMut(&[f32], &mut [f32]),
    ) -> Sums {
        let (window, walk, side) = (&self.fused.window, self.walk, self.fused.then.pool);
        let mut kernel = KernelSums::new(window.taps(), window.filters, panel);
        let mut bias = BiasSums::new(window.filters);
        let mut drawn = self.canvas::<S>();
        let mut squares = Squares::new(self.fused);
        let mut passed = vec![];
        for (i, n) in self.images.clone().enumerate() {
            let (image, made) = self.of(n);
            let mut gradient = made.passed(self.fused.then, &mut passed);
            bias.add(gradient);
            if side > 1 {
                gradient = squares.fill(simd, gradient, made.picks);
            }
            if self.asked.kernel {
                window.draw(image, walk, &mut drawn);
                kernel.add(simd, &drawn, walk, gradient);
            }
            if self.asked.images {
                let out = &mut self.of_images[i * window.input_len()..][..window.input_len()];
                to_image(gradient, out);
            }
        }
        Sums { kernel: kernel.sums, bias: bias.total }
    }
}

impl<'a> Outputs<'a> {
    /// The gradient of what was made before it was rectified.
    #[inline(always)]
    fn passed(&self, then: Then, passed: &'a mut Vec<f32>) -> &'a [f32] {
        if !then.rectify {
            return self.gradient;
        }
        passed.resize(self.gradient.len(), 0.0);
        for (passed, (g, y)) in passed.iter_mut().zip(self.gradient.iter().zip(self.out)) {
            *passed = if *y <= 0.0 { 0.0 } else { *g };
        }
        passed
    }
}

struct BiasSums {
    total: Vec<f64>,
    of_image: Vec<f32>,
}

impl BiasSums {
    fn new(filters: usize) -> Self {
        Self { total: vec![0.0; filters], of_image: vec![0.0; filters] }
    }

    #[inline(always)]
    fn add(&mut self, gradient: &[f32]) {
        let Self { total, of_image } = self;
        of_image.fill(0.0);
        for row in gradient.chunks_exact(of_image.len()) {
            of_image.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
        }
        total.iter_mut().zip(of_image).for_each(|(total, sum)| *total += f64::from(*sum));
    }
}
