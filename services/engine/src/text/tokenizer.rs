//! A tokenizer fitted on the training rows: cleaning, splitting, and a vocabulary of characters, words,
//! word pieces or byte pairs. Ids 0 and 1 are `[PAD]` and `[UNK]` in all of them.

use std::collections::HashMap;

use domain::{
    spec::Keep,
    spec::{self, TokenizerKind},
};
use rayon::prelude::*;

use super::{
    clean::clean,
    merges::{self, Counted},
    model::{Bpe, CONTINUING, MAX_WORD_CHARS, Model, sign},
    vocabulary::{PADDING, SPECIAL, UNKNOWN, Vocabulary},
    words::Words,
};
use crate::error::EngineError;

/// No tokenizer is larger, whatever is asked for or found in a file.
pub(super) const MAX_VOCABULARY: usize = 1_000_000;
/// What is longer than this is not learned from in one piece.
const MAX_LEARNED_BYTES: usize = 256;
/// Words whose tokens are remembered while encoding, and how long they may be.
const MEMO_WORDS: usize = 100_000;
const MEMO_WORD_BYTES: usize = 32;

#[derive(Debug, PartialEq)]
pub(crate) struct Tokenizer {
    /// With the vocabulary's true size.
    pub(super) spec: spec::Tokenizer,
    pub(super) model: Model,
}

/// The tokens of words that came before.
#[derive(Default)]
pub(super) struct Memo(HashMap<Box<str>, Box<[u32]>>);

impl Tokenizer {
    /// Fails if the texts hold no word.
    pub fn train<'a>(
        spec: &spec::Tokenizer,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<Self, EngineError> {
        let texts: Vec<&str> = texts.collect();
        let words = count_words(spec, &texts);
        if words.is_empty() {
            return Err(EngineError::NoInputs { rows: texts.len() });
        }
        let size = (spec.vocab_size as usize).min(MAX_VOCABULARY);
        let model = match spec.kind {
            TokenizerKind::Character | TokenizerKind::Word => {
                Model::Whole(most_frequent(words, size))
            }
            TokenizerKind::WordPiece => {
                let symbols = |word: &str| {
                    let mark = |(i, c): (usize, char)| match i {
                        0 => c.to_string(),
                        _ => format!("{CONTINUING}{c}"),
                    };
                    word.chars().enumerate().map(mark).collect()
                };
                let (words, mut vocabulary) = alphabet(words, symbols, size);
                with_both_forms(&mut vocabulary, size);
                let whole = |word: &Counted| !word.symbols.contains(&UNKNOWN);
                let words = words.into_iter().filter(whole).collect();
                merges::learn(words, &mut vocabulary, size, CONTINUING);
                Model::WordPiece(vocabulary)
            }
            TokenizerKind::Bpe => {
                let symbols = |word: &str| word.bytes().map(|b| sign(b).to_string()).collect();
                let (words, mut vocabulary) = alphabet(words, symbols, size);
                // Bytes that the training texts lack, so that any text can be said.
                for byte in (0..=u8::MAX).take_while(|_| size >= 256 + SPECIAL.len()) {
                    vocabulary.add(sign(byte).encode_utf8(&mut [0; 4]));
                }
                let merges = merges::learn(words, &mut vocabulary, size, "");
                Model::Bpe(Bpe::new(vocabulary, merges).expect("a learned merge makes a token"))
            }
        };
        let vocab_size = model.vocabulary().len() as u32;
        Ok(Self { spec: spec::Tokenizer { vocab_size, ..spec.clone() }, model })
    }

    pub fn vocabulary(&self) -> usize {
        self.model.vocabulary().len()
    }

    /// At most `max_length` of the text's tokens; at least one, which is `[UNK]` where it holds none.
    pub fn encode(&self, text: &str, max_length: usize, keep: Keep) -> Vec<u32> {
        self.encode_with(text, max_length, keep, &mut Memo::default())
    }

    pub(super) fn encode_with(
        &self,
        text: &str,
        max_length: usize,
        keep: Keep,
        memo: &mut Memo,
    ) -> Vec<u32> {
        let max_length = max_length.max(1);
        let enough = if keep == Keep::First { max_length } else { usize::MAX };
        let text = clean(text, &self.spec);
        let mut ids = vec![];
        for word in Words::new(self.spec.kind, &text) {
            if ids.len() >= enough {
                break;
            }
            self.encode_word(word, enough, memo, &mut ids);
        }
        if ids.is_empty() {
            ids.push(UNKNOWN);
        }
        if let Some(excess) = ids.len().checked_sub(max_length) {
            let start = match keep {
                Keep::First => max_length,
                Keep::Last => 0,
                Keep::Ends => max_length / 4,
            };
            ids.drain(start..start + excess);
        }
        ids
    }

