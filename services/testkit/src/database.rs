//! One database per test, cloned from a migrated template: a fifth of a second, and no test sees
//! another's rows.

use std::{env, fmt, thread};

use boot::postgres::{DATABASE, SUPERUSER};
use store::{Service, StoreError, admin};
use tokio::runtime;
use uuid::Uuid;

use crate::POSTGRES_VARIABLE;

/// Nobody connects to it, or it could not be cloned.
const TEMPLATE: &str = "cupola_template";

/// Dropped with its guard; a failing test leaves its database and says which.
#[derive(Debug)]
pub struct TestDb {
    server: ServerUrl,
    name: String,
}

impl TestDb {
    /// # Panics
    /// Without the services of `with-services`, and when Postgres refuses.
    pub async fn create() -> Self {
        let url = env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| {
            panic!(
                "{POSTGRES_VARIABLE} is not set; run the tests through \
                 `cargo run -q -p testkit --bin with-services -- cargo nextest run`"
            )
        });
        let server = ServerUrl::parse(&url).unwrap_or_else(|| {
            panic!("{POSTGRES_VARIABLE}={url} is not like postgres://user@localhost/database")
        });
        let name = format!("test_{}", Uuid::now_v7().simple());
        admin::create_database(&url, &name, Some(TEMPLATE))
            .await
            .unwrap_or_else(|error| panic!("could not clone {TEMPLATE} at {url}: {error:?}"));
        Self { server, name }
    }

    /// By a login that may act as any service: a test is all of them.
    pub fn url(&self) -> String {
        self.url_as(Service::ANY_LOGIN)
    }

    pub fn url_as(&self, login: &str) -> String {
        self.server.of(login, &self.name)
    }

    /// As the owner, whom row-level security does not bind.
    pub fn owner_url(&self) -> String {
        self.server.of(SUPERUSER, &self.name)
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the test's database is left as it was: {}", self.owner_url());
            return;
        }
        let server = self.server.of(SUPERUSER, DATABASE);
        let name = self.name.clone();
        // A thread of its own, because the test's runtime cannot be waited for from inside.
        let dropped = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(admin::drop_database(&server, &name)).map_err(anyhow::Error::from)
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("could not drop the database {}: {error:#}", self.name);
        }
    }
}

/// Makes the template, once per cluster, from its migrated database.
pub async fn make_template(owner_url: &str) -> Result<(), StoreError> {
    admin::create_database(owner_url, TEMPLATE, Some(DATABASE)).await
}

/// A URL whose user and database can be exchanged.
#[derive(Clone, PartialEq, Eq)]
struct ServerUrl {
    host: String,
    query: String,
}

impl ServerUrl {
    fn parse(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, _database) = address.split_once('/')?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Some(Self { host: host.to_owned(), query: query.to_owned() })
    }

    fn of(&self, user: &str, database: &str) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("postgres://{user}@{}/{database}{mark}{}", self.host, self.query)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of("…", "…"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_database_are_exchanged_and_nothing_else() {
        let server = ServerUrl::parse("postgres://a@localhost:5432/b?host=%2Frun%2Fx").unwrap();
        assert_eq!(server.of("c", "d"), "postgres://c@localhost:5432/d?host=%2Frun%2Fx");
        let plain = ServerUrl::parse("postgres://localhost/b").unwrap();
        assert_eq!(plain.of("c", "d"), "postgres://c@localhost/d");
        assert_eq!(ServerUrl::parse("localhost"), None);
    }
}
