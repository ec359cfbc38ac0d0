//! Finding among many models: whichever way leads to a page, it is the same page, and what ranges are looked
//! for by misses nothing.

use sqlx::{Connection, PgConnection, Row};
use store::{
    Page,
    models::{self, Among, Found, Kind, MetricBound, Order, Search},
};

use crate::support::World;

/// Enough that what two of three have counts as common.
const MODELS: i32 = 12_000;
const PAGE: u32 = 40;
const SEARCHED: &str = "id, tenant, name, visibility, description, licence, tags, created_at, version, updated_at,
    metrics, bytes, task, family, input, pipeline, downloads, likes, predictions, trending, title, words, steps";

/// Of acme: two of three are tagged `common`, one of a hundred `rare`, and all have the word `shared`, one of twenty
/// `seldom` besides. One of two hundred has another licence, and of these half are files of which nothing else is known.
async fn shelve(world: &World) -> PgConnection {
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let fill = format!(
        "set session_replication_role = replica;
         insert into model (id, tenant_id, name, visibility, description, licence, tags, created_at)
         select md5(n::text)::uuid, '{}', 'model-' || n, 'public',
                case when n % 20 = 7 then 'shared seldom' else 'shared' end,
                case when n % 200 = 0 then 'isc' else 'mit' end,
                case when n % 100 = 0 then '{{rare}}' when n % 3 > 0 then '{{common}}' else '{{}}' end::text[],
                '2026-01-01'::timestamptz + (n * 7919 % 12007) * interval '1 minute'
         from generate_series(1, {MODELS}) n;
         insert into model_version (model_id, number, tenant_id, source, config, weights_sha256, weights_bytes,
                                    config_sha256, metrics, bytes, created_at)
         select id, 1, tenant_id, 'uploaded',
                case when is_known then jsonb_build_object(
                                   'task', case when hashtext(name) % 50 = 0 then 'regression' else 'forecasting' end,
                                   'input', '{{\"type\": \"table\"}}'::jsonb,
                                   'layers', '[{{\"type\": \"Dense\"}}]'::jsonb) end,
                case when is_known then sha256('weights') end, case when is_known then 7 end,
                case when is_known then sha256('config') end,
                jsonb_build_object('val_loss', (hashtext(name) % 1000) / 100.0),
                1000 + (hashtext(name) & 65535), created_at + (hashtext(name) & 1023) * interval '1 hour'
         from model, lateral (select licence = 'mit' or hashtext(name) & 1 = 0 as is_known) known;
         insert into model_tally (model_id, downloads, likes, trending, is_settled)
         select id, hashtext(name) & 255, hashtext(name) & 7, hashtext(name) & 511, true from model;
         reset session_replication_role;
         insert into public_model ({SEARCHED}) select {SEARCHED} from model_facts;
         analyze",
        world.acme.id.uuid()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fill)).execute(&mut owner).await.unwrap();
    owner
}

async fn page(world: &World, search: &Search) -> Page<Found> {
    let mut tx = world.begin_for(&world.acme).await;
    models::search(&mut tx, search).await.unwrap()
}

/// The first three pages' names.
async fn leaf_through(world: &World, search: Search) -> Vec<String> {
    let mut search = Search { limit: Some(PAGE), ..search };
    let mut names = Vec::new();
    for _ in 0..3 {
        let found = page(world, &search).await;
        search.after = found.items.last().map(|found| found.place);
        names.extend(found.items.into_iter().map(|found| found.name));
    }
    names
}

