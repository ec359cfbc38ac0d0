//! A job publishes exactly one version, and versions of one model are numbered without gaps.

use domain::{
    TenantId,
    job::{Attempt, Report},
    model::{FittedInput, FittedText},
    registry::Visibility,
    spec::Keep,
};
use serde_json::{Value, json};
use store::{Service, attempts, models};

use crate::support::{Tenant, World, artifact, retry};

/// As a worker does it: the version and the end of the job in one transaction.
async fn publish(world: &World, attempt: Attempt, mark: &str) -> Option<u32> {
    let mut tx = world.begin_as(Service::Worker).await;
    let number = models::publish(&mut tx, attempt, &artifact(mark)).await.unwrap();
    let told = attempts::report(&mut tx, attempt, Report::Succeeded, &retry()).await.unwrap();
    told.ok()?;
    tx.commit().await.unwrap();
    Some(number)
}

async fn versions(world: &World, tenant: &Tenant) -> Vec<models::ModelVersion> {
    let mut tx = world.begin_for(tenant).await;
    let model = models::get(&mut tx, tenant.slug.as_str(), "flowers").await.unwrap().unwrap();
    models::versions(&mut tx, model.id, None, None).await.unwrap().items
}

#[tokio::test]
async fn a_success_told_many_times_at_once_publishes_once() {
    let world = World::create().await;
    let attempt = world.running(&world.acme).await;
    let marks: Vec<_> = (0..8).map(|n| n.to_string()).collect();
    let told = marks.iter().map(|mark| publish(&world, attempt, mark));
    let told = futures::future::join_all(told).await;
    assert_eq!(told.iter().flatten().collect::<Vec<_>>(), [&1]);
    assert_eq!(versions(&world, &world.acme).await.len(), 1);
}

#[tokio::test]
async fn jobs_that_end_together_get_numbers_without_gaps() {
    let world = World::create().await;
    let mut attempts = Vec::new();
    for _ in 0..6 {
        attempts.push(world.running(&world.acme).await);
    }
    let published = attempts.iter().map(|attempt| publish(&world, *attempt, "same"));
    let mut numbers: Vec<_> =
        futures::future::join_all(published).await.into_iter().flatten().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_version_remembers_where_it_came_from() {
    let world = World::create().await;
    let attempt = world.running(&world.acme).await;
    publish(&world, attempt, "weights").await.unwrap();
    let [version] = versions(&world, &world.acme).await.try_into().unwrap();
    let expected = artifact("weights");
    let (made, trained) = (version.made.unwrap(), version.trained.unwrap());
    assert_eq!((version.number, trained.job), (1, attempt.job));
    assert_eq!(made.weights_sha256, expected.made.weights_sha256);
    assert_eq!(made.config, expected.made.config);
    assert_eq!(version.files, expected.files);
    assert_eq!((trained.dataset, trained.dataset_version), (world.acme.dataset, 1));
    assert_eq!(version.metrics["loss"], 0.5);
}

#[tokio::test]
async fn a_tokenizer_is_in_the_file_alone() {
    let world = World::create().await;
    let mut made = artifact("weights");
    let text = |tokenizer: Value| {
        let (column, keep) = ("review".to_owned(), Keep::First);
        FittedInput::Text(FittedText { column, max_length: 9, keep, vocabulary: 2, tokenizer })
    };
    made.made.config.input = text(json!({"model": {"vocab": {"[PAD]": 0, "[UNK]": 1}}}));
    let attempt = world.running(&world.acme).await;
    let mut tx = world.begin_as(Service::Worker).await;
    models::publish(&mut tx, attempt, &made).await.unwrap();
    tx.commit().await.unwrap();
    let [version] = versions(&world, &world.acme).await.try_into().unwrap();
    made.made.config.input = text(Value::Null);
    assert_eq!(version.made.unwrap().config, made.made.config);
}

#[tokio::test]
async fn a_public_model_is_read_by_others_and_changed_by_its_owner_alone() {
    let world = World::create().await;
    let globex = world.tenant("globex").await;
    publish(&world, world.running(&world.acme).await, "weights").await.unwrap();
    let seen = async |tenant: &Tenant| {
        let mut tx = world.begin_for(tenant).await;
        models::get(&mut tx, "acme", "flowers").await.unwrap()
    };
    let model = seen(&world.acme).await.unwrap();
    assert!(seen(&globex).await.is_none(), "private by default");
    let set = async |tenant: TenantId, visibility| {
        let change = models::Change { visibility: Some(visibility), ..models::Change::default() };
        let mut tx = world.store.begin_for(tenant).await.unwrap();
        let changed = models::update(&mut tx, model.id, change).await.unwrap();
        tx.commit().await.unwrap();
        changed
    };
    assert!(!set(globex.id, Visibility::Public).await);
    assert!(set(world.acme.id, Visibility::Public).await);
    assert_eq!(seen(&globex).await.unwrap().visibility, Visibility::Public);
    assert!(!set(globex.id, Visibility::Private).await);

    let mut tx = world.begin_for(&globex).await;
    assert_eq!(models::versions(&mut tx, model.id, None, None).await.unwrap().items.len(), 1);
    let mut found = async |among| {
        models::search(&mut tx, &models::Search::of(among)).await.unwrap().items.len()
    };
    assert_eq!(found(models::Among::Public).await, 1);
    assert_eq!(found(models::Among::Own).await, 0);
}
