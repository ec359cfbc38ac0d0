//! What a question comes to in the words of the indexes, found out once and before it is planned.

use sqlx::FromRow;

use super::{Kind, Search};
use crate::{StoreError, TenantTx, Tx};

#[derive(Debug, Default)]
pub(super) struct Terms {
    /// That there are, about.
    pub models: f64,
    /// The bits of what a model has to have, of each the one or the other.
    pub signatures: Vec<Vec<[i32; 2]>>,
    /// All its kinds but the tenant, as one number.
    pub together: Option<i32>,
    /// The steps in which numbers within the ranges may be.
    pub metric_steps: Option<Vec<String>>,
    pub bytes_steps: Option<Vec<String>>,
    /// How large a part of all models has which popularity, as the statistics say.
    pub popularity: Vec<(i16, f64)>,
}

#[derive(FromRow)]
struct Row {
    models: f64,
    bits: Vec<i32>,
    together: Option<i32>,
    metric_steps: Option<Vec<String>>,
    bytes_steps: Option<Vec<String>>,
    popularities: Option<Vec<i16>>,
    popularity_shares: Option<Vec<f32>>,
}

impl Terms {
    pub async fn of(
        tx: &mut TenantTx<'_>,
        search: &Search,
        words: Option<&str>,
    ) -> Result<Self, StoreError> {
        let said = said(search, words);
        let metric = search.metric.as_ref();
        let row: Row = sqlx::query_as(
            "select greatest((select reltuples from pg_class where oid = 'public_model'::regclass), 0)
                        ::double precision as models,
                    array(select bit from unnest($1::text[]) with ordinality said (said, n),
                                          unnest(search_bits(said)) with ordinality bits (bit, m)
                          order by n, m) as bits,
                    search_kinds($2::text[]) as together,
                    case when $3::text is not null
                         then steps_within($3, $4::double precision, $5::double precision) end as metric_steps,
                    case when $6::bigint is not null
                         then steps_within('#bytes', 0, $6::double precision) end as bytes_steps,
                    most_common_elems::text::smallint[] as popularities,
                    most_common_elem_freqs as popularity_shares
             from (select) nothing
             left join pg_stats on schemaname = 'public' and tablename = 'public_model'
                               and attname = 'popularity' and not inherited",
        )
        .bind(said.iter().flatten().map(String::as_str).collect::<Vec<_>>())
        .bind(kinds(search))
        .bind(metric.map(|metric| metric.name.as_str()))
        .bind(metric.and_then(|metric| metric.at_least))
        .bind(metric.and_then(|metric| metric.at_most))
        .bind(search.most_bytes())
        .fetch_one(tx.conn())
        .await?;
        let Row { models, bits, together, metric_steps, bytes_steps, .. } = row;
        // behind the shares of the popularities lie some of all together
        let shares = row.popularity_shares.unwrap_or_default().into_iter().map(f64::from);
        let popularity = row.popularities.unwrap_or_default().into_iter().zip(shares).collect();
        let mut bits = bits.as_chunks::<2>().0.iter().copied();
        let mut signatures: Vec<Vec<[i32; 2]>> =
            said.iter().map(|either| bits.by_ref().take(either.len()).collect()).collect();
        // what is told soonest is asked first
        signatures.sort_by_key(Vec::len);
        Ok(Self { models, signatures, together, metric_steps, bytes_steps, popularity })
    }

    /// Of what is looked for first in a signature.
    pub fn alternatives(&self) -> usize {
        self.signatures.first().map_or(0, Vec::len)
    }
}

/// Of a query as `search_query` writes it, each word with its alternatives.
pub(super) fn each_word(words: Option<&str>) -> impl Iterator<Item = &str> {
    words.into_iter().flat_map(|words| words.split(" & "))
}

/// What a model has to be said to have, of each the one or the other.
fn said(search: &Search, words: Option<&str>) -> Vec<Vec<String>> {
    let words = each_word(words).filter_map(|word| {
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

/// In the order that `search_kinds` takes.
fn kinds(search: &Search) -> Vec<Option<String>> {
    let asked = |wanted: Kind| search.kinds.iter().find(|(kind, _)| *kind == wanted);
    let kinds = [Kind::Task, Kind::Family, Kind::Input, Kind::Pipeline, Kind::Licence];
    kinds.into_iter().map(|kind| asked(kind).map(|(_, name)| name.clone())).collect()
}
