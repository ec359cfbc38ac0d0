//! Answers to pictures that are decoded already.

use domain::{field::FieldErrors, model::FittedInput, predict::Prediction};
use rayon::prelude::*;

use super::{Model, too_far};
use crate::{
    images::{self, Picture, append_fitted},
    network::Inputs,
};

impl Model {
    /// Scaled to the size that the model sees.
    pub(crate) fn append_picture(&self, picture: &Picture, values: &mut Vec<f32>) {
        let mut fitted = vec![];
        append_fitted(picture.pixels, picture.size, self.picture_size(), &mut fitted);
        values.extend(fitted.into_iter().map(|pixel| f32::from(pixel) / 255.0));
    }

    /// Of as many as `values` has the numbers of.
    pub(crate) fn answers_to_pictures(
        &self,
        values: &[f32],
    ) -> Vec<Result<Prediction, FieldErrors>> {
        let size = self.picture_size();
        let [height, width, channels] = size.map(|side| side as usize);
        let group = self.group_rows() * images::size_len(size);
        let of_group = |values: &[f32]| {
            self.answers(Inputs::Images { values: values.to_vec(), height, width, channels })
        };
        let answers = values.par_chunks(group).flat_map_iter(of_group);
        answers.map(|answer| answer.ok_or_else(|| too_far(0))).collect()
    }

    fn picture_size(&self) -> images::Size {
        match self.config.input {
            FittedInput::Images { height, width, channels } => [height, width, channels],
            _ => unreachable!("a model of pictures is asked about pictures"),
        }
    }
}
