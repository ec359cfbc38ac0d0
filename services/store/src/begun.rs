//! Beginning a transaction, to its end. Who drops sqlx's own future while the database has not answered yet gives the
//! connection back with the transaction open, since nothing has been counted that would have to be rolled back; whoever
//! has it next is in that transaction.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{FutureExt, future::BoxFuture};
use sqlx::{AssertSqlSafe, PgPool, Postgres, SqlSafeStr, Transaction};
use tokio::runtime::Handle;

type Begun = Result<Transaction<'static, Postgres>, sqlx::Error>;

/// `begin` is of names and ids of ours alone.
pub async fn begun(pool: &PgPool, begin: String) -> Begun {
    let connection = pool.acquire().await?;
    ToItsEnd(Some(Transaction::begin(connection, Some(AssertSqlSafe(begin).into_sql_str())))).await
}

/// Goes on by itself when nobody waits for it any more; what has begun is rolled back then.
struct ToItsEnd(Option<BoxFuture<'static, Begun>>);

impl Future for ToItsEnd {
    type Output = Begun;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Begun> {
        let begin = self.0.as_mut().expect("it is not asked again once it has answered");
        let begun = ready!(begin.poll_unpin(cx));
        self.0 = None;
        Poll::Ready(begun)
    }
}

impl Drop for ToItsEnd {
    fn drop(&mut self) {
        if let (Some(begin), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(begin);
        }
    }
}
