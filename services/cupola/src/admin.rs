//! What operators do from a shell, against the database itself.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use clap::Subcommand;
use domain::{ApiKeyId, Clock, JobId, UserId, access::Role, audit::Entry};
use gateway::{
    ApiSecret,
    auth::{self, OfReset, Secret},
};
use registry::LocalMaster;
use store::{
    Service, Store,
    keys::{self, KeyDraft},
    people,
    signing::Purpose,
};

use crate::{
    audit,
    config::{Database, MasterKeys},
    explain::explain,
    simulate,
};

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
    /// Verifies the audit log, or prints it.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Makes the operator with this address, if there is none, and prints a new API key for them.
    OperatorKey {
        #[arg(long, default_value = "operator@localhost")]
        email: String,
        #[command(flatten)]
        database: Database,
    },
    /// Prints a token by which whoever has this address chooses a new password, within a day.
    ResetPassword {
        #[arg(long)]
        email: String,
        #[command(flatten)]
        database: Database,
    },
    /// Makes a new key that signs access tokens, and prints its name. It signs after five minutes, and the old
    /// one is forgotten once its last token has expired.
    RotateSigningKey {
        /// Of those that sign the manifests of models, which are never forgotten.
        #[arg(long)]
        manifests: bool,
        #[command(flatten)]
        database: Database,
        #[command(flatten)]
        master_keys: MasterKeys,
    },
    /// Makes a master key in a new file, readable by its owner alone. Without it, what it encrypts is lost.
    NewMasterKey { file: PathBuf },
    /// Wraps every tenant's key and every signing key by the first of the master keys that were given. No data is
    /// rewritten; afterwards the others are not needed any more.
    RotateMasterKey {
        #[command(flatten)]
        database: Database,
        #[command(flatten)]
        master_keys: MasterKeys,
    },
}

const RESET_LASTS: TimeDelta = TimeDelta::days(1);

pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Simulate(arguments) => simulate::run_all(&arguments),
        Command::Explain { job, json, database } => {
            let store = Store::connect(&database.database_url, 1, Service::Gateway)?;
            println!("{}", explain(&store, job, json).await?);
            Ok(())
        }
        Command::Audit(command) => audit::run(command).await,
        Command::OperatorKey { email, database } => {
            let store = Store::connect(&database.database_url, 1, Service::Gateway)?;
            println!("{}", operator_key(&store, &email).await?);
            Ok(())
        }
        Command::ResetPassword { email, database } => {
            let store = Store::connect(&database.database_url, 1, Service::Gateway)?;
            println!("{}", reset_token(&store, &email.to_lowercase()).await?);
            Ok(())
        }
        Command::RotateSigningKey { manifests, database, master_keys } => {
            let store = Store::connect(&database.database_url, 1, Service::Gateway)?;
            let masters = master_keys.open()?;
            let purpose = if manifests { Purpose::Manifest } else { Purpose::Token };
            let now = Clock::System.now();
            println!("{}", auth::rotate(&store, masters.as_ref(), purpose, now).await?);
            Ok(())
        }
        Command::NewMasterKey { file } => Ok(LocalMaster::create(&file)?),
        Command::RotateMasterKey { database, master_keys } => {
            let store = Store::connect(&database.database_url, 1, Service::Gateway)?;
            let masters = master_keys.open()?.context("name the master keys, the new one first")?;
            let tenants = registry::rewrap(&store, &masters).await?;
            let signing = auth::rewrap(&store, &masters).await?;
            let name = masters.current();
            let rotated = Entry::done("rotate_master_key", "master key", name);
            let mut tx = store.begin().await?;
            store::audit::append(&mut tx, None, &rotated).await?;
            tx.commit().await?;
            println!("by master key {name}: {tenants} keys of tenants, {signing} signing keys");
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
    let who = (email, "operator");
    let user = people::ensure_platform(&mut tx, UserId::generate(), who, Role::Operator).await?;
    let key = keys::NewKey {
        id: ApiKeyId::generate(),
        tenant: None,
        user,
        prefix: secret.prefix(),
        sha256: secret.sha256(),
        draft: KeyDraft::named("operator"),
    };
    keys::create(&mut tx, &key).await?;
    let made = Entry::done("make_operator_key", "API key", key.id);
    let made = Entry { user: Some(user), key: Some(key.id), ..made };
    store::audit::append(&mut tx, None, &made).await?;
    tx.commit().await?;
    Ok(secret.reveal().to_owned())
}

/// For `POST /v1/auth/password/reset`.
async fn reset_token(store: &Store, email: &str) -> anyhow::Result<String> {
    let secret = Secret::<OfReset>::generate().context("the system gave no random bytes")?;
    let until = Clock::System.now() + RESET_LASTS;
    let mut tx = store.begin().await?;
    let allowed = people::allow_reset(&mut tx, email, secret.sha256(), until).await?;
    ensure!(allowed, "nobody has the address `{email}`");
    let made = Entry::done("make_reset_token", "user", email);
    store::audit::append(&mut tx, None, &made).await?;
    tx.commit().await?;
    Ok(secret.reveal().to_owned())
}
