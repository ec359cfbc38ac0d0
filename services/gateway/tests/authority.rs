//! Who may do what: every route, as everybody, on their own tenant's object and on another's. A route
//! that has no row here fails the test.

mod datasets;
mod registry;

use std::collections::BTreeSet;

use actix_web::{body::BoxBody, dev::ServiceResponse, test::TestRequest};
use domain::access::Role;
use serde_json::{Value, json};

use crate::{
    hand::{Hand, push},
    support::{Client, Reply, TestApp, TestTenant, without_rates},
};

/// Who asks, of whom the matrix says what they are answered. Those who may do least come first: what has an
/// effect has it once, at the end.
const WHO: [&str; 9] = [
    "the owner",
    "an admin",
    "a developer",
    "a viewer",
    "an operator",
    "an auditor",
    "nobody",
    "another tenant's owner",
    "another tenant's developer",
];

/// A route, and the statuses that it answers, in the order of [`WHO`].
pub struct Row {
    pub route: &'static str,
    /// `{…}` of the route, filled in with acme's objects.
    path: String,
    body: Content,
    pub statuses: [u16; 9],
}

pub enum Content {
    Nothing,
    Json(Value),
    Text(&'static str, &'static str),
}

use Content::{Json, Nothing, Text};

/// Acme's objects.
#[derive(Default)]
pub struct Objects {
    pub user: String,
    pub invitation: String,
    pub key: String,
    pub job: String,
    pub sweep: String,
    pub schedule: String,
    /// All of it has come.
    pub upload: String,
}

/// For everybody.
fn open(route: &'static str) -> Row {
    row(route, Nothing, [200; 9])
}

fn row(route: &'static str, body: Content, statuses: [u16; 9]) -> Row {
    let path = route.split_once(' ').expect("method and path").1.to_owned();
    Row { route, path, body, statuses }
}

impl Row {
    fn at(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }
}

pub fn rows(acme: &Objects) -> Vec<Row> {
    let cordon = Json(json!({ "state": "cordoned" }));
    let mut rows = vec![
        open("GET /healthz"),
        open("GET /readyz"),
        open("GET /metrics"),
        open("GET /openapi.json"),
        open("GET /.well-known/jwks.json"),
        open("GET /.well-known/manifest-keys.json"),
        row("POST /v1/auth/token", Nothing, [200, 200, 200, 200, 200, 200, 401, 200, 200]),
        row("GET /v1/me", Nothing, [200, 200, 200, 200, 200, 200, 401, 200, 200]),
        row("GET /v1/audit", Nothing, [200, 200, 403, 403, 200, 200, 401, 200, 403]),
        row("GET /v1/audit/head", Nothing, [200, 200, 403, 403, 200, 200, 401, 200, 403]),
        row("GET /v1/workers", Nothing, [403, 403, 403, 403, 200, 200, 401, 403, 403]),
        // of an id that is nobody's: permitted, and without an effect
        row("GET /v1/workers/load", Nothing, [403, 403, 403, 403, 200, 200, 401, 403, 403]),
        row("PATCH /v1/workers/{id}", cordon, [403, 403, 403, 403, 404, 403, 401, 403, 403]),
    ];
    rows.extend(of_tenants());
    rows.extend(of_pools());
    rows.extend(of_people());
    rows.extend(of_credentials());
    rows.extend(of_jobs());
    // after the jobs: the other tenant pushes a dataset of the same name here
    rows.extend(datasets::of_datasets());
    rows.extend(registry::of_models());
    rows.extend(registry::of_hub());
    rows.extend(registry::of_finding());
    rows.extend(registry::of_endpoints());
    rows.extend(registry::of_inference());
    for row in &mut rows {
        let id = match row.route.split('/').nth(2) {
            Some("users") => &acme.user,
            Some("invitations") => &acme.invitation,
            Some("keys") => &acme.key,
            _ => &acme.job,
        };
        for (name, value) in [
            ("{id}", id.as_str()),
            ("{sweep}", acme.sweep.as_str()),
            ("{schedule}", acme.schedule.as_str()),
            ("{upload}", acme.upload.as_str()),
            ("{slug}", "acme"),
            ("{pool}", "default"),
            ("{tenant}", "acme"),
            ("{name}", "flowers"),
            ("{model}", "flowers"),
            ("{version}", "1"),
            ("{file}", "config.json"),
            ("{alias}", "champion"),
            ("{revision}", "main"),
            ("{ticket}", "none"),
            ("{collection}", "best"),
            ("{list}", "week"),
            ("{endpoint}", "live"),
        ] {
            row.path = row.path.replace(name, value);
        }
    }
    rows
}

