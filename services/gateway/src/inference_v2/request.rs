//! A request for answers: JSON, and where a header says how long that is, the tensors' bytes after it.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    bad,
    tensor::{Datatype, Tensor, elements, from_bytes, from_json},
};
use crate::{ApiError, body::parse};

type Parameters = Map<String, Value>;

/// Tensors in, tensors out.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct InferenceRequest {
    /// Comes back with the answer.
    id: Option<String>,
    #[schema(value_type = Option<Object>)]
    parameters: Option<Parameters>,
    inputs: Vec<InferenceInput>,
    /// Those that are wanted; all if absent.
    outputs: Option<Vec<InferenceWanted>>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct InferenceInput {
    /// A column of the model.
    name: String,
    /// A value for each row: `[n]` or `[n, 1]`.
    shape: Vec<u32>,
    /// `BOOL`, `BYTES`, `FP16`, `BF16`, `FP32`, `FP64`, or an integer type.
    datatype: String,
    /// `binary_data_size`: its bytes are after the JSON.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Parameters>,
    /// Its values, flat or nested, where they are not after the JSON.
    data: Option<Value>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct InferenceWanted {
    name: String,
    /// `binary_data`: as bytes after the JSON. `classification`: so many of the most probable classes.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Parameters>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Question {
    pub id: Option<String>,
    pub inputs: Vec<Tensor>,
    /// None: all.
    pub wanted: Option<Vec<Wanted>>,
    /// Where an output does not say it itself.
    pub binary: bool,
}

#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    pub name: String,
    pub binary: Option<bool>,
    pub classes: Option<usize>,
}

impl Question {
    /// `json_bytes`: of the body, those that are JSON; all if absent.
    pub fn read(body: &[u8], json_bytes: Option<usize>) -> Result<Self, ApiError> {
        let json_bytes = json_bytes.unwrap_or(body.len());
        let Some((json, binary)) = body.split_at_checked(json_bytes) else {
            let all = body.len();
            return Err(bad(format!(
                "the JSON is said to have {json_bytes} bytes, and the body has {all}"
            )));
        };
        let request: InferenceRequest = parse(json)?;
        let mut rest = binary;
        let mut inputs = Vec::with_capacity(request.inputs.len().min(1_024));
        for input in request.inputs {
            let name = input.name.clone();
            inputs
                .push(input.read(&mut rest).map_err(|why| bad(format!("input `{name}`: {why}")))?);
        }
        if !rest.is_empty() {
            let left = rest.len();
            return Err(bad(format!(
                "{left} bytes after the JSON belong to no input; give each its `binary_data_size`"
            )));
        }
        let wanted = request.outputs.map(|all| all.into_iter().map(Wanted::read).collect());
        let binary =
            request.parameters.as_ref().and_then(|given| flag(given, "binary_data_output"));
        Ok(Self {
            id: request.id,
            inputs,
            wanted: wanted.transpose()?,
            binary: binary.unwrap_or(false),
        })
    }
}

impl InferenceInput {
    /// Takes its bytes from the start of `rest`, if it has any there.
    fn read(self, rest: &mut &[u8]) -> Result<Tensor, String> {
        let datatype = Datatype::parse(&self.datatype)?;
        let shape: Vec<usize> = self.shape.iter().map(|side| *side as usize).collect();
        let most = elements(&shape).ok_or("the shape has more values than there are numbers")?;
        let parameters = self.parameters.unwrap_or_default();
        if parameters.contains_key("shared_memory_region") {
            return Err("shared memory is not read here; send the values".to_owned());
        }
        let values = match (parameters.get("binary_data_size"), self.data) {
            (Some(_), Some(_)) => {
                return Err("it has `data` and `binary_data_size`; give one of them".to_owned());
            }
            (None, None) => return Err("it has no `data`".to_owned()),
            (None, Some(data)) => from_json(datatype, &data, most)?,
            (Some(size), None) => {
                let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or("`binary_data_size` is no number of bytes")?;
                let Some((own, after)) = rest.split_at_checked(size) else {
                    let left = rest.len();
                    return Err(format!("`binary_data_size` is {size}, and {left} bytes are left"));
                };
                *rest = after;
                from_bytes(datatype, own, most)?
            }
        };
        if values.len() != most {
            return Err(format!("{} values are not the {most} of its shape", values.len()));
        }
        Ok(Tensor { name: self.name, datatype, shape, values })
    }
}

