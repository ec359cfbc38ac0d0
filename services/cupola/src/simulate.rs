//! `cupola admin simulate`: what a policy would do to a trace, beside the plain orders.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use planner::Order;
use simulator::{
    Figures, draw, report, run,
    workload::{Setup, read},
};

#[derive(Args)]
pub struct Arguments {
    /// A table of tasks in the columns of the openb trace (.csv, .csv.gz), or a description of a made
    /// trace (.json); docs/SCHEDULING.md has the fields.
    #[arg(long)]
    trace: PathBuf,
    /// The policy (.json): half-life, minimum runtime, quotas and the rest; defaults without one.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// A table's nodes; the `*node_list*` beside it if absent.
    #[arg(long)]
    nodes: Option<PathBuf>,
    /// The orders to replay it in; all of them if absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    order: Vec<OrderName>,
    /// Draws use, waiting jobs and fairness over time.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// The figures for programs.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum OrderName {
    FairShare,
    Fifo,
    Priority,
    RoundRobin,
}

impl From<OrderName> for Order {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::FairShare => Self::FairShare,
            OrderName::Fifo => Self::Fifo,
            OrderName::Priority => Self::Priority,
            OrderName::RoundRobin => Self::RoundRobin,
        }
    }
}

pub fn run_all(arguments: &Arguments) -> anyhow::Result<()> {
    let setup = setup(arguments.policy.as_deref())?;
    let workload = read(&arguments.trace, arguments.nodes.as_deref(), &setup)?;
    let chosen =
        if arguments.order.is_empty() { OrderName::value_variants() } else { &arguments.order };
    let runs: Vec<_> = chosen
        .iter()
        .map(|name| {
            let order = Order::from(*name);
            let journal = run(&workload, &setup, order);
            (Figures::of(&workload, &journal, order), journal)
        })
        .collect();
    let figures: Vec<_> = runs.iter().map(|(figures, _)| figures.clone()).collect();
    println!(
        "{} jobs of {} tenants on {} workers\n\n{}",
        workload.jobs.len(),
        workload.tenants.len(),
        workload.workers.len(),
        report::table(&figures)
    );
    if let Some(path) = &arguments.svg {
        let title = arguments.trace.file_name().unwrap_or_default().to_string_lossy();
        let lines: Vec<_> =
            runs.iter().map(|(figures, journal)| (figures.order, journal)).collect();
        write(path, &draw::svg(&title, &lines))?;
    }
    if let Some(path) = &arguments.json {
        write(path, &serde_json::to_string_pretty(&figures)?)?;
    }
    Ok(())
}

fn setup(policy: Option<&Path>) -> anyhow::Result<Setup> {
    let Some(path) = policy else { return Ok(Setup::default()) };
    let named = || format!("the policy {}", path.display());
    let text = std::fs::read_to_string(path).with_context(named)?;
    let setup: Setup = serde_json::from_str(&text).with_context(named)?;
    setup.check().with_context(named)?;
    Ok(setup)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
