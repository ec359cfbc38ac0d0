//! Weights from elsewhere become a model only where every tensor is what the layers need.

use domain::model::ModelConfig;
use engine::{ImportError, Model, Run, blueprint, import};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use crate::samples::{Scratch, client_rows, rings};

fn draft() -> Value {
    json!({
        "dataset": "sample", "target": "ring", "epochs": 2, "batch_size": 8,
        "model": {"family": "mlp", "units": [5]},
    })
}

fn planned(scratch: &Scratch) -> ModelConfig {
    let spec = scratch.spec(draft());
    let (data, limits) = (&scratch.data, &scratch.limits);
    blueprint(Run { spec: &spec, data, limits, scratch: scratch.path(), member: None }).unwrap()
}

/// A tensor as a file has it.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

fn stored(weights: &[u8]) -> Vec<Stored> {
    let file = SafeTensors::deserialize(weights).unwrap();
    let tensor = |(name, t): (&str, TensorView<'_>)| {
        (name.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec())
    };
    file.iter().map(tensor).collect()
}

fn file(tensors: &[Stored]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize(views, Some(metadata)).unwrap()
}

#[test]
fn weights_and_a_blueprint_are_the_model_that_was_trained() {
    let scratch = Scratch::new(rings(150));
    scratch.run(draft());
    let (_, weights) = scratch.model_files();
    let made = import(planned(&scratch), &file(&stored(&weights))).unwrap();
    assert!(made.weights == weights, "the same numbers under the same names");
    let imported = Model::load(&made.config, &made.weights).unwrap();
    let rows = client_rows(&rings(150));
    assert_eq!(imported.predict(&rows).unwrap(), scratch.model().predict(&rows).unwrap());
    assert!(imported.config().metrics.is_empty(), "nobody has judged these weights");
    // the configuration of a model that is there will do as well
    let again = import(scratch.model().config().clone(), &weights).unwrap();
    assert_eq!(again, made);
}

#[test]
fn tensors_that_are_not_the_layers_are_all_named() {
    let scratch = Scratch::new(rings(150));
    scratch.run(draft());
    let mut tensors = stored(&scratch.model_files().1);
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let place = |name: &str| tensors.iter().position(|(known, ..)| known == name).unwrap();
    let [bias, kernel, last, other] =
        ["layers.0.bias", "layers.0.kernel", "layers.2.bias", "layers.2.kernel"].map(place);
    tensors[bias].0 = "dense.bias".to_owned();
    tensors[kernel].2.reverse();
    tensors[last].1 = Dtype::I32;
    tensors[other].3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let refused = import(planned(&scratch), &file(&tensors)).unwrap_err();
    let message = refused.to_string();
    let ImportError::Tensors(problems) = refused else { panic!("{refused}") };
    let names: Vec<&str> = problems.iter().map(|problem| problem.name.as_str()).collect();
    let expected =
        ["layers.0.kernel", "layers.0.bias", "layers.2.kernel", "layers.2.bias", "dense.bias"];
    assert_eq!(names, expected);
    for words in [
        "`layers.0.kernel`: has the shape [5, 6] and needs [6, 5]",
        "`layers.0.bias`: is missing; it needs to be F32 with the shape [5]",
        "not finite",
        "holds numbers of type I32 and needs F32",
        "`dense.bias`: of the shape [5] is no tensor of these layers",
    ] {
        assert!(message.contains(words), "{words} is not in {message}");
    }
}

#[test]
fn a_header_that_claims_gibibytes_is_refused_before_it_is_read() {
    let scratch = Scratch::new(rings(60));
    let refused = import(planned(&scratch), &(1_u64 << 40).to_le_bytes()).unwrap_err();
    assert!(matches!(refused, ImportError::HeaderTooLarge { bytes } if bytes == 1 << 40));
    let refused = import(planned(&scratch), b"PK\x03\x04").unwrap_err();
    assert!(refused.to_string().contains("no safetensors file"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn no_change_of_the_bytes_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 400),
        cut in any::<prop::sample::Index>(),
    ) {
        let scratch = Scratch::new(rings(60));
        let plan = planned(&scratch);
        let mut arrays = vec![];
        for (name, shape) in [
            ("layers.0.kernel", vec![6, 5]), ("layers.0.bias", vec![5]),
            ("layers.2.kernel", vec![5, 3]), ("layers.2.bias", vec![3]),
        ] {
            let size = shape.iter().product::<usize>() * 4;
            arrays.push((name.to_owned(), Dtype::F32, shape, vec![0; size]));
        }
        let sound = file(&arrays);
        let header = 8 + u64::from_le_bytes(*sound.first_chunk().unwrap()) as usize;
        prop_assert!(import(plan.clone(), &sound).is_ok(), "unchanged they are a model");
        for (place, byte) in changes {
            let mut bytes = sound.clone();
            bytes[place.index(header)] = byte;
            if let Ok(made) = import(plan.clone(), &bytes) {
                let read = Model::load(&made.config, &made.weights);
                prop_assert!(read.is_ok(), "what is imported can be loaded");
            }
        }
        prop_assert!(import(plan, &sound[..cut.index(sound.len())]).is_err());
    }
}
