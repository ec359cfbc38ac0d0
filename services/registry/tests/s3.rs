//! The same bytes in a bucket of S3: in parts, by ranges, listed and taken away, and refused without the secret.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{convert::Infallible, num::NonZeroU32, path::Path};

use bytes::Bytes;
use domain::{Digest, JobId, TenantId, job::Attempt};
use futures::{TryStreamExt, stream};
use registry::{BlobError, Blobs, PutError};

use testkit::S3;

struct Place {
    folder: tempfile::TempDir,
    server: S3,
    blobs: Blobs,
    tenant: TenantId,
}

async fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let server = S3::start(&folder.path().join("buckets")).await.unwrap();
    let url = format!("s3://{}/some/prefix", S3::BUCKET);
    let blobs = Blobs::open(&url, &server.environment()).unwrap();
    Place { folder, server, blobs, tenant: TenantId::generate() }
}

/// More than one part of an upload, and not a whole number of them.
fn large() -> Bytes {
    (0..21_000_007_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn in_chunks(
    content: &Bytes,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Unpin + use<> {
    const CHUNK: usize = 300_000;
    let content = content.clone();
    let starts = (0..content.len()).step_by(CHUNK);
    let chunks: Vec<_> =
        starts.map(|from| Ok(content.slice(from..content.len().min(from + CHUNK)))).collect();
    stream::iter(chunks)
}

/// The objects of the bucket, without what the server keeps of them beside.
fn objects(place: &Place) -> Vec<String> {
    fn below(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                below(&entry.path(), found);
            } else {
                found.push(entry.path().display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    below(&place.folder.path().join("buckets").join(S3::BUCKET), &mut found);
    found
}

#[tokio::test]
async fn content_goes_up_in_parts_and_comes_back_whole_and_by_ranges() {
    let place = place().await;
    place.blobs.check().await.unwrap();
    let content = large();
    let put = place.blobs.put_stream(place.tenant, in_chunks(&content), u64::MAX).await.unwrap();
    assert_eq!((put.sha256, put.bytes), (Digest::of(&content), content.len() as u64));
    let name = put.sha256.to_string();
    let stored = objects(&place);
    assert!(stored.len() == 1 && stored[0].ends_with(&format!("/blobs/{name}")), "{stored:?}");
    assert!(stored[0].contains("/some/prefix/tenants/"), "{stored:?}");
    let whole: Vec<Bytes> =
        place.blobs.read(place.tenant, put.sha256).await.unwrap().try_collect().await.unwrap();
    assert!(whole.concat() == content);
    for range in [0..1, 5_000_000..15_000_000, 21_000_000..21_000_007] {
        let part = place.blobs.read_range(place.tenant, put.sha256, range.clone()).await.unwrap();
        let part: Vec<Bytes> = part.try_collect().await.unwrap();
        assert!(part.concat() == content[range.start as usize..range.end as usize], "{range:?}");
    }
    assert!(place.blobs.has(place.tenant, put.sha256).await.unwrap());
    let nothing = Digest::of(b"nothing");
    assert!(!place.blobs.has(place.tenant, nothing).await.unwrap());
    let missing = place.blobs.read_whole(place.tenant, nothing).await;
    assert!(matches!(missing, Err(BlobError::Missing(_))), "{missing:?}");
}

#[tokio::test]
async fn an_upload_that_is_too_large_or_breaks_off_leaves_no_object() {
    let place = place().await;
    let content = large();
    let refused = place.blobs.put_stream(place.tenant, in_chunks(&content), 15_000_000).await;
    assert!(matches!(refused, Err(PutError::TooLarge { limit: 15_000_000 })), "{refused:?}");
    let source = stream::iter([Ok(content), Err("gone")]);
    let refused = place.blobs.put_stream(place.tenant, source, u64::MAX).await;
    assert!(matches!(refused, Err(PutError::Source("gone"))), "{refused:?}");
    let left = objects(&place);
    assert!(left.iter().all(|path| !path.contains("/blobs/")), "{left:?}");
}

#[tokio::test]
async fn what_is_stored_damaged_is_not_handed_out() {
    let place = place().await;
    let content = large();
    let put = place.blobs.put_stream(place.tenant, in_chunks(&content), u64::MAX).await.unwrap();
    let path = objects(&place).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[17] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let read = place.blobs.read(place.tenant, put.sha256).await.unwrap();
    let read: Result<Vec<Bytes>, _> = read.try_collect().await;
    assert!(matches!(read, Err(BlobError::Damaged { .. })));
}

#[tokio::test]
async fn a_jobs_checkpoints_are_listed_and_taken_away_and_no_others() {
    let place = place().await;
    let file = place.folder.path().join("checkpoint");
    std::fs::write(&file, b"state").unwrap();
    let attempt = |job| Attempt { job, number: NonZeroU32::MIN };
    let (ended, other) = (JobId::generate(), JobId::generate());
    for (job, step) in [(ended, 10), (ended, 20), (other, 10)] {
        place.blobs.put_checkpoint(place.tenant, attempt(job), step, &file).await.unwrap();
    }
    place.blobs.delete_job(place.tenant, ended).await.unwrap();
    let left = objects(&place);
    assert!(left.len() == 1 && left[0].contains(&other.to_string()), "{left:?}");
}

#[tokio::test]
async fn another_secret_opens_nothing() {
    let place = place().await;
    let content = Bytes::from_static(b"weights");
    let put = place.blobs.put_stream(place.tenant, in_chunks(&content), 100).await.unwrap();
    let environment = place.server.environment_with("another one");
    let url = format!("s3://{}/some/prefix", S3::BUCKET);
    let thief = Blobs::open(&url, &environment).unwrap();
    let refused = thief.read_whole(place.tenant, put.sha256).await;
    assert!(matches!(refused, Err(BlobError::Store(_))), "{refused:?}");
    assert!(thief.check().await.is_err());
}
