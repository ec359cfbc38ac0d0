//! The API's own description.

use crate::support::TestApp;

#[test]
fn the_document_is_the_one_that_was_reviewed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let made = gateway::openapi().to_pretty_json().unwrap() + "\n";
    assert!(made == kept, "docs/openapi.json is stale: run `make openapi` and look at the change");
}

#[actix_web::test]
async fn the_document_and_its_page_are_served_without_a_credential() {
    let app = TestApp::new().await;
    let document = app.nobody().get("/openapi.json").await.expect(200);
    assert_eq!(document.text("/openapi"), "3.1.0");
    let page = app.nobody().get("/docs/").await.expect(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "{page:?}");
    let script = app.nobody().get("/docs/swagger-initializer.js").await.expect(200);
    assert!(String::from_utf8_lossy(&script.bytes).contains("/openapi.json"));
    app.nobody().get("/docs").await.expect(307);
}

#[test]
fn every_operation_has_its_own_name_a_summary_and_says_how_it_fails() {
    let document = serde_json::to_value(gateway::openapi()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} twice: {method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            assert!(operation["tags"][0].is_string(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(!responses.contains_key("default"), "{method} {path}: say which");
            for (status, response) in responses {
                // the Open Inference Protocol has a shape of its own
                let inference = "#/components/schemas/InferenceError";
                let is_problem = match path.starts_with("/v2") {
                    true => response["content"]["application/json"]["schema"]["$ref"] == inference,
                    false => response["content"]["application/problem+json"].is_object(),
                };
                assert_eq!(is_problem, status.as_str() >= "400", "{method} {path} {status}");
                let said = response["description"].as_str().is_some_and(|text| !text.is_empty());
                assert!(said, "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn every_schema_that_is_named_is_there() {
    let document = serde_json::to_value(gateway::openapi()).unwrap();
    let text = document.to_string();
    for named in text.split("\"#/components/schemas/").skip(1) {
        let name = named.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}
