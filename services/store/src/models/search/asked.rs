//! The statement for a question, put together from what was asked, so that each has a plan of its own.

use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{
    Among, Found, Kind, Order, Search,
    way::{Asks, By, Sample},
};
use crate::{StoreError, TenantTx, Tx};

/// Of what very many have, so many are ranked by how well they fit: those with the most downloads; of what fewer have,
/// more.
const RANKED_OF_COMMON: i64 = 100;
const RANKED: i64 = 500;
/// Where what is common lies far away in the order, the walk gives up after so many, or so many signatures.
const LONGEST_WALK: i64 = 8_000;
const LONGEST_SIGNED_WALK: i64 = 60_000;
/// Of a sample, those that are looked at in an index, and of these the ones that are read.
const LOOKED_AT: i64 = 4_000;
const SAMPLED: i64 = 300;
const COLUMNS: &str = "p.id, p.tenant, p.name, p.visibility, p.description, p.licence, p.tags, p.created_at,
    p.updated_at, p.version, p.metrics, p.pipeline, p.downloads, p.likes, p.predictions, p.trending";
/// Of what was found by words: how well they fit name, tags and description, and how popular it is.
const SCORE: &str = "(0.01 + ts_rank(p.title, ask.q))::double precision
    * (1 + ln(1 + p.downloads + 10 * p.likes) / 10)";

pub(super) struct Asked<'a> {
    pub search: &'a Search,
    /// As Postgres understands it.
    pub words: Option<String>,
    /// The bits of what a model has to have, of each the one or the other.
    pub signatures: Vec<Vec<[i32; 2]>>,
    pub tenant: Uuid,
    pub fetch: i64,
}

