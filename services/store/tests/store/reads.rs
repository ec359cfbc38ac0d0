//! A credential and what is read by it, in one statement: nobody is shown what is not theirs, what was taken away is
//! gone for the next one, also where the credential is known already, and nothing of one statement is left on its
//! connection for the one after it.

use domain::{
    ApiKeyId, Clock, Digest, SessionId, TenantId, Timestamp, UserId,
    access::{Credential, Role, Scopes},
    name::Name,
};
use store::{
    Service, Store, Tx, keys,
    keys::{KeyDraft, NewKey},
    people,
    principals::Principal,
    reads::Shown,
    sessions::{self, NewSession},
    tenants,
};

use crate::support::{Tenant, World, retry};

/// Of one connection for each kind of work, on which everything meets what was left before it.
fn on_one_connection(world: &World) -> Store {
    Store::connect(&world.db.url(), 1, Service::Gateway).unwrap()
}

async fn key(world: &World, tenant: Option<TenantId>, user: UserId, secret: &str) -> Shown {
    let (id, sha256) = (ApiKeyId::generate(), Digest::of(secret.as_bytes()));
    let draft = KeyDraft::named("a key");
    let mut tx = world.begin_as(Service::Gateway).await;
    keys::create(&mut tx, &NewKey { id, tenant, user, prefix: "cup_", sha256, draft })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    Shown::Secret(sha256)
}

pub async fn key_of(world: &World, tenant: &Tenant) -> Shown {
    key(world, Some(tenant.id), tenant.owner, tenant.slug.as_str()).await
}

fn id(principal: &Principal) -> ApiKeyId {
    match principal.credential {
        Credential::Key(id) => id,
        Credential::Session(id) => panic!("{id} is no key"),
    }
}

#[tokio::test]
async fn each_sees_their_own_job_on_a_connection_that_another_has_used() {
    let world = World::create().await;
    let globex = world.tenant("globex").await;
    let (acmes, globexs) = (key_of(&world, &world.acme).await, key_of(&world, &globex).await);
    let job = world.submit(&world.acme).await;
    let store = on_one_connection(&world);
    for _ in 0..2 {
        let (principal, found) = store.read(&acmes, &job).await.unwrap().unwrap();
        assert_eq!(principal.tenant, Some((world.acme.id, "acme".to_owned())));
        assert_eq!((principal.role, &principal.scopes), (Role::Owner, &Scopes::All));
        let found = found.unwrap();
        let expected = world.job(&world.acme, job).await;
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        let (principal, found) = store.read(&globexs, &job).await.unwrap().unwrap();
        assert_eq!(principal.tenant.unwrap().0, globex.id);
        assert!(found.is_none(), "another tenant's job");
    }
}

#[tokio::test]
async fn a_dataset_is_found_by_its_name_in_the_tenant_alone() {
    let world = World::create().await;
    let globex = world.tenant("globex").await;
    let (acmes, globexs) = (key_of(&world, &world.acme).await, key_of(&world, &globex).await);
    let mut tx = world.begin_for(&world.acme).await;
    let all = store::datasets::list(&mut tx).await.unwrap();
    drop(tx);
    let name: Name = all[0].name.parse().unwrap();
    let store = on_one_connection(&world);
    let (_, found) = store.read(&acmes, &name).await.unwrap().unwrap();
    assert_eq!(format!("{:?}", found.unwrap()), format!("{:?}", all[0]));
    let none: Name = "nothing".parse().unwrap();
    let (_, found) = store.read(&acmes, &none).await.unwrap().unwrap();
    assert!(found.is_none());
    // globex has one of its own of that name
    let (_, found) = store.read(&globexs, &name).await.unwrap().unwrap();
    assert_eq!(found.unwrap().id, globex.dataset);
}

