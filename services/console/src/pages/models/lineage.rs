//! What a version was made of and what was made of it, drawn.

use std::collections::HashMap;

use maud::{Markup, html};

use super::{
    Model, Place,
    show::{Lineage, Relative, TrainedOn, Version},
};
use crate::{
    chart::{Node, tree},
    words,
};

/// Of those made of it, the nearest first.
const MOST_DRAWN: usize = 60;

pub(super) fn drawn(place: Place, model: &Model, version: &Version, lineage: &Lineage) -> Markup {
    let left_out = lineage.descendants.len().saturating_sub(MOST_DRAWN);
    html! {
        (tree("Lineage", &nodes(place, model, version, lineage)))
        @if left_out > 0 { p.hint { "And " (words::many(left_out as u64, "more version")) ", further away." } }
    }
}

/// The data first, then from each that something was built upon to what was.
fn nodes(place: Place, model: &Model, version: &Version, lineage: &Lineage) -> Vec<Node> {
    let mut nodes = Vec::new();
    let first = match lineage.ancestors.last() {
        Some(first) => first.trained_on.as_ref(),
        None => version.trained_on.as_ref(),
    };
    nodes.extend(first.map(|data| Node {
        title: data.dataset.clone(),
        under: format!("data, version {}", data.version),
        href: None,
        is_here: false,
        from: None,
    }));
    for relative in lineage.ancestors.iter().rev() {
        let from = nodes.len().checked_sub(1);
        nodes.push(Node { from, ..node(place, relative) });
    }
    let under = of(version.trained_on.as_ref(), "its files were sent");
    let name = format!("{}/{}", model.tenant, model.name);
    let mut places = HashMap::from([(format!("{name}:{}", version.version), nodes.len())]);
    let here = nodes.len();
    let (title, from) = (format!("{name} {}", version.version), here.checked_sub(1));
    nodes.push(Node { title, under, href: None, is_here: true, from });
    for relative in lineage.descendants.iter().take(MOST_DRAWN) {
        // what is between them may be somebody's secret
        let base = relative.base.as_ref().and_then(|base| places.get(base).copied());
        places.insert(format!("{}:{}", relative.model, relative.version), nodes.len());
        nodes.push(Node { from: base.or(Some(here)), ..node(place, relative) });
    }
    nodes
}

fn node(place: Place, relative: &Relative) -> Node {
    let Relative { model, version, source, trained_on, .. } = relative;
    Node {
        title: format!("{model} {version}"),
        under: of(trained_on.as_ref(), source),
        href: Some(format!("{}/{model}?version={version}", place.address())),
        is_here: false,
        from: None,
    }
}

fn of(trained_on: Option<&TrainedOn>, otherwise: &str) -> String {
    match trained_on {
        Some(data) => format!("trained on {} {}", data.dataset, data.version),
        None => otherwise.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relative(model: &str, base: Option<&str>) -> Relative {
        Relative {
            model: model.to_owned(),
            version: 1,
            source: "forked".to_owned(),
            trained_on: None,
            base: base.map(str::to_owned),
        }
    }

    #[test]
    fn each_hangs_on_what_it_was_built_upon_as_far_as_that_is_shown() {
        let model: Model = serde_json::from_value(serde_json::json!({
            "tenant": "acme", "name": "churn", "visibility": "public", "description": "", "licence": null,
            "tags": [], "latest_version": 2, "metrics": {}, "downloads": 0, "likes": 0, "predictions": 0,
            "created_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let version: Version = serde_json::from_value(serde_json::json!({
            "version": 2, "state": "published", "reason": "", "revision": null, "licence": null, "metrics": {},
            "trained_on": null, "job": null, "spec": null, "classes": [], "files": [],
            "created_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let trained_on = Some(TrainedOn { dataset: "customers".to_owned(), version: 3 });
        let first = Relative { trained_on, ..relative("zeta/first", None) };
        let lineage = Lineage {
            ancestors: vec![relative("zeta/second", Some("zeta/first:1")), first],
            descendants: vec![
                relative("beta/a", Some("acme/churn:2")),
                relative("beta/b", Some("beta/a:1")),
                relative("beta/c", None),
            ],
        };
        let nodes = nodes(Place::Console, &model, &version, &lineage);
        let drawn: Vec<_> = nodes.iter().map(|node| (node.title.as_str(), node.from)).collect();
        let expected = [
            ("customers", None),
            ("zeta/first 1", Some(0)),
            ("zeta/second 1", Some(1)),
            ("acme/churn 2", Some(2)),
            ("beta/a 1", Some(3)),
            ("beta/b 1", Some(4)),
            ("beta/c 1", Some(3)),
        ];
        assert_eq!(drawn, expected);
        assert!(nodes[3].is_here && nodes[3].href.is_none());
    }
}
