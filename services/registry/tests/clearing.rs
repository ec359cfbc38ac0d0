//! Clearing away in a bucket of S3, where nothing is renamed in one step.

use std::time::Duration;

use domain::{TenantId, Timestamp};
use registry::{BlobError, Blobs, Cleared};
use store::{Service, Store, tenants};
use testkit::{S3, TestDb};

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn what_nobody_names_lies_aside_for_a_day_and_then_goes() {
    let db = TestDb::create().await;
    let rows = Store::connect(&db.url(), 4, Service::Gateway).unwrap();
    let tenant = TenantId::generate();
    let mut tx = rows.begin().await.unwrap();
    tenants::create(&mut tx, tenant, &"acme".parse().unwrap(), "acme").await.unwrap();
    tx.commit().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = S3::start(&folder.path().join("buckets")).await.unwrap();
    let url = format!("s3://{}/some/prefix", S3::BUCKET);
    let blobs = Blobs::open(&url, &server.environment()).unwrap();

    let stored = blobs.put_bytes(tenant, "nobody's".into()).await.unwrap();
    assert_eq!(blobs.tenants().await.unwrap(), [tenant]);
    let later: Timestamp = "2126-01-01T00:00:00Z".parse().unwrap();
    let pass = async |at| blobs.clear(&rows, tenant, at, DAY).await.unwrap();
    assert_eq!(pass(later).await, Cleared { set_aside: 1, ..Cleared::default() });
    assert_eq!(blobs.read_whole(tenant, stored.sha256).await.unwrap(), "nobody's");
    let part = blobs.read_range(tenant, stored.sha256, 2..6).await.unwrap();
    let part: Vec<_> = futures::TryStreamExt::try_collect(part).await.unwrap();
    assert_eq!(part.concat(), b"body");
    assert!(!blobs.has(tenant, stored.sha256).await.unwrap(), "it is to be stored again");
    let gone = Cleared { deleted: 1, deleted_bytes: 8, ..Cleared::default() };
    assert_eq!(pass(later + DAY).await, gone);
    let read = blobs.read_whole(tenant, stored.sha256).await;
    assert!(matches!(read, Err(BlobError::Missing(_))), "{read:?}");
}
