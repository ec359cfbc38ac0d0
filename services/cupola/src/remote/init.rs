//! `cupola init`: a specification to begin with, from the beginning of a CSV file. It says what it
//! took the columns for; the profile, and the platform's own defaults, know more.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use domain::name::Name;
use serde_json::{Map, Value, json};

use super::show::{Out, write};

const LOOKED_AT_ROWS: usize = 1_000;
/// On average, of a column that is read as text.
const TEXT_WORDS: f64 = 3.0;
/// Numbers of which there are fewer are taken for classes by people; the platform asks for a word.
const FEW: usize = 20;

#[derive(Args)]
pub struct Arguments {
    /// With a header line.
    file: PathBuf,
    /// The column that is to be predicted.
    #[arg(long)]
    target: String,
    /// The dataset's name, if not the file's.
    #[arg(long)]
    dataset: Option<Name>,
    /// Where it is written, `-` for stdout; beside the file, as .yaml, if absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Prints the specification as JSON, and writes no file.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let columns = look(&arguments.file)?;
    let name = match &arguments.dataset {
        Some(name) => name.clone(),
        None => name_of(&arguments.file)?,
    };
    let lines = draft(&columns, &arguments.target, &name)?;
    if arguments.json {
        let spec: Map<_, _> =
            lines.into_iter().map(|line| (line.field.to_owned(), line.value)).collect();
        return write(&Value::Object(spec).to_string());
    }
    let yaml = yaml(&lines, &arguments.file);
    let path = arguments.out.clone().unwrap_or_else(|| arguments.file.with_extension("yaml"));
    if path == Path::new("-") {
        return write(&yaml);
    }
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let named = || format!("{} cannot be written; choose another with --out", path.display());
    file.with_context(named)?.write_all(yaml.as_bytes()).with_context(named)?;
    let (data, spec) = (arguments.file.display(), path.display());
    Out::text().say(&format!(
        "{spec} is a beginning; then\n  cupola datasets push {name} {data}\n  cupola jobs submit {spec} --watch"
    ))
}

/// What the first rows hold.
#[derive(Default, Debug)]
struct Column {
    name: String,
    rows: usize,
    numbers: usize,
    whole: usize,
    words: usize,
    values: BTreeSet<String>,
}

#[derive(PartialEq, Debug)]
enum Kind {
    Empty,
    /// As many values as rows: of no row can anything be learnt for another.
    Id,
    Number,
    Category,
    Text,
}

impl Column {
    fn add(&mut self, cell: &str) {
        let cell = cell.trim();
        if cell.is_empty() {
            return;
        }
        self.rows += 1;
        self.numbers += usize::from(cell.parse::<f64>().is_ok());
        self.whole += usize::from(cell.parse::<i64>().is_ok());
        self.words += cell.split_whitespace().count();
        self.values.insert(cell.to_owned());
    }

    fn kind(&self) -> Kind {
        let all_differ = self.values.len() == self.rows && self.rows > 1;
        let lower = self.name.to_ascii_lowercase();
        let is_called_id = lower == "id" || lower.ends_with("_id");
        match self {
            Self { rows: 0, .. } => Kind::Empty,
            _ if all_differ && is_called_id => Kind::Id,
            _ if self.numbers == self.rows => Kind::Number,
            _ if self.words as f64 >= TEXT_WORDS * self.rows as f64 => Kind::Text,
            _ if all_differ && self.rows > FEW => Kind::Id,
            _ => Kind::Category,
        }
    }
}

fn look(path: &Path) -> anyhow::Result<Vec<Column>> {
    let named = || format!("read {}", path.display());
    let mut reader = csv::Reader::from_path(path).with_context(named)?;
    let header = reader.headers().with_context(named)?;
    let column = |name: &str| Column { name: name.trim().to_owned(), ..Column::default() };
    let mut columns: Vec<_> = header.iter().map(column).collect();
    for record in reader.records().take(LOOKED_AT_ROWS) {
        let record = record.with_context(named)?;
        columns.iter_mut().zip(&record).for_each(|(column, cell)| column.add(cell));
    }
    Ok(columns)
}

/// The file's, with what a name may not have as `-`.
fn name_of(path: &Path) -> anyhow::Result<Name> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let good = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = stem.chars().map(good).take(Name::MAX_CHARS).collect();
    let name = name.trim_start_matches(['-', '_', '.']);
    name.parse().context("the file's name makes no dataset's; give one with --dataset")
}

struct Line {
    field: &'static str,
    value: Value,
    comment: String,
}

