//! A text as training data of a language model: all of it as one row of tokens, of which windows are
//! drawn. The model reads a window and foretells at each place the token that comes next.

use std::path::Path;

use domain::{
    child::DataFile,
    dataset::{Format, ReadLimits},
};

use crate::{
    chance::{Chance, Purpose},
    error::EngineError,
    read::{Table, whole_text},
};

/// The whole text. A plain text file as it is; of other formats the column's cells that are not empty,
/// one a line.
pub(crate) fn read_text(
    file: &Path,
    data: &DataFile,
    limits: &ReadLimits,
    column: &str,
) -> Result<String, EngineError> {
    if data.format == Format::Text {
        return whole_text(file, data, limits);
    }
    let mut table = Table::open(file, data, limits)?;
    let place = table.place(column)?;
    let mut text = String::new();
    while let Some(row) = table.next_row()? {
        let cell = row.cell(place);
        if !cell.is_empty() {
            text.push_str(cell);
            text.push('\n');
        }
    }
    Ok(text)
}

/// The text for training and, at its end, the share of it for validation.
pub(crate) fn parts(text: &str, validation_split: f64) -> (&str, &str) {
    let held_back = (text.len() as f64 * validation_split) as usize;
    text.split_at(text.floor_char_boundary(text.len().saturating_sub(held_back)))
}

/// Tokens, of which the last ones are for validation alone.
#[derive(Debug)]
pub(crate) struct Corpus {
    ids: Vec<u32>,
    context: usize,
    /// Tokens for training.
    training: usize,
}

impl Corpus {
    pub fn new(
        training: Vec<u32>,
        validation: Vec<u32>,
        context: usize,
    ) -> Result<Self, EngineError> {
        assert!(context > 0, "a window has at least one place");
        let needed = context + 1;
        let held_back = validation.len();
        let parts = [("training", training.len(), true), ("validation", held_back, held_back > 0)];
        for (part, tokens, used) in parts {
            if used && tokens < needed {
                return Err(EngineError::TextTooShort { part, tokens, needed });
            }
        }
        let mut ids = training;
        let training = ids.len();
        ids.extend(validation);
        Ok(Self { ids, context, training })
    }

    pub const fn context(&self) -> usize {
        self.context
    }

    pub fn windows(&self, held_back: bool) -> usize {
        match held_back {
            true => (self.ids.len() - self.training).saturating_sub(1) / self.context,
            false => (self.training - 1) / self.context,
        }
    }

    /// Where windows start. Those for training lie one after another from a place that an epoch draws,
    /// so that from epoch to epoch a token is seen after more or less of what is before it; the last
    /// one may overlap its neighbour. Those for validation lie at the end, always the same.
    pub fn starts(&self, windows: &[u32], seed: u64, epoch: u64, held_back: bool) -> Vec<usize> {
        let start = |window: &u32| *window as usize * self.context;
        if held_back {
            return windows.iter().map(|window| self.training + start(window)).collect();
        }
        let mut chance = Chance::new(seed, Purpose::Order, epoch, 1);
        let offset = chance.below(self.context as u64) as usize;
        let last = self.training - self.context - 1;
        windows.iter().map(|window| (offset + start(window)).min(last)).collect()
    }

    /// Of windows that start there: the tokens, `[windows, context]`, and those that follow each.
    pub fn batch(&self, starts: &[usize]) -> (Vec<i32>, Vec<i32>) {
        let windows = |shift| {
            let window = move |start: &usize| &self.ids[start + shift..][..self.context];
            starts.iter().flat_map(window).map(|id| *id as i32).collect()
        };
        (windows(0), windows(1))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use domain::dataset::Compression;

    use super::*;

    fn text(bytes: &[u8], format: Format, compression: Compression) -> Result<String, EngineError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let sha256 = domain::Digest::of(bytes);
        let data = DataFile { format, compression, sha256, bytes: bytes.len() as u64 };
        read_text(file.path(), &data, &ReadLimits::default(), "text")
    }

    #[test]
    fn plain_text_keeps_its_lines_and_blanks() {
        let raw = "  First Citizen:\n\n\tSpeak, é.\r\n ";
        assert_eq!(text(raw.as_bytes(), Format::Text, Compression::None).unwrap(), raw);
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
        gzip.write_all(raw.as_bytes()).unwrap();
        let packed = gzip.finish().unwrap();
        assert_eq!(text(&packed, Format::Text, Compression::Gzip).unwrap(), raw);
    }

    #[test]
    fn other_formats_give_a_line_a_row() {
        let csv = "id,text\n1,\"one, two\"\n2,\n3,three\n";
        let read = text(csv.as_bytes(), Format::Csv, Compression::None).unwrap();
        assert_eq!(read, "one, two\nthree\n");
        let error = text(b"id,words\n1,a\n", Format::Csv, Compression::None).unwrap_err();
        assert!(error.to_string().contains("no column `text`"), "{error}");
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_with_their_line() {
        let error = text(b"a\nb\n\xff", Format::Text, Compression::None).unwrap_err();
        assert!(error.to_string().starts_with("row 3 (line 3)"), "{error}");
    }

    #[test]
    fn windows_of_an_epoch_cover_the_training_tokens_and_no_others() {
        let corpus = Corpus::new((0..903).collect(), (903..1003).collect(), 10).unwrap();
        assert_eq!((corpus.windows(false), corpus.windows(true)), (90, 9));
        let all: Vec<u32> = (0..90).collect();
        let mut seen = vec![];
        for epoch in 0..20 {
            let starts = corpus.starts(&all, 7, epoch, false);
            assert_eq!(starts, corpus.starts(&all, 7, epoch, false));
            seen.push(starts[0]);
            assert!(*starts.last().unwrap() + 11 <= 903);
            assert!(starts.windows(2).all(|s| s[1] - s[0] <= 10));
        }
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 5, "epochs start at {seen:?}");
    }

    #[test]
    fn validation_windows_are_the_last_tokens_one_after_another() {
        let corpus = Corpus::new((0..90).collect(), (90..100).collect(), 4).unwrap();
        let starts = corpus.starts(&[0, 1], 0, 0, true);
        assert_eq!(starts, [90, 94]);
        assert_eq!(corpus.batch(&[90, 0]).0, [90, 91, 92, 93, 0, 1, 2, 3]);
        assert_eq!(corpus.batch(&[90, 0]).1, [91, 92, 93, 94, 1, 2, 3, 4]);
        assert_eq!(Corpus::new((0..100).collect(), vec![], 4).unwrap().windows(true), 0);
    }

    #[test]
    fn a_text_shorter_than_a_window_is_refused() {
        for (training, validation, fits) in
            [(0, 0, false), (8, 0, false), (72, 8, false), (9, 0, true)]
        {
            let made = Corpus::new(vec![0; training], vec![0; validation], 8);
            assert_eq!(made.is_ok(), fits, "{training} tokens, {validation} held back");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(parts("aéb", 0.5), ("a", "éb"));
        assert_eq!(parts("abcd", 0.0), ("abcd", ""));
    }
}
