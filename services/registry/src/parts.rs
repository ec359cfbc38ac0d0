//! An object's bytes as they are stored, in parts. Those of a file are larger than the object store's own of 8 KiB:
//! each is read by another thread, and going there and back took most of the time.

use std::io::SeekFrom;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{GetResult, GetResultPayload};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;

use crate::BlobError;

const PART: usize = 256 << 10;

pub(crate) async fn parts(
    found: GetResult,
) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
    let range = found.range.clone();
    let (file, path) = match found.payload {
        GetResultPayload::File(file, path) => (file, path),
        GetResultPayload::Stream(parts) => return Ok(parts.map_err(BlobError::from).boxed()),
    };
    let mut file = File::from_std(file);
    file.seek(SeekFrom::Start(range.start)).await.map_err(BlobError::file(&path))?;
    let parts = ReaderStream::with_capacity(file.take(range.end - range.start), PART);
    Ok(parts.map_err(move |error| BlobError::file(&path)(error)).boxed())
}
