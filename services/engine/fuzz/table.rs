//! Any bytes as a tenant's file: its profile is made, or it is refused. The first byte says what the
//! file is said to be.
#![no_main]

mod scratch;

use std::{fs, path::PathBuf, sync::LazyLock};

use domain::{
    Digest,
    child::DataFile,
    dataset::{Compression, Format, ReadLimits},
};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| scratch::folder("table"));

/// Low enough that both sides of each are met.
const LIMITS: ReadLimits = ReadLimits {
    max_decoded_bytes: 1 << 20,
    max_rows: 1_000,
    max_columns: 100,
    max_cell_bytes: 1 << 10,
};

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let (format, compression) = match kind {
        b'c' => (Format::Csv, Compression::None),
        b't' => (Format::Tsv, Compression::None),
        b'j' => (Format::Jsonl, Compression::None),
        b'x' => (Format::Text, Compression::None),
        b'i' => (Format::Images, Compression::None),
        b'g' => (Format::Csv, Compression::Gzip),
        b'z' => (Format::Jsonl, Compression::Zstd),
        _ => return,
    };
    let file = FOLDER.join("data");
    fs::write(&file, bytes).expect("the temporary folder can be written");
    let (sha256, bytes) = (Digest::of(bytes), bytes.len() as u64);
    let data = DataFile { format, compression, sha256, bytes };
    // the same bytes have the same profile, or are refused twice
    let once = engine::profile(&file, &data, &LIMITS).ok();
    assert_eq!(once, engine::profile(&file, &data, &LIMITS).ok());
});
