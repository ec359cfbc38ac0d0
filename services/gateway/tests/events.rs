//! A job's live events: in order, once, and again from where a client stopped listening.

use std::{future::poll_fn, pin::Pin};

use actix_web::{
    body::{BoxBody, MessageBody},
    test::TestRequest,
};
use domain::{JobId, child::Event, job::Cause};
use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    support::{Client, TestApp, TestTenant},
};

#[derive(Debug)]
struct Said {
    id: Option<u64>,
    event: String,
    data: Value,
}

/// What a browser's `EventSource` does with the bytes.
struct Listener {
    body: Pin<Box<BoxBody>>,
    text: String,
}

impl Listener {
    async fn open(client: &Client, job: JobId, seen: Option<u64>) -> Self {
        let request = TestRequest::get().uri(&format!("/v1/jobs/{job}/events"));
        let request = match seen {
            Some(seen) => request.insert_header(("last-event-id", seen.to_string())),
            None => request,
        };
        let response = client.open(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
        Self { body: Box::pin(response.into_body()), text: String::new() }
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Said> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let said = parse(block);
                self.text = rest.to_owned();
                if said.is_some() {
                    return said;
                }
            }
            let chunk = poll_fn(|cx| self.body.as_mut().poll_next(cx)).await?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The numbered events up to one of this kind.
    async fn until(&mut self, kind: &str) -> Vec<Said> {
        let mut heard = Vec::new();
        loop {
            let said = self.next().await.expect("more is to come");
            let last = said.event == kind;
            if said.id.is_some() {
                heard.push(said);
            }
            if last {
                return heard;
            }
        }
    }
}

/// `None` for comments and for `retry:`.
fn parse(block: &str) -> Option<Said> {
    let field =
        |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).unwrap();
    let id = field("id").map(|id| id.parse().unwrap());
    Some(Said { id, event: field("event")?.to_owned(), data })
}

fn kinds(said: &[Said]) -> Vec<&str> {
    said.iter().map(|said| said.event.as_str()).collect()
}

async fn submitted() -> (TestApp, TestTenant, Hand, JobId) {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    let draft = json!({"dataset": "flowers", "target": "kind", "epochs": 2});
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
    let job = job.text("/id").parse().unwrap();
    (app, acme, hand, job)
}

fn epoch(number: u32) -> Event {
    let metrics = [("loss".to_owned(), 1.0 / f64::from(number))].into();
    Event::Epoch { epoch: number, step: u64::from(number) * 2, metrics }
}

#[actix_web::test]
async fn a_job_is_followed_live_from_the_queue_to_its_end() {
    let (_app, acme, hand, job) = submitted().await;
    let mut listener = Listener::open(&acme.developer, job, None).await;
    assert_eq!(kinds(&listener.until("queued").await), ["queued"]);
    let given = hand.start(job).await;
    assert_eq!(kinds(&listener.until("running").await), ["starting", "running"]);
    hand.say(given.attempt, &[epoch(1)]).await;
    let heard = listener.until("epoch").await;
    assert_eq!(heard[0].data["metrics"], json!({"loss": 1.0}));
    assert!(heard[0].data["at"].is_string(), "{heard:?}");
    hand.fail(given.attempt, Cause::fatal("loss_not_finite", "loss became NaN")).await;
    let heard = listener.until("failed").await;
    assert_eq!(heard[0].data["cause"]["code"], "loss_not_finite");
    assert!(listener.next().await.is_none(), "the stream ends after the final event");
}

#[actix_web::test]
async fn a_client_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let (_app, acme, hand, job) = submitted().await;
    let given = hand.start(job).await;
    let mut listener = Listener::open(&acme.developer, job, None).await;
    let mut heard = listener.until("running").await;
    drop(listener);
    // more than one portion, while nobody listens
    let epochs: Vec<_> = (1..=450).map(epoch).collect();
    hand.say(given.attempt, &epochs).await;
    let seen = heard.last().unwrap().id;
    let mut listener = Listener::open(&acme.developer, job, seen).await;
    heard.extend(listener.until("epoch").await);
    drop(listener);
    let seen = heard.last().unwrap().id;
    hand.succeed(given.attempt).await;
    let mut listener = Listener::open(&acme.developer, job, seen).await;
    heard.extend(listener.until("succeeded").await);
    assert!(listener.next().await.is_none());

    let numbers: Vec<_> = heard.iter().filter_map(|said| said.id).collect();
    let expected: Vec<_> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    assert_eq!(heard.iter().filter(|said| said.event == "epoch").count(), 450);
}

#[actix_web::test]
async fn progress_is_told_between_the_events() {
    let (app, acme, hand, job) = submitted().await;
    let given = hand.start(job).await;
    let started =
        Event::Started { total_steps: 4, epochs: 2, parameters: 9, resumed_from_step: None };
    hand.say(given.attempt, &[started]).await;
    let mut tx = app.state.store.acting_as(store::Service::Worker).begin().await.unwrap();
    let worker = hand.worker();
    store::attempts::heartbeat(&mut tx, worker, &[(given.attempt, Some(3))]).await.unwrap();
    tx.commit().await.unwrap();
    let mut listener = Listener::open(&acme.developer, job, None).await;
    listener.until("training").await;
    let said = listener.next().await.unwrap();
    assert_eq!((said.id, said.event.as_str()), (None, "progress"));
    assert_eq!(said.data, json!({"attempt": 1, "step": 3, "total_steps": 4}));
}

#[actix_web::test]
async fn a_lost_hint_costs_a_moment_and_no_event() {
    let (app, acme, hand, job) = submitted().await;
    let given = hand.start(job).await;
    let mut listener = Listener::open(&acme.developer, job, None).await;
    listener.until("running").await;
    let mut tx = app.state.store.acting_as(store::Service::Worker).begin().await.unwrap();
    store::attempts::record(&mut tx, given.attempt, &[epoch(1)], 0).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kinds(&listener.until("epoch").await), ["epoch"]);
}

#[actix_web::test]
async fn who_has_heard_the_end_is_told_that_nothing_comes() {
    let (_app, acme, hand, job) = submitted().await;
    let given = hand.start(job).await;
    hand.succeed(given.attempt).await;
    let mut listener = Listener::open(&acme.developer, job, None).await;
    let last = listener.until("succeeded").await.pop().unwrap().id.unwrap();
    let path = format!("/v1/jobs/{job}/events");
    acme.developer.get(&format!("{path}?after={last}")).await.expect(204);
    let odd = TestRequest::get().uri(&path).insert_header(("last-event-id", "yesterday"));
    let refused = acme.developer.send(odd).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.fields(), ["Last-Event-ID"]);
}
