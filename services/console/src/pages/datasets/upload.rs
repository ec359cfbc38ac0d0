//! A file that is pushed: from a form straight on to the API, without being kept anywhere in between.

use actix_multipart::{Field, Multipart};
use actix_web::{
    HttpRequest, HttpResponse,
    dev::Payload,
    error::PayloadError,
    http::{
        Method,
        header::{self, HeaderValue},
    },
    post,
    web::Bytes,
};
use domain::name::Name;
use futures::{Stream, StreamExt, TryStreamExt};

use super::Version;
use crate::{
    api::{Route, whole},
    failure::Failure,
    form::{SEAL, check_seal},
    pages::see,
    visitor::Visitor,
};

/// What a file is sent as, whatever it is.
pub(super) const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Of a field that is not the file.
const MAX_TEXT_BYTES: usize = 1 << 10;

/// By the end of its name: what browsers say of a file's type differs.
const FORMATS: [(&str, &str); 6] = [
    (".csv", "csv"),
    (".tsv", "tsv"),
    (".jsonl", "jsonl"),
    (".ndjson", "jsonl"),
    (".txt", "text"),
    (".zip", "images"),
];

#[post("/datasets")]
pub(super) async fn upload(
    visitor: Visitor,
    request: HttpRequest,
    mut form: Multipart,
) -> Result<HttpResponse, Failure> {
    let (mut name, mut is_sealed) = (String::new(), false);
    while let Some(mut field) = form.try_next().await.map_err(|error| bad(&error.to_string()))? {
        match field.name().unwrap_or_default() {
            SEAL => {
                check_seal(&request, &text(&mut field).await?)?;
                is_sealed = true;
            }
            "name" => name = text(&mut field).await?.trim().to_owned(),
            // the fields before it are what the form has put there
            "file" if is_sealed => {
                let file = file_name(&field);
                name.parse::<Name>().map_err(|error| bad(&format!("name: {error}")))?;
                let version = push(&visitor, &name, &file, pieces(field)).await?;
                return Ok(see(&version.address()));
            }
            "file" => check_seal(&request, "")?,
            _ => {}
        }
    }
    Err(bad("there is no file in it"))
}

/// As the next version of the dataset; the very bytes that it has already are no other version.
pub(in crate::pages) async fn push(
    visitor: &Visitor,
    name: &str,
    file: &str,
    bytes: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
) -> Result<Version, Failure> {
    let (format, compression) = announced(file)?;
    let route = Route::of(["datasets", name, "versions"]);
    let route = route.with("format", format).with("compression", compression);
    let payload = Payload::Stream { payload: bytes.boxed_local() };
    let mut question = visitor.api.question(Method::POST, route.path(), payload)?;
    question.headers_mut().insert(header::CONTENT_TYPE, BYTES);
    let answer = whole(visitor.api.open(question).await?).await?;
    serde_json::from_slice(&answer).map_err(|error| Failure::broken(&error))
}

/// Its format and its compression.
pub(super) fn announced(file: &str) -> Result<(&'static str, &'static str), Failure> {
    let file = file.to_lowercase();
    let (file, compression) = match (file.strip_suffix(".gz"), file.strip_suffix(".zst")) {
        (Some(rest), _) => (rest.to_owned(), "gzip"),
        (_, Some(rest)) => (rest.to_owned(), "zstd"),
        (None, None) => (file, "none"),
    };
    let format = FORMATS.iter().find(|(end, _)| file.ends_with(end));
    let (_, format) = format.ok_or_else(|| {
        bad("its name ends with none of .csv, .tsv, .jsonl, .txt and .zip (and then maybe .gz or .zst)")
    })?;
    Ok((format, compression))
}

fn file_name(field: &Field) -> String {
    let said = field.content_disposition().and_then(|disposition| disposition.get_filename());
    said.unwrap_or_default().to_owned()
}

fn pieces(field: Field) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    field.map_err(|error| PayloadError::Io(std::io::Error::other(error.to_string())))
}

async fn text(field: &mut Field) -> Result<String, Failure> {
    let bytes = field.bytes(MAX_TEXT_BYTES).await.map_err(|_| bad("a field is too long"))?;
    let bytes = bytes.map_err(|error| bad(&error.to_string()))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| bad("a field is no text"))
}

pub(super) fn bad(why: &str) -> Failure {
    let detail = format!("The file could not be taken: {why}.");
    Failure::of(actix_web::http::StatusCode::BAD_REQUEST, "Not pushed", detail)
}

#[cfg(test)]
mod tests {
    use super::announced;

    #[test]
    fn a_files_name_says_what_it_is() {
        assert_eq!(announced("A.CSV").unwrap(), ("csv", "none"));
        assert_eq!(announced("a.jsonl.gz").unwrap(), ("jsonl", "gzip"));
        assert_eq!(announced("a.txt.zst").unwrap(), ("text", "zstd"));
        for unknown in ["", "csv", "a.exe", "a.gz", "a.csv.gz.gz"] {
            assert!(announced(unknown).is_err(), "{unknown}");
        }
    }
}
