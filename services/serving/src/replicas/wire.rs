//! What a gateway and a replica say to each other, over HTTP, in CBOR: every number arrives as it was sent, also one
//! that JSON does not have. Both are of one release, or of two that follow each other: fields may be added, with a
//! default.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use domain::{FieldErrors, TenantId, explain::Explain, predict::Row};
use registry::BlobError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::StoreError;

use crate::{Answered, Asked, Elsewhere, Full, LoadError, Piece, PredictError, Source};

pub const PREDICT: &str = "/serving/predict";
/// Answered by one [`Told`] after the other.
pub const GENERATE: &str = "/serving/generate";
pub const WARM: &str = "/serving/warm";
pub const COUNTS: &str = "/serving/counts";

#[derive(Debug, thiserror::Error)]
#[error("it is not what was agreed on: {0}")]
pub struct Garbled(String);

/// Rows for a version, and who asks.
#[derive(Serialize, Deserialize)]
pub struct Question<'a> {
    pub tenant: TenantId,
    pub caller: Cow<'a, str>,
    pub model: Cow<'a, str>,
    pub version: Source,
    pub rows: Cow<'a, [Row]>,
    /// What each answer is made of is asked too.
    #[serde(default)]
    pub explain: Option<Explain>,
}

impl<'a> Question<'a> {
    pub const fn new(asked: Asked<'a>, rows: &'a [Row]) -> Self {
        let Asked { tenant, caller, model, version, explain } = asked;
        let (caller, model) = (Cow::Borrowed(caller), Cow::Borrowed(model));
        Self { tenant, caller, model, version, rows: Cow::Borrowed(rows), explain }
    }

    pub fn asked(&self) -> Asked<'_> {
        let Self { tenant, caller, model, version, explain, .. } = self;
        Asked { tenant: *tenant, caller, model, version: *version, explain: *explain }
    }
}

/// A [`Piece`].
#[derive(Serialize, Deserialize)]
pub enum Told {
    More(String),
    End(Result<Answered, Fault>),
}

impl From<Piece> for Told {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::More(text) => Self::More(text),
            Piece::End(answered) => Self::End(answered.map_err(Fault::from)),
        }
    }
}

impl From<Told> for Piece {
    fn from(told: Told) -> Self {
        match told {
            Told::More(text) => Self::More(text),
            Told::End(answered) => Self::End(answered.map_err(PredictError::from)),
        }
    }
}

/// A [`PredictError`], so that it becomes the same again.
#[derive(Debug, Serialize, Deserialize)]
pub enum Fault {
    Rows(FieldErrors),
    NotOurs,
    TooLarge { bytes: u64, budget_bytes: u64 },
    Crowded,
    NotLoaded(Elsewhere),
    Full(Full),
    Late(Duration),
    Loading(Duration),
    Broken,
    Unreached,
}

impl From<PredictError> for Fault {
    fn from(error: PredictError) -> Self {
        match error {
            PredictError::Rows(errors) => Self::Rows(errors),
            PredictError::Load(error) => match &*error {
                LoadError::NotOurs => Self::NotOurs,
                LoadError::TooLarge { bytes, budget_bytes } => {
                    Self::TooLarge { bytes: *bytes, budget_bytes: *budget_bytes }
                }
                LoadError::Crowded => Self::Crowded,
                error => Self::NotLoaded(elsewhere(error)),
            },
            PredictError::Full(full) => Self::Full(full),
            PredictError::Late(within) => Self::Late(within),
            PredictError::Loading(within) => Self::Loading(within),
            PredictError::Broken => Self::Broken,
            PredictError::Unreached => Self::Unreached,
        }
    }
}

fn elsewhere(error: &LoadError) -> Elsewhere {
    let is_away = |error: &StoreError| error.is_unavailable();
    match error {
        LoadError::Elsewhere(told) => told.clone(),
        LoadError::Blobs(error @ BlobError::KeyDestroyed { .. }) => {
            Elsewhere::KeyDestroyed(error.to_string())
        }
        LoadError::Blobs(BlobError::Keys(error)) if is_away(error) => {
            Elsewhere::Database(in_words(error))
        }
        LoadError::Blobs(error @ (BlobError::Store(_) | BlobError::File { .. })) => {
            Elsewhere::ObjectStore(in_words(error))
        }
        error => Elsewhere::Other(in_words(error)),
    }
}

/// With what caused it.
pub fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

