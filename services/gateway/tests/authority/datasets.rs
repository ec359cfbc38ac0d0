//! Who may do what with datasets, and with files that come in pieces.

use serde_json::{Value, json};

use super::{
    Content::{Json, Nothing, Text},
    FLOWERS, Row, row,
};

pub(super) fn of_datasets() -> Vec<Row> {
    let upload = upload("another", 1);
    vec![
        row("GET /v1/datasets", Nothing, [200, 200, 200, 200, 403, 403, 401, 200, 200]),
        row("GET /v1/datasets/{name}", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        row(
            "GET /v1/datasets/{name}/versions",
            Nothing,
            [200, 200, 200, 200, 403, 403, 401, 404, 404],
        ),
        row(
            "GET /v1/datasets/{name}/versions/{version}/lineage",
            Nothing,
            [200, 200, 200, 200, 403, 403, 401, 404, 404],
        ),
        row(
            "GET /v1/datasets/{name}/versions/{version}",
            Nothing,
            [200, 200, 200, 200, 403, 403, 401, 404, 404],
        ),
        row(
            "GET /v1/datasets/{name}/versions/{version}/content",
            Nothing,
            [200, 200, 200, 200, 403, 403, 401, 404, 404],
        ),
        // acme has these bytes; another tenant makes a dataset of its own with them
        row(
            "POST /v1/datasets/{name}/versions",
            Text("text/csv", FLOWERS),
            [200, 200, 200, 403, 403, 403, 401, 200, 201],
        ),
        row("GET /v1/uploads", Nothing, [200, 200, 200, 200, 403, 403, 401, 200, 200]),
        row("POST /v1/uploads", Json(upload), [200, 200, 201, 403, 403, 403, 401, 200, 201]),
        row("GET /v1/uploads/{upload}", Nothing, [200, 200, 200, 200, 403, 403, 401, 404, 404]),
        // permitted, and nowhere to go on
        row(
            "PATCH /v1/uploads/{upload}",
            Text("application/octet-stream", "1"),
            [400, 400, 400, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "POST /v1/uploads/{upload}/version",
            Nothing,
            [200, 200, 201, 403, 403, 403, 401, 404, 404],
        ),
        row("DELETE /v1/uploads/{upload}", Nothing, [404, 404, 204, 403, 403, 403, 401, 404, 404]),
    ]
}

/// Of a few bytes, under its name.
pub(super) fn upload(name: &str, bytes: usize) -> Value {
    json!({ "dataset": "more-flowers", "format": "csv", "bytes": bytes, "fingerprint": name })
}