impl Asked<'_> {
    pub async fn find(&self, tx: &mut TenantTx<'_>) -> Result<Vec<Found>, StoreError> {
        if self.search.among != Among::Public {
            return run(tx, self.gathered(By::Names)).await;
        }
        if !self.is_narrowed() {
            return run(tx, self.walked(None)).await;
        }
        let sample = self.sampled(tx).await?;
        if self.order() == Order::Relevance {
            let is_common = sample.way(RANKED_OF_COMMON, self.asks()).is_none();
            let found = run(tx, self.ranked(is_common)).await?;
            // those who have it may have few downloads
            let is_short = self.search.after.is_none() && (found.len() as i64) < self.fetch;
            return if is_common && is_short {
                run(tx, self.ranked(false)).await
            } else {
                Ok(found)
            };
        }
        let by = match sample.way(self.fetch, self.asks()) {
            Some(by) => by,
            None => {
                let found = run(tx, self.walked(Some(self.longest()))).await?;
                if found.len() as i64 == self.fetch {
                    return Ok(found);
                }
                Sample::default().way(self.fetch, self.asks()).unwrap_or(By::Names)
            }
        };
        run(tx, self.gathered(by)).await
    }

    fn asks(&self) -> Asks {
        let Search { kinds, tags, metric, max_bytes, .. } = self.search;
        let has_task = kinds.iter().any(|(kind, _)| *kind == Kind::Task);
        let has_tenant = kinds.iter().any(|(kind, _)| *kind == Kind::Tenant);
        let has_kinds = !kinds.is_empty();
        Asks {
            longest: self.longest() as f64,
            alternatives: self.alternatives() as f64,
            names: self.words.is_some()
                || !tags.is_empty()
                || has_tenant
                || (has_kinds && !has_task),
            // the index of kinds begins with it
            kinds: has_task,
            metric: metric.is_some(),
            bytes: max_bytes.is_some(),
        }
    }

    fn longest(&self) -> i64 {
        if self.is_signed() { LONGEST_SIGNED_WALK } else { LONGEST_WALK }
    }

    const fn is_narrowed(&self) -> bool {
        let Search { kinds, tags, metric, max_bytes, .. } = self.search;
        self.words.is_some()
            || !kinds.is_empty()
            || !tags.is_empty()
            || metric.is_some()
            || max_bytes.is_some()
    }

    pub(super) fn order(&self) -> Order {
        match (self.search.order, &self.words) {
            // without words nothing fits better than another
            (Order::Relevance, None) => Order::Trending,
            (order, _) => order,
        }
    }

    const fn way(&self) -> &'static str {
        if self.search.ascending { "asc" } else { "desc" }
    }

    async fn sampled(&self, tx: &mut TenantTx<'_>) -> Result<Sample, StoreError> {
        let mut sql = QueryBuilder::new("with lot as materialized (select p.id, (true");
        self.signed(&mut sql, "p");
        if self.signatures.is_empty() && self.search.metric.is_none() {
            // nothing else is asked: the index knows all
            self.within_bytes(&mut sql, "p");
        }
        sql.push(") as is_signed from (select id, bytes, signature from public_model where lot = 0::smallint limit ");
        sql.push_bind(LOOKED_AT);
        sql.push(
            ") p)
             select greatest(looked * 256, (select reltuples from pg_class where oid = 'public_model'::regclass))
                        ::double precision as models, looked, signed, read, named, by_metric, by_bytes, within
             from (select count(*) as looked, count(*) filter (where is_signed) as signed from lot) signatures,
                  (select count(*) as read, count(*) filter (where is_named) as named,
                          count(*) filter (where is_named and is_measured) as by_metric,
                          count(*) filter (where is_named and is_small) as by_bytes,
                          count(*) filter (where is_named and is_measured and is_small) as within
                   from (select (true",
        );
        self.names(&mut sql, By::Order);
        sql.push(") as is_named, (true");
        self.within_metric(&mut sql, "p.metrics");
        sql.push(") as is_measured, (true");
        self.within_bytes(&mut sql, "p");
        sql.push(") as is_small from (select id from lot where is_signed limit ");
        sql.push_bind(SAMPLED).push(") s join public_model p on p.id = s.id");
        self.ask(&mut sql);
        sql.push(") found) read");
        Ok(sql.build_query_as().fetch_one(tx.conn()).await?)
    }

    /// Of what is looked for first in a signature.
    fn alternatives(&self) -> usize {
        self.signatures.first().map_or(1, Vec::len).max(1)
    }

    /// Along an order that an index has. Where that also tells signatures, only those are read that may be what is
    /// asked for.
    fn walked(&self, longest: Option<i64>) -> QueryBuilder<Postgres> {
        let (order, way) = (self.order(), self.way());
        let compared = compared(order);
        let is_signed = longest.is_some() && self.is_signed();
        let passed = if is_signed { "p.id, p.bytes, p.signature" } else { "p.*" };
        let mut sql = QueryBuilder::new(format!(
            "select {COLUMNS}, {} as key from (select {passed}, {compared} as place from public_model p where true",
            key(order, if is_signed { "w.place" } else { "p.place" })
        ));
        self.after(&mut sql, compared);
        sql.push(format_args!(" order by {compared} {way}, p.id {way}"));
        if let Some(longest) = longest {
            sql.push(format_args!(" limit {longest}"));
        }
        sql.push(if is_signed { ") w join public_model p on p.id = w.id" } else { ") p" });
        self.ask(&mut sql);
        sql.push(" where true");
        if is_signed {
            self.signed(&mut sql, "w");
            self.within_bytes(&mut sql, "w");
        }
        self.conditions(&mut sql, By::Order);
        let passed = if is_signed { "w" } else { "p" };
        sql.push(format_args!(" order by {passed}.place {way}, {passed}.id {way} limit "));
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

    /// The best fitting of those that are downloaded most.
    fn ranked(&self, is_common: bool) -> QueryBuilder<Postgres> {
        let way = self.way();
        let carried = "p.id, p.downloads, p.likes, p.title";
        let mut sql = QueryBuilder::new(format!(
            "select {COLUMNS}, f.score as key from (select p.id, {SCORE} as score from (select * from ("
        ));
        if is_common {
            sql.push(format_args!(
                "select {carried} from (select p.id, p.bytes, p.signature, p.downloads from public_model p
                 order by p.downloads desc, p.id desc limit {LONGEST_SIGNED_WALK}) w
                 join public_model p on p.id = w.id"
            ));
            self.ask(&mut sql);
            sql.push(" where true");
            self.signed(&mut sql, "w");
            self.within_bytes(&mut sql, "w");
            self.conditions(&mut sql, By::Order);
            sql.push(" order by w.downloads desc, w.id desc");
            sql.push(format_args!(" limit {RANKED_OF_COMMON}"));
        } else {
            sql.push(format_args!("select {carried} from public_model p"));
            self.ask(&mut sql);
            sql.push(" where true");
            self.conditions(&mut sql, By::Names);
            sql.push(" offset 0");
        }
        sql.push(format_args!(") found order by downloads desc, id desc limit {RANKED}) p"));
        self.ask(&mut sql);
        sql.push(" where true");
        self.after(&mut sql, SCORE);
        sql.push(format_args!(" order by score {way}, id {way} limit ")).push_bind(self.fetch);
        sql.push(format_args!(
            ") f join public_model p on p.id = f.id order by f.score {way}, f.id {way}"
        ));
        sql
    }

    const fn source(&self) -> &'static str {
        match self.search.among {
            Among::Public => "public_model",
            Among::Own | Among::Shared | Among::NotPublic => "model_facts",
        }
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