impl From<Fault> for PredictError {
    fn from(fault: Fault) -> Self {
        let load = |error| Self::Load(Arc::new(error));
        match fault {
            Fault::Rows(errors) => Self::Rows(errors),
            Fault::NotOurs => load(LoadError::NotOurs),
            Fault::TooLarge { bytes, budget_bytes } => {
                load(LoadError::TooLarge { bytes, budget_bytes })
            }
            Fault::Crowded => load(LoadError::Crowded),
            Fault::NotLoaded(told) => load(LoadError::Elsewhere(told)),
            Fault::Full(full) => Self::Full(full),
            Fault::Late(within) => Self::Late(within),
            Fault::Loading(within) => Self::Loading(within),
            Fault::Broken => Self::Broken,
            Fault::Unreached => Self::Unreached,
        }
    }
}

pub fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("what is sent has a form, and memory takes it");
    bytes
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Garbled> {
    ciborium::from_reader(bytes).map_err(|error| Garbled(error.to_string()))
}

/// With its length before it, so that several may follow each other.
pub fn framed(value: &impl Serialize) -> Bytes {
    let bytes = encode(value);
    [(bytes.len() as u64).to_le_bytes().as_slice(), &bytes].concat().into()
}

/// The next one, if all of it is there.
pub fn unframed<T: DeserializeOwned>(buffer: &mut BytesMut) -> Result<Option<T>, Garbled> {
    let Some((length, rest)) = buffer.split_first_chunk() else { return Ok(None) };
    let length = u64::from_le_bytes(*length) as usize;
    if rest.len() < length {
        return Ok(None);
    }
    let frame = buffer.split_to(size_of::<u64>() + length);
    decode(&frame[size_of::<u64>()..]).map(Some)
}

#[cfg(test)]
mod tests {
    use domain::{
        explain::{Attribution, Explanation},
        predict::Prediction,
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_arrives_as_it_was() {
        let row = json!({"n": 0.1 + 0.2, "big": u64::MAX, "less": -3, "no": null, "yes": true, "of": [1.5, "x"]});
        let rows: Vec<Row> = vec![row.as_object().unwrap().clone()];
        assert_eq!(decode::<Vec<Row>>(&encode(&rows)).unwrap(), rows);
        let values = [0.1 + 0.2, f64::INFINITY, -0.0, 1e300, f64::MIN_POSITIVE];
        for value in values {
            let told: Prediction = decode(&encode(&Prediction::Value { value })).unwrap();
            assert_eq!(told, Prediction::Value { value });
        }
        let explanation = Explanation {
            class: Some("rose".to_owned()),
            baseline: 0.5,
            value: 0.1 + 0.2,
            attributions: vec![Attribution::Token { token: "a".to_owned(), attribution: -0.2 }],
            convergence_delta: 1e-9,
        };
        let prediction = Box::new(Prediction::Value { value: 0.3 });
        let explained = Prediction::Explained { prediction, explanation };
        assert_eq!(decode::<Prediction>(&encode(&explained)).unwrap(), explained);
        let nothing: Prediction = decode(&encode(&Prediction::Value { value: f64::NAN })).unwrap();
        assert!(matches!(nothing, Prediction::Value { value } if value.is_nan()));
    }

    #[test]
    fn every_fault_comes_back_as_what_it_was() {
        let load = |error| PredictError::Load(Arc::new(error));
        let away = || LoadError::Elsewhere(Elsewhere::ObjectStore("it is away".to_owned()));
        for error in [
            PredictError::Rows(FieldErrors::one("rows[3].age", "is missing")),
            load(LoadError::NotOurs),
            load(LoadError::TooLarge { bytes: 2, budget_bytes: 1 }),
            load(LoadError::Crowded),
            load(away()),
            PredictError::Full(Full::OfTenant(512)),
            PredictError::Late(Duration::from_secs(10)),
            PredictError::Loading(Duration::from_secs(10)),
            PredictError::Broken,
            PredictError::Unreached,
        ] {
            let before = format!("{error:?}");
            let fault: Fault = decode(&encode(&Fault::from(error))).unwrap();
            assert_eq!(format!("{:?}", PredictError::from(fault)), before);
        }
    }

    #[test]
    fn frames_are_taken_when_they_are_whole() {
        let pieces = ["one", "", "three"].map(|text| Told::More(text.to_owned()));
        let sent: Vec<u8> = pieces.iter().flat_map(|piece| framed(piece).to_vec()).collect();
        let (mut buffer, mut texts) = (BytesMut::new(), vec![]);
        for byte in sent {
            buffer.extend_from_slice(&[byte]);
            while let Some(Told::More(text)) = unframed(&mut buffer).unwrap() {
                texts.push(text);
            }
        }
        assert_eq!(texts, ["one", "", "three"]);
        assert!(buffer.is_empty());
        buffer.extend_from_slice(&framed(&"a text"));
        assert!(unframed::<Told>(&mut buffer).is_err());
    }
}
