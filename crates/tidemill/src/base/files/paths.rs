//! What a Spark path argument means: files, directories, globs, alternatives and comma lists.

use super::{is_hidden, refused};
use crate::base::{Error, Result};
use std::{
    fs, io,
    path::{Path, PathBuf, absolute},
};

/// A file to read, and its size when it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// The absolute path; always UTF-8, so that it can be written to a checkpoint.
    pub path: PathBuf,
    /// Its size in bytes, before any decompression.
    pub size_bytes: u64,
}

/// The files that a path argument names.
///
/// The argument is a comma list of local paths, each of which may start with `file:`, be a file, a directory (its
/// files are taken) or a glob with `*`, `?`, `[a-z]`, `[^a]`, `{a,b}` and `\` before a character meant literally.
/// Files found in a directory or by a wildcard are left out if their names start with `.` or `_`;
/// a path spelled out in full is taken whatever its name. The files come in the order of the list, within one entry
/// sorted by path.
///
/// # Errors
/// Invalid, with the path, for a path that does not exist, a glob that matches nothing, a directory inside of a
/// directory that is read, and a scheme other than `file:`.
///
/// # Examples
/// ```
/// use tidemill::base::files::paths::expand;
/// let folder = tempfile::tempdir()?;
/// for name in ["b.txt", "a.txt", "_SUCCESS"] {
///     std::fs::write(folder.path().join(name), "x")?;
/// }
/// let files = expand(&format!("file://{}/[ab].txt", folder.path().display()))?;
/// assert_eq!(files.len(), 2);
/// assert_eq!(files[0].path, folder.path().join("a.txt"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn expand(argument: &str) -> Result<Vec<InputFile>> {
    let mut files = Vec::new();
    for entry in split_commas(argument) {
        let mut found = roots(entry)?;
        if !is_pattern(entry) && found.is_empty() {
            return Err(Error::invalid(format!("input path \"{entry}\" does not exist; check its spelling")));
        }
        if is_pattern(entry) {
            found.retain(|path| !is_hidden(path));
        }
        if found.is_empty() {
            return Err(Error::invalid(format!("input pattern \"{entry}\" matches no file; check its spelling")));
        }
        for path in found {
            add_files(path, &mut files)?;
        }
    }
    Ok(files)
}

/// The existing paths, hidden ones too, that one entry (alternatives and wildcards, no comma list) stands for, sorted.
pub(crate) fn roots(entry: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for alternative in expand_braces(entry)? {
        let local = without_scheme(&alternative)?;
        if has_wildcard(local) {
            matching(local, &mut found)?;
        } else {
            let path = absolute(unescape(local)).map_err(|error| refused("resolve", Path::new(local), error))?;
            match fs::symlink_metadata(&path) {
                Ok(_) => found.push(path),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(refused("look at", &path, error)),
            }
        }
    }
    found.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    found.dedup();
    Ok(found)
}

/// Whether an error says that there is no such path.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn add_files(path: PathBuf, files: &mut Vec<InputFile>) -> Result<()> {
    let metadata = fs::metadata(&path).map_err(|error| refused("look at", &path, error))?;
    if !metadata.is_dir() {
        files.push(input_file(path, &metadata)?);
        return Ok(());
    }
    for child in children(&path)? {
        if is_hidden(&child) {
            continue;
        }
        let metadata = fs::metadata(&child).map_err(|error| refused("look at", &child, error))?;
        if metadata.is_dir() {
            return Err(Error::invalid(format!(
                "input directory \"{}\" contains the directory \"{}\"; name it by itself or use a glob such as \"{}/*.txt\"",
                path.display(),
                child.display(),
                path.display(),
            )));
        }
        files.push(input_file(child, &metadata)?);
    }
    Ok(())
}

/// What a directory holds, sorted by name.
pub(crate) fn children(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).map_err(|error| refused("list", directory, error))?;
    let mut children = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|error| refused("list", directory, error))?;
    children.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(children)
}

fn input_file(path: PathBuf, metadata: &fs::Metadata) -> Result<InputFile> {
    if !metadata.is_file() {
        // A pipe or device would block or never end.
        return Err(Error::invalid(format!("input \"{}\" is no regular file; leave it out", path.display())));
    }
    if path.to_str().is_none() {
        return Err(Error::invalid(format!("the name of input \"{}\" is not UTF-8; rename it", path.display())));
    }
    Ok(InputFile { path, size_bytes: metadata.len() })
}

