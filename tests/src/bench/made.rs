//! Made-up data of the right shape: what it holds does not matter to how long training on it takes,
//! but every word of the vocabulary must be in it.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use domain::predict::Row;
use serde::Deserialize;
use serde_json::Value;

use super::rows::Data;

/// `[PAD]` and `[UNK]` are in every vocabulary.
const SPECIAL: usize = 2;
const SEED: u64 = 42;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Made {
    /// Columns `x0` and so on, and `label`.
    Table { features: usize },
    /// A column `text` of so many words, and `label`.
    Texts { vocabulary: usize, length: usize },
    /// One text, of windows of so many words.
    Corpus { vocabulary: usize, length: usize },
    /// Gray ones, as idx files.
    Images { side: usize, classes: usize },
}

impl Made {
    /// So many rows as a file in the folder.
    pub fn write(self, rows: usize, folder: &Path) -> anyhow::Result<PathBuf> {
        let mut chance = Chance(SEED);
        let (name, text) = match self {
            Self::Table { features } => ("data.csv", table(rows, features, &mut chance)),
            Self::Texts { vocabulary, length } => {
                let words = words(rows * length, vocabulary, &mut chance)?;
                ("data.csv", texts(&words, length))
            }
            Self::Corpus { vocabulary, length } => {
                ("data.txt", words(rows * length + 1, vocabulary, &mut chance)?.join(" "))
            }
            Self::Images { side, classes } => {
                return images(rows, side, classes, &mut chance, folder);
            }
        };
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

/// The first rows of a file without quotes, as they are asked for.
pub fn raw_rows(text: &str, count: usize) -> anyhow::Result<Vec<Row>> {
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().context("the data is empty")?.split(',').collect();
    let value = |cell: &str| cell.parse::<f64>().map_or_else(|_| Value::from(cell), Value::from);
    let row = |line: &str| {
        let cells = names.iter().zip(line.split(','));
        cells.map(|(name, cell)| ((*name).to_owned(), value(cell))).collect()
    };
    Ok(lines.take(count).map(row).collect())
}

fn table(rows: usize, features: usize, chance: &mut Chance) -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<String>, label: &str| {
        writeln!(text, "{},{label}", cells.join(",")).expect("a string takes all");
    };
    line((0..features).map(|i| format!("x{i}")).collect(), "label");
    for _ in 0..rows {
        let x: Vec<f64> = (0..features).map(|_| 2.0 * chance.unit() - 1.0).collect();
        let label = x[0] + x[1] * x[2] > 0.0;
        let cells = x.iter().map(|x| format!("{x:.4}")).collect();
        line(cells, if label { "1" } else { "0" });
    }
    text
}

/// All words of the vocabulary in an order of chance, again and again.
fn words(count: usize, vocabulary: usize, chance: &mut Chance) -> anyhow::Result<Vec<String>> {
    let distinct = vocabulary - SPECIAL;
    ensure!(count >= distinct, "{count} words cannot have {distinct} different ones");
    let mut ids: Vec<usize> = (0..distinct).collect();
    let mut words = Vec::with_capacity(count);
    while words.len() < count {
        for i in (1..distinct).rev() {
            ids.swap(i, chance.below(i + 1));
        }
        words.extend(ids.iter().take(count - words.len()).map(|id| format!("w{id}")));
    }
    Ok(words)
}

fn texts(words: &[String], length: usize) -> String {
    let mut text = "text,label\n".to_owned();
    for row in words.chunks_exact(length) {
        let label = u8::from(row[0] > row[1]);
        writeln!(text, "{},{label}", row.join(" ")).expect("a string takes all");
    }
    text
}

/// MNIST's format: a number that says what follows, the sizes, the bytes.
fn images(
    rows: usize,
    side: usize,
    classes: usize,
    chance: &mut Chance,
    folder: &Path,
) -> anyhow::Result<PathBuf> {
    let header = |numbers: &[usize]| {
        numbers.iter().flat_map(|n| (*n as u32).to_be_bytes()).collect::<Vec<u8>>()
    };
    let mut pixels = header(&[0x803, rows, side, side]);
    pixels.extend((0..rows * side * side).map(|_| chance.below(256) as u8));
    let mut labels = header(&[0x801, rows]);
    labels.extend((0..rows).map(|_| chance.below(classes) as u8));
    let files = [("train-images-idx3-ubyte", pixels), ("train-labels-idx1-ubyte", labels)];
    let mut names = vec![];
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).with_context(|| format!("write {name}"))?;
        names.push(name.to_owned());
    }
    Data::Zip { zip: names }.place(folder, folder)
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn written(made: Made, rows: usize) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        fs::read(made.write(rows, folder.path()).unwrap()).unwrap()
    }

    #[test]
    fn a_table_has_its_columns_and_both_answers() {
        let text = String::from_utf8(written(Made::Table { features: 3 }, 50)).unwrap();
        assert_eq!(text.lines().next(), Some("x0,x1,x2,label"));
        assert_eq!(text.lines().count(), 51);
        assert!(text.contains(",0\n") && text.contains(",1\n"));
        assert_eq!(written(Made::Table { features: 3 }, 50), text.as_bytes());
    }

    #[test]
    fn texts_have_every_word_of_the_vocabulary() {
        let text = written(Made::Texts { vocabulary: 22, length: 10 }, 5);
        let text = String::from_utf8(text).unwrap();
        let rows: Vec<_> = text.lines().skip(1).filter_map(|l| l.split_once(',')).collect();
        let words: BTreeSet<_> = rows.iter().flat_map(|(text, _)| text.split(' ')).collect();
        assert_eq!((rows.len(), words.len()), (5, 20));
        let folder = tempfile::tempdir().unwrap();
        assert!(Made::Texts { vocabulary: 60, length: 10 }.write(5, folder.path()).is_err());
        let corpus = written(Made::Corpus { vocabulary: 22, length: 10 }, 5);
        assert_eq!(corpus.iter().filter(|byte| **byte == b' ').count(), 50);
    }

    #[test]
    fn images_lie_in_one_archive() {
        let bytes = written(Made::Images { side: 4, classes: 2 }, 3);
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let size = zip.by_name("train-images-idx3-ubyte").unwrap().size();
        assert_eq!((zip.len(), size), (2, 16 + 3 * 16));
    }
}
