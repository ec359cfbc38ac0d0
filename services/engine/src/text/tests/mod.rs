//! Tokenizers of all kinds on texts of many scripts, and rows around them.

mod hostile;
mod reviews;

use domain::{
    Digest,
    dataset::{Compression, Format},
    spec::{Input, TokenizerKind},
};
use serde_json::{Value, json};

use super::*;
use crate::examples;

const KINDS: [TokenizerKind; 4] =
    [TokenizerKind::Character, TokenizerKind::Word, TokenizerKind::WordPiece, TokenizerKind::Bpe];

const TEXTS: [&str; 8] = [
    "The film was great, really great!<br /><br />I'd watch it again; don't miss it.",
    "A terrible film. The plot was thin and the acting thinner: 2/10...",
    "Café naïve ÅNGSTRÖM e\u{301}te\u{301} ﬁlm Ⅷ ½",
    "Йод в чае, हिन्दी में लिखा, 日本語テキスト 北京, 한국어 שָׁלוֹם العَرَبِيَّة",
    "emoji 😀😀 👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} fine",
    "tabs\tand\r\nlines\n\n\nand \u{a0} spaces   end ",
    "nul\u{0}led [UNK] [PAD] ##ing under_score @user #tag",
    "",
];

fn spec(kind: TokenizerKind, vocab_size: u32) -> spec::Tokenizer {
    spec::Tokenizer { kind, vocab_size, ..spec::Tokenizer::default() }
}

fn exact(kind: TokenizerKind, vocab_size: u32) -> spec::Tokenizer {
    spec::Tokenizer {
        lowercase: false,
        strip_html: false,
        normalize: false,
        ..spec(kind, vocab_size)
    }
}

fn train(spec: &spec::Tokenizer) -> Tokenizer {
    Tokenizer::train(spec, TEXTS.iter().cycle().take(16).copied()).unwrap()
}

/// The same file read by the library whose format it is.
fn reference(tokenizer: &Tokenizer) -> tokenizers::Tokenizer {
    tokenizer.to_json().to_string().parse().unwrap()
}

#[test]
fn the_same_texts_give_the_same_tokenizer() {
    for kind in KINDS {
        for size in [60, 400] {
            let first = train(&spec(kind, size));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            for _ in 0..3 {
                assert_eq!(pool.install(|| train(&spec(kind, size))), first);
            }
            assert_eq!(train(&spec(kind, size)).to_json().to_string(), first.to_json().to_string());
            assert!(first.vocabulary() <= size as usize, "{kind:?}");
        }
    }
}

#[test]
fn other_tools_read_the_file_and_split_alike() {
    for kind in KINDS {
        for spec in [spec(kind, 400), exact(kind, 400)] {
            let tokenizer = train(&spec);
            let reference = reference(&tokenizer);
            for text in TEXTS.into_iter().filter(|text| !text.is_empty()) {
                // The format has no words for HTML.
                let text = if spec.strip_html { text.replace("<br />", "\n") } else { text.into() };
                let theirs = reference.encode_fast(text.as_str(), false).unwrap();
                assert_eq!(
                    tokenizer.encode(&text, 10_000, Keep::First),
                    theirs.get_ids(),
                    "{kind:?} {text}"
                );
            }
        }
    }
}

#[test]
fn characters_and_byte_pairs_give_the_text_back() {
    let unseen = "Ünseen 🦀 \u{7}\u{0} текст\r\n\t  x\u{301}";
    for text in TEXTS.into_iter().skip(1).take(6).chain([unseen]) {
        let pairs = train(&exact(TokenizerKind::Bpe, 300));
        assert_eq!(pairs.decode(&pairs.encode(text, 10_000, Keep::First)), text);
        let characters =
            Tokenizer::train(&exact(TokenizerKind::Character, 1_000), [text].into_iter()).unwrap();
        assert_eq!(characters.decode(&characters.encode(text, 10_000, Keep::First)), text);
    }
    let clean = train(&spec(TokenizerKind::Bpe, 300));
    assert_eq!(clean.decode(&clean.encode("A <b>FINE</b>  Día\n", 100, Keep::First)), "a fine dia");
    let pieces = train(&spec(TokenizerKind::WordPiece, 400));
    assert_eq!(
        pieces.decode(&pieces.encode("The FILMING wasn't greatest!", 100, Keep::First)),
        "the filming wasn't greatest !"
    );
    assert_eq!(pieces.decode(&[0, 1, u32::MAX]), "[UNK] [UNK]");
}

#[test]
fn empty_and_unknown_texts_are_one_unknown_token() {
    for kind in KINDS {
        let tokenizer =
            Tokenizer::train(&spec(kind, 400), ["only these words"].into_iter()).unwrap();
        for text in ["", " \n\t", "<br />", "\0\u{200b}"] {
            assert_eq!(tokenizer.encode(text, 8, Keep::First), [1], "{kind:?} {text:?}");
        }
        assert_eq!(tokenizer.encode("these words", 0, Keep::First).len(), 1);
        assert_eq!(tokenizer.encode(&"these ".repeat(100), 7, Keep::First).len(), 7);
        if kind != TokenizerKind::Bpe {
            assert_eq!(tokenizer.encode("🦀", 8, Keep::First), [1]);
        }
        for texts in [vec![], vec!["", " "]] {
            let error = Tokenizer::train(&spec(kind, 400), texts.into_iter()).unwrap_err();
            assert_eq!(error.cause().code, "no_inputs");
        }
    }
}

