//! What is suggested for files of every kind: each suggestion is a specification that is taken as it is, and
//! trains.

use std::io::{Cursor, Write};

use advice::{Start, start};
use domain::{
    dataset::Format,
    spec::{ClassWeight, Family, Limits, Task, TrainingDraft},
};

use crate::samples::{Chance, File, sides};

#[track_caller]
fn suggested(file: &File, target: Option<&str>) -> Start {
    let name = "sample".parse().unwrap();
    let found = start((&name, Some(1)), &file.profile, target, &Limits::default()).unwrap();
    for suggestion in &found.suggestions {
        // what is shown is what is parsed again, and what a clone of it would be
        let draft: TrainingDraft = serde_json::from_value(suggestion.draft.brief()).unwrap();
        let spec = file.spec(draft);
        assert_eq!(spec.task, suggestion.task);
        assert_eq!(spec.estimate, suggestion.estimate);
        assert_eq!(file.spec(TrainingDraft::from(&spec)), spec, "{:?}", suggestion.family);
        assert!(suggestion.estimate.seconds < spec.max_runtime as f64);
    }
    found
}

fn families(found: &Start) -> Vec<Family> {
    found.suggestions.iter().map(|one| one.family).collect()
}

#[test]
fn a_table_with_many_rows_begins_with_a_network_and_one_with_few_with_a_line() {
    let found = suggested(&File::csv(&sides(600)), None);
    assert_eq!(found.target.as_deref(), Some("side"));
    assert_eq!(families(&found), [Family::Mlp, Family::Linear]);
    assert_eq!(found.suggestions[0].task, Task::BinaryClassification);
    let few = suggested(&File::csv(&sides(40)), Some("side"));
    assert_eq!(families(&few), [Family::Linear, Family::Mlp]);
    assert!(few.suggestions[0].reason.contains("rows of the rarer class"), "{few:?}");
}

#[test]
fn what_teaches_nothing_is_left_out_and_what_looks_like_the_answer_is_named() {
    let mut chance = Chance::new(2);
    let mut csv = "order_id,size,always,note,cents,price\n".to_owned();
    for i in 0..120 {
        let size = chance.next();
        let price = (50.0 + 20.0 * size).round();
        let note = format!("the customer number {} called again and asked for {i}", i * 7);
        csv += &format!("{i},{size:.3},1,{note},{},{price}\n", price * 100.0);
    }
    let found = suggested(&File::csv(&csv), Some("price"));
    assert_eq!(found.suggestions[0].task, Task::Regression);
    let left_out = found.suggestions[0].draft.drop.clone().unwrap();
    assert_eq!(left_out, ["order_id", "always", "note"]);
    let said = found.notes.join("\n");
    for part in [
        "`order_id` is left out: an identifier",
        "the same in every row",
        "free text",
        "`cents` is spread exactly as `price` is",
    ] {
        assert!(said.contains(part), "no {part}: {said}");
    }
    // the text may be read instead
    let last = found.suggestions.last().unwrap();
    assert_eq!(last.draft.features.as_deref(), Some(&["note".to_owned()][..]));
}

#[test]
fn rare_classes_count_more_from_the_first_run_on() {
    let mut csv = "a,b,failed\n".to_owned();
    for i in 0..300 {
        csv += &format!("{},{},{}\n", i % 17, i % 11, if i % 30 == 0 { "yes" } else { "no" });
    }
    let found = suggested(&File::csv(&csv), None);
    let draft = &found.suggestions[0].draft;
    assert_eq!(draft.class_weight, Some(ClassWeight::Balanced));
    assert_eq!(draft.validation.as_ref().unwrap().stratified, Some(true));
    assert!(found.notes.iter().any(|note| note.contains("only 3.3 % of the rows")), "{found:?}");
}

#[test]
fn texts_series_ratings_images_and_a_plain_text_are_told_by_their_columns() {
    let mut reviews = "text,label\n".to_owned();
    for i in 0..80 {
        reviews += &format!(
            "number {i} was a film of the {} kind that I saw,{}\n",
            ["best", "worst"][i % 2],
            ["good", "bad"][i % 2]
        );
    }
    let found = suggested(&File::csv(&reviews), None);
    assert_eq!(families(&found), [Family::BidirectionalLstm, Family::Transformer]);
    assert_eq!(found.target.as_deref(), Some("label"));

    let mut months = "month,passengers\n".to_owned();
    for i in 0..96 {
        months += &format!("{}-{:02},{}\n", 2000 + i / 12, i % 12 + 1, 100 + i + (i % 12) * 5);
    }
    let found = suggested(&File::csv(&months), None);
    assert_eq!(families(&found), [Family::Mlp, Family::Linear, Family::Lstm]);
    let series = found.suggestions[0].draft.series.clone().unwrap();
    assert_eq!((series.time.as_str(), series.season), ("month", Some(12)));
    assert!(found.suggestions[0].reason.contains("repeat after a year"), "{found:?}");

    let mut ratings = "user_id,movie_id,rating\n".to_owned();
    for i in 0..200 {
        ratings += &format!("u{},m{},{}\n", i % 20, (i * 7) % 30, 1 + i % 5);
    }
    let found = suggested(&File::csv(&ratings), None);
    assert_eq!(families(&found), [Family::MatrixFactorization, Family::TwoTower]);
    assert_eq!(found.target.as_deref(), Some("rating"));

    let lines: String = (0..60).map(|i| format!("line {i} of a tale that goes on\n")).collect();
    let found = suggested(&File::of(lines.as_bytes(), Format::Text), None);
    assert_eq!(families(&found), [Family::Transformer]);
    assert_eq!(found.target, None);

    let found = suggested(&File::of(&images(), Format::Images), None);
    assert_eq!(families(&found), [Family::Cnn, Family::Mlp]);
    assert_eq!(found.target.as_deref(), Some("label"));
}

#[test]
fn what_cannot_be_learned_says_why() {
    let file = File::csv("a,b\n1,2\n2,2\n3,2\n");
    let name = "sample".parse().unwrap();
    let refused = |target| {
        start((&name, None), &file.profile, Some(target), &Limits::default())
            .unwrap_err()
            .to_string()
    };
    assert!(refused("b").contains("nothing to learn"), "{}", refused("b"));
    assert!(refused("x").contains("no column `x`"), "{}", refused("x"));
}

#[test]
fn the_first_suggestion_trains() {
    let file = File::csv(&sides(300));
    let found = suggested(&file, None);
    let trained = file.train_draft(found.suggestions[0].draft.clone());
    assert!(trained.curves.last("val_accuracy").unwrap() > 0.8, "{:?}", trained.curves);
    assert!(file.findings(&trained).iter().all(|one| one.rule != "diverging"));
}

/// The four files of idx, of which MNIST is made: twelve images of four by four.
fn images() -> Vec<u8> {
    let head = |magic: u32, sizes: &[u32]| {
        [&[magic], sizes].concat().iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>()
    };
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, bytes: Vec<u8>| {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    };
    let pixels: Vec<u8> = (0..60 * 64_u32).map(|n| (n * 37 % 256) as u8).collect();
    let labels: Vec<u8> = (0..60).map(|n| n % 3).collect();
    put("train-images-idx3-ubyte", [head(0x803, &[60, 8, 8]), pixels].concat());
    put("train-labels-idx1-ubyte", [head(0x801, &[60]), labels].concat());
    zip.finish().unwrap().into_inner()
}
