//! A zip of images, one image at a time. What its entries say about their sizes is not believed:
//! every byte that comes out of one, and every pixel decoded from it, counts against one limit.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use domain::dataset::ReadLimits;
use flate2::read::MultiGzDecoder;
use zip::{ZipArchive, result::ZipError};

use super::{
    Size, Split, idx,
    layout::{IdxFiles, Labelled, Layout, layout},
    picture,
};
use crate::error::{EngineError, shown};

/// Of one encoded PNG or JPEG file.
const MAX_IMAGE_BYTES: u64 = 64 << 20;
/// Entries that are no images, folders for instance, are listed too.
const MAX_OTHER_ENTRIES: u64 = 100_000;
const FIRST_BUFFER_BYTES: u64 = 1 << 20;

pub(crate) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
    layout: Layout,
    limits: ReadLimits,
    left: u64,
}

/// One image as it lies in the archive.
pub(crate) struct Picture<'a> {
    pub entry: &'a str,
    /// Counted from 1.
    pub row: u64,
    pub label: &'a str,
    pub size: Size,
    pub pixels: &'a [u8],
}

impl Picture<'_> {
    pub fn bad(&self, why: &str) -> EngineError {
        let why = format!("image {}: {why}", self.row);
        EngineError::BadImage { entry: self.entry.to_owned(), why }
    }
}

type Visitor<'a> = &'a mut dyn FnMut(Picture) -> Result<(), EngineError>;

impl Archive {
    pub fn open(file: &Path, limits: &ReadLimits) -> Result<Self, EngineError> {
        let source = File::open(file).map_err(EngineError::io(file.display()))?;
        let bytes = source.metadata().map_err(EngineError::io(file.display()))?.len();
        if bytes == 0 {
            return Err(EngineError::EmptyFile);
        }
        let zip = ZipArchive::new(BufReader::new(source)).map_err(|error| match error {
            ZipError::Io(source) if source.raw_os_error().is_some() => {
                EngineError::Io { what: file.display().to_string(), source }
            }
            error => EngineError::CorruptFile(format!(
                "the file is not a whole zip ({error}); make the zip of images again and push it"
            )),
        })?;
        if zip.len() as u64 > limits.max_rows.saturating_add(MAX_OTHER_ENTRIES) {
            return Err(EngineError::TooManyRows { limit: limits.max_rows });
        }
        let names: Vec<String> = (0..zip.len())
            .map(|i| match zip.name_for_index(i) {
                Some(Ok(name)) => name.into_owned(),
                _ => String::new(),
            })
            .collect();
        let layout = layout(&names)?;
        Ok(Self { zip, names, layout, limits: *limits, left: limits.max_decoded_bytes })
    }

    pub fn has_test(&self) -> bool {
        match &self.layout {
            Layout::Idx { test, .. } => test.is_some(),
            Layout::Folders { test, .. } => !test.is_empty(),
        }
    }

    /// Shows every image of a part, in the archive's order.
    pub fn visit(&mut self, split: Split, visitor: Visitor) -> Result<(), EngineError> {
        let files = match (&mut self.layout, split) {
            (Layout::Idx { training, .. }, Split::Training) => Some(*training),
            (Layout::Idx { test, .. }, Split::Test) => *test,
            (Layout::Folders { training, test }, _) => {
                let part = if split == Split::Training { training } else { test };
                let part = std::mem::take(part);
                let visited = self.visit_folders(&part, visitor);
                if let Layout::Folders { training, test } = &mut self.layout {
                    *(if split == Split::Training { training } else { test }) = part;
                }
                return visited;
            }
        };
        files.map_or(Ok(()), |files| self.visit_idx(files, visitor))
    }

    fn visit_idx(&mut self, files: IdxFiles, visitor: Visitor) -> Result<(), EngineError> {
        let images = self.read_idx(files.images)?;
        let labels = self.read_idx(files.labels)?;
        let (entry, labels_entry) = (&self.names[files.images], &self.names[files.labels]);
        let images = idx::images(entry, &images)?;
        let labels = idx::labels(labels_entry, &labels)?;
        if images.rows != labels.len() {
            let (labels, images) = (labels.len(), images.rows);
            return Err(EngineError::BadImage {
                entry: labels_entry.clone(),
                why: format!(
                    "it holds {labels} labels for {images} images; push the files that belong \
                     together"
                ),
            });
        }
        if images.rows as u64 > self.limits.max_rows {
            return Err(EngineError::TooManyRows { limit: self.limits.max_rows });
        }
        for (i, (pixels, label)) in images.each().zip(labels).enumerate() {
            let (row, label) = (i as u64 + 1, label.to_string());
            visitor(Picture { entry, row, label: &label, size: images.size, pixels })?;
        }
        Ok(())
    }

