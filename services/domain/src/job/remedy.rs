//! What helps, for every cause that there is: the table is whole, and a test reads the code for codes that
//! are not in it.

use super::Cause;

/// By the code of the cause.
const REMEDIES: &[(&[&str], &str)] = &[
    (
        &["loss_not_finite"],
        "Lower the learning rate, clip the gradient, or look for values in the data that are far from all others.",
    ),
    (&["out_of_memory"], "Ask for more memory in `resources`, or take a smaller batch or network."),
    (
        &["max_runtime_exceeded"],
        "Raise `max_runtime`, or train fewer epochs. The last checkpoint is kept.",
    ),
    (
        &[
            "base_does_not_fit",
            "layer_does_not_fit",
            "no_inputs",
            "no_test_file",
            "text_too_short",
            "unknown_class",
            "unknown_column",
            "unknown_metric",
        ],
        "Change the specification where the message says, and submit it again.",
    ),
    (
        &[
            "bad_image",
            "cell_too_large",
            "corrupt_file",
            "duplicate_column",
            "duplicate_time",
            "empty_file",
            "infinite_value",
            "invalid_json",
            "invalid_utf8",
            "no_rows",
            "not_a_date",
            "not_a_number",
            "not_a_time",
            "ragged_row",
            "row_too_large",
            "truncated_file",
        ],
        "Mend the file where the message says and push it again: it becomes the next version.",
    ),
    (
        &["decoded_too_large", "profile_too_large", "too_many_columns", "too_many_rows"],
        "Push a part of the file, or fewer columns.",
    ),
    (
        &["not_a_table", "not_images"],
        "The dataset is of another kind than the job was made for: submit the specification again.",
    ),
    (
        &["disk_full", "too_many_files", "too_much_disk"],
        "Its files took more than the machine gives an attempt: train on less, or ask an operator.",
    ),
    (&["too_many_threads"], "Submit it again; if it happens again, tell the operator."),
    (&["bad_checkpoint"], "Submit the specification again: the new job begins from the start."),
    (
        &[
            "bad_round",
            "bytes_damaged",
            "child_crashed",
            "internal_error",
            "io",
            "lease_lost",
            "lost_by_worker",
            "master_key",
            "object_store_full",
            "object_store_unavailable",
            "sandbox",
        ],
        "This was not the job's fault. Submit it again, or tell the operator if it happens again.",
    ),
    (
        &["bytes_missing", "key_destroyed"],
        "The bytes are gone: push the data again, or ask the operator.",
    ),
    (
        &[
            "not_comparable",
            "not_explainable",
            "model_withdrawn",
            "wrong_model_file",
            "empty_prompt",
        ],
        "Name other models, or other data, as the message says.",
    ),
    (
        &["row_does_not_fit"],
        "Mend the row where the message says and push the file again, or ask with `bad_rows` as `list`.",
    ),
    (
        &["result_not_storable"],
        "Take control characters out of the data's header and classes, and push it again.",
    ),
    (&["cancelled"], "Somebody has ended it: ask for it again if it is still wanted."),
    (
        &["dependency_never_met"],
        "The job that it waited for ended otherwise: submit it again without `after`.",
    ),
];

impl Cause {
    pub fn remedy(&self) -> Option<&'static str> {
        let found = REMEDIES.iter().find(|(codes, _)| codes.contains(&self.code.as_str()));
        found.map(|(_, remedy)| *remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.path() {
                path if path.is_dir() => sources(&path, found),
                path if path.extension().is_some_and(|name| name == "rs") => found.push(path),
                _ => {}
            }
        }
    }

    /// What stands between quotes after each `before` and blanks.
    fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        let rests = text.split(before).skip(1);
        let quoted =
            rests.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
        quoted.collect()
    }

    #[test]
    fn every_cause_that_the_code_gives_has_a_remedy() {
        let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut codes = Vec::new();
        for service in ["domain", "engine", "store", "worker"] {
            let mut files = Vec::new();
            sources(&services.join(service).join("src"), &mut files);
            for file in files.iter().filter(|file| !file.ends_with("job/tests.rs")) {
                let text = fs::read_to_string(file).unwrap();
                // its own tests give causes that nobody has
                let text = text.split("#[cfg(test)]").next().unwrap();
                for before in ["Cause::fatal(", "Cause::retryable("] {
                    codes.extend(quoted(text, before).into_iter().map(str::to_owned));
                }
                if file.ends_with("engine/src/error.rs") {
                    let (_, text) = text.split_once("fn code(").unwrap();
                    codes.extend(quoted(text, "=>").into_iter().map(str::to_owned));
                }
            }
        }
        assert!(codes.len() > 50, "{codes:?}");
        let without: Vec<_> =
            codes.iter().filter(|code| Cause::fatal(code, "").remedy().is_none()).collect();
        assert!(without.is_empty(), "no remedy for {without:?}");
        let known = REMEDIES.iter().flat_map(|(codes, _)| *codes);
        for code in known {
            assert!(
                codes.iter().any(|one| one == code) || *code == "disk_full",
                "nobody says {code}"
            );
        }
    }
}
