//! The command as somebody runs it.

use std::fs;

use e2e::{Client, cupola_as};
use serde_json::Value;
use tempfile::TempDir;

/// Somebody with a home of their own.
pub(crate) struct Shell {
    home: TempDir,
    pub url: String,
}

pub(crate) struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Shell {
    pub fn new(client: &Client) -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: format!("http://{}", client.host()) }
    }

    /// Somebody who has logged in, at this address.
    pub fn of(client: &Client, url: &str) -> Self {
        let shell = Self { url: url.to_owned(), ..Self::new(client) };
        let key = shell.write("their.key", client.key());
        shell.ok(&["login", "--url", url, "--key-file", &key]);
        shell
    }

    /// A path in their home.
    pub fn at(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.at(name), bytes).unwrap();
        self.at(name)
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, &[])
    }

    pub fn run_with(&self, arguments: &[&str], more: &[(&'static str, String)]) -> Said {
        let environment = [&[("XDG_CONFIG_HOME", self.at("config"))], more].concat();
        let output = cupola_as(arguments, &environment);
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
        Said { code: output.status.code(), stdout, stderr }
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "cupola {}: {}", arguments.join(" "), said.stderr);
        assert!(!said.stdout.contains('\u{1b}'), "no colours in a pipe: {}", said.stdout);
        said.stdout
    }

    /// Every line of it.
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self.ok(&[arguments, &["--json"]].concat());
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "cupola {}: {}", arguments.join(" "), said.stderr);
        said.stderr
    }
}
