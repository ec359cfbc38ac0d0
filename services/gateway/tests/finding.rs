//! Finding models: each filter and order, pages while others publish, what is never shown, and what is
//! counted.

use std::collections::BTreeSet;

use actix_web::test::TestRequest;
use chrono::Duration;
use domain::{
    TenantId,
    registry::{Licence, Reference, SourceKind, Tag, VersionState, Visibility},
    spec::Task,
};
use gateway::{settle_counts, write_counts};
use proptest::{
    collection::vec,
    strategy::{Strategy, ValueTree},
    string::string_regex,
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use store::{
    models::{self, Change, Creation, Made, NewVersion},
    tenants,
};

use crate::{
    hub::play,
    models::published,
    support::{Client, Reply, TestApp},
};

const PUBLIC: &str = "/v1/models?visibility=public";

/// What a model that is made here says of itself.
struct Draft {
    name: &'static str,
    description: &'static str,
    card: &'static str,
    tags: &'static [&'static str],
    licence: &'static str,
    task: Task,
    accuracy: f64,
    bytes: u64,
}

const PLAIN: Draft = Draft {
    name: "plain",
    description: "",
    card: "",
    tags: &[],
    licence: "mit",
    task: Task::BinaryClassification,
    accuracy: 0.5,
    bytes: 1_000,
};

/// Made without training: a model that was trained lends what it predicts with.
struct Shelf {
    app: TestApp,
    tenant: TenantId,
    made: Made,
}

impl Shelf {
    async fn new() -> (Self, Client) {
        let (app, acme, _) = published().await;
        let mut tx = app.state.store.begin().await.unwrap();
        let tenant = tenants::by_slug(&mut tx, "acme").await.unwrap().unwrap().id;
        tx.commit().await.unwrap();
        let mut tx = app.state.store.begin_for(tenant).await.unwrap();
        let garden = models::get(&mut tx, "acme", "garden").await.unwrap().unwrap();
        let version = models::version(&mut tx, garden.id, &Reference::Latest).await.unwrap();
        tx.commit().await.unwrap();
        let made = version.unwrap().made.unwrap();
        (Self { app, tenant, made }, acme.owner)
    }