    fn visit_folders(&mut self, part: &[Labelled], visitor: Visitor) -> Result<(), EngineError> {
        if part.len() as u64 > self.limits.max_rows {
            return Err(EngineError::TooManyRows { limit: self.limits.max_rows });
        }
        for (i, Labelled { entry, class }) in part.iter().enumerate() {
            let bytes = self.read(*entry, MAX_IMAGE_BYTES)?;
            let entry = &self.names[*entry];
            let bad = |why| EngineError::BadImage { entry: entry.clone(), why };
            let decoder = picture::decoder(&bytes).map_err(bad)?;
            self.left = self
                .left
                .checked_sub(picture::decoded_bytes(&decoder))
                .ok_or(EngineError::DecodedTooLarge { limit: self.limits.max_decoded_bytes })?;
            let (pixels, size) = picture::decode(decoder).map_err(bad)?;
            visitor(Picture { entry, row: i as u64 + 1, label: class, size, pixels: &pixels })?;
        }
        Ok(())
    }

    /// The decoded bytes of an entry of at most `cap`.
    fn read(&mut self, entry: usize, cap: u64) -> Result<Vec<u8>, EngineError> {
        let name = &self.names[entry];
        let too_large = EngineError::DecodedTooLarge { limit: self.limits.max_decoded_bytes };
        let file = self.zip.by_index(entry).map_err(|error| zip_error(name, error))?;
        let declared = file.size();
        if declared > cap {
            return Err(oversized(name, cap));
        }
        let mut bytes = Vec::with_capacity(declared.min(FIRST_BUFFER_BYTES) as usize);
        let limit = cap.min(self.left);
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| zip_error(name, ZipError::Io(error)))?;
        match self.left.checked_sub(bytes.len() as u64) {
            None => Err(too_large),
            Some(_) if bytes.len() as u64 > cap => Err(oversized(name, cap)),
            Some(left) => {
                self.left = left;
                Ok(bytes)
            }
        }
    }

    /// An entry that may be compressed once more.
    fn read_idx(&mut self, entry: usize) -> Result<Vec<u8>, EngineError> {
        let bytes = self.read(entry, u64::MAX)?;
        if !bytes.starts_with(&[0x1f, 0x8b]) {
            return Ok(bytes);
        }
        let mut decoded = vec![];
        MultiGzDecoder::new(&bytes[..])
            .take(self.left.saturating_add(1))
            .read_to_end(&mut decoded)
            .map_err(|error| damaged(&self.names[entry], &error))?;
        self.left = self
            .left
            .checked_sub(decoded.len() as u64)
            .ok_or(EngineError::DecodedTooLarge { limit: self.limits.max_decoded_bytes })?;
        Ok(decoded)
    }
}

fn oversized(entry: &str, cap: u64) -> EngineError {
    let why = format!("it is larger than {cap} bytes; scale it down");
    EngineError::BadImage { entry: entry.to_owned(), why }
}

fn damaged(entry: &str, error: &dyn std::fmt::Display) -> EngineError {
    EngineError::CorruptFile(format!(
        "the entry {} is damaged ({error}); make the zip again and push it",
        shown(entry)
    ))
}

fn zip_error(entry: &str, error: ZipError) -> EngineError {
    let bad = |why: &str| EngineError::BadImage { entry: entry.to_owned(), why: why.to_owned() };
    let unread = "it is compressed in a way that is not read; make the zip with plain deflate";
    match error {
        ZipError::Io(source)
            if source.raw_os_error().is_some() || source.kind() == io::ErrorKind::OutOfMemory =>
        {
            EngineError::Io { what: entry.to_owned(), source }
        }
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            bad("it is encrypted; make the zip without a password")
        }
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => bad(unread),
        ZipError::Io(error) if error.kind() == io::ErrorKind::Unsupported => bad(unread),
        error => damaged(entry, &error),
    }
}
