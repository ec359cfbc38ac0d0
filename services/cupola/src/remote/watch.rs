//! A job as it goes on: on a terminal a bar and the loss as a line of blocks, drawn over as it falls;
//! elsewhere a line for each epoch; with `--json` every event as it came.

use std::{collections::BTreeMap, fmt};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressState};
use serde_json::{Value, json};

use super::{
    api::Client,
    events::{self, Event, News},
    show::{self, Out, text},
    sparkline::sparkline,
};

const WAITS: &str = "{spinner} {elapsed}";
const TRAINS: &str = "{msg}\n[{bar:30}] step {pos}/{len}  {rate}  {eta} left";
const LINE_CHARS: usize = 24;
/// What is drawn, where a job has it.
const DRAWN: [&str; 2] = ["loss", "val_loss"];
/// What is said by its last value.
const SAID: [&str; 4] = ["accuracy", "val_accuracy", "val_auc", "val_mae"];

/// Follows a job until it has ended, and answers it as it is then. One that did not succeed is an
/// error; so is Ctrl-C, which ends the looking on and not the job.
pub async fn until_the_end(client: &Client, job: &str, out: Out) -> anyhow::Result<Value> {
    let mut screen = Screen::new(out)?;
    let followed = tokio::select! {
        followed = events::follow(client, job, |news| screen.tell(news)) => followed,
        _ = tokio::signal::ctrl_c() => {
            screen.bar.finish_and_clear();
            bail!("the job goes on: `cupola jobs watch {job}` looks on again, `cupola jobs cancel {job}` ends it");
        }
    };
    screen.finish()?;
    followed?;
    let ended = client.get(&format!("/v1/jobs/{job}")).await?;
    match text(&ended, "/status") {
        "succeeded" => Ok(ended),
        "failed" => {
            let (code, why) = (text(&ended, "/cause/code"), text(&ended, "/cause/message"));
            let remedy = text(&ended, "/cause/remedy");
            let remedy = if remedy.is_empty() { "" } else { &format!(" {remedy}") };
            bail!("{job} has failed, {code}: {why}.{remedy} Its log: cupola jobs logs {job}")
        }
        status => bail!("{job} was {status}"),
    }
}

struct Screen {
    out: Out,
    live: bool,
    bar: ProgressBar,
    curves: Curves,
}

