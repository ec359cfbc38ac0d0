//! Beginning a transaction, so that nobody's is left open on a connection of the pool: whoever had it next would be
//! in it. sqlx rolls back what it has counted, and it counts a transaction once the database has said that it has
//! begun. What can be refused therefore stands before `begin`, and who does not wait for the answer has it waited for.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{FutureExt, future::BoxFuture};
use sqlx::{AssertSqlSafe, PgPool, Postgres, SqlSafeStr, Transaction};
use tokio::runtime::Handle;

type Begun = Result<Transaction<'static, Postgres>, sqlx::Error>;

/// In one message. Its statements are one transaction, which ends where one is refused; the last one has it go on
/// after the message. `seen` says in which role and for whom, by names and ids of ours alone.
pub async fn begun(pool: &PgPool, seen: &str) -> Begun {
    let begin = AssertSqlSafe(format!("{seen}; begin")).into_sql_str();
    let connection = pool.acquire().await?;
    ToItsEnd(Some(Transaction::begin(connection, Some(begin)))).await
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