fn draft(columns: &[Column], target: &str, dataset: &Name) -> anyhow::Result<Vec<Line>> {
    let Some(wanted) = columns.iter().find(|column| column.name == target) else {
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        bail!("there is no column `{target}`; the file has {}", names.join(", "));
    };
    ensure!(wanted.rows > 0, "the column `{target}` is empty in the first {LOOKED_AT_ROWS} rows");
    let names = |kinds: &[Kind]| -> Vec<&str> {
        let others = columns.iter().filter(|column| column.name != target);
        others.filter(|c| kinds.contains(&c.kind())).map(|c| c.name.as_str()).collect()
    };
    let (texts, useless) = (names(&[Kind::Text]), names(&[Kind::Id, Kind::Empty]));
    let cells = names(&[Kind::Number, Kind::Category]);
    let line = |field, value, comment: String| Line { field, value, comment };
    let mut lines = vec![
        line("dataset", json!(dataset), String::new()),
        line("target", json!(target), describe(wanted)),
    ];
    match (texts.first(), cells.is_empty()) {
        (Some(text), true) => {
            lines.push(line("features", json!([text]), "a model of text reads one column".into()));
            let family = json!({"family": "bidirectional_lstm"});
            lines.push(line("model", family, "or gru, transformer: docs/TRAINING.md".into()));
            lines.push(line("epochs", json!(5), String::new()));
        }
        _ => {
            ensure!(!cells.is_empty(), "beside `{target}` there is no column to learn from");
            let drop: Vec<_> = useless.iter().chain(&texts).collect();
            if !drop.is_empty() {
                let why = "an id, empty, or free text, which a table's model cannot read";
                lines.push(line("drop", json!(drop), why.into()));
            }
            let family = json!({"family": "mlp", "units": [128, 64]});
            lines.push(line("model", family, "or linear: docs/TRAINING.md".into()));
            lines.push(line("epochs", json!(20), String::new()));
        }
    }
    lines.push(line("batch_size", json!(32), String::new()));
    lines.push(line("validation", json!({"split": 0.2}), "rows that it is judged by".into()));
    lines.push(line("seed", json!(7), "the same seed gives the same model".into()));
    lines.push(line("registered_model_name", json!(dataset), "where it is published".into()));
    Ok(lines)
}

fn describe(target: &Column) -> String {
    let few: Vec<_> = target.values.iter().take(5).map(String::as_str).collect();
    let is_number = target.numbers == target.rows;
    match target.values.len() {
        n if is_number && (n > FEW || target.whole < target.rows) => "a number".to_owned(),
        n if n <= few.len() => format!("classes: {}", few.join(", ")),
        n => format!("{n} classes"),
    }
}

/// JSON's values are YAML's too.
fn yaml(lines: &[Line], file: &Path) -> String {
    let mut text =
        format!("# Made from {} by `cupola init`. Every field: docs/TRAINING.md\n", file.display());
    for Line { field, value, comment } in lines {
        let comment = comment.replace(['\n', '\r'], " ");
        let comment = if comment.is_empty() { comment } else { format!("  # {comment}") };
        text += &format!("{field}: {value}{comment}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafted(csv: &str, target: &str) -> anyhow::Result<Value> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("My Data.csv");
        std::fs::write(&file, csv).unwrap();
        let lines = draft(&look(&file)?, target, &name_of(&file)?)?;
        // as it is read when it is submitted
        Ok(serde_saphyr::from_str(&yaml(&lines, &file)).unwrap())
    }

    #[test]
    fn a_table_is_learnt_from_by_a_dense_network() {
        let csv = "customer_id,plan,price,note,left\n1,a,2.5,he called us twice,yes\n2,b,3,no answer came back,no\n";
        let spec = drafted(csv, "left").unwrap();
        assert_eq!(spec["dataset"], "my-data");
        assert_eq!(spec["model"]["family"], "mlp");
        assert_eq!(spec["drop"], json!(["customer_id", "note"]));
        assert_eq!(spec["target"], "left");
    }

    #[test]
    fn text_alone_is_read_by_a_recurrent_network() {
        let csv = "id,text,label\n1,what a good film,1\n2,what a bad film,0\n";
        let spec = drafted(csv, "label").unwrap();
        assert_eq!(spec["features"], json!(["text"]));
        assert_eq!(spec["model"]["family"], "bidirectional_lstm");
    }

    #[test]
    fn a_target_that_is_not_there_names_those_that_are() {
        let error = drafted("a,b\n1,2\n", "c").unwrap_err().to_string();
        assert!(error.contains("no column `c`; the file has a, b"), "{error}");
        assert!(drafted("a,b\n,2\n", "a").unwrap_err().to_string().contains("empty"));
        assert!(drafted("id,b\n1,2\n2,3\n", "b").unwrap_err().to_string().contains("learn from"));
    }
}
