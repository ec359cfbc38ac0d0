//! Content that is read to its end is what its digest says: its last part is held back until that is
//! known, so that nobody takes damaged bytes for the whole.

use bytes::Bytes;
use domain::Digest;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use sha2::Digest as _;

use crate::BlobError;

type Content = BoxStream<'static, Result<Bytes, BlobError>>;

struct Reading {
    rest: Content,
    held: Option<Bytes>,
    hash: sha2::Sha256,
    expected: Digest,
    key: String,
}

pub(crate) fn checked(rest: Content, expected: Digest, key: String) -> Content {
    let reading = Reading { rest, held: None, hash: sha2::Sha256::new(), expected, key };
    stream::try_unfold(Some(reading), next).boxed()
}

async fn next(reading: Option<Reading>) -> Result<Option<(Bytes, Option<Reading>)>, BlobError> {
    let Some(mut reading) = reading else { return Ok(None) };
    while let Some(chunk) = reading.rest.next().await.transpose()? {
        reading.hash.update(&chunk);
        if let Some(before) = reading.held.replace(chunk) {
            return Ok(Some((before, Some(reading))));
        }
    }
    let found = Digest::from_bytes(reading.hash.finalize().into());
    if found != reading.expected {
        return Err(BlobError::Damaged { key: reading.key, found });
    }
    Ok(reading.held.map(|last| (last, None)))
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    async fn read(parts: &[&'static str], expected: &str) -> (String, bool) {
        let parts: Vec<_> =
            parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect();
        let content = stream::iter(parts).boxed();
        let mut content = checked(content, Digest::of(expected.as_bytes()), "key".to_owned());
        let mut text = String::new();
        loop {
            match content.try_next().await {
                Ok(Some(part)) => text += std::str::from_utf8(&part).unwrap(),
                Ok(None) => return (text, true),
                Err(BlobError::Damaged { .. }) => return (text, false),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn the_end_comes_with_the_digest_and_not_without() {
        assert_eq!(read(&["ab", "c", "de"], "abcde").await, ("abcde".to_owned(), true));
        assert_eq!(read(&["abcde"], "abcde").await, ("abcde".to_owned(), true));
        assert_eq!(read(&[], "").await, (String::new(), true));
        assert_eq!(read(&["ab", "c", "dX"], "abcde").await, ("abc".to_owned(), false));
        assert_eq!(read(&["abcde"], "abcdX").await, (String::new(), false));
        assert_eq!(read(&["ab", "c"], "abcde").await, ("ab".to_owned(), false));
        assert_eq!(read(&[], "abcde").await, (String::new(), false));
    }
}
