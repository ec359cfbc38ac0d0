//! Files on their way: every piece is counted once, where the upload stands.

use chrono::{DateTime, TimeDelta};
use domain::{
    Timestamp,
    dataset::{Compression, Format},
};
use futures::future::join_all;
use store::{
    Service, storage,
    uploads::{self, NewUpload, Upload},
};
use uuid::Uuid;

use crate::support::{Tenant, World};

const NOW: Timestamp = DateTime::UNIX_EPOCH;

fn file(fingerprint: &str, bytes: u64) -> NewUpload {
    NewUpload {
        dataset: "rows".parse().unwrap(),
        format: Format::Csv,
        compression: Compression::None,
        bytes,
        fingerprint: fingerprint.to_owned(),
        sha256: None,
    }
}

async fn begin(world: &World, tenant: &Tenant, file: &NewUpload) -> (Upload, bool) {
    let mut tx = world.begin_for(tenant).await;
    let begun = uploads::begin(&mut tx, file, NOW).await.unwrap();
    tx.commit().await.unwrap();
    begun
}

async fn count(world: &World, tenant: &Tenant, upload: &Upload, at: u64, bytes: u64) -> bool {
    let mut tx = world.begin_for(tenant).await;
    let piece = (Uuid::now_v7(), bytes);
    let counted = uploads::count_piece(&mut tx, upload.id, at, piece, NOW).await.unwrap();
    tx.commit().await.unwrap();
    counted
}

async fn now(world: &World, upload: &Upload) -> Upload {
    let mut tx = world.begin_for(&world.acme).await;
    uploads::get(&mut tx, upload.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_piece_counts_only_where_the_upload_stands() {
    let world = World::create().await;
    let globex = world.tenant("globex").await;
    let (upload, is_new) = begin(&world, &world.acme, &file("a", 10)).await;
    assert!(is_new);
    assert!(!count(&world, &world.acme, &upload, 1, 5).await, "there is nothing before it");
    assert!(!count(&world, &world.acme, &upload, 0, 11).await, "beyond its end");
    assert!(!count(&world, &globex, &upload, 0, 5).await, "another tenant's");
    assert!(count(&world, &world.acme, &upload, 0, 4).await);
    assert!(!count(&world, &world.acme, &upload, 0, 4).await, "it has come already");
    let same = begin(&world, &world.acme, &file("a", 10)).await;
    assert_eq!((same.0.id, same.0.received, same.1), (upload.id, 4, false));
    for other in [file("b", 10), file("a", 11), NewUpload { format: Format::Tsv, ..file("a", 10) }]
    {
        let (other, is_new) = begin(&world, &world.acme, &other).await;
        assert!(is_new && other.received == 0, "another file is never mixed with it");
    }
    let (theirs, is_new) = begin(&world, &globex, &file("a", 10)).await;
    assert!(is_new && theirs.received == 0);
}

#[tokio::test]
async fn of_many_pieces_for_one_place_one_is_counted() {
    let world = World::create().await;
    let (upload, _) = begin(&world, &world.acme, &file("a", 10)).await;
    let all = (0..8).map(|_| count(&world, &world.acme, &upload, 0, 5));
    let counted = join_all(all).await.into_iter().filter(|counted| *counted).count();
    assert_eq!(counted, 1);
    let upload = now(&world, &upload).await;
    assert_eq!((upload.received, upload.pieces.len()), (5, 1));
}

#[tokio::test]
async fn it_takes_room_until_it_is_a_version_or_given_up_or_forgotten() {
    let world = World::create().await;
    let taken = async || {
        let mut tx = world.begin_for(&world.acme).await;
        storage::taken(&mut tx).await.unwrap().used
    };
    let before = taken().await;
    let [a, b, c] = ["a", "b", "c"].map(|name| file(name, 10));
    let (a, b, c) = futures::join!(
        begin(&world, &world.acme, &a),
        begin(&world, &world.acme, &b),
        begin(&world, &world.acme, &c),
    );
    assert_eq!(taken().await, before + 30);
    let mut tx = world.begin_for(&world.acme).await;
    assert!(!uploads::became(&mut tx, a.0.id, 1).await.unwrap(), "not all of it has come");
    tx.commit().await.unwrap();
    assert!(count(&world, &world.acme, &a.0, 0, 10).await);
    let mut tx = world.begin_for(&world.acme).await;
    assert!(uploads::became(&mut tx, a.0.id, 1).await.unwrap());
    assert!(uploads::give_up(&mut tx, b.0.id).await.unwrap());
    assert!(!uploads::give_up(&mut tx, b.0.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(taken().await, before + 10);
    let a = now(&world, &a.0).await;
    assert_eq!((a.version, a.pieces.len()), (Some(1), 0));
    assert!(!count(&world, &world.acme, &a, 10, 0).await);

    let forget = async |before| {
        let mut tx = world.begin_as(Service::Gateway).await;
        let left = uploads::forget(&mut tx, world.acme.id, before).await.unwrap();
        tx.commit().await.unwrap();
        left.len()
    };
    assert_eq!(forget(NOW - TimeDelta::seconds(1)).await, 2);
    let (c, _) = c;
    let mut tx = world.begin_for(&world.acme).await;
    let piece = (Uuid::now_v7(), 1);
    let later = NOW + TimeDelta::days(1);
    assert!(uploads::count_piece(&mut tx, c.id, 0, piece, later).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(forget(NOW).await, 1, "what goes on stays");
    assert_eq!(forget(later).await, 0);
    assert_eq!(taken().await, before);
}
