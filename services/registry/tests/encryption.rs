//! What is stored, encrypted with a key of each tenant, against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{fs, num::NonZeroU32, path::Path, sync::Arc};

use bytes::Bytes;
use domain::{Digest, JobId, TenantId, job::Attempt};
use futures::{TryStreamExt, stream};
use registry::{BlobError, Blobs, LocalMaster, MasterKey, Masters, Stored, TenantKeys};
use store::{Service, Store, tenant_keys, tenants};
use tempfile::TempDir;
use testkit::TestDb;

struct World {
    _db: TestDb,
    store: Store,
    folder: TempDir,
    acme: TenantId,
    globex: TenantId,
}

fn masters(digits: &[&str]) -> Masters {
    let master = |digit: &&str| -> Arc<dyn MasterKey> {
        Arc::new(LocalMaster::from_text(&digit.repeat(64), "a test").unwrap())
    };
    Masters::new(digits.iter().map(master).collect()).unwrap()
}

impl World {
    async fn create() -> Self {
        let db = TestDb::create().await;
        let store = Store::connect(&db.url(), 4, Service::Gateway).unwrap();
        let mut tx = store.begin().await.unwrap();
        let ids = [TenantId::generate(), TenantId::generate()];
        for (id, slug) in ids.into_iter().zip(["acme", "globex"]) {
            tenants::create(&mut tx, id, &slug.parse().unwrap(), slug).await.unwrap();
        }
        tx.commit().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { _db: db, store, folder, acme: ids[0], globex: ids[1] }
    }

    /// As a process of its own sees the store, with these master keys.
    fn blobs(&self, digits: &[&str]) -> Blobs {
        let keys = TenantKeys::new(self.store.clone(), masters(digits));
        self.plain_blobs().encrypted_with(keys)
    }

    fn plain_blobs(&self) -> Blobs {
        Blobs::folder(&self.folder.path().join("objects")).unwrap()
    }

    fn path(&self, tenant: TenantId, sha256: Digest) -> std::path::PathBuf {
        self.folder.path().join(format!("objects/tenants/{tenant}/blobs/{sha256}"))
    }
}

/// Three segments and a bit, in which every word tells where it stands.
fn content() -> Bytes {
    (0..52_000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>().into()
}

async fn put(blobs: &Blobs, tenant: TenantId, bytes: &Bytes) -> Stored {
    let chunks = bytes.chunks(7_001).map(|chunk| Ok::<_, ()>(bytes.slice_ref(chunk)));
    blobs.put_stream(tenant, stream::iter(chunks.collect::<Vec<_>>()), 1 << 30).await.unwrap()
}

fn attempt() -> Attempt {
    Attempt { job: JobId::generate(), number: NonZeroU32::MIN }
}

fn holds(path: &Path, part: &[u8]) -> bool {
    fs::read(path).unwrap().windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn what_is_stored_is_read_back_and_is_noise_to_others() {
    let world = World::create().await;
    let (blobs, bytes) = (world.blobs(&["1"]), content());
    let stored = put(&blobs, world.acme, &bytes).await;
    assert_eq!((stored.sha256, stored.bytes), (Digest::of(&bytes), bytes.len() as u64));
    assert!(!holds(&world.path(world.acme, stored.sha256), &bytes[1_000..1_016]));

    // another process, which has to look the key up
    let blobs = world.blobs(&["1"]);
    assert_eq!(blobs.read_whole(world.acme, stored.sha256).await.unwrap(), bytes);
    let read = blobs.read(world.acme, stored.sha256).await.unwrap();
    assert_eq!(read.try_collect::<Vec<_>>().await.unwrap().concat(), bytes);
    let to = world.folder.path().join("fetched");
    blobs.fetch_content(world.acme, stored.sha256, &to).await.unwrap();
    assert_eq!(fs::read(&to).unwrap(), bytes);
    for range in [0..1, 65_535..65_537, 65_536..131_072, 200_000..208_000, 0..208_000] {
        let part = blobs.read_range(world.acme, stored.sha256, range.clone()).await.unwrap();
        let part = part.try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!(part, bytes[range.start as usize..range.end as usize], "{range:?}");
    }
}

#[tokio::test]
async fn checkpoints_and_rounds_are_encrypted_too() {
    let world = World::create().await;
    let (blobs, attempt) = (world.blobs(&["1"]), attempt());
    let folder = world.folder.path().to_owned();
    fs::write(folder.join("round"), b"weights in plain").unwrap();
    blobs.put_round(world.acme, attempt, &folder, "round").await.unwrap();
    let path = blobs.put_checkpoint(world.acme, attempt, 7, &folder.join("round")).await.unwrap();
    assert!(!holds(&folder.join("objects").join(&path), b"weights"));
    blobs.fetch_checkpoint(&path, &folder.join("checkpoint")).await.unwrap();
    assert_eq!(fs::read(folder.join("checkpoint")).unwrap(), b"weights in plain");
    fs::remove_file(folder.join("round")).unwrap();
    blobs.fetch_round(world.acme, attempt, &folder, "round").await.unwrap();
    assert_eq!(fs::read(folder.join("round")).unwrap(), b"weights in plain");
}

#[tokio::test]
async fn what_was_changed_or_is_anothers_is_refused() {
    let world = World::create().await;
    let (blobs, bytes) = (world.blobs(&["1"]), content());
    let stored = put(&blobs, world.acme, &bytes).await;
    // somebody with the bucket gives globex acme's object
    let theirs = world.path(world.globex, stored.sha256);
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::copy(world.path(world.acme, stored.sha256), &theirs).unwrap();
    let error = blobs.read_whole(world.globex, stored.sha256).await.unwrap_err();
    assert!(matches!(error, BlobError::Tampered(_)), "{error:?}");

    let own = world.path(world.acme, stored.sha256);
    let mut changed = fs::read(&own).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&own, changed).unwrap();
    let error = blobs.read_range(world.acme, stored.sha256, 207_000..208_000).await.unwrap();
    let error = error.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, BlobError::Tampered(_)), "{error:?}");
    // what is before the change can be read, and no more
    let part = blobs.read_range(world.acme, stored.sha256, 0..60_000).await.unwrap();
    assert_eq!(part.try_collect::<Vec<_>>().await.unwrap().concat(), bytes[..60_000]);
}

