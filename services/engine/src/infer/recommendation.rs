//! A recommender's answers: the items that a user would like best.

use super::{Model, whole};
use crate::{network::Inputs, ratings};
use domain::{
    field::FieldErrors,
    model::FittedInput,
    predict::{Prediction, Row, Scored, moved},
};

const MAX_RECOMMENDED: u64 = 1_000;

impl Model {
    pub(super) fn recommend(&self, rows: &[Row]) -> Result<Vec<Prediction>, FieldErrors> {
        let FittedInput::Ratings { ratings, fitted } = &self.config.input else {
            unreachable!("a recommender reads ratings")
        };
        let mut errors = FieldErrors::default();
        let mut predictions = vec![];
        for (i, row) in rows.iter().enumerate() {
            let mut own = FieldErrors::default();
            let top = whole(row, "top", 10, 1, MAX_RECOMMENDED, &mut own);
            let user = ratings::encode_user(fitted, ratings, row).unwrap_or_else(|why| {
                own.add(format!("rows[0].{}", ratings.user), why);
                0
            });
            errors.0.extend(moved(own, i).0);
            if !errors.is_empty() {
                continue;
            }
            let items: Vec<i32> = (1..=fitted.items.len() as i32).collect();
            let scores = self.run(Inputs::Pairs { users: vec![user; items.len()], items });
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            let scored = |&item: &usize| {
                let mut answers = vec![];
                self.head.answer(&scores[item..=item], self.head.unit, &mut answers);
                Scored { item: fitted.items[item].clone(), score: answers[0] }
            };
            let items = order.iter().take(top as usize).map(scored).collect();
            predictions.push(Prediction::Items { items });
        }
        errors.into_result(predictions)
    }
}
