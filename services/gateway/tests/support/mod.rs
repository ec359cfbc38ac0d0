//! An application over a database of its own, and clients of every role.
//!
//! ```text
//! let app = TestApp::new().await;
//! let acme = app.tenant("acme").await;
//! let reply = acme.developer.get("/v1/jobs").await;
//! assert_eq!(reply.status, 200, "{reply:?}");
//! ```

mod client;
mod replica;
mod served;

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use actix_web::{dev::Service, test, test::TestRequest, web};
use boot::{
    bus::Bus,
    rates::{Rate, Rates},
};
use domain::{ApiKeyId, UserId, access::Role};
use gateway::{ApiSecret, App, Config, Counts, Egress, Metered, Passwords, Recent, Signer};
use registry::{Blobs, LocalMaster, Masters, TenantKeys};
use serde_json::json;
use serving::{Limits, Predictor, Predictors};
use store::{
    Store,
    keys::{self, KeyDraft, NewKey},
    people,
};
use tempfile::TempDir;
use testkit::TestDb;
use tokio_util::sync::CancellationToken;

pub use client::{Client, Reply};
pub use replica::Running as RunningReplica;
pub use served::{Running, Served};

/// Of everybody in the tests.
pub const PASSWORD: &str = "correct horse battery staple";
const MAX_CONNECTIONS: u32 = 6;
const PREDICTING: Limits = Limits {
    memory_bytes: 64 << 20,
    cores: 1,
    batch_rows: Limits::BATCH_ROWS,
    patience: Limits::PATIENCE,
};

pub struct TestApp {
    /// What the handlers see: `app.state.store`, `app.state.clock`, …
    pub state: web::Data<App>,
    nobody: Client,
    _end: tokio_util::sync::DropGuard,
    blobs: TempDir,
    pub db: TestDb,
}

pub struct TestTenant {
    pub owner: Client,
    pub owner_id: UserId,
    pub admin: Client,
    pub developer: Client,
    pub developer_id: UserId,
    pub viewer: Client,
}

