//! A worker by hand: places a job, runs it with the real engine and reports, all when a test says so.
//! It uses the store's own statements, so that the states it makes are the ones that workers make.

use std::time::Duration;

use actix_web::web;
use domain::{
    Digest, JobId, Resources, WorkerId,
    child::{BASE_CONFIG_FILE, BASE_WEIGHTS_FILE, CONFIG_FILE, DATA_FILE, Event, WEIGHTS_FILE},
    comparison::Side,
    dataset::ReadLimits,
    hint::Hint,
    inquiry::{ANSWERS_FILE, Finding, Inquiry},
    job::{Attempt, Cause, JobKind, Report},
    spend::Rate,
    wait::WaitReason,
    world::{Command, Devices, Seats},
};
use engine::{Asking, Comparing, Run, StopFlag};
use gateway::App;
use store::{
    Service, SystemTx,
    attempts::{self, Assignment},
    changes::Cursor,
    datasets,
    leader::{self, LeaderLease},
    models::{self, Answers, inquiries},
    schedule,
    workers::{self, NewWorker},
};
use uuid::Uuid;

use crate::support::{Client, TestApp};

const LEASE: Duration = Duration::from_secs(3_600);
const CAPACITY: Resources = Resources::cpu(64_000, 1 << 40);

/// A target of two classes that two of the columns decide.
pub fn flowers(rows: u32) -> String {
    let mut csv = "length,width,colour,kind\n".to_owned();
    for i in 0..rows {
        let kind = if i % 2 == 0 { "iris" } else { "rose" };
        let colour = ["red", "blue", "white"][i as usize % 3];
        csv += &format!("{},{},{colour},{kind}\n", 1 + i % 2 * 4, f64::from(i % 7) / 2.0);
    }
    csv
}

/// Pushes `file` and answers with the profile job's id.
pub async fn push(client: &Client, name: &str, file: impl Into<web::Bytes>) -> JobId {
    let path = format!("/v1/datasets/{name}/versions");
    let made = client.upload(actix_web::http::Method::POST, &path, "text/csv", file).await;
    made.expect(201).text("/profile_job").parse().unwrap()
}

pub struct Hand {
    state: web::Data<App>,
    worker: WorkerId,
    lead: LeaderLease,
}

impl Hand {
    pub async fn hire(app: &TestApp) -> Self {
        let state = app.state.clone();
        let worker = WorkerId::generate();
        let mut tx = state.store.acting_as(Service::Worker).begin().await.unwrap();
        let hand = NewWorker { id: worker, name: "hand", pool: "default", capacity: CAPACITY };
        workers::register(&mut tx, &hand).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = state.store.acting_as(Service::Scheduler).begin().await.unwrap();
        let lead = leader::acquire(&mut tx, "scheduler", Uuid::now_v7(), LEASE).await.unwrap();
        tx.commit().await.unwrap();
        Self { state, worker, lead: lead.expect("nobody else leads here") }
    }

