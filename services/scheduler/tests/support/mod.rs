//! A tenant with data, jobs on it that need one CPU for each of their workers, and machines.

use domain::{
    DatasetId, Digest, JobId, Resources, TenantId, UserId, WorkerId,
    access::Role,
    dataset::{Compression, Format},
    name::Name,
};
use store::{
    Service, Store,
    datasets::{self, NewVersion},
    jobs::{self, NewJob},
    people,
    tenants::{self, TenantLimits},
    workers::{self, NewWorker},
};

pub struct Tenant {
    pub id: TenantId,
    owner: UserId,
    dataset: DatasetId,
}

impl Tenant {
    pub async fn create(store: &Store, slug: &str, max_running_jobs: u32) -> Self {
        let (id, name): (_, Name) = (TenantId::generate(), slug.parse().unwrap());
        let limits = TenantLimits {
            max_running_jobs,
            max_queued_jobs: 100,
            max_storage_bytes: 1 << 30,
            max_egress_bytes: 1 << 30,
        };
        let mut tx = store.acting_as(Service::Gateway).begin().await.unwrap();
        tenants::create(&mut tx, id, &name, slug).await.unwrap().unwrap();
        tenants::set_limits(&mut tx, slug, &limits).await.unwrap().unwrap();
        let email = format!("owner@{slug}.example");
        let owner =
            people::ensure_user(&mut tx, UserId::generate(), &email, "Owner").await.unwrap();
        people::add_member(&mut tx, id, owner, Role::Owner).await.unwrap();
        tx.commit().await.unwrap();

        let version = NewVersion {
            sha256: Digest::of(slug.as_bytes()),
            bytes: 100,
            format: Format::Csv,
            compression: Compression::None,
        };
        let mut tx = store.begin_for(id).await.unwrap();
        let (version, _) =
            datasets::add_version(&mut tx, &"data".parse().unwrap(), &version).await.unwrap();
        tx.commit().await.unwrap();
        Self { id, owner, dataset: version.dataset }
    }
}

pub async fn submit(store: &Store, tenant: &Tenant, workers: u32) -> JobId {
    let size = (Resources::cpu(1_000, 1 << 30), 600);
    let job = NewJob::new("a job".to_owned(), tenant.owner, (tenant.dataset, 1), size);
    let job = NewJob { workers, ..job };
    let mut tx = store.begin_for(tenant.id).await.unwrap();
    jobs::submit(&mut tx, &job).await.unwrap();
    tx.commit().await.unwrap();
    job.id
}

pub async fn register(store: &Store, name: &str, cpus: u64) -> WorkerId {
    let id = WorkerId::generate();
    let capacity = Resources::cpu(cpus * 1_000, cpus << 30);
    let new = NewWorker { id, name, pool: "default", capacity };
    let mut tx = store.acting_as(Service::Worker).begin().await.unwrap();
    workers::register(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    id
}
