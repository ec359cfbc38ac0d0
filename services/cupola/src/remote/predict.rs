//! `cupola predict`: about one row, about all rows of a CSV file, in batches with a bar, or about those of a
//! dataset; of a model, or of whatever stands behind an endpoint.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use csv::{ReaderBuilder, StringRecord, Writer};
use domain::name::Name;
use indicatif::ProgressBar;
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};

use super::{
    Asking,
    api::Client,
    batch,
    names::{DatasetName, ModelName},
    rows::{Numbers, answer_header, answer_lines, row},
    sending::repeated,
    show::{self, Out, decimal, items, text},
};

/// The most that one request may hold.
const MOST_ROWS: usize = 10_000;
const BATCH_ROWS: usize = 500;
/// Of a language model.
const BATCH_PROMPTS: usize = 16;
const MOST_CLASSES: usize = 10;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    asking: Asking,
    /// MODEL or TENANT/MODEL, with :VERSION or @ALIAS; the newest version if absent.
    #[arg(required_unless_present = "endpoint")]
    model: Option<ModelName>,
    /// In place of a model: whatever stands behind an endpoint of this name.
    #[arg(long, conflicts_with_all = ["model", "dataset"])]
    endpoint: Option<Name>,
    /// Calls of an endpoint with one key are answered by one version, as long as the weights stay.
    #[arg(long, requires = "endpoint", conflicts_with = "model")]
    sticky_key: Option<HeaderText>,
    #[command(flatten)]
    about: About,
    /// Where the answers to a dataset's rows go, as JSON lines.
    #[arg(long, requires = "dataset")]
    out: Option<PathBuf>,
    /// Rows of the dataset that the model cannot read stand among the answers with what is wrong; without it
    /// the first one ends the job.
    #[arg(long, requires = "dataset")]
    list_bad_rows: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct About {
    /// One row as JSON, column to value; `-` reads it from stdin.
    #[arg(long)]
    row: Option<String>,
    /// A CSV file with a header line, `-` for stdin. Comes out as CSV with the answers beside the rows
    /// or, with --json, as a line for each answer.
    #[arg(long)]
    csv: Option<PathBuf>,
    /// A dataset, as NAME or NAME:VERSION, all of whose rows a job asks about.
    #[arg(long, requires = "out")]
    dataset: Option<DatasetName>,
}

/// Whom the rows are sent to.
struct Asked {
    path: String,
    sticky_key: Option<HeaderText>,
    is_endpoint: bool,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, out) = arguments.asking.open()?;
    if let (Some(model), Some(dataset), Some(to)) =
        (&arguments.model, &arguments.about.dataset, &arguments.out)
    {
        let path = model.path(&client).await?;
        let (of, to) = ((&*path, &*model.version), (&**to, arguments.list_bad_rows));
        return batch::run(&client, of, dataset, to, out).await;
    }
    let asked = asked(&client, arguments).await?;
    if let Some(file) = &arguments.about.csv {
        let version = client.get(&version_of(&client, arguments).await?).await?;
        return all(&client, &asked, &version, file, out).await;
    }
    let text = match arguments.about.row.as_deref() {
        Some("-") => io::read_to_string(io::stdin()).context("read stdin")?,
        given => given.unwrap_or_default().to_owned(),
    };
    let row: Value = serde_json::from_str(&text).context("--row is no JSON, as '{\"age\": 41}'")?;
    ensure!(row.is_object(), "--row must be a JSON object, column to value, as '{{\"age\": 41}}'");
    let answer = asked.answer(&client, &json!({"row": row}), &ProgressBar::hidden()).await?;
    warn(&answer);
    if asked.is_endpoint && !out.is_json() {
        eprintln!("answered by {}", by(&answer));
    }
    out.show(&answer, || describe(&answer["predictions"][0]))
}

