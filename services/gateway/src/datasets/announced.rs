//! What a pushed file says it is: its format and compression, from the query, the content type and
//! the content encoding. They must agree with each other and with the file's first bytes, so that a
//! mistake is told at once and not when a worker cannot read the file.

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use domain::{
    FieldErrors,
    dataset::{Compression, Format},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{ApiError, Code};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Announced {
    /// `csv`, `tsv` or `jsonl`; needed where the content type does not say it.
    format: Option<Format>,
    /// `none`, `gzip` or `zstd`; needed where neither content type nor content encoding says it.
    compression: Option<Compression>,
}

const TYPES: &str = "use `text/csv`, `text/tab-separated-values`, `application/x-ndjson`, \
                     `text/plain` or `application/zip` (of images), or add \
                     `?format=csv`, `tsv` or `jsonl` to an `application/octet-stream`";

/// What a content type says of a file.
enum Said {
    Format(Format),
    Compression(Compression),
    Nothing,
}

impl Announced {
    pub fn resolve(&self, headers: &HeaderMap) -> Result<(Format, Compression), ApiError> {
        let said = content_type(headers)?;
        let format = match (self.format, &said) {
            (Some(asked), Said::Format(said)) if asked != *said => {
                let why = format!("`{asked}` contradicts the content type, which says `{said}`");
                return Err(FieldErrors::one("format", why).into());
            }
            (Some(format), _) => format,
            (None, Said::Format(format)) => *format,
            (None, _) => {
                let why = format!("the content type does not say the file's format; {TYPES}");
                return Err(ApiError::new(Code::UnsupportedMediaType, why));
            }
        };
        let by_type = match said {
            Said::Compression(compression) => Some(compression),
            _ => None,
        };
        let compression = agreed([self.compression, content_encoding(headers)?, by_type])?;
        Ok((format, compression))
    }
}

fn content_type(headers: &HeaderMap) -> Result<Said, ApiError> {
    let given = text(headers, CONTENT_TYPE);
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(match essence.as_str() {
        "text/csv" | "application/csv" => Said::Format(Format::Csv),
        "text/tab-separated-values" => Said::Format(Format::Tsv),
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => Said::Format(Format::Jsonl),
        "text/plain" => Said::Format(Format::Text),
        "application/zip" => Said::Format(Format::Images),
        "application/gzip" | "application/x-gzip" => Said::Compression(Compression::Gzip),
        "application/zstd" => Said::Compression(Compression::Zstd),
        // the last one is what curl says when it is told nothing
        "" | "application/octet-stream" | "application/x-www-form-urlencoded" => Said::Nothing,
        other => {
            let other: String = other.chars().take(80).collect();
            let why = format!("`{other}` is not a dataset's content type; {TYPES}");
            return Err(ApiError::new(Code::UnsupportedMediaType, why));
        }
    })
}

fn content_encoding(headers: &HeaderMap) -> Result<Option<Compression>, ApiError> {
    match text(headers, CONTENT_ENCODING).trim().to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "identity" => Ok(Some(Compression::None)),
        "gzip" | "x-gzip" => Ok(Some(Compression::Gzip)),
        "zstd" => Ok(Some(Compression::Zstd)),
        other => {
            let other: String = other.chars().take(80).collect();
            let why = format!("content encoding `{other}` is not known; use `gzip` or `zstd`");
            Err(ApiError::new(Code::UnsupportedMediaType, why))
        }
    }
}

