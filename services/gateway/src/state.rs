//! What every handler can reach, made once per process.

use std::time::Duration;

use boot::{bus::Bus, rates::Rates};
use domain::{Clock, job::RetryPolicy, spec::Limits};
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use registry::Blobs;
use serving::Predictors;
use store::Store;

use crate::{
    auth::{Passwords, Signer},
    counts::Counts,
    egress::Egress,
    endpoints::Endpoints,
    limits::RequestRates,
    metered::Metered,
    recent::Recent,
};

pub struct App {
    pub store: Store,
    pub blobs: Blobs,
    pub bus: Bus,
    pub predictor: Predictors,
    pub signer: Signer,
    pub passwords: Passwords,
    pub rates: Rates,
    /// What has been downloaded.
    pub egress: Egress,
    /// What is not written yet of what is counted.
    pub counts: Counts,
    pub endpoints: Endpoints,
    /// What has been predicted.
    pub metered: Metered,
    /// What predictions have just asked of the database.
    pub recent: Recent,
    pub clock: Clock,
    pub config: Config,
    /// Where a recorder was installed; without one `/metrics` is empty.
    pub metrics: Option<PrometheusHandle>,
}

#[derive(Debug, Clone)]
pub struct Config {
    /// The most bytes of one dataset, as sent.
    pub max_upload_bytes: u64,
    /// The most bytes of a JSON body.
    pub max_json_bytes: usize,
    /// For a JSON body, and for the next bytes of an upload.
    pub body_within: Duration,
    /// Where clients reach this gateway: the issuer of its access tokens.
    pub public_url: String,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    pub retry: RetryPolicy,
    pub limits: Limits,
    /// How long bytes lie that no row names, before they are set aside and before they are deleted.
    pub clear_after: Duration,
    pub rates: RequestRates,
    /// Whether what is public is shown to who has no credential.
    pub visitors: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_upload_bytes: 4 << 30,
            max_json_bytes: 16 << 20,
            body_within: Duration::from_secs(30),
            public_url: "http://localhost:8080".to_owned(),
            trusted_proxies: Vec::new(),
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            clear_after: Duration::from_secs(24 * 3_600),
            rates: RequestRates::default(),
            visitors: true,
        }
    }
}
