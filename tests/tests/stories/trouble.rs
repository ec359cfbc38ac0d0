//! Trainings that cannot end well, and say why.

use e2e::Platform;
use serde_json::json;

#[tokio::test]
async fn a_diverging_loss_ends_the_job_with_its_cause_and_keeps_its_metrics() {
    let platform = Platform::start().await;
    let client = platform.operator.tenant("acme").await;
    let mut csv = "x,y\n".to_owned();
    for n in 0..64_u32 {
        csv.push_str(&format!("{},{}\n", n, 3 * n + n % 5));
    }
    client.push_csv("line", &csv).await;
    let job = client
        .submit(&json!({
            "dataset": "line", "target": "y", "task": "regression",
            "model": {"layers": [{"type": "Dense", "units": 1, "activation": "linear"}]},
            // each step overshoots by a little more than the one before
            "optimizer": {"type": "SGD", "learning_rate": 1.5},
            "epochs": 1000, "batch_size": 32, "validation": {"split": 0.0},
        }))
        .await;
    let failed = client.wait_for_status(&job, "failed").await;
    assert_eq!(failed["cause"]["code"], "loss_not_finite");
    let message = failed["cause"]["message"].as_str().unwrap();
    let step = message
        .strip_prefix("loss became ")
        .and_then(|rest| rest.split_once(" at step "))
        .and_then(|(_, rest)| rest.strip_suffix("; lower the learning rate"))
        .and_then(|step| step.parse::<u64>().ok());
    assert!(step.is_some_and(|step| step > 2), "{message}");
    assert_eq!((&failed["attempt"], &failed["published"]), (&1.into(), &serde_json::Value::Null));
    assert!(client.metrics(&job).await.contains("loss"));
    let events = client.events(&job).await;
    assert_eq!(events.last().unwrap().data["cause"]["message"], message);
}
