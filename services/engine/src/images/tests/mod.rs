//! Archives made here, whole and broken, and the real MNIST where there is one.

mod archives;
mod batches;
mod folders;
mod idx_files;
mod mnist;
mod requests;

use std::io::{Cursor, Write};

use domain::{
    Digest,
    dataset::{ColumnType, Profile},
    spec::{DatasetRef, Family, Limits, ModelDraft, TrainingDraft},
};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use tempfile::NamedTempFile;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

fn zip_bytes(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn zip_of(entries: &[(&str, &[u8])]) -> NamedTempFile {
    file(&zip_bytes(entries, CompressionMethod::Deflated))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn idx_images(dimensions: [u32; 3], pixels: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    for dimension in dimensions {
        bytes.extend(dimension.to_be_bytes());
    }
    [&bytes, pixels].concat()
}

fn idx_labels(labels: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 1][..], &(labels.len() as u32).to_be_bytes(), labels].concat()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn gray(height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
    let image = GrayImage::from_raw(width, height, pixels.to_vec()).unwrap();
    encoded(&DynamicImage::ImageLuma8(image), ImageFormat::Png)
}

fn color(height: u32, width: u32, pixel: [u8; 3]) -> Vec<u8> {
    let image = RgbImage::from_pixel(width, height, image::Rgb(pixel));
    encoded(&DynamicImage::ImageRgb8(image), ImageFormat::Png)
}

fn limits() -> ReadLimits {
    ReadLimits { max_decoded_bytes: 1 << 20, max_rows: 1_000, ..ReadLimits::default() }
}

fn profile(file: &NamedTempFile) -> Result<Profile, EngineError> {
    crate::profile::images::profile(file.path(), &limits())
}

fn spec(profile: &Profile) -> TrainingSpec {
    let model = Some(ModelDraft { family: Some(Family::Linear), ..ModelDraft::default() });
    let draft = TrainingDraft { dataset: "pictures".into(), model, ..TrainingDraft::default() };
    let dataset = DatasetRef {
        name: "pictures".parse().unwrap(),
        version: 1,
        sha256: Digest::of(b"pictures"),
    };
    TrainingSpec::parse(draft, dataset, None, profile, &Limits::default()).unwrap()
}

fn read(
    file: &NamedTempFile,
    classes: &[&str],
    size: Size,
    split: Split,
) -> Result<RawImages, EngineError> {
    // Any specification will do but for its classes.
    let digits = zip_of(&[
        ("images-idx3", &idx_images([4, 1, 1], &[1, 2, 3, 4])),
        ("labels-idx1", &idx_labels(&[0, 1, 0, 1])),
    ]);
    let mut spec = spec(&profile(&digits).unwrap());
    spec.classes = classes.iter().map(|&class| class.to_owned()).collect();
    RawImages::read(file.path(), &limits(), &spec, size, split)
}

/// The error's code, and that its text says what is wrong and where.
fn assert_refused<T>(result: Result<T, EngineError>, code: &str, says: &[&str]) {
    let Err(error) = result else { panic!("read, not refused with {code}") };
    let cause = error.cause();
    assert_eq!(cause.code, code, "{}", cause.message);
    for word in says {
        assert!(cause.message.contains(word), "{} lacks {word}", cause.message);
    }
}
