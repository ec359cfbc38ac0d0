//! What an archive's names mean: which entries are images, of which class, and for training or test.
//! Nothing is ever written under these names, so one that climbs out of its folder does no harm.

use crate::error::{EngineError, shown};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Idx { training: IdxFiles, test: Option<IdxFiles> },
    Folders { training: Vec<Labelled>, test: Vec<Labelled> },
}

/// Places in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdxFiles {
    pub images: usize,
    pub labels: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labelled {
    pub entry: usize,
    pub class: String,
}

/// Where there is but a test part, it is a dataset of its own and read as one.
pub(super) fn layout(names: &[String]) -> Result<Layout, EngineError> {
    let idx = idx_files(names)?;
    if let Some(layout) = idx {
        return Ok(layout);
    }
    let (mut training, mut test) = (vec![], vec![]);
    for (entry, name) in names.iter().enumerate() {
        if let Some((class, is_test)) = picture(name)? {
            if is_test { &mut test } else { &mut training }.push(Labelled { entry, class });
        }
    }
    if training.is_empty() {
        std::mem::swap(&mut training, &mut test);
    }
    if training.is_empty() {
        return Err(EngineError::NoRows(
            "the zip holds no images; put PNG or JPEG files in folders named by their class \
             (`cat/1.png`), or MNIST's idx files (`train-images-idx3-ubyte` and \
             `train-labels-idx1-ubyte`)"
                .into(),
        ));
    }
    Ok(Layout::Folders { training, test })
}

/// The folders and the file that a name is made of.
fn parts(name: &str) -> Vec<&str> {
    name.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | "..")).collect()
}

fn hidden(parts: &[&str]) -> bool {
    parts.iter().any(|part| part.starts_with('.') || *part == "__MACOSX")
}

fn idx_files(names: &[String]) -> Result<Option<Layout>, EngineError> {
    let (mut training, mut test) = (None, None);
    for (images, name) in names.iter().enumerate() {
        let lower = name.to_lowercase();
        if !(lower.contains("images") && lower.contains("idx3")) || hidden(&parts(name)) {
            continue;
        }
        let wanted = stem(&lower).replace("images", "labels").replace("idx3", "idx1");
        let labels = names.iter().position(|name| stem(&name.to_lowercase()) == wanted);
        let labels = labels.ok_or_else(|| {
            bad(name, &format!("no labels lie beside it; add {} to the zip", shown(&wanted)))
        })?;
        let file = parts(&lower).pop().unwrap_or_default().to_owned();
        let part =
            if file.contains("t10k") || file.contains("test") { &mut test } else { &mut training };
        if part.replace(IdxFiles { images, labels }).is_some() {
            return Err(bad(name, "it is the second of its kind; keep one pair of files"));
        }
    }
    let layout = match (training, test) {
        (Some(training), test) => Some(Layout::Idx { training, test }),
        (None, Some(training)) => Some(Layout::Idx { training, test: None }),
        (None, None) => None,
    };
    Ok(layout)
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// The class of an image and whether it is for test; none of what is no image.
fn picture(name: &str) -> Result<Option<(String, bool)>, EngineError> {
    let parts = parts(name);
    if name.ends_with(['/', '\\']) || hidden(&parts) {
        return Ok(None);
    }
    let Some((file, folders)) = parts.split_last() else { return Ok(None) };
    let extension = file.rsplit_once('.').map_or(String::new(), |(_, e)| e.to_lowercase());
    match extension.as_str() {
        "png" | "jpg" | "jpeg" => {}
        "gif" | "bmp" | "webp" | "tif" | "tiff" | "heic" | "avif" | "ppm" | "pgm" => {
            return Err(bad(name, "this format is not read; convert it to PNG or JPEG"));
        }
        _ => return Ok(None),
    }
    let Some((class, above)) = folders.split_last() else {
        return Err(bad(name, "it lies in no folder; put it in one named by its class"));
    };
    let is_test = above.iter().any(|folder| {
        folder.eq_ignore_ascii_case("test") || folder.eq_ignore_ascii_case("testing")
    });
    Ok(Some(((*class).to_owned(), is_test)))
}

fn bad(entry: &str, why: &str) -> EngineError {
    EngineError::BadImage { entry: entry.to_owned(), why: why.to_owned() }
}