async fn asked(client: &Client, arguments: &Arguments) -> anyhow::Result<Asked> {
    let sticky_key = arguments.sticky_key.clone();
    let path = match (&arguments.endpoint, &arguments.model) {
        (Some(endpoint), _) => format!("/v1/endpoints/{endpoint}/predict"),
        (None, Some(model)) => {
            format!("{}/predict?version={}", model.path(client).await?, model.version)
        }
        (None, None) => bail!("name a model, or an endpoint with --endpoint"),
    };
    Ok(Asked { path, sticky_key, is_endpoint: arguments.endpoint.is_some() })
}

/// Whose columns tell what of a CSV file are numbers: of an endpoint those of the first version behind it.
async fn version_of(client: &Client, arguments: &Arguments) -> anyhow::Result<String> {
    if let Some(model) = &arguments.model {
        return Ok(format!("{}/versions/{}", model.path(client).await?, model.version));
    }
    let name = arguments.endpoint.as_ref().map(ToString::to_string).unwrap_or_default();
    let endpoint = client.get(&format!("/v1/endpoints/{name}")).await?;
    let traffic = items(&endpoint, "/traffic");
    let seen =
        traffic.iter().find_map(|target| Some((target["model"].as_str()?, &target["version"])));
    let (model, version) = seen.with_context(|| {
        format!("no model behind {name} is shown to you any more; ask it with --row")
    })?;
    Ok(format!("/v1/models/{model}/versions/{version}"))
}

impl Asked {
    /// To ask changes nothing, so that it is asked again where the connection broke.
    async fn answer(
        &self,
        client: &Client,
        body: &Value,
        bar: &ProgressBar,
    ) -> anyhow::Result<Value> {
        repeated(client, bar, || {
            let mut request = client.request(Method::POST, &self.path);
            if let Some(key) = &self.sticky_key {
                request = request.header("Sticky-Key", &key.0);
            }
            client.json(request.json(body))
        })
        .await
    }
}

/// What a header may hold.
#[derive(Debug, Clone)]
struct HeaderText(HeaderValue);

impl FromStr for HeaderText {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let held = HeaderValue::from_str(text).ok().filter(|_| text.is_ascii() && !text.is_empty());
        held.map(Self).ok_or_else(|| "use visible ASCII characters".to_owned())
    }
}

fn by(answer: &Value) -> String {
    format!("{}:{}", text(answer, "/model"), answer["version"])
}

/// On stderr, once: results are results.
fn warn(answer: &Value) {
    if let Some(warning) = answer["warning"].as_str() {
        eprintln!("note: {warning}");
    }
}

fn describe(prediction: &Value) -> String {
    let mut said = String::new();
    for line in answer_lines(prediction) {
        said += &format!(
            "{}\n",
            line.iter().filter(|cell| !cell.is_empty()).cloned().collect::<Vec<_>>().join("  ")
        );
    }
    let Some(classes) = prediction["probabilities"].as_object() else { return said };
    said = format!("{}\n", text(prediction, "/class"));
    let mut classes: Vec<_> =
        classes.iter().map(|(class, p)| (p.as_f64().unwrap_or(0.0), class)).collect();
    classes.sort_by(|a, b| b.0.total_cmp(&a.0));
    let shown = classes.iter().take(MOST_CLASSES);
    said + &shown.map(|(p, class)| format!("  {class}  {}\n", decimal(*p))).collect::<String>()
}

/// So many rows go together. A forecast needs the whole history at once.
fn batch_rows(version: &Value) -> usize {
    match text(version, "/task") {
        "forecasting" => MOST_ROWS,
        "language_modeling" => BATCH_PROMPTS,
        _ => BATCH_ROWS,
    }
}

