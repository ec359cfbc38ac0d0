//! Tokens and their ids.

use std::collections::HashMap;

use ahash::RandomState;
use compact_str::CompactString;

/// Fills up a batch's shorter rows.
pub(super) const PADDING: u32 = 0;
/// Stands for what the vocabulary lacks.
pub(crate) const UNKNOWN: u32 = 1;
pub(super) const SPECIAL: [&str; 2] = ["[PAD]", "[UNK]"];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vocabulary {
    tokens: Vec<CompactString>,
    /// Short tokens lie in the table itself: looking one up is one way to memory. The hash is keyed, so
    /// that nobody can write a text whose words all collide.
    ids: HashMap<CompactString, u32, RandomState>,
    longest_bytes: usize,
}

impl Vocabulary {
    pub fn new() -> Self {
        let mut empty = Self { tokens: vec![], ids: HashMap::default(), longest_bytes: 0 };
        SPECIAL.iter().for_each(|token| {
            empty.add(token);
        });
        empty
    }

    /// Each token once, the special ones first.
    pub fn of(tokens: &[&str]) -> Self {
        let longest_bytes = tokens.iter().map(|token| token.len()).max().unwrap_or(0);
        let tokens: Vec<_> = tokens.iter().copied().map(CompactString::from).collect();
        let ids = tokens.iter().cloned().zip(0..).collect();
        Self { tokens, ids, longest_bytes }
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
        let (id, token) = (self.tokens.len() as u32, CompactString::from(token));
        self.longest_bytes = self.longest_bytes.max(token.len());
        self.tokens.push(token.clone());
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
