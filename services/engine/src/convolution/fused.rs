//! What follows a convolution or a normalisation and is done along with it.

use super::window::{Walk, Window};

/// A rectifier keeps order, so that it is the same before and after the maxima.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Then {
    pub rectify: bool,
    /// Of each square of so many rows and columns only the maximum is left. 1: every number is.
    pub pool: usize,
}

impl Then {
    pub const NOTHING: Self = Self { rectify: false, pool: 1 };
    /// A byte names every place of a square of this side.
    pub const LARGEST_POOL: usize = 16;
}

/// A convolution with what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fused {
    /// Without outputs that fill no square.
    pub window: Window,
    pub then: Then,
}

impl Fused {
    /// At least one square must fit, which a network's check of shapes says.
    pub fn new(window: Window, then: Then) -> Self {
        let output = window.output.map(|n| n / then.pool * then.pool);
        Self { window: Window { output, ..window }, then }
    }

    /// Rows and columns of what is made.
    pub fn output(&self) -> [usize; 2] {
        self.window.output.map(|n| n / self.then.pool)
    }

    pub fn output_len(&self) -> usize {
        self.output().iter().product::<usize>() * self.window.filters
    }

    /// Square by square.
    pub fn walk(&self) -> Walk {
        self.window.walk(self.then.pool)
    }
}
