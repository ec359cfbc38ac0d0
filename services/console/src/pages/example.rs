//! A first journey of two clicks: the example data is pushed, the example specification is trained.

use actix_web::{HttpResponse, post, web};
use futures::stream;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::{datasets, jobs, see};
use crate::{failure::Failure, form::Sent, layout, visitor::Visitor};

pub(super) const DATASET: &str = "breast-cancer";
/// The Wisconsin breast-cancer data: where it comes from stands in docs/examples/README.md.
const DATA: &[u8] = include_bytes!("../../../../docs/examples/breast-cancer.csv");

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(push).service(train);
}

#[post("/example")]
async fn push(_sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let bytes = stream::iter([Ok(web::Bytes::from_static(DATA))]);
    datasets::push(&visitor, DATASET, "breast-cancer.csv", bytes).await?;
    Ok(see(&format!("/console/datasets/{DATASET}")))
}

#[post("/example/train")]
async fn train(_sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let job = jobs::send(&visitor, &draft(), "").await?;
    Ok(see(&job.url()))
}

/// Whether a tumour is benign, told by thirty measurements of its cells.
fn draft() -> Value {
    json!({
        "dataset": DATASET, "target": "diagnosis", "drop": ["id"], "name": "the example",
        "model": {"layers": [
            {"type": "Dense", "units": 128, "activation": "relu"},
            {"type": "Dense", "units": 64, "activation": "relu"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
        "loss": "binary_crossentropy",
        "optimizer": {"type": "Adam", "learning_rate": 0.001},
        "epochs": 20, "batch_size": 32, "validation": {"split": 0.2}, "seed": 7,
        "registered_model_name": DATASET,
    })
}

/// Beside the example's data.
pub(super) fn next_step(visitor: &Visitor) -> Markup {
    html! {
        div.notice.good {
            p { "This is the example: 569 tumours, each measured in thirty ways, and whether it was malignant. One click trains a network that tells them apart." }
            div { (layout::act(visitor, "/console/example/train", "Train the example", "main")) }
        }
    }
}
