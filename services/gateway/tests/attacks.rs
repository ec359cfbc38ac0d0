//! What somebody tries who wants what is not theirs, each with the refusal that it meets. What else is tried
//! stands where the thing is tested: forged tokens in `auth`, stolen refresh tokens in `sessions`, guesses
//! in `limits`, and who may do what in `authority`.

use actix_web::{http::Method, test::TestRequest};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use store::signing::{self, Private, Purpose};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    hand::push,
    support::{Reply, Served, TestApp, masters, without_rates},
};

const INJECTIONS: [&str; 8] = [
    "'; drop table job; --",
    "' or '1'='1",
    "\\'; select pg_sleep(10); --",
    "$$; drop table job; $$",
    "../../../../etc/passwd",
    "..\\..\\secret",
    "\u{0}",
    "{{7*7}}%n%s",
];

/// Text as it stands in a URL.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Method, path and operation of every route.
fn operations() -> Vec<(Method, String, Value)> {
    let document = serde_json::to_value(gateway::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            all.push((method, path.clone(), operation.clone()));
        }
    }
    all
}

/// The path with every `{…}` replaced.
fn filled(path: &str, with: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { with } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn parameters<'a>(operation: &'a Value, place: &str) -> Vec<&'a str> {
    let all = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let here = all.iter().filter(|parameter| parameter["in"] == place);
    here.map(|parameter| parameter["name"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn metacharacters_in_paths_and_filters_find_nothing_and_break_nothing() {
    let app = TestApp::with(without_rates).await;
    let acme = app.tenant("acme").await;
    let operator = app.operator().await;
    push(&acme.developer, "flowers", "a,b\n1,2\n").await;
    let before = acme.owner.get("/v1/jobs").await.expect(200).bytes;
    let mut tried = 0;
    for (method, path, operation) in operations() {
        if path == "/v1/platform/users/{id}" {
            continue; // an id that is one names nobody here, and is tried in `authority`
        }
        for client in [&acme.owner, &operator] {
            for text in INJECTIONS.map(encoded) {
                let mut uris = Vec::new();
                if path.contains('{') {
                    uris.push(filled(&path, &text));
                }
                let names = parameters(&operation, "query");
                uris.extend(
                    names.iter().map(|name| format!("{}?{name}={text}", filled(&path, "x"))),
                );
                for uri in uris {
                    let request = TestRequest::default().method(method.clone()).uri(&uri);
                    let reply = client.send(request.set_json(json!({}))).await;
                    // a ticket is a credential
                    let is_ticket = reply.status == 401 && path == "/hub/lfs/{ticket}";
                    let refused = is_ticket || [400, 403, 404, 415, 422].contains(&reply.status);
                    // a search takes any text for what it is: text
                    let nothing = [json!([]), json!({ "items": [], "next": null })];
                    let found_nothing = reply.status == 200 && nothing.contains(&reply.json);
                    assert!(refused || found_nothing, "{method} {uri}: {reply:?}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
    assert_eq!(acme.owner.get("/v1/jobs").await.expect(200).bytes, before);
}

#[actix_web::test]
async fn names_do_not_lead_out_of_their_folder() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    for name in ["..", "../../etc", "%2e%2e%2f%2e%2e%2fetc", "a/../b", "C:\\x", "/etc/passwd", "."]
    {
        let path = format!("/v1/datasets/{}/versions", encoded(name));
        let reply = acme.developer.upload(Method::POST, &path, "text/csv", "a,b\n1,2\n").await;
        assert_eq!(reply.expect_problem(422, "validation_failed").fields(), ["name"], "{name}");
    }
    let draft = json!({ "slug": "../acme", "name": "x", "owner": { "email": "a@b.example" } });
    let reply = app.operator().await.post("/v1/tenants", draft).await;
    assert_eq!(reply.expect_problem(422, "validation_failed").fields(), ["slug"]);
}

#[actix_web::test]
async fn a_nul_character_is_refused_wherever_it_stands() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let sign_in = json!({ "email": "a\u{0}@b.example", "password": "x" });
    app.nobody().post("/v1/auth/sign-in", sign_in).await.expect_problem(400, "bad_request");
    push(&acme.developer, "flowers", "a,b\n1,2\n").await;
    let draft = json!({ "dataset": "flo\u{0}wers", "target": "b" });
    let reply = acme.developer.post("/v1/jobs", draft).await;
    assert!([400, 422].contains(&reply.status), "{reply:?}");
}

/// A field that the route does not know, such as one's role or one's tenant, is refused by name and not
/// taken over.
#[actix_web::test]
async fn no_body_takes_a_field_that_it_does_not_know() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let operator = app.operator().await;
    let mut tried = 0;
    for (method, path, operation) in operations() {
        // the Hub's client sends more than we need, and another release of it other things
        let is_hub = path.starts_with("/hub/");
        if is_hub || operation["requestBody"]["content"]["application/json"].is_null() {
            continue;
        }
        let uri = filled(&path, "job_00000000000000000000000000000000").replace("{slug}", "acme");
        for field in ["tenant_id", "is_operator", "platform_role", "__proto__"] {
            let mut refusals = Vec::new();
            for client in [&operator, &acme.owner] {
                let request = TestRequest::default().method(method.clone()).uri(&uri);
                let reply = client.send(request.set_json(json!({ field: "operator" }))).await;
                assert!((400..500).contains(&reply.status), "{method} {path}: {reply:?}");
                refusals.push(reply);
            }
            let named = |reply: &Reply| reply.status == 422 && reply.fields().contains(&field);
            // a route whose object is not there says that first
            let absent = refusals.iter().any(|reply| reply.status == 404);
            assert!(absent || refusals.iter().any(named), "{method} {path}: {refusals:?}");
            tried += u32::from(!absent);
        }
    }
    assert!(tried > 60, "{tried}");
}

#[actix_web::test]
async fn line_breaks_start_no_header_of_their_own() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let label = "x\r\nset-cookie: a=b";
    let reply = acme.developer.post("/v1/keys", json!({ "name": label })).await;
    assert_eq!(reply.expect_problem(422, "validation_failed").fields(), ["name"]);
    for path in ["/v1/jobs/%0d%0aset-cookie:a=b", "/v1/models/acme/%0d%0aset-cookie:a=b"] {
        let reply = acme.developer.get(path).await.expect(404);
        assert_eq!(reply.header("set-cookie"), None);
    }
    // a key that is repeated comes back in a header
    let request = TestRequest::post().uri("/v1/jobs").set_json(json!({}));
    let reply = acme.developer.send(request.insert_header(("idempotency-key", "a\tb"))).await;
    reply.expect_problem(422, "validation_failed");
}

#[actix_web::test]
async fn an_id_that_is_anothers_answers_as_one_that_is_nobodys() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let job = push(&acme.developer, "flowers", "a,b\n1,2\n").await.to_string();
    let key = acme.developer.post("/v1/keys", json!({ "name": "k" })).await.expect(201);
    let invited = json!({ "email": "new@acme.example", "role": "viewer" });
    let invitation = acme.owner.post("/v1/invitations", invited).await.expect(201);
    let sessions = acme.developer.get("/v1/auth/sessions").await.expect(200);
    let (key, invitation) = (key.text("/id"), invitation.text("/id"));
    let (session, user) = (sessions.text("/items/0/id"), acme.developer_id.to_string());
    for (method, route, theirs) in [
        (Method::GET, "/v1/jobs/ID", job.as_str()),
        (Method::GET, "/v1/jobs/ID/logs", job.as_str()),
        (Method::POST, "/v1/jobs/ID/cancel", job.as_str()),
        (Method::DELETE, "/v1/keys/ID", key),
        (Method::DELETE, "/v1/invitations/ID", invitation),
        (Method::DELETE, "/v1/auth/sessions/ID", session),
        (Method::DELETE, "/v1/users/ID", user.as_str()),
    ] {
        let prefix = theirs.split('_').next().unwrap();
        let nobodys = format!("{prefix}_0192f0c4a1b27c3d8e9fa0b1c2d3e4f5");
        let ask = async |id: &str| {
            let uri = route.replace("ID", id);
            let request = TestRequest::default().method(method.clone()).uri(&uri);
            let reply = globex.owner.send(request).await.expect(404);
            String::from_utf8_lossy(&reply.bytes).replace(id, "ID")
        };
        assert_eq!(ask(theirs).await, ask(&nobodys).await, "{method} {route}");
    }
}

/// Signed by the right key, and still not for here, or not for now, or not whole.
#[actix_web::test]
async fn a_token_is_for_this_platform_and_complete() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let real = acme.developer.post("/v1/auth/token", json!({})).await.expect(200);
    let kid = jsonwebtoken::decode_header(real.text("/access_token")).unwrap().kid;
    let me = acme.developer.get("/v1/me").await.expect(200);
    let keys = acme.developer.get("/v1/keys").await.expect(200);
    let now = app.state.clock.now().timestamp();
    let good = json!({
        "sub": me.text("/id"), "key": keys.text("/items/0/id"), "iss": app.state.config.public_url,
        "aud": "cupola", "iat": now, "exp": now + 900,
    });
    let pem = pem(&app).await;
    let signed = |claims: &Value| {
        let header = Header { kid: kid.clone(), ..Header::new(Algorithm::EdDSA) };
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    };
    app.with_credential(&signed(&good)).get("/v1/me").await.expect(200);
    for (field, value) in [
        ("aud", json!("another platform")),
        ("aud", json!(["another", "platform"])),
        ("aud", Value::Null),
        ("iss", json!("https://elsewhere.example")),
        ("exp", json!(now)),
        ("exp", json!("never")),
        ("exp", Value::Null),
        ("sub", Value::Null),
        ("key", Value::Null),
        ("key", json!(me.text("/id"))),
        ("key", json!("key_0192f0c4a1b27c3d8e9fa0b1c2d3e4f5")),
    ] {
        let mut claims = good.clone();
        claims[field] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(field);
        }
        let reply = app.with_credential(&signed(&claims)).get("/v1/me").await;
        assert_eq!(reply.status, 401, "{field} = {value}: {reply:?}");
    }
}

