//! Every file that cannot be read is refused with the place and the remedy, and nothing panics.

use std::io::Write;

use domain::{
    child::DATA_FILE,
    dataset::{Compression, Format},
};
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::samples::{Scratch, real_data};

const GOOD: &str = "a,b\n1,x\n2,y\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

#[track_caller]
fn refused(scratch: &Scratch, code: &str, words: &[&str]) {
    let (got, message) = scratch.refusal();
    assert_eq!(got, code, "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

fn csv(text: impl AsRef<[u8]>) -> Scratch {
    Scratch::new(text)
}

fn jsonl(text: impl AsRef<[u8]>) -> Scratch {
    Scratch::with(text, Format::Jsonl, Compression::None)
}

#[test]
fn empty_files() {
    for text in ["", "\n\r\n", "\u{feff}"] {
        refused(&csv(text), "empty_file", &["header"]);
        refused(&jsonl(text), "empty_file", &[]);
    }
    refused(&Scratch::with("", Format::Csv, Compression::Gzip), "empty_file", &[]);
    refused(&Scratch::with(gzip(b""), Format::Csv, Compression::Gzip), "empty_file", &[]);
    refused(&csv("a,b\n"), "no_rows", &["no rows"]);
}

#[test]
fn ragged_rows() {
    refused(&csv("a,b\n1,2\n1\n"), "ragged_row", &["row 2 (line 3)", "1 cells", "2"]);
    let words = &["row 2 (line 5)", "4 cells"];
    refused(&csv("a,b\n\n\"1\n\",2\n1,2,3,4\n"), "ragged_row", words);
    refused(&csv("a,b\n1,2\n\"open,3\n4,5\n"), "ragged_row", &["row 2 (line 3)", "unclosed quote"]);
}

#[test]
fn invalid_utf8() {
    let words = &["row 2 (line 3)", "column `b`", "UTF-8"];
    refused(&csv(b"a,b\n1,2\n1,\xff\n"), "invalid_utf8", words);
    // Each half of a character, which together would be valid.
    refused(&csv(b"a,b\n1,2\n\xc3,\xa9\n"), "invalid_utf8", &["row 2", "column `a`"]);
    refused(&csv(b"a,\xff\n1,2\n"), "invalid_utf8", &["header (line 1)", "column `2`"]);
    refused(&jsonl(b"{\"a\": 1, \"b\": \"\xff\"}\n"), "invalid_utf8", &["row 1", "`b`"]);
}

#[test]
fn a_cell_of_ten_megabytes() {
    let big = "z".repeat(10 << 20);
    let words = &["row 2 (line 3)", "column `b`", "1048576"];
    refused(&csv(format!("a,b\n1,2\n3,{big}\n")), "cell_too_large", words);
    refused(&csv(format!("a,{big}\n1,2\n")), "cell_too_large", &["header", "`2`"]);
    let line = format!("{{\"a\": 1, \"b\": \"x\"}}\n{{\"a\": 2, \"b\": \"{big}\"}}\n");
    refused(&jsonl(line), "cell_too_large", &["row 2 (line 2)", "column `b`"]);
    let small = |limits: &mut domain::dataset::ReadLimits| limits.max_cell_bytes = 4;
    refused(&csv("a,b\n1,12345\n").limited(small), "cell_too_large", &["row 1", "`b`"]);
    let json = "{\"a\": \"1\", \"b\": \"12345\"}\n";
    refused(&jsonl(json).limited(small), "cell_too_large", &["row 1", "`b`"]);
}

#[test]
fn cut_off_and_damaged_compression() {
    let text = GOOD.repeat(2_000);
    for (bytes, compression) in
        [(gzip(text.as_bytes()), Compression::Gzip), (zstd(text.as_bytes()), Compression::Zstd)]
    {
        let whole = Scratch::with(&bytes, Format::Csv, compression);
        assert_eq!(whole.profile().unwrap().rows, 5_999);
        let cut = Scratch::with(&bytes[..bytes.len() / 2], Format::Csv, compression);
        refused(&cut, "truncated_file", &[compression.as_str(), "push the whole file"]);
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 8].fill(0xff);
        let (code, _) = Scratch::with(damaged, Format::Csv, compression).refusal();
        assert!(["corrupt_file", "ragged_row", "invalid_utf8"].contains(&code.as_str()), "{code}");
    }
}

#[test]
fn several_compressed_pieces_are_one_file() {
    let pieces = [gzip(b"a,b\n1,2\n"), gzip(b"3,4\n")].concat();
    let scratch = Scratch::with(pieces, Format::Csv, Compression::Gzip);
    assert_eq!(scratch.profile().unwrap().rows, 2);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let pieces = [skippable, zstd(b"a,b\n1,2\n"), zstd(b"3,4\n")].concat();
    let scratch = Scratch::with(pieces, Format::Csv, Compression::Zstd);
    assert_eq!(scratch.profile().unwrap().rows, 2);
}

#[test]
fn a_compression_that_is_not_the_declared_one() {
    let as_gzip = Scratch::with(GOOD, Format::Csv, Compression::Gzip);
    refused(&as_gzip, "corrupt_file", &["`gzip`", "compression `none`"]);
    refused(&csv(gzip(GOOD.as_bytes())), "corrupt_file", &["compression `gzip`"]);
    let as_zstd = Scratch::with(gzip(GOOD.as_bytes()), Format::Csv, Compression::Zstd);
    refused(&as_zstd, "corrupt_file", &["compression `gzip`"]);
}

#[test]
fn bombs_stop_at_the_limit_on_decoded_bytes() {
    let bomb = ["a,b\n", &"1,1\n".repeat(4 << 20)].concat();
    let bytes = gzip(bomb.as_bytes());
    assert!(bytes.len() < 200_000, "{}", bytes.len());
    let limit = |limits: &mut domain::dataset::ReadLimits| limits.max_decoded_bytes = 1 << 20;
    let scratch = Scratch::with(bytes, Format::Csv, Compression::Gzip).limited(limit);
    refused(&scratch, "decoded_too_large", &["1048576", "split"]);
    refused(&csv(&bomb).limited(limit), "decoded_too_large", &[]);
}

#[test]
fn too_many_rows_or_columns() {
    refused(&csv(GOOD).limited(|l| l.max_rows = 1), "too_many_rows", &["more than 1 rows"]);
    refused(&csv(GOOD).limited(|l| l.max_columns = 1), "too_many_columns", &["more than 1 col"]);
    let json = jsonl("{\"a\":1,\"b\":2}\n");
    refused(&json.limited(|l| l.max_columns = 1), "too_many_columns", &[]);
}

#[test]
fn columns_named_twice() {
    refused(&csv("a,b, a\n1,2,3\n"), "duplicate_column", &["header (line 1)", "`a`"]);
    refused(&jsonl("{\"a\":1}\n{\"a\":1,\"a\":null}\n"), "duplicate_column", &["row 2", "`a`"]);
}

#[test]
fn bad_json_lines() {
    refused(&jsonl("{\"a\":1}\n{\"a\":\n"), "invalid_json", &["line 2"]);
    refused(&jsonl("{\"a\":1}\n\n[1,2]\n"), "invalid_json", &["line 3", "an object such as"]);
    refused(&jsonl("{\"a\":1} x\n"), "invalid_json", &["line 1", "trailing"]);
    let nested = jsonl("{\"a\":1}\n{\"a\":{\"b\":2}}\n");
    refused(&nested, "invalid_json", &["line 2", "column `a` holds an object"]);
    refused(&jsonl("{\"a\":[1]}\n"), "invalid_json", &["line 1", "`a` holds an array"]);
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    refused(&jsonl(&deep), "invalid_json", &["line 1"]);
    refused(&jsonl(format!("{{\"a\":{deep}}}\n")), "invalid_json", &["column `a` holds an array"]);
    let deep = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
    refused(&jsonl(deep), "invalid_json", &["column `a` holds an object"]);
    let mut late = "{\"a\":1}\n".repeat(1_000);
    late += "{\"a\":1,\"b\":2}\n";
    refused(&jsonl(late), "unknown_column", &["row 1001", "key `b`"]);
}

#[test]
fn a_missing_file_is_worth_another_try() {
    let scratch = csv(GOOD);
    std::fs::remove_file(scratch.path().join(DATA_FILE)).unwrap();
    let cause = scratch.profile().unwrap_err().cause();
    assert_eq!((cause.code.as_str(), cause.retryable), ("io", true));
}

#[test]
fn formats_hold_the_same_table() {
    let expected = csv("a,b\n1,x\n,\"y \"\"z\"\"\"\n").profile().unwrap();
    let tsv =
        Scratch::with("\u{feff}a\tb\r\n1\tx\r\n\ty \"z\"\r\n", Format::Tsv, Compression::None);
    let json = jsonl("{\"a\":1,\"b\":\"x\"}\n\n{\"b\":\"y \\\"z\\\"\"}");
    assert_eq!(tsv.profile().unwrap(), expected);
    assert_eq!(json.profile().unwrap(), expected);
    assert_eq!(expected.rows, 2);
    assert_eq!(expected.columns[0].missing, 1);
}

#[test]
fn real_json_lines_with_nested_cells_are_refused() {
    let Some(bytes) = real_data("dolly-15k/chat_train.jsonl.gz") else { return };
    let scratch = Scratch::with(bytes, Format::Jsonl, Compression::Gzip);
    refused(&scratch, "invalid_json", &["line 1 ", "column `messages` holds an array"]);
}

fn any_format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Csv), Just(Format::Tsv), Just(Format::Jsonl)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_the_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        format in any_format(),
    ) {
        let magic: [(&[u8], Compression); 3] = [
            (&[], Compression::None),
            (&[0x1f, 0x8b, 8, 0], Compression::Gzip),
            (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
        ];
        for (magic, compression) in magic {
            let bytes = [magic, &bytes].concat();
            let _ = Scratch::with(bytes, format, compression).profile();
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        text in "[a-c0-9,\"\n\r\t{}:\\[\\]\\\\. é-]{0,200}",
        format in any_format(),
    ) {
        let _ = Scratch::with(text, format, Compression::None).profile();
    }
}
