//! What is done to a database from outside: migrating it, and making and dropping those of tests.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{MIGRATOR, StoreError};

/// Runs what is missing of the migrations, as the database's owner.
pub async fn migrate(owner_url: &str) -> Result<(), StoreError> {
    let mut connection = PgConnection::connect(owner_url).await?;
    MIGRATOR.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// `name` and `template` are ours, never a client's.
pub async fn create_database(
    server_url: &str,
    name: &str,
    template: Option<&str>,
) -> Result<(), StoreError> {
    let template = template.map(|t| format!(r#" template "{t}""#)).unwrap_or_default();
    execute(server_url, format!(r#"create database "{name}"{template}"#)).await
}

pub async fn drop_database(server_url: &str, name: &str) -> Result<(), StoreError> {
    execute(server_url, format!(r#"drop database if exists "{name}" with (force)"#)).await
}

async fn execute(server_url: &str, statement: String) -> Result<(), StoreError> {
    let mut connection = PgConnection::connect(server_url).await?;
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