fn of_tenants() -> Vec<Row> {
    let owner = json!({ "email": "ada@acme.example" });
    // taken: permitted, and without an effect
    let tenant = Json(json!({ "slug": "acme", "name": "Acme", "owner": owner }));
    let change = Json(json!({ "limits": { "max_running_jobs": 3 } }));
    let budget = Json(json!({ "credits": 10.5 }));
    vec![
        row("GET /v1/tenants", Nothing, [403, 403, 403, 403, 200, 200, 401, 403, 403]),
        row("POST /v1/tenants", tenant, [403, 403, 403, 403, 409, 403, 401, 403, 403]),
        row("GET /v1/tenants/{slug}", Nothing, [403, 403, 403, 403, 200, 200, 401, 403, 403]),
        row("PATCH /v1/tenants/{slug}", change, [403, 403, 403, 403, 200, 403, 401, 403, 403]),
        // of one that is nobody's: permitted, and without an effect
        row("DELETE /v1/tenants/{slug}", Nothing, [403, 403, 403, 403, 404, 403, 401, 403, 403])
            .at("/v1/tenants/none"),
        row("GET /v1/usage", Nothing, [200, 200, 200, 200, 403, 403, 401, 200, 200]),
        row("GET /v1/tenants/{slug}/usage", Nothing, [403, 403, 403, 403, 200, 200, 401, 403, 403]),
        row("PUT /v1/tenants/{slug}/budget", budget, [403, 403, 403, 403, 200, 403, 401, 403, 403]),
        row(
            "GET /v1/tenants/{slug}/budget",
            Nothing,
            [403, 403, 403, 403, 200, 200, 401, 403, 403],
        ),
        row(
            "DELETE /v1/tenants/{slug}/budget",
            Nothing,
            [403, 403, 403, 403, 204, 403, 401, 403, 403],
        ),
    ]
}

fn of_pools() -> Vec<Row> {
    let pool = Json(json!({ "name": "default" }));
    let quota = || Json(json!({ "weight": 2 }));
    let prices = Json(json!({ "prices": { "cpu_hour": 0 } }));
    vec![
        row("GET /v1/pools", Nothing, [200, 200, 200, 200, 200, 200, 401, 200, 200]),
        row("PATCH /v1/pools/{pool}", prices, [403, 403, 403, 403, 200, 403, 401, 403, 403]),
        row("POST /v1/pools", pool, [403, 403, 403, 403, 409, 403, 401, 403, 403]),
        row("GET /v1/pools/{pool}/queue", Nothing, [403, 403, 403, 403, 200, 200, 401, 403, 403]),
        row("GET /v1/pools/{pool}/shares", Nothing, [403, 403, 403, 403, 200, 200, 401, 403, 403]),
        row(
            "POST /v1/tenants/{slug}/quotas/{pool}/what-if",
            quota(),
            [403, 403, 403, 403, 200, 403, 401, 403, 403],
        ),
        row(
            "GET /v1/tenants/{slug}/quotas",
            Nothing,
            [403, 403, 403, 403, 200, 200, 401, 403, 403],
        ),
        row(
            "PUT /v1/tenants/{slug}/quotas/{pool}",
            quota(),
            [403, 403, 403, 403, 200, 403, 401, 403, 403],
        ),
        row(
            "DELETE /v1/tenants/{slug}/quotas/{pool}",
            Nothing,
            [403, 403, 403, 403, 204, 403, 401, 403, 403],
        ),
    ]
}

