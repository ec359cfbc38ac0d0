//! Tokens and their ids.

use std::{collections::HashMap, sync::Arc};

/// Fills up a batch's shorter rows.
pub(super) const PADDING: u32 = 0;
/// Stands for what the vocabulary lacks.
pub(crate) const UNKNOWN: u32 = 1;
pub(super) const SPECIAL: [&str; 2] = ["[PAD]", "[UNK]"];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vocabulary {
    tokens: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32>,
    longest_bytes: usize,
}

impl Vocabulary {
    pub fn new() -> Self {
        let mut empty = Self { tokens: vec![], ids: HashMap::new(), longest_bytes: 0 };
        SPECIAL.iter().for_each(|token| {
            empty.add(token);
        });
        empty
    }

    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// No token is longer.
    pub fn longest_bytes(&self) -> usize {
        self.longest_bytes
    }

    /// The token's id, new or as it was.
    pub fn add(&mut self, token: &str) -> u32 {
        if let Some(id) = self.id(token) {
            return id;
        }
        let (id, token) = (self.tokens.len() as u32, Arc::<str>::from(token));
        self.longest_bytes = self.longest_bytes.max(token.len());
        self.tokens.push(Arc::clone(&token));
        self.ids.insert(token, id);
        id
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// `[UNK]` for an id that is none.
    pub fn token(&self, id: u32) -> &str {
        self.tokens.get(id as usize).map_or(SPECIAL[UNKNOWN as usize], |token| token)
    }

    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(|token| &**token)
    }
}
