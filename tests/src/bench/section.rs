//! A table in a document, between two marks: what is around it is written by hand.

use std::{fs, path::Path};

use anyhow::{Context, bail};

use super::table::aligned;

pub struct Section {
    pub name: &'static str,
    /// What holds for all lines: the machine and versions. Where that has changed, no older line stays.
    pub about: String,
    pub header: Vec<String>,
    /// The first cell of each is its name.
    pub lines: Vec<Vec<String>>,
}

impl Section {
    pub fn printed(&self) -> String {
        let mut lines = vec![self.header.clone()];
        lines.extend(self.lines.iter().cloned());
        format!("{}\n\n{}", self.about, aligned(&lines))
    }

    /// Puts the lines into the document, in place of older ones of the same names.
    pub fn write(&self, document: &Path) -> anyhow::Result<()> {
        let text =
            fs::read_to_string(document).with_context(|| format!("read {}", document.display()))?;
        let text = self.put_into(&text).with_context(|| format!("{}", document.display()))?;
        fs::write(document, text).with_context(|| format!("write {}", document.display()))
    }

    fn put_into(&self, document: &str) -> anyhow::Result<String> {
        let [start, end] =
            [format!("<!-- {} -->\n", self.name), format!("<!-- end of {} -->", self.name)];
        let parts = document.split_once(&start).and_then(|(before, rest)| {
            let (inside, after) = rest.split_once(&end)?;
            Some((before, inside, after))
        });
        let Some((before, inside, after)) = parts else {
            bail!("it has no {} and {end}", start.trim_end());
        };
        let mut lines: Vec<String> = self.lines.iter().map(|line| marked(line)).collect();
        let head = [marked(&self.header), marked(&vec!["---".to_owned(); self.header.len()])];
        // older lines of the same machine and the same columns
        if inside.contains(&self.about) && inside.contains(&head[0]) {
            let old = inside.lines().filter(|line| line.starts_with("| "));
            let ours = |line: &str| self.lines.iter().any(|new| line.starts_with(&first(&new[0])));
            lines.extend(
                old.filter(|l| !head.iter().any(|h| h == l) && !ours(l)).map(str::to_owned),
            );
        }
        lines.sort();
        let table = [&head[..], &lines].concat().join("\n");
        Ok(format!("{before}{start}\n{}\n\n{table}\n\n{end}{after}", self.about))
    }
}

/// Prints the tables, keeps them unless they are a quick look, and says whether all reach what is asked.
pub fn conclude(
    found: &[(Section, bool)],
    repetitions: usize,
    document: &Path,
) -> anyhow::Result<bool> {
    for (section, _) in found {
        println!("{}\n", section.printed());
        // a quick look is not for keeping
        if repetitions > 1 {
            section.write(document)?;
        }
    }
    let ok = found.iter().all(|(_, ok)| *ok);
    println!("{}", if ok { "every row reaches what is asked" } else { "a row fails" });
    Ok(ok)
}

fn first(cell: &str) -> String {
    format!("| {cell} |")
}

fn marked(line: &[String]) -> String {
    format!("| {} |", line.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(about: &str, lines: &[[&str; 2]]) -> Section {
        let owned = |line: &[&str; 2]| line.map(str::to_owned).to_vec();
        Section {
            name: "speed",
            about: about.to_owned(),
            header: owned(&["row", "figure"]),
            lines: lines.iter().map(owned).collect(),
        }
    }

    const EMPTY: &str = "By hand.\n<!-- speed -->\n<!-- end of speed -->\nBy hand too.\n";

    #[test]
    fn new_lines_replace_those_of_their_names_alone() {
        let first = section("a machine", &[["a", "1"], ["b", "2"]]).put_into(EMPTY).unwrap();
        let table = "| row | figure |\n| --- | --- |\n| a | 1 |\n| b | 2 |\n";
        assert!(first.contains(table), "{first}");
        let second = section("a machine", &[["b", "3"]]).put_into(&first).unwrap();
        assert_eq!(second, first.replace("| b | 2 |", "| b | 3 |"));
        let other = section("another", &[["b", "4"]]).put_into(&second).unwrap();
        assert!(other.contains("| b | 4 |") && !other.contains("| a |"), "{other}");
        assert!(other.starts_with("By hand.\n") && other.ends_with("-->\nBy hand too.\n"));
    }

    #[test]
    fn a_document_without_the_marks_is_left_alone() {
        assert!(section("a machine", &[]).put_into("By hand.\n").is_err());
    }
}
