//! Gradients of a convolution where most of the outputs' gradient is zero, as it is behind a
//! rectifier, and behind the maxima of squares all the more: the numbers that are left are listed, by
//! filter and by pixel, and a row of the image or of the kernel is added for each of them alone.

use pulp::Simd;

use super::{fused::Fused, vectors::Aligned, window::Walk};

/// A number of the gradient, and where the row starts that it is a factor of.
#[derive(Clone, Copy, Default)]
struct Entry {
    start: u32,
    factor: f32,
}

/// Rows of entries, each with room for the same number.
struct Lists {
    entries: Vec<Entry>,
    room: usize,
    lengths: Vec<usize>,
}

impl Lists {
    fn new(rows: usize, room: usize) -> Self {
        Self { entries: vec![Entry::default(); rows * room], room, lengths: vec![0; rows] }
    }

    /// A zero makes way for the next entry.
    #[inline(always)]
    fn put(&mut self, row: usize, start: usize, factor: f32) {
        let length = &mut self.lengths[row];
        self.entries[row * self.room + *length] = Entry { start: start as u32, factor };
        *length += usize::from(factor != 0.0);
    }

    fn rows(&self) -> impl Iterator<Item = &[Entry]> {
        self.entries.chunks_exact(self.room).zip(&self.lengths).map(|(row, n)| &row[..*n])
    }
}

/// The gradient of an image's outputs, where it is not zero.
pub(super) struct Sparse {
    /// With starts of windows on a canvas.
    by_filter: Lists,
    /// With starts of rows of the kernel's pieces, each a whole run.
    by_pixel: Option<Lists>,
    piece: usize,
}

impl Sparse {
    /// `piece`: a run of the window, filled up to whole vectors.
    pub fn new(fused: &Fused, piece: usize, of_images: bool) -> Self {
        let filters = fused.window.filters;
        let [rows, columns] = fused.output();
        let pixels = fused.window.output[0] * fused.window.output[1];
        let by_pixel = of_images.then(|| Lists::new(pixels, filters));
        Self { by_filter: Lists::new(filters, rows * columns), by_pixel, piece }
    }

    /// Lists the gradient of what was made of an image.
    #[inline(always)]
    pub fn list(&mut self, fused: &Fused, walk: &Walk, gradient: &[f32], picks: &[u8]) {
        let Self { by_filter, by_pixel, piece } = self;
        by_filter.lengths.fill(0);
        if let Some(by_pixel) = by_pixel {
            by_pixel.lengths.fill(0);
        }
        let filters = fused.window.filters;
        let area = fused.then.pool * fused.then.pool;
        for (square, gradient) in gradient.chunks_exact(filters).enumerate() {
            let picks = picks.get(square * filters..).unwrap_or_default();
            let origins = &walk.origins[square * area..][..area];
            for (f, g) in gradient.iter().enumerate() {
                let place = picks.get(f).map_or(0, |pick| usize::from(*pick));
                by_filter.put(f, origins[place], *g);
                if let Some(by_pixel) = by_pixel {
                    by_pixel.put(square * area + place, f * *piece, *g);
                }
            }
        }
    }

    /// Adds to the kernel's sums, in pieces of whole runs.
    #[inline(always)]
    pub fn add_to_kernel<S: Simd>(&self, simd: S, canvas: &[f32], walk: &Walk, sums: &mut Aligned) {
        let filters = self.by_filter.lengths.len();
        for (run, sums) in walk.runs.iter().zip(sums.chunks_exact_mut(self.piece * filters)) {
            let rows = sums.chunks_exact_mut(self.piece);
            for (entries, sums) in self.by_filter.rows().zip(rows) {
                accumulate(simd, entries, &canvas[*run..], sums);
            }
        }
    }

    /// Adds to an image on its canvas.
    #[inline(always)]
    pub fn add_to_image<S: Simd>(&self, simd: S, weights: &[f32], walk: &Walk, canvas: &mut [f32]) {
        let Some(by_pixel) = &self.by_pixel else { return };
        let filters = self.by_filter.lengths.len();
        for (run, weights) in walk.runs.iter().zip(weights.chunks_exact(self.piece * filters)) {
            for (entries, origin) in by_pixel.rows().zip(&walk.origins) {
                let sums = &mut canvas[origin + run..][..self.piece];
                accumulate(simd, entries, weights, sums);
            }
        }
    }
}

/// Adds for each entry its row times its factor.
#[inline(always)]
fn accumulate<S: Simd>(simd: S, entries: &[Entry], rows: &[f32], sums: &mut [f32]) {
    if entries.is_empty() {
        return;
    }
    let sums = S::as_mut_simd_f32s(sums).0;
    let (twelves, rest) = sums.as_chunks_mut::<12>();
    let mut at = 0;
    for sums in twelves {
        add_rows::<S, 12, 1>(simd, entries, rows, at, sums);
        at += 12 * S::F32_LANES;
    }
    let (sixes, rest) = rest.as_chunks_mut::<6>();
    for sums in sixes {
        add_rows::<S, 6, 2>(simd, entries, rows, at, sums);
        at += 6 * S::F32_LANES;
    }
    let (threes, ones) = rest.as_chunks_mut::<3>();
    for sums in threes {
        add_rows::<S, 3, 4>(simd, entries, rows, at, sums);
        at += 3 * S::F32_LANES;
    }
    for sums in ones.as_chunks_mut::<1>().0 {
        add_rows::<S, 1, 4>(simd, entries, rows, at, sums);
        at += S::F32_LANES;
    }
}

/// `V` vectors of each row; sums of `E` entries are made side by side, so that none waits for the
/// one before.
#[inline(always)]
fn add_rows<S: Simd, const V: usize, const E: usize>(
    simd: S,
    entries: &[Entry],
    rows: &[f32],
    at: usize,
    sums: &mut [S::f32s; V],
) {
    let rows = &rows[at..];
    let mut kept = [[simd.splat_f32s(0.0); V]; E];
    kept[0] = *sums;
    let (groups, rest) = entries.as_chunks::<E>();
    for group in groups {
        for e in 0..E {
            add_row(simd, group[e], rows, &mut kept[e]);
        }
    }
    for entry in rest {
        add_row(simd, *entry, rows, &mut kept[0]);
    }
    *sums = kept[0];
    for more in &kept[1..] {
        for (sum, x) in sums.iter_mut().zip(more) {
            *sum = simd.add_f32s(*sum, *x);
        }
    }
}

/// No closure: whether one is inlined, and keeps the vectors' instructions, is for the compiler to choose.
#[inline(always)]
fn add_row<S: Simd, const V: usize>(simd: S, entry: Entry, rows: &[f32], sums: &mut [S::f32s; V]) {
    let row = &rows[entry.start as usize..][..V * S::F32_LANES];
    let factor = simd.splat_f32s(entry.factor);
    for (sum, x) in sums.iter_mut().zip(S::as_simd_f32s(row).0) {
        *sum = simd.mul_add_f32s(factor, *x, *sum);
    }
}
