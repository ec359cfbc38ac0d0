//! Two tenants on one platform: limits hold for each, and what is one's is not there for the other.

use e2e::{Client, Platform, two_clouds, wait_until};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::outcome::published;

/// How many jobs of one tenant may run at once, if nobody says otherwise.
const MAX_RUNNING: usize = 2;

async fn running(client: &Client) -> usize {
    let jobs = client.get("/v1/jobs?kind=train").await.ok();
    let live = ["starting", "running", "stopping"];
    let jobs = jobs["items"].as_array().unwrap();
    jobs.iter().filter(|job| live.contains(&job["status"].as_str().unwrap())).count()
}

#[tokio::test]
async fn a_greedy_tenant_is_held_to_its_limit_and_starves_nobody() {
    let platform = Platform::start().await;
    let (greedy, modest) =
        (platform.operator.tenant("greedy").await, platform.operator.tenant("modest").await);
    let (csv, short) = two_clouds(2);
    let (_, endless) = two_clouds(10_000);
    for client in [&greedy, &modest] {
        client.push_csv("clouds", &csv).await;
    }
    let mut jobs = Vec::new();
    for _ in 0..6 {
        jobs.push(greedy.submit(&endless).await);
    }
    let first_two = async || (running(&greedy).await == MAX_RUNNING).then_some(());
    wait_until("the greedy one's two jobs", first_two).await;

    // its queue is long and its jobs do not end; the other one's starts all the same
    published(&modest, &modest.submit(&short).await).await;
    assert_eq!(running(&greedy).await, MAX_RUNNING);
    let waiting = wait_until("a reason to wait", async || {
        let job = greedy.job(&jobs[5]).await;
        job["wait_reason"].is_object().then(|| job["wait_reason"].clone())
    })
    .await;
    assert_eq!(
        (&waiting["code"], &waiting["running"], &waiting["limit"]),
        (&"max_running_jobs".into(), &2.into(), &2.into())
    );

    // one that ends makes room for one
    greedy.cancel(&jobs[0]).await;
    greedy.wait_for_status(&jobs[2], "running").await;
    assert_eq!(running(&greedy).await, MAX_RUNNING);
}

/// The answer about something, with its name taken out.
async fn unnamed(client: &Client, path: &str, name: &str) -> (StatusCode, Value) {
    let answer = client.get(&path.replace("{}", name)).await;
    let text = answer.body.to_string().replace(name, "{}");
    (answer.status, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn what_belongs_to_another_tenant_is_not_there() {
    let platform = Platform::start().await;
    let (acme, globex) =
        (platform.operator.tenant("acme").await, platform.operator.tenant("globex").await);
    let (csv, draft) = two_clouds(1);
    acme.push_csv("clouds", &csv).await;
    let job = acme.submit(&draft).await;
    published(&acme, &job).await;

    let unknown_job = format!("job_{}", "0".repeat(32));
    let cases = [
        ("/v1/jobs/{}", job.as_str(), unknown_job.as_str()),
        ("/v1/jobs/{}/events", &job, &unknown_job),
        ("/v1/jobs/{}/metrics", &job, &unknown_job),
        ("/v1/jobs/{}/logs", &job, &unknown_job),
        ("/v1/datasets/{}/versions/1", "clouds", "nothing"),
        ("/v1/datasets/{}/versions/1/content", "clouds", "nothing"),
        ("/v1/models/acme/{}", "clouds", "nothing"),
        ("/v1/models/acme/{}/versions/1/files/model.safetensors", "clouds", "nothing"),
    ];
    for (path, theirs, nobodys) in cases {
        let seen = unnamed(&globex, path, theirs).await;
        assert_eq!(seen.0, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(seen, unnamed(&globex, path, nobodys).await, "{path}");
    }
    let cancel = globex.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await;
    assert_eq!(cancel.status, StatusCode::NOT_FOUND);
    let predict = async || {
        let row = json!({"row": {"x": 1, "y": 1}});
        globex.post("/v1/models/acme/clouds/predict", &row).await.status
    };
    assert_eq!(predict().await, StatusCode::NOT_FOUND);

    let public = json!({"visibility": "public", "licence": "mit"});
    let path = "/v1/models/acme/clouds";
    let patch = async |client: &Client| {
        let request = client.request(reqwest::Method::PATCH, path).json(&public);
        request.send().await.unwrap().status()
    };
    assert_eq!(patch(&globex).await, StatusCode::NOT_FOUND);
    assert_eq!(patch(&acme).await, StatusCode::OK);
    assert_eq!(predict().await, StatusCode::OK, "public is public");
    assert_eq!(patch(&globex).await, StatusCode::FORBIDDEN, "but not to be changed");
}
