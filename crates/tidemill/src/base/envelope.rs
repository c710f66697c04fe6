//! What a stored file looks like on the outside: magic, version, length and checksum before its content.

use super::{Error, Result};

/// Magic, version, length of the content and its CRC-32, numbers with the least significant byte first.
const HEAD_BYTES: usize = 4 + 1 + 8 + 4;

/// A kind of file, in one version of its format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u8,
}

impl Envelope {
    /// The file that holds `content`.
    pub(crate) fn close(self, content: &[u8]) -> Vec<u8> {
        let mut file = Vec::with_capacity(HEAD_BYTES + content.len());
        file.extend_from_slice(&self.magic);
        file.push(self.version);
        file.extend_from_slice(&(content.len() as u64).to_le_bytes());
        file.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        file.extend_from_slice(content);
        file
    }

    /// The content of a file.
    ///
    /// # Errors
    /// Data, if it is another kind of file, of another version, cut or changed.
    pub(crate) fn open(self, file: &[u8]) -> Result<&[u8]> {
        let wrong = |what: String| Err(Error::data(what));
        let Some((head, content)) = file.split_at_checked(HEAD_BYTES) else {
            return wrong(format!("it is damaged: it is cut after {} bytes", file.len()));
        };
        if head[..4] != self.magic {
            return wrong("it is damaged, or another kind of file".into());
        }
        if head[5..13] != (content.len() as u64).to_le_bytes() {
            let found = content.len();
            return wrong(format!(
                "it is damaged: it has {found} bytes of content, which are not as many as were written"
            ));
        }
        if head[13..] != crc32fast::hash(content).to_le_bytes() {
            return wrong("it is damaged: its checksum is another than that of its content".into());
        }
        if head[4] != self.version {
            let (found, known) = (head[4], self.version);
            return wrong(format!("it has version {found}, and this build reads version {known}; use a newer one"));
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests;
