//! What actix and sqlx cost by themselves: one handler that runs the statement by which the gateway reads a
//! dataset, for anybody, and answers the same bytes. Its arguments are the database's URL, how many connections,
//! and the tenant; it says on which port it listens.

use std::{net::TcpListener, str::FromStr};

use actix_web::{App, HttpServer, error, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

const STATEMENT: &str =
    "select d.id, d.name, d.created_at, count(v.number) as versions,
            coalesce(sum(v.bytes), 0)::bigint as bytes
     from dataset d left join dataset_version v on v.dataset_id = d.id
     where d.tenant_id = $1 and d.name = $2
     group by d.id";

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    versions: i64,
    bytes: i64,
    created_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct View {
    id: String,
    name: String,
    versions: i64,
    bytes: i64,
    created_at: DateTime<Utc>,
}

#[get("/v1/datasets/{name}")]
async fn dataset(
    pool: web::Data<PgPool>,
    tenant: web::Data<Uuid>,
    name: web::Path<String>,
) -> actix_web::Result<web::Json<View>> {
    let row = sqlx::query_as::<_, Row>(STATEMENT)
        .bind(tenant.get_ref())
        .bind(name.as_str())
        .fetch_one(pool.get_ref())
        .await
        .map_err(error::ErrorInternalServerError)?;
    let Row { id, name, versions, bytes, created_at } = row;
    Ok(web::Json(View { id: format!("dat_{}", id.simple()), name, versions, bytes, created_at }))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [url, connections, tenant] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "bare URL CONNECTIONS TENANT")?;
    // as the gateway's connections have it: plans are kept, and made for large tables
    let options = PgConnectOptions::from_str(&url)?.options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("jit", "off"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(connections.parse()?)
        .test_before_acquire(false)
        .connect_lazy_with(options);
    let (pool, tenant) = (web::Data::new(pool), web::Data::new(Uuid::from_str(&tenant)?));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    HttpServer::new(move || {
        App::new().app_data(pool.clone()).app_data(tenant.clone()).service(dataset)
    })
    .listen(listener)?
    .run()
    .await?;
    Ok(())
}
