//! `cupola predict MODEL --dataset NAME`: all rows of a dataset by a job, which is followed, and its answers
//! downloaded. A download that breaks off goes on where it was.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::{
    api::Client,
    names::DatasetName,
    pull,
    show::{Out, bytes, text},
    watch,
};

/// `path`: of the model, and `version` the one of it that is asked.
pub async fn run(
    client: &Client,
    (path, version): (&str, &str),
    dataset: &DatasetName,
    (to, list_bad_rows): (&Path, bool),
    out: Out,
) -> anyhow::Result<()> {
    let bad_rows = if list_bad_rows { "list" } else { "fail" };
    let mut asked = json!({"dataset": dataset.name.to_string(), "bad_rows": bad_rows});
    if let Some(number) = dataset.version {
        asked["version"] = number.into();
    }
    let job = client.post(&format!("{path}/batch-predictions?version={version}"), &asked).await?;
    let id = text(&job, "/id").to_owned();
    out.say(&format!("{id}: {}", text(&job, "/name")))?;
    let job = watch::until_the_end(client, &id, out).await?;
    let file = job.pointer("/prediction/file").context("the job has no file of answers")?;
    pull::file(client, file, to).await?;
    out.show(&job, || told(&job, to))
}

fn told(job: &Value, to: &Path) -> String {
    let count = |name: &str| job["prediction"]["result"][name].as_u64().unwrap_or(0);
    let bad = match count("bad_rows") {
        0 => String::new(),
        bad => format!(", {bad} rows that the model could not read"),
    };
    let size = bytes(&job["prediction"]["file"]["bytes"]);
    format!("{} answers{bad}, {size}, are in {}", count("answered"), to.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_not_answered_are_told() {
        let job = |bad: u64| {
            let result = json!({"answered": 3, "bad_rows": bad, "tokens": 0});
            json!({"prediction": {"result": result, "file": {"bytes": 100}}})
        };
        let to = Path::new("answers.jsonl");
        assert_eq!(told(&job(0), to), "3 answers, 100 B, are in answers.jsonl");
        let said = told(&job(2), to);
        assert!(said.starts_with("3 answers, 2 rows that the model could not read"), "{said}");
    }
}