    async fn put(&self, draft: &Draft, visibility: Visibility) {
        let mut tx = self.app.state.store.begin_for(self.tenant).await.unwrap();
        let made = models::create(&mut tx, &draft.name.parse().unwrap()).await.unwrap();
        let Creation::Created(id) = made else { panic!("{made:?}") };
        let tags = draft.tags.iter().map(|tag| Tag::try_from((*tag).to_owned()).unwrap());
        let change = Change {
            visibility: Some(visibility),
            description: Some(draft.description.to_owned()),
            card: Some(draft.card.to_owned()),
            licence: Some(draft.licence.parse::<Licence>().unwrap()),
            tags: Some(tags.collect()),
        };
        models::update(&mut tx, id, change).await.unwrap();
        let mut made = self.made.clone();
        made.config.task = draft.task;
        made.config.metrics = [("val_accuracy".to_owned(), draft.accuracy)].into();
        let file = domain::registry::VersionFile {
            path: "model.safetensors".parse().unwrap(),
            sha256: made.weights_sha256,
            bytes: draft.bytes,
        };
        let version = NewVersion {
            kind: SourceKind::Uploaded,
            state: VersionState::Published,
            files: vec![file],
            made: Some(made),
            base: None,
        };
        models::add_version(&mut tx, id, &version).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn settle(&self) {
        write_counts(&self.app.state).await.unwrap();
        settle_counts(&self.app.state).await.unwrap();
    }
}

fn names(reply: &Reply) -> Vec<&str> {
    let items = reply.json["items"].as_array().expect("a list");
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

async fn found(client: &Client, query: &str) -> Vec<String> {
    let reply = client.get(&format!("{PUBLIC}&{query}")).await.expect(200);
    names(&reply).into_iter().map(str::to_owned).collect()
}

async fn put(client: &Client, path: &str, body: Value) -> Reply {
    client.send(TestRequest::put().uri(path).set_json(body)).await
}

#[actix_web::test]
async fn every_filter_finds_what_it_says_and_nothing_else() {
    let (shelf, owner) = Shelf::new().await;
    let zeta = shelf.app.tenant("zeta").await.viewer;
    let tumors = Draft {
        name: "tumor-finder",
        description: "Tells benign from malignant",
        card: "Trained on biopsies of the Wisconsin hospital",
        tags: &["health", "tabular"],
        accuracy: 0.93,
        ..PLAIN
    };
    let prices = Draft {
        name: "house-prices",
        description: "What a house costs",
        tags: &["tabular"],
        licence: "apache-2.0",
        task: Task::Regression,
        bytes: 9_000_000,
        accuracy: 0.2,
        ..PLAIN
    };
    for draft in [&tumors, &prices] {
        shelf.put(draft, Visibility::Public).await;
    }
    let (tumor, house, both) =
        (vec!["tumor-finder"], vec!["house-prices"], vec!["house-prices", "tumor-finder"]);
    for (query, expected) in [
        ("q=tumor", &tumor),
        ("q=tumors", &tumor),
        ("q=tumour", &tumor),
        ("q=fin", &tumor),
        ("q=Tumor_Finder", &tumor),
        ("q=wisconsin%20biopsy", &tumor),
        ("q=health", &tumor),
        ("q=tumor%20house", &vec![]),
        ("q=acme&sort=created", &both),
        ("task=regression", &house),
        ("family=dense&sort=created", &both),
        ("family=recurrent", &vec![]),
        ("input=table&sort=created", &both),
        ("input=text", &vec![]),
        ("licence=Apache-2.0", &house),
        ("tags=health", &tumor),
        ("tags=tabular,health", &tumor),
        ("tags=tabular&sort=created", &both),
        ("tenant=acme&sort=created", &both),
        ("tenant=zeta", &vec![]),
        ("metric=val_accuracy&at_least=0.93", &tumor),
        ("metric=val_accuracy&at_least=0.9301", &vec![]),
        ("metric=val_accuracy&at_most=0.2", &house),
        ("metric=val_accuracy&at_least=-3&at_most=7&sort=created", &both),
        ("metric=val_loss&at_least=0", &vec![]),
        ("max_bytes=1000", &tumor),
        ("max_bytes=999", &vec![]),
        ("q=tabular&task=regression&licence=apache-2.0&max_bytes=9000000", &house),
    ] {
        assert_eq!(&found(&zeta, query).await, expected, "{query}");
        // one's own are asked in the same words, and beside them is the private `garden`
        let own = owner.get(&format!("/v1/models?{query}")).await.expect(200);
        let own: Vec<_> = names(&own).into_iter().filter(|name| *name != "garden").collect();
        assert_eq!(&own, expected, "own: {query}");
    }
    for (query, field) in [
        ("licence=beer", "licence"),
        ("tags=No%20Tag", "tags"),
        ("metric=val_accuracy", "metric"),
        ("at_least=1", "metric"),
        ("metric=a%27b&at_least=1", "metric"),
        ("cursor=x", "cursor"),
    ] {
        let refused = zeta.get(&format!("{PUBLIC}&{query}")).await;
        assert_eq!(refused.expect_problem(422, "validation_failed").fields(), [field], "{query}");
    }
}

#[actix_web::test]
async fn every_order_pages_without_a_gap_or_a_repeat_while_others_publish() {
    const NAMES: [&str; 7] = ["alpha", "beta", "gamma", "delta", "epsilon", "theta", "kappa"];
    let (shelf, owner) = Shelf::new().await;
    for name in NAMES {
        let draft = Draft { name, description: "the same words", ..PLAIN };
        shelf.put(&draft, Visibility::Public).await;
    }
    put(&owner, "/v1/models/acme/gamma/like", json!({})).await.expect(200);
    shelf.settle().await;
    for (sort, first) in
        [("relevance", "gamma"), ("likes", "gamma"), ("trending", "gamma"), ("created", "kappa")]
    {
        assert_eq!(found(&owner, &format!("q=words&sort={sort}")).await[0], first, "{sort}");
    }
    let late = ["late-a", "late-b", "late-c", "late-d", "late-e", "late-f"];
    let sorts = ["relevance", "updated", "created", "downloads", "likes", "trending"];
    for (sort, late) in sorts.into_iter().zip(late) {
        let before = found(&owner, &format!("q=words&sort={sort}")).await;
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = format!("{PUBLIC}&q=words&sort={sort}&limit=2{cursor}");
            let page = owner.get(&page).await.expect(200);
            seen.extend(names(&page).into_iter().map(str::to_owned));
            pages += 1;
            if pages == 2 {
                let draft = Draft { name: late, description: "the same words", ..PLAIN };
                shelf.put(&draft, Visibility::Public).await;
            }
            let Some(next) = page.json["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let without: Vec<_> = seen.iter().filter(|name| **name != late).cloned().collect();
        assert_eq!(without, before, "{sort}");
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{sort}: {seen:?}");
    }
    let page = owner.get(&format!("{PUBLIC}&sort=likes&limit=1")).await.expect(200);
    let other = owner.get(&format!("{PUBLIC}&sort=created&cursor={}", page.text("/next"))).await;
    assert_eq!(other.expect_problem(422, "validation_failed").fields(), ["cursor"]);
}

#[actix_web::test]
async fn what_is_not_public_any_more_is_not_found_from_that_moment_on() {
    let (shelf, owner) = Shelf::new().await;
    let zeta = shelf.app.tenant("zeta").await.viewer;
    let theta = shelf.app.tenant("theta").await.viewer;
    let secret = Draft { name: "hidden-thing", description: "unmistakable", ..PLAIN };
    shelf.put(&secret, Visibility::Private).await;
    let path = "/v1/models/acme/hidden-thing";
    let seen = async |client: &Client| !found(client, "q=unmistakable").await.is_empty();
    let change = async |path: &str, body: Value| owner.patch(path, body).await.expect(200);
    assert!(!seen(&zeta).await && !seen(&owner).await);
    change(path, json!({"visibility": "shared", "shared_with": ["zeta"]})).await;
    assert!(!seen(&zeta).await);
    let shared = zeta.get("/v1/models?visibility=shared&q=unmistakable").await.expect(200);
    assert_eq!(names(&shared), ["hidden-thing"]);
    assert!(names(&theta.get("/v1/models?visibility=shared").await.expect(200)).is_empty());
    change(path, json!({"visibility": "public"})).await;
    assert!(seen(&theta).await);
    let version = format!("{path}/versions/1");
    change(&version, json!({"state": "yanked", "reason": "wrong"})).await;
    assert!(!seen(&theta).await);
    change(&version, json!({"state": "deprecated"})).await;
    assert!(seen(&theta).await);
    change(path, json!({"description": "renamed"})).await;
    assert!(!seen(&theta).await);
    change(path, json!({"description": "unmistakable"})).await;
    change(path, json!({"visibility": "private"})).await;
    assert!(!seen(&theta).await);
    change(path, json!({"visibility": "public"})).await;
    owner.delete(&version).await.expect(204);
    assert!(!seen(&theta).await);
    let own = owner.get("/v1/models?q=unmistakable").await.expect(200);
    assert_eq!(names(&own), ["hidden-thing"], "its own people see it without a version too");
}

#[actix_web::test]
async fn whatever_somebody_types_is_answered() {
    let odd = [
        "'",
        "\\",
        "a & | b",
        "!!",
        "<->",
        "foo:*",
        "((",
        "\0",
        "the",
        "%",
        "_",
        "''; drop table model; --",
    ];
    let mut texts: Vec<String> = odd.map(str::to_owned).to_vec();
    let text = string_regex("[\\PC\n'\"\\\\&|!():*<>%_-]{0,40}").unwrap();
    let drawn = vec(text, 60).new_tree(&mut TestRunner::deterministic()).unwrap();
    texts.extend(drawn.current());
    let (shelf, owner) = Shelf::new().await;
    shelf.put(&PLAIN, Visibility::Public).await;
    for text in texts {
        let query: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in [
            format!("{PUBLIC}&q={query}"),
            format!("/v1/models?q={query}"),
            format!("{PUBLIC}&tenant={query}"),
            format!("/hub/api/models?search={query}"),
            format!("/hub/api/models?author={query}&filter={query}"),
            format!("/hub/api/models?pipeline_tag={query}"),
        ] {
            let status = owner.get(&path).await.status;
            assert!(matches!(status, 200 | 400 | 422), "{status} for {text:?} at {path}");
        }
    }
    assert_eq!(found(&owner, "q=plain").await, ["plain"]);
}

#[actix_web::test]
async fn a_tenants_downloads_of_a_day_count_once_and_predictions_each() {
    let (app, acme, _) = published().await;
    let zeta = app.tenant("zeta").await;
    let path = "/v1/models/acme/garden";
    acme.owner.patch(path, json!({"visibility": "public", "licence": "mit"})).await.expect(200);
    let download = async |client: &Client| {
        client.get(&format!("{path}/versions/1/files/config.json")).await.expect(200);
    };
    let counted = async || {
        write_counts(&app.state).await.unwrap();
        let model = acme.viewer.get(path).await.expect(200).json;
        (model["downloads"].clone(), model["predictions"].clone())
    };
    assert_eq!(counted().await, (json!(0), json!(0)));
    download(&zeta.viewer).await;
    download(&zeta.owner).await;
    assert_eq!(counted().await, (json!(1), json!(0)));
    download(&zeta.viewer).await;
    download(&acme.viewer).await;
    let row = json!({"length": 1, "width": 0.5, "colour": "red"});
    let rows = json!({"rows": [row, row, row]});
    zeta.developer.post(&format!("{path}/predict"), rows).await.expect(200);
    assert_eq!(counted().await, (json!(2), json!(3)));
    app.state.clock.advance(Duration::days(1));
    download(&zeta.viewer).await;
    assert_eq!(counted().await, (json!(3), json!(3)));
    settle_counts(&app.state).await.unwrap();
    let listed = zeta.viewer.get(PUBLIC).await.expect(200);
    assert_eq!(listed.json["items"][0]["downloads"], 3);
}

#[actix_web::test]
async fn people_like_a_model_once_each_however_fast() {
    let (app, acme, _) = published().await;
    let path = "/v1/models/acme/garden/like";
    let people = [&acme.owner, &acme.admin, &acme.developer, &acme.viewer];
    let likes = people.into_iter().cycle().take(20).map(|client| put(client, path, json!({})));
    for reply in futures::future::join_all(likes).await {
        reply.expect(200);
    }
    let model = acme.viewer.get("/v1/models/acme/garden").await.expect(200);
    assert_eq!(model.json["likes"], 4);
    let back = futures::future::join_all((0..5).map(|_| acme.viewer.delete(path))).await;
    assert!(back.into_iter().all(|reply| reply.expect(200).json["likes"] == 3));
    let zeta = app.tenant("zeta").await;
    put(&zeta.viewer, path, json!({})).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_like_that_is_taken_back_has_moved_nothing() {
    let (shelf, owner) = Shelf::new().await;
    for name in ["first", "second"] {
        shelf.put(&Draft { name, ..PLAIN }, Visibility::Public).await;
    }
    let trending = async || {
        shelf.settle().await;
        found(&owner, "sort=trending&limit=1").await
    };
    put(&owner, "/v1/models/acme/first/like", json!({})).await.expect(200);
    assert_eq!(trending().await, ["first"]);
    // a week later one weighs twice as much
    shelf.app.state.clock.advance(Duration::days(7));
    put(&owner, "/v1/models/acme/second/like", json!({})).await.expect(200);
    assert_eq!(trending().await, ["second"]);
    for _ in 0..3 {
        owner.delete("/v1/models/acme/second/like").await.expect(200);
        put(&owner, "/v1/models/acme/second/like", json!({})).await.expect(200);
    }
    owner.delete("/v1/models/acme/second/like").await.expect(200);
    assert_eq!(trending().await, ["first"]);
}

#[actix_web::test]
async fn collections_lists_and_organizations_show_each_what_they_may_see() {
    let (shelf, owner) = Shelf::new().await;
    let zeta = shelf.app.tenant("zeta").await;
    for (name, visibility) in [("open", Visibility::Public), ("closed", Visibility::Private)] {
        shelf.put(&Draft { name, ..PLAIN }, visibility).await;
    }
    let path = "/v1/collections/acme/best";
    let best = json!({"title": "The best", "models": ["acme/closed", "acme/open"]});
    put(&owner, path, best.clone()).await.expect(200);
    zeta.viewer.get(path).await.expect_problem(404, "not_found");
    let public = json!({"title": "The best", "visibility": "public", "models": best["models"]});
    put(&owner, path, public.clone()).await.expect(200);
    assert_eq!(owner.get(path).await.expect(200).json["models"], best["models"]);
    assert_eq!(zeta.viewer.get(path).await.expect(200).json["models"], json!(["acme/open"]));
    put(&zeta.owner, path, public).await.expect_problem(403, "forbidden");
    let twice = json!({"title": "t", "models": ["acme/open", "acme/open"]});
    let refused = put(&owner, path, twice).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.fields(), ["models[1]"]);

    let operator = shelf.app.operator().await;
    let list = "/v1/featured/week";
    let closed = json!({"title": "This week", "models": ["acme/open", "acme/closed"]});
    let refused = put(&operator, list, closed).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.fields(), ["models[1]"]);
    put(&operator, list, json!({"title": "This week", "models": ["acme/open"]})).await.expect(204);
    let featured = zeta.viewer.get("/v1/featured").await.expect(200);
    assert_eq!(featured.json["items"][0]["models"], json!(["acme/open"]));

    let page = zeta.viewer.get("/v1/organizations/acme").await.expect(200);
    assert_eq!((&page.json["models"], page.text("/trending/0/name")), (&json!(1), "open"));
    assert_eq!(page.text("/collections/0/name"), "best");
    let hidden = json!({"visibility": "private"});
    owner.patch("/v1/models/acme/open", hidden).await.expect(200);
    let featured = zeta.viewer.get("/v1/featured").await.expect(200);
    assert_eq!(featured.json["items"][0]["models"], json!([]));
    zeta.viewer.get("/v1/organizations/nobody").await.expect_problem(404, "not_found");
    owner.delete(path).await.expect(204);
    owner.delete(path).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn the_hubs_client_finds_what_its_user_sees() {
    let Some(python) = testkit::python_with_clients() else { return };
    let (shelf, owner) = Shelf::new().await;
    let zeta = shelf.app.tenant("zeta").await;
    let tumors = Draft { name: "tumors", tags: &["health"], ..PLAIN };
    let prices = Draft { name: "prices", licence: "apache-2.0", task: Task::Regression, ..PLAIN };
    shelf.put(&tumors, Visibility::Public).await;
    shelf.put(&prices, Visibility::Public).await;
    shelf.put(&Draft { name: "shared", ..PLAIN }, Visibility::Private).await;
    let shared = json!({"visibility": "shared", "shared_with": ["zeta"]});
    owner.patch("/v1/models/acme/shared", shared).await.expect(200);
    put(&zeta.viewer, "/v1/models/acme/prices/like", json!({})).await.expect(200);
    shelf.settle().await;
    let served = shelf.app.served().await;
    let env = [("ACME", owner.credential()), ("ZETA", zeta.viewer.credential())];
    play(&python, "hub_list.py", &served, &env).await;
    // page after page, by the `Link` of each
    let mut next = "/hub/api/models?sort=createdAt&limit=1".to_owned();
    let mut ids = Vec::new();
    loop {
        let page = zeta.viewer.get(&next).await.expect(200);
        ids.extend(page.json.as_array().unwrap().iter().map(|model| model["id"].clone()));
        let Some(link) = page.header("link") else { break };
        let url = link.strip_prefix('<').and_then(|rest| rest.split_once(">; rel=\"next\""));
        let (_, path) = url.unwrap().0.split_once("/hub/").unwrap();
        next = format!("/hub/{path}");
    }
    assert_eq!(ids, ["acme/shared", "acme/prices", "acme/tumors"]);
    for by in ["apps=x", "sort=size", "limit=many", "cursor=1"] {
        zeta.viewer.get(&format!("/hub/api/models?{by}")).await.expect(400);
    }
    served.end().await;
}
