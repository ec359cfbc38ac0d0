//! The audit log as the API writes and shows it. Every operation that changes something is tried: a
//! route that leaves no record fails here.

use std::collections::BTreeSet;

use actix_web::{dev::ServiceResponse, test::TestRequest};
use domain::{Digest, TenantId, audit::Record};
use gateway::auth::{OfReset, Secret};
use serde_json::{Value, json};
use store::{
    audit::{self, Filter, Look},
    people,
};

use crate::{
    authority::{Row, furnish, rows, send},
    hand::Hand,
    support::{Client, PASSWORD, TestApp, TestTenant},
};

/// Asked for by POST, and without an effect.
const CHANGES_NOTHING: [&str; 15] = [
    "advise",
    "foresee_quota",
    "dry_run_job",
    "dry_run_batch_predict",
    "predict",
    "predict_by_endpoint",
    "infer_v2",
    "infer_v2_at",
    "hub_validate_yaml",
    "hub_paths_info",
    "hub_preupload",
    "hub_lfs_batch",
    // bytes that nothing points at yet
    "hub_lfs_put",
    "begin_upload",
    "send_piece",
];

/// The operation of a route, if it changes something.
fn change(route: &str) -> Option<String> {
    let (method, path) = route.split_once(' ').unwrap();
    let document = serde_json::to_value(gateway::openapi()).unwrap();
    let id = document["paths"][path][method.to_lowercase()]["operationId"].as_str().unwrap();
    (method != "GET" && !CHANGES_NOTHING.contains(&id)).then(|| id.to_owned())
}

fn all_changes() -> BTreeSet<String> {
    let document = serde_json::to_value(gateway::openapi()).unwrap();
    let mut changes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            changes.extend(change(&format!("{} {path}", method.to_uppercase())));
        }
    }
    changes
}

/// All there is, sealed first.
async fn log(app: &TestApp, tenant: Option<TenantId>) -> Vec<Record> {
    let mut tx = app.state.store.begin().await.unwrap();
    audit::seal(&mut tx, Look::All).await.unwrap();
    let records = audit::sealed(&mut tx, tenant, 1, &Filter::default()).await.unwrap();
    tx.commit().await.unwrap();
    records
}

/// Of the platform and of these tenants.
async fn all_logs(app: &TestApp, tenants: [&TestTenant; 2]) -> Vec<Record> {
    let mut all = log(app, None).await;
    for tenant in tenants {
        all.extend(log(app, Some(tenant_of(&tenant.owner).await)).await);
    }
    all
}

async fn tenant_of(owner: &Client) -> TenantId {
    owner.get("/v1/audit/head").await.expect(200).text("/tenant").parse().unwrap()
}

fn request_id(response: &ServiceResponse<impl Sized>) -> String {
    response.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned()
}

/// The one record of a request.
fn of_request<'a>(records: &'a [Record], id: &str) -> &'a Record {
    let of = |record: &&Record| record.entry.request.is_some_and(|of| of.to_string() == id);
    let found: Vec<_> = records.iter().filter(of).collect();
    assert_eq!(found.len(), 1, "{id}: {found:?}");
    found[0]
}

/// What the authority's table has no success for, done once.
async fn the_rest(app: &TestApp, acme: &TestTenant, hand: &Hand) {
    let operator = app.operator().await;
    operator.post("/v1/pools", json!({ "name": "another" })).await.expect(201);
    let batch = "/v1/models/acme/flowers/batch-predictions";
    let asked = acme.developer.post(batch, json!({ "dataset": "flowers" })).await.expect(202);
    hand.run(asked.text("/id").parse().unwrap()).await;
    acme.developer.delete(&format!("/v1/jobs/{}/result", asked.text("/id"))).await.expect(204);
    let worker = format!("/v1/workers/{}", hand.worker());
    operator.patch(&worker, json!({ "state": "cordoned" })).await.expect(204);
    let draft = json!({ "dataset": "flowers", "target": "kind" });
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202).text("/id").to_owned();
    for what in ["pause", "resume", "cancel"] {
        acme.developer.post(&format!("/v1/jobs/{job}/{what}"), json!({})).await.expect(200);
    }
    let auditor = json!({ "email": "late@example.com", "role": "auditor" });
    let invited = operator.post("/v1/platform/invitations", auditor).await.expect(201);
    let path = format!("/v1/platform/invitations/{}", invited.text("/id"));
    operator.delete(&path).await.expect(204);
    let auditor = json!({ "email": "new@example.com", "role": "auditor" });
    let invited = operator.post("/v1/platform/invitations", auditor).await.expect(201);
    let answer = json!({ "token": invited.text("/token"), "name": "New", "password": PASSWORD });
    let accepted = app.nobody().post("/v1/invitations/accept", answer).await.expect(200);
    let auditor = app.with_credential(accepted.text("/access_token"));
    let id = auditor.get("/v1/me").await.expect(200).text("/id").to_owned();
    operator.delete(&format!("/v1/platform/users/{id}")).await.expect(204);
    acme.owner.post("/v1/models", json!({ "name": "empty" })).await.expect(201);
    acme.owner.delete("/v1/models/acme/flowers/versions/1").await.expect(204);
    sessions(app).await;
    operator.delete("/v1/tenants/acme").await.expect(204);
}

