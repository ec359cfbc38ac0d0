//! What encryption costs a push: the same file, pushed to a gateway with a master key and to one without.

use std::time::Instant;

use anyhow::ensure;
use e2e::{
    Client, Gateway,
    bench::{MEBIBYTE, median},
};
use reqwest::{Body, Method};
use tokio_util::bytes::Bytes;

const BYTES: usize = 128 << 20;
/// The first is not counted.
const PUSHES: usize = 5;

pub fn file() -> Bytes {
    let mut csv = String::with_capacity(BYTES + 64);
    csv.push_str("id,amount,note\n");
    let mut n = 0_u64;
    while csv.len() < BYTES {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        csv.push_str(&format!("{n},{}.{:02},row {mixed:x}\n", mixed >> 50, mixed % 100));
        n += 1;
    }
    csv.into()
}

/// MiB a second, the middle of several pushes.
pub async fn measure(file: &Bytes, is_encrypted: bool) -> anyhow::Result<f64> {
    let gateway = Gateway::start(is_encrypted).await;
    let tenant = gateway.operator.tenant("acme").await;
    let mut rates = Vec::new();
    for n in 0..PUSHES {
        let begun = Instant::now();
        push(&tenant, n, file).await?;
        rates.push(file.len() as f64 / MEBIBYTE / begun.elapsed().as_secs_f64());
    }
    Ok(median(&rates[1..]))
}

async fn push(tenant: &Client, n: usize, file: &Bytes) -> anyhow::Result<()> {
    let path = format!("/v1/datasets/{}/versions", ["first", "other"][n.min(1)]);
    let request = tenant.request(Method::POST, &path).header("content-type", "text/csv");
    let answer = request.body(Body::from(file.clone())).send().await?;
    let status = answer.status();
    ensure!(status.is_success(), "{status}: {}", answer.text().await?);
    Ok(())
}
