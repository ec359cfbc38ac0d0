//! What a request asks for, and where it comes from.

use std::collections::HashMap;

use actix_web::{HttpMessage, HttpRequest, http::Method, web};
use domain::RequestId;
use utoipa::openapi::OpenApi;

use crate::{address::Address, openapi::operations};

/// These are asked for by POST or PUT, because of their size, and change nothing that anybody sees.
const ASKING: [&str; 15] = [
    "advise",
    "foresee_quota",
    "dry_run_job",
    "dry_run_batch_predict",
    "predict",
    "predict_by_endpoint",
    "infer_v2",
    "infer_v2_at",
    "hub_validate_yaml",
    "hub_paths_info",
    "hub_preupload",
    "hub_lfs_batch",
    "hub_lfs_put",
    "begin_upload",
    "send_piece",
];

/// The documented operations, by method and path.
pub(crate) struct Operations(HashMap<(Method, String), String>);

impl Operations {
    pub fn of(document: &OpenApi) -> Self {
        let mut all = HashMap::new();
        for (path, mut item) in document.paths.paths.clone() {
            for (method, operation) in operations(&mut item) {
                let method = method.parse().expect("the document has methods of HTTP");
                let id = operation.operation_id.clone().unwrap_or_default();
                all.insert((method, path.clone()), id);
            }
        }
        Self(all)
    }

    fn named(&self, req: &HttpRequest) -> Option<&String> {
        self.0.get(&(req.method().clone(), req.match_pattern()?))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The operation's id.
    pub action: String,
    pub address: Option<String>,
    pub request: Option<RequestId>,
    /// Whether the operation changes anything.
    pub changes: bool,
}

impl Origin {
    pub fn of(req: &HttpRequest) -> Self {
        let operations = req.app_data::<web::Data<Operations>>();
        let action = operations.and_then(|operations| operations.named(req));
        let changes = ![Method::GET, Method::HEAD].contains(req.method())
            && action.is_some_and(|action| !ASKING.contains(&action.as_str()));
        Self {
            action: action.cloned().unwrap_or_default(),
            address: Address::of(req).text(),
            request: req.extensions().get().copied(),
            changes,
        }
    }
}
