//! The rules: what each looks for, a text that breaks it, and one that keeps it.
//!
//! Forbidden words are written in two halves here, so that this file keeps the rules too.

use super::code::{code, is_word, line, words};

type Check = fn(path: &str, text: &str) -> Vec<String>;
type Snippets = &'static [(&'static str, &'static str)];

/// An invariant of the tree.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) check: Check,
    pub(super) breaks: Snippets,
    pub(super) keeps: Snippets,
}

/// A room of the core and the rooms that it may import.
const ROOMS: [(&str, &[&str]); 8] = [
    ("base", &[]),
    ("rdd", &["base"]),
    ("checkpoint", &["base"]),
    ("engine", &["base", "rdd"]),
    ("dstream", &["base", "rdd", "checkpoint"]),
    ("io", &["base", "rdd", "checkpoint", "dstream"]),
    ("scheduler", &["base", "rdd", "checkpoint", "dstream", "io"]),
    ("context", &["base", "rdd", "checkpoint", "engine", "dstream", "io", "scheduler"]),
];
const CORE: &str = "crates/tidemill/src/";
const CLOCK: &str = "crates/tidemill/src/base/clock.rs";
const ENGINE: &str = "crates/tidemill/src/engine/";
const MAX_LINES: usize = 600;

const A: &str = "crates/tidemill/src/rdd/a.rs";

