//! A specification that is made for somebody, as a file that they go on with: YAML, a field a line, with what
//! the fields are about. A file that is there is never written over.

use std::{fs::OpenOptions, io::Write, path::Path};

use anyhow::Context;
use serde_json::Value;

use super::show::write;

/// What people look at first; the rest follows by name.
const FIRST: [&str; 10] = [
    "dataset",
    "version",
    "target",
    "task",
    "features",
    "drop",
    "series",
    "recommendation",
    "model",
    "epochs",
];

/// A field, and what is said of it beside its value.
pub type Comment = (&'static str, String);

/// JSON's values are YAML's too.
pub fn yaml(spec: &Value, head: &str, comments: &[Comment]) -> String {
    let fields = spec.as_object().into_iter().flatten();
    let mut fields: Vec<_> = fields.collect();
    let place = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    fields.sort_by_key(|(name, _)| (place(name), name.to_owned()));
    let on_one_line = |text: &str| text.replace(['\n', '\r'], " ");
    let mut text = format!("# {}\n", on_one_line(head));
    for (name, value) in fields {
        let comment = comments.iter().find(|(field, text)| field == name && !text.is_empty());
        let comment = comment.map(|(_, text)| format!("  # {}", on_one_line(text)));
        text += &format!("{name}: {value}{}\n", comment.unwrap_or_default());
    }
    text
}

/// Into a new file, or to stdout if its name is `-`.
pub fn into(path: &Path, text: &str) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return write(text);
    }
    let named = || format!("{} cannot be written; choose another with --out", path.display());
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.with_context(named)?.write_all(text.as_bytes()).with_context(named)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_people_look_at_comes_first_and_is_read_again() {
        let spec =
            json!({"seed": 7, "model": {"family": "mlp"}, "dataset": "d", "target": "a: b # c"});
        let text =
            yaml(&spec, "made\nby me", &[("seed", "a\nnumber".into()), ("target", String::new())]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "# made by me");
        assert_eq!(lines[1..3], ["dataset: \"d\"", "target: \"a: b # c\""]);
        assert_eq!(lines[4], "seed: 7  # a number");
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), spec);
    }
}
