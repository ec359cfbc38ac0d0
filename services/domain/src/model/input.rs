//! Reading [`FittedInput`]. Serde's own way with a tag collects all fields before it knows what they are of, twice the
//! time where a tokenizer is megabytes; but the tag that was written first is read first.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

use super::{FittedColumn, FittedInput, FittedRatings, FittedSeries};
use crate::spec;

const TAG: &str = "type";
const TYPES: &[&str] = &["table", "text", "corpus", "images", "series", "ratings"];

impl<'de> Deserialize<'de> for FittedInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Tagged)
    }
}

struct Tagged;

impl<'de> Visitor<'de> for Tagged {
    type Value = FittedInput;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a `{TAG}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<FittedInput, A::Error> {
        let mut before = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if name != TAG {
                before.insert(name, fields.next_value()?);
                continue;
            }
            let of = fields.next_value::<String>()?;
            if before.is_empty() {
                return read(&of, MapAccessDeserializer::new(fields));
            }
            while let Some((name, value)) = fields.next_entry()? {
                before.insert(name, value);
            }
            return read(&of, Value::Object(before)).map_err(A::Error::custom);
        }
        Err(A::Error::missing_field(TAG))
    }
}

fn read<'de, D: Deserializer<'de>>(of: &str, fields: D) -> Result<FittedInput, D::Error> {
    #[derive(Deserialize)]
    struct Table {
        columns: Vec<FittedColumn>,
    }
    #[derive(Deserialize)]
    struct Images {
        height: u32,
        width: u32,
        channels: u32,
    }
    #[derive(Deserialize)]
    struct Series {
        series: spec::Series,
        fitted: FittedSeries,
    }
    #[derive(Deserialize)]
    struct Ratings {
        ratings: spec::Ratings,
        fitted: FittedRatings,
    }
    Ok(match of {
        "table" => {
            let Table { columns } = Table::deserialize(fields)?;
            FittedInput::Table { columns }
        }
        "text" => FittedInput::Text(Deserialize::deserialize(fields)?),
        "corpus" => FittedInput::Corpus(Deserialize::deserialize(fields)?),
        "images" => {
            let Images { height, width, channels } = Images::deserialize(fields)?;
            FittedInput::Images { height, width, channels }
        }
        "series" => {
            let Series { series, fitted } = Series::deserialize(fields)?;
            FittedInput::Series { series, fitted }
        }
        "ratings" => {
            let Ratings { ratings, fitted } = Ratings::deserialize(fields)?;
            FittedInput::Ratings { ratings, fitted }
        }
        other => return Err(D::Error::unknown_variant(other, TYPES)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{model::FittedText, spec::Keep};

    fn text() -> FittedInput {
        FittedInput::Text(FittedText {
            column: "review".to_owned(),
            max_length: 200,
            keep: Keep::First,
            vocabulary: 3,
            tokenizer: json!({"model": {"vocab": {"[PAD]": 0, "[UNK]": 1, "good": 2}}}),
        })
    }

    #[test]
    fn the_tag_comes_first_or_anywhere() {
        let written = serde_json::to_string(&text()).unwrap();
        assert!(written.starts_with(r#"{"type":"text","#), "{written}");
        let images = FittedInput::Images { height: 28, width: 28, channels: 1 };
        for input in [text(), images] {
            let first = serde_json::to_string(&input).unwrap();
            let sorted = serde_json::to_value(&input).unwrap().to_string();
            assert_ne!(first, sorted);
            for json in [first, sorted] {
                assert_eq!(serde_json::from_str::<FittedInput>(&json).unwrap(), input, "{json}");
            }
        }
    }

    #[test]
    fn what_is_no_input_is_told() {
        let told = |json: &str| serde_json::from_str::<FittedInput>(json).unwrap_err().to_string();
        assert!(told("[]").contains("an object with a `type`"), "{}", told("[]"));
        assert!(told("{}").contains("missing field `type`"), "{}", told("{}"));
        assert!(told(r#"{"columns":[]}"#).contains("missing field `type`"));
        assert!(told(r#"{"type":"sounds"}"#).contains("unknown variant `sounds`"));
        assert!(told(r#"{"type":"images","height":1}"#).contains("missing field `width`"));
        assert!(told(r#"{"height":1,"type":"images"}"#).contains("missing field `width`"));
    }
}