/// All that somebody does with their password.
async fn sessions(app: &TestApp) {
    let sign_in = json!({ "email": "developer@acme.example", "password": PASSWORD });
    let sign_in = async || {
        let session = app.nobody().post("/v1/auth/sign-in", sign_in.clone()).await.expect(200);
        (app.with_credential(session.text("/access_token")), session)
    };
    let (client, first) = sign_in().await;
    let token = json!({ "refresh_token": first.text("/refresh_token") });
    app.nobody().post("/v1/auth/refresh", token).await.expect(200);
    client.post("/v1/auth/sign-out", json!({})).await.expect(204);
    let (client, second) = sign_in().await;
    let session = format!("/v1/auth/sessions/{}", second.text("/session"));
    client.delete(&session).await.expect(204);
    let (client, _) = sign_in().await;
    let change = json!({ "current": PASSWORD, "new": "another horse, another battery" });
    client.post("/v1/auth/password", change).await.expect(204);
    let reset = Secret::<OfReset>::generate().unwrap();
    let until = app.state.clock.now() + chrono::Duration::hours(1);
    let mut tx = app.state.store.begin().await.unwrap();
    let email = "developer@acme.example";
    assert!(people::allow_reset(&mut tx, email, reset.sha256(), until).await.unwrap());
    tx.commit().await.unwrap();
    let reset = json!({ "reset_token": reset.reveal(), "new": PASSWORD });
    app.nobody().post("/v1/auth/password/reset", reset).await.expect(204);
}

#[actix_web::test]
async fn every_change_leaves_a_record() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let (objects, hand) = furnish(&app, &acme).await;
    let operator = app.operator().await;
    // in the order of the table, the last ones first
    let able = [&acme.owner, &acme.admin, &acme.developer, &acme.viewer, &operator];
    let mut asked = Vec::new();
    for row in rows(&objects) {
        let Some(action) = change(row.route) else { continue };
        for (client, _) in able.into_iter().zip(row.statuses).rev().filter(|(_, of)| *of < 300) {
            let response = send(client, &row).await;
            // another one of those who may has done it already
            if response.status().is_success() {
                let me = client.get("/v1/me").await.expect(200).text("/id").to_owned();
                asked.push((action.clone(), request_id(&response), me));
            }
        }
    }
    let acme_id = tenant_of(&acme.owner).await;
    the_rest(&app, &acme, &hand).await;
    let mut records = log(&app, None).await;
    records.extend(log(&app, Some(acme_id)).await);
    for (action, request, me) in asked {
        let record = of_request(&records, &request);
        assert_eq!((&record.entry.action, record.entry.result.as_str()), (&action, "done"));
        assert_eq!(record.entry.user.unwrap().to_string(), me, "{record:?}");
        assert!(record.entry.key.is_some() && record.entry.role.is_some(), "{record:?}");
        assert!(record.entry.object.is_some(), "{record:?}");
    }
    let done = records.into_iter().filter(|record| record.entry.result == "done");
    let done: BTreeSet<_> = done.map(|record| record.entry.action).collect();
    let unheard_of: Vec<_> = all_changes().difference(&done).cloned().collect();
    assert_eq!(unheard_of, [""; 0], "not in the log, or not tried here");
}

