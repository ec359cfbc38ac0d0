//! Where a clean text is split before a tokenizer looks at the pieces.

use std::sync::LazyLock;

use domain::spec::TokenizerKind;
use tokenizers::{NormalizedString, Normalizer, normalizers::StripAccents};

/// Endings that are split off, as in GPT-2.
const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// The same splits as regular expressions, for other tools that read the tokenizer's file. They are
/// those of [`Words`], which knows neither backtracking nor its limits.
pub(super) const fn pattern(kind: TokenizerKind) -> &'static str {
    match kind {
        TokenizerKind::Character => r"[\s\S]",
        TokenizerKind::Word | TokenizerKind::WordPiece => concat!(
            r"[\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{faff}\x{20000}-\x{2fa1f}]\p{M}*",
            r"|[\p{Alphabetic}\p{N}\p{M}&&[^\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{faff}\x{20000}-\x{2fa1f}]]+",
            r"(?:['’][\p{Alphabetic}\p{N}\p{M}&&[^\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{faff}\x{20000}-\x{2fa1f}]]+)*",
            r"|[^\s\p{Alphabetic}\p{N}\p{M}]\p{M}*"
        ),
        TokenizerKind::Bpe => concat!(
            r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{Alphabetic}\p{M}]+| ?\p{N}+",
            r"| ?[^\s\p{Alphabetic}\p{N}\p{M}]+|\s+(?!\S)|\s+"
        ),
    }
}

/// The words of a text in order.
///
/// - Characters: each one.
/// - Words and WordPiece: runs of letters, digits and marks, with an apostrophe inside (`don't`); each
///   Chinese character and each other sign alone; blanks are dropped.
/// - Byte pairs: GPT-2's split (Radford et al., 2019), in which words carry the space before them and
///   nothing is dropped.
pub(super) struct Words<'a> {
    kind: TokenizerKind,
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub fn new(kind: TokenizerKind, text: &'a str) -> Self {
        Self { kind, rest: text }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if matches!(self.kind, TokenizerKind::Word | TokenizerKind::WordPiece) {
            self.rest = self.rest.trim_start();
        }
        let first = self.rest.chars().next()?;
        let end = match self.kind {
            TokenizerKind::Character => first.len_utf8(),
            TokenizerKind::Word | TokenizerKind::WordPiece => word_end(self.rest, first),
            TokenizerKind::Bpe => piece_end(self.rest, first),
        };
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

fn word_end(text: &str, first: char) -> usize {
    if !in_word(first) {
        return first.len_utf8() + run(&text[first.len_utf8()..], is_mark);
    }
    let mut end = run(text, in_word);
    loop {
        let rest = &text[end..];
        let Some(mark) = rest.chars().next().filter(|c| matches!(c, '\'' | '’')) else {
            return end;
        };
        match run(&rest[mark.len_utf8()..], in_word) {
            0 => return end,
            more => end += mark.len_utf8() + more,
        }
    }
}

fn piece_end(text: &str, first: char) -> usize {
    if let Some(ending) = CONTRACTIONS.iter().find(|ending| text.starts_with(**ending)) {
        return ending.len();
    }
    let space = usize::from(first == ' ');
    let letter = |c: char| c.is_alphabetic() || is_mark(c);
    let sign = |c: char| !c.is_whitespace() && !letter(c) && !c.is_numeric();
    for class in [&letter as &dyn Fn(char) -> bool, &char::is_numeric, &sign] {
        let length = run(&text[space..], class);
        if length > 0 {
            return space + length;
        }
    }
    // Blanks; the last of several belongs to the word after them.
    let length = run(text, char::is_whitespace);
    let last = text[..length].chars().next_back().map_or(0, char::len_utf8);
    if length == text.len() || length == last { length } else { length - last }
}

/// Bytes of the longest start of `text` whose characters are all of a class.
fn run(text: &str, class: impl Fn(char) -> bool) -> usize {
    text.find(|c| !class(c)).unwrap_or(text.len())
}

fn in_word(c: char) -> bool {
    (c.is_alphanumeric() || is_mark(c)) && !is_chinese(c)
}

/// Chinese is written without blanks; each character stands for a word or a part of one.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{2fa1f}')
}

/// Marks that combine with the character before them (category M of Unicode).
fn is_mark(c: char) -> bool {
    !c.is_ascii()
        && MARKS.get(c as usize / 64).is_some_and(|bits| bits >> (c as usize % 64) & 1 == 1)
}

/// A bit for each character, asked once from the table that the `tokenizers` crate strips marks by.
static MARKS: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let planes = ('\u{80}'..='\u{1ffff}').chain('\u{e0000}'..='\u{e01ff}');
    let mut bits = vec![0_u64; 0xe0200 / 64];
    planes.clone().for_each(|c| bits[c as usize / 64] |= 1 << (c as usize % 64));
    let mut kept = NormalizedString::from(planes.collect::<String>());
    StripAccents.normalize(&mut kept).expect("filtering characters cannot fail");
    kept.for_each(|c| bits[c as usize / 64] &= !(1 << (c as usize % 64)));
    bits
});

#[cfg(test)]
mod tests {
    use super::*;

    fn words(kind: TokenizerKind, text: &str) -> Vec<&str> {
        Words::new(kind, text).collect()
    }

    #[test]
    fn words_keep_apostrophes_and_marks_and_signs_stand_alone() {
        let got = words(
            TokenizerKind::Word,
            " don't 'quote' x’y a_b 3.5% हिन्दी ❤\u{fe0f}good 北京x👩\u{200d}👧",
        );
        assert_eq!(
            got,
            [
                "don't",
                "'",
                "quote",
                "'",
                "x’y",
                "a",
                "_",
                "b",
                "3",
                ".",
                "5",
                "%",
                "हिन्दी",
                "❤\u{fe0f}",
                "good",
                "北",
                "京",
                "x",
                "👩",
                "\u{200d}",
                "👧"
            ]
        );
        assert!(words(TokenizerKind::Word, " \u{2003}\n").is_empty());
    }

    #[test]
    fn byte_pairs_split_as_gpt_2_does_and_lose_nothing() {
        let text = "I'll  go, 42 times!\n\n  x\n y  ";
        let got = words(TokenizerKind::Bpe, text);
        let expected =
            ["I", "'ll", " ", " go", ",", " 42", " times", "!", "\n\n ", " x", "\n", " y", "  "];
        assert_eq!(got, expected);
        assert_eq!(got.concat(), text);
    }
}
