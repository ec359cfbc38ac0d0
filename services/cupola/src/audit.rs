//! `cupola admin audit`: whether the audit log is what was written, its heads for keeping elsewhere, and
//! the log itself as lines of JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Subcommand;
use domain::{TenantId, audit::Head};
use store::{
    Service, Store,
    audit::{self, Filter},
    tenants,
};

use crate::config::Database;

#[derive(Subcommand)]
pub enum Command {
    /// Says which records were changed, moved or taken out since they were sealed; fails if any were.
    Verify {
        /// Of this tenant alone.
        #[arg(long)]
        tenant: Option<String>,
        /// Heads of earlier times, as `heads` prints them: they show also what an owner of the database
        /// has sealed anew.
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        #[command(flatten)]
        database: Database,
    },
    /// Prints the head of each log, a line of JSON for each: keep them elsewhere.
    Heads(Database),
    /// Prints a log in the order of its chain, a line of JSON for each record.
    Export {
        /// Whose; the platform's if absent.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        database: Database,
    },
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Verify { tenant, heads, database } => {
            let store = Store::connect(&database.database_url, 1, Service::Gateway)?;
            let kept = heads.as_deref().map(read_heads).transpose()?.unwrap_or_default();
            verify(&store, tenant.as_deref(), &kept).await
        }
        Command::Heads(database) => {
            print_heads(&Store::connect(&database.database_url, 1, Service::Gateway)?).await
        }
        Command::Export { tenant, database } => {
            let store = Store::connect(&database.database_url, 1, Service::Gateway)?;
            let of = match &tenant {
                Some(slug) => Some(named(&store, slug).await?),
                None => None,
            };
            export(&store, of).await
        }
    }
}

fn read_heads(path: &Path) -> anyhow::Result<Vec<Head>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty()).enumerate();
    let head = |(n, line): (usize, &str)| {
        let wrong = || format!("{}, line {}: not a head", path.display(), n + 1);
        serde_json::from_str(line).with_context(wrong)
    };
    lines.map(head).collect()
}

async fn named(store: &Store, slug: &str) -> anyhow::Result<TenantId> {
    let tenant = tenants::by_slug(&mut store.begin().await?, slug).await?;
    Ok(tenant.with_context(|| format!("there is no tenant `{slug}`"))?.id)
}

async fn verify(store: &Store, tenant: Option<&str>, kept: &[Head]) -> anyhow::Result<()> {
    let logs: BTreeSet<Option<TenantId>> = match tenant {
        Some(slug) => [Some(named(store, slug).await?)].into(),
        None => {
            let there = audit::chains(&mut store.begin().await?).await?;
            there.into_iter().chain(kept.iter().map(|head| head.tenant)).collect()
        }
    };
    let slugs: BTreeMap<TenantId, String> = tenants::list(&mut store.begin().await?)
        .await?
        .into_iter()
        .map(|tenant| (tenant.id, tenant.slug))
        .collect();
    let mut wrong = 0;
    for of in logs {
        let slug = of.and_then(|tenant| slugs.get(&tenant)).map_or("", String::as_str);
        let name = of.map_or("platform".to_owned(), |tenant| format!("{tenant} {slug}"));
        let kept = kept.iter().filter(|head| head.tenant == of).map(|head| head.seal).collect();
        let (head, findings) = audit::verify(&mut store.begin().await?, of, kept).await?;
        let records = head.map_or(0, |head| head.place);
        match findings.len() {
            0 => println!("{name}: {records} records, all as they were sealed"),
            found => println!("{name}: {records} records, and {found} findings"),
        }
        findings.iter().for_each(|finding| println!("  {finding}"));
        wrong += findings.len();
    }
    let unsealed = audit::unsealed(&mut store.begin().await?).await?;
    if unsealed > 0 {
        println!("{unsealed} records have not been sealed yet; a gateway does it within moments");
    }
    if wrong > 0 {
        bail!("the audit log is not what was written");
    }
    Ok(())
}

async fn print_heads(store: &Store) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    for tenant in audit::chains(&mut tx).await? {
        if let Some(seal) = audit::head(&mut tx, tenant).await? {
            println!("{}", serde_json::to_string(&Head { tenant, seal })?);
        }
    }
    Ok(())
}

async fn export(store: &Store, of: Option<TenantId>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let mut from = 1;
    loop {
        let mut tx = store.begin().await?;
        let records = audit::sealed(&mut tx, of, from, &Filter::default()).await?;
        tx.commit().await?;
        let Some(last) = records.last().and_then(|record| record.seal) else { break };
        for record in &records {
            serde_json::to_writer(&mut out, record)?;
            out.write_all(b"\n")?;
        }
        from = last.place + 1;
    }
    Ok(out.flush()?)
}