#[actix_web::test]
async fn every_refused_attempt_leaves_a_record() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let (objects, _) = furnish(&app, &acme).await;
    let changes = |row: &Row| change(row.route).is_some();
    for (client, refused) in [
        (&app.nobody(), |row: &Row| row.statuses[6]),
        (&globex.developer, |row: &Row| row.statuses[8]),
    ] as [(&Client, fn(&Row) -> u16); 2]
    {
        let mut asked = Vec::new();
        for row in rows(&objects).into_iter().filter(changes) {
            if matches!(refused(&row), 401 | 403 | 404) {
                // not so many at once that some would be left out
                app.state.clock.advance(chrono::Duration::seconds(1));
                let response = send(client, &row).await;
                assert_eq!(response.status().as_u16(), refused(&row), "{}", row.route);
                asked.push((row, request_id(&response)));
            }
        }
        assert!(asked.len() > 15);
        let records = all_logs(&app, [&acme, &globex]).await;
        for (row, request) in asked {
            let Record { entry, tenant, .. } = of_request(&records, &request);
            let code = match refused(&row) {
                401 => "unauthenticated",
                403 => "forbidden",
                _ => "not_found",
            };
            assert_eq!(
                (entry.action.as_str(), entry.result.as_str()),
                (change(row.route).unwrap().as_str(), code)
            );
            assert_eq!(entry.object_kind.as_deref(), Some("path"));
            // whose password was tried is known without anybody having shown who they are
            let is_known = (tenant.is_some(), entry.user.is_some());
            assert!(is_known == (true, true) || code == "unauthenticated", "{entry:?}");
        }
    }
}

#[actix_web::test]
async fn a_key_that_was_good_once_is_told_of_and_an_unknown_one_is_not() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let id = tenant_of(&acme.owner).await;
    let made = acme.developer.post("/v1/keys", json!({ "name": "lost" })).await.expect(201);
    let lost = app.with_credential(made.text("/secret"));
    let token = lost.post("/v1/auth/token", json!({})).await.expect(200);
    let token = app.with_credential(token.text("/access_token"));
    acme.developer.delete(&format!("/v1/keys/{}", made.text("/id"))).await.expect(204);
    let before = log(&app, Some(id)).await.len();
    let unknown = gateway::ApiSecret::generate().unwrap();
    for stranger in [app.nobody(), app.with_credential(unknown.reveal())] {
        stranger.get("/v1/me").await.expect_problem(401, "unauthenticated");
    }
    for client in [lost, token] {
        client.get("/v1/me").await.expect_problem(401, "unauthenticated");
    }
    let records = log(&app, Some(id)).await;
    assert_eq!(records.len(), before + 2);
    for Record { entry, .. } in &records[before..] {
        assert_eq!(entry.key.unwrap().to_string(), made.text("/id"));
        assert_eq!(entry.user, Some(acme.developer_id));
        assert_eq!((entry.action.as_str(), entry.result.as_str()), ("get_me", "unauthenticated"));
    }
    assert_eq!(log(&app, None).await, []);
}

#[actix_web::test]
async fn a_sign_in_stands_in_the_log_of_whom_it_is_about() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let id = tenant_of(&acme.owner).await;
    let before = log(&app, Some(id)).await.len();
    let sign_in = async |email: &str, password: &str| {
        let draft = json!({ "email": email, "password": password });
        app.nobody().post("/v1/auth/sign-in", draft).await
    };
    let (email, stranger) = ("developer@acme.example", "stranger@acme.example");
    sign_in(email, "a wrong one").await.expect_problem(401, "unauthenticated");
    sign_in(stranger, PASSWORD).await.expect_problem(401, "unauthenticated");
    let session = sign_in(email, PASSWORD).await.expect(200);
    let token = json!({ "refresh_token": session.text("/refresh_token") });
    app.nobody().post("/v1/auth/refresh", token.clone()).await.expect(200);
    app.nobody().post("/v1/auth/refresh", token).await.expect_problem(401, "unauthenticated");
    let of = |records: &[Record]| -> Vec<(String, String)> {
        let both = |record: &Record| (record.entry.action.clone(), record.entry.result.clone());
        records.iter().map(both).collect()
    };
    let both = |action: &str, result: &str| (action.to_owned(), result.to_owned());
    let records = log(&app, Some(id)).await;
    assert_eq!(
        of(&records[before..]),
        [
            both("sign_in", "unauthenticated"),
            both("sign_in", "done"),
            both("refresh_session", "done"),
            both("refresh_session", "unauthenticated"),
        ]
    );
    for record in &records[before..] {
        assert_eq!(record.entry.user, Some(acme.developer_id), "{record:?}");
    }
    assert_eq!(records[before + 1].entry.object.as_deref(), Some(session.text("/session")));
    assert_eq!(of(&log(&app, None).await), [both("sign_in", "unauthenticated")]);
}

#[actix_web::test]
async fn attempts_without_end_do_not_fill_the_disk() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let id = tenant_of(&acme.owner).await;
    let before = log(&app, Some(id)).await.len();
    for _ in 0..70 {
        acme.developer
            .post("/v1/pools", json!({ "name": "p" }))
            .await
            .expect_problem(403, "forbidden");
    }
    assert_eq!(log(&app, Some(id)).await.len(), before + 60);
    app.state.clock.advance(chrono::Duration::minutes(1));
    acme.developer.post("/v1/pools", json!({ "name": "p" })).await.expect_problem(403, "forbidden");
    assert_eq!(log(&app, Some(id)).await.len(), before + 61);
}