async fn names(owner: &mut PgConnection, condition: &str, order: &str) -> Vec<String> {
    let sql = format!(
        "select name from public_model where {condition} order by {order}, id desc limit {}",
        3 * PAGE
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(owner).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn pages_of_what_is_common_and_of_what_is_rare_are_what_the_table_says() {
    let world = World::create().await;
    let mut owner = shelve(&world).await;
    for (order, column) in [
        (Order::Updated, "updated_at"),
        (Order::Created, "created_at"),
        (Order::Downloads, "downloads"),
        (Order::Likes, "likes"),
        (Order::Trending, "trending"),
    ] {
        let all = Search { order, ..Search::of(Among::Public) };
        for tag in ["common", "rare"] {
            let search = Search { tags: vec![tag.to_owned()], ..all.clone() };
            let (condition, by) = (format!("tags @> '{{{tag}}}'"), format!("{column} desc"));
            let expected = names(&mut owner, &condition, &by).await;
            assert_eq!(leaf_through(&world, search).await, expected, "{tag} by {column}");
        }
        let kinds = |task: &str| {
            let kinds = [(Kind::Task, task), (Kind::Family, "dense"), (Kind::Licence, "mit")];
            kinds.map(|(kind, name)| (kind, name.to_owned())).to_vec()
        };
        for task in ["regression", "forecasting", "recommendation"] {
            let search = Search { kinds: kinds(task), max_bytes: Some(40_000), ..all.clone() };
            let condition = format!("task = '{task}' and licence = 'mit' and bytes <= 40000");
            let expected = names(&mut owner, &condition, &format!("{column} desc")).await;
            assert_eq!(leaf_through(&world, search).await, expected, "{task} by {column}");
        }
        let licence = vec![(Kind::Licence, "isc".to_owned())];
        let metric = MetricBound { name: "val_loss".into(), at_least: Some(-9.0), at_most: None };
        for metric in [None, Some(metric)] {
            let condition = match metric {
                Some(_) => "licence = 'isc' and (metrics ->> 'val_loss')::float8 >= -9.0",
                None => "licence = 'isc'",
            };
            let search = Search { kinds: licence.clone(), metric, ..all.clone() };
            let expected = names(&mut owner, condition, &format!("{column} desc")).await;
            assert_eq!(leaf_through(&world, search).await, expected, "a licence by {column}");
        }
        let words = Some("shared".to_owned());
        let tenant = vec![(Kind::Tenant, "acme".to_owned())];
        let search = Search { words, kinds: tenant, tags: vec!["common".into()], ..all.clone() };
        let expected = names(&mut owner, "tags @> '{common}'", &format!("{column} desc")).await;
        assert_eq!(leaf_through(&world, search).await, expected, "a word by {column}");
        let loss =
            MetricBound { name: "val_loss".into(), at_least: Some(-3.1), at_most: Some(2.0) };
        let search = Search { metric: Some(loss), max_bytes: Some(30_000), ..all };
        let condition = "(metrics ->> 'val_loss')::float8 between -3.1 and 2.0 and bytes <= 30000";
        let expected = names(&mut owner, condition, &format!("{column} desc")).await;
        assert_eq!(leaf_through(&world, search).await, expected, "ranges by {column}");
    }
}

#[tokio::test]
async fn a_signature_lacks_nothing_that_is_said_and_few_metrics_are_all_there_are() {
    let world = World::create().await;
    let mut owner = shelve(&world).await;
    let lacking = "select count(*)::int from public_model p,
             unnest(search_said(words, tags, tenant, array[task, family, input, pipeline, licence])) said
         where p.signature & search_signature(array[said]) <> search_signature(array[said])
            or not p.together @> array[search_kinds(array[task, null, null, pipeline, licence])]
            or p.few_metrics is distinct from p.metrics";
    let lacking: i32 = sqlx::query_scalar(lacking).fetch_one(&mut owner).await.unwrap();
    assert_eq!(lacking, 0);
    let many = "update public_model set metrics =
             (select jsonb_object_agg('metric' || n, n) from generate_series(1, 1000) n)
         where name = 'model-7' returning few_metrics is null";
    assert!(sqlx::query_scalar::<_, bool>(many).fetch_one(&mut owner).await.unwrap());
}

#[tokio::test]
async fn of_what_very_many_have_the_popular_come_first() {
    let world = World::create().await;
    let mut owner = shelve(&world).await;
    let words = Some("shared".to_owned());
    let search = Search { words, order: Order::Relevance, ..Search::of(Among::Public) };
    let found = leaf_through(&world, search).await;
    let score = "ln(1 + downloads + 10 * likes) desc";
    let popular = "id in (select id from public_model order by downloads desc, id desc limit 100)";
    let best = names(&mut owner, popular, score).await;
    assert_eq!(found, best);
}

#[tokio::test]
async fn of_what_many_have_the_best_are_found_among_the_popular() {
    let world = World::create().await;
    let mut owner = shelve(&world).await;
    let words = Some("seldom".to_owned());
    let search =
        Search { words, order: Order::Relevance, limit: Some(PAGE), ..Search::of(Among::Public) };
    let found = page(&world, &search).await.items;
    let found: Vec<_> = found.into_iter().map(|found| found.name).collect();
    let score = "ln(1 + downloads + 10 * likes) desc";
    let best = names(&mut owner, "description = 'shared seldom'", score).await;
    assert_eq!(found, best[..PAGE as usize]);
}

#[tokio::test]
async fn a_number_has_a_step_that_every_range_around_it_looks_for() {
    let world = World::create().await;
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let missed = "select count(*)::int from generate_series(-300, 300, 7) n, generate_series(0, 12) m,
             unnest(array[0.003, 0.01, 1, 1e5]::float8[]) scale,
             lateral (select n * scale as value, n * scale - m * scale as low, n * scale + m * m * scale as high) x
         where not number_steps('a', value) && steps_within('a', low, high)
            or not number_steps('a', value) && steps_within('a', null, high)
            or not number_steps('a', value) && steps_within('a', low, null)";
    let missed: i32 = sqlx::query(missed).fetch_one(&mut owner).await.unwrap().get(0);
    assert_eq!(missed, 0);
}
