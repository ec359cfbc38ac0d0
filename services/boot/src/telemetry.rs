//! Logs go to stderr, for people or for machines, filtered by `CUPOLA_LOG`.

use std::{env, io};

use anyhow::{Context, anyhow};
use tracing_subscriber::EnvFilter;

const FILTER_VARIABLE: &str = "CUPOLA_LOG";
const DEFAULT_FILTER: &str = "info";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    #[default]
    Human,
    Json,
}

/// Once per process, before anything is logged.
pub fn init(format: LogFormat) -> anyhow::Result<()> {
    let wanted = env::var(FILTER_VARIABLE).unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    let filter = EnvFilter::try_new(&wanted).with_context(|| {
        format!("{FILTER_VARIABLE}={wanted} is no log filter; use one such as `info,store=debug`")
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Human => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    }
    .map_err(|error| anyhow!("logging was set up twice: {error}"))
}
