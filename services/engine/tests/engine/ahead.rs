//! Batches are made while the network is busy with those before them: nothing but the time may tell.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
};

use domain::{
    child::{CHECKPOINT_FILE, Event},
    dataset::{Compression, Format},
};
use engine::StopFlag;
use serde_json::json;

use crate::{
    datasets::{idx_zip, reviews, strokes},
    families::{review_draft, stroke_draft},
    samples::{Scratch, line, with},
};

/// What is published by a run in a pool of so many threads beside the one that listens to it.
fn published(scratch: &Scratch, draft: &serde_json::Value, threads: usize) -> (Vec<u8>, Vec<u8>) {
    let scratch = scratch.again();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads + 1).build().unwrap();
    pool.install(|| scratch.run(draft.clone()));
    scratch.model_files()
}

#[test]
fn a_model_is_the_same_whichever_threads_made_its_batches() {
    let augmentation = json!({"random_crop": 1, "random_rotation": 10, "gaussian_noise": 0.05});
    let images = idx_zip(&strokes(50, 3), &strokes(6, 4));
    let images = Scratch::with(images, Format::Images, Compression::None);
    let gru = json!({"family": "gru", "units": [3], "embedding_dim": 4});
    let dropped = json!({"augmentation": {"token_dropout": 0.2}, "group_by_length": true});
    for (scratch, draft) in [
        (images, with(stroke_draft(), json!({"augmentation": augmentation}))),
        (Scratch::new(reviews(60)), with(review_draft(gru), dropped)),
    ] {
        let draft = with(draft, json!({"epochs": 2, "batch_size": 16}));
        let alone = published(&scratch, &draft, 1);
        assert!(published(&scratch, &draft, 2) == alone);
        assert!(published(&scratch, &draft, 5) == alone);
    }
}

/// The rows of a run are in a file that has no name any more; here it loses what is in it.
#[cfg(target_os = "linux")]
fn cut(folder: &Path) {
    let links = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let of_rows = |link: &PathBuf| {
        let is = |file: PathBuf| file.starts_with(folder);
        fs::read_link(link).is_ok_and(is) && fs::metadata(link).is_ok_and(|m| m.len() > 0)
    };
    let rows: Vec<_> = links.filter(of_rows).collect();
    assert!(!rows.is_empty());
    for link in rows {
        fs::File::options().write(true).open(link).unwrap().set_len(0).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn rows_that_are_gone_end_the_run_at_the_step_that_needs_them() {
    let draft = json!({
        "dataset": "sample", "target": "y", "epochs": 3, "batch_size": 8, "checkpoint_every": 1,
        "validation": {"split": 0}, "model": {"layers": [{"type": "Dense", "units": 1}]},
    });
    let whole = Scratch::new(line(80));
    let mut spec = whole.spec(draft);
    spec.estimate.rows_in_file = true;
    let (ending, _) = whole.train(&spec).unwrap();

    let scratch = whole.again();
    let last = Cell::new(0);
    let see = |event: &Event| {
        if let Event::Checkpoint { step, .. } = event {
            last.set(*step);
            if *step == 4 {
                cut(scratch.path());
            }
        }
        false
    };
    let error = scratch.train_until(&spec, &StopFlag::default(), see).unwrap_err();
    assert!(error.to_string().contains("scratch folder"), "{error}");
    // the fifth batch was made while the fourth was learned
    assert_eq!(last.get(), 5);
    assert!(scratch.path().join(CHECKPOINT_FILE).exists());
    // with the rows back it goes on from there
    assert_eq!(scratch.train(&spec).unwrap().0, ending);
    assert!(scratch.model_files() == whole.model_files());
}