impl Screen {
    fn new(out: Out) -> anyhow::Result<Self> {
        let live = out.is_live();
        let bar = if live { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let bar = bar.with_style(show::bar_style(WAITS)?);
        Ok(Self { out, live, bar, curves: Curves::default() })
    }

    fn tell(&mut self, news: News) -> anyhow::Result<()> {
        match news {
            News::Broken => {
                // not among the results: the stream goes on where it was
                self.bar.suspend(|| eprintln!("the connection is lost; going on"));
                Ok(())
            }
            News::Event(event) if self.out.is_json() => {
                let Event { number, kind, data } = event;
                show::write(&json!({"id": number, "event": kind, "data": data}).to_string())
            }
            News::Event(event) => self.draw(&event),
        }
    }

    fn draw(&mut self, event: &Event) -> anyhow::Result<()> {
        let data = &event.data;
        match event.kind.as_str() {
            "progress" => self.bar.set_position(data["step"].as_u64().unwrap_or(0)),
            "training" => {
                self.bar.set_style(show::bar_style(TRAINS)?.with_key("rate", rate));
                self.bar.set_length(data["total_steps"].as_u64().unwrap_or(0));
                self.bar.set_position(data["resumed_from_step"].as_u64().unwrap_or(0));
                self.bar.reset_eta();
            }
            "epoch" => {
                self.bar.set_position(data["step"].as_u64().unwrap_or(0));
                self.curves.add(data);
                self.bar.set_message(self.curves.line());
            }
            _ => {}
        }
        match line(event) {
            Some(line) if !self.live || event.kind != "epoch" => self.say(&line),
            _ => Ok(()),
        }
    }

    fn say(&self, line: &str) -> anyhow::Result<()> {
        self.bar.suspend(|| show::write(line))
    }

    /// What was drawn stays.
    fn finish(&self) -> anyhow::Result<()> {
        self.bar.finish_and_clear();
        let line = self.curves.line();
        if self.live && !line.is_empty() { show::write(&line) } else { Ok(()) }
    }
}

fn rate(state: &ProgressState, to: &mut dyn fmt::Write) {
    // the bar is drawn without it where it cannot be written
    let _ = write!(to, "{:.0} steps/s", state.per_sec());
}

/// An event in words; none for what happens all the time.
fn line(event: &Event) -> Option<String> {
    let data = &event.data;
    Some(match event.kind.as_str() {
        "progress" | "checkpoint" | "running" => return None,
        "starting" => format!("starting, attempt {}", data["attempt"]),
        "training" => {
            let from = data["resumed_from_step"].as_u64();
            let from = from.map(|step| format!(", from step {step}")).unwrap_or_default();
            format!("training {} parameters in {} epochs{from}", data["parameters"], data["epochs"])
        }
        "epoch" => {
            let value = |name: &&'static str| Some((*name, data["metrics"][*name].as_f64()?));
            let values = ["loss", "accuracy", "val_loss", "val_accuracy"];
            let values: String = values
                .iter()
                .filter_map(value)
                .map(|(name, value)| format!("  {name} {value:.4}"))
                .collect();
            format!("epoch {:>3}{values}", data["epoch"].to_string())
        }
        "stopping" => format!("stopping: {}", text(data, "/reason")),
        "requeued" => format!("queued again: {}", text(data, "/cause/message")),
        other => show::state(other),
    })
}

/// What the epochs have reached, each once however often it was trained.
#[derive(Default)]
struct Curves(BTreeMap<String, BTreeMap<u64, f64>>);

impl Curves {
    fn add(&mut self, data: &Value) {
        let Some(epoch) = data["epoch"].as_u64() else { return };
        for (name, value) in data["metrics"].as_object().into_iter().flatten() {
            if let Some(value) = value.as_f64() {
                self.0.entry(name.clone()).or_default().insert(epoch, value);
            }
        }
    }

    fn line(&self) -> String {
        let last = |name: &&'static str| {
            Some((*name, self.0.get(*name)?, *self.0.get(*name)?.values().last()?))
        };
        let drawn = DRAWN.iter().filter_map(last).map(|(name, curve, last)| {
            let values: Vec<f64> = curve.values().copied().collect();
            format!("{name} {} {last:.4}", sparkline(&values, LINE_CHARS))
        });
        let said = SAID.iter().filter_map(last).map(|(name, _, last)| format!("{name} {last:.4}"));
        drawn.chain(said).collect::<Vec<_>>().join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: u64, loss: f64) -> Value {
        json!({"epoch": epoch, "step": epoch, "metrics": {"loss": loss, "accuracy": 0.5, "odd": null}})
    }

    #[test]
    fn an_epoch_that_is_trained_again_is_drawn_once() {
        let mut curves = Curves::default();
        for (number, loss) in [(1, 3.0), (2, 2.0), (2, 2.0), (3, 1.0)] {
            curves.add(&epoch(number, loss));
        }
        assert_eq!(curves.line(), "loss █▅▁ 1.0000  accuracy 0.5000");
        assert_eq!(Curves::default().line(), "");
    }

    #[test]
    fn events_are_told_in_words() {
        let told = |kind: &str, data| line(&Event { number: None, kind: kind.to_owned(), data });
        let said = told("epoch", epoch(7, 0.25)).unwrap();
        assert_eq!(said, "epoch   7  loss 0.2500  accuracy 0.5000");
        let data = json!({"parameters": 9, "epochs": 2, "resumed_from_step": 40});
        let said = told("training", data).unwrap();
        assert_eq!(said, "training 9 parameters in 2 epochs, from step 40");
        assert_eq!(told("checkpoint", json!({})), None);
    }
}
