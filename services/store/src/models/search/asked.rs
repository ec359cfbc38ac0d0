//! The statement for a question, put together from what was asked, so that each has a plan of its own.
//!
//! Two ways lead to a page in an order of what fulfils conditions: to walk along the order and take what
//! fulfils them, or to gather all that does and sort it. The first is for what is common, the second for what
//! is rare, and each takes seconds for the other's. How common it is is counted in a sample, since conditions
//! that go together, or exclude each other, are beyond what the planner can know.

use domain::Timestamp;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Among, Found, Kind, MetricBound, Order, Search};
use crate::{StoreError, TenantTx, Tx};

/// Matches of the more popular tiers that are enough to rank, so that the others are not looked at.
const ENOUGH: i64 = 300;
/// Of one tier; more there are only where tiers were never told apart.
const MOST_OF_A_TIER: i64 = 2_000;
const TIERS: i16 = 6;
/// In a sample of the 256th part: about as many as make both ways through a million models equally long.
const COMMON: i64 = 25;
/// As many of it are too many to look at one by one, whether they are within a range.
const FEW: i64 = 60;
/// Where what is common lies far away in the order, the walk gives up after so many.
const LONGEST_WALK: i64 = 30_000;

const COLUMNS: &str = "p.id, p.tenant, p.name, p.visibility, p.description, p.licence, p.tags, p.created_at,
    p.updated_at, p.version, p.metrics, p.pipeline, p.downloads, p.likes, p.predictions, p.trending";
/// Of what was found by words: how well they fit name, tags and description, and how popular it is.
const SCORE: &str = "(0.01 + ts_rank(p.title, ask.q))::double precision
    * (1 + ln(1 + p.downloads + 10 * p.likes) / 10)";

pub(super) struct Asked<'a> {
    pub search: &'a Search,
    /// As Postgres understands it.
    pub words: Option<String>,
    pub tenant: Uuid,
    pub fetch: i64,
}

/// What an index is asked for; all else is looked at row by row, of those that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Words,
    WordsAndKinds,
    WordsAndSteps,
}

/// The way to a page.
enum Way {
    Walk,
    Gather(By),
}

