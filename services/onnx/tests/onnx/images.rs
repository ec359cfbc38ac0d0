//! Images: bytes in, of the model's size or another.

use std::io::{Cursor, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::dataset::Format;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::support::{Draws, rows, trained};

struct Picture {
    sides: [u32; 2],
    channels: u32,
    pixels: Vec<u8>,
    class: usize,
}

/// A line across (class 0), down (1), or none (2), and some noise.
fn pictures(count: u32, sides: [u32; 2], channels: u32, seed: u64) -> Vec<Picture> {
    let mut draws = Draws::new(seed);
    let [height, width] = sides;
    let mut picture = |class: usize| {
        let place = draws.below(height.min(width));
        let mut pixels = vec![];
        for i in 0..height * width {
            let lit = [i / width == place, i % width == place, false][class];
            let noise = draws.below(60) as u8;
            let light = if lit { 255 - noise } else { noise };
            pixels.extend((0..channels).map(|channel| light / (1 + channel as u8)));
        }
        Picture { sides, channels, pixels, class }
    };
    (0..count).map(|i| picture(i as usize % 3)).collect()
}

impl Picture {
    fn png(&self) -> Vec<u8> {
        let ([height, width], pixels) = (self.sides, self.pixels.clone());
        let image = if self.channels == 1 {
            DynamicImage::ImageLuma8(GrayImage::from_raw(width, height, pixels).unwrap())
        } else {
            DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, pixels).unwrap())
        };
        let mut bytes = Cursor::new(vec![]);
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// Rows of columns of channels.
    fn nested(&self) -> Value {
        let row = self.sides[1] as usize * self.channels as usize;
        let rows = self.pixels.chunks(row).map(|row| {
            row.chunks(self.channels as usize).map(|pixel| json!(pixel)).collect::<Vec<_>>()
        });
        json!({ "image": rows.collect::<Vec<_>>() })
    }
}

fn zipped(pictures: &[Picture]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    for (i, picture) in pictures.iter().enumerate() {
        let name = format!("{}/{i}.png", ["across", "down", "none"][picture.class]);
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(&picture.png()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Trained on pictures of 9 x 8 pixels, asked with those of other sides.
#[track_caller]
fn sees(channels: u32, model: Value, sides: [u32; 2]) {
    let draft = json!({"epochs": 2, "batch_size": 16, "model": model});
    let model = trained(zipped(&pictures(120, [9, 8], channels, 1)), Format::Images, draft);
    let held_out = pictures(60, sides, channels, 2);
    let asked: Vec<Value> =
        held_out.iter().map(|p| json!({ "image": STANDARD.encode(p.png()) })).collect();
    let fed: Vec<Value> = held_out.iter().map(Picture::nested).collect();
    model.agrees(&rows(&asked), &fed, 16);
}

#[test]
fn the_cnn_family() {
    sees(1, json!({"family": "cnn", "filters": [4, 6]}), [9, 8]);
}

#[test]
fn the_flat_families() {
    sees(1, json!({"family": "mlp", "units": [8]}), [9, 8]);
    sees(3, json!({"family": "linear"}), [9, 8]);
}

fn layers() -> Value {
    json!({"layers": [
        {"type": "Conv2D", "filters": 5, "kernel_size": 3, "padding": "same", "strides": 2},
        {"type": "LayerNormalization"},
        {"type": "Residual", "layers": [
            {"type": "Conv2D", "filters": 7, "kernel_size": 2, "strides": 2, "padding": "same",
             "activation": "silu", "use_bias": false},
        ]},
        {"type": "BatchNormalization"},
        {"type": "Residual", "layers": [
            {"type": "Conv2D", "filters": 7, "kernel_size": 3, "padding": "same"},
        ]},
        {"type": "GlobalAveragePooling2D"},
        {"type": "Dense", "units": 3, "activation": "softmax"},
    ]})
}

#[test]
fn strides_residuals_and_averages_of_colours() {
    sees(3, layers(), [9, 8]);
    let model = json!({"layers": [
        {"type": "Conv2D", "filters": 4, "kernel_size": 2},
        {"type": "AveragePooling2D"},
        {"type": "Activation", "activation": "relu"},
        {"type": "MaxPooling2D", "pool_size": 3},
        {"type": "Flatten"},
        {"type": "Dense", "units": 3, "activation": "softmax"},
    ]});
    sees(3, model, [9, 8]);
}

#[test]
fn images_of_another_size() {
    for sides in [[18, 16], [5, 6], [31, 13], [9, 21], [12, 12]] {
        sees(1, json!({"family": "cnn", "filters": [4]}), sides);
    }
    sees(3, layers(), [40, 27]);
}
