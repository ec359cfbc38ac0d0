//! A tokenizer as a file: HuggingFace's `tokenizer.json`, which other tools read too.
//!
//! Cleaning and splitting are told in that format's own steps; only a file whose steps are exactly
//! those of one of our specifications is read back. Of HTML the format knows no more than patterns:
//! there other tools come close (tags, the most frequent references).

use domain::spec::{self, TokenizerKind};
use serde_json::{Map, Value, json};

use super::{
    merges::Pair,
    model::{Bpe, CONTINUING, MAX_WORD_CHARS, Model, byte},
    tokenizer::{MAX_VOCABULARY, Tokenizer},
    vocabulary::{SPECIAL, UNKNOWN, Vocabulary},
    words,
};

/// Of one token.
const MAX_TOKEN_BYTES: usize = 1_024;

impl Tokenizer {
    pub fn to_json(&self) -> Value {
        let kind = self.spec.kind;
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": [],
            "normalizer": normalizer(&self.spec),
            "pre_tokenizer": pre_tokenizer(kind),
            "post_processor": null,
            "decoder": decoder(kind),
            "model": model(&self.model),
        })
    }

    /// Refuses whatever [`Tokenizer::to_json`] cannot have written.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let model = &json["model"];
        let vocabulary = read_vocabulary(model["vocab"].as_object())?;
        let spec = read_spec(json, vocabulary.len() as u32).ok_or(
            "its model, normalizer and pre-tokenizer are not those of one of our tokenizers",
        )?;
        let model = match spec.kind {
            TokenizerKind::Character | TokenizerKind::Word => Model::Whole(vocabulary),
            TokenizerKind::WordPiece => Model::WordPiece(vocabulary),
            TokenizerKind::Bpe => {
                let bytes = |token: &str| token.chars().all(|sign| byte(sign).is_some());
                if let Some(token) = vocabulary.tokens().skip(SPECIAL.len()).find(|t| !bytes(t)) {
                    return Err(format!("the token `{token}` does not stand for bytes"));
                }
                let merges = read_merges(model.get("merges"), &vocabulary)?;
                Model::Bpe(Bpe::new(vocabulary, merges)?)
            }
        };
        Ok(Self { spec, model })
    }
}

/// The specification whose model and steps these are.
fn read_spec(json: &Value, vocab_size: u32) -> Option<spec::Tokenizer> {
    let kinds = [
        TokenizerKind::Character,
        TokenizerKind::Word,
        TokenizerKind::WordPiece,
        TokenizerKind::Bpe,
    ];
    let kind = kinds.into_iter().find(|&kind| {
        json["model"]["type"] == model_type(kind) && json["pre_tokenizer"] == pre_tokenizer(kind)
    })?;
    let cleaning = (0..8).map(|choice| spec::Tokenizer {
        kind,
        vocab_size,
        lowercase: choice & 1 != 0,
        strip_html: choice & 2 != 0,
        normalize: choice & 4 != 0,
    });
    cleaning.into_iter().find(|spec| json["normalizer"] == normalizer(spec))
}

fn read_vocabulary(vocab: Option<&Map<String, Value>>) -> Result<Vocabulary, String> {
    let vocab = vocab.ok_or("`model.vocab` is no object")?;
    if vocab.len() > MAX_VOCABULARY {
        return Err(format!("the vocabulary holds more than {MAX_VOCABULARY} tokens"));
    }
    let mut by_id = vec![""; vocab.len()];
    for (token, id) in vocab {
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return Err(format!("a token is empty or longer than {MAX_TOKEN_BYTES} bytes"));
        }
        let place = id.as_u64().and_then(|id| by_id.get_mut(usize::try_from(id).ok()?));
        let place =
            place.ok_or_else(|| format!("the id of `{token}` is not below {}", vocab.len()))?;
        match std::mem::replace(place, token) {
            "" => {}
            other => return Err(format!("`{token}` and `{other}` have the same id")),
        }
    }
    // As many ids as tokens, all different and below their number: none is missing.
    if !by_id.starts_with(&SPECIAL) {
        return Err(format!("the first tokens have to be {SPECIAL:?}"));
    }
    Ok(Vocabulary::of(&by_id))
}

fn read_merges(merges: Option<&Value>, vocabulary: &Vocabulary) -> Result<Vec<Pair>, String> {
    let merges = merges.and_then(Value::as_array).ok_or("`model.merges` is no list")?;
    if merges.len() > MAX_VOCABULARY {
        return Err(format!("there are more than {MAX_VOCABULARY} merges"));
    }
    let id =
        |token: &Value| token.as_str().and_then(|t| vocabulary.id(t)).filter(|&id| id > UNKNOWN);
    let pair = |(i, merge): (usize, &Value)| {
        match merge.as_array().map(Vec::as_slice) {
            Some([first, second]) => id(first).zip(id(second)),
            _ => None,
        }
        .ok_or_else(|| format!("`model.merges[{i}]` is no pair of tokens"))
    };
    merges.iter().enumerate().map(pair).collect()
}

