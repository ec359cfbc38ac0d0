//! An application over a database of its own, and clients of every role.
//!
//! ```text
//! let app = TestApp::new().await;
//! let acme = app.tenant("acme").await;
//! let reply = acme.member.get("/v1/jobs").await;
//! assert_eq!(reply.status, 200, "{reply:?}");
//! ```

mod client;

use std::path::Path;

use actix_web::{dev::Service, test, test::TestRequest, web};
use boot::bus::Bus;
use domain::{ApiKeyId, UserId};
use gateway::{ApiSecret, App, Config, Signer};
use registry::Blobs;
use serde_json::json;
use serving::Predictor;
use store::{
    Store,
    keys::{self, NewKey},
    people,
};
use tempfile::TempDir;
use testkit::TestDb;
use tokio_util::sync::CancellationToken;

pub use client::{Client, Reply};

const MAX_CONNECTIONS: u32 = 6;
const MODEL_BUDGET_BYTES: usize = 64 << 20;

pub struct TestApp {
    /// What the handlers see: `app.state.store`, `app.state.clock`, …
    pub state: web::Data<App>,
    nobody: Client,
    _end: tokio_util::sync::DropGuard,
    _blobs: TempDir,
    _db: TestDb,
}

pub struct TestTenant {
    pub owner: Client,
    pub owner_id: UserId,
    pub member: Client,
    pub member_id: UserId,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// With another configuration than the usual one.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let db = TestDb::create().await;
        let folder = testkit::reachable_dir().expect("a temporary folder can be made");
        let mut config = Config::default();
        change(&mut config);
        let end = CancellationToken::new();
        let state = web::Data::new(assemble(&db, folder.path(), config, end.clone()).await);
        let service = test::init_service(gateway::application(state.clone())).await;
        let nobody = Client::new(move |request: TestRequest| {
            let answer = service.call(request.to_request());
            Box::pin(async move {
                let answer = answer.await.expect("errors have become responses");
                answer.map_into_boxed_body()
            })
        });
        Self { state, nobody, _end: end.drop_guard(), _blobs: folder, _db: db }
    }

    /// A client without a credential.
    pub fn nobody(&self) -> Client {
        self.nobody.clone()
    }

    pub fn with_credential(&self, credential: &str) -> Client {
        self.nobody.with_credential(credential)
    }

    pub async fn operator(&self) -> Client {
        let secret = ApiSecret::generate().expect("there is randomness");
        let mut tx = self.state.store.begin().await.expect("the database answers");
        let user = people::ensure_operator(&mut tx, UserId::generate(), "operator@localhost");
        let key = NewKey {
            id: ApiKeyId::generate(),
            tenant: None,
            user: user.await.expect("an operator can be made"),
            name: "operator",
            prefix: secret.prefix(),
            sha256: secret.sha256(),
            expires_at: None,
        };
        keys::create(&mut tx, &key).await.expect("a key can be made");
        tx.commit().await.expect("the database answers");
        self.with_credential(secret.reveal())
    }

    /// A tenant with an owner and a member, made through the API.
    pub async fn tenant(&self, slug: &str) -> TestTenant {
        let made = self
            .operator()
            .await
            .post(
                "/v1/tenants",
                json!({
                    "slug": slug,
                    "name": slug,
                    "owner": { "email": format!("owner@{slug}.example"), "name": "Olga Owner" },
                }),
            )
            .await
            .expect(201);
        let owner = self.with_credential(made.text("/api_key/secret"));
        let person = json!({
            "email": format!("member@{slug}.example"),
            "name": "Max Member",
            "role": "member",
        });
        let added = owner.post("/v1/users", person).await.expect(201);
        TestTenant {
            owner,
            owner_id: made.text("/owner/id").parse().expect("an id"),
            member: self.with_credential(added.text("/api_key/secret")),
            member_id: added.text("/id").parse().expect("an id"),
        }
    }
}

/// The application's state, over this database and this folder for bytes.
pub async fn assemble(db: &TestDb, folder: &Path, config: Config, end: CancellationToken) -> App {
    let store = Store::connect(&db.url(), MAX_CONNECTIONS).expect("the URL is good");
    let blobs = Blobs::folder(folder).expect("the folder can be used");
    App {
        bus: Bus::open(&store, None, end).expect("Postgres' bus needs no address"),
        predictor: Predictor::new(blobs.clone(), MODEL_BUDGET_BYTES, 1),
        signer: Signer::load(&store, &config.public_url).await.expect("a key can be made"),
        clock: testkit::manual_clock(),
        // one recorder per process, and nextest gives every test a process
        metrics: gateway::install_metrics().ok(),
        store,
        blobs,
        config,
    }
}
