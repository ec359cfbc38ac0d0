//! What memory does not hold: a file without a name in the scratch folder, written once from front to
//! end and read by place. Its pages are the system's to keep or to drop, and no part of what the
//! process holds.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use crate::error::EngineError;

const BUFFER_BYTES: usize = 256 << 10;
const NAME: &str = ".rows.part";

pub(super) struct Spill {
    file: File,
    buffer: Vec<u8>,
    len: u64,
}

impl Spill {
    pub fn create(folder: &Path) -> Result<Self, EngineError> {
        let path = folder.join(NAME);
        // what a process left that was killed between the next two lines
        let _ = fs::remove_file(&path);
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(failed)?;
        // however this process ends, the disk has its room again
        fs::remove_file(&path).map_err(failed)?;
        Ok(Self::of(file))
    }

    fn of(file: File) -> Self {
        Self { file, buffer: vec![], len: 0 }
    }

    /// Bytes appended so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() > BUFFER_BYTES {
            self.file.write_all(bytes).map_err(failed)?;
        } else {
            self.buffer.reserve_exact(if self.buffer.capacity() == 0 { BUFFER_BYTES } else { 0 });
            self.buffer.extend_from_slice(bytes);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        self.file.write_all(&self.buffer).map_err(failed)?;
        self.buffer.clear();
        Ok(())
    }

    /// Everything is written; from here on it is read.
    pub fn finish(&mut self) -> Result<(), EngineError> {
        self.flush()?;
        self.buffer = vec![];
        Ok(())
    }

    /// Of a finished file.
    pub fn read(&self, at: u64, into: &mut [u8]) -> Result<(), EngineError> {
        self.file.read_exact_at(into, at).map_err(failed)
    }
}

fn failed(source: io::Error) -> EngineError {
    let what = "keeping rows in the scratch folder, because they take more memory than the run asks \
                for; make room on its disk, or raise `resources.memory_bytes`";
    EngineError::Io { what: what.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_by_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::create(folder.path()).unwrap();
        let large = vec![7; BUFFER_BYTES + 3];
        for bytes in [b"abc".as_slice(), &large, b"def"] {
            spill.append(bytes).unwrap();
        }
        spill.finish().unwrap();
        assert_eq!(spill.len(), large.len() as u64 + 6);
        let mut read = [0; 4];
        spill.read(1, &mut read).unwrap();
        assert_eq!(&read, b"bc\x07\x07");
        spill.read(spill.len() - 4, &mut read).unwrap();
        assert_eq!(&read, b"\x07def");
        assert!(spill.read(spill.len() - 3, &mut read).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_with_what_to_do() {
        let mut spill = Spill::of(File::options().write(true).open("/dev/full").unwrap());
        spill.append(&[1; 100]).unwrap();
        let cause = spill.finish().unwrap_err().cause();
        assert_eq!((cause.code.as_str(), cause.retryable), ("disk_full", true));
        let says = |words: &str| cause.message.contains(words);
        assert!(says("scratch folder") && says("memory_bytes"), "{}", cause.message);
    }
}
