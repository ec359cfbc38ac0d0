//! Any lines as heads of an audit log that were kept elsewhere: each is read back as it was, and they fit a sound
//! log if, and only if, they are seals that it has.
#![no_main]

use std::sync::LazyLock;

use domain::{
    RecordId, Timestamp,
    audit::{Chain, Entry, Head, Record, Seal},
};
use libfuzzer_sys::fuzz_target;

static LOG: LazyLock<Vec<(Seal, Record)>> = LazyLock::new(|| {
    let mut last = Seal::default();
    let record = |n: u64| {
        let entry = Entry::done("fuzz", "place", n);
        let record = Record {
            id: RecordId::NIL,
            tenant: None,
            at: Timestamp::UNIX_EPOCH,
            entry,
            seal: None,
        };
        last = last.next(&record);
        (last, record)
    };
    (1..=3).map(record).collect()
});

fn is_in_the_log(seal: &Seal) -> bool {
    // before the first record there is nothing to be held against
    seal.place == 0 || LOG.iter().any(|(sealed, _)| sealed == seal)
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut kept = Vec::new();
    for line in text.lines() {
        let Ok(head) = serde_json::from_str::<Head>(line) else { continue };
        let written = serde_json::to_string(&head).expect("a head is plain JSON");
        assert_eq!(serde_json::from_str::<Head>(&written).ok(), Some(head));
        kept.push(head.seal);
    }
    let all_fit = kept.iter().all(is_in_the_log);
    let mut chain = Chain::new(LOG.last().map(|(seal, _)| *seal), kept);
    LOG.iter().for_each(|(seal, record)| chain.follow(*seal, record));
    assert_eq!(chain.end().is_empty(), all_fit);
});
