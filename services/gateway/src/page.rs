//! Lists: `{"items": […], "next": cursor or null}`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ApiError;

/// The items of one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Send it as `cursor` for the next page; null on the last one.
    pub next: Option<String>,
}

impl<T> Listing<T> {
    /// All there is.
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// The most items to answer, 50 if absent, at most 200.
    pub limit: Option<u32>,
}

/// The last item of the page before, by the cursor that it was given out as.
///
/// # Errors
/// When it is no cursor of this list.
pub fn after_cursor<T: FromStr>(cursor: Option<String>) -> Result<Option<T>, ApiError> {
    cursor
        .map(|cursor| cursor.parse())
        .transpose()
        .map_err(|_| ApiError::field("cursor", "is not the `next` of a page of this list"))
}