impl Wanted {
    fn read(wanted: InferenceWanted) -> Result<Self, ApiError> {
        let InferenceWanted { name, parameters } = wanted;
        let parameters = parameters.unwrap_or_default();
        let classes = match parameters.get("classification") {
            None => None,
            Some(classes) => {
                let classes = classes.as_u64().filter(|classes| *classes > 0);
                let why =
                    || bad(format!("output `{name}`: `classification` is no number of classes"));
                Some(usize::try_from(classes.ok_or_else(why)?).unwrap_or(usize::MAX))
            }
        };
        Ok(Self { binary: flag(&parameters, "binary_data"), classes, name })
    }
}

fn flag(parameters: &Parameters, name: &str) -> Option<bool> {
    parameters.get(name).and_then(Value::as_bool)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inference_v2::tensor::Values;

    fn with_bytes(json: &Value, bytes: &[u8]) -> Result<Question, ApiError> {
        let json = json.to_string();
        let body = [json.as_bytes(), bytes].concat();
        Question::read(&body, Some(json.len()))
    }

    fn input(parameters: Value, shape: Value) -> Value {
        json!({"inputs": [{"name": "x", "datatype": "FP64", "shape": shape, "parameters": parameters}]})
    }

    #[test]
    fn json_and_bytes_say_the_same() {
        let plain = json!({"id": "7", "inputs": [{"name": "x", "datatype": "FP64", "shape": [2, 1], "data": [[0.5], [2]]}]});
        let plain = Question::read(plain.to_string().as_bytes(), None).unwrap();
        let bytes = [0.5_f64.to_le_bytes(), 2_f64.to_le_bytes()].concat();
        let binary =
            with_bytes(&input(json!({"binary_data_size": 16}), json!([2, 1])), &bytes).unwrap();
        assert_eq!((plain.id.as_deref(), &plain.inputs), (Some("7"), &binary.inputs));
        assert_eq!(plain.inputs[0].values, Values::Real(vec![0.5, 2.0]));
    }

    #[test]
    fn outputs_say_how_they_are_wanted() {
        let asked = json!({
            "inputs": [], "parameters": {"binary_data_output": true},
            "outputs": [{"name": "a", "parameters": {"binary_data": false}}, {"name": "b", "parameters": {"classification": 3}}],
        });
        let asked = Question::read(asked.to_string().as_bytes(), None).unwrap();
        let wanted =
            |name: &str, binary, classes| Wanted { name: name.to_owned(), binary, classes };
        assert!(asked.binary);
        assert_eq!(
            asked.wanted,
            Some(vec![wanted("a", Some(false), None), wanted("b", None, Some(3))])
        );
    }

    #[test]
    fn sizes_that_lie_are_refused_in_words() {
        let why = |json: Value, bytes: &[u8]| with_bytes(&json, bytes).unwrap_err().detail;
        let size = |size: Value| json!({ "binary_data_size": size });
        for (asked, bytes, expected) in [
            (
                input(size(json!(16)), json!([2])),
                8,
                "input `x`: `binary_data_size` is 16, and 8 bytes are left",
            ),
            (input(size(json!(u64::MAX)), json!([2])), 8, "and 8 bytes are left"),
            (input(size(json!(-1)), json!([2])), 8, "is no number of bytes"),
            (input(size(json!(8)), json!([2])), 8, "8 bytes are not the shape's 2 values"),
            (input(size(json!(8)), json!([1])), 9, "1 bytes after the JSON belong to no input"),
            (
                input(size(json!(8)), json!([u32::MAX, u32::MAX, u32::MAX])),
                8,
                "more values than there are numbers",
            ),
            (input(json!({}), json!([1])), 0, "it has no `data`"),
            (
                input(json!({"shared_memory_region": "r"}), json!([1])),
                0,
                "shared memory is not read here",
            ),
        ] {
            let told = why(asked, &vec![0; bytes]);
            assert!(told.contains(expected), "{told} does not say {expected}");
        }
        let short = Question::read(b"{}", Some(3)).unwrap_err();
        assert_eq!(short.detail, "the JSON is said to have 3 bytes, and the body has 2");
        let few = json!({"inputs": [{"name": "x", "datatype": "FP64", "shape": [4_000_000_000_u32], "data": [1]}]});
        let few = Question::read(few.to_string().as_bytes(), None).unwrap_err();
        assert_eq!(few.detail, "input `x`: 1 values are not the 4000000000 of its shape");
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_read_or_refused(bytes: Vec<u8>, json_bytes: Option<usize>, size: u64, side: u32) {
            drop(Question::read(&bytes, json_bytes));
            drop(with_bytes(&input(json!({"binary_data_size": size}), json!([side, side])), &bytes));
        }
    }
}
