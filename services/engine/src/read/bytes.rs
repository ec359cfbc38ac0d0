//! From a file to decoded bytes: decompression, a limit on what comes out of it, and errors that
//! say whether the file was cut off, damaged or declared as something it is not.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
};

use domain::dataset::Compression;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use crate::error::EngineError;

const BUFFER_BYTES: usize = 64 << 10;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

pub(super) type Source = BufReader<Box<dyn Read>>;

/// What went wrong while decoding, carried through `io::Error` by the readers in between.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("more than {0} bytes")]
    TooLarge(u64),
    #[error("ends too early")]
    Truncated(Compression),
    #[error("{0}")]
    Corrupt(String),
}

/// Opens the file for reading its decoded bytes, without a byte-order mark.
pub(super) fn open(
    path: &Path,
    compression: Compression,
    limit: u64,
) -> Result<Source, EngineError> {
    let mut file = BufReader::with_capacity(
        BUFFER_BYTES,
        File::open(path).map_err(EngineError::io(path.display()))?,
    );
    let start = file.fill_buf().map_err(read_error)?;
    if start.is_empty() {
        return Err(EngineError::EmptyFile);
    }
    check_magic(start, compression)?;
    let inner = match compression {
        Compression::None => Inner::Plain(file),
        Compression::Gzip => Inner::Gzip(MultiGzDecoder::new(file)),
        Compression::Zstd => Inner::Zstd(Box::new(Zstd::new(file))),
    };
    let mut decoded = Decoded { inner, left: limit, limit };
    let mut start = Vec::with_capacity(BYTE_ORDER_MARK.len());
    (&mut decoded)
        .take(BYTE_ORDER_MARK.len() as u64)
        .read_to_end(&mut start)
        .map_err(read_error)?;
    if start == BYTE_ORDER_MARK {
        start.clear();
    }
    let whole: Box<dyn Read> = Box::new(Cursor::new(start).chain(decoded));
    Ok(BufReader::with_capacity(BUFFER_BYTES, whole))
}

fn check_magic(start: &[u8], declared: Compression) -> Result<(), EngineError> {
    // Zstandard's skippable frames start with 0x184D2A5? and may stand before the first real one.
    let zstd = start.starts_with(ZSTD_MAGIC)
        || (start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18]);
    let found = if start.starts_with(GZIP_MAGIC) {
        Compression::Gzip
    } else if zstd {
        Compression::Zstd
    } else {
        Compression::None
    };
    if found == declared {
        return Ok(());
    }
    let (declared, found) = (declared.as_str(), found.as_str());
    Err(EngineError::CorruptFile(format!(
        "the file was declared with compression `{declared}` but its first bytes say `{found}`; \
         push it again with compression `{found}`"
    )))
}

/// An error of [`Source`] in the engine's words.
pub(super) fn read_error(error: io::Error) -> EngineError {
    match error.get_ref().and_then(|e| e.downcast_ref::<Fault>()) {
        Some(Fault::TooLarge(limit)) => EngineError::DecodedTooLarge { limit: *limit },
        Some(Fault::Truncated(compression)) => EngineError::TruncatedFile(*compression),
        Some(Fault::Corrupt(why)) => EngineError::CorruptFile(format!(
            "the compressed data is damaged ({why}); compress the file again and push it"
        )),
        None => EngineError::Io { what: "reading the data".into(), source: error },
    }
}

enum Inner {
    Plain(BufReader<File>),
    Gzip(MultiGzDecoder<BufReader<File>>),
    Zstd(Box<Zstd>),
}

struct Decoded {
    inner: Inner,
    left: u64,
    limit: u64,
}

impl Read for Decoded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.inner {
            Inner::Plain(file) => file.read(out)?,
            Inner::Gzip(gzip) => gzip.read(out).map_err(gzip_fault)?,
            Inner::Zstd(zstd) => zstd.read(out)?,
        };
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(Fault::TooLarge(self.limit))),
        }
        Ok(n)
    }
}

fn gzip_fault(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() {
        return error;
    }
    io::Error::other(match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Truncated(Compression::Gzip),
        _ => Fault::Corrupt(error.to_string()),
    })
}

/// All frames of a Zstandard file, one after another.
struct Zstd {
    source: BufReader<File>,
    decoder: FrameDecoder,
    inside_frame: bool,
}

impl Zstd {
    fn new(source: BufReader<File>) -> Self {
        Self { source, decoder: FrameDecoder::new(), inside_frame: false }
    }

    /// At the end of the file whatever failed lacked bytes; before it they were wrong.
    fn fault(&mut self, error: &FrameDecoderError) -> io::Error {
        match self.source.fill_buf() {
            Err(error) => error,
            Ok([]) => io::Error::other(Fault::Truncated(Compression::Zstd)),
            Ok(_) => io::Error::other(Fault::Corrupt(error.to_string())),
        }
    }

    /// False at the end of the file.
    fn start_frame(&mut self) -> io::Result<bool> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match self.decoder.reset(&mut self.source) {
            Ok(()) => self.inside_frame = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                if skipped < length {
                    return Err(io::Error::other(Fault::Truncated(Compression::Zstd)));
                }
            }
            Err(error) => return Err(self.fault(&error)),
        }
        Ok(true)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.inside_frame = false;
        let stored = self.decoder.get_checksum_from_data();
        if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
            return Err(io::Error::other(Fault::Corrupt("the checksum does not match".into())));
        }
        Ok(())
    }
}

impl Read for Zstd {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if self.inside_frame && self.decoder.is_finished() {
                self.end_frame()?;
            } else if self.inside_frame {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                if let Err(error) = self.decoder.decode_blocks(&mut self.source, one) {
                    return Err(self.fault(&error));
                }
            } else if !self.start_frame()? {
                return Ok(0);
            }
        }
        self.decoder.read(out)
    }
}