#[tokio::test]
async fn what_was_taken_away_reads_nothing_from_the_next_message_on() {
    let world = World::create().await;
    let shown = key_of(&world, &world.acme).await;
    let job = world.submit(&world.acme).await;
    let store = on_one_connection(&world);
    let (principal, found) = store.read(&shown, &job).await.unwrap().unwrap();
    assert!(found.is_some());
    let by_token = Shown::Key(id(&principal));
    assert_eq!(store.principal(&by_token).await.unwrap().as_ref(), Some(&principal));
    let mut tx = world.begin_for(&world.acme).await;
    assert!(keys::revoke(&mut tx, id(&principal), None).await.unwrap());
    tx.commit().await.unwrap();
    for gone in [shown, by_token] {
        assert!(store.read(&gone, &job).await.unwrap().is_none());
        assert_eq!(store.principal(&gone).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_a_key_may_do_is_asked_at_every_read() {
    let world = World::create().await;
    let shown = key_of(&world, &world.acme).await;
    let job = world.submit(&world.acme).await;
    let store = on_one_connection(&world);
    let read = async || store.read(&shown, &job).await.unwrap().map(|(principal, _)| principal);
    let known = read().await.unwrap();
    assert_eq!((known.role, known.expires_at), (Role::Owner, None));

    let mut tx = world.begin_for(&world.acme).await;
    people::set_role(&mut tx, world.acme.owner, Role::Viewer).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(read().await, Some(Principal { role: Role::Viewer, ..known.clone() }));

    let soon = Clock::System.now() + chrono::Duration::hours(1);
    expire(&world, &known, soon).await;
    assert!(read().await.unwrap().is_restricted());
    expire(&world, &known, soon - chrono::Duration::hours(2)).await;
    assert_eq!(read().await, None);
}

async fn expire(world: &World, principal: &Principal, at: Timestamp) {
    let mut tx = world.begin_as(Service::Gateway).await;
    keys::expire(&mut tx, id(principal), at).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn who_is_taken_out_of_a_tenant_reads_nothing_of_it_any_more() {
    let world = World::create().await;
    let shown = key_of(&world, &world.acme).await;
    let job = world.submit(&world.acme).await;
    let store = on_one_connection(&world);
    assert!(store.read(&shown, &job).await.unwrap().is_some());
    let mut tx = world.begin_for(&world.acme).await;
    people::remove_member(&mut tx, world.acme.owner).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.read(&shown, &job).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_of_a_tenant_that_was_closed_reads_nothing_any_more() {
    let world = World::create().await;
    let job = world.submit(&world.acme).await;
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let shown = Shown::Session(begin_session(&world, now).await, now);
    let store = on_one_connection(&world);
    assert!(store.read(&shown, &job).await.unwrap().is_some());
    let mut tx = world.begin_as(Service::Gateway).await;
    tenants::close(&mut tx, world.acme.slug.as_str(), &retry()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.read(&shown, &job).await.unwrap().is_none());
}

/// For an hour.
async fn begin_session(world: &World, now: Timestamp) -> SessionId {
    let session = SessionId::generate();
    let mut tx = world.begin_as(Service::Gateway).await;
    let new = NewSession {
        id: session,
        tenant: Some(world.acme.id),
        user: world.acme.owner,
        now,
        expires_at: now + chrono::Duration::hours(1),
        address: "192.0.2.7",
        user_agent: "a test",
        refresh: Digest::of(b"a refresh token"),
    };
    sessions::begin(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    session
}

/// As a server ends them that is started again.
#[tokio::test]
async fn a_connection_that_was_ended_is_opened_again() {
    let world = World::create().await;
    let (shown, job) = (key_of(&world, &world.acme).await, world.submit(&world.acme).await);
    let store = on_one_connection(&world);
    assert!(store.read(&shown, &job).await.unwrap().is_some());
    let mut tx = world.begin_as_owner().await;
    let ended = sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    );
    assert!(!ended.fetch_all(tx.conn()).await.unwrap().is_empty());
    // the first one may find it out
    let _ = store.read(&shown, &job).await;
    assert!(store.read(&shown, &job).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_reads_until_it_ends() {
    let world = World::create().await;
    let job = world.submit(&world.acme).await;
    let now: Timestamp = "2026-01-01T00:00:00.123456Z".parse().unwrap();
    let session = begin_session(&world, now).await;
    let store = on_one_connection(&world);
    let shown = Shown::Session(session, now);
    let (principal, found) = store.read(&shown, &job).await.unwrap().unwrap();
    assert_eq!(principal.credential, Credential::Session(session));
    assert!(found.is_some());
    let later = Shown::Session(session, now + chrono::Duration::hours(1));
    assert!(store.read(&later, &job).await.unwrap().is_none());
    let mut tx = world.begin_as(Service::Gateway).await;
    sessions::end(&mut tx, world.acme.owner, session, now).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.read(&shown, &job).await.unwrap().is_none());
}

#[tokio::test]
async fn those_who_run_the_platform_are_in_no_tenant() {
    let world = World::create().await;
    let mut tx = world.begin_as(Service::Gateway).await;
    let who = ("operator@localhost", "Operator");
    let operator =
        people::ensure_platform(&mut tx, UserId::generate(), who, Role::Operator).await.unwrap();
    tx.commit().await.unwrap();
    let shown = key(&world, None, operator, "an operator's").await;
    let (acmes, job) = (key_of(&world, &world.acme).await, world.submit(&world.acme).await);
    let store = on_one_connection(&world);
    assert!(store.read(&acmes, &job).await.unwrap().unwrap().1.is_some());
    let (principal, found) = store.read(&shown, &job).await.unwrap().unwrap();
    assert_eq!((principal.role, principal.tenant), (Role::Operator, None));
    assert!(found.is_none());
}

#[tokio::test]
async fn a_keys_use_is_remembered() {
    let world = World::create().await;
    let shown = key_of(&world, &world.acme).await;
    let last_used = async || {
        let mut tx = world.begin_for(&world.acme).await;
        keys::list(&mut tx, None).await.unwrap()[0].last_used_at
    };
    assert_eq!(last_used().await, None);
    world.store.principal(&shown).await.unwrap();
    let first = last_used().await;
    assert!(first.is_some());
    world.store.principal(&shown).await.unwrap();
    assert_eq!(last_used().await, first, "within the minute");
}