async fn all(
    client: &Client,
    asked: &Asked,
    version: &Value,
    file: &Path,
    out: Out,
) -> anyhow::Result<()> {
    let (reader, length) = open(file)?;
    let mut reader = ReaderBuilder::new().from_reader(reader);
    let header = reader.headers().with_context(|| format!("{}", file.display()))?.clone();
    let numbers = Numbers::of(version);
    let is_forecast = text(version, "/task") == "forecasting";
    let bar = show::bytes_bar(length)?;
    let (mut answers, mut batch) = (Answers::new(out), Vec::new());
    let most = batch_rows(version);
    loop {
        let mut record = StringRecord::new();
        let is_row =
            reader.read_record(&mut record).with_context(|| format!("{}", file.display()))?;
        ensure!(
            !(is_forecast && is_row && batch.len() == MOST_ROWS),
            "a forecast takes at most {MOST_ROWS} rows, all at once; send the last of the history"
        );
        if is_row {
            batch.push(record);
        }
        let is_full = batch.len() == most && !is_forecast;
        if is_full || (!is_row && !batch.is_empty()) {
            let rows: Vec<_> = batch.iter().map(|record| row(&header, record, &numbers)).collect();
            let answer = asked.answer(client, &json!({"rows": rows}), &bar).await;
            let answer = answer.with_context(|| {
                format!("the rows that end at line {}", reader.position().line())
            })?;
            answers.add(&header, &batch, &answer, &bar)?;
            batch.clear();
            bar.set_position(reader.position().byte());
        }
        if !is_row {
            bar.finish_and_clear();
            return answers.end(asked.is_endpoint);
        }
    }
}

fn open(path: &Path) -> anyhow::Result<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let named = || format!("read {}", path.display());
    let file = File::open(path).with_context(named)?;
    let length = file.metadata().with_context(named)?.len();
    Ok((Box::new(file), Some(length)))
}

/// What was answered, on stdout.
struct Answers {
    out: Out,
    csv: Writer<io::Stdout>,
    /// Whether the header, and a warning, were said.
    begun: bool,
    /// How many predictions came from which version.
    by: BTreeMap<String, usize>,
}

impl Answers {
    fn new(out: Out) -> Self {
        Self { out, csv: Writer::from_writer(io::stdout()), begun: false, by: BTreeMap::new() }
    }

    fn add(
        &mut self,
        header: &StringRecord,
        rows: &[StringRecord],
        answer: &Value,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        let predictions = items(answer, "/predictions");
        *self.by.entry(by(answer)).or_default() += predictions.len();
        let begins = !std::mem::replace(&mut self.begun, true);
        if begins {
            bar.suspend(|| warn(answer));
        }
        if self.out.is_json() {
            return predictions
                .iter()
                .try_for_each(|prediction| show::write(&prediction.to_string()));
        }
        let stands_alone = predictions.first().is_some_and(|first| first["times"].is_array());
        for (place, prediction) in predictions.iter().enumerate() {
            let (columns, cells) = match rows.get(place).filter(|_| !stands_alone) {
                Some(row) => (header.clone(), row.clone()),
                None => (StringRecord::new(), StringRecord::new()),
            };
            if begins && place == 0 {
                self.write(&columns, answer_header(prediction).iter().copied())?;
            }
            for line in answer_lines(prediction) {
                self.write(&cells, line.iter().map(String::as_str))?;
            }
        }
        bar.suspend(|| self.csv.flush()).context("stdout")
    }

    fn write<'a>(
        &mut self,
        row: &'a StringRecord,
        more: impl Iterator<Item = &'a str>,
    ) -> anyhow::Result<()> {
        let written = self.csv.write_record(row.iter().chain(more));
        // csv's own error hides the one beneath it
        let beneath = |error: csv::Error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        };
        written.map_err(beneath).context("stdout")
    }

    fn end(mut self, say_by_whom: bool) -> anyhow::Result<()> {
        self.csv.flush().context("stdout")?;
        for (version, predictions) in self.by.iter().filter(|_| say_by_whom) {
            eprintln!("{predictions} answered by {version}");
        }
        Ok(())
    }
}
