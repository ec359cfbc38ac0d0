//! Whatever text or file comes in, nothing panics.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn what_to_json_cannot_have_written_is_refused() {
    let refused = |kind, change: &dyn Fn(&mut Value)| {
        let mut json = train(&spec(kind, 300)).to_json();
        change(&mut json);
        Tokenizer::from_json(&json).unwrap_err()
    };
    let pieces = TokenizerKind::WordPiece;
    let message = refused(pieces, &|json| json["model"]["vocab"]["[PAD]"] = json!(7));
    assert!(message.contains("same id"), "{message}");
    let message = refused(pieces, &|json| json["model"]["vocab"]["film"] = json!(70_000));
    assert!(message.contains("is not below"), "{message}");
    let message = refused(pieces, &|json| json["model"]["vocab"] = json!({ "a": 0, "b": 1 }));
    assert!(message.contains("first tokens"), "{message}");
    let message = refused(pieces, &|json| json["normalizer"] = json!({ "type": "NFC" }));
    assert!(message.contains("not those of one of our"), "{message}");
    let message = refused(pieces, &|json| json["model"]["vocab"] = json!({}));
    assert!(message.contains("first tokens"), "{message}");
    let many: serde_json::Map<_, _> = (0..1_000_001).map(|i| (i.to_string(), json!(i))).collect();
    let message = refused(pieces, &|json| json["model"]["vocab"] = many.clone().into());
    assert!(message.contains("more than 1000000"), "{message}");
    let message = refused(TokenizerKind::Bpe, &|json| json["model"]["merges"][0] = json!(["a", 3]));
    assert!(message.contains("merges[0]"), "{message}");
    let message =
        refused(TokenizerKind::Bpe, &|json| json["model"]["merges"] = json!([["q", "z"]]));
    assert!(message.contains("is no token"), "{message}");
    assert!(Tokenizer::from_json(&Value::Null).is_err());
}

/// Puts `value` in place of the part of `json` that `path` leads to.
fn put(json: &mut Value, path: &[usize], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *json = value;
        return;
    };
    let part = match json {
        Value::Object(map) if !map.is_empty() => {
            let place = first % map.len();
            map.iter_mut().nth(place).map(|(_, part)| part)
        }
        Value::Array(list) if !list.is_empty() => {
            let place = first % list.len();
            list.get_mut(place)
        }
        _ => None,
    };
    match part {
        Some(part) => put(part, rest, value),
        None => *json = value,
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..40).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_encoded_and_byte_pairs_give_it_back(text in any::<String>(), length in 0_usize..40) {
        for kind in KINDS {
            let tokenizer = Tokenizer::train(&spec(kind, 280), TEXTS.into_iter()).unwrap();
            let ids = tokenizer.encode(&text, length, Keep::First);
            prop_assert!(!ids.is_empty() && ids.len() <= length.max(1));
            prop_assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocabulary()));
            tokenizer.decode(&ids);
        }
        let pairs = Tokenizer::train(&exact(TokenizerKind::Bpe, 280), TEXTS.into_iter()).unwrap();
        if !text.is_empty() {
            prop_assert_eq!(pairs.decode(&pairs.encode(&text, usize::MAX, Keep::First)), text);
        }
    }

    #[test]
    fn no_json_makes_a_panic(
        kind in prop::sample::select(&KINDS[..]),
        changes in prop::collection::vec(
            (prop::collection::vec(any::<usize>(), 0..5), any_json()), 1..3),
        text in any::<String>(),
    ) {
        let mut json = Tokenizer::train(&spec(kind, 270), TEXTS.into_iter()).unwrap().to_json();
        for (path, value) in changes {
            put(&mut json, &path, value);
        }
        if let Ok(tokenizer) = Tokenizer::from_json(&json) {
            let ids = tokenizer.encode(&text, 20, Keep::First);
            let distinct: HashSet<u32> = ids.iter().copied().collect();
            prop_assert!(distinct.iter().all(|&id| (id as usize) < tokenizer.vocabulary()));
            tokenizer.decode(&ids);
            prop_assert_eq!(Tokenizer::from_json(&tokenizer.to_json()), Ok(tokenizer));
        }
    }

    #[test]
    fn other_tools_split_any_text_alike(text in "[a-zA-Z0-9 .,'’!#_\\t\\n\u{a0}-\u{24f}\u{300}-\u{345}а-яא-ת一-三가-각😀-😂❤\u{fe0f}]{1,60}") {
        for kind in KINDS {
            let spec = spec::Tokenizer { strip_html: false, ..spec(kind, 300) };
            let tokenizer = train(&spec);
            let theirs = reference(&tokenizer).encode_fast(text.as_str(), false).unwrap();
            if !theirs.is_empty() {
                prop_assert_eq!(tokenizer.encode(&text, usize::MAX, Keep::First), theirs.get_ids(), "{:?}", kind);
            }
        }
    }
}