fn of_people() -> Vec<Row> {
    let person = json!({ "email": "new@example.com", "role": "developer" });
    let auditor = json!({ "email": "new@example.com", "role": "auditor" });
    let bot = json!({ "name": "bot", "role": "developer" });
    let key = Json(json!({ "name": "another" }));
    let (user, session) = (domain::UserId::generate(), domain::SessionId::generate());
    let runs_tenant = [200, 200, 403, 403, 403, 403, 401, 200, 403];
    let runs_platform = [403, 403, 403, 403, 200, 403, 401, 403, 403];
    // of an id that is nobody's: permitted, and without an effect
    let runs_platform_none = [403, 403, 403, 403, 404, 403, 401, 403, 403];
    vec![
        row("GET /v1/auth/sessions", Nothing, [200, 200, 200, 200, 200, 200, 401, 200, 200]),
        row(
            "DELETE /v1/auth/sessions/{id}",
            Nothing,
            [404, 404, 404, 404, 404, 404, 401, 404, 404],
        )
        .at(&format!("/v1/auth/sessions/{session}")),
        row("GET /v1/users", Nothing, runs_tenant),
        row(
            "PATCH /v1/users/{id}",
            Json(json!({ "role": "viewer" })),
            [204, 204, 403, 403, 403, 403, 401, 404, 403],
        ),
        row("DELETE /v1/users/{id}", Nothing, [404, 204, 403, 403, 403, 403, 401, 404, 403]),
        // the first of those who may has made it
        row("POST /v1/service-accounts", Json(bot), [409, 201, 403, 403, 403, 403, 401, 201, 403]),
        row("GET /v1/invitations", Nothing, runs_tenant),
        row("POST /v1/invitations", Json(person), [201, 201, 403, 403, 403, 403, 401, 201, 403]),
        row("DELETE /v1/invitations/{id}", Nothing, [204, 204, 403, 403, 403, 403, 401, 404, 403]),
        row("GET /v1/platform/users", Nothing, runs_platform),
        row("DELETE /v1/platform/users/{id}", Nothing, runs_platform_none)
            .at(&format!("/v1/platform/users/{user}")),
        row("GET /v1/platform/invitations", Nothing, runs_platform),
        row(
            "POST /v1/platform/invitations",
            Json(auditor),
            [403, 403, 403, 403, 201, 403, 401, 403, 403],
        ),
        row("DELETE /v1/platform/invitations/{id}", Nothing, runs_platform_none)
            .at(&format!("/v1/platform/invitations/{}", domain::InvitationId::generate())),
        row("GET /v1/keys", Nothing, [200, 200, 200, 200, 403, 403, 401, 200, 200]),
        row("POST /v1/keys", key, [201, 201, 201, 201, 403, 403, 401, 201, 201]),
        // a developer's: nobody else gets a key that speaks for them
        row(
            "POST /v1/keys/{id}/rotate",
            Json(json!({})),
            [422, 422, 201, 404, 403, 403, 401, 404, 404],
        ),
        row("DELETE /v1/keys/{id}", Nothing, [204, 204, 204, 404, 403, 403, 401, 404, 404]),
    ]
}

/// Where a secret is asked for that nobody here has.
fn of_credentials() -> Vec<Row> {
    let unknown = "cupx_0";
    let sign_in = json!({ "email": "owner@acme.example", "password": "a wrong one" });
    let change = json!({ "current": "a wrong one", "new": "correct horse battery" });
    let reset = json!({ "reset_token": unknown, "new": "correct horse battery" });
    vec![
        row("POST /v1/auth/sign-in", Json(sign_in), [401; 9]),
        row("POST /v1/auth/refresh", Json(json!({ "refresh_token": unknown })), [401; 9]),
        // by a key, which has no session
        row("POST /v1/auth/sign-out", Nothing, [409, 409, 409, 409, 409, 409, 401, 409, 409]),
        row("POST /v1/auth/password", Json(change), [422, 422, 422, 422, 422, 422, 401, 422, 422]),
        row("POST /v1/auth/password/reset", Json(reset), [401; 9]),
        row("POST /v1/invitations/accept", Json(json!({ "token": unknown })), [401; 9]),
    ]
}