#[test]
fn of_a_long_text_stays_what_was_asked_for() {
    let text = "a b c d e f g h i j";
    let tokenizer = Tokenizer::train(&spec(TokenizerKind::Word, 100), [text].into_iter()).unwrap();
    let kept = |length, keep| tokenizer.decode(&tokenizer.encode(text, length, keep));
    assert_eq!(kept(4, Keep::First), "a b c d");
    assert_eq!(kept(4, Keep::Last), "g h i j");
    assert_eq!(kept(4, Keep::Ends), "a h i j");
    assert_eq!(kept(1, Keep::Ends), "j");
    for keep in [Keep::First, Keep::Last, Keep::Ends] {
        assert_eq!(kept(10, keep), text);
        assert_eq!(tokenizer.encode("", 4, keep), [1]);
    }
}

#[test]
fn a_vocabulary_smaller_than_the_alphabet_keeps_the_most_frequent() {
    let texts = ["aaaa bbb cc d", "aaaa bbb cc"];
    for kind in KINDS {
        for size in 0..12 {
            let tokenizer = Tokenizer::train(&spec(kind, size), texts.into_iter()).unwrap();
            assert!(tokenizer.vocabulary() <= (size as usize).max(2), "{kind:?} {size}");
            assert!(
                tokenizer.encode("aaaa zzz", 100, Keep::First).iter().all(|&id| id < size.max(2))
            );
            assert_eq!(Tokenizer::from_json(&tokenizer.to_json()).unwrap(), tokenizer);
        }
    }
    let characters = Tokenizer::train(&exact(TokenizerKind::Character, 4), texts.into_iter());
    // Of `a` 8, ` ` 5 and `b` 6 times, the two most frequent.
    assert_eq!(characters.unwrap().encode("abc ", 9, Keep::First), [2, 3, 1, 1]);
}

#[test]
fn a_megabyte_without_a_blank_is_only_slow_to_read() {
    let letters = "abcdefghij".repeat(100_000);
    for kind in KINDS {
        for text in [
            letters.clone(),
            " ".repeat(1_000_000),
            "#".repeat(1_000_000),
            "e\u{301}".repeat(300_000),
        ] {
            let spec = exact(kind, 400);
            let Ok(tokenizer) = Tokenizer::train(&spec, [text.as_str(), TEXTS[1]].into_iter())
            else {
                panic!("{kind:?}");
            };
            let whole = tokenizer.encode(&text, usize::MAX, Keep::First);
            assert_eq!(tokenizer.encode(&text, 50, Keep::First), whole[..whole.len().min(50)]);
            if matches!(kind, TokenizerKind::Bpe | TokenizerKind::Character) {
                assert_eq!(tokenizer.decode(&whole), text);
            }
        }
    }
}

#[test]
fn rows_are_read_with_their_targets() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let csv = "label,review\npos,A fine film\nneg,\n,skipped\npos,fine\nneg,NA\n";
    std::fs::write(file.path(), csv).unwrap();
    let data = data_file(Format::Csv, Compression::None);
    let limits = ReadLimits::default();
    let spec = training_spec();
    let raw = RawText::read(file.path(), &data, &limits, &spec, "review").unwrap();
    assert_eq!((raw.rows(), raw.rows_without_target), (4, 1));
    assert_eq!(raw.targets, [1.0, 0.0, 1.0, 0.0]);
    // Only the training rows count: `film` is in none of them.
    let tokenizer = raw.fit(&[2, 3], &self::spec(TokenizerKind::Word, 100)).unwrap();
    let tokens = raw.encode(&tokenizer, 2, Keep::First, &[0, 1, 2]);
    assert_eq!((tokens.row(0), tokens.row(1), tokens.row(2)), (&[1, 2][..], &[1][..], &[2][..]));
    let missing = RawText::read(file.path(), &data, &limits, &spec, "text").err().unwrap();
    assert_eq!(missing.cause().code, "unknown_column");
}

#[test]
fn raw_rows_are_encoded_as_training_rows_are() {
    let tokenizer = train(&spec(TokenizerKind::Word, 400));
    let row = |value: Value| json!({ "text": value }).as_object().unwrap().clone();
    let mut errors = FieldErrors::default();
    let rows = [row(json!(" The FILM was ")), row(json!(null)), row(json!(2)), row(json!("NA"))];
    let padded = encode_rows(&tokenizer, "text", 10, Keep::First, &rows, &mut errors);
    assert!(errors.is_empty());
    assert_eq!((padded.length, &padded.lengths[..]), (3, &[3, 1, 1, 1][..]));
    assert_eq!(padded.ids[3..6], [1, 0, 0]);
    let bad = vec![row(json!(["x"])); 300];
    encode_rows(&tokenizer, "text", 10, Keep::First, &bad, &mut errors);
    assert_eq!(errors.0.len(), 100);
    assert_eq!(errors.0[0].field, "rows[0].text");
    let mut errors = FieldErrors::default();
    encode_rows(&tokenizer, "review", 10, Keep::First, &rows, &mut errors);
    assert!(errors.0[0].message.contains("the column is missing"));
}

fn data_file(format: Format, compression: Compression) -> DataFile {
    DataFile { format, compression, sha256: Digest::of(b""), bytes: 0 }
}

fn training_spec() -> TrainingSpec {
    let (column, tokenizer) = ("review".to_owned(), spec(TokenizerKind::Word, 100));
    let input = Input::Text { column, tokenizer, max_length: 8, keep: Keep::First };
    let classes = ["neg", "pos"].map(str::to_owned).into();
    TrainingSpec { classes, ..examples::spec(Task::BinaryClassification, "label", input) }
}