#[tokio::test]
async fn what_was_stored_before_there_was_a_key_is_read_as_it_is() {
    let world = World::create().await;
    for bytes in [content(), Bytes::from_static(b"short"), Bytes::new()] {
        let stored = put(&world.plain_blobs(), world.acme, &bytes).await;
        let blobs = world.blobs(&["1"]);
        assert_eq!(blobs.read_whole(world.acme, stored.sha256).await.unwrap(), bytes);
    }
    let stored = put(&world.plain_blobs(), world.acme, &content()).await;
    let part = world.blobs(&["1"]).read_range(world.acme, stored.sha256, 5..9).await.unwrap();
    assert_eq!(part.try_collect::<Vec<_>>().await.unwrap().concat(), content()[5..9]);
}

#[tokio::test]
async fn another_master_key_takes_over_and_no_data_is_rewritten() {
    let world = World::create().await;
    let stored = put(&world.blobs(&["1"]), world.acme, &content()).await;
    put(&world.blobs(&["1"]), world.globex, &content()).await;
    let before = fs::read(world.path(world.acme, stored.sha256)).unwrap();

    let error = world.blobs(&["2"]).read_whole(world.acme, stored.sha256).await.unwrap_err();
    assert!(error.to_string().contains("add its file"), "{error}");
    // while both are known, all goes on
    let read = world.blobs(&["2", "1"]).read_whole(world.acme, stored.sha256).await;
    assert_eq!(read.unwrap(), content());
    let both = masters(&["2", "1"]);
    assert_eq!(registry::rewrap(&world.store, &both).await.unwrap(), 2);
    assert_eq!(registry::rewrap(&world.store, &both).await.unwrap(), 0);
    let read = world.blobs(&["2"]).read_whole(world.acme, stored.sha256).await;
    assert_eq!(read.unwrap(), content());
    assert!(world.blobs(&["1"]).read_whole(world.acme, stored.sha256).await.is_err());
    assert_eq!(fs::read(world.path(world.acme, stored.sha256)).unwrap(), before);
}

#[tokio::test]
async fn with_its_key_a_tenants_data_is_gone_and_nobody_elses() {
    let world = World::create().await;
    let bytes = content();
    let stored = put(&world.blobs(&["1"]), world.acme, &bytes).await;
    put(&world.blobs(&["1"]), world.globex, &bytes).await;
    let mut tx = world.store.begin().await.unwrap();
    tenant_keys::destroy(&mut tx, world.acme).await.unwrap();
    tx.commit().await.unwrap();
    let blobs = world.blobs(&["1"]);
    let error = blobs.read_whole(world.acme, stored.sha256).await.unwrap_err();
    assert!(matches!(error, BlobError::KeyDestroyed { .. }), "{error:?}");
    // nor does another key take its place
    let again = stream::iter([Ok::<_, ()>(bytes.clone())]);
    assert!(blobs.put_stream(world.acme, again, 1 << 30).await.is_err());
    assert_eq!(blobs.read_whole(world.globex, stored.sha256).await.unwrap(), bytes);
}

#[tokio::test]
async fn processes_that_need_a_new_tenants_key_at_once_take_the_same() {
    let world = World::create().await;
    let processes: Vec<_> = (0..4).map(|_| world.blobs(&["1"])).collect();
    let bytes: Vec<_> = (0..4_u8).map(|n| Bytes::from(vec![n; 100])).collect();
    let puts = processes.iter().zip(&bytes).map(|(blobs, bytes)| put(blobs, world.acme, bytes));
    let stored = futures::future::join_all(puts).await;
    for (stored, bytes) in stored.iter().zip(&bytes) {
        for blobs in &processes {
            assert_eq!(blobs.read_whole(world.acme, stored.sha256).await.unwrap(), bytes);
        }
    }
}