fn of_jobs() -> Vec<Row> {
    let draft = json!({ "dataset": "flowers", "target": "kind", "epochs": 1, "batch_size": 4 });
    let sweep = json!({ "spec": draft, "parameters": { "epochs": [1] } });
    let schedule = json!({ "name": "another", "cron": "@daily", "spec": draft });
    vec![
        row("GET /v1/jobs", Nothing, [200, 200, 200, 200, 403, 403, 401, 200, 200]),
        // names its own tenant's dataset, and another tenant has none
        row("POST /v1/jobs", Json(draft.clone()), [202, 202, 202, 403, 403, 403, 401, 422, 422]),
        row(
            "POST /v1/jobs/dry-run",
            Json(draft.clone()),
            [200, 200, 200, 403, 403, 403, 401, 422, 422],
        ),
        row(
            "POST /v1/advice",
            Json(json!({ "dataset": "flowers" })),
            [200, 200, 200, 200, 403, 403, 401, 422, 422],
        ),
        row("GET /v1/sweeps", Nothing, [200, 200, 200, 200, 403, 403, 401, 200, 200]),
        row("POST /v1/sweeps", Json(sweep), [202, 202, 202, 403, 403, 403, 401, 422, 422]),
        row("GET /v1/sweeps/{sweep}", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        row(
            "POST /v1/sweeps/{sweep}/pause",
            Nothing,
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "POST /v1/sweeps/{sweep}/resume",
            Nothing,
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "POST /v1/sweeps/{sweep}/cancel",
            Nothing,
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
        row("GET /v1/schedules", Nothing, [200, 200, 200, 200, 403, 403, 401, 200, 200]),
        // the first of those who may has made it
        row("POST /v1/schedules", Json(schedule), [409, 409, 201, 403, 403, 403, 401, 422, 422]),
        row("GET /v1/schedules/{schedule}", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        row(
            "POST /v1/schedules/{schedule}/pause",
            Nothing,
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "POST /v1/schedules/{schedule}/resume",
            Nothing,
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "DELETE /v1/schedules/{schedule}",
            Nothing,
            [404, 404, 204, 403, 403, 403, 401, 404, 404],
        ),
        row("GET /v1/jobs/{id}", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        row(
            "GET /v1/jobs/{id}/explanation",
            Nothing,
            [200, 200, 200, 200, 403, 403, 401, 404, 404],
        ),
        row("GET /v1/jobs/{id}/attempts", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        row("GET /v1/jobs/{id}/events", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        row("GET /v1/jobs/{id}/metrics", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        row("GET /v1/jobs/{id}/logs", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        // of a job that has ended: permitted, and without an effect
        row("POST /v1/jobs/{id}/pause", Nothing, [409, 409, 409, 403, 403, 403, 401, 404, 404]),
        row("POST /v1/jobs/{id}/resume", Nothing, [409, 409, 409, 403, 403, 403, 401, 404, 404]),
        // a training answers nothing
        row("GET /v1/jobs/{id}/result", Nothing, [409, 409, 409, 409, 403, 403, 401, 404, 404]),
        row("DELETE /v1/jobs/{id}/result", Nothing, [409, 409, 409, 403, 403, 403, 401, 404, 404]),
        row("POST /v1/jobs/{id}/cancel", Nothing, [200, 200, 200, 403, 403, 403, 401, 404, 404]),
    ]
}

const FLOWERS: &str = "width,height,kind\n\
    1,2,a\n2,1,b\n1,3,a\n3,1,b\n1,4,a\n4,1,b\n2,5,a\n5,2,b\n1,5,a\n5,1,b\n1,6,a\n6,1,b\n\
    2,6,a\n6,2,b\n1,7,a\n7,1,b\n2,7,a\n7,2,b\n3,7,a\n7,3,b\n";

/// A dataset with its profile, a finished job, a published model, a person and a key.
pub async fn furnish(app: &TestApp, acme: &TestTenant) -> (Objects, Hand) {
    let hand = Hand::hire(app).await;
    hand.run(push(&acme.developer, "flowers", FLOWERS).await).await;
    let draft = json!({ "dataset": "flowers", "target": "kind", "epochs": 1, "batch_size": 4 });
    let job =
        acme.developer.post("/v1/jobs", draft.clone()).await.expect(202).text("/id").to_owned();
    hand.run(job.parse().unwrap()).await;
    let invited = json!({ "email": "leaver@acme.example", "role": "developer" });
    let invited = acme.owner.post("/v1/invitations", invited).await.expect(201);
    let (_, user) = app.accept(invited.text("/token")).await;
    let invited = json!({ "email": "late@acme.example", "role": "developer" });
    let invited = acme.owner.post("/v1/invitations", invited).await.expect(201);
    let spare = acme.developer.post("/v1/keys", json!({ "name": "spare" })).await.expect(201);
    let sweep = json!({ "spec": draft, "parameters": { "epochs": [1, 2] } });
    let sweep = acme.developer.post("/v1/sweeps", sweep).await.expect(202).text("/id").to_owned();
    let schedule = json!({ "name": "nightly", "cron": "@daily", "spec": draft });
    let schedule = acme.developer.post("/v1/schedules", schedule).await.expect(201);
    let schedule = schedule.text("/id").to_owned();
    let first = json!({ "traffic": [{ "model": "acme/flowers", "version": "1", "weight": 2 }] });
    let first = TestRequest::put().uri("/v1/endpoints/live").set_json(first);
    acme.developer.send(first).await.expect(200);
    let upload = acme.developer.post("/v1/uploads", datasets::upload("rows", FLOWERS.len())).await;
    let upload = upload.expect(201).text("/id").to_owned();
    let whole = TestRequest::patch()
        .uri(&format!("/v1/uploads/{upload}"))
        .insert_header(("content-type", "application/octet-stream"))
        .insert_header(("upload-offset", "0"))
        .set_payload(FLOWERS);
    acme.developer.send(whole).await.expect(200);
    let (user, invitation) = (user.to_string(), invited.text("/id").to_owned());
    let key = spare.text("/id").to_owned();
    (Objects { user, invitation, key, job, sweep, schedule, upload }, hand)
}

async fn ask(client: &Client, row: &Row) -> u16 {
    send(client, row).await.status().as_u16()
}

pub async fn send(client: &Client, row: &Row) -> ServiceResponse<BoxBody> {
    let method = row.route.split(' ').next().expect("a method").parse().expect("a method");
    let request = TestRequest::default().method(method).uri(&row.path);
    let request = match &row.body {
        Nothing => request,
        Json(body) => request.set_json(body),
        Text(media_type, text) => {
            request.insert_header(("content-type", *media_type)).set_payload(*text)
        }
    };
    client.open(request).await
}

#[actix_web::test]
async fn every_route_answers_everybody_as_it_should() {
    let app = TestApp::with(without_rates).await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let (operator, nobody) = (app.operator().await, app.nobody());
    let auditor = app.of_platform("auditor@localhost", Role::Auditor).await;
    let (objects, _) = furnish(&app, &acme).await;
    let clients = [
        &acme.owner,
        &acme.admin,
        &acme.developer,
        &acme.viewer,
        &operator,
        &auditor,
        &nobody,
        &globex.owner,
        &globex.developer,
    ];
    let mut wrong = Vec::new();
    for row in rows(&objects) {
        for ((who, client), expected) in WHO.into_iter().zip(clients).zip(row.statuses).rev() {
            let status = ask(client, &row).await;
            if status != expected {
                wrong.push(format!("{} as {who}: {status}, expected {expected}", row.route));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_documented_route_has_a_row() {
    let nothing = Objects::default();
    let tried: BTreeSet<_> = rows(&nothing).into_iter().map(|row| row.route.to_owned()).collect();
    let document = serde_json::to_value(gateway::openapi()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        documented.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert_eq!(tried, documented);
}

/// What is another's and what is not there cannot be told apart.
#[actix_web::test]
async fn another_tenants_object_looks_like_none() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let (objects, _) = furnish(&app, &acme).await;
    let none = domain::JobId::generate().to_string();
    let theirs = globex.developer.get(&format!("/v1/jobs/{}", objects.job)).await.expect(404);
    let nothing = globex.developer.get(&format!("/v1/jobs/{none}")).await.expect(404);
    let body = |reply: &Reply| String::from_utf8_lossy(&reply.bytes).into_owned();
    assert_eq!(body(&theirs).replace(&objects.job, "X"), body(&nothing).replace(&none, "X"));
    let theirs = globex.developer.get("/v1/models/acme/flowers").await.expect(404);
    let nothing = globex.developer.get("/v1/models/acme/flowerz").await.expect(404);
    assert_eq!(body(&theirs), body(&nothing).replace("flowerz", "flowers"));
}
