//! The audit log: written with what it tells of, sealed once, and whatever is done to it afterwards, by
//! whomever, is found and named.

use domain::{
    RequestId, TenantId,
    audit::{DONE, Entry, Finding, Record, Seal},
};
use futures::future::join_all;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{
    PageRequest, Service, StoreError, Tx,
    audit::{self, Filter, Look},
};

use crate::support::{Tenant, World};

fn entry(object: &str) -> Entry {
    Entry {
        user: Some(domain::UserId::generate()),
        role: Some("owner".to_owned()),
        address: Some("192.0.2.7".to_owned()),
        action: "submit_job".to_owned(),
        object_kind: Some("job".to_owned()),
        object: Some(object.to_owned()),
        result: DONE.to_owned(),
        request: Some(RequestId::generate()),
        ..Entry::default()
    }
}

async fn note(world: &World, tenant: &Tenant, object: &str) {
    let mut tx = world.begin_for(tenant).await;
    audit::append(&mut tx, Some(tenant.id), &entry(object)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn seal(world: &World) -> usize {
    let mut tx = world.begin_as(Service::Gateway).await;
    let sealed = audit::seal(&mut tx, Look::Recent).await.unwrap();
    tx.commit().await.unwrap();
    sealed
}

async fn findings(world: &World, kept: Vec<Seal>) -> Vec<Finding> {
    audit::verify(&mut world.begin_as(Service::Gateway).await, Some(world.acme.id), kept)
        .await
        .unwrap()
        .1
}

async fn records(world: &World, tenant: Option<TenantId>) -> Vec<Record> {
    audit::sealed(&mut world.begin_as(Service::Gateway).await, tenant, 1, &Filter::default())
        .await
        .unwrap()
}

/// Five sealed records of acme's.
async fn five() -> World {
    let world = World::create().await;
    for object in ["one", "two", "three", "four", "five"] {
        note(&world, &world.acme, object).await;
    }
    assert_eq!(seal(&world).await, 5);
    world
}

/// What an owner of the database has to do first.
const UNGUARD: &str = "alter table audit_record disable trigger user;
    alter table audit_head disable trigger user";

#[tokio::test]
async fn a_record_lands_with_what_it_tells_of_or_not_at_all() {
    let world = World::create().await;
    let mut tx = world.begin_for(&world.acme).await;
    audit::append(&mut tx, Some(world.acme.id), &entry("lost")).await.unwrap();
    drop(tx);
    note(&world, &world.acme, "kept").await;
    assert_eq!(audit::unsealed(&mut world.begin_as(Service::Gateway).await).await.unwrap(), 1);
    assert_eq!(seal(&world).await, 1);
    assert_eq!(seal(&world).await, 0);
    let found = records(&world, Some(world.acme.id)).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].entry.object.as_deref(), Some("kept"));
    assert_eq!(found[0].seal, Some(Seal::default().next(&found[0])));
}

#[tokio::test]
async fn a_record_of_long_ago_is_found_by_a_look_at_all() {
    let world = World::create().await;
    note(&world, &world.acme, "late").await;
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let earlier = format!("{UNGUARD}; update audit_record set at = at - interval '1 hour'");
    sqlx::raw_sql(AssertSqlSafe(earlier)).execute(&mut owner).await.unwrap();
    assert_eq!(seal(&world).await, 0);
    assert_eq!(
        audit::seal(&mut world.begin_as(Service::Gateway).await, Look::All).await.unwrap(),
        1
    );
}

