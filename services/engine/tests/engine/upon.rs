//! A training that starts from another model: where that one stopped, reading what it reads; and never from
//! tensors that are not the layers'.

use std::fs;

use domain::{
    child::{BASE_CONFIG_FILE, BASE_WEIGHTS_FILE, Event},
    field::FieldErrors,
    spec::{BaseModel, Limits, TrainingSpec},
};
use engine::{Model, StopFlag, misfits};
use serde_json::{Value, json};

use crate::{
    datasets::{monthly, panel, ratings, reviews},
    families::review_draft,
    samples::{Scratch, client_rows, dataset, history, line, rings, with},
};

fn upon(base: &Scratch, scratch: &Scratch, draft: Value) -> Result<TrainingSpec, FieldErrors> {
    let (config, weights) = base.model_files();
    fs::write(scratch.path().join(BASE_CONFIG_FILE), &config).unwrap();
    fs::write(scratch.path().join(BASE_WEIGHTS_FILE), &weights).unwrap();
    let named = BaseModel {
        model: "acme/base".to_owned(),
        version: 3,
        weights_sha256: domain::Digest::of(&weights),
        config_sha256: domain::Digest::of(&config),
    };
    let draft = serde_json::from_value(with(draft, json!({"base_model": "acme/base:3"}))).unwrap();
    let config = base.model().config().clone();
    let dataset = dataset("sample", scratch.data.sha256);
    let profile = scratch.profile().unwrap();
    let base = (named, &config);
    TrainingSpec::parse_upon(draft, base, (dataset, None), &profile, &Limits::default())
}

fn short() -> Value {
    json!({"dataset": "sample", "epochs": 2, "batch_size": 8})
}

fn trained(draft: Value) -> Scratch {
    let base = Scratch::new(rings(300));
    base.run(with(
        json!({
            "dataset": "sample", "target": "ring", "epochs": 30, "batch_size": 8, "seed": 1,
            "model": {"family": "mlp", "units": [16], "dropout": 0.0},
        }),
        draft,
    ));
    base
}

#[test]
fn it_goes_on_where_the_base_has_stopped() {
    let base = trained(json!({}));
    let last = base.model().config().metrics["val_loss"];
    // other rows, without one of the colours: the columns are still the base's
    let scratch = Scratch::new(rings(90).replace("blue", ""));
    let spec = upon(&base, &scratch, short()).unwrap();
    let (_, events) = scratch.train(&spec).unwrap();
    let again = scratch.again();
    let anew = again.spec(with(
        short(),
        json!({
            "target": "ring", "model": {"family": "mlp", "units": [16], "dropout": 0.0},
        }),
    ));
    let (_, from_chance) = again.train(&anew).unwrap();
    let (first, chance) = (history(&events, "loss")[0], history(&from_chance, "loss")[0]);
    assert!(
        first < chance / 2.0,
        "{first} after an epoch, and {chance} from chance; {last} before"
    );
    let (ours, theirs) = (scratch.model(), base.model());
    assert_eq!(ours.config().input, theirs.config().input);
    assert_eq!(ours.config().layers, theirs.config().layers);
    assert_eq!(ours.config().spec.base_model, spec.base_model);
    ours.predict(&client_rows(&rings(9))).unwrap();
}

#[test]
fn what_is_trained_on_is_the_same_to_the_byte_and_after_a_stop() {
    let base = trained(json!({"epochs": 3}));
    let scratch = Scratch::new(rings(90));
    let draft =
        with(short(), json!({"epochs": 3, "checkpoint_every": 1, "validation": {"folds": 2}}));
    let spec = upon(&base, &scratch, draft.clone()).unwrap();
    scratch.train(&spec).unwrap();
    let again = scratch.again();
    assert_eq!(upon(&base, &again, draft).unwrap(), spec);
    let stop = StopFlag::default();
    let halfway = |event: &Event| matches!(event, Event::Step { step, .. } if *step == 30);
    again.train_until(&spec, &stop, halfway).unwrap();
    again.train(&spec).unwrap();
    assert!(again.model_files() == scratch.model_files());
}

