//! Tests of path expansion.

use super::{expand, expand_braces, split_commas, to_glob};
use crate::base::ErrorKind;
use std::{fs, os::unix::fs::symlink, path::Path};

fn tree(root: &Path) {
    for file in
        ["a.txt", "b.txt", "c.log", "_hidden", ".hidden", "sub/x.txt", "sub2/y.txt", "odd/a[1],b {x}.txt", "nest/in/z"]
    {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
}

/// The files of `argument`, in which `@` is the root, relative to the root.
fn names(root: &Path, argument: &str) -> Result<Vec<String>, String> {
    let argument = argument.replace('@', root.to_str().unwrap());
    match expand(&argument) {
        Ok(files) => {
            Ok(files.iter().map(|file| file.path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect())
        }
        Err(error) => Err(error.to_string().replace(root.to_str().unwrap(), "@")),
    }
}

#[test]
fn arguments_name_files_as_in_spark() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let cases: &[(&str, &[&str])] = &[
        ("@/a.txt", &["a.txt"]),
        ("file:@/a.txt", &["a.txt"]),
        ("file://@/a.txt", &["a.txt"]),
        ("@/sub", &["sub/x.txt"]),
        ("@/sub/", &["sub/x.txt"]),
        ("@/*.txt", &["a.txt", "b.txt"]),
        ("@/**.txt", &["a.txt", "b.txt"]),
        ("@/?.*", &["a.txt", "b.txt", "c.log"]),
        ("@/[ac].*", &["a.txt", "c.log"]),
        ("@/[^a].*", &["b.txt", "c.log"]),
        ("@/sub*", &["sub/x.txt", "sub2/y.txt"]),
        ("@/{b,a}.txt", &["a.txt", "b.txt"]),
        ("@/{a.txt,gone}", &["a.txt"]),
        ("@/{c.log,{sub,sub2}/*}", &["c.log", "sub/x.txt", "sub2/y.txt"]),
        ("@/b.txt,@/a.txt,@/b.txt", &["b.txt", "a.txt", "b.txt"]),
        ("@/_hidden", &["_hidden"]),
        ("@/odd/a\\[1\\]\\,b \\{x\\}.txt", &["odd/a[1],b {x}.txt"]),
        ("@/odd/a\\[*", &["odd/a[1],b {x}.txt"]),
    ];
    for (argument, expected) in cases {
        assert_eq!(names(folder.path(), argument).unwrap(), *expected, "{argument}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let cases = [
        ("@/gone.txt", "input path \"@/gone.txt\" does not exist"),
        ("@/a.txt/inside", "input path \"@/a.txt/inside\" does not exist"),
        ("@/a.txt,@/gone", "input path \"@/gone\" does not exist"),
        ("@/*.csv", "input pattern \"@/*.csv\" matches no file"),
        ("@/_*", "matches no file"),
        ("@/{x,y}", "input pattern \"@/{x,y}\" matches no file"),
        ("@/nest", "input directory \"@/nest\" contains the directory \"@/nest/in\""),
        ("@/{a", "opening brace without a closing one"),
        ("@/[a", "input pattern \"@/[a\" is malformed"),
        ("", "an input path is empty"),
        ("@/a.txt,", "an input path is empty"),
        ("s3://bucket/a", "the scheme \"s3\" needs a storage"),
        ("file://host/a", "names a host"),
    ];
    for (argument, expected) in cases {
        let error = names(folder.path(), argument).unwrap_err();
        assert!(error.contains(expected), "{argument}: {error}");
    }
    assert_eq!(expand("/gone/gone").unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn an_empty_directory_is_no_error_and_sizes_are_those_of_link_targets() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, links) = (folder.path().join("empty"), folder.path().join("links"));
    fs::create_dir_all(&empty).unwrap();
    fs::create_dir_all(&links).unwrap();
    fs::write(folder.path().join("target"), "12345").unwrap();
    symlink(folder.path().join("target"), links.join("link")).unwrap();
    assert_eq!(expand(empty.to_str().unwrap()).unwrap(), []);
    assert_eq!(expand(links.to_str().unwrap()).unwrap()[0].size_bytes, 5);
    symlink("nowhere", links.join("dangling")).unwrap();
    let error = expand(links.to_str().unwrap()).unwrap_err();
    assert!(error.to_string().contains("dangling"), "{error}");
    // A loop of links ends with an error too.
    symlink("loop", empty.join("loop")).unwrap();
    assert!(expand(empty.to_str().unwrap()).is_err());
}

#[test]
fn braces_commas_and_escapes() {
    assert_eq!(expand_braces("a{b,c{d,e}}f{1,2}").unwrap(), ["abf1", "abf2", "acdf1", "acdf2", "acef1", "acef2"]);
    assert_eq!(expand_braces("{a}").unwrap(), ["a"]);
    assert_eq!(expand_braces("x{,y}").unwrap(), ["x", "xy"]);
    assert_eq!(expand_braces("\\{a,b\\}").unwrap(), ["\\{a,b\\}"]);
    assert_eq!(expand_braces("a}").unwrap(), ["a}"]);
    assert_eq!(split_commas("a,{b,c},\\,d"), ["a", "{b,c}", "\\,d"]);
    assert_eq!(to_glob("a\\*[^b]**c\\d"), "a[*][!b]*cd");
}
