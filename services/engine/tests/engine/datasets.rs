//! Small data of every kind, with something in it to learn. Numbers come from a generator of their own,
//! so that they are the same everywhere.

use std::io::{Cursor, Write};

use image::{DynamicImage, GrayImage, ImageFormat};
use zip::{ZipWriter, write::SimpleFileOptions};

/// Knuth's linear congruential generator (MMIX).
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        let mut draws = Self(seed);
        draws.unit();
        draws
    }

    /// At least 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, n: u32) -> u32 {
        (self.unit() * f64::from(n)) as u32
    }

    /// About normal, with mean 0 and deviation 1: the sum of twelve even numbers.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// Six to nine words of which one says what the label is.
pub fn reviews(rows: u32) -> String {
    const FILLER: [&str; 10] =
        ["the", "film", "was", "a", "story", "of", "people", "who", "walk", "home"];
    let mut draws = Draws::new(1);
    let mut csv = String::from("text,label\n");
    for i in 0..rows {
        let length = 6 + draws.below(4);
        let telling = draws.below(length);
        let good = draws.below(2) == 1;
        let words: Vec<&str> = (0..length)
            .map(|place| match place == telling {
                true => [["bad", "awful"], ["good", "great"]][usize::from(good)][i as usize % 2],
                false => FILLER[draws.below(10) as usize],
            })
            .collect();
        csv += &format!("{},{}\n", words.join(" "), if good { "yes" } else { "no" });
    }
    csv
}

/// A plain text that says the same over and over.
pub fn pattern() -> String {
    "hello world. ".repeat(60)
}

/// Pictures of 8 x 8 pixels with a line across (class 0) or down (class 1), and some noise.
pub fn strokes(count: u32, seed: u64) -> Vec<(Vec<u8>, u8)> {
    let mut draws = Draws::new(seed);
    let mut stroke = |class: u8| {
        let place = draws.below(8);
        let pixel = |i: u32| if class == 0 { i / 8 == place } else { i % 8 == place };
        let pixels = (0..64)
            .map(|i| if pixel(i) { 255 - draws.below(60) as u8 } else { draws.below(60) as u8 })
            .collect();
        (pixels, class)
    };
    (0..count).map(|i| stroke((i % 2) as u8)).collect()
}

fn zip_of(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in entries {
        writer.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// As MNIST is packed: `train-…` and, where there are any, `t10k-…`.
pub fn idx_zip(training: &[(Vec<u8>, u8)], test: &[(Vec<u8>, u8)]) -> Vec<u8> {
    let mut entries = vec![];
    for (part, strokes) in [("train", training), ("t10k", test)] {
        if strokes.is_empty() {
            continue;
        }
        let count = (strokes.len() as u32).to_be_bytes();
        let pixels: Vec<u8> = strokes.iter().flat_map(|(pixels, _)| pixels.clone()).collect();
        let labels: Vec<u8> = strokes.iter().map(|(_, class)| *class).collect();
        let side = 8_u32.to_be_bytes();
        let images = [&[0, 0, 8, 3][..], &count, &side, &side, &pixels].concat();
        entries.push((format!("{part}-images-idx3-ubyte"), images));
        let labels = [&[0, 0, 8, 1][..], &count, &labels].concat();
        entries.push((format!("{part}-labels-idx1-ubyte"), labels));
    }
    zip_of(&entries)
}

/// PNG files in folders named by what they show.
pub fn folder_zip(strokes: &[(Vec<u8>, u8)]) -> Vec<u8> {
    let name = |i: usize, class: u8| format!("{}/{i}.png", ["across", "down"][usize::from(class)]);
    let entries: Vec<(String, Vec<u8>)> = strokes
        .iter()
        .enumerate()
        .map(|(i, (pixels, class))| (name(i, *class), png(8, 8, pixels)))
        .collect();
    zip_of(&entries)
}

pub fn png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let image = GrayImage::from_raw(width, height, pixels.to_vec()).unwrap();
    let mut bytes = Cursor::new(vec![]);
    DynamicImage::ImageLuma8(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A trend and a yearly wave. `shift` tells two series apart.
pub fn sales(month: u32, shift: u32) -> f64 {
    let wave = (f64::from(month + 5 * shift) * std::f64::consts::TAU / 12.0).sin();
    100.0 + 2.0 * f64::from(month) + (20.0 + 10.0 * f64::from(shift)) * wave
}

fn month(i: u32) -> String {
    format!("{}-{:02}", 2015 + i / 12, 1 + i % 12)
}

pub fn monthly(months: u32) -> String {
    let line = |i| format!("{},{:.3}\n", month(i), sales(i, 0));
    std::iter::once("month,sales\n".to_owned()).chain((0..months).map(line)).collect()
}

/// The same for two shops.
pub fn panel(months: u32) -> String {
    let mut csv = String::from("month,shop,sales\n");
    for i in 0..months {
        for (shift, shop) in [(0, "north"), (1, "south")] {
            csv += &format!("{},{shop},{:.3}\n", month(i), sales(i, shift));
        }
    }
    csv
}

/// Users and items of two kinds, who like their own kind, most pairs rated.
pub fn ratings() -> String {
    let mut draws = Draws::new(4);
    let mut csv = String::from("user,item,rating\n");
    for user in 0..24 {
        for item in 0..16 {
            let liked = if user % 2 == item % 2 { 4.5 } else { 1.5 };
            if draws.unit() < 0.7 {
                csv += &format!("u{user},i{item},{:.2}\n", liked + 0.3 * (draws.unit() - 0.5));
            }
        }
    }
    csv
}

/// Which user took which item: only those of their kind.
pub fn taken() -> String {
    let mut draws = Draws::new(5);
    let mut csv = String::from("user,item\n");
    for user in 0..24 {
        for item in (0..16).filter(|item| user % 2 == item % 2) {
            if draws.unit() < 0.7 {
                csv += &format!("u{user},i{item}\n");
            }
        }
    }
    csv
}

/// Two overlapping clouds, the second of which is rare: one row of ten.
pub fn rare(rows: u32) -> String {
    let mut draws = Draws::new(6);
    let mut csv = String::from("x,y,ill\n");
    for i in 0..rows {
        let ill = i % 10 == 0;
        let shift = if ill { 1.2 } else { 0.0 };
        let (x, y) = (draws.normal() + shift, draws.normal() + shift);
        csv += &format!("{x:.4},{y:.4},{}\n", if ill { "yes" } else { "no" });
    }
    csv
}

/// `y = 3 a - 2 b + 1` and noise; `c0`, `c1`, … have nothing to do with it.
pub fn noisy_line(rows: u32, useless: u32, noise: f64) -> String {
    let mut draws = Draws::new(7);
    let names: String = (0..useless).map(|i| format!("c{i},")).collect();
    let mut csv = format!("a,b,{names}y\n");
    for _ in 0..rows {
        let (a, b) = (draws.normal(), draws.normal());
        let others: String = (0..useless).map(|_| format!("{:.4},", draws.normal())).collect();
        let y = 3.0 * a - 2.0 * b + 1.0 + noise * draws.normal();
        csv += &format!("{a:.4},{b:.4},{others}{y:.4}\n");
    }
    csv
}
