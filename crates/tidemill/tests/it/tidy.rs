//! The invariants of the tree, as tests. Each is a function over a file's path and text, and is itself tried on a
//! snippet that breaks it; see [`rules`].

mod code;
mod rules;

use rules::RULES;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is built or fetched, and therefore not ours.
const NOT_OURS: [&str; 4] = ["target", "node_modules", "__pycache__", "dist"];

#[test]
fn the_tree_is_tidy() {
    let root = root();
    let mut problems = Vec::new();
    let mut files = 0;
    for path in files_below(&root) {
        // What is not text holds no code of ours.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let path = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        for rule in &RULES {
            problems.extend((rule.check)(&path, &text).into_iter().map(|what| format!("{path}: {what}")));
        }
        files += 1;
    }
    assert!(files > 20, "only {files} files were found below {}", root.display());
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_rule_can_fail() {
    for rule in &RULES {
        for (path, text) in rule.breaks {
            assert!(!(rule.check)(path, text).is_empty(), "\"{}\" lets this pass: {path}: {text}", rule.name);
        }
        for (path, text) in rule.keeps {
            assert_eq!((rule.check)(path, text), [""; 0], "\"{}\" refuses this: {path}: {text}", rule.name);
        }
    }
}

/// A file of `tests/it` that `main.rs` does not declare would never run, and nobody would notice.
#[test]
fn every_integration_test_is_a_module_of_main() {
    for krate in fs::read_dir(root().join("crates")).unwrap() {
        let tests = krate.unwrap().path().join("tests");
        let Ok(entries) = fs::read_dir(tests.join("it")) else { continue };
        let main = fs::read_to_string(tests.join("it/main.rs")).unwrap_or_default();
        let names = entries.map(|entry| entry.unwrap().path()).filter(|path| has_code(path));
        let names = names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()));
        assert_eq!(rules::undeclared(&main, names), [""; 0], "not declared in {}", tests.join("it/main.rs").display());
        let strays = fs::read_dir(&tests).unwrap().map(|entry| entry.unwrap().path());
        let strays: Vec<_> = strays.filter(|path| path.extension().is_some_and(|e| e == "rs")).collect();
        assert!(strays.is_empty(), "test binaries of their own, move them to tests/it: {strays:?}");
    }
}

#[test]
fn an_undeclared_test_is_found() {
    let names = || ["main", "tidy", "lost"].into_iter().map(String::from);
    assert_eq!(rules::undeclared("mod tidy;", names()), ["lost"]);
    assert_eq!(rules::undeclared("mod tidy;\n#[cfg(unix)]\nmod lost;", names()), [""; 0]);
    assert_eq!(rules::undeclared("mod tidy; // mod lost;", names()), ["lost"]);
}

fn has_code(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs") || path.join("mod.rs").exists()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file below `folder` but hidden ones (except CI's) and those that are not ours, in a fixed order.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') && ![".ci", ".github", ".gitignore"].contains(&name.as_str());
        if hidden || NOT_OURS.contains(&name.as_str()) || path.is_symlink() {
            continue;
        }
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