const fn model_type(kind: TokenizerKind) -> &'static str {
    match kind {
        TokenizerKind::Character | TokenizerKind::Word => "WordLevel",
        TokenizerKind::WordPiece => "WordPiece",
        TokenizerKind::Bpe => "BPE",
    }
}

fn model(model: &Model) -> Value {
    let vocabulary = model.vocabulary();
    let vocab: Map<String, Value> =
        vocabulary.tokens().zip(0_u32..).map(|(token, id)| (token.to_owned(), id.into())).collect();
    let unknown = SPECIAL[UNKNOWN as usize];
    match model {
        Model::Whole(_) => json!({ "type": "WordLevel", "vocab": vocab, "unk_token": unknown }),
        Model::WordPiece(_) => json!({
            "type": "WordPiece",
            "unk_token": unknown,
            "continuing_subword_prefix": CONTINUING,
            "max_input_chars_per_word": MAX_WORD_CHARS,
            "vocab": vocab,
        }),
        Model::Bpe(bpe) => {
            let merge = |&(a, b): &Pair| json!([vocabulary.token(a), vocabulary.token(b)]);
            json!({
                "type": "BPE",
                "dropout": null,
                "unk_token": unknown,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": false,
                "vocab": vocab,
                "merges": bpe.merges.iter().map(merge).collect::<Vec<_>>(),
            })
        }
    }
}

/// What cleaning does, in the steps that other tools know.
fn normalizer(spec: &spec::Tokenizer) -> Value {
    let replace = |pattern: &str, content: &str| json!({ "type": "Replace", "pattern": { "Regex": pattern }, "content": content });
    let mut steps = vec![];
    if spec.strip_html {
        steps.push(replace(r"(?i)</?(?:br|p|div|li|tr|h[1-6])(?:\s[^<>]*)?/?>", "\n"));
        steps.push(replace(r"</?[a-zA-Z!?][^<>]*>", ""));
        for (reference, meaning) in
            [("quot", "\""), ("nbsp", "\u{a0}"), ("lt", "<"), ("gt", ">"), ("amp", "&")]
        {
            steps.push(replace(&format!("&{reference};"), meaning));
        }
    }
    if spec.normalize {
        steps.push(json!({ "type": "NFKC" }));
        let invisible = r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{2066}-\x{206f}\x{feff}]";
        steps.push(replace(invisible, ""));
    }
    if spec.lowercase {
        steps.push(json!({ "type": "Lowercase" }));
    }
    if spec.normalize {
        steps.push(json!({ "type": "NFD" }));
        let accents = r"(?<![\p{Alphabetic}\x{300}-\x{36f}&&[^A-z\xaa-\x{24f}\x{370}-\x{3ff}\x{1e00}-\x{1fff}\x{2c60}-\x{2c7f}\x{a720}-\x{a7ff}\x{ab30}-\x{ab6f}]])[\x{300}-\x{36f}]+";
        steps.push(replace(accents, ""));
        steps.push(json!({ "type": "NFC" }));
        steps.push(replace(r"\r\n?|[\x{2028}\x{2029}]", "\n"));
        steps.push(replace(r"[^\S\n]+", " "));
        steps.push(replace(r" ?\n ?", "\n"));
        steps.push(replace(r"\n{3,}", "\n\n"));
        steps.push(json!({ "type": "Strip", "strip_left": true, "strip_right": true }));
    }
    match steps.is_empty() {
        true => Value::Null,
        false => json!({ "type": "Sequence", "normalizers": steps }),
    }
}

fn pre_tokenizer(kind: TokenizerKind) -> Value {
    let split = |behavior: &str, invert: bool| {
        json!({
            "type": "Split",
            "pattern": { "Regex": words::pattern(kind) },
            "behavior": behavior,
            "invert": invert,
        })
    };
    let bytes = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    });
    match kind {
        TokenizerKind::Character => split("Isolated", false),
        TokenizerKind::Word | TokenizerKind::WordPiece => split("Removed", true),
        TokenizerKind::Bpe => {
            json!({ "type": "Sequence", "pretokenizers": [split("Isolated", false), bytes] })
        }
    }
}

fn decoder(kind: TokenizerKind) -> Value {
    match kind {
        TokenizerKind::Character => json!({ "type": "Fuse" }),
        TokenizerKind::Word => Value::Null,
        TokenizerKind::WordPiece => {
            json!({ "type": "WordPiece", "prefix": CONTINUING, "cleanup": false })
        }
        TokenizerKind::Bpe => json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
        }),
    }
}
