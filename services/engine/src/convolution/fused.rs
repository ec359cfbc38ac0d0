//! A convolution with what follows it.

use super::window::{Walk, Window};

/// A convolution whose outputs may be rectified, and of which only the maxima of squares side by side
/// may be asked. A rectifier keeps order, so that it is the same before and after the maxima.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fused {
    /// Without outputs that fill no square.
    pub window: Window,
    pub rectify: bool,
    /// Rows and columns of a square: 1 where every output is asked.
    pub pool: usize,
}

/// Places of a square that one byte can name.
const MOST_PLACES: usize = 256;

impl Fused {
    pub fn new(window: Window, rectify: bool) -> Self {
        Self { window, rectify, pool: 1 }
    }

    /// With the maxima of squares; none where they do not fit.
    pub fn pooled(self, side: usize) -> Option<Self> {
        let [rows, columns] = self.window.output.map(|n| n / side.max(1) * side);
        let fits = side * side <= MOST_PLACES && rows * columns > 0;
        let window = Window { output: [rows, columns], ..self.window };
        fits.then_some(Self { window, pool: side, ..self })
    }

    /// Rows and columns of what is made.
    pub fn output(&self) -> [usize; 2] {
        self.window.output.map(|n| n / self.pool)
    }

    pub fn output_len(&self) -> usize {
        self.output().iter().product::<usize>() * self.window.filters
    }

    /// Square by square.
    pub fn walk(&self) -> Walk {
        self.window.walk(self.pool)
    }
}
