//! Real reviews, where the environment says where they are.

use std::path::PathBuf;

use super::*;

#[test]
fn reviews_are_learned_and_encoded_alike_by_any_number_of_threads() {
    let Some(raw) = reviews(1_500) else { return };
    let rows: Vec<u32> = (0..raw.rows() as u32).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for kind in KINDS {
        let spec = spec(kind, 3_000);
        let tokenizer = raw.fit(&rows[..1_000], &spec).unwrap();
        assert_eq!(pool.install(|| raw.fit(&rows[..1_000], &spec)).unwrap(), tokenizer);
        let tokens = raw.encode(&tokenizer, 256, Keep::First, &rows);
        assert_eq!(pool.install(|| raw.encode(&tokenizer, 256, Keep::First, &rows)), tokens);
        let read = Tokenizer::from_json(&tokenizer.to_json()).unwrap();
        assert_eq!(raw.encode(&read, 256, Keep::First, &rows), tokens);
        let unknown = tokens.ids.iter().filter(|&&id| id == 1).count() as f64;
        let share = unknown / tokens.ids.len() as f64;
        println!("{kind:?}: {} tokens, {share:.4} unknown", tokens.ids.len());
        assert!(share < if kind == TokenizerKind::Word { 0.15 } else { 0.001 });
        let reference = reference(&tokenizer);
        for text in (0..200).map(|row| html::strip(raw.text(row))) {
            let theirs = reference.encode_fast(text.as_str(), false).unwrap();
            let ours = tokenizer.encode(&text, usize::MAX, Keep::First);
            // Two readings of a byte that is a control character in Unicode.
            if !text.contains(|c: char| matches!(c, '\u{80}'..='\u{9f}')) && !text.contains('&') {
                assert_eq!(ours, theirs.get_ids(), "{kind:?} {text}");
            }
        }
    }
}

#[test]
fn all_reviews_fill_the_vocabulary() {
    let Some(raw) = reviews(usize::MAX) else { return };
    let rows: Vec<u32> = (0..raw.rows() as u32).collect();
    for kind in [TokenizerKind::WordPiece, TokenizerKind::Bpe] {
        let tokenizer = raw.fit(&rows[..rows.len() * 4 / 5], &spec(kind, 20_000)).unwrap();
        let tokens = raw.encode(&tokenizer, 256, Keep::First, &rows);
        let mean = tokens.ids.len() as f64 / rows.len() as f64;
        println!("{kind:?}: mean length {mean:.1}");
        assert_eq!(tokenizer.vocabulary(), 20_000);
    }
}

/// None where the data is not there.
fn reviews(most: usize) -> Option<RawText> {
    let Some(folder) = std::env::var_os("CUPOLA_DATA") else {
        println!("skipped: CUPOLA_DATA does not name a folder with imdb/train.csv.gz");
        return None;
    };
    let file = PathBuf::from(folder).join("imdb/train.csv.gz");
    let data = data_file(Format::Csv, Compression::Gzip);
    let mut table = Table::open(&file, &data, &ReadLimits::default()).unwrap();
    let mut raw =
        RawText { targets: vec![], rows_without_target: 0, text: String::new(), ends: vec![] };
    while raw.rows() < most {
        let Some(record) = table.next_row().unwrap() else { break };
        raw.push(record.cell(0));
    }
    Some(raw)
}
