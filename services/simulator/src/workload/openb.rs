//! Tables in the columns of the openb trace ("Beware of Fragmentation", USENIX ATC 2023): tasks with
//! `cpu_milli, memory_mib, num_gpu, gpu_milli, creation_time, deletion_time, scheduled_time`, and nodes
//! with `cpu_milli, memory_mib, gpu`. Times are seconds. A task ran from its scheduling to its
//! deletion; one that never was scheduled is taken to need as long as it existed.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use domain::Resources;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Job, Setup, Workload};

#[derive(Deserialize)]
struct Task {
    cpu_milli: u64,
    memory_mib: u64,
    num_gpu: u64,
    gpu_milli: Option<u64>,
    creation_time: f64,
    deletion_time: f64,
    scheduled_time: Option<f64>,
}

#[derive(Deserialize)]
struct Node {
    cpu_milli: u64,
    memory_mib: u64,
    gpu: u64,
}

pub fn read(tasks: &Path, nodes: Option<&Path>, setup: &Setup) -> Result<Workload> {
    let nodes = nodes.map_or_else(|| nodes_beside(tasks), |path| Ok(path.to_owned()))?;
    let nodes: Vec<Node> = rows(&nodes)?;
    let tasks: Vec<Task> = rows(tasks)?;
    let first = tasks.iter().map(|task| task.creation_time).fold(f64::INFINITY, f64::min);
    let tenants = setup.draw_tenants(tasks.len())?;
    let jobs = tasks.iter().zip(tenants).map(|(task, tenant)| job(task, tenant, first, setup));
    Ok(Workload {
        tenants: setup.named_tenants(),
        workers: nodes.iter().map(worker).collect(),
        jobs: jobs.collect(),
    })
}

fn nodes_beside(tasks: &Path) -> Result<PathBuf> {
    let folder = tasks.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("the folder {} cannot be read", folder.display()))?;
    let mut found: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found
        .retain(|path| path.file_name().is_some_and(|n| n.to_string_lossy().contains("node_list")));
    found.sort();
    found.into_iter().next().with_context(|| {
        format!(
            "no table of nodes (`*node_list*`) beside {}; name it with --nodes",
            tasks.display()
        )
    })
}

fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let zipped = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> =
        if zipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let rows: Result<Vec<T>, _> = csv::Reader::from_reader(reader).into_deserialize().collect();
    let rows = rows.with_context(|| format!("{} is not in the trace's columns", path.display()))?;
    ensure!(!rows.is_empty(), "{} has no rows", path.display());
    Ok(rows)
}

fn worker(node: &Node) -> Resources {
    Resources {
        accelerator_milli: node.gpu.saturating_mul(1_000),
        ..Resources::cpu(node.cpu_milli, node.memory_mib << 20)
    }
}

fn job(task: &Task, tenant: usize, first: f64, setup: &Setup) -> Job {
    let ran = task.deletion_time - task.scheduled_time.unwrap_or(task.creation_time);
    let runtime = (ran.max(1.0) * 1_000.0) as i64;
    let accelerators = match task.num_gpu {
        0 => 0,
        1 => task.gpu_milli.unwrap_or(1_000).min(1_000),
        many => many.saturating_mul(1_000),
    };
    Job {
        submitted: ((task.creation_time - first) / setup.speed * 1_000.0) as i64,
        tenant,
        priority: 0,
        workers: 1,
        needs: Resources {
            accelerator_milli: accelerators,
            ..Resources::cpu(task.cpu_milli, task.memory_mib << 20)
        },
        runtime,
        max_runtime_secs: (ran.max(1.0) * setup.overestimate).ceil() as u64,
    }
}
