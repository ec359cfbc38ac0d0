//! Any JSON as a draft: it becomes a specification or a list of what is wrong with it. What becomes a
//! specification is stored with the job as JSON and read back, so it must come back as it was.
#![no_main]

use std::sync::LazyLock;

use domain::{
    Digest,
    dataset::Profile,
    spec::{DatasetRef, Limits, TrainingDraft, TrainingSpec},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// A table with columns of every kind, a plain text, and images.
static PROFILES: LazyLock<[Profile; 3]> = LazyLock::new(|| {
    [table(), vec![column("text", "text", 900)], images()].map(|columns| {
        let profile = json!({
            "rows": 1_000, "columns": columns, "duplicate_rows": 0, "warnings": []
        });
        serde_json::from_value(profile).expect("it is a profile")
    })
});

fn table() -> Vec<Value> {
    vec![
        column("number", "float", 900),
        column("count", "integer", 40),
        column("constant", "integer", 1),
        column("binary", "boolean", 2),
        column("class", "categorical", 3),
        column("text", "text", 900),
        column("day", "date", 900),
        column("user", "integer", 100),
        column("item", "categorical", 200),
        column("nothing", "empty", 0),
    ]
}

fn images() -> Vec<Value> {
    let mut image = column("image", "image", 1_000);
    image["image"] = json!([28, 28, 1]);
    vec![image, column("label", "categorical", 10)]
}

fn column(name: &str, kind: &str, distinct: u64) -> Value {
    let values: Vec<Value> =
        (0..distinct).map(|i| json!({"value": i.to_string(), "rows": 1})).collect();
    json!({
        "name": name, "type": kind, "missing": 5, "infinite": 0, "distinct": distinct,
        "distinct_is_exact": true, "min": null, "mean": null, "max": null, "values": values
    })
}

fuzz_target!(|input: &[u8]| {
    let Ok(draft) = serde_json::from_slice::<TrainingDraft>(input) else { return };
    let dataset = DatasetRef {
        name: "fuzzed".parse().expect("it is a name"),
        version: 1,
        sha256: Digest::of(input),
    };
    for profile in PROFILES.iter() {
        let spec =
            TrainingSpec::parse(draft.clone(), dataset.clone(), None, profile, &Limits::default());
        let Ok(spec) = spec else { continue };
        let stored = serde_json::to_string(&spec).expect("a specification is plain JSON");
        let read: TrainingSpec = serde_json::from_str(&stored).expect("what was stored is read");
        assert_eq!(read, spec);
    }
});
