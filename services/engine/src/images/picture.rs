//! One PNG or JPEG file as pixels, and pixels of one size as those of another.

use std::io::Cursor;

use domain::model::PIXEL_ROUNDING;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    imageops::{FilterType, resize},
};

use super::Size;

/// Pixels that an image may have in height and in width.
pub(super) const MAX_SIDE: u32 = 4_096;

/// Knows the image's size; nothing is decoded yet. The error says what to do.
pub(super) fn decoder(bytes: &[u8]) -> Result<impl ImageDecoder + '_, String> {
    let format = image::guess_format(bytes)
        .ok()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg))
        .ok_or("it is neither a PNG nor a JPEG file; convert it to one")?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(why)?;
    if decoder.dimensions().0 == 0 || decoder.dimensions().1 == 0 {
        return Err("it has no pixels; leave it out".into());
    }
    Ok(decoder)
}

pub(super) fn decoded_bytes(decoder: &impl ImageDecoder) -> u64 {
    decoder.total_bytes()
}

/// Gray as one channel, else red, green and blue; what is transparent is taken as it is below.
pub(super) fn decode(decoder: impl ImageDecoder) -> Result<(Vec<u8>, Size), String> {
    let image = DynamicImage::from_decoder(decoder).map_err(why)?;
    let (width, height) = (image.width(), image.height());
    Ok(if image.color().has_color() {
        (image.into_rgb8().into_raw(), [height, width, 3])
    } else {
        (image.into_luma8().into_raw(), [height, width, 1])
    })
}

fn why(error: ImageError) -> String {
    match error {
        ImageError::Limits(_) => {
            format!("it is larger than {MAX_SIDE} x {MAX_SIDE} pixels; scale it down")
        }
        error => format!("it cannot be decoded ({error}); save it again as PNG or JPEG"),
    }
}

/// Appends the image scaled to `to`, bilinear over what each new pixel covers.
pub(crate) fn append_fitted(pixels: &[u8], from: Size, to: Size, all: &mut Vec<u8>) {
    if from == to {
        all.extend_from_slice(pixels);
        return;
    }
    let [height, width, channels] = to;
    let image = image(pixels.to_vec(), from);
    let same_sides = from[..2] == to[..2];
    match channels {
        1 if same_sides => all.extend(image.into_luma8().into_raw()),
        1 => {
            let gray = DynamicImage::from(image.into_luma8()).to_luma32f();
            all.extend(resize(&gray, width, height, FilterType::Triangle).iter().map(level));
        }
        _ if same_sides => all.extend(image.into_rgb8().into_raw()),
        _ => {
            let color = image.to_rgb32f();
            all.extend(resize(&color, width, height, FilterType::Triangle).iter().map(level));
        }
    }
}

/// From 0 to 255 what was from 0 to 1.
fn level(light: &f32) -> u8 {
    (f64::from(*light) * 255.0 + PIXEL_ROUNDING) as u8
}

fn image(pixels: Vec<u8>, [height, width, channels]: Size) -> DynamicImage {
    let fits = "as many bytes as the size says";
    if channels == 1 {
        DynamicImage::ImageLuma8(GrayImage::from_raw(width, height, pixels).expect(fits))
    } else {
        DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, pixels).expect(fits))
    }
}
