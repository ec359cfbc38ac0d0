//! Random changes of one image, of the kinds that torchvision and Keras know: pad and crop, rotate and
//! scale, flip, brighten, add noise. What is moved in from outside is black, and what gets too bright
//! or too dark is cut to the range.

use domain::spec::Augmentation;

use super::Size;
use crate::chance::Chance;

/// Whether any image would be changed.
pub(super) fn changes(how: &Augmentation) -> bool {
    how.random_crop > 0
        || how.random_rotation > 0.0
        || how.random_scale > 0.0
        || how.horizontal_flip
        || how.vertical_flip
        || how.random_brightness > 0.0
        || how.gaussian_noise > 0.0
}

/// `image` is rows, columns, then channels, from 0 to 1.
pub(super) fn augment(image: &mut [f32], size: Size, how: &Augmentation, chance: &mut Chance) {
    let size = size.map(|n| n as usize);
    if how.random_crop > 0 {
        let mut move_by = || {
            let places = 2 * u64::from(how.random_crop) + 1;
            chance.below(places) as i64 - i64::from(how.random_crop)
        };
        crop(image, size, [move_by(), move_by()]);
    }
    if how.random_rotation > 0.0 || how.random_scale > 0.0 {
        let degrees = either_way(chance, how.random_rotation);
        let scale = 1.0 + either_way(chance, how.random_scale);
        turn(image, size, degrees.to_radians(), scale.max(0.01));
    }
    if how.horizontal_flip && chance.below(2) == 1 {
        image.chunks_exact_mut(size[1] * size[2]).for_each(|row| flip(row, size[2]));
    }
    if how.vertical_flip && chance.below(2) == 1 {
        flip(image, size[1] * size[2]);
    }
    if how.random_brightness > 0.0 {
        let more = either_way(chance, how.random_brightness);
        image.iter_mut().for_each(|x| *x = (*x + more).clamp(0.0, 1.0));
    }
    if how.gaussian_noise > 0.0 {
        let deviation = how.gaussian_noise as f32;
        image.iter_mut().for_each(|x| *x = (*x + deviation * chance.normal()).clamp(0.0, 1.0));
    }
}

/// Evenly from `-most` to `most`.
fn either_way(chance: &mut Chance, most: f64) -> f32 {
    (2.0 * chance.unit() - 1.0) * most as f32
}

/// Each pixel becomes the one that lies `by` rows and columns further on.
fn crop(image: &mut [f32], [height, width, channels]: [usize; 3], by: [i64; 2]) {
    let before = image.to_vec();
    let within = |i: usize, by: i64, n: usize| {
        usize::try_from(i as i64 + by).ok().filter(|&place| place < n)
    };
    for (i, pixel) in image.chunks_exact_mut(channels).enumerate() {
        match (within(i / width, by[0], height), within(i % width, by[1], width)) {
            (Some(y), Some(x)) => {
                pixel.copy_from_slice(&before[(y * width + x) * channels..][..channels]);
            }
            _ => pixel.fill(0.0),
        }
    }
}

/// Turns (clockwise) and scales around the middle, bilinear: each pixel is read where it comes from.
pub(super) fn turn(
    image: &mut [f32],
    [height, width, channels]: [usize; 3],
    angle: f32,
    scale: f32,
) {
    let before = image.to_vec();
    let (sine, cosine) = (angle.sin() / scale, angle.cos() / scale);
    let middle = [(height as f32 - 1.0) / 2.0, (width as f32 - 1.0) / 2.0];
    for (i, pixel) in image.chunks_exact_mut(channels).enumerate() {
        let (y, x) = ((i / width) as f32 - middle[0], (i % width) as f32 - middle[1]);
        let from = [cosine * y - sine * x + middle[0], sine * y + cosine * x + middle[1]];
        let corner = from.map(f32::floor);
        let share = [from[0] - corner[0], from[1] - corner[1]];
        pixel.fill(0.0);
        for (down, right) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
            let (y, x) = (corner[0] + down, corner[1] + right);
            if y < 0.0 || x < 0.0 || y >= height as f32 || x >= width as f32 {
                continue;
            }
            let weight = (1.0 - (down - share[0]).abs()) * (1.0 - (right - share[1]).abs());
            let source = &before[(y as usize * width + x as usize) * channels..][..channels];
            for (to, from) in pixel.iter_mut().zip(source) {
                *to += weight * from;
            }
        }
    }
}

/// Groups of `len` in opposite order.
fn flip(values: &mut [f32], len: usize) {
    let groups = values.len() / len;
    for i in 0..groups / 2 {
        let (low, high) = values.split_at_mut((groups - 1 - i) * len);
        low[i * len..][..len].swap_with_slice(&mut high[..len]);
    }
}
