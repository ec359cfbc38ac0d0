//! Ratings that are asked for: rows of a user and an item become places of vectors.

use domain::{field::FieldErrors, model::FittedRatings, predict::Row, spec::Ratings};

use super::read::Pairs;
use crate::value::{self, MAX_ERRORS};

/// One pair a row; a user or an item that was not in training has the place 0. `targets` are 0.
pub(crate) fn encode_request(
    fitted: &FittedRatings,
    ratings: &Ratings,
    rows: &[Row],
    errors: &mut FieldErrors,
) -> Pairs {
    let mut pairs = Pairs::default();
    for (i, row) in rows.iter().enumerate() {
        let mut place =
            |column: &str, names: &[String]| match value::of(row, column).and_then(value::text) {
                Ok(Some(name)) => find(names, &name),
                Ok(None) => {
                    let why = "null; give an id, which need not have been in training";
                    errors.add(format!("rows[{i}].{column}"), why);
                    0
                }
                Err(why) => {
                    errors.add(format!("rows[{i}].{column}"), why);
                    0
                }
            };
        let user = place(&ratings.user, &fitted.users);
        let item = place(&ratings.item, &fitted.items);
        pairs.push(user, item, 0.0);
        if errors.0.len() >= MAX_ERRORS {
            break;
        }
    }
    pairs
}

/// The place of a row's user; 0 for one that was not in training.
pub(crate) fn encode_user(
    fitted: &FittedRatings,
    ratings: &Ratings,
    row: &Row,
) -> Result<i32, String> {
    match value::of(row, &ratings.user).and_then(value::text)? {
        Some(name) => Ok(find(&fitted.users, &name)),
        None => Err("null; give an id, which need not have been in training".into()),
    }
}

fn find(names: &[String], name: &str) -> i32 {
    let found = names.binary_search_by(|known| known.as_str().cmp(name));
    found.map_or(0, |i| i as i32 + 1)
}

/// Fitted ratings may come from anywhere: what the rest relies on.
pub(crate) fn check(fitted: &FittedRatings) -> Result<(), String> {
    let sorted = |names: &[String]| names.is_sorted_by(|a, b| a < b) && names.len() < MAX_NAMES;
    if !sorted(&fitted.users) || !sorted(&fitted.items) {
        return Err("users and items must be sorted, each listed once".into());
    }
    if !fitted.mean.is_finite() || !fitted.deviation.is_finite() || fitted.deviation <= 0.0 {
        return Err("the ratings are scaled by a number that is not above 0".into());
    }
    Ok(())
}

/// Places are `i32`.
const MAX_NAMES: usize = i32::MAX as usize;
