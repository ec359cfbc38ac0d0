//! Answers as tensors: those that are wanted, in JSON or as bytes after it.

use domain::{
    model::ModelConfig,
    predict::{Prediction, Scored},
    spec::Task,
};
use serde_json::{Map, Value, json};

use super::{
    bad,
    request::{Question, Wanted},
    tensor::{Datatype, Tensor},
};
use crate::ApiError;

const LABEL: &str = "label";
const PROBABILITIES: &str = "probabilities";

/// An output as a model's metadata describe it; -1 is a side that is known with the answer.
pub(super) struct Output {
    pub name: &'static str,
    pub datatype: Datatype,
    pub shape: Vec<i64>,
}

pub(super) fn outputs(config: &ModelConfig) -> Vec<Output> {
    use Datatype::{Bytes, Fp64, Int64};
    let output = |name, datatype, shape: &[i64]| Output { name, datatype, shape: shape.to_vec() };
    match config.task {
        Task::BinaryClassification | Task::MulticlassClassification => {
            let classes = i64::try_from(config.classes.len()).unwrap_or(-1);
            vec![output(LABEL, Bytes, &[-1]), output(PROBABILITIES, Fp64, &[-1, classes])]
        }
        Task::Regression => vec![output("value", Fp64, &[-1])],
        Task::Forecasting => vec![
            output("series", Bytes, &[-1]),
            output("times", Bytes, &[-1, -1]),
            output("values", Fp64, &[-1, -1]),
        ],
        // of rows with an item `value`, of those without the two others
        Task::Recommendation => vec![
            output("value", Fp64, &[-1]),
            output("items", Bytes, &[-1, -1]),
            output("scores", Fp64, &[-1, -1]),
        ],
        Task::LanguageModeling => {
            vec![output("text", Bytes, &[-1]), output("tokens", Int64, &[-1])]
        }
    }
}

/// Every output of the answer.
fn tensors(config: &ModelConfig, predictions: &[Prediction]) -> Result<Vec<Tensor>, ApiError> {
    let rows = predictions.len();
    let all = predictions.iter();
    Ok(match predictions.first() {
        None => vec![],
        Some(Prediction::Class { .. } | Prediction::Top { .. }) => classes(config, predictions),
        Some(Prediction::Value { .. }) => {
            let values = all.filter_map(|one| match one {
                Prediction::Value { value } => Some(*value),
                _ => None,
            });
            vec![Tensor::reals("value", vec![rows], values.collect())]
        }
        Some(Prediction::Forecast { times, .. }) => {
            let steps = times.len();
            let (mut series, mut when, mut values) = (vec![], vec![], vec![]);
            for one in all {
                if let Prediction::Forecast { series: name, times, values: own } = one {
                    series.push(name.clone().unwrap_or_default());
                    when.extend(times.iter().cloned());
                    values.extend(own);
                }
            }
            vec![
                Tensor::words("series", vec![rows], series),
                Tensor::words("times", vec![rows, steps], when),
                Tensor::reals("values", vec![rows, steps], values),
            ]
        }
        Some(Prediction::Items { .. }) => items(predictions)?,
        Some(Prediction::Explained { .. }) => unreachable!("the protocol asks for no reasons"),
        Some(Prediction::Text { .. }) => {
            let texts = all.filter_map(|one| match one {
                Prediction::Text { text, tokens } => Some((text.clone(), i64::from(*tokens))),
                _ => None,
            });
            let (texts, tokens) = texts.unzip();
            vec![
                Tensor::words("text", vec![rows], texts),
                Tensor::whole("tokens", vec![rows], tokens),
            ]
        }
    })
}

fn classes(config: &ModelConfig, predictions: &[Prediction]) -> Vec<Tensor> {
    let (mut labels, mut probabilities) = (vec![], vec![]);
    for one in predictions {
        if let Prediction::Class { class, probabilities: of_each } = one {
            labels.push(class.clone());
            let of_each = |class| of_each.get(class).copied().unwrap_or(0.0);
            probabilities.extend(config.classes.iter().map(of_each));
        }
    }
    let shape = vec![predictions.len(), config.classes.len()];
    vec![
        Tensor::words(LABEL, vec![predictions.len()], labels),
        Tensor::reals(PROBABILITIES, shape, probabilities),
    ]
}

