//! What loaded versions have done, in Prometheus' text format. They are written by their own counts and not through
//! the recorder, which never forgets a label: a version that is dropped from memory is dropped here, so that there are
//! never more series than models that fit.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
};

use crate::{Calls, Counts, Histogram, Predictor};

pub fn measured(predictor: &Predictor) -> String {
    let hot = predictor.loaded();
    let versions: Vec<_> = hot
        .iter()
        // one that is kept warm and was never asked has nothing to tell
        .filter_map(|hot| {
            let labels = format!("model=\"{}\",version=\"{}\"", hot.name.get()?, hot.key.1);
            Some(Version { labels, bytes: hot.bytes, counts: hot.stats.counts() })
        })
        .collect();
    text(&versions)
}

struct Version {
    labels: String,
    bytes: u64,
    counts: Counts,
}

fn text(versions: &[Version]) -> String {
    let mut text = String::new();
    if versions.is_empty() {
        return text;
    }
    head(&mut text, "predict_model_bytes", "gauge", "Memory that a loaded version takes");
    for Version { labels, bytes, .. } in versions {
        line(&mut text, "predict_model_bytes", labels, bytes);
    }
    let calls = "Requests for a loaded version, by the tenant that calls";
    head(&mut text, "predict_requests_total", "counter", calls);
    for_each_caller(versions, |labels, calls| {
        for (outcome, count) in [("answered", calls.answered), ("failed", calls.failed)] {
            let labels = format!("{labels},outcome=\"{outcome}\"");
            line(&mut text, "predict_requests_total", &labels, &count);
        }
    });
    head(&mut text, "predict_rows_total", "counter", "Rows that were answered");
    for_each_caller(versions, |labels, calls| {
        line(&mut text, "predict_rows_total", labels, &calls.rows);
    });
    histogram(
        &mut text,
        ("predict_wait_seconds", "Seconds for which a request waited for its turn"),
        versions,
        |counts| &counts.waiting_secs,
    );
    histogram(
        &mut text,
        ("predict_compute_seconds", "Seconds that the engine took, for requests together"),
        versions,
        |counts| &counts.computing_secs,
    );
    let rows = ("predict_batch_rows", "Rows that were computed together");
    histogram(&mut text, rows, versions, |counts| &counts.batch_rows);
    text
}

fn for_each_caller(versions: &[Version], mut each: impl FnMut(&str, &Calls)) {
    for Version { labels, counts, .. } in versions {
        for (caller, calls) in counts.callers.iter().collect::<BTreeMap<_, _>>() {
            each(&format!("{labels},tenant=\"{caller}\""), calls);
        }
    }
}

fn histogram(
    text: &mut String,
    (name, help): (&str, &str),
    versions: &[Version],
    of: impl Fn(&Counts) -> &Histogram,
) {
    head(text, name, "histogram", help);
    for Version { labels, counts, .. } in versions {
        let histogram = of(counts);
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            line(text, &format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), count);
        }
        let all = format!("{labels},le=\"+Inf\"");
        line(text, &format!("{name}_bucket"), &all, &histogram.count);
        line(text, &format!("{name}_sum"), labels, &histogram.sum);
        line(text, &format!("{name}_count"), labels, &histogram.count);
    }
}

pub(crate) fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a string takes all");
}

/// Names of tenants and models, and URLs, need no escape.
pub(crate) fn line(text: &mut String, name: &str, labels: &str, value: &impl Display) {
    writeln!(text, "{name}{{{labels}}} {value}").expect("a string takes all");
}