/// The key that signs, as the gateway has it.
async fn pem(app: &TestApp) -> String {
    let mut tx = app.state.store.begin().await.unwrap();
    let keys = signing::all(&mut tx).await.unwrap();
    let key = keys.iter().find(|key| key.purpose == Purpose::Token).unwrap();
    let Private::Wrapped(wrapped) = &key.private else { panic!("it is in plain text") };
    let context = format!("signing key {}", key.kid);
    String::from_utf8(masters().unwrap(&context, wrapped).await.unwrap()).unwrap()
}

/// Requests that two parties could count differently: where one ends, and whether there is another.
#[actix_web::test]
async fn what_a_proxy_could_read_otherwise_is_refused() {
    let served = Served::start().await;
    let hidden = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let long = "x".repeat(300_000);
    for headers in [
        "content-length: 5\r\ntransfer-encoding: chunked".to_owned(),
        "transfer-encoding: chunked\r\ncontent-length: 5".to_owned(),
        "content-length: 5\r\ncontent-length: 6".to_owned(),
        "content-length: 5, 5".to_owned(),
        "content-length: +5".to_owned(),
        "content-length: -1".to_owned(),
        "transfer-encoding: xchunked".to_owned(),
        "transfer-encoding: chunked, identity".to_owned(),
        "transfer-encoding : chunked".to_owned(),
        " transfer-encoding: chunked".to_owned(),
        format!("x: {long}"),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let request = format!(
            "POST /v1/auth/sign-in HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n0\r\n\r\n{hidden}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // it hangs up: nothing that came after is a request of anybody's
        let _reset = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        let shown: String = headers.chars().take(60).collect();
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{shown}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 4"), "{shown}: {answer}");
        assert!(!answer.contains(r#""status":"ok""#), "{shown}: {answer}");
    }
    served.end().await;
}
