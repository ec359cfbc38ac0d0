//! What people see who look: bars with rate and time left, curves, and colours unless they have said no.

use std::path::Path;

use e2e::cupola_through;

use crate::shell::Shell;

/// Of somebody who has a trained model `clouds`, and its files in `folder`.
pub(crate) fn draws(python: &Path, shell: &Shell) {
    let draws = |arguments: &[&str]| drawn(python, shell, arguments, "");
    let rows = "0.5,0.25\n".repeat(200_000);
    let csv = shell.write("wide.csv", format!("x,y\n{rows}"));
    for long in [
        &["datasets", "push", "wide", &csv][..],
        &["models", "pull", "clouds", "--out", &shell.at("looked-at")],
        &["models", "push", "drawn", &csv],
        &["predict", "clouds", "--csv", &shell.at("clouds.csv")],
    ] {
        let drawn = draws(long);
        assert!(drawn.contains("/s  ") && drawn.contains(" left"), "{long:?}: {drawn}");
    }
    let drawn_live = draws(&["jobs", "submit", &shell.at("clouds.json"), "--watch"]);
    for part in [" steps/s", " left", "loss █", "val_loss █", "succeeded", "published as clouds:"]
    {
        assert!(drawn_live.contains(part), "{part} is missing from {drawn_live}");
    }
    let list = ["jobs", "list", "--kind", "train"];
    assert!(draws(&list).contains("\u{1b}[32msucceeded"), "{}", draws(&list));
    for plain in [drawn(python, shell, &list, "1"), shell.ok(&list)] {
        assert!(plain.contains("succeeded") && !plain.contains("\u{1b}["), "{plain}");
    }
    let json = draws(&["jobs", "list", "--json"]);
    assert!(json.starts_with('{') && !json.contains("\u{1b}["), "{json}");
}

fn drawn(python: &Path, shell: &Shell, arguments: &[&str], no_color: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/terminal.py");
    let launcher = [python.display().to_string(), script.to_owned()];
    let environment = [
        ("XDG_CONFIG_HOME", shell.at("config")),
        ("TERM", "xterm-256color".to_owned()),
        ("NO_COLOR", no_color.to_owned()),
    ];
    let output = cupola_through(&launcher, arguments, &environment);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
