//! Whether the tables stay healthy: how soon a job starts when they are empty, after many jobs, and after
//! as many again while a reader has kept a snapshot open.

use e2e::bench::Turn;

use crate::{Load, latency, ours::Platform, report::Latency};

/// How much longer a job may take to start than on empty tables.
const ASKED: f64 = 1.2;

pub struct Tables {
    /// In each of the two loads.
    pub jobs: usize,
    pub empty: Latency,
    pub after: Latency,
    pub with_reader: Latency,
    /// Bytes of the log that a job cost.
    pub wal_per_job: f64,
    /// Rows that are dead and not yet removed, of all tables: after the first load, and with the reader.
    pub dead: [f64; 2],
    /// Bytes of tables and indexes after the first load, for each job.
    pub bytes_per_job: f64,
}

impl Tables {
    pub fn ok(&self) -> bool {
        self.after.p50 <= ASKED * self.empty.p50 && self.with_reader.p50 <= ASKED * self.empty.p50
    }
}

pub async fn measure(turn: &Turn, load: &Load, samples: usize) -> anyhow::Result<Tables> {
    let mut platform = Platform::start(turn, load).await?;
    let empty = latency(&platform.latencies(samples).await?);
    let written = turn.number(WRITTEN)?;
    platform.run(load).await?;
    let wal_per_job = (turn.number(WRITTEN)? - written) / load.jobs as f64;
    let (first_dead, bytes) = (turn.number(DEAD)?, turn.number(BYTES)?);
    let after = latency(&platform.latencies(samples).await?);
    let reader = turn.reader()?;
    platform.run(load).await?;
    let with_reader = latency(&platform.latencies(samples).await?);
    let dead = [first_dead, turn.number(DEAD)?];
    drop(reader);
    platform.stop().await?;
    let bytes_per_job = bytes / load.jobs as f64;
    Ok(Tables { jobs: load.jobs, empty, after, with_reader, wal_per_job, dead, bytes_per_job })
}

const WRITTEN: &str = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn";
const DEAD: &str = "select sum(n_dead_tup) from pg_stat_user_tables";
const BYTES: &str = "select sum(pg_total_relation_size(relid)) from pg_stat_user_tables";
