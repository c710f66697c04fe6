//! Compression of whole files, chosen by the extension as Hadoop does.

use super::{open, refused};
use crate::base::{Error, Result};
use bzip2::{read::MultiBzDecoder, write::BzEncoder};
use flate2::{
    read::{MultiGzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

const FILE_BUFFER_BYTES: usize = 64 * 1024;

/// A way to compress a whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Codec {
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
    /// `.bz2`
    Bzip2,
    /// `.deflate`, which is Hadoop's default codec: a zlib stream.
    Deflate,
}

impl Codec {
    /// The codec that a file's extension says; `None` for a file that is not compressed.
    ///
    /// # Errors
    /// Invalid for the extensions that Hadoop knows and tidemill cannot read (`.lz4`, `.snappy`): to take their bytes for
    /// text would be worse.
    ///
    /// # Examples
    /// ```
    /// use tidemill::base::files::Codec;
    /// assert_eq!(Codec::of("log.gz")?, Some(Codec::Gzip));
    /// assert_eq!(Codec::of("log.txt")?, None);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn of(path: impl AsRef<Path>) -> Result<Option<Codec>> {
        let path = path.as_ref();
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Some(Codec::Gzip),
            Some("zst") => Some(Codec::Zstd),
            Some("bz2") => Some(Codec::Bzip2),
            Some("deflate") => Some(Codec::Deflate),
            Some(extension @ ("lz4" | "snappy")) => {
                return Err(Error::invalid(format!(
                    "\"{}\" is compressed as \"{extension}\", which cannot be read; compress it as gz, zst or bz2",
                    path.display()
                )));
            }
            _ => None,
        })
    }

    /// The codec of a name (`"gzip"`, `"gz"`) or of a Hadoop class name as PySpark's `saveAsTextFile` takes it.
    ///
    /// # Errors
    /// Invalid for a name that is not known.
    ///
    /// # Examples
    /// ```
    /// use tidemill::base::files::Codec;
    /// assert_eq!(Codec::named("org.apache.hadoop.io.compress.GzipCodec")?, Codec::Gzip);
    /// assert!(Codec::named("zip").is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Codec> {
        let short = name.strip_prefix("org.apache.hadoop.io.compress.").unwrap_or(name);
        match short.to_ascii_lowercase().trim_end_matches("codec") {
            "gzip" | "gz" => Ok(Codec::Gzip),
            "zstd" | "zst" | "zstandard" => Ok(Codec::Zstd),
            "bzip2" | "bz2" => Ok(Codec::Bzip2),
            "deflate" | "default" => Ok(Codec::Deflate),
            _ => Err(Error::invalid(format!(
                "the compression codec \"{name}\" is not known; use gzip, zstd, bzip2 or deflate"
            ))),
        }
    }

    /// The extension that files of this codec have, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Codec::Gzip => "gz",
            Codec::Zstd => "zst",
            Codec::Bzip2 => "bz2",
            Codec::Deflate => "deflate",
        }
    }

    /// Opens a file and decompresses what is read; files of several members joined together are read to the end.
    pub(crate) fn open(self, path: &Path) -> Result<Box<dyn Read + Send>> {
        let file = BufReader::with_capacity(FILE_BUFFER_BYTES, open(path)?);
        Ok(match self {
            Codec::Gzip => Box::new(MultiGzDecoder::new(file)),
            Codec::Zstd => {
                let decoder = zstd::Decoder::with_buffer(file).map_err(|error| refused("decompress", path, error))?;
                Box::new(decoder)
            }
            Codec::Bzip2 => Box::new(MultiBzDecoder::new(file)),
            Codec::Deflate => Box::new(ZlibDecoder::new(file)),
        })
    }
}

/// A file, or what stands for one, that is compressed while it is written.
pub(crate) enum Compressor<W: Write = File> {
    Plain(BufWriter<W>),
    Gzip(GzEncoder<BufWriter<W>>),
    Zstd(zstd::Encoder<'static, BufWriter<W>>),
    Bzip2(BzEncoder<BufWriter<W>>),
    Deflate(ZlibEncoder<BufWriter<W>>),
}

impl<W: Write> Compressor<W> {
    pub(crate) fn new(file: W, codec: Option<Codec>) -> io::Result<Self> {
        let file = BufWriter::with_capacity(FILE_BUFFER_BYTES, file);
        Ok(match codec {
            None => Compressor::Plain(file),
            Some(Codec::Gzip) => Compressor::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Some(Codec::Zstd) => Compressor::Zstd(zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?),
            Some(Codec::Bzip2) => Compressor::Bzip2(BzEncoder::new(file, bzip2::Compression::best())),
            Some(Codec::Deflate) => Compressor::Deflate(ZlibEncoder::new(file, flate2::Compression::default())),
        })
    }

    /// Writes what is still buffered and gives the file back.
    pub(crate) fn finish(self) -> io::Result<W> {
        let buffered = match self {
            Compressor::Plain(file) => file,
            Compressor::Gzip(encoder) => encoder.finish()?,
            Compressor::Zstd(encoder) => encoder.finish()?,
            Compressor::Bzip2(encoder) => encoder.finish()?,
            Compressor::Deflate(encoder) => encoder.finish()?,
        };
        buffered.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Compressor::Plain(file) => file.write(bytes),
            Compressor::Gzip(encoder) => encoder.write(bytes),
            Compressor::Zstd(encoder) => encoder.write(bytes),
            Compressor::Bzip2(encoder) => encoder.write(bytes),
            Compressor::Deflate(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Compressor::Plain(file) => file.flush(),
            Compressor::Gzip(encoder) => encoder.flush(),
            Compressor::Zstd(encoder) => encoder.flush(),
            Compressor::Bzip2(encoder) => encoder.flush(),
            Compressor::Deflate(encoder) => encoder.flush(),
        }
    }
}