fn items(predictions: &[Prediction]) -> Result<Vec<Tensor>, ApiError> {
    let all = predictions.iter().map(|one| match one {
        Prediction::Items { items } => items.as_slice(),
        _ => &[],
    });
    let all: Vec<&[Scored]> = all.collect();
    let (rows, most) = (all.len(), all.first().map_or(0, |items| items.len()));
    if all.iter().any(|items| items.len() != most) {
        return Err(bad("the rows have different `top`s; ask for as many items in each row"));
    }
    let items = all.iter().copied().flatten();
    let (names, scores) = items.map(|item| (item.item.clone(), item.score)).unzip();
    Ok(vec![
        Tensor::words("items", vec![rows, most], names),
        Tensor::reals("scores", vec![rows, most], scores),
    ])
}

/// Triton's classification: of each row the most probable classes, as `probability:place:name`.
fn most_probable(config: &ModelConfig, predictions: &[Prediction], many: usize) -> Tensor {
    let many = many.min(config.classes.len());
    let mut words = Vec::new();
    for one in predictions {
        let Prediction::Top { top, .. } = one.clone().top(many) else { continue };
        for one in top {
            let place = config.classes.iter().position(|class| *class == one.class).unwrap_or(0);
            words.push(format!("{:.6}:{place}:{}", one.probability, one.class));
        }
    }
    Tensor::words(PROBABILITIES, vec![predictions.len(), many], words)
}

/// The answer's body, and of it the bytes that are JSON, where others follow.
pub(super) fn write(
    (name, version): (&str, u32),
    question: &Question,
    config: &ModelConfig,
    predictions: &[Prediction],
) -> Result<(Vec<u8>, Option<usize>), ApiError> {
    let all = tensors(config, predictions)?;
    let chosen = choose(all, question, config, predictions)?;
    let mut binary = Vec::new();
    let outputs: Vec<Value> = chosen
        .into_iter()
        .map(|(tensor, as_bytes)| {
            let Tensor { name, shape, datatype, .. } = &tensor;
            let mut output = Map::new();
            output.insert("name".to_owned(), name.as_str().into());
            output.insert("datatype".to_owned(), datatype.name().into());
            output.insert("shape".to_owned(), shape.clone().into());
            if as_bytes {
                let bytes = tensor.to_bytes();
                let size = json!({ "binary_data_size": bytes.len() });
                output.insert("parameters".to_owned(), size);
                binary.extend_from_slice(&bytes);
            } else {
                output.insert("data".to_owned(), tensor.to_json());
            }
            output.into()
        })
        .collect();
    let mut answer = json!({
        "model_name": name, "model_version": version.to_string(), "outputs": outputs,
    });
    if let (Some(id), Some(fields)) = (&question.id, answer.as_object_mut()) {
        fields.insert("id".to_owned(), id.as_str().into());
    }
    let mut body = answer.to_string().into_bytes();
    let json_bytes = (!binary.is_empty()).then_some(body.len());
    body.extend_from_slice(&binary);
    Ok((body, json_bytes))
}

/// Each with whether it goes as bytes.
fn choose(
    all: Vec<Tensor>,
    question: &Question,
    config: &ModelConfig,
    predictions: &[Prediction],
) -> Result<Vec<(Tensor, bool)>, ApiError> {
    let Some(wanted) = &question.wanted else {
        return Ok(all.into_iter().map(|tensor| (tensor, question.binary)).collect());
    };
    let chosen = wanted.iter().map(|Wanted { name, binary, classes }| {
        let found = all.iter().find(|tensor| tensor.name == *name).ok_or_else(|| {
            let shown: String = name.chars().take(100).collect();
            let known: Vec<_> = all.iter().map(|tensor| tensor.name.as_str()).collect();
            bad(format!("the answer has no output `{shown}`; it has {}", known.join(", ")))
        })?;
        let tensor = match classes {
            None => found.clone(),
            Some(many) if name == PROBABILITIES => most_probable(config, predictions, *many),
            Some(_) => {
                let why = format!("output `{name}` has no classes; ask for `{PROBABILITIES}`");
                return Err(bad(why));
            }
        };
        Ok((tensor, binary.unwrap_or(question.binary)))
    });
    chosen.collect()
}
