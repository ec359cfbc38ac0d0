//! Bytes in and out of a folder: streamed, counted, named by what they are, and never half there.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{convert::Infallible, num::NonZeroU32};

use bytes::Bytes;
use domain::{Digest, JobId, TenantId, job::Attempt};
use futures::{TryStreamExt, stream};
use registry::{BlobError, Blobs, PutError};

struct Place {
    folder: tempfile::TempDir,
    blobs: Blobs,
    tenant: TenantId,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::folder(&folder.path().join("objects")).unwrap();
    Place { folder, blobs, tenant: TenantId::generate() }
}

fn chunks(
    parts: &[&'static [u8]],
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Unpin + use<> {
    let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from_static(part))).collect();
    stream::iter(parts)
}

/// Every file below the folder, uploads in the making included.
fn files(place: &Place) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        std::fs::read_dir(folder).unwrap().map(Result::unwrap).fold(0, |sum, entry| {
            sum + if entry.path().is_dir() { count(&entry.path()) } else { 1 }
        })
    }
    count(place.folder.path())
}

#[tokio::test]
async fn content_is_found_under_its_digest_and_putting_it_again_adds_nothing() {
    let place = place();
    let digest = Digest::of(b"hello, foundry");
    for _ in 0..2 {
        let source = chunks(&[b"hello, ", b"foundry"]);
        let stored = place.blobs.put_stream(place.tenant, source, 100).await.unwrap();
        assert_eq!((stored.sha256, stored.bytes), (digest, 14));
    }
    assert_eq!(files(&place), 1);
    let read: Vec<Bytes> =
        place.blobs.read(place.tenant, digest).await.unwrap().try_collect().await.unwrap();
    assert_eq!(read.concat(), b"hello, foundry");
}

#[tokio::test]
async fn another_tenant_does_not_find_it() {
    let place = place();
    let stored = place.blobs.put_stream(place.tenant, chunks(&[b"mine"]), 100).await.unwrap();
    let other = place.blobs.read_whole(TenantId::generate(), stored.sha256).await;
    assert!(matches!(other, Err(BlobError::Missing(_))), "{other:?}");
}

#[tokio::test]
async fn too_many_bytes_are_refused_while_they_flow_and_leave_nothing() {
    let place = place();
    let refused = place.blobs.put_stream(place.tenant, chunks(&[b"12345", b"6"]), 5).await;
    assert!(matches!(refused, Err(PutError::TooLarge { limit: 5 })), "{refused:?}");
    assert_eq!(files(&place), 0);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let place = place();
    let source = stream::iter([Ok(Bytes::from_static(b"half")), Err("gone")]);
    let refused = place.blobs.put_stream(place.tenant, source, 100).await;
    assert!(matches!(refused, Err(PutError::Source("gone"))), "{refused:?}");
    assert_eq!(files(&place), 0);
}

#[tokio::test]
async fn bytes_that_are_not_what_they_should_be_are_not_handed_out() {
    let place = place();
    let stored = place.blobs.put_stream(place.tenant, chunks(&[b"weights"]), 100).await.unwrap();
    let path = place
        .folder
        .path()
        .join(format!("objects/tenants/{}/blobs/{}", place.tenant, stored.sha256));
    std::fs::write(path, b"weighed").unwrap();
    let whole = place.blobs.read_whole(place.tenant, stored.sha256).await;
    assert!(matches!(whole, Err(BlobError::Damaged { .. })), "{whole:?}");
    let to = place.folder.path().join("copy");
    let fetched = place.blobs.fetch_content(place.tenant, stored.sha256, &to).await;
    assert!(matches!(fetched, Err(BlobError::Damaged { .. })), "{fetched:?}");
}

#[tokio::test]
async fn a_jobs_checkpoints_go_with_it_and_no_others() {
    let place = place();
    let file = place.folder.path().join("checkpoint");
    std::fs::write(&file, b"state").unwrap();
    let attempt = |job| Attempt { job, number: NonZeroU32::MIN };
    let (ended, other) = (JobId::generate(), JobId::generate());
    let mut paths = vec![];
    for (job, step) in [(ended, 10), (ended, 20), (other, 10)] {
        let put = place.blobs.put_checkpoint(place.tenant, attempt(job), step, &file).await;
        paths.push(put.unwrap());
    }
    place.blobs.delete_job(place.tenant, ended).await.unwrap();
    let to = place.folder.path().join("copy");
    let gone = place.blobs.fetch_checkpoint(&paths[0], &to).await;
    assert!(matches!(gone, Err(BlobError::Missing(_))), "{gone:?}");
    place.blobs.fetch_checkpoint(&paths[2], &to).await.unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), b"state");
    place.blobs.delete(&paths[0]).await.expect("deleting twice is no error");
}

#[tokio::test]
async fn what_a_worker_brings_to_a_round_is_there_for_others_until_its_attempt_ends() {
    let place = place();
    let [mine, theirs] = ["mine", "theirs"].map(|name| place.folder.path().join(name));
    for folder in [&mine, &theirs] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(mine.join("round-1-0"), b"weights").unwrap();
    let attempt = |number| Attempt { job: JobId::generate(), number };
    let (now, before) = (attempt(NonZeroU32::MAX), attempt(NonZeroU32::MIN));
    let (blobs, tenant) = (&place.blobs, place.tenant);
    let missing = blobs.fetch_round(tenant, now, &theirs, "round-1-0").await;
    assert!(matches!(missing, Err(BlobError::Missing(_))), "{missing:?}");
    for attempt in [now, before] {
        blobs.put_round(tenant, attempt, &mine, "round-1-0").await.unwrap();
    }
    blobs.fetch_round(tenant, now, &theirs, "round-1-0").await.unwrap();
    let files: Vec<_> = std::fs::read_dir(&theirs).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files, [theirs.join("round-1-0")], "nothing in part");
    assert_eq!(std::fs::read(&files[0]).unwrap(), b"weights");
    blobs.delete_rounds(tenant, now).await.unwrap();
    let gone = blobs.fetch_round(tenant, now, &theirs, "round-1-0").await;
    assert!(matches!(gone, Err(BlobError::Missing(_))), "{gone:?}");
    blobs.fetch_round(tenant, before, &theirs, "round-1-0").await.unwrap();
}

#[test]
fn a_url_that_cannot_be_used_is_named_with_the_reason() {
    for url in ["", "objects", "ftp://host/x", "file://host/x"] {
        let error = Blobs::open(url, &[]).unwrap_err().to_string();
        assert!(error.contains(&format!("`{url}`")), "{error}");
    }
}
