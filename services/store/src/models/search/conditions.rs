//! What is asked for, as conditions on a model `p`.

use domain::Timestamp;
use sqlx::{Postgres, QueryBuilder};

use super::{Among, Kind, MetricBound, Order, Search, asked::Asked, way::By};

/// What a model has to be said to have, of each the one or the other.
pub(super) fn said(search: &Search, words: Option<&str>) -> Vec<Vec<String>> {
    let words = words.unwrap_or_default().split(" & ").filter_map(|word| {
        let either = word.trim_matches(['(', ')', ' ']).split(" | ");
        let plain = either.map(|word| word.strip_prefix('\'')?.strip_suffix('\''));
        plain
            .map(|word| Some(word.filter(|word| !word.contains(['\'', '\\']))?.to_owned()))
            .collect()
    });
    let tags = search.tags.iter().map(|tag| vec![format!("#{tag}")]);
    let kinds = search.kinds.iter().map(|(kind, name)| {
        vec![match kind {
            Kind::Tenant => format!("@{name}"),
            Kind::Task => format!("1={name}"),
            Kind::Family => format!("2={name}"),
            Kind::Input => format!("3={name}"),
            Kind::Pipeline => format!("4={name}"),
            Kind::Licence => format!("5={name}"),
        }]
    });
    words.chain(tags).chain(kinds).collect()
}

impl Asked<'_> {
    /// Whether the orders' indexes tell something of what is asked for.
    pub(super) fn is_signed(&self) -> bool {
        self.search.max_bytes.is_some() || !self.signatures.is_empty()
    }

    /// That the signature is one of what is asked for.
    pub(super) fn signed(&self, sql: &mut QueryBuilder<Postgres>, of: &str) {
        for either in &self.signatures {
            for (n, [one, other]) in either.iter().enumerate() {
                sql.push(if n == 0 { " and (" } else { " or " });
                // quicker than to compare all bits: five of six models lack the first already
                sql.push(format_args!("get_bit({of}.signature, ")).push_bind(*one);
                sql.push(format_args!(") = 1 and get_bit({of}.signature, ")).push_bind(*other);
                sql.push(") = 1");
            }
            sql.push(")");
        }
    }

    pub(super) fn ask(&self, sql: &mut QueryBuilder<Postgres>) {
        if let Some(words) = &self.words {
            sql.push(", (select ").push_bind(words.clone()).push("::tsquery as q) ask");
        }
    }

    /// All but where the page begins.
    pub(super) fn conditions(&self, sql: &mut QueryBuilder<Postgres>, by: By) {
        self.seen(sql);
        self.names(sql, by);
        self.ranges(sql, by);
    }

    /// By whom they are seen, of those that not everybody sees.
    pub(super) fn seen(&self, sql: &mut QueryBuilder<Postgres>) {
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

    pub(super) fn names(&self, sql: &mut QueryBuilder<Postgres>, by: By) {
        if self.words.is_some() {
            sql.push(" and p.words @@ ask.q");
        }
        let kinds = self.kinds();
        let has_kinds = kinds.iter().any(Option::is_some);
        if by == By::Names && self.search.among == Among::Public && has_kinds {
            sql.push(" and p.together @> array[search_kinds(").push_bind(kinds);
            sql.push("::text[])]");
        }
        for (kind, name) in &self.search.kinds {
            // the same, but no index has it
            let equals = match (kind, by) {
                (Kind::Tenant, _) | (_, By::Kinds) => "=",
                _ => "is not distinct from",
            };
            sql.push(format_args!(" and p.{} {equals} ", kind.column())).push_bind(name.clone());
        }
        if !self.search.tags.is_empty() {
            sql.push(" and p.tags @> ").push_bind(self.search.tags.clone());
        }
    }

    /// In the order that `search_kinds` takes.
    pub(super) fn kinds(&self) -> Vec<Option<String>> {
        let asked = |wanted: Kind| self.search.kinds.iter().find(|(kind, _)| *kind == wanted);
        let kinds = [Kind::Task, Kind::Family, Kind::Input, Kind::Pipeline, Kind::Licence];
        kinds.into_iter().map(|kind| asked(kind).map(|(_, name)| name.clone())).collect()
    }

    /// By the steps that an index has, and then exactly.
    pub(super) fn ranges(&self, sql: &mut QueryBuilder<Postgres>, by: By) {
        if let (Some(most), By::Bytes) = (self.max_bytes(), by) {
            sql.push(" and p.steps && steps_within('#bytes', 0, ").push_bind(most);
            sql.push("::bigint::double precision)");
        }
        if let (Some(MetricBound { name, at_least, at_most }), By::Metric) =
            (&self.search.metric, by)
        {
            sql.push(" and p.steps && steps_within(").push_bind(name.clone());
            sql.push(", ").push_bind(*at_least).push("::double precision, ");
            sql.push_bind(*at_most).push("::double precision)");
        }
        self.within_bytes(sql, "p");
        let metrics = match by {
            By::Kinds => {
                "coalesce(p.few_metrics, (select metrics from public_model whole where whole.id = p.id))"
            }
            _ => "p.metrics",
        };
        self.within_metric(sql, metrics);
    }

    pub(super) fn max_bytes(&self) -> Option<i64> {
        Some(i64::try_from(self.search.max_bytes?).unwrap_or(i64::MAX))
    }

    pub(super) fn within_bytes(&self, sql: &mut QueryBuilder<Postgres>, of: &str) {
        if let Some(most) = self.max_bytes() {
            sql.push(format_args!(" and {of}.bytes <= ")).push_bind(most);
        }
    }

    pub(super) fn within_metric(&self, sql: &mut QueryBuilder<Postgres>, metrics: &str) {
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