#[actix_web::test]
async fn what_the_clock_submits_stands_there_too() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    furnish(&app, &acme).await;
    app.state.clock.advance(chrono::Duration::hours(24));
    assert_eq!(gateway::fire_due(&app.state).await.unwrap(), 1);
    let schedules = acme.developer.get("/v1/schedules").await.expect(200);
    let fired = acme.owner.get("/v1/audit?action=fire_schedule").await.expect(200);
    assert_eq!(fired.text("/items/0/object"), schedules.text("/items/0/last_job"));
    assert_eq!(fired.text("/items/0/user"), acme.developer_id.to_string());
    assert_eq!(fired.json["items"][0]["address"], Value::Null);
}

#[actix_web::test]
async fn owners_read_their_own_log_and_operators_any() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let operator = app.operator().await;
    operator.post("/v1/pools", json!({ "name": "fast" })).await.expect(201);
    let actions = |reply: &crate::support::Reply| {
        let items = reply.json["items"].as_array().unwrap();
        items.iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let own = acme.owner.get("/v1/audit").await.expect(200);
    let first = ["create_key", "accept_invitation", "create_tenant"];
    assert!(actions(&own).ends_with(&first.map(str::to_owned)), "{own:?}");
    let made = own.json["items"].as_array().unwrap().last().unwrap();
    assert_eq!((made["role"].as_str(), made["object"].as_str()), (Some("operator"), Some("acme")));
    assert_eq!(acme.admin.get("/v1/audit").await.expect(200).json, own.json);
    let same = acme.owner.get("/v1/audit?tenant=acme").await.expect(200);
    assert_eq!(same.json, own.json);
    assert_eq!(operator.get("/v1/audit?tenant=acme").await.expect(200).json, own.json);
    assert_eq!(actions(&operator.get("/v1/audit").await.expect(200)), ["create_pool"]);
    for path in ["/v1/audit?tenant=acme", "/v1/audit/head?tenant=acme", "/v1/audit?tenant=none"] {
        globex.owner.get(path).await.expect_problem(404, "not_found");
    }
    let first = acme.owner.get("/v1/audit?limit=1").await.expect(200);
    let next = format!("/v1/audit?limit=1&cursor={}", first.text("/next"));
    assert_eq!(actions(&acme.owner.get(&next).await.expect(200)), [actions(&own)[1].as_str()]);
    let filter = format!(
        "/v1/audit?user={}&result=done&object={}",
        own.text("/items/0/user"),
        own.text("/items/0/object")
    );
    assert_eq!(actions(&acme.owner.get(&filter).await.expect(200)), [actions(&own)[0].as_str()]);
    for (wrong, field) in [("user=7", "user"), ("cursor=7", "cursor")] {
        let reply = acme.owner.get(&format!("/v1/audit?{wrong}")).await;
        assert_eq!(reply.expect_problem(422, "validation_failed").fields(), [field]);
    }
}

/// By what the documentation says of the hash, and by nothing of ours.
#[actix_web::test]
async fn an_export_can_be_verified_by_whoever_has_it() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    for name in ["line\nbreak", "\"quoted\" \\ \u{1f}", "ü €"] {
        let pool = json!({ "name": name });
        acme.owner.post("/v1/pools", pool).await.expect_problem(403, "forbidden");
    }
    log(&app, None).await;
    let request = TestRequest::get().uri("/v1/audit");
    let reply = acme.owner.send(request.insert_header(("accept", "application/jsonl"))).await;
    assert_eq!(reply.header("content-type"), Some("application/jsonl"), "{reply:?}");
    let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
    let mut last = vec![0; 32];
    for (n, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let fields = [
            "id",
            "tenant",
            "at",
            "user",
            "key",
            "session",
            "role",
            "address",
            "action",
            "object_kind",
            "object",
            "result",
            "request",
        ];
        let sealed: Vec<_> = fields.iter().map(|name| &line[*name]).collect();
        last.extend(serde_json::to_vec(&sealed).unwrap());
        let hash = Digest::of(&last);
        assert_eq!(line["seal"], json!({ "place": n + 1, "hash": hash }));
        last = hash.as_bytes().to_vec();
    }
    let head = acme.owner.get("/v1/audit/head").await.expect(200);
    let lines = text.lines().count();
    assert!(lines > 5 && text.contains("\"forbidden\""), "{text}");
    assert_eq!(head.json["place"].as_u64(), Some(lines as u64));
    assert_eq!(head.text("/hash"), Digest::try_from(last.as_slice()).unwrap().to_string());
}
