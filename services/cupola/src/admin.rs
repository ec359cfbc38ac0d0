//! What operators do from a shell, against the database itself.

use anyhow::Context;
use clap::Subcommand;
use domain::{ApiKeyId, JobId, UserId};
use gateway::ApiSecret;
use store::{Store, keys, people};

use crate::{config::Database, explain::explain, simulate};

#[derive(Subcommand)]
pub enum Command {
    /// Replays a trace of jobs through the scheduler's own planner, with a virtual clock.
    Simulate(simulate::Arguments),
    /// Says why a job waits, what is ahead of it and when it starts.
    Explain {
        job: JobId,
        /// As the API answers.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Makes the operator with this address, if there is none, and prints a new API key for them.
    OperatorKey {
        #[arg(long, default_value = "operator@localhost")]
        email: String,
        #[command(flatten)]
        database: Database,
    },
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Simulate(arguments) => simulate::run_all(&arguments),
        Command::Explain { job, json, database } => {
            let store = Store::connect(&database.database_url, 1)?;
            println!("{}", explain(&store, job, json).await?);
            Ok(())
        }
        Command::OperatorKey { email, database } => {
            let store = Store::connect(&database.database_url, 1)?;
            println!("{}", operator_key(&store, &email).await?);
            Ok(())
        }
    }
}

pub async fn migrate(database: &Database) -> anyhow::Result<()> {
    store::admin::migrate(&database.database_url).await.context(
        "the database could not be migrated; DATABASE_URL must name its owner, who may create roles",
    )
}

/// A new key for the operator: shown once, stored as a digest.
pub async fn operator_key(store: &Store, email: &str) -> anyhow::Result<String> {
    let secret = ApiSecret::generate().context("the system gave no random bytes")?;
    let mut tx = store.begin().await?;
    let user = people::ensure_operator(&mut tx, UserId::generate(), email).await?;
    let key = keys::NewKey {
        id: ApiKeyId::generate(),
        tenant: None,
        user,
        name: "operator",
        prefix: secret.prefix(),
        sha256: secret.sha256(),
        expires_at: None,
    };
    keys::create(&mut tx, &key).await?;
    tx.commit().await?;
    Ok(secret.reveal().to_owned())
}
