//! Images: a zip of files in MNIST's idx format, or of folders of PNG and JPEG files named by their
//! class, as bytes of one size; batches of them with random changes; and the one image of a
//! prediction.

mod archive;
mod augment;
mod idx;
mod layout;
mod picture;
mod request;
#[cfg(test)]
mod tests;

use std::path::Path;

use domain::{
    dataset::ReadLimits,
    spec::{Augmentation, TrainingSpec},
};
use rayon::prelude::*;

pub(crate) use archive::{Archive, Picture};
pub(crate) use picture::append_fitted;
pub(crate) use request::decode_row;

use crate::{
    chance::Chance,
    error::{At, EngineError, shown},
    target::Target,
};

/// The part of an archive that is read: one may hold a test set beside the training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    Training,
    Test,
}

/// Rows, columns and channels: 1 of gray, 3 of color.
pub(crate) type Size = [u32; 3];

pub(crate) fn size_len([height, width, channels]: Size) -> usize {
    height as usize * width as usize * channels as usize
}

/// A size may come from anywhere: what the rest relies on.
pub(crate) fn check(size: Size) -> Result<(), String> {
    let [height, width, channels] = size;
    let sides = 1..=picture::MAX_SIDE;
    if !sides.contains(&height) || !sides.contains(&width) || !matches!(channels, 1 | 3) {
        return Err(format!("images of {height} x {width} x {channels} are not read"));
    }
    Ok(())
}

pub(crate) struct RawImages {
    /// The class's index, or the number to predict.
    pub targets: Vec<f64>,
    pub size: Size,
    pub rows_without_target: u64,
    /// One image after another: rows, columns, then channels.
    pixels: Vec<u8>,
}

impl RawImages {
    /// Reads a part of `file`, each image scaled to `size`.
    pub fn read(
        file: &Path,
        limits: &ReadLimits,
        spec: &TrainingSpec,
        size: Size,
        split: Split,
    ) -> Result<Self, EngineError> {
        let target = Target::new(spec);
        let mut raw = Self { targets: vec![], size, rows_without_target: 0, pixels: vec![] };
        let mut archive = Archive::open(file, limits)?;
        archive.visit(split, &mut |picture| raw.push(&picture, &target, limits))?;
        if raw.targets.is_empty() {
            return Err(EngineError::NoRows(
                "no image has a label; name the folders or fill the labels' file".into(),
            ));
        }
        Ok(raw)
    }

    /// Whether `file` holds a test set beside the training set.
    pub fn has_test(file: &Path, limits: &ReadLimits) -> Result<bool, EngineError> {
        Ok(Archive::open(file, limits)?.has_test())
    }

    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    fn push(
        &mut self,
        picture: &Picture,
        target: &Target,
        limits: &ReadLimits,
    ) -> Result<(), EngineError> {
        let label = target.read(picture.label, At { row: picture.row, line: 0 });
        let Some(value) = label.map_err(|error| bad_label(picture, error))? else {
            self.rows_without_target += 1;
            return Ok(());
        };
        if (self.pixels.len() + size_len(self.size)) as u64 > limits.max_decoded_bytes {
            return Err(EngineError::DecodedTooLarge { limit: limits.max_decoded_bytes });
        }
        self.targets.push(value);
        picture::append_fitted(picture.pixels, picture.size, self.size, &mut self.pixels);
        Ok(())
    }

    /// `[rows, height, width, channels]` from 0 to 1; with augmentation each row by its own chance.
    pub fn batch(
        &self,
        rows: &[u32],
        augmentation: Option<(&Augmentation, &mut dyn FnMut(u64) -> Chance)>,
    ) -> Vec<f32> {
        let len = size_len(self.size);
        let mut batch = vec![0.0; rows.len() * len];
        let fill = |image: &mut [f32], row: u32| {
            let pixels = &self.pixels[row as usize * len..][..len];
            for (to, from) in image.iter_mut().zip(pixels) {
                *to = f32::from(*from) / 255.0;
            }
        };
        match augmentation {
            Some((how, chance)) if augment::changes(how) => {
                let chances: Vec<Chance> = (0..rows.len() as u64).map(chance).collect();
                batch.par_chunks_mut(len).zip(rows).zip(chances).for_each(
                    |((image, row), mut chance)| {
                        fill(image, *row);
                        augment::augment(image, self.size, how, &mut chance);
                    },
                );
            }
            _ => batch.chunks_exact_mut(len).zip(rows).for_each(|(i, row)| fill(i, *row)),
        }
        batch
    }
}

/// The same error, but with the entry in place of a row and a line.
fn bad_label(picture: &Picture, error: EngineError) -> EngineError {
    let why = match error {
        EngineError::UnknownClass { value, classes, .. } => {
            format!("the label {} is not one of the {classes} classes", shown(&value))
        }
        EngineError::NotANumber { value, .. } | EngineError::InfiniteValue { value, .. } => {
            format!("the label {} is not a finite number", shown(&value))
        }
        other => return other,
    };
    picture.bad(&format!("{why}; mend it, or submit the job again for this dataset version"))
}
