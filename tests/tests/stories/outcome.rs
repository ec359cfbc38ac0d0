//! What a job leaves behind, to be compared byte for byte.

use domain::Digest;
use e2e::{Client, two_clouds};
use serde_json::{Value, json};

/// Long enough that what happens at `MIDDLE` happens before the end, on a fast machine too.
const EPOCHS: u32 = 600;
/// The step whose checkpoint is awaited before anything is done to a job.
pub const MIDDLE: u64 = 500;

#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    pub weights: Vec<u8>,
    pub config: Vec<u8>,
}

/// The one version that a succeeded job has published, its files checked against their digests.
pub async fn published(client: &Client, job: &str) -> Model {
    let job = client.wait_for_status(job, "succeeded").await;
    let url = job["published"]["url"].as_str().expect("a version is published").to_owned();
    let version = client.get(&url).await.ok();
    let file = async |name: &str| {
        let files = version["files"].as_array().unwrap();
        let file = files.iter().find(|file| file["name"] == name).expect("both files are there");
        let bytes = client.download(file["url"].as_str().unwrap()).await;
        assert_eq!(file["sha256"], Digest::of(&bytes).to_string().as_str(), "{name}");
        bytes
    };
    Model { weights: file("model.safetensors").await, config: file("config.json").await }
}

/// A tenant with data, and what an undisturbed run of its specification publishes.
pub struct Reference {
    pub client: Client,
    pub draft: Value,
    pub model: Model,
}

pub async fn undisturbed(operator: &Client) -> Reference {
    undisturbed_as(operator, |_| {}).await
}

pub async fn undisturbed_as(operator: &Client, change: impl FnOnce(&mut Value)) -> Reference {
    let client = operator.tenant("acme").await;
    let (csv, mut draft) = two_clouds(EPOCHS);
    change(&mut draft);
    client.push_csv("clouds", &csv).await;
    let job = client.submit(&draft).await;
    let model = published(&client, &job).await;
    assert_eq!(client.job(&job).await["attempt"], 1);
    Reference { client, draft, model }
}

impl Reference {
    /// Another job of the same specification, once it has trained and stored checkpoints for a while.
    pub async fn in_the_middle(&self) -> String {
        let job = self.client.submit(&self.draft).await;
        let is_middle = |data: &Value| data["step"].as_u64().is_some_and(|step| step >= MIDDLE);
        self.client.wait_for_event(&job, "checkpoint", is_middle).await;
        job
    }

    /// A short job beside it is trained and published: the platform is at work.
    pub async fn another_works(&self) {
        let job = self.submit_another().await;
        published(&self.client, &job).await;
    }

    pub async fn submit_another(&self) -> String {
        let draft = json!({"dataset": "clouds", "target": "cloud", "epochs": 1,
            "registered_model_name": "another"});
        self.client.submit(&draft).await
    }

    /// Whatever was done to it, the job has published one version, equal to the undisturbed one's.
    pub async fn equals(&self, job: &str) {
        assert!(published(&self.client, job).await == self.model, "the model differs");
        assert_eq!(self.client.count_versions("clouds").await, 2, "one of each job");
        let events = self.client.events(job).await;
        let count = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
        assert_eq!(count("succeeded"), 1);
        assert_eq!(events.last().map(|event| event.kind.as_str()), Some("succeeded"));
    }

    /// The step from which the job's last attempt went on.
    pub async fn resumed_from(&self, job: &str) -> u64 {
        let events = self.client.events(job).await;
        let training = events.iter().rev().find(|event| event.kind == "training");
        let training = training.expect("every attempt says that it trains");
        training.data["resumed_from_step"].as_u64().expect("it went on from a checkpoint")
    }
}