pub(super) const RULES: [Rule; 11] = [
    Rule {
        name: "only engine/ speaks to the dataflow library",
        check: |path, text| if path.starts_with(ENGINE) { vec![] } else { find(path, text, &["timely"], false) },
        breaks: &[(A, "use timely::Config;"), ("crates/tidemill-cli/src/x.rs", "timely::execute()")],
        keeps: &[
            ("crates/tidemill/src/engine/a.rs", "use timely::Config;"),
            (A, "/// As timely does.\nlet in_timely_order = \"timely\";"),
            ("Cargo.toml", "timely = \"1\""),
        ],
    },
    Rule {
        name: "a room imports only the rooms below it",
        check: layers,
        breaks: &[
            ("crates/tidemill/src/base/a.rs", "use crate::rdd::Rdd;"),
            (A, "use crate::{base::{Error, io}, engine::Job};"),
            (A, "use super::super::scheduler::X;"),
            ("crates/tidemill/src/rdd/mod.rs", "fn f() -> super::io::X {}"),
            ("crates/tidemill/src/engine.rs", "let x = crate :: dstream::DStream::new();"),
            ("crates/tidemill/src/scheduler/jobs/run.rs", "use crate::{\n    engine,\n};"),
        ],
        keeps: &[
            (A, "use crate::{base::{Error, io}, rdd::Job};\nuse super::dstream::X;"),
            (A, "/// See [`crate::io`].\nuse crate::Error;"),
            ("crates/tidemill/src/rdd/tests.rs", "use crate::engine::Local;"),
            ("crates/tidemill/src/context/mod.rs", "use crate::{engine::X, io};"),
            ("crates/tidemill-cli/src/x.rs", "use crate::engine::X;"),
        ],
    },
    Rule {
        name: "only base/clock.rs reads clocks or sleeps",
        check: |path, text| {
            let clocks = ["SystemTime::now", "Instant::now", "thread::sleep", "sleep_ms", "park_timeout"];
            if path == CLOCK { vec![] } else { find(path, text, &clocks, true) }
        },
        breaks: &[
            (A, "let t = std::time::SystemTime::now();"),
            ("crates/x/tests/it/a.rs", "thread::sleep(d)"),
            ("crates/x/src/tests.rs", "Instant::now()"),
        ],
        keeps: &[(CLOCK, "Instant::now()"), (A, "// not Instant::now()\nmyInstant::nowhere()")],
    },
    Rule {
        name: "no unwrap outside tests",
        check: |path, text| find(path, text, &[".unwrap()", ".unwrap_err()"], false),
        breaks: &[(A, "x.unwrap();"), ("crates/x/examples/e.rs", "x\n    .unwrap()")],
        keeps: &[
            (A, "/// x.unwrap()\nx.unwrap_or(1); x.expect(\"why\")"),
            ("crates/x/src/a/tests.rs", "x.unwrap()"),
            ("crates/x/src/a/tests/b.rs", "x.unwrap()"),
            ("crates/x/tests/it/a.rs", "x.unwrap()"),
        ],
    },
    Rule {
        name: "every file says what it is for",
        check: |path, text| {
            let first = text.trim_start_matches("#![allow(clippy::disallowed_methods)]").trim_start();
            let says = first.strip_prefix("//!").and_then(|rest| rest.lines().next()).is_some_and(|l| l.len() > 3);
            if !is_rust(path) || says { vec![] } else { vec!["starts without //! and what it is for".into()] }
        },
        breaks: &[(A, "use std::fmt;\n//! Late."), (A, ""), (A, "//!\n")],
        keeps: &[(A, "//! Says it."), ("README.md", "# No code")],
    },
    Rule {
        name: "no file is longer than the wall",
        check: |path, text| {
            let lines = text.lines().count();
            if is_rust(path) && lines > MAX_LINES {
                vec![format!("has {lines} lines, the wall is {MAX_LINES}")]
            } else {
                vec![]
            }
        },
        breaks: &[(A, LONG)],
        keeps: &[("data.txt", LONG), (A, "one line")],
    },
    Rule {
        name: "nothing is left unfinished",
        check: |path, text| find(path, text, &["dbg!", "todo!", "unimplemented!"], true),
        breaks: &[(A, "dbg!(x)"), (A, "todo!()"), ("crates/x/tests/it/a.rs", "unimplemented!(\"later\")")],
        keeps: &[(A, "// dbg! is forbidden\nlet x = \"todo!\"; my_todo!()")],
    },
    Rule {
        name: "a reminder has the number of an issue",
        check: reminders,
        breaks: &[(A, concat!("// TO", "DO: later")), ("ci/x.sh", concat!("# FIX", "ME(me)"))],
        keeps: &[(A, concat!("// TO", "DO(#12): later\nTODOS"))],
    },
    Rule {
        name: "every thread has a name",
        check: threads,
        breaks: &[
            (A, "let t = std::thread::spawn(|| ());"),
            (A, "thread::scope(|s| { s.spawn(|| ()); })"),
            (A, "thread::Builder::new().spawn(|| ())"),
        ],
        keeps: &[
            (A, "thread::Builder::new().name(\"a\".into()).spawn(|| ())"),
            (A, "Builder::new()\n    .name(n)\n    .stack_size(9)\n    .spawn_scoped(s, f)"),
            (A, "Command::new(\"ls\").spawn()?; child.spawn()?; /// thread::spawn(f)"),
        ],
    },
    Rule {
        name: "no path of somebody's machine",
        check: machine_paths,
        breaks: &[
            ("README.md", concat!("see /wo", "rk/x")),
            (A, concat!("let p = \"/ro", "ot/.cargo\";")),
            ("Makefile", concat!("X = /ho", "me/me/x")),
        ],
        keeps: &[("README.md", "at /workers and a/work"), ("x.md", "net/root/x https://host/home/x")],
    },
    Rule {
        name: "only the Python front speaks to the interpreter",
        check: |path, text| if path.starts_with("python/") { vec![] } else { find(path, text, &["pyo3"], true) },
        breaks: &[(A, "use pyo3::prelude::*;")],
        keeps: &[("python/src/lib.rs", "use pyo3::prelude::*;"), (A, "// not pyo3")],
    },
];

/// 601 lines.
const LONG: &str = {
    const TEXT: [u8; MAX_LINES + 1] = [b'\n'; MAX_LINES + 1];
    match std::str::from_utf8(&TEXT) {
        Ok(text) => text,
        Err(_) => "",
    }
};

