//! What a tenant feels of another one that asks a hundred times as much as it may.

use std::time::Duration;

use e2e::{
    Up,
    bench::{Answered, Load, Quiet, Spread, offer, ratio},
};
use tokio::join;

use crate::model::{Model, Published};

/// Requests a second that a tenant may make.
const RATE: u32 = 50;
const TIMES: f64 = 100.0;
/// Those who make noise, and those whose answers are timed.
const ASKERS: [usize; 2] = [32, 4];
const FOR: Duration = Duration::from_secs(20);
/// The 99th percentile beside the noise, by the one alone.
const ASKED: f64 = 1.2;

pub struct Noise {
    /// Without the other tenant and with it, by repetition.
    pub sides: Vec<Vec<Answered>>,
}

impl Noise {
    pub fn times(&self) -> Spread {
        let p99: Vec<Vec<f64>> =
            self.sides.iter().map(|side| side.iter().map(|a| a.p99).collect()).collect();
        ratio(&[p99[1].clone(), p99[0].clone()], 1)
    }

    pub fn ok(&self) -> bool {
        self.times().median <= ASKED
    }

    pub const ASKED: f64 = ASKED;
    pub const ABOUT: [u32; 2] = [RATE, RATE * TIMES as u32];
}

pub async fn measure(repetitions: usize, quiet: &Quiet) -> anyhow::Result<Noise> {
    let tenants = ["CUPOLA_RATE_PER_CREDENTIAL", "CUPOLA_RATE_PER_TENANT"];
    let mut limits: Vec<_> = tenants.map(|name| (name, RATE.to_string())).into();
    // both tenants call from here
    limits.push(("CUPOLA_RATE_PER_ADDRESS", "1000000".to_owned()));
    let up = Up::start_with(limits).await;
    let (acme, noisy) = (up.operator.tenant("acme").await, up.operator.tenant("noisy").await);
    let mut loads = Vec::new();
    for tenant in [&noisy, &acme] {
        let published = Published::train(tenant, &Model::ALL[0]).await?;
        loads.push(Load {
            host: tenant.host(),
            path: published.predict_path(),
            key: Some(tenant.key().to_owned()),
            bodies: published.bodies("row", false),
            may_be_refused: tenant.slug == noisy.slug,
        });
    }
    let asked = 0.9 * f64::from(RATE);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        quiet.wait()?;
        alone.push(offer(&loads[1], asked, ASKERS[1], FOR).await?);
        let noise = offer(&loads[0], TIMES * f64::from(RATE), ASKERS[0], FOR);
        let (noise, timed) = join!(noise, offer(&loads[1], asked, ASKERS[1], FOR));
        noise?;
        beside.push(timed?);
    }
    Ok(Noise { sides: vec![alone, beside] })
}
