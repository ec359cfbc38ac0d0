//! Submits what is ordered, as a client does that wants each job once and hears many an error: with an
//! `Idempotency-Key`, again and again until it is answered. Keeps a ledger of what it was told.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use domain::JobId;
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Options,
    orders::{Copies, Order, TENANTS, orders},
    report::Tally,
};
use crate::{Answer, Client, wait::LOOK_EVERY};

/// An order and what was answered to it.
#[derive(Debug)]
pub struct Entry {
    pub order: Order,
    /// The jobs' ids, one for each request that was accepted.
    pub accepted: Vec<JobId>,
    /// What was said against it.
    pub refused: Option<String>,
    /// Answers that no request of ours should get.
    pub unexpected: Vec<String>,
}

pub struct Load<'a> {
    clients: &'a [Client],
    tally: &'a Tally,
    /// Begins each key, so that no other run's is met.
    seed: u64,
    orders: Vec<Order>,
    /// Between two submissions.
    pace: Duration,
    ledger: RefCell<Vec<Entry>>,
}

impl<'a> Load<'a> {
    /// `clients` are the tenants', in their order.
    pub fn new(options: &Options, clients: &'a [Client], tally: &'a Tally) -> Self {
        let orders = orders(options.seed, options.jobs);
        let pace = Duration::from_secs_f64(options.minutes * 60.0 / orders.len().max(1) as f64);
        Self { clients, tally, seed: options.seed, orders, pace, ledger: RefCell::default() }
    }

    /// Each tenant's orders one after another, all tenants at once.
    pub async fn submit_all(&self) {
        let begin = Instant::now();
        let of_tenant = |tenant| async move {
            for order in self.orders.iter().filter(|order| order.tenant == tenant) {
                let share = u32::try_from(order.number).unwrap();
                sleep_until(begin + self.pace * share).await;
                self.submit(order.clone()).await;
            }
        };
        join_all((0..TENANTS.len()).map(of_tenant)).await;
    }

    /// One more, beside what was ordered.
    pub async fn submit_to_the_tiny_disk(&self) -> Option<JobId> {
        let is_extra = |entry: &&Entry| entry.order.number >= self.orders.len();
        let extra = self.ledger.borrow().iter().filter(is_extra).count();
        let order = Order::for_the_tiny_disk(self.orders.len() + extra);
        self.submit(order).await
    }

    async fn submit(&self, order: Order) -> Option<JobId> {
        let on = order.after.map(|(on, _)| self.accepted(on));
        let draft = order.draft(on.flatten().map(|id| id.to_string()).as_deref());
        let entry = Entry { order, accepted: Vec::new(), refused: None, unexpected: Vec::new() };
        let place = self.ledger.borrow().len();
        self.ledger.borrow_mut().push(entry);
        let copies = self.ledger.borrow()[place].order.copies;
        let together = if copies == Copies::Together { 3 } else { 1 };
        join_all((0..together).map(|_| self.until_answered(place, &draft))).await;
        if copies == Copies::Again {
            self.until_answered(place, &draft).await;
        }
        let entry = &self.ledger.borrow()[place];
        self.tally.add("submissions accepted", u64::from(!entry.accepted.is_empty()));
        let duplicates = entry.accepted.len().saturating_sub(1);
        self.tally.add("duplicates of them, answered with the same job", duplicates as u64);
        entry.accepted.first().copied()
    }

    /// The job that an order has become.
    fn accepted(&self, number: usize) -> Option<JobId> {
        let ledger = self.ledger.borrow();
        ledger.iter().find(|entry| entry.order.number == number)?.accepted.first().copied()
    }

    /// One request, as often as it takes.
    async fn until_answered(&self, place: usize, draft: &Value) {
        let (key, client) = {
            let order = &self.ledger.borrow()[place].order;
            (format!("chaos-{}-{}", self.seed, order.number), &self.clients[order.tenant])
        };
        loop {
            let request = client.request(Method::POST, "/v1/jobs").header("Idempotency-Key", &key);
            let answer = client.answer_to(request.json(draft)).await;
            if self.is_settled(place, answer) {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn is_settled(&self, place: usize, answer: Option<Answer>) -> bool {
        let entry = &mut self.ledger.borrow_mut()[place];
        let Some(Answer { status, body }) = answer else {
            self.tally.add("requests that broke off", 1);
            return false;
        };
        match (status, body["id"].as_str().and_then(|id| id.parse().ok())) {
            (StatusCode::ACCEPTED, Some(id)) => entry.accepted.push(id),
            (StatusCode::UNPROCESSABLE_ENTITY, _) => {
                self.tally.add("submissions refused", 1);
                entry.refused = Some(body["detail"].to_string());
            }
            (StatusCode::SERVICE_UNAVAILABLE, _) => {
                self.tally.add("requests told to come again (503)", 1);
                return false;
            }
            (StatusCode::TOO_MANY_REQUESTS, _) => {
                self.tally.add("requests told that the queue is full (429)", 1);
                return false;
            }
            _ => {
                entry.unexpected.push(format!("{status}: {body}"));
                // a fault of ours is enough to know of once
                return entry.unexpected.len() >= 3;
            }
        }
        true
    }

    /// `None` while the platform does not answer.
    pub async fn has_ended(&self, tenant: usize, job: JobId) -> Option<bool> {
        let job = self.clients[tenant].try_get(&format!("/v1/jobs/{job}")).await?;
        Some(job["finished_at"].is_string())
    }

    /// Those whose processes are to be killed.
    pub fn poisoned(&self) -> BTreeSet<String> {
        let ledger = self.ledger.borrow();
        let poisoned = ledger.iter().filter(|entry| entry.order.is_poisoned);
        poisoned.filter_map(|entry| Some(entry.accepted.first()?.to_string())).collect()
    }

    pub fn into_ledger(self) -> Vec<Entry> {
        self.ledger.into_inner()
    }
}
