//! Tests of what makes up a batch, on listings in memory and on real directories.

use super::{
    DirectoryLister, DirectoryWatcher, FileId, PickRule, Picked, Readiness, SeenFile, SkipReason, WatcherSettings,
    WatcherState,
};
use crate::base::{Time, minutes, seconds};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

const START: u64 = 1_000_000;

fn at(second: u64) -> Time {
    Time::from_ms(START + second * 1000)
}

/// A file "/in/name" with the inode, size and mtime (seconds after the start) that are given.
fn file(name: &str, inode: u64, size_bytes: u64, mtime_s: u64) -> SeenFile {
    let id = FileId { device: 1, inode, created: Time::default() };
    SeenFile { path: format!("/in/{name}"), size_bytes, mtime: at(mtime_s), is_dir: false, id }
}

fn watcher(settings: WatcherSettings) -> DirectoryWatcher {
    let mut watcher = DirectoryWatcher::new(settings, at(0));
    watcher.begin(&[]);
    watcher
}

fn names(picked: &Picked) -> Vec<&str> {
    picked.files.iter().map(|file| file.path.strip_prefix("/in/").unwrap()).collect()
}

fn skips(picked: &Picked) -> Vec<(&str, SkipReason)> {
    picked.skipped.iter().map(|skip| (skip.path.strip_prefix("/in/").unwrap(), skip.reason)).collect()
}

/// Listings, one a second, and what each must give.
type Step<'a> = (&'a [SeenFile], &'a [&'a str], &'a [(&'a str, SkipReason)]);