/// The names that `main` does not declare as modules.
pub(super) fn undeclared(main: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let main = code(main);
    names.filter(|name| name != "main" && !main.contains(&format!("mod {name};"))).collect()
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Where the code of a Rust file says one of `needles`; tests are looked at only if `in_tests`.
fn find(path: &str, text: &str, needles: &[&str], in_tests: bool) -> Vec<String> {
    if !is_rust(path) || (is_test(path) && !in_tests) {
        return vec![];
    }
    let code = code(text);
    let found = |needle: &&str| {
        let lines = words(&code, needle).map(|at| line(&code, at)).collect::<Vec<_>>();
        lines.into_iter().map(|line| format!("line {line} says {needle}")).collect::<Vec<_>>()
    };
    needles.iter().flat_map(found).collect()
}

fn layers(path: &str, text: &str) -> Vec<String> {
    let Some(inner) = path.strip_prefix(CORE).filter(|_| is_rust(path) && !is_test(path)) else { return vec![] };
    let parts: Vec<&str> = inner.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    let Some((own, allowed)) = ROOMS.iter().find(|(room, _)| *room == parts[0]) else { return vec![] };
    // From a module of depth n, n times `super` is the root of the crate.
    let code: String = code(text).replace(" ::", "::").replace(&"super::".repeat(parts.len()), "crate::");
    let imported = words(&code, "crate::").flat_map(|at| imported(&code[at + "crate::".len()..])).collect::<Vec<_>>();
    let forbidden = |name: &&str| ROOMS.iter().any(|(room, _)| room == name) && name != own && !allowed.contains(name);
    imported.into_iter().filter(forbidden).map(|name| format!("the room {own} must not know {name}")).collect()
}

/// The first names of a path or of a group of paths.
fn imported(path: &str) -> Vec<&str> {
    let Some(group) = path.trim_start().strip_prefix('{') else { return vec![first_word(path)] };
    let mut names = vec![first_word(group)];
    let mut depth = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(first_word(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

fn reminders(_: &str, text: &str) -> Vec<String> {
    let words_of_it = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let numbered =
        |rest: &str| rest.strip_prefix("(#").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let found = |word: &&str| {
        let bare = words(text, word).filter(|at| !numbered(&text[at + word.len()..]));
        bare.map(|at| format!("line {} says {word} without an issue, as in (#12)", line(text, at))).collect::<Vec<_>>()
    };
    words_of_it.iter().flat_map(found).collect()
}

/// Threads have to be started through a `Builder` that was given a name.
fn threads(path: &str, text: &str) -> Vec<String> {
    if !is_rust(path) {
        return vec![];
    }
    let code = code(text);
    let mut problems: Vec<_> = words(&code, "thread::spawn")
        .map(|at| format!("line {} starts a thread without a name; use thread::Builder", line(&code, at)))
        .collect();
    for at in words(&code, ".spawn(").chain(words(&code, ".spawn_scoped(")) {
        // The statement up to here.
        let start = code[..at].rfind([';', '{', '}']).map_or(0, |at| at + 1);
        let chain = &code[start..at];
        let call = code[at..].split_once('(').map_or("", |(_, arguments)| arguments.trim_start());
        let takes_closure = call.starts_with('|') || call.starts_with("move");
        if (chain.contains("Builder::new()") || takes_closure) && !chain.contains(".name(") {
            problems.push(format!("line {} starts a thread without a name", line(&code, at)));
        }
    }
    problems
}

fn machine_paths(_: &str, text: &str) -> Vec<String> {
    let folders = [concat!("/wo", "rk"), concat!("/ro", "ot"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    let found = |folder: &&str| {
        // Only where a path begins: after a blank, a quote, an equals sign and the like.
        let begins = |at: &usize| {
            !text[..*at].ends_with(|c: char| is_word(c) || ['.', '/', '-', '}', '*', '>'].contains(&c))
                && !text[at + folder.trim_end_matches('/').len()..].starts_with(|c| is_word(c) || c == '-')
        };
        let places = text.match_indices(*folder).map(|(at, _)| at).filter(begins);
        places.map(|at| format!("line {} names the folder {folder}", line(text, at))).collect::<Vec<_>>()
    };
    folders.iter().flat_map(found).collect()
}