    async fn begin_as(&self, service: Service) -> SystemTx<'static> {
        self.state.store.acting_as(service).begin().await.unwrap()
    }

    pub const fn worker(&self) -> WorkerId {
        self.worker
    }

    pub async fn explain(&self, job: JobId, reason: WaitReason) {
        let mut tx = self.begin_as(Service::Scheduler).await;
        schedule::explain(&mut tx, &[(job, reason)]).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Places a waiting job here and starts its first attempt.
    pub async fn start(&self, job: JobId) -> Assignment {
        let attempt = Attempt { job, number: std::num::NonZeroU32::MIN };
        let seats = Seats::one(self.worker, Devices::default());
        self.apply(Command::Start { attempt, seats, rate: Rate::FREE }).await;
        let mut tx = self.begin_as(Service::Worker).await;
        let given = attempts::assigned_to(&mut tx, self.worker, None).await.unwrap();
        let retry = &self.state.config.retry;
        attempts::started(&mut tx, attempt, None, retry).await.unwrap();
        self.commit(tx, job).await;
        given.into_iter().find(|given| given.attempt == attempt).expect("it was placed here")
    }

    async fn apply(&self, command: Command) {
        let mut tx = self.begin_as(Service::Scheduler).await;
        let retry = &self.state.config.retry;
        let news = schedule::follow(&mut tx, &self.lead, &mut Cursor::default()).await.unwrap();
        let lead = news.expect("the lead is ours").lead;
        let applied = schedule::apply(&mut tx, lead, &[command], retry, &[]).await.unwrap();
        assert_eq!(applied.skipped, []);
        tx.commit().await.unwrap();
    }

    pub async fn say(&self, attempt: Attempt, said: &[Event]) {
        let mut tx = self.begin_as(Service::Worker).await;
        attempts::record(&mut tx, attempt, said, 0).await.unwrap();
        self.commit(tx, attempt.job).await;
    }

    pub async fn fail(&self, attempt: Attempt, cause: Cause) {
        let mut tx = self.begin_as(Service::Worker).await;
        self.report(&mut tx, attempt, Report::Failed(cause)).await;
        self.commit(tx, attempt.job).await;
    }

    /// As it was asked to.
    pub async fn stop(&self, attempt: Attempt) {
        let mut tx = self.begin_as(Service::Worker).await;
        self.report(&mut tx, attempt, Report::Stopped).await;
        self.commit(tx, attempt.job).await;
    }

    pub async fn succeed(&self, attempt: Attempt) {
        let mut tx = self.begin_as(Service::Worker).await;
        self.report(&mut tx, attempt, Report::Succeeded).await;
        self.commit(tx, attempt.job).await;
    }

    async fn report(&self, tx: &mut SystemTx<'_>, attempt: Attempt, report: Report) {
        let retry = &self.state.config.retry;
        attempts::report(tx, attempt, report, retry).await.unwrap().expect("it is the live one");
    }

    /// Commits and hints, as whoever changes a job does.
    async fn commit(&self, tx: SystemTx<'_>, job: JobId) {
        tx.commit().await.unwrap();
        self.state.bus.publish(Hint::Job(job));
    }

    /// From the queue to its end, by the real engine.
    pub async fn run(&self, job: JobId) {
        let given = self.start(job).await;
        let scratch = testkit::reachable_dir().unwrap();
        let file = scratch.path().join(DATA_FILE);
        self.state.blobs.fetch_content(given.tenant, given.data.sha256, &file).await.unwrap();
        let limits = ReadLimits::default();
        match given.kind {
            JobKind::Profile => match engine::profile(&file, &given.data, &limits) {
                Err(error) => self.fail(given.attempt, error.cause()).await,
                Ok(profile) => {
                    let mut tx = self.begin_as(Service::Worker).await;
                    datasets::set_profile(&mut tx, job, &profile).await.unwrap();
                    self.report(&mut tx, given.attempt, Report::Succeeded).await;
                    self.commit(tx, job).await;
                }
            },
            JobKind::Evaluate => self.evaluate(&given, scratch.path(), &limits).await,
            JobKind::Predict | JobKind::Importance => {
                self.inquire(&given, scratch.path(), &limits).await
            }
            JobKind::Train => {
                let spec = given.spec.as_ref().expect("a training has one");
                if let (Some(base), Some(of)) = (&spec.base_model, given.base_of) {
                    let blobs = &self.state.blobs;
                    for (name, sha256) in [
                        (BASE_CONFIG_FILE, base.config_sha256),
                        (BASE_WEIGHTS_FILE, base.weights_sha256),
                    ] {
                        let to = scratch.path().join(name);
                        blobs.fetch_content(of, sha256, &to).await.unwrap();
                    }
                }
                let run = Run {
                    spec,
                    data: &given.data,
                    limits: &limits,
                    scratch: scratch.path(),
                    member: None,
                };
                let mut said = Vec::new();
                engine::train(run, &StopFlag::default(), &mut |event| said.push(event)).unwrap();
                onnx::export_beside(scratch.path()).unwrap();
                self.say(given.attempt, &said).await;
                self.publish(&given, scratch.path()).await;
            }
        }
    }

    async fn evaluate(&self, given: &Assignment, scratch: &std::path::Path, limits: &ReadLimits) {
        let sides = given.sides.expect("it has two");
        for (side, of) in [(Side::A, sides.a), (Side::B, sides.b)] {
            let (config, weights) = side.files();
            for (name, sha256) in [(config, of.config), (weights, of.weights)] {
                let to = scratch.join(name);
                self.state.blobs.fetch_content(of.tenant, sha256, &to).await.unwrap();
            }
        }
        let found = engine::compare(Comparing {
            data: &given.data,
            limits,
            scratch,
            held_back_by: sides.held_back_by,
            memory_bytes: given.resources.memory_bytes,
        });
        match found {
            Err(error) => self.fail(given.attempt, error.cause()).await,
            Ok(found) => {
                let mut tx = self.begin_as(Service::Worker).await;
                models::evaluations::set_result(&mut tx, given.attempt.job, &found).await.unwrap();
                self.report(&mut tx, given.attempt, Report::Succeeded).await;
                self.commit(tx, given.attempt.job).await;
            }
        }
    }

    async fn inquire(&self, given: &Assignment, scratch: &std::path::Path, limits: &ReadLimits) {
        let asks = given.asks.expect("it asks something");
        let of = asks.model.expect("the model may be seen");
        for (name, sha256) in [(CONFIG_FILE, of.config), (WEIGHTS_FILE, of.weights)] {
            let to = scratch.join(name);
            self.state.blobs.fetch_content(of.tenant, sha256, &to).await.unwrap();
        }
        let asking = Asking { data: &given.data, limits, scratch };
        let found = match asks.inquiry {
            Inquiry::Predict { bad_rows } => {
                engine::predict_all(asking, bad_rows).map(Finding::Predicted)
            }
            Inquiry::Importance { how } => {
                engine::importance(asking, how, given.resources.memory_bytes)
                    .map(Finding::Importances)
            }
        };
        match found {
            Err(error) => self.fail(given.attempt, error.cause()).await,
            Ok(finding) => {
                let mut file = None;
                if matches!(finding, Finding::Predicted(_)) {
                    let answers = scratch.join(ANSWERS_FILE);
                    let stored = self.state.blobs.put_file(given.tenant, &answers).await.unwrap();
                    file = Some(Answers { sha256: stored.sha256, bytes: stored.bytes });
                }
                let (mut tx, job) = (self.begin_as(Service::Worker).await, given.attempt.job);
                inquiries::set_finding(&mut tx, job, &finding, file).await.unwrap();
                self.report(&mut tx, given.attempt, Report::Succeeded).await;
                self.commit(tx, job).await;
            }
        }
    }

    async fn publish(&self, given: &Assignment, scratch: &std::path::Path) {
        let made = registry::upload_model(&self.state.blobs, given.tenant, scratch).await.unwrap();
        let mut tx = self.begin_as(Service::Worker).await;
        models::publish(&mut tx, given.attempt, &made).await.unwrap();
        self.report(&mut tx, given.attempt, Report::Succeeded).await;
        self.commit(tx, given.attempt.job).await;
    }
}

/// So that a test can say what it downloaded.
pub fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}