fn check(settings: &WatcherSettings, case: &str, steps: &[Step<'_>]) {
    let mut watcher = watcher(settings.clone());
    for (number, (listing, expected, skipped)) in (1..).zip(steps) {
        // Every step also goes through a checkpoint.
        let bytes = watcher.state().to_bytes().unwrap();
        watcher = DirectoryWatcher::recover(settings.clone(), WatcherState::from_bytes(&bytes).unwrap());
        let picked = watcher.pick(at(number), listing);
        assert_eq!(names(&picked), *expected, "{case}, listing {number}");
        assert_eq!(skips(&picked), *skipped, "{case}, listing {number}");
    }
}

fn old(name: &str, inode: u64) -> SeenFile {
    SeenFile { mtime: Time::default(), ..file(name, inode, 1, 0) }
}

#[test]
fn the_seen_set_picks_each_file_once() {
    use SkipReason::{ChangedAfterRead, RenamedAfterRead};
    let a = || file("a", 1, 10, 1);
    let cases: &[(&str, &[Step<'_>])] = &[
        ("once", &[(&[a()], &["a"], &[]), (&[a()], &[], &[]), (&[a(), file("b", 2, 1, 2)], &["b"], &[])]),
        (
            "by mtime, then path",
            &[(&[file("z", 1, 1, 1), file("y", 2, 1, 2), file("b", 3, 1, 1)], &["b", "z", "y"], &[])],
        ),
        ("renamed in with an old mtime", &[(&[], &[], &[]), (&[old("a", 1)], &["a"], &[])]),
        ("from the future", &[(&[file("a", 1, 1, 9_999_999)], &["a"], &[]), (&[file("a", 1, 1, 9_999_999)], &[], &[])]),
        ("empty", &[(&[file("a", 1, 0, 1)], &["a"], &[]), (&[file("a", 1, 0, 1)], &[], &[])]),
        (
            "grows after it was read: reported once",
            &[
                (&[a()], &["a"], &[]),
                (&[file("a", 1, 11, 2)], &[], &[("a", ChangedAfterRead)]),
                (&[file("a", 1, 12, 3)], &[], &[]),
                (&[file("a", 1, 12, 3)], &[], &[]),
            ],
        ),
        ("truncated in place", &[(&[a()], &["a"], &[]), (&[file("a", 1, 2, 2)], &[], &[("a", ChangedAfterRead)])]),
        (
            "replaced by another file",
            &[(&[a()], &["a"], &[]), (&[file("a", 2, 10, 2)], &["a"], &[]), (&[file("a", 2, 10, 2)], &[], &[])],
        ),
        ("replaced, same mtime, other size", &[(&[a()], &["a"], &[]), (&[file("a", 2, 11, 1)], &["a"], &[])]),
        (
            "copied over itself, times kept",
            &[(&[a()], &["a"], &[]), (&[file("a", 2, 10, 1)], &[], &[]), (&[file("a", 2, 10, 1)], &[], &[])],
        ),
        ("removed and made again", &[(&[a()], &["a"], &[]), (&[], &[], &[]), (&[file("a", 2, 10, 3)], &["a"], &[])]),
        ("away for one listing", &[(&[a()], &["a"], &[]), (&[], &[], &[]), (&[a()], &[], &[])]),
        (
            "renamed after it was read",
            &[
                (&[a()], &["a"], &[]),
                (&[file("b", 1, 10, 1)], &[], &[("b", RenamedAfterRead)]),
                (&[file("b", 1, 10, 1)], &[], &[]),
            ],
        ),
        ("renamed and changed", &[(&[a()], &["a"], &[]), (&[file("b", 1, 11, 2)], &["b"], &[])]),
        ("inode given again", &[(&[a()], &["a"], &[]), (&[file("b", 1, 10, 2)], &["b"], &[])]),
        ("hard link", &[(&[a()], &["a"], &[]), (&[a(), file("b", 1, 10, 1)], &["b"], &[])]),
        (
            "rotated",
            &[
                (&[a(), file("a.1", 2, 20, 1)], &["a", "a.1"], &[]),
                (
                    &[file("a", 3, 5, 2), file("a.1", 1, 10, 1), file("a.2", 2, 20, 1)],
                    &["a"],
                    &[("a.1", RenamedAfterRead), ("a.2", RenamedAfterRead)],
                ),
                (&[file("a", 3, 5, 2), file("a.1", 1, 10, 1), file("a.2", 2, 20, 1)], &[], &[]),
            ],
        ),
        (
            "renamed over one that was read",
            &[
                (&[a(), file("b", 2, 20, 1)], &["a", "b"], &[]),
                (&[file("b", 1, 10, 1)], &[], &[("b", RenamedAfterRead)]),
            ],
        ),
    ];
    for (case, steps) in cases {
        check(&WatcherSettings::default(), case, steps);
    }
}

#[test]
fn hidden_names_and_directories_are_passed_over_and_reported_while_they_last() {
    let mut watcher = watcher(WatcherSettings::default());
    let directory = SeenFile { is_dir: true, ..file("sub", 9, 1, 1) };
    let listing = [file("_tmp", 1, 1, 1), file(".x.swp", 2, 1, 1), directory];
    let picked = watcher.pick(at(1), &listing);
    assert!(picked.files.is_empty());
    assert_eq!(
        picked.skipped.iter().map(|skip| (skip.reason, skip.first)).collect::<Vec<_>>(),
        [(SkipReason::Hidden, true), (SkipReason::Hidden, false), (SkipReason::Directory, true)]
    );
    assert!(watcher.pick(at(2), &listing).skipped.is_empty());
    assert_eq!(watcher.state().skipped(SkipReason::Hidden), 2);
    // The unfinished file gets its name: now it is new.
    assert_eq!(names(&watcher.pick(at(3), &[file("data", 1, 1, 1)])), ["data"]);
    assert!(watcher.pick(at(3), &[]).skipped.is_empty());
    assert_eq!(watcher.pick(at(4), &listing).skipped.len(), 3);
}

#[test]
fn what_is_there_at_the_start_is_read_if_wanted_or_once_it_changes() {
    let there = [file("a", 1, 10, 0), file("b", 2, 10, 0)];
    let settings = WatcherSettings { new_files_only: false, ..WatcherSettings::default() };
    let mut all = DirectoryWatcher::new(settings, at(0));
    all.begin(&there);
    assert_eq!(names(&all.pick(at(1), &there)), ["a", "b"]);

    let mut new = DirectoryWatcher::new(WatcherSettings::default(), at(0));
    new.begin(&there);
    assert_eq!(new.pick(at(1), &there), Picked::default());
    assert_eq!(new.state().skipped(SkipReason::ThereAtStart), 2);
    // Nothing of "a" was read, so nothing is read twice; "b" only has another name.
    let picked = new.pick(at(2), &[file("a", 1, 11, 2), file("c", 2, 10, 0)]);
    assert_eq!((names(&picked), skips(&picked)), (vec!["a"], vec![("c", SkipReason::ThereAtStart)]));

    let mut late = DirectoryWatcher::new(WatcherSettings::default(), at(0));
    assert!(late.pick(at(1), &there).files.is_empty(), "without begin, the first listing is the start");
}

#[test]
fn half_written_files_wait() {
    let settings = |readiness| WatcherSettings { readiness, ..WatcherSettings::default() };
    let aged = settings(Readiness::MinAge(seconds(2)));
    let a = |size, mtime| file("a", 1, size, mtime);
    check(
        &aged,
        "min age",
        &[(&[a(1, 1)], &[], &[]), (&[a(2, 2)], &[], &[]), (&[a(2, 2)], &[], &[]), (&[a(2, 2)], &["a"], &[])],
    );
    // Its age is not known, so it must stand still.
    check(&aged, "future", &[(&[a(1, 99)], &[], &[]), (&[a(2, 99)], &[], &[]), (&[a(2, 99)], &["a"], &[])]);
    check(&aged, "1970", &[(&[old("a", 1)], &["a"], &[])]);
    let still = settings(Readiness::Unchanged);
    check(
        &still,
        "unchanged",
        &[(&[a(1, 1)], &[], &[]), (&[a(2, 1)], &[], &[]), (&[a(2, 1)], &["a"], &[]), (&[a(2, 1)], &[], &[])],
    );
    let mut watcher = watcher(still);
    assert_eq!(watcher.pick(at(1), &[a(1, 1)]).waiting, 1);
    assert_eq!(watcher.pick(at(2), &[]).waiting, 0);
}

#[test]
fn a_batch_has_no_more_files_than_allowed() {
    let settings = WatcherSettings { max_files_per_batch: 2, ..WatcherSettings::default() };
    let listing = [file("a", 1, 1, 5), file("b", 2, 1, 3), file("c", 3, 1, 4)];
    let mut watcher = watcher(settings);
    let picked = watcher.pick(at(6), &listing);
    assert_eq!((names(&picked), picked.waiting), (vec!["b", "c"], 1));
    assert_eq!(names(&watcher.pick(at(7), &listing)), ["a"]);
}

#[test]
fn what_is_gone_is_forgotten_after_a_while() {
    let mut watcher = watcher(WatcherSettings { forget_after: minutes(1), ..WatcherSettings::default() });
    let a = file("a", 1, 10, 1);
    watcher.pick(at(1), std::slice::from_ref(&a));
    // Two hours of downtime do not count: the file was not missed in them.
    assert!(watcher.pick(at(7200), &[]).files.is_empty());
    assert!(watcher.pick(at(7230), std::slice::from_ref(&a)).files.is_empty());
    watcher.pick(at(7240), &[]);
    watcher.pick(at(7299), &[]);
    assert_eq!(watcher.state().remembered(), 1);
    watcher.pick(at(7300), &[]);
    assert_eq!(watcher.state().remembered(), 0);
}

#[test]
fn files_of_batches_after_the_checkpoint_are_marked() {
    let mut watcher = watcher(WatcherSettings::default());
    let a = file("a", 1, 10, 1);
    watcher.mark_picked(at(1), std::slice::from_ref(&a));
    assert!(watcher.pick(at(2), &[a]).files.is_empty());
}

#[test]
fn a_hundred_thousand_files() {
    let listing: Vec<_> = (0..100_000).map(|number| file(&format!("f{number:06}"), number, number, 1)).collect();
    let mut watcher = watcher(WatcherSettings { max_files_per_batch: 60_000, ..WatcherSettings::default() });
    let picked = watcher.pick(at(1), &listing);
    assert_eq!((picked.files.len(), picked.waiting), (60_000, 40_000));
    assert_eq!(watcher.pick(at(2), &listing).files.len(), 40_000);
    assert_eq!(watcher.pick(at(3), &listing), Picked::default());
    watcher.pick(at(4), &[]);
    watcher.pick(at(604), &[]);
    assert_eq!(watcher.state().remembered(), 0);
}

#[test]
fn spark_s_rule_goes_by_modification_time() {
    use SkipReason::{ChangedAfterRead, Directory, Hidden, ThereAtStart, TooOld};
    let settings = WatcherSettings { rule: PickRule::spark(seconds(1)), ..WatcherSettings::default() };
    let a = || file("a", 1, 10, 1);
    let directory = SeenFile { is_dir: true, ..file("sub", 9, 1, 1) };
    let cases: &[(&str, &[Step<'_>])] = &[
        ("once", &[(&[a()], &["a"], &[]), (&[a()], &[], &[])]),
        ("in the order of the listing", &[(&[file("z", 1, 1, 1), file("b", 3, 1, 1)], &["z", "b"], &[])]),
        (
            "there at the start",
            &[(&[file("a", 1, 1, 0)], &[], &[("a", ThereAtStart)]), (&[file("a", 1, 1, 0)], &[], &[])],
        ),
        (
            "renamed in with an old mtime",
            &[(&[], &[], &[]), (&[old("a", 1)], &[], &[("a", TooOld)]), (&[old("a", 1)], &[], &[])],
        ),
        ("from the future", &[(&[file("a", 1, 1, 2)], &[], &[]), (&[file("a", 1, 1, 2)], &["a"], &[])]),
        ("appended", &[(&[a()], &["a"], &[]), (&[file("a", 1, 11, 2)], &[], &[("a", ChangedAfterRead)])]),
        ("replaced", &[(&[a()], &["a"], &[]), (&[file("a", 2, 11, 2)], &[], &[("a", ChangedAfterRead)])]),
        ("renamed after it was read", &[(&[a()], &["a"], &[]), (&[file("b", 1, 10, 1)], &["b"], &[])]),
        (
            "names",
            &[(&[file("_a", 1, 1, 1), file(".b", 2, 1, 1), directory], &["_a"], &[(".b", Hidden), ("sub", Directory)])],
        ),
    ];
    for (case, steps) in cases {
        check(&settings, case, steps);
    }
}

#[test]
fn spark_s_remember_window() {
    // 7 s x ceil(20 s / 7 s) = 21 s
    let rule = PickRule::Spark { batch_duration: seconds(7), min_remember_duration: seconds(20) };
    let mut watcher = watcher(WatcherSettings { rule, new_files_only: false, ..WatcherSettings::default() });
    let listing = [file("a", 1, 1, 7), file("b", 2, 1, 8)];
    assert_eq!(names(&watcher.pick(at(28), &listing)), ["b"], "an mtime at the threshold is too old");
    assert_eq!(names(&watcher.pick(at(28), &listing)), [""; 0]);
    for second in [35, 42, 49, 56] {
        assert_eq!(watcher.pick(at(second), &listing), Picked::default(), "{second}");
    }
    assert_eq!(watcher.state().remembered(), 0);
    // Changed after its batch left the window, it counts as new.
    assert_eq!(names(&watcher.pick(at(63), &[file("b", 2, 2, 60)])), ["b"]);
}

fn listed(lister: &mut DirectoryLister, root: &Path) -> Vec<String> {
    let listing = lister.list().unwrap();
    listing.iter().map(|file| file.path.strip_prefix(&format!("{}/", root.display())).unwrap().to_owned()).collect()
}

#[test]
fn listings_of_real_directories() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["in1/b", "in1/a", "in2/c", "in2/deep/d", "in2/_hidden/e", "outside/f", "in-file"] {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), "xyz").unwrap();
    }
    symlink(root.join("outside/f"), root.join("in1/link")).unwrap();
    symlink("nowhere", root.join("in1/dangling")).unwrap();
    symlink("self", root.join("in1/self")).unwrap();
    symlink("..", root.join("in2/deep/loop")).unwrap();
    let pattern = |tail: &str| format!("file:{}/{tail}", root.display());
    let flat = listed(&mut DirectoryLister::new(pattern("in*")), root);
    assert_eq!(flat, ["in1/a", "in1/b", "in1/link", "in2/_hidden", "in2/c", "in2/deep"]);
    let deep = listed(&mut DirectoryLister::new(pattern("{in1,in2}")).recursive(), root);
    assert_eq!(deep, ["in1/a", "in1/b", "in1/link", "in2/_hidden", "in2/c", "in2/deep/d"]);
    let mut missing = DirectoryLister::new(pattern("none"));
    assert!(missing.list().unwrap().is_empty());
    fs::create_dir(root.join("none")).unwrap();
    fs::write(root.join("none/now"), "").unwrap();
    assert_eq!(listed(&mut missing, root), ["none/now"]);
}

#[test]
fn a_real_file_from_temporary_name_to_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut lister = DirectoryLister::new(folder.path().to_str().unwrap());
    let mut watcher = DirectoryWatcher::new(WatcherSettings::default(), at(0));
    watcher.begin(&lister.list().unwrap());
    let mut pick = |second| {
        let picked = watcher.pick(at(second), &lister.list().unwrap());
        (picked.files.len(), picked.skipped.iter().map(|skip| skip.reason).collect::<Vec<_>>())
    };
    fs::write(path(".a.tmp"), "half").unwrap();
    assert_eq!(pick(1), (0, vec![SkipReason::Hidden]));
    let file = File::options().append(true).open(path(".a.tmp")).unwrap();
    file.set_modified(UNIX_EPOCH - Duration::from_secs(5)).unwrap(); // before 1970
    fs::rename(path(".a.tmp"), path("a")).unwrap();
    assert_eq!(pick(2), (1, vec![]));
    fs::rename(path("a"), path("b")).unwrap();
    assert_eq!(pick(3), (0, vec![SkipReason::RenamedAfterRead]));
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1 << 33)).unwrap(); // far in the future
    assert_eq!(pick(4), (0, vec![SkipReason::ChangedAfterRead]));
    fs::write(path(".new"), "another content").unwrap();
    fs::rename(path(".new"), path("b")).unwrap();
    assert_eq!(pick(5), (1, vec![]));
    assert_eq!(pick(6), (0, vec![]));
}
