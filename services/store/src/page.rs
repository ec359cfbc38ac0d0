//! Cursor pages: the newest first, the last id of a page is the cursor of the next.

use uuid::Uuid;

pub const MAX_PAGE: i64 = 200;

#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    pub before: Option<Uuid>,
    pub limit: i64,
}

impl PageRequest {
    pub fn new(before: Option<Uuid>, limit: Option<u32>) -> Self {
        Self { before, limit: limit.map_or(50, i64::from).clamp(1, MAX_PAGE) }
    }

    /// One more than the page, to learn whether there is a next one.
    pub(crate) const fn fetch(self) -> i64 {
        self.limit + 1
    }
}

#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}

impl<T> Page<T> {
    pub(crate) fn of(mut items: Vec<T>, request: PageRequest) -> Self {
        let has_more = items.len() as i64 > request.limit;
        items.truncate(request.limit as usize);
        Self { items, has_more }
    }
}
