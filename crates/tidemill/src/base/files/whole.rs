//! Files read as a whole: one record each, its path and its contents.

use super::{Codec, open, unreadable};
use crate::base::Result;
use std::{io::Read, path::Path};

/// How Spark writes the path of a local file: `file:` and the absolute path.
///
/// # Examples
/// ```
/// assert_eq!(tidemill::base::files::whole::uri("/data/a b.txt"), "file:/data/a b.txt");
/// ```
pub fn uri(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    format!("file:{}", absolute.display())
}

/// The path and text of a file, as `wholeTextFiles` gives them: decompressed by extension, with U+FFFD for bytes that
/// are no UTF-8, and with its byte order mark, if there is one.
///
/// # Errors
/// Unavailable if the file cannot be read, Data if its compression is damaged.
///
/// # Examples
/// ```
/// use tidemill::base::files::whole::read_text;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.txt");
/// std::fs::write(&path, b"ok \xFF")?;
/// let (uri, text) = read_text(&path)?;
/// assert!(uri.starts_with("file:/") && uri.ends_with("/a.txt"));
/// assert_eq!(text, "ok \u{FFFD}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_text(path: impl AsRef<Path>) -> Result<(String, String)> {
    let path = path.as_ref();
    let bytes = match Codec::of(path)? {
        Some(codec) => read_all(path, &mut codec.open(path)?)?,
        None => read_all(path, &mut open(path)?)?,
    };
    let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok((uri(path), text))
}

/// The path and bytes of a file as they are on disk, as `binaryFiles` gives them: nothing is decompressed.
///
/// # Errors
/// Unavailable if the file cannot be read.
///
/// # Examples
/// ```
/// use tidemill::base::files::whole::read_bytes;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.bin");
/// std::fs::write(&path, [1, 2, 255])?;
/// assert_eq!(read_bytes(&path)?.1, [1, 2, 255]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_bytes(path: impl AsRef<Path>) -> Result<(String, Vec<u8>)> {
    let path = path.as_ref();
    Ok((uri(path), read_all(path, &mut open(path)?)?))
}

fn read_all(path: &Path, reader: &mut impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
