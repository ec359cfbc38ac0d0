//! Who may do what with models, and by the Hub's protocol.

use serde_json::json;

use super::{
    Content::{Json, Nothing, Text},
    Row, row,
};

/// Of a tenant's own models, and nobody else's.
const MINE: [u16; 9] = [200, 200, 200, 200, 403, 403, 401, 404, 404];
/// The same of what is read without a credential too, where it is public.
const SHOWN: [u16; 9] = [200, 200, 200, 200, 403, 403, 404, 404, 404];

pub(super) fn of_models() -> Vec<Row> {
    let private = Json(json!({ "visibility": "private" }));
    let name = Json(json!({ "name": "flowers" }));
    let first = Json(json!({ "version": 1 }));
    let deprecated = Json(json!({ "state": "deprecated" }));
    let question = Json(json!({ "row": { "width": 1.0, "height": 2.0 } }));
    vec![
        row("GET /v1/models", Nothing, [200, 200, 200, 200, 403, 403, 200, 200, 200]),
        // taken, but for the other tenant, where the developer is first
        row("POST /v1/models", name, [409, 409, 409, 403, 403, 403, 401, 409, 201]),
        row("GET /v1/models/{tenant}/{model}", Nothing, SHOWN),
        row("GET /v1/models/{tenant}/{model}/aliases", Nothing, SHOWN),
        row(
            "PUT /v1/models/{tenant}/{model}/aliases/{alias}",
            first,
            [204, 204, 204, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "DELETE /v1/models/{tenant}/{model}/aliases/{alias}",
            Nothing,
            [404, 404, 204, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "PATCH /v1/models/{tenant}/{model}",
            private,
            [200, 200, 403, 403, 403, 403, 401, 404, 403],
        ),
        row("GET /v1/models/{tenant}/{model}/versions", Nothing, SHOWN),
        row("GET /v1/models/{tenant}/{model}/versions/{version}", Nothing, SHOWN),
        row("GET /v1/models/{tenant}/{model}/versions/{version}/manifest", Nothing, MINE),
        row("GET /v1/models/{tenant}/{model}/versions/{version}/card", Nothing, SHOWN),
        row("GET /v1/models/{tenant}/{model}/versions/{version}/lineage", Nothing, SHOWN),
        row("GET /v1/models/{tenant}/{model}/versions/{version}/compare", Nothing, MINE)
            .at("/v1/models/acme/flowers/versions/1/compare?with=1"),
        row(
            "POST /v1/models/{tenant}/{model}/versions/{version}/compare",
            Json(json!({ "with": "1" })),
            [202, 202, 202, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "POST /v1/models/{tenant}/{model}/versions/{version}/importance",
            Json(json!({})),
            [202, 202, 202, 403, 403, 403, 401, 404, 404],
        ),
        row("GET /v1/models/{tenant}/{model}/versions/{version}/importance", Nothing, MINE),
        row(
            "POST /v1/models/{tenant}/{model}/batch-predictions",
            Json(json!({ "dataset": "flowers" })),
            [202, 202, 202, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "POST /v1/models/{tenant}/{model}/batch-predictions/dry-run",
            Json(json!({ "dataset": "flowers" })),
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "POST /v1/models/{tenant}/{model}/versions/{version}/reproduce",
            Nothing,
            [202, 202, 202, 403, 403, 403, 401, 404, 404],
        ),
        // the first of those who may has made it
        row(
            "POST /v1/models/{tenant}/{model}/versions/{version}/fork",
            Json(json!({ "name": "meadow" })),
            [409, 409, 201, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "PATCH /v1/models/{tenant}/{model}/versions/{version}",
            deprecated,
            [200, 200, 403, 403, 403, 403, 401, 404, 403],
        ),
        // of one that is not there: permitted, and without an effect
        row(
            "DELETE /v1/models/{tenant}/{model}/versions/{version}",
            Nothing,
            [404, 404, 403, 403, 403, 403, 401, 404, 403],
        )
        .at("/v1/models/acme/flowers/versions/9"),
        row("GET /v1/models/{tenant}/{model}/versions/{version}/files/{file}", Nothing, MINE),
        row(
            "POST /v1/models/{tenant}/{model}/predict",
            question,
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
    ]
}

pub(super) fn of_finding() -> Vec<Row> {
    let collection = Json(json!({ "title": "The best" }));
    let list = Json(json!({ "title": "This week", "models": [] }));
    let everybody = [200, 200, 200, 200, 403, 403, 401, 200, 200];
    let operators = [403, 403, 403, 403, 204, 403, 401, 403, 403];
    vec![
        row("PUT /v1/models/{tenant}/{model}/like", Nothing, MINE),
        row("DELETE /v1/models/{tenant}/{model}/like", Nothing, MINE),
        row("POST /hub/api/models/{tenant}/{model}/like", Nothing, MINE),
        row("DELETE /hub/api/models/{tenant}/{model}/like", Nothing, MINE),
        // a tenant that shows nothing has no page for others
        row("GET /v1/organizations/{tenant}", Nothing, MINE),
        row("GET /v1/collections/{tenant}", Nothing, everybody),
        row(
            "PUT /v1/collections/{tenant}/{collection}",
            collection,
            [200, 200, 200, 403, 403, 403, 401, 403, 403],
        ),
        row("GET /v1/collections/{tenant}/{collection}", Nothing, MINE),
        row(
            "DELETE /v1/collections/{tenant}/{collection}",
            Nothing,
            [404, 404, 204, 403, 403, 403, 401, 403, 403],
        ),
        row("GET /v1/featured", Nothing, [200, 200, 200, 200, 200, 200, 401, 200, 200]),
        row("PUT /v1/featured/{list}", list, operators),
        row("DELETE /v1/featured/{list}", Nothing, operators),
    ]
}

pub(super) fn of_endpoints() -> Vec<Row> {
    let traffic = json!({ "traffic": [{ "model": "acme/flowers", "version": "1", "weight": 1 }] });
    let question = Json(json!({ "row": { "width": 1.0, "height": 2.0 } }));
    vec![
        row("GET /v1/endpoints", Nothing, [200, 200, 200, 200, 403, 403, 401, 200, 200]),
        // another tenant's model is nothing to send calls to
        row(
            "PUT /v1/endpoints/{endpoint}",
            Json(traffic),
            [200, 200, 200, 403, 403, 403, 401, 422, 422],
        ),
        row("GET /v1/endpoints/{endpoint}", Nothing, MINE),
        row("GET /v1/endpoints/{endpoint}/revisions", Nothing, MINE),
        row(
            "POST /v1/endpoints/{endpoint}/predict",
            question,
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
        // each goes back by one
        row(
            "POST /v1/endpoints/{endpoint}/rollback",
            Json(json!({})),
            [200, 200, 200, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "DELETE /v1/endpoints/{endpoint}",
            Nothing,
            [404, 404, 204, 403, 403, 403, 401, 404, 404],
        ),
    ]
}

/// The Open Inference Protocol: whoever may predict.
pub(super) fn of_inference() -> Vec<Row> {
    const PREDICTS: [u16; 9] = [200, 200, 200, 403, 403, 403, 401, 404, 404];
    let empty = || Json(json!({ "inputs": [] }));
    let mut rows = vec![
        row("GET /v2/health/live", Nothing, [200; 9]),
        row("GET /v2/health/ready", Nothing, [200; 9]),
        row("GET /v2", Nothing, [200, 200, 200, 403, 403, 403, 401, 200, 200]),
    ];
    // permitted, and without the inputs that the model has
    let asked = [400, 400, 400, 403, 403, 403, 401, 404, 404];
    rows.push(row("POST /v2/models/{tenant}/{model}/infer", empty(), asked));
    rows.push(row("POST /v2/models/{tenant}/{model}/versions/{version}/infer", empty(), asked));
    for route in [
        "GET /v2/models/{tenant}/{model}",
        "GET /v2/models/{tenant}/{model}/ready",
        "GET /v2/models/{tenant}/{model}/config",
        "GET /v2/models/{tenant}/{model}/stats",
        "GET /v2/models/{tenant}/{model}/versions/{version}",
        "GET /v2/models/{tenant}/{model}/versions/{version}/ready",
        "GET /v2/models/{tenant}/{model}/versions/{version}/config",
        "GET /v2/models/{tenant}/{model}/versions/{version}/stats",
    ] {
        rows.push(row(route, Nothing, PREDICTS));
    }
    rows
}

pub(super) fn of_hub() -> Vec<Row> {
    // in the caller's own tenant; the first of those who may has made it
    let repository = Json(json!({ "name": "notes", "type": "model" }));
    let private = Json(json!({ "private": true }));
    let files = Json(json!({ "files": [{ "path": "a.txt", "size": 1 }] }));
    let lines = "{\"key\":\"header\",\"value\":{\"summary\":\"a\"}}\n\
        {\"key\":\"file\",\"value\":{\"path\":\"a/b.txt\",\"content\":\"a\"}}\n";
    let commit = Text("application/x-ndjson", lines);
    let batch = Text("application/vnd.git-lfs+json", "{\"objects\":[]}");
    let paths = Text("application/x-www-form-urlencoded", "paths=config.json");
    let yaml = Json(json!({ "content": "---\nlicense: mit\n---\n", "repoType": "model" }));
    let writes = [200, 200, 200, 403, 403, 403, 401, 404, 404];
    let in_any = [200, 200, 200, 200, 403, 403, 401, 200, 200];
    let mut rows = vec![
        row("GET /hub/api/whoami-v2", Nothing, [200, 200, 200, 200, 200, 200, 401, 200, 200]),
        row("POST /hub/api/validate-yaml", yaml, in_any),
        row("GET /hub/api/models", Nothing, in_any),
        row(
            "POST /hub/api/repos/create",
            repository,
            [409, 409, 200, 403, 403, 403, 401, 409, 200],
        ),
        row(
            "PUT /hub/api/models/{tenant}/{model}/settings",
            private,
            [200, 200, 403, 403, 403, 403, 401, 404, 403],
        ),
        row("POST /hub/api/models/{tenant}/{model}/preupload/{revision}", files, writes),
        row("POST /hub/api/models/{tenant}/{model}/commit/{revision}", commit, writes),
        row("POST /hub/{tenant}/{model}.git/info/lfs/objects/batch", batch, writes),
        // of nobody's ticket, which is all that is asked for
        row("PUT /hub/lfs/{ticket}", Text("application/octet-stream", "a"), [401; 9]),
        row(
            "POST /hub/api/models/{tenant}/{model}/tag/{revision}",
            Json(json!({ "tag": "v1" })),
            [409, 409, 200, 403, 403, 403, 401, 404, 404],
        ),
        row(
            "DELETE /hub/api/models/{tenant}/{model}/tag/{revision}",
            Nothing,
            [404, 404, 200, 403, 403, 403, 401, 404, 404],
        )
        .at("/hub/api/models/acme/flowers/tag/v1"),
        row("POST /hub/api/models/{tenant}/{model}/paths-info/{revision}", paths, MINE),
        row("GET /hub/api/models/{tenant}/{model}/tree/{revision}/{file}", Nothing, MINE)
            .at("/hub/api/models/acme/flowers/tree/main/a"),
    ];
    rows.extend(reads());
    rows
}

fn reads() -> impl Iterator<Item = Row> {
    [
        "GET /hub/api/models/{tenant}/{model}",
        "GET /hub/api/models/{tenant}/{model}/auth-check",
        "GET /hub/api/models/{tenant}/{model}/refs",
        "GET /hub/api/models/{tenant}/{model}/revision/{revision}",
        "GET /hub/api/models/{tenant}/{model}/commits/{revision}",
        "GET /hub/api/models/{tenant}/{model}/tree/{revision}",
        "GET /hub/{tenant}/{model}/resolve/{revision}/{file}",
    ]
    .into_iter()
    .map(|route| row(route, Nothing, MINE))
}