fn agreed(said: [Option<Compression>; 3]) -> Result<Compression, ApiError> {
    let mut said = said.into_iter().flatten();
    let first = said.next().unwrap_or(Compression::None);
    match said.find(|other| *other != first) {
        None => Ok(first),
        Some(other) => {
            let (first, other) = (first.as_str(), other.as_str());
            let why = format!(
                "the query, the content encoding and the content type say both `{first}` and \
                 `{other}`; say it once"
            );
            Err(FieldErrors::one("compression", why).into())
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// As many of a file's first bytes as [`check_start`] looks at.
pub const START_BYTES: usize = 4;

const ZIP: &[u8] = b"PK\x03\x04";

const STARTS: [(&[u8], &str, Option<Compression>); 5] = [
    (&[0x1f, 0x8b], "gzip", Some(Compression::Gzip)),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", Some(Compression::Zstd)),
    (ZIP, "a zip archive or an Excel workbook", None),
    (b"PAR1", "Parquet", None),
    (b"BZh", "bzip2", None),
];

/// Whether the file begins as its compression does.
pub fn check_start(
    start: &[u8],
    format: Format,
    compression: Compression,
) -> Result<(), FieldErrors> {
    if start.is_empty() {
        let why = "the file is empty; send at least a header line and one row";
        return Err(FieldErrors::one("body", why));
    }
    let found = STARTS.iter().find(|(magic, _, _)| start.starts_with(magic));
    let zip = start.starts_with(ZIP);
    let why = match (compression, found) {
        (Compression::None, _) if zip && format == Format::Images => return Ok(()),
        (_, _) if format == Format::Images => {
            "the file is not a zip; put the images' folders, or the idx files, into one".to_owned()
        }
        (Compression::None, None) => return Ok(()),
        (_, Some((_, _, Some(found)))) if *found == compression => return Ok(()),
        (_, Some((_, name, Some(found)))) => format!(
            "the file is {name}; send it with `Content-Encoding: {0}` or `?compression={0}`",
            found.as_str()
        ),
        (_, Some((_, name, None))) => {
            format!(
                "the file is {name}; export it as CSV, TSV or JSON lines, or say `application/zip` for a zip of images"
            )
        }
        (_, None) => format!(
            "the file is not {0}, as was announced; compress it, or leave {0} out of the request",
            compression.as_str()
        ),
    };
    Err(FieldErrors::one("body", why))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(kind: &'static str, encoding: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        headers
    }

    fn resolve(
        announced: Announced,
        kind: &'static str,
        encoding: &'static str,
    ) -> Option<(Format, Compression)> {
        announced.resolve(&headers(kind, encoding)).ok()
    }

    #[test]
    fn type_encoding_and_query_each_say_enough() {
        let nothing = Announced::default;
        let csv = || Announced { format: Some(Format::Csv), compression: None };
        assert_eq!(
            resolve(nothing(), "text/csv; charset=utf-8", ""),
            Some((Format::Csv, Compression::None))
        );
        assert_eq!(
            resolve(nothing(), "application/x-ndjson", "zstd"),
            Some((Format::Jsonl, Compression::Zstd))
        );
        assert_eq!(resolve(csv(), "application/gzip", ""), Some((Format::Csv, Compression::Gzip)));
        assert_eq!(resolve(csv(), "", "gzip"), Some((Format::Csv, Compression::Gzip)));
    }

    #[test]
    fn what_says_nothing_or_contradicts_itself_is_refused() {
        let csv = || Announced { format: Some(Format::Csv), compression: None };
        assert_eq!(resolve(Announced::default(), "application/gzip", ""), None);
        assert_eq!(resolve(Announced::default(), "application/json", ""), None);
        assert_eq!(resolve(csv(), "multipart/form-data; boundary=x", ""), None);
        assert_eq!(resolve(csv(), "text/tab-separated-values", ""), None);
        assert_eq!(resolve(csv(), "application/gzip", "zstd"), None);
        assert_eq!(resolve(csv(), "text/csv", "br"), None);
    }

    #[test]
    fn the_first_bytes_must_fit_the_compression() {
        let gzip = [0x1f, 0x8b, 8, 0];
        assert!(check_start(b"a,b\n", Format::Csv, Compression::None).is_ok());
        assert!(check_start(&gzip, Format::Csv, Compression::Gzip).is_ok());
        let message = |start: &[u8], compression| {
            check_start(start, Format::Csv, compression).expect_err("refused").to_string()
        };
        assert!(message(b"", Compression::None).contains("empty"));
        assert!(message(&gzip, Compression::None).contains("Content-Encoding: gzip"));
        assert!(message(&gzip, Compression::Zstd).contains("Content-Encoding: gzip"));
        assert!(message(b"a,b\n", Compression::Gzip).contains("not gzip"));
        assert!(message(b"PK\x03\x04", Compression::None).contains("CSV"));
    }
}
