use super::*;
use crate::chance::Purpose;

/// One row per index; images of 3 x 4 with the pixels 0, 20, 40, ...
fn ramp() -> RawImages {
    let pixels: Vec<u8> = (0..24).map(|i| (i % 12 * 20) as u8).collect();
    RawImages { targets: vec![0.0; 2], size: [3, 4, 1], rows_without_target: 0, pixels }
}

fn drawn(how: &Augmentation, seed: u64) -> Vec<f32> {
    let mut chance = |row| Chance::new(seed, Purpose::Augmentation, 7, row);
    ramp().batch(&[0], Some((how, &mut chance)))
}

fn plain() -> Vec<f32> {
    ramp().batch(&[0], None)
}

fn pixels(values: &[f32]) -> Vec<i32> {
    values.iter().map(|x| (x * 255.0).round() as i32).collect()
}

/// What a hundred seeds make of an image, each once.
fn outcomes(how: &Augmentation) -> Vec<Vec<i32>> {
    let mut all: Vec<_> = (0..100).map(|seed| pixels(&drawn(how, seed))).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn without_augmentation_pixels_are_left_alone() {
    let expected: Vec<f32> = (0..12).map(|i| (i * 20) as f32 / 255.0).collect();
    assert_eq!(plain(), expected);
    assert_eq!(drawn(&Augmentation::default(), 0), expected);
    assert_eq!(drawn(&Augmentation { token_dropout: 0.5, ..Default::default() }, 0), expected);
    assert!(ramp().batch(&[], None).is_empty());
}

#[test]
fn each_row_has_its_own_chance_and_the_same_each_time() {
    let how = Augmentation { gaussian_noise: 0.1, random_crop: 1, ..Default::default() };
    let batch = |seed| {
        let mut chance = |row| Chance::new(seed, Purpose::Augmentation, 7, row);
        ramp().batch(&[0, 1, 0], Some((&how, &mut chance)))
    };
    let first = batch(1);
    assert_eq!(first, batch(1));
    assert_ne!(first, batch(2));
    assert_ne!(first[..12], first[12..24]);
    assert_ne!(first[..12], first[24..]);
}

#[test]
fn flips_mirror_rows_or_columns_half_of_the_time() {
    let (left, right) = ([0, 20, 40, 60], [60, 40, 20, 0]);
    let rows =
        |row: [i32; 4]| -> Vec<i32> { (0..3).flat_map(|y| row.map(|x| x + y * 80)).collect() };
    let horizontal = Augmentation { horizontal_flip: true, ..Default::default() };
    assert_eq!(outcomes(&horizontal), [rows(left), rows(right)]);
    let flipped = (0..1_000).filter(|&seed| drawn(&horizontal, seed) != plain()).count();
    assert!((450..550).contains(&flipped), "{flipped}");
    let vertical = Augmentation { vertical_flip: true, ..Default::default() };
    let upside_down: Vec<i32> = (0..3).rev().flat_map(|y| left.map(|x| x + y * 80)).collect();
    assert_eq!(outcomes(&vertical), [rows(left), upside_down]);
    let both = Augmentation { horizontal_flip: true, vertical_flip: true, ..Default::default() };
    assert_eq!(outcomes(&both).len(), 4);
}

#[test]
fn a_crop_moves_the_image_and_fills_with_black() {
    let how = Augmentation { random_crop: 1, ..Default::default() };
    let outcomes = outcomes(&how);
    assert_eq!(outcomes.len(), 9, "one step or none, each way");
    assert!(outcomes.contains(&pixels(&plain())));
    let down_right = vec![0, 0, 0, 0, 0, 0, 20, 40, 0, 80, 100, 120];
    let up_left = vec![100, 120, 140, 0, 180, 200, 220, 0, 0, 0, 0, 0];
    assert!(outcomes.contains(&down_right) && outcomes.contains(&up_left));
}

#[test]
fn brightness_moves_all_pixels_alike_within_the_range() {
    let how = Augmentation { random_brightness: 0.2, ..Default::default() };
    let mut seen = (0.0_f32, 0.0_f32);
    for seed in 0..200 {
        let more = drawn(&how, seed)[6] - plain()[6];
        assert!(more.abs() <= 0.2001);
        for (got, before) in drawn(&how, seed).iter().zip(plain()) {
            assert!((got - (before + more).clamp(0.0, 1.0)).abs() < 1e-6);
        }
        seen = (seen.0.min(more), seen.1.max(more));
    }
    assert!(seen.0 < -0.15 && seen.1 > 0.15, "{seen:?}");
}

#[test]
fn noise_has_the_given_deviation() {
    let image = RawImages {
        targets: vec![0.0],
        size: [100, 100, 1],
        rows_without_target: 0,
        pixels: vec![127; 10_000],
    };
    let how = Augmentation { gaussian_noise: 0.05, ..Default::default() };
    let mut chance = |row| Chance::new(3, Purpose::Augmentation, 0, row);
    let noisy = image.batch(&[0], Some((&how, &mut chance)));
    let mean = noisy.iter().sum::<f32>() / 1e4;
    let deviation = (noisy.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 1e4).sqrt();
    assert!((mean - 127.0 / 255.0).abs() < 0.002 && (deviation - 0.05).abs() < 0.002);
}

/// The transformation itself, where the result is known.
#[test]
fn a_quarter_turn_and_a_doubling_are_exact() {
    let mut image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    augment::turn(&mut image, [3, 3, 1], std::f32::consts::FRAC_PI_2, 1.0);
    let expected = [7.0, 4.0, 1.0, 8.0, 5.0, 2.0, 9.0, 6.0, 3.0];
    for (got, expected) in image.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-5, "{image:?}");
    }
    let mut image = [0.0, 0.0, 0.0, 0.0, 8.0, 4.0, 0.0, 0.0, 0.0];
    augment::turn(&mut image, [3, 3, 1], 0.0, 2.0);
    assert_eq!(image, [2.0, 4.0, 3.0, 4.0, 8.0, 6.0, 2.0, 4.0, 3.0]);
    let mut image = [1.0; 9];
    augment::turn(&mut image, [3, 3, 1], 0.0, 0.5);
    assert_eq!(image, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn rotation_keeps_the_middle_and_turns_both_ways() {
    let mut pixels = vec![0; 49];
    (pixels[24], pixels[3]) = (255, 255);
    let image = RawImages { targets: vec![0.0], size: [7, 7, 1], rows_without_target: 0, pixels };
    let how = Augmentation { random_rotation: 40.0, ..Default::default() };
    let (mut left, mut right) = (0, 0);
    for seed in 0..50 {
        let mut chance = |row| Chance::new(seed, Purpose::Augmentation, 0, row);
        let turned = image.batch(&[0], Some((&how, &mut chance)));
        assert!((turned[24] - 1.0).abs() < 1e-5);
        let side = |x: std::ops::Range<usize>| -> f32 {
            (0..3).flat_map(|y| turned[y * 7..][x.clone()].iter()).sum()
        };
        if side(0..3) > side(4..7) { left += 1 } else { right += 1 }
    }
    assert!(left > 10 && right > 10, "{left} {right}");
}

#[test]
fn scaling_makes_the_image_larger_and_smaller() {
    let mut pixels = vec![0; 81];
    for y in 3..6 {
        pixels[y * 9 + 3..y * 9 + 6].fill(255);
    }
    let image = RawImages { targets: vec![0.0], size: [9, 9, 1], rows_without_target: 0, pixels };
    let how = Augmentation { random_scale: 0.3, ..Default::default() };
    let areas: Vec<f32> = (0..50)
        .map(|seed| {
            let mut chance = |row| Chance::new(seed, Purpose::Augmentation, 0, row);
            image.batch(&[0], Some((&how, &mut chance))).iter().sum()
        })
        .collect();
    assert!(areas.iter().all(|area| (4.0..16.0).contains(area)), "{areas:?}");
    assert!(areas.iter().any(|area| *area < 7.5) && areas.iter().any(|area| *area > 10.5));
}

/// A scale that would turn the image inside out stops short of nothing.
#[test]
fn no_factor_makes_other_than_numbers_in_range() {
    let how = Augmentation {
        random_crop: u32::MAX,
        random_rotation: 720.0,
        random_scale: 5.0,
        horizontal_flip: true,
        vertical_flip: true,
        random_brightness: 9.0,
        gaussian_noise: 9.0,
        token_dropout: 0.0,
    };
    for seed in 0..50 {
        assert!(drawn(&how, seed).iter().all(|x| (0.0..=1.0).contains(x)));
    }
}
