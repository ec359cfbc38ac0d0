//! The statement for a question, put together from what was asked: for each set of conditions there is one, which a
//! connection plans once.

use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{
    Among, Found, Order, Search,
    conditions::Part,
    terms::{Terms, each_word},
    way::{By, Estimate, Way},
};
use crate::{StoreError, TenantTx, Tx};

/// Of what very many have, so many are ranked by how well they fit: those with the most downloads; of what fewer have,
/// more.
const RANKED_OF_COMMON: i64 = 100;
const RANKED: i64 = 500;
const COLUMNS: &str = "p.id, p.tenant, p.name, p.visibility, p.description, p.licence, p.tags, p.created_at,
    p.updated_at, p.version, p.metrics, p.pipeline, p.downloads, p.likes, p.predictions, p.trending";
/// What the orders' indexes have of a model.
const PASSED: &str = "p.id, p.bytes, p.signature, p.few_metrics";
/// Of what was found by words: how well they fit name, tags and description, and how popular it is.
const SCORE: &str = "(0.01 + ts_rank(p.title, ask.q))::double precision
    * (1 + ln(1 + p.downloads + 10 * p.likes) / 10)";

pub(super) struct Asked<'a> {
    pub search: &'a Search,
    /// As Postgres understands it.
    pub words: Option<String>,
    pub terms: &'a Terms,
    pub tenant: Uuid,
    pub fetch: i64,
}

impl Asked<'_> {
    pub async fn find(&self, tx: &mut TenantTx<'_>) -> Result<Vec<Found>, StoreError> {
        if self.search.among != Among::Public {
            return run(tx, self.gathered(By::default())).await;
        }
        if !self.search.is_narrowed() {
            return run(tx, self.walked(None)).await;
        }
        let estimate = self.estimated(tx).await?;
        if self.order() == Order::Relevance {
            return self.fitting(tx, &estimate).await;
        }
        if let Way::Walk(longest) = estimate.way(self.fetch) {
            let found = run(tx, self.walked(Some(longest))).await?;
            if found.len() as i64 == self.fetch {
                return Ok(found);
            }
        }
        run(tx, self.gathered(estimate.gathering())).await
    }

    async fn fitting(
        &self,
        tx: &mut TenantTx<'_>,
        estimate: &Estimate,
    ) -> Result<Vec<Found>, StoreError> {
        let way = estimate.way_to_popular(RANKED_OF_COMMON, &self.terms.popularity);
        let found = run(tx, self.ranked(way)).await?;
        // those who have it may have few downloads
        let is_short = self.search.after.is_none() && (found.len() as i64) < self.fetch;
        let all = Way::Gather(estimate.gathering());
        if is_short && way != all { run(tx, self.ranked(all)).await } else { Ok(found) }
    }

    /// What the statistics say of each part of what is asked for.
    async fn estimated(&self, tx: &mut TenantTx<'_>) -> Result<Estimate, StoreError> {
        let mut named = Vec::new();
        for word in each_word(self.words.as_deref()) {
            let word = Self { words: Some(word.to_owned()), ..*self };
            named.extend(word.expected(tx, Part::Words).await?);
        }
        for part in [Part::Tags, Part::Kinds, Part::Tenant] {
            named.extend(self.expected(tx, part).await?);
        }
        Ok(Estimate {
            models: self.terms.models,
            named,
            by_metric: self.expected(tx, Part::Metric).await?,
            by_bytes: self.expected(tx, Part::Bytes).await?,
            alternatives: self.terms.alternatives() as f64,
        })
    }

    /// How many models the planner expects to fulfil a part, if it is asked for.
    async fn expected(&self, tx: &mut TenantTx<'_>, part: Part) -> Result<Option<f64>, StoreError> {
        let mut sql = QueryBuilder::new("explain (format json) select from public_model p");
        self.ask(&mut sql);
        sql.push(" where true");
        if !self.indexed(&mut sql, part) {
            return Ok(None);
        }
        let plan: serde_json::Value = sql.build_query_scalar().fetch_one(tx.conn()).await?;
        Ok(plan[0]["Plan"]["Plan Rows"].as_f64())
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

    /// Along an order that an index has. Where that tells what is asked for, only those are read that may be it.
    fn walked(&self, longest: Option<i64>) -> QueryBuilder<Postgres> {
        let (order, way) = (self.order(), self.way());
        let compared = compared(order);
        let passed = if longest.is_some() { PASSED } else { "p.*" };
        let mut sql = QueryBuilder::new(format!(
            "select {COLUMNS}, {} as key from (select {passed}, {compared} as place from public_model p where true",
            key(order, if longest.is_some() { "w.place" } else { "p.place" })
        ));
        self.after(&mut sql, compared);
        sql.push(format_args!(" order by {compared} {way}, p.id {way}"));
        let passed = match longest {
            Some(longest) => {
                sql.push(" limit ")
                    .push_bind(longest)
                    .push(") w join public_model p on p.id = w.id");
                self.ask(&mut sql);
                sql.push(" where true");
                self.told(&mut sql);
                self.read(&mut sql);
                "w"
            }
            None => {
                sql.push(") p where true");
                "p"
            }
        };
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
        self.gathering(&mut sql, by);
        self.after(&mut sql, compared(order));
        sql.push(format_args!(" offset 0) f order by place {way}, id {way} limit "));
        sql.push_bind(self.fetch);
        sql.push(format_args!(
            ") f join {source} p on p.id = f.id order by f.place {way}, f.id {way}"
        ));
        sql
    }

    /// The best fitting of those that are downloaded most.
    fn ranked(&self, by: Way) -> QueryBuilder<Postgres> {
        let way = self.way();
        let carried = "p.id, p.downloads, p.likes, p.title";
        let mut sql = QueryBuilder::new(format!(
            "select {COLUMNS}, f.score as key from (select p.id, {SCORE} as score from (select * from ("
        ));
        match by {
            Way::Walk(longest) => {
                sql.push(format_args!(
                    "select {carried} from (select {PASSED}, p.downloads from public_model p
                                            order by p.downloads desc, p.id desc limit "
                ));
                sql.push_bind(longest).push(") w join public_model p on p.id = w.id");
                self.ask(&mut sql);
                sql.push(" where true");
                self.told(&mut sql);
                self.read(&mut sql);
                sql.push(" order by w.downloads desc, w.id desc");
                sql.push(format_args!(" limit {RANKED_OF_COMMON}"));
            }
            Way::Gather(by) => {
                sql.push(format_args!("select {carried} from public_model p"));
                self.ask(&mut sql);
                sql.push(" where true");
                self.gathering(&mut sql, by);
                sql.push(" offset 0");
            }
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
