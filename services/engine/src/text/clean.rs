//! Cleaning: what is done to a text before it is split, in training and prediction alike.

use std::borrow::Cow;

use domain::spec::Tokenizer;
use tokenizers::NormalizedString;

use super::html;

pub(super) fn clean<'a>(text: &'a str, spec: &Tokenizer) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    if spec.strip_html && text.contains(['<', '&']) {
        text = Cow::Owned(html::strip(&text));
    }
    match (spec.normalize, spec.lowercase) {
        (true, lower) => Cow::Owned(normalize(&text, lower)),
        (false, true) => Cow::Owned(lowercase(&text)),
        (false, false) => text,
    }
}

/// Compatibility forms become one (NFKC), control and invisible formatting characters go, and so do
/// accents of Latin and Greek letters; marks that other scripts spell with (й, Devanagari's vowels)
/// stay. Blanks become one space, line breaks stay, at most two in a row.
fn normalize(text: &str, lower: bool) -> String {
    if text.is_ascii() {
        let mut text = collapse_ascii(text);
        if lower {
            text.make_ascii_lowercase();
        }
        return text;
    }
    let meant: String = text.chars().map(html::windows_1252).collect();
    let mut text = NormalizedString::from(meant);
    let mut text: String = text.nfkc().get().chars().filter(|&c| !invisible(c)).collect();
    if lower {
        text = lowercase(&text);
    }
    let mut text = NormalizedString::from(text);
    let mut text = NormalizedString::from(without_accents(text.nfd().get()));
    collapse(text.nfc().get().chars())
}

/// Character by character: what a letter becomes does not depend on its neighbours.
fn lowercase(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn without_accents(decomposed: &str) -> String {
    let mut base = None;
    let keep = |&c: &char| {
        if matches!(c, '\u{300}'..='\u{36f}') {
            return base.is_some_and(|b: char| b.is_alphabetic() && !latin_or_greek(b));
        }
        base = Some(c);
        true
    };
    decomposed.chars().filter(keep).collect()
}

fn latin_or_greek(c: char) -> bool {
    matches!(c, 'A'..='z' | '\u{aa}'..='\u{24f}' | '\u{370}'..='\u{3ff}' | '\u{1e00}'..='\u{1fff}'
        | '\u{2c60}'..='\u{2c7f}' | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}')
}

/// Control characters, and those that only say how text is to be laid out. The joiners U+200C and
/// U+200D stay: Persian and emoji mean something by them.
fn invisible(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

fn collapse(text: impl Iterator<Item = char>) -> String {
    let mut out = String::with_capacity(text.size_hint().0);
    let mut gap = Gap::default();
    for c in text {
        if gap.widen(c) {
            continue;
        }
        out.push_str(gap.close(out.is_empty()));
        out.push(c);
    }
    out
}

/// [`collapse`] without the invisible: what most texts are made of goes over in runs.
fn collapse_ascii(mut text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = Gap::default();
    while !text.is_empty() {
        let plain = text.bytes().position(|b| !b.is_ascii_graphic()).unwrap_or(text.len());
        if plain > 0 {
            out.push_str(gap.close(out.is_empty()));
            let (run, rest) = text.split_at(plain);
            out.push_str(run);
            text = rest;
        }
        let mut rest = text.chars();
        if let Some(c) = rest.next() {
            if !invisible(c) {
                gap.widen(c);
            }
            text = rest.as_str();
        }
    }
    out
}

/// Blanks and line breaks between two words.
#[derive(Default)]
struct Gap {
    breaks: u32,
    blank: bool,
    after_return: bool,
}

impl Gap {
    /// False for what is neither a blank nor a line break.
    fn widen(&mut self, c: char) -> bool {
        match c {
            '\n' if self.after_return => {}
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => self.breaks += 1,
            _ if c.is_whitespace() => self.blank = true,
            _ => return false,
        }
        self.after_return = c == '\r';
        true
    }

    /// What it becomes before a word, if that is not the first one.
    fn close(&mut self, first: bool) -> &'static str {
        let Self { breaks, blank, .. } = std::mem::take(self);
        match breaks {
            _ if first => "",
            0 if blank => " ",
            0 => "",
            1 => "\n",
            _ => "\n\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(text: &str) -> String {
        clean(text, &Tokenizer::default()).into_owned()
    }

    #[test]
    fn texts_of_the_web_become_plain() {
        assert_eq!(
            cleaned("Great!<br /><br />\r\nI  <b>LOVED</b>\tit&hellip; "),
            "great!\n\ni loved it..."
        );
        assert_eq!(
            cleaned("\u{feff}So\u{ad}ft\0 \u{96}dash\u{96} \u{93}q\u{94}"),
            "soft –dash– “q”"
        );
        assert_eq!(cleaned(" \n\n\n a \n b\n\n\n\nc\r\nd\u{2028}e "), "a\nb\n\nc\nd\ne");
        assert_eq!(cleaned("\0\u{1}\u{200b}"), "");
    }

    #[test]
    fn accents_go_where_they_are_accents() {
        assert_eq!(cleaned("Café naïve Ångström ÉTÉ İ ﬁ ①"), "cafe naive angstrom ete i fi 1");
        assert_eq!(cleaned("e\u{301}\u{302}\u{303}x"), "ex");
        assert_eq!(cleaned("ΆΛΦΑ ὰ"), "αλφα α");
        assert_eq!(cleaned("Йод Ёж"), "йод ёж");
        assert_eq!(cleaned("हिन्दी が 한국어 שָׁלוֹם"), "हिन्दी が 한국어 שָׁלוֹם");
        assert_eq!(cleaned("👩\u{200d}👩\u{200d}👧 ｆｕｌｌ"), "👩\u{200d}👩\u{200d}👧 full");
    }

    #[test]
    fn each_step_can_be_left_out() {
        let none = Tokenizer {
            lowercase: false,
            strip_html: false,
            normalize: false,
            ..Tokenizer::default()
        };
        let text = "  É <b>\u{0}&amp; \r\n";
        assert!(matches!(clean(text, &none), Cow::Borrowed(same) if same == text));
        let lower = Tokenizer { lowercase: true, ..none.clone() };
        assert_eq!(clean(text, &lower), "  é <b>\u{0}&amp; \r\n");
        let normal = Tokenizer { normalize: true, ..none };
        assert_eq!(clean(text, &normal), "E <b>&amp;");
    }

    proptest! {
        #[test]
        fn plain_texts_take_the_same_way_faster(text in "[ -~\\x00-\\x20\\x7f]{0,60}") {
            let kept = text.chars().filter(|&c| !invisible(c));
            prop_assert_eq!(collapse_ascii(&text), collapse(kept));
        }

        #[test]
        fn cleaning_twice_changes_nothing(text in any::<String>()) {
            let spec = Tokenizer { strip_html: false, ..Tokenizer::default() };
            let once = clean(&text, &spec).into_owned();
            prop_assert_eq!(clean(&once, &spec), once.as_str());
        }
    }
}
