use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Makes one archive of several files, as they are and by their own names.
pub fn zip(to: &Path, files: impl IntoIterator<Item = PathBuf>) -> anyhow::Result<()> {
    let mut zip = ZipWriter::new(File::create(to).context("make the archive")?);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for source in files {
        let name = source.file_name().context("a data file without a name")?;
        zip.start_file(name.to_string_lossy(), stored).context("write the archive")?;
        let mut file = File::open(&source).with_context(|| format!("{}", source.display()))?;
        io::copy(&mut file, &mut zip).context("write the archive")?;
    }
    zip.finish().context("write the archive")?;
    Ok(())
}
