//! Connections that read for tenants and do nothing else. Each has taken the role of a tenant for good, sees no
//! tenant's rows by itself, and is told by each statement whose it is to show ([`crate::reads`]). They have left the
//! pool, which has a connection asked whether it is still there whenever it comes back: that would be half as many
//! questions again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use sqlx::{Connection, PgConnection, PgPool, Postgres, postgres::PgArguments, postgres::PgRow};
use tokio::sync::Semaphore;

use crate::{MAX_LIFETIME, TRUSTED_FOR};

pub type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

#[derive(Debug)]
pub struct Readers {
    pool: PgPool,
    /// As many statements at once, and so connections.
    room: Semaphore,
    idle: Mutex<Vec<Reader>>,
}

#[derive(Debug)]
struct Reader {
    connection: PgConnection,
    opened: Instant,
    used: Instant,
}

impl Readers {
    pub fn new(pool: PgPool, most: u32) -> Self {
        Self { pool, room: Semaphore::new(most as usize), idle: Mutex::default() }
    }

    /// A connection that has not answered to the end is closed.
    pub async fn row(&self, query: Query) -> Result<Option<PgRow>, sqlx::Error> {
        let _room = self.room.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let mut reader = self.reader().await?;
        let row = query.fetch_optional(&mut reader.connection).await?;
        reader.used = Instant::now();
        if reader.opened.elapsed() < MAX_LIFETIME {
            self.idle().push(reader);
        }
        Ok(row)
    }

    async fn reader(&self) -> Result<Reader, sqlx::Error> {
        while let Some(mut reader) = self.last_used() {
            if reader.used.elapsed() < TRUSTED_FOR || reader.connection.ping().await.is_ok() {
                return Ok(reader);
            }
        }
        let mut connection = self.pool.acquire().await?.detach();
        sqlx::raw_sql("set role cupola_tenant").execute(&mut connection).await?;
        let now = Instant::now();
        Ok(Reader { connection, opened: now, used: now })
    }

    fn last_used(&self) -> Option<Reader> {
        self.idle().pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn close(&self) {
        self.room.close();
        self.idle().clear();
    }
}
