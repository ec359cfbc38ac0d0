-- Postgres may answer a question about one attempt by walking over a partial index of all that are live, if
-- its predicate is among the question's and the index seems small. It is, but for the entries of attempts
-- that have ended and that a reader's open snapshot keeps. Written as `(…) is true` the predicate is nobody
-- else's: this index is a constraint and nothing more.
drop index one_live_attempt;
create unique index one_live_attempt on attempt (job_id) where (ended_at is null) is true;