fn matching(pattern: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    let paths = glob::glob_with(&to_glob(pattern), options).map_err(|error| {
        Error::invalid(format!("input pattern \"{pattern}\" is malformed: {error}; correct it")).with_source(error)
    })?;
    for path in paths {
        let path = path.map_err(|error| {
            let directory = error.path().to_owned();
            refused("list", &directory, error.into())
        })?;
        found.push(absolute(&path).map_err(|error| refused("resolve", &path, error))?);
    }
    Ok(())
}

/// Cuts at the commas that are not inside braces or escaped.
fn split_commas(list: &str) -> Vec<&str> {
    let (mut entries, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, symbol) in symbols(list) {
        match symbol {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                entries.push(&list[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    entries.push(&list[begin..]);
    entries
}

/// The characters of a pattern, an escaped one together with its backslash.
fn symbols(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let mut characters = rest.chars();
        let first = characters.next()?;
        let escaped = if first == '\\' { characters.next().map_or(0, char::len_utf8) } else { 0 };
        let length = first.len_utf8() + escaped;
        at += length;
        Some((at - length, &rest[..length]))
    })
}

/// Replaces `{a,b}` by its alternatives, in their order; braces may nest and alternatives may hold slashes.
fn expand_braces(pattern: &str) -> Result<Vec<String>> {
    let Some((open, _)) = symbols(pattern).find(|(_, symbol)| *symbol == "{") else {
        return Ok(vec![pattern.to_owned()]);
    };
    let Some(length) = group_length(&pattern[open..]) else {
        return Err(Error::invalid(format!("\"{pattern}\" has an opening brace without a closing one; close it")));
    };
    let (head, group, tail) = (&pattern[..open], &pattern[open + 1..open + length - 1], &pattern[open + length..]);
    let tails = expand_braces(tail)?;
    let mut all = Vec::new();
    for alternative in split_commas(group) {
        for middle in expand_braces(alternative)? {
            all.extend(tails.iter().map(|tail| format!("{head}{middle}{tail}")));
        }
    }
    Ok(all)
}

/// How long the group is that begins with the first brace of `text`, both braces included.
fn group_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, symbol) in symbols(text) {
        match symbol {
            "{" => depth += 1,
            "}" if depth == 1 => return Some(at + 1),
            "}" => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The local path that a path with or without `file:` stands for.
pub(crate) fn without_scheme(path: &str) -> Result<&str> {
    if path.is_empty() {
        return Err(Error::invalid("an input path is empty, \"\"; name a file, a directory or a glob"));
    }
    let Some(rest) = path.strip_prefix("file:") else {
        return match path.split_once("://") {
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Err(Error::invalid(
                format!("\"{path}\" is no local file; the scheme \"{scheme}\" needs a storage that knows it"),
            )),
            _ => Ok(path),
        };
    };
    match rest.strip_prefix("//") {
        None => Ok(rest),
        Some(local) if local.starts_with('/') => Ok(local),
        Some(_) => Err(Error::invalid(format!("\"{path}\" names a host; write \"file:///\" before an absolute path"))),
    }
}

fn is_pattern(entry: &str) -> bool {
    has_wildcard(entry) || symbols(entry).any(|(_, symbol)| symbol == "{")
}

fn has_wildcard(text: &str) -> bool {
    symbols(text).any(|(_, symbol)| matches!(symbol, "*" | "?" | "["))
}

fn unescape(text: &str) -> String {
    symbols(text).map(|(_, symbol)| if symbol.len() > 1 { symbol.trim_start_matches('\\') } else { symbol }).collect()
}

/// Hadoop's pattern language in the words of the `glob` crate, which knows no escapes and gives `**` a meaning.
fn to_glob(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    for (_, symbol) in symbols(pattern) {
        match symbol {
            "*" if out.ends_with('*') => {}
            "^" if out.ends_with('[') => out.push('!'),
            "\\*" | "\\?" | "\\[" | "\\]" => {
                out.push('[');
                out.push_str(&symbol[1..]);
                out.push(']');
            }
            _ if symbol.len() > 1 => out.push_str(symbol.strip_prefix('\\').unwrap_or(symbol)),
            _ => out.push_str(symbol),
        }
    }
    out
}

#[cfg(test)]
mod tests;
