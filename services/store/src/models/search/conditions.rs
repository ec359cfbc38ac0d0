//! What is asked for, as conditions on a model `p`.

use domain::Timestamp;
use sqlx::{Postgres, QueryBuilder};

use super::{Among, Kind, MetricBound, Order, asked::Asked, way::By};

/// The logarithm to base two of all downloads that can be counted.
const MOST_POPULAR: i16 = 63;

/// What the index of what is searched knows of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Words,
    Tags,
    /// All but the tenant, together.
    Kinds,
    Tenant,
    /// By steps, which are a little wider than what is asked for.
    Metric,
    Bytes,
}

impl Asked<'_> {
    pub(super) fn ask(&self, sql: &mut QueryBuilder<Postgres>) {
        if let Some(words) = &self.words {
            sql.push(", (select ").push_bind(words.clone()).push("::tsquery as q) ask");
        }
    }

    /// What an order's index tells of a model `w` on the way: that it may be what is asked for.
    pub(super) fn told(&self, sql: &mut QueryBuilder<Postgres>) {
        for either in &self.terms.signatures {
            for (n, [one, other]) in either.iter().enumerate() {
                sql.push(if n == 0 { " and (" } else { " or " });
                // quicker than to compare all bits: five of six models lack the first already
                sql.push("get_bit(w.signature, ").push_bind(*one);
                sql.push(") = 1 and get_bit(w.signature, ").push_bind(*other);
                sql.push(") = 1");
            }
            sql.push(")");
        }
        self.within_bytes(sql, "w");
        if self.search.metric.is_some() {
            sql.push(" and (w.few_metrics is null or true");
            self.within_metric(sql, "w.few_metrics");
            sql.push(")");
        }
    }

    /// All that is asked for, in the index's words, and then exactly.
    pub(super) fn gathering(&self, sql: &mut QueryBuilder<Postgres>, by: By) {
        self.seen(sql);
        let ranges = [(by.metric, Part::Metric), (by.bytes, Part::Bytes)];
        let ranges = ranges.into_iter().filter_map(|(is_used, part)| is_used.then_some(part));
        let names = [Part::Words, Part::Tags, Part::Kinds, Part::Tenant];
        for part in names.into_iter().chain(ranges) {
            self.indexed(sql, part);
        }
        if let Some(least) = by.least_popularity {
            let popular: Vec<_> = (least..=MOST_POPULAR).collect();
            sql.push(" and p.popularity && ").push_bind(popular);
        }
        self.exactly(sql);
    }

    /// All that is asked for, as the model itself has it.
    pub(super) fn read(&self, sql: &mut QueryBuilder<Postgres>) {
        for part in [Part::Words, Part::Tags, Part::Tenant] {
            self.indexed(sql, part);
        }
        self.exactly(sql);
    }

    /// One part of what is asked for; whether it is asked for at all.
    pub(super) fn indexed(&self, sql: &mut QueryBuilder<Postgres>, part: Part) -> bool {
        let terms = self.terms;
        match part {
            Part::Words if self.words.is_some() => sql.push(" and p.words @@ ask.q"),
            Part::Tags if !self.search.tags.is_empty() => {
                sql.push(" and p.tags @> ").push_bind(self.search.tags.clone())
            }
            Part::Kinds if terms.together.is_some() => {
                sql.push(" and p.together @> array[").push_bind(terms.together).push("]")
            }
            Part::Tenant if self.search.tenant().is_some() => {
                sql.push(" and p.tenant = ").push_bind(self.search.tenant().map(str::to_owned))
            }
            Part::Metric if terms.metric_steps.is_some() => {
                sql.push(" and p.steps && ").push_bind(terms.metric_steps.clone())
            }
            Part::Bytes if terms.bytes_steps.is_some() => {
                sql.push(" and p.steps && ").push_bind(terms.bytes_steps.clone())
            }
            _ => return false,
        };
        true
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

    /// What an index has by hashes and steps.
    fn exactly(&self, sql: &mut QueryBuilder<Postgres>) {
        for (kind, name) in self.search.kinds.iter().filter(|(kind, _)| *kind != Kind::Tenant) {
            sql.push(format_args!(" and p.{} = ", kind.column())).push_bind(name.clone());
        }
        self.within_bytes(sql, "p");
        self.within_metric(sql, "p.metrics");
    }

    fn within_bytes(&self, sql: &mut QueryBuilder<Postgres>, of: &str) {
        if let Some(most) = self.search.most_bytes() {
            sql.push(format_args!(" and {of}.bytes <= ")).push_bind(most);
        }
    }

    fn within_metric(&self, sql: &mut QueryBuilder<Postgres>, metrics: &str) {
        let Some(MetricBound { name, at_least, at_most }) = &self.search.metric else { return };
        for (bound, sign) in [(at_least, ">="), (at_most, "<=")] {
            if let Some(bound) = bound {
                sql.push(format_args!(" and ({metrics} ->> ")).push_bind(name.clone());
                sql.push(format_args!(")::double precision {sign} ")).push_bind(*bound);
            }
        }
    }

    pub(super) fn after(&self, sql: &mut QueryBuilder<Postgres>, compared: &str) {
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