    fn encode_word(&self, word: &str, enough: usize, memo: &mut Memo, ids: &mut Vec<u32>) {
        if matches!(self.model, Model::Whole(_)) || word.len() > MEMO_WORD_BYTES {
            return self.model.encode(word, enough, ids);
        }
        if let Some(known) = memo.0.get(word) {
            return ids.extend_from_slice(known);
        }
        let start = ids.len();
        self.model.encode(word, enough, ids);
        if memo.0.len() == MEMO_WORDS {
            memo.0.clear();
        }
        memo.0.insert(word.into(), ids[start..].into());
    }

    /// Text again; exactly the clean text for characters and byte pairs, where no token is `[UNK]`.
    pub fn decode(&self, ids: &[u32]) -> String {
        let ids: Vec<u32> = ids.iter().copied().filter(|&id| id != PADDING).collect();
        match self.spec.kind {
            TokenizerKind::Word => {
                let vocabulary = self.model.vocabulary();
                let words: Vec<&str> = ids.iter().map(|&id| vocabulary.token(id)).collect();
                words.join(" ")
            }
            _ => self.model.decode(&ids),
        }
    }
}

/// The words of all clean texts, most frequent first, equals in their own order.
fn count_words(spec: &spec::Tokenizer, texts: &[&str]) -> Vec<(Box<str>, u64)> {
    let count = |mut counts: HashMap<Box<str>, u64>, text: &&str| {
        for word in Words::new(spec.kind, &clean(text, spec)) {
            for word in learnable(spec.kind, word) {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(word.into(), 1);
                    }
                }
            }
        }
        counts
    };
    let add = |a: HashMap<Box<str>, u64>, b: HashMap<Box<str>, u64>| {
        let (mut large, small) = if a.len() < b.len() { (b, a) } else { (a, b) };
        small.into_iter().for_each(|(word, count)| *large.entry(word).or_default() += count);
        large
    };
    let counts = texts.par_iter().fold(HashMap::new, count).reduce(HashMap::new, add);
    let mut words: Vec<_> = counts.into_iter().collect();
    words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    words
}

/// Overlong words are unknown to words and word pieces anyway; byte pairs learn from their parts.
fn learnable(kind: TokenizerKind, word: &str) -> impl Iterator<Item = &str> {
    let mut rest = match kind {
        TokenizerKind::Word | TokenizerKind::WordPiece
            if word.chars().nth(MAX_WORD_CHARS).is_some() =>
        {
            ""
        }
        _ => word,
    };
    std::iter::from_fn(move || {
        let limit = if kind == TokenizerKind::Bpe { MAX_LEARNED_BYTES } else { usize::MAX };
        let (part, after) = rest.split_at(rest.floor_char_boundary(limit));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

fn most_frequent(words: Vec<(Box<str>, u64)>, size: usize) -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    for (word, _) in words.into_iter().take(size.saturating_sub(SPECIAL.len())) {
        vocabulary.add(&word);
    }
    vocabulary
}

/// The symbols that words are made of, as many of the most frequent as fit, and the words in them.
fn alphabet(
    words: Vec<(Box<str>, u64)>,
    symbols: impl Fn(&str) -> Vec<String>,
    size: usize,
) -> (Vec<Counted>, Vocabulary) {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for (word, count) in &words {
        symbols(word).into_iter().for_each(|symbol| *counts.entry(symbol).or_default() += count);
    }
    let mut kept: Vec<(String, u64)> = counts.into_iter().collect();
    kept.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    kept.truncate(size.saturating_sub(SPECIAL.len()));
    kept.sort_unstable();
    let mut vocabulary = Vocabulary::new();
    kept.iter().for_each(|(symbol, _)| {
        vocabulary.add(symbol);
    });
    let counted = |(word, count): (Box<str>, u64)| {
        let ids = symbols(&word).into_iter().map(|s| vocabulary.id(&s).unwrap_or(UNKNOWN));
        Counted { symbols: ids.collect(), count }
    };
    (words.into_iter().map(counted).collect(), vocabulary)
}

/// Letters and digits that only began words may continue one in the next text, and the other way
/// round.
fn with_both_forms(vocabulary: &mut Vocabulary, size: usize) {
    let known: Vec<String> = vocabulary.tokens().skip(SPECIAL.len()).map(str::to_owned).collect();
    for token in known {
        let other = match token.strip_prefix(CONTINUING) {
            Some(letter) => letter.to_owned(),
            None if token.chars().all(char::is_alphanumeric) => format!("{CONTINUING}{token}"),
            None => continue,
        };
        if vocabulary.len() < size {
            vocabulary.add(&other);
        }
    }
}
