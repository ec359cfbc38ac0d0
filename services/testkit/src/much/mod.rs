//! A tenant with so much that whatever reads all of it is seen.

use std::{
    env,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use boot::postgres::find_binaries;
use domain::Timestamp;

const FILL: &str = include_str!("much.sql");
const EXPLAIN: &str = include_str!("explained.sql");

/// Fills a tenant that has a training which has succeeded: 10,000 jobs of the month before `now`, and 1,000
/// models.
pub fn fill_with_much(owner_url: &str, tenant: &str, now: Timestamp) -> anyhow::Result<()> {
    run(owner_url, &[("tenant", tenant), ("now", &now.to_rfc3339())], FILL)
}

/// Has Postgres tell whoever asks how it has found the answer, as a notice; on connections from now on.
pub fn explain_to_clients(owner_url: &str) -> anyhow::Result<()> {
    run(owner_url, &[], EXPLAIN)
}

fn run(owner_url: &str, variables: &[(&str, &str)], script: &str) -> anyhow::Result<()> {
    let explicit = env::var_os("CUPOLA_PG_BIN");
    let bin = find_binaries(explicit.as_deref().map(Path::new))?;
    let mut psql = Command::new(bin.program("psql"));
    psql.arg("-Xq").args(["-d", owner_url]);
    for (name, value) in variables {
        psql.arg("-v").arg(format!("{name}={value}"));
    }
    psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut psql = psql.spawn().context("psql does not start")?;
    psql.stdin.take().context("psql takes a script")?.write_all(script.as_bytes())?;
    let said = psql.wait_with_output()?;
    ensure!(said.status.success(), "psql: {}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}
