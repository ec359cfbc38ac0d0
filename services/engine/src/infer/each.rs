//! Several requests in as few passes through the network as their rows fill.

use domain::{
    field::FieldErrors,
    model::FittedInput,
    predict::{Prediction, Row},
};
use rayon::prelude::*;

use super::{Model, Reader, too_far};
use crate::network::Inputs;

type Answer = Result<Vec<Prediction>, FieldErrors>;

impl Model {
    /// What [`Self::predict`] answers to each. Rows that stand alone share their passes, texts with those of
    /// about their length; what is wrong with one request is no other's trouble.
    pub fn predict_each(&self, requests: &[Vec<Row>]) -> Vec<Answer> {
        let share = requests.len() > 1 && requests.iter().all(|rows| self.stand_alone(rows));
        if !share {
            return requests.iter().map(|rows| self.predict(rows)).collect();
        }
        let read = requests.iter().map(|rows| self.in_groups(rows, |inputs| inputs));
        let read: Vec<Result<Vec<Inputs>, FieldErrors>> = read.collect();
        let mut rows = vec![];
        for (read, request) in read.iter().zip(requests) {
            for (inputs, group) in read.iter().flatten().zip(request.chunks(self.group_rows())) {
                rows.extend((0..group.len()).map(|row| (inputs, row)));
            }
        }
        let mut answers = self.answer_all(&rows).into_iter();
        let told = read.into_iter().zip(requests).map(|(read, request)| {
            read?;
            let own: Vec<_> = answers.by_ref().take(request.len()).collect();
            let own = own.into_iter().enumerate();
            own.map(|(i, answer)| answer.ok_or_else(|| too_far(i))).collect()
        });
        told.collect()
    }

    /// Whether each row has an answer of its own, whatever rows there are beside it.
    pub fn stand_alone(&self, rows: &[Row]) -> bool {
        match (&self.reader, &self.config.input) {
            (Reader::Corpus(_) | Reader::Series, _) => false,
            (Reader::Ratings, FittedInput::Ratings { ratings, .. }) => {
                rows.iter().any(|row| row.contains_key(&ratings.item))
            }
            _ => true,
        }
    }

    /// In the rows' order; none where the numbers leave what can be said.
    fn answer_all(&self, rows: &[(&Inputs, usize)]) -> Vec<Option<Prediction>> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&place| rows[place].0.length(rows[place].1));
        let of_group = |places: &[usize]| {
            let group: Vec<_> = places.iter().map(|&place| rows[place]).collect();
            self.answers(Inputs::gather(&group))
        };
        let size = self.group_rows();
        let groups: Vec<_> = match order.len() {
            0 => vec![],
            // another thread would have to wake up
            few if few <= size => vec![of_group(&order)],
            _ => order.par_chunks(size).map(of_group).collect(),
        };
        let mut answers = vec![None; rows.len()];
        for (place, answer) in order.iter().zip(groups.into_iter().flatten()) {
            answers[*place] = answer;
        }
        answers
    }
}