#[tokio::test]
async fn each_tenant_has_a_chain_of_its_own_and_the_platform_one() {
    let world = World::create().await;
    let globex = world.tenant("globex").await;
    for object in ["one", "two"] {
        note(&world, &world.acme, object).await;
        note(&world, &globex, object).await;
        let mut tx = world.begin_as(Service::Gateway).await;
        audit::append(&mut tx, None, &entry(object)).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(seal(&world).await, 6);
    let mut tx = world.begin_as(Service::Gateway).await;
    let chains = audit::chains(&mut tx).await.unwrap();
    assert_eq!(chains, [None, Some(world.acme.id), Some(globex.id)]);
    for chain in chains {
        let (head, findings) = audit::verify(&mut tx, chain, Vec::new()).await.unwrap();
        assert_eq!((head.unwrap().place, findings), (2, Vec::new()));
        let objects = records(&world, chain).await.into_iter().map(|r| r.entry.object.unwrap());
        assert_eq!(objects.collect::<Vec<_>>(), ["one", "two"]);
    }
}

#[tokio::test]
async fn sealers_and_writers_at_once_leave_one_chain() {
    let world = World::create().await;
    let write = async |n: usize| {
        for of in 0..5 {
            note(&world, &world.acme, &format!("{n} {of}")).await;
            seal(&world).await;
        }
    };
    join_all((0..8).map(write)).await;
    seal(&world).await;
    let found = records(&world, Some(world.acme.id)).await;
    let places: Vec<u64> = found.iter().map(|record| record.seal.unwrap().place).collect();
    assert_eq!(places, (1..=40).collect::<Vec<_>>());
    assert_eq!(findings(&world, Vec::new()).await, []);
}

#[tokio::test]
async fn what_services_may_do_is_write_and_read() {
    let world = five().await;
    note(&world, &world.acme, "unsealed").await;
    let all = ["audit_record", "audit_head"];
    let mut statements: Vec<String> = all.map(|table| format!("delete from {table}")).into();
    statements.extend(all.map(|table| format!("truncate {table}")));
    statements.extend(
        [
            "update audit_record set result = 'forbidden'",
            "update audit_record set place = 9, hash = sha256('') where place = 5",
            "update audit_record set place = null, hash = null",
            "update audit_head set place = 4",
        ]
        .map(str::to_owned),
    );
    for role in ["cupola_as_gateway", "cupola_tenant", "the owner"] {
        let mut database = PgConnection::connect(&world.db.owner_url()).await.unwrap();
        for statement in &statements {
            let mut tx = database.begin().await.unwrap();
            if role != "the owner" {
                let become_role = format!("set local role {role}");
                sqlx::query(AssertSqlSafe(become_role)).execute(&mut *tx).await.unwrap();
            }
            let acme = format!("set local app.tenant_id = '{}'", world.acme.id.uuid());
            sqlx::query(AssertSqlSafe(acme)).execute(&mut *tx).await.unwrap();
            let outcome = sqlx::query(AssertSqlSafe(statement.as_str())).execute(&mut *tx).await;
            let error = StoreError::from(outcome.expect_err(statement));
            assert!(format!("{error:?}").contains("42501"), "{role}: {statement}: {error:?}");
        }
    }
    // nor may a tenant write to another's log, or read it
    let globex = world.tenant("globex").await;
    let mut tx = world.begin_for(&globex).await;
    let others = audit::sealed(&mut tx, Some(world.acme.id), 1, &Filter::default()).await.unwrap();
    assert_eq!(others, []);
    let refused = audit::append(&mut tx, Some(world.acme.id), &entry("foreign")).await;
    assert!(format!("{refused:?}").contains("42501"), "{refused:?}");
}

/// What an owner of the database may do to the five, and what is found then. `{2}` is the id of the
/// second.
const TAMPERED: &[(&str, &[&str])] = &[
    ("update audit_record set result = 'forbidden' where place = 2", &["place 2 ({2}): not what"]),
    (
        "update audit_record set at = at + interval '1 microsecond' where place = 5",
        &["place 5 ({5}): not what"],
    ),
    ("update audit_record set user_id = null where place = 1", &["place 1 ({1}): not what"]),
    // two have changed places
    (
        "update audit_record r set object_id = o.object_id from audit_record o
         where (r.place, o.place) in ((2, 3), (3, 2))",
        &["place 2 ({2}): not what", "place 3 ({3}): not what"],
    ),
    ("delete from audit_record where place = 3", &["place 3: missing"]),
    ("delete from audit_record where place > 3", &["places 4 to 5: missing at the end"]),
    ("delete from audit_record", &["places 1 to 5: missing at the end"]),
    // given to somebody else, or to be sealed again at the end
    (
        "update audit_record set tenant_id = gen_random_uuid() where place = 2",
        &["place 2: missing"],
    ),
    ("update audit_record set place = null, hash = null where place = 4", &["place 4: missing"]),
    ("delete from audit_head", &["place 1 and those after it: sealed, but the head"]),
    (
        "update audit_head h set place = r.place, hash = r.hash from audit_record r
         where r.place = 3",
        &["place 4 and those after it: sealed, but the head"],
    ),
    ("update audit_head set hash = sha256('')", &["place 5: the head has another hash"]),
];

#[tokio::test]
async fn whatever_an_owner_of_the_database_does_is_named() {
    let world = five().await;
    let all = records(&world, Some(world.acme.id)).await;
    for (statement, expected) in TAMPERED {
        let mut tx = world.begin_as_owner().await;
        let unguarded = format!("{UNGUARD}; {statement}");
        sqlx::raw_sql(AssertSqlSafe(unguarded)).execute(tx.conn()).await.unwrap();
        let found = audit::verify(&mut tx, Some(world.acme.id), Vec::new()).await.unwrap().1;
        assert_eq!(found.len(), expected.len(), "{statement}: {found:?}");
        for (finding, expected) in found.iter().zip(*expected) {
            let expected =
                all.iter().enumerate().fold((*expected).to_owned(), |text, (n, record)| {
                    text.replace(&format!("{{{}}}", n + 1), &record.id.to_string())
                });
            assert!(finding.to_string().starts_with(&expected), "{statement}: {finding}");
        }
    }
    assert_eq!(findings(&world, Vec::new()).await, []);
}

#[tokio::test]
async fn what_was_sealed_anew_is_found_by_a_head_that_was_kept() {
    let world = five().await;
    let kept = audit::head(&mut world.begin_as(Service::Gateway).await, Some(world.acme.id))
        .await
        .unwrap()
        .unwrap();
    // the record is gone, and everything is sealed as if it had never been
    let anew = "delete from audit_record where place = 3; delete from audit_head;
                update audit_record set place = null, hash = null";
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let unguarded = format!("{UNGUARD}; {anew}");
    sqlx::raw_sql(AssertSqlSafe(unguarded)).execute(&mut owner).await.unwrap();
    note(&world, &world.acme, "six").await;
    assert_eq!(seal(&world).await, 5);
    assert_eq!(findings(&world, Vec::new()).await, []);
    assert_eq!(findings(&world, vec![kept]).await, [Finding::NotAsKept { place: 5 }]);
}

#[tokio::test]
async fn a_page_has_the_newest_and_what_was_asked_for() {
    let world = five().await;
    let mut tx = world.begin_for(&world.acme).await;
    let of = Some(world.acme.id);
    let mut names = async |filter: Filter, before, limit| {
        let page = PageRequest::new(before, Some(limit));
        let page = audit::list(&mut tx, of, &filter, page).await.unwrap();
        let names: Vec<_> = page.items.iter().map(|r| r.entry.object.clone().unwrap()).collect();
        (names.join(" "), page.items.last().map(|record| record.id.uuid()))
    };
    let (first, last) = names(Filter::default(), None, 3).await;
    assert_eq!(first, "five four three");
    assert_eq!(names(Filter::default(), last, 3).await.0, "two one");
    let object = Some("two".to_owned());
    assert_eq!(names(Filter { object, ..Filter::default() }, None, 9).await.0, "two");
    for filter in [
        Filter { user: Some(domain::UserId::generate()), ..Filter::default() },
        Filter { action: Some("cancel_job".to_owned()), ..Filter::default() },
        Filter { result: Some("forbidden".to_owned()), ..Filter::default() },
        Filter { until: Some(chrono::DateTime::UNIX_EPOCH), ..Filter::default() },
        Filter { from: Some(chrono::DateTime::<chrono::Utc>::MAX_UTC), ..Filter::default() },
    ] {
        assert_eq!(names(filter.clone(), None, 9).await.0, "", "{filter:?}");
    }
}