/// For a test that asks so much at once that it would meet little else.
pub fn without_rates(config: &mut Config) {
    let many = Rate::per_second(NonZeroU32::MAX);
    config.rates.address = many;
    config.rates.credential = many;
    config.rates.tenant = many;
    config.rates.visitor = many;
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
        let service = test::init_service(gateway::application(state.clone(), crate::FURTHER)).await;
        let nobody = Client::new(move |request: TestRequest| {
            let answer = service.call(request.to_request());
            Box::pin(async move {
                let answer = answer.await.expect("errors have become responses");
                answer.map_into_boxed_body()
            })
        });
        Self { state, nobody, _end: end.drop_guard(), blobs: folder, db }
    }

    /// Another gateway of the same platform, on a socket.
    pub async fn served(&self) -> Running {
        Running::over(self).await
    }

    /// A serving replica of the same platform, which this gateway knows.
    pub async fn replica(&self) -> RunningReplica {
        RunningReplica::over(self).await
    }

    /// Changes a byte of what is stored under a digest, behind the platform's back.
    pub fn damage(&self, sha256: &str) {
        let path = self.stored(sha256);
        let mut bytes = std::fs::read(&path).expect("a file");
        *bytes.last_mut().expect("it is not empty") ^= 1;
        std::fs::write(path, bytes).expect("a file");
    }

    /// How many files there are in folders of this name.
    pub fn count_stored(&self, folder: &str) -> usize {
        let mut folders = vec![self.blobs.path().to_owned()];
        let mut found = 0;
        while let Some(path) = folders.pop() {
            for entry in std::fs::read_dir(path).expect("a folder").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if entry.path().iter().any(|part| part == folder) {
                    found += 1;
                }
            }
        }
        found
    }

    /// Where it is stored.
    pub fn stored(&self, sha256: &str) -> PathBuf {
        let mut folders = vec![self.blobs.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if entry.path().to_string_lossy().replace('/', "").ends_with(sha256) {
                    return entry.path();
                }
            }
        }
        panic!("nothing is stored as {sha256}");
    }

    /// A client without a credential.
    pub fn nobody(&self) -> Client {
        self.nobody.clone()
    }

    pub fn with_credential(&self, credential: &str) -> Client {
        self.nobody.with_credential(credential)
    }

    pub async fn operator(&self) -> Client {
        self.of_platform("operator@localhost", Role::Operator).await
    }

    /// One who runs the platform, or looks at how it is run.
    pub async fn of_platform(&self, email: &str, role: Role) -> Client {
        let secret = ApiSecret::generate().expect("there is randomness");
        let mut tx = self.state.store.begin().await.expect("the database answers");
        let who = (email, "Operator");
        let user = people::ensure_platform(&mut tx, UserId::generate(), who, role);
        let key = NewKey {
            id: ApiKeyId::generate(),
            tenant: None,
            user: user.await.expect("an operator can be made"),
            prefix: secret.prefix(),
            sha256: secret.sha256(),
            draft: KeyDraft::named("operator"),
        };
        keys::create(&mut tx, &key).await.expect("a key can be made");
        tx.commit().await.expect("the database answers");
        self.with_credential(secret.reveal())
    }

    /// A tenant with somebody of every role, made through the API.
    pub async fn tenant(&self, slug: &str) -> TestTenant {
        let draft = json!({
            "slug": slug, "name": slug, "owner": { "email": format!("owner@{slug}.example") },
        });
        let made = self.operator().await.post("/v1/tenants", draft).await.expect(201);
        let (owner, owner_id) = self.accept(made.text("/invitation/token")).await;
        let mut people = Vec::new();
        for role in ["admin", "developer", "viewer"] {
            let invited = json!({ "email": format!("{role}@{slug}.example"), "role": role });
            let invited = owner.post("/v1/invitations", invited).await.expect(201);
            people.push(self.accept(invited.text("/token")).await);
        }
        let [(admin, _), (developer, developer_id), (viewer, _)] =
            people.try_into().ok().expect("three");
        TestTenant { owner, owner_id, admin, developer, developer_id, viewer }
    }

    /// Somebody new takes up an invitation, and makes a key. Their password is [`PASSWORD`].
    pub async fn accept(&self, token: &str) -> (Client, UserId) {
        let answer = json!({ "token": token, "name": "Somebody", "password": PASSWORD });
        let accepted = self.nobody.post("/v1/invitations/accept", answer).await.expect(200);
        let session = self.with_credential(accepted.text("/access_token"));
        let key = session.post("/v1/keys", json!({ "name": "first" })).await.expect(201);
        let client = self.with_credential(key.text("/secret"));
        let me = client.get("/v1/me").await.expect(200);
        (client, me.text("/id").parse().expect("an id"))
    }
}

/// Every test's data is encrypted.
pub fn masters() -> Masters {
    let master = LocalMaster::from_text(&"7".repeat(64), "a test").expect("a key");
    Masters::new(vec![Arc::new(master)]).expect("one")
}

/// The application's state, over this database and this folder for bytes.
async fn assemble(db: &TestDb, folder: &Path, config: Config, end: CancellationToken) -> App {
    let store = Store::connect(&db.url(), MAX_CONNECTIONS, store::Service::Gateway)
        .expect("the URL is good");
    let masters = masters();
    let keys = TenantKeys::new(store.clone(), masters.clone());
    let blobs = Blobs::folder(folder).expect("the folder can be used").encrypted_with(keys);
    App {
        bus: Bus::open(&store, None, end).expect("Postgres' bus needs no address"),
        predictor: Predictors::new(
            Predictor::new(blobs.clone(), PREDICTING),
            Some(masters.clone()),
        ),
        signer: Signer::load(&store, Some(masters.clone()), &config.public_url)
            .await
            .expect("a key can be made"),
        counts: Counts::default(),
        endpoints: gateway::Endpoints::default(),
        passwords: Passwords::new().expect("there is randomness"),
        rates: Rates::open(None, NonZeroU32::MIN).expect("there is no address to be wrong"),
        egress: Egress::default(),
        metered: Metered::default(),
        recent: Recent::default(),
        clock: testkit::manual_clock(),
        // one recorder per process, and nextest gives every test a process
        metrics: gateway::install_metrics().ok(),
        store,
        blobs,
        config,
    }
}
