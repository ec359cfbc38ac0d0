//! A text as it comes, token by token. A character may take several tokens, and a word's space belongs to
//! the word after it, so that a token alone is not always text.

use super::Tokenizer;

pub(crate) struct Pieces<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    /// Tokens that the next piece is read together with, and of them those that were told.
    from: usize,
    told: usize,
}

impl<'a> Pieces<'a> {
    pub const fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, tokens: vec![], from: 0, told: 0 }
    }

    /// What may be told with one more token; none where it ends within a character.
    pub fn push(&mut self, token: u32) -> Option<String> {
        self.tokens.push(token);
        let more = self.more()?;
        if more.is_empty() || more.ends_with(char::REPLACEMENT_CHARACTER) {
            return None;
        }
        (self.from, self.told) = (self.told, self.tokens.len());
        Some(more)
    }

    /// What was held back and is no character.
    pub fn rest(&self) -> Option<String> {
        self.more().filter(|more| !more.is_empty())
    }

    fn more(&self) -> Option<String> {
        let known = self.tokenizer.decode(&self.tokens[self.from..self.told]);
        let now = self.tokenizer.decode(&self.tokens[self.from..]);
        now.strip_prefix(&known).map(str::to_owned)
    }
}