#[test]
fn texts_numbers_series_and_tastes_are_read_as_the_base_reads_them() {
    let linear = json!({"dataset": "sample", "target": "y", "epochs": 2, "batch_size": 8});
    let text = review_draft(json!({"family": "lstm", "units": [8], "embedding_dim": 8}));
    let text = with(text, json!({"epochs": 1}));
    let series = json!({"dataset": "sample", "target": "sales", "epochs": 1, "series": {
        "time": "month", "series": "shop", "season": 12, "horizon": 3,
    }});
    let tastes = json!({"dataset": "sample", "target": "rating", "epochs": 1, "recommendation": {
        "user": "user", "item": "item",
    }});
    for (csv, draft) in
        [(line(200), linear), (reviews(100), text), (panel(60), series), (ratings(), tastes)]
    {
        let base = Scratch::new(csv);
        base.run(draft);
        let scratch = base.again();
        let spec = upon(&base, &scratch, short()).unwrap();
        scratch.train(&spec).unwrap();
        let (ours, theirs) = (scratch.model(), base.model());
        assert_eq!(ours.config().input, theirs.config().input);
        let unit = |model: &Model| (model.config().target_center, model.config().target_scale);
        assert_eq!(unit(&ours), unit(&theirs));
    }
}

#[test]
fn series_of_other_steps_are_not_the_bases() {
    let base = Scratch::new(monthly(60));
    base.run(json!({"dataset": "sample", "target": "sales", "epochs": 1, "series": {
        "time": "month", "season": 12, "horizon": 3,
    }}));
    let scratch = Scratch::new(days());
    let spec = upon(&base, &scratch, short()).unwrap();
    let cause = scratch.train(&spec).unwrap_err().cause();
    assert_eq!(cause.code, "base_does_not_fit");
    assert!(cause.message.contains("a step of the series is"), "{}", cause.message);
}

fn days() -> String {
    let day = |i: u32| format!("2026-01-{:02},{}\n", 1 + i, i % 7);
    std::iter::once("month,sales\n".to_owned()).chain((0..31).map(day)).collect()
}

#[test]
fn layers_of_ones_own_have_to_be_the_bases() {
    let base = trained(json!({"epochs": 1}));
    let scratch = Scratch::new(rings(90));
    let own = json!({"model": {"family": "mlp", "units": [8], "dropout": 0.0}});
    let spec = upon(&base, &scratch, with(short(), own)).unwrap();
    let named: Vec<_> =
        misfits(&spec, base.model().config()).iter().map(ToString::to_string).collect();
    assert_eq!(named.len(), 3, "{named:?}");
    assert!(named[0].starts_with("`layers.0.kernel`: needs the shape ["), "{named:?}");
    assert!(
        named[1].contains("layers.0.bias") && named[1].contains("[8]") && named[1].contains("[16]")
    );
    // nobody has looked before: the run itself refuses, and says which
    let cause = scratch.train(&spec).unwrap_err().cause();
    assert_eq!((cause.code.as_str(), cause.retryable), ("base_does_not_fit", false));
    assert!(cause.message.contains("`layers.0.kernel`: has the shape"), "{}", cause.message);
}

#[test]
fn what_the_base_reads_is_not_said_again_and_has_to_be_there() {
    let base = trained(json!({"epochs": 1}));
    let refused = |csv: String, more: Value| {
        let FieldErrors(errors) = upon(&base, &Scratch::new(csv), with(short(), more)).unwrap_err();
        errors.into_iter().map(|e| (e.field, e.message)).collect::<Vec<_>>()
    };
    let said = refused(rings(90), json!({"features": ["x"], "task": "regression"}));
    assert_eq!(said[0].0, "features");
    assert!(said[1].1.contains("the base model's is multiclass_classification"), "{said:?}");
    let lacking = refused(rings(90).replace("x,y,colour", "x,why,colour"), json!({}));
    assert!(lacking[0].1.contains("has no column `y`, which the base model reads"), "{lacking:?}");
    let unknown = refused(rings(90).replace(",mid", ",between"), json!({}));
    assert!(
        unknown[0].1.contains("holds `between`, for which the base model has no class"),
        "{unknown:?}"
    );
}