impl Asked<'_> {
    pub async fn find(&self, tx: &mut TenantTx<'_>) -> Result<Vec<Found>, StoreError> {
        if self.search.among != Among::Public {
            return run(tx, self.gathered(By::WordsAndKinds)).await;
        }
        if let (Some(words), Order::Relevance) = (&self.words, self.search.order) {
            return run(tx, self.ranked(words)).await;
        }
        if !self.is_narrowed() {
            return run(tx, self.walked(None)).await;
        }
        let by = match self.way_to(tx).await? {
            Way::Gather(by) => by,
            Way::Walk => {
                let found = run(tx, self.walked(Some(LONGEST_WALK))).await?;
                if found.len() as i64 == self.fetch {
                    return Ok(found);
                }
                By::WordsAndKinds
            }
        };
        run(tx, self.gathered(by)).await
    }

    const fn is_narrowed(&self) -> bool {
        let Search { kinds, tags, metric, max_bytes, .. } = self.search;
        self.words.is_some()
            || !kinds.is_empty()
            || !tags.is_empty()
            || metric.is_some()
            || max_bytes.is_some()
    }

    fn order(&self) -> Order {
        match (self.search.order, &self.words) {
            // without words nothing fits better than another
            (Order::Relevance, None) => Order::Trending,
            (order, _) => order,
        }
    }

    const fn way(&self) -> &'static str {
        if self.search.ascending { "asc" } else { "desc" }
    }

    async fn way_to(&self, tx: &mut TenantTx<'_>) -> Result<Way, StoreError> {
        let has_ranges = self.search.metric.is_some() || self.search.max_bytes.is_some();
        let mut sql =
            QueryBuilder::new("select count(*), count(*) filter (where within) from (select true");
        self.ranges(&mut sql, By::Words);
        sql.push(" as within from public_model p");
        self.ask(&mut sql);
        sql.push(" where p.lot = 0::smallint");
        self.names(&mut sql, By::Words);
        self.after(&mut sql, compared(self.order()));
        if !has_ranges {
            sql.push(format_args!(" limit {COMMON}"));
        }
        sql.push(") sampled");
        let (named, within): (i64, i64) = sql.build_query_as().fetch_one(tx.conn()).await?;
        Ok(match (named, within) {
            (_, COMMON..) => Way::Walk,
            (FEW.., _) => Way::Gather(By::WordsAndSteps),
            _ => Way::Gather(By::WordsAndKinds),
        })
    }

    /// Along an order that an index has.
    fn walked(&self, longest: Option<i64>) -> QueryBuilder<Postgres> {
        let (order, way) = (self.order(), self.way());
        let compared = compared(order);
        let mut sql = QueryBuilder::new(format!(
            "select {COLUMNS}, {} as key from (select * from public_model p where true",
            key(order, compared)
        ));
        self.after(&mut sql, compared);
        sql.push(format_args!(" order by {compared} {way}, p.id {way}"));
        if let Some(longest) = longest {
            sql.push(format_args!(" limit {longest}"));
        }
        sql.push(") p");
        self.ask(&mut sql);
        sql.push(" where true");
        self.conditions(&mut sql, By::Words);
        sql.push(format_args!(" order by {compared} {way}, p.id {way} limit "));
        sql.push_bind(self.fetch);
        sql
    }

    /// All that fulfils the conditions, sorted; the whole of a model is read of those on the page alone.
    fn gathered(&self, by: By) -> QueryBuilder<Postgres> {
        let (order, way, source) = (self.order(), self.way(), self.source());
        // without the `offset` it might walk along the order after all
        let mut sql = QueryBuilder::new(format!(
            "select {COLUMNS}, {} as key from (select * from (select p.id, {} as place from {source} p",
            key(order, "f.place"),
            compared(order),
        ));
        self.ask(&mut sql);
        sql.push(" where true");
        self.conditions(&mut sql, by);
        self.after(&mut sql, compared(order));
        sql.push(format_args!(" offset 0) f order by place {way}, id {way} limit "));
        sql.push_bind(self.fetch);
        sql.push(format_args!(
            ") f join {source} p on p.id = f.id order by f.place {way}, f.id {way}"
        ));
        sql
    }

    /// The best fitting public ones, of the most popular that have the words: tier after tier, until
    /// enough were found, so that a word which everybody uses costs no more than another.
    fn ranked(&self, words: &str) -> QueryBuilder<Postgres> {
        let mut sql = QueryBuilder::new("with ");
        for tier in 0..TIERS {
            sql.push(format_args!(
                "t{tier} as materialized (select p.id, {SCORE} as score from public_model p"
            ));
            sql.push(", (select ").push_bind(words.to_owned()).push("::tsquery as q) ask");
            sql.push(format_args!(" where p.tier = {tier}::smallint"));
            for above in 0..tier {
                let sign = if above == 0 { " and " } else { " + " };
                sql.push(format_args!("{sign}(select count(*) from t{above})"));
            }
            if tier > 0 {
                sql.push(format_args!(" < {ENOUGH}"));
            }
            self.conditions(&mut sql, By::WordsAndKinds);
            sql.push(format_args!(" limit {MOST_OF_A_TIER}), "));
        }
        let way = self.way();
        sql.push("found as (select id, score from (");
        for tier in 0..TIERS {
            sql.push(format_args!(
                "{}select * from t{tier}",
                if tier > 0 { " union all " } else { "" }
            ));
        }
        sql.push(") p where true");
        self.after(&mut sql, "p.score");
        sql.push(format_args!(" order by score {way}, id {way} limit ")).push_bind(self.fetch);
        sql.push(format_args!(
            ") select {COLUMNS}, f.score as key from found f join public_model p on p.id = f.id
             order by f.score {way}, f.id {way}"
        ));
        sql
    }

    const fn source(&self) -> &'static str {
        match self.search.among {
            Among::Public => "public_model",
            Among::Own | Among::Shared | Among::NotPublic => "model_facts",
        }
    }

    fn ask(&self, sql: &mut QueryBuilder<Postgres>) {
        if let Some(words) = &self.words {
            sql.push(", (select ").push_bind(words.clone()).push("::tsquery as q) ask");
        }
    }

    /// All but where the page begins.
    fn conditions(&self, sql: &mut QueryBuilder<Postgres>, by: By) {
        self.seen(sql);
        self.names(sql, by);
        self.ranges(sql, by);
    }

    /// By whom they are seen, of those that not everybody sees.
    fn seen(&self, sql: &mut QueryBuilder<Postgres>) {
        match self.search.among {
            Among::Public => {}
            Among::Own => {
                sql.push(" and p.tenant_id = ").push_bind(self.tenant);
            }
            Among::Shared => {
                sql.push(" and p.visibility = 'shared' and p.tenant_id <> ").push_bind(self.tenant);
                sql.push(" and p.version is not null and p.id in (select model_id from model_share where with_tenant_id = ");
                sql.push_bind(self.tenant).push(")");
            }
            Among::NotPublic => {
                sql.push(" and p.visibility <> 'public' and (p.tenant_id = ")
                    .push_bind(self.tenant);
                sql.push(" or p.version is not null) and p.id in (select id from model where visibility <> 'public' and tenant_id = ");
                sql.push_bind(self.tenant);
                sql.push(" union all select model_id from model_share where with_tenant_id = ");
                sql.push_bind(self.tenant).push(")");
            }
        }
    }

    fn names(&self, sql: &mut QueryBuilder<Postgres>, by: By) {
        if self.words.is_some() {
            sql.push(" and p.words @@ ask.q");
        }
        for (kind, name) in &self.search.kinds {
            // the same, but no index has it
            let equals = match (kind, by) {
                (Kind::Tenant, _) | (_, By::WordsAndKinds) => "=",
                _ => "is not distinct from",
            };
            sql.push(format_args!(" and p.{} {equals} ", kind.column())).push_bind(name.clone());
        }
        if !self.search.tags.is_empty() {
            sql.push(" and p.tags @> ").push_bind(self.search.tags.clone());
        }
    }

    /// By the steps that an index has, and then exactly.
    fn ranges(&self, sql: &mut QueryBuilder<Postgres>, by: By) {
        let by_steps = by == By::WordsAndSteps;
        if let Some(most) = self.search.max_bytes {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            if by_steps {
                sql.push(" and p.steps && steps_within('#bytes', 0, ").push_bind(most);
                sql.push("::bigint::double precision)");
            }
            sql.push(" and p.bytes <= ").push_bind(most);
        }
        if let Some(MetricBound { name, at_least, at_most }) = &self.search.metric {
            if by_steps {
                sql.push(" and p.steps && steps_within(").push_bind(name.clone());
                sql.push(", ").push_bind(*at_least).push("::double precision, ");
                sql.push_bind(*at_most).push("::double precision)");
            }
            for (bound, sign) in [(at_least, ">="), (at_most, "<=")] {
                if let Some(bound) = bound {
                    sql.push(" and (p.metrics ->> ").push_bind(name.clone());
                    sql.push(format_args!(")::double precision {sign} ")).push_bind(*bound);
                }
            }
        }
    }

    fn after(&self, sql: &mut QueryBuilder<Postgres>, compared: &str) {
        let Some(place) = self.search.after else { return };
        let than = if self.search.ascending { ">" } else { "<" };
        sql.push(format_args!(" and ({compared}, p.id) {than} ("));
        match self.order() {
            Order::Relevance | Order::Trending => sql.push_bind(place.key),
            Order::Downloads | Order::Likes => sql.push_bind(place.key as i64),
            Order::Updated | Order::Created => {
                sql.push_bind(Timestamp::from_timestamp_micros(place.key as i64))
            }
        };
        sql.push(", ").push_bind(place.id.uuid()).push(")");
    }
}

const fn compared(order: Order) -> &'static str {
    match order {
        Order::Relevance => SCORE,
        Order::Updated => "p.updated_at",
        Order::Created => "p.created_at",
        Order::Downloads => "p.downloads",
        Order::Likes => "p.likes",
        Order::Trending => "p.trending",
    }
}

/// What is compared, as [`Place`](super::Place) has it.
fn key(order: Order, place: &str) -> String {
    match order {
        Order::Updated | Order::Created => {
            format!("(extract(epoch from {place}) * 1000000)::double precision")
        }
        _ => format!("({place})::double precision"),
    }
}

async fn run(
    tx: &mut TenantTx<'_>,
    mut sql: QueryBuilder<Postgres>,
) -> Result<Vec<Found>, StoreError> {
    Ok(sql.build_query_as::<Found>().fetch_all(tx.conn()).await?)
}
