//! What inputs do when the world around them is at fault; each case has the number of the list of faults it is from.

use crate::{patience::keep_log, processes::is_alone};
use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
};
use tidemill::{
    Config, Context, ErrorKind, Result, StreamingContext, Text,
    io::FileStreamOptions,
    keys,
    testing::{Collected, TestContext},
};

fn lines_of(test: &TestContext, folder: &tempfile::TempDir, options: FileStreamOptions) -> Collected<String> {
    let lines = test.ssc().text_file_stream_with(folder.path().display().to_string(), options);
    test.collect(&lines.map(|line: Text| line.to_string()))
}

/// Runs the test `name` again in a process that `run` starts with this binary.
pub(crate) fn again(name: &str, run: &str) {
    let binary = std::env::current_exe().unwrap();
    let script = format!("{run} \"$0\" --exact {name} --nocapture --test-threads=1");
    let output = Command::new("sh").args(["-c", &script]).arg(binary).env("TIDEMILL_TEST_ALONE", "1").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
}

/// A folder that everybody may use, and that root cannot override the rights of.
pub(crate) fn of_nobody(test: &str) -> bool {
    if std::env::var_os("TIDEMILL_TEST_ALONE").is_none() {
        let root = fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t"));
        // The binary may stand where nobody else may look.
        let copy = tempfile::tempdir().unwrap();
        fs::set_permissions(copy.path(), Permissions::from_mode(0o755)).unwrap();
        let binary = copy.path().join("it");
        fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
        let by = if root { "exec setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "exec" };
        let script = format!("cd /; {by} {} --exact {test} --nocapture --test-threads=1", binary.display());
        let output = Command::new("sh").args(["-c", &script]).env("TIDEMILL_TEST_ALONE", "1").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
    }
    std::env::var_os("TIDEMILL_TEST_ALONE").is_some()
}

/// 11: permission denied on an input file.
#[test]
fn a_file_that_may_not_be_read_fails_its_batch_by_name_or_is_left_out() -> Result<()> {
    if !of_nobody("input_faults::a_file_that_may_not_be_read_fails_its_batch_by_name_or_is_left_out") {
        return Ok(());
    }
    for skip in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let config = if skip { Config::new().set(keys::FILE_STREAM_UNREADABLE, "skip") } else { Config::new() };
        let test = TestContext::with_config(config);
        let seen = lines_of(&test, &folder, FileStreamOptions::new());
        for name in ["closed", "open"] {
            fs::write(folder.path().join(name), format!("{name}\n")).unwrap();
        }
        fs::set_permissions(folder.path().join("closed"), Permissions::from_mode(0o000)).unwrap();
        let ran = test.run(1);
        if skip {
            ran?;
            assert_eq!(seen.batches(), [["open"]]);
        } else {
            let error = ran.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(
                error.to_string().contains("/closed\"") && error.to_string().contains("ermission denied"),
                "{error}"
            );
        }
    }
    Ok(())
}

/// 11: permission denied on the watched folder, which is told in the log, and batches are empty until it may be listed.
#[test]
fn a_folder_that_may_not_be_listed_gives_empty_batches_until_it_may() -> Result<()> {
    if !of_nobody("input_faults::a_folder_that_may_not_be_listed_gives_empty_batches_until_it_may") {
        return Ok(());
    }
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    let seen = lines_of(&test, &folder, FileStreamOptions::new());
    fs::write(folder.path().join("a"), "a\n").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o000)).unwrap();
    test.run(1)?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    test.run(1)?;
    assert_eq!(seen.batches(), [vec![], vec!["a"]]);
    Ok(())
}

/// 13: links to files, dangling, in a circle, to a folder outside; and the watched folder is a link itself.
#[test]
fn links_are_followed_and_circles_and_dead_ends_are_not() -> Result<()> {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let link = outside.path().join("link");
    symlink(folder.path(), &link).unwrap();
    let test = TestContext::new();
    let lines = test.ssc().text_file_stream_with(link.display().to_string(), FileStreamOptions::new().recursive(true));
    let seen = test.collect(&lines.map(|line: Text| line.to_string()));
    fs::create_dir_all(outside.path().join("more")).unwrap();
    fs::write(outside.path().join("more/x"), "outside\n").unwrap();
    fs::write(outside.path().join("target"), "a link\n").unwrap();
    fs::create_dir(folder.path().join("deep")).unwrap();
    symlink(outside.path().join("target"), folder.path().join("to-file")).unwrap();
    symlink(outside.path().join("more"), folder.path().join("to-folder")).unwrap();
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    symlink("itself", folder.path().join("itself")).unwrap();
    symlink(folder.path(), folder.path().join("deep/circle")).unwrap();
    test.run(2)?;
    assert_eq!(seen.sorted(), [vec!["a link", "outside"], vec![]]);
    Ok(())
}

/// 13: the checkpoint directory is a link.
#[test]
fn a_checkpoint_may_be_a_link() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink(folder.path().join("real"), folder.path().join("link")).unwrap();
    let config = Config::new().set(keys::MASTER, "local[1]").set(keys::SHUTDOWN_SIGNALS, false);
    let ssc = StreamingContext::new(&Context::new(config)?, tidemill::milliseconds(5))?;
    ssc.checkpoint(folder.path().join("link"))?;
    ssc.generate_stream(100, |n| n).for_each_batch(|_, _| Ok::<_, tidemill::Error>(()));
    ssc.start()?;
    ssc.stop_gracefully()
}

/// 14: written while it is read, cut after it was listed, a modification time of the future.
#[test]
fn files_that_change_under_the_reader_are_read_as_far_as_they_go_and_once() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    let path = folder.path().to_path_buf();
    let lines = test.ssc().text_file_stream(folder.path().display().to_string()).transform(move |rdd, _| {
        // After the batch was picked and before it is read.
        File::options().append(true).open(path.join("grows"))?.write_all(b"added\n")?;
        File::options().write(true).open(path.join("cut"))?.set_len(4)?;
        Ok(rdd)
    });
    let seen = test.collect(&lines.map(|line: Text| line.to_string()));
    for name in ["grows", "cut"] {
        fs::write(folder.path().join(name), "one\ntwo\n").unwrap();
    }
    let future = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 33);
    File::options().append(true).open(folder.path().join("grows")).unwrap().set_modified(future).unwrap();
    test.run(2)?;
    let lines = seen.sorted();
    assert_eq!(lines[1], [""; 0], "nothing is read twice");
    assert_eq!(lines[0].iter().filter(|line| *line == "one").count(), 2);
    Ok(())
}

/// The most memory that this process ever had, in bytes.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// 15 and 17: a file that is one line without end.
#[test]
fn a_huge_line_is_dropped_and_counted_in_bounded_memory() -> Result<()> {
    if !is_alone("input_faults::a_huge_line_is_dropped_and_counted_in_bounded_memory") {
        return Ok(());
    }
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::with_config(Config::new().set(keys::LINES_MAX_BYTES, "1m"));
    let seen = lines_of(&test, &folder, FileStreamOptions::new());
    let mut file = File::create(folder.path().join(".huge")).unwrap();
    file.write_all(b"before\n").unwrap();
    // NULs that take no room on the disk.
    file.set_len(96 << 20).unwrap();
    File::options().append(true).open(folder.path().join(".huge")).unwrap().write_all(b"\nafter\n").unwrap();
    fs::rename(folder.path().join(".huge"), folder.path().join("huge")).unwrap();
    let before = peak_bytes();
    test.run(1)?;
    assert_eq!(seen.batches(), [["before", "after"]]);
    let lines = test.ssc().progress().lines;
    assert_eq!((lines.oversize_lines, lines.oversize_bytes), (1, (96 << 20) - 7));
    let grown = peak_bytes() - before;
    assert!(grown < 32 << 20, "{grown} bytes for a line of 96 MiB");
    Ok(())
}

/// 15: many files at once, a bounded number to a batch.
#[test]
fn a_flood_of_files_is_taken_in_bounded_batches() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    let options = FileStreamOptions::new().max_files_per_batch(350);
    let seen = lines_of(&test, &folder, options);
    for n in 0..1_000 {
        let content = if n % 2 == 0 { format!("{n}\n") } else { String::new() };
        fs::write(folder.path().join(n.to_string()), content).unwrap();
    }
    test.run(4)?;
    let sizes: Vec<_> = seen.batches().iter().map(Vec::len).collect();
    assert_eq!((sizes.iter().sum::<usize>(), sizes[3]), (500, 0), "{sizes:?}; empty files have no records");
    assert!(sizes.iter().all(|size| *size <= 350), "{sizes:?}");
    Ok(())
}

/// 16: bytes that are no text, as Spark's decoder has them.
#[test]
fn bytes_that_are_no_text_are_replaced_and_the_rest_is_kept() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    let seen = lines_of(&test, &folder, FileStreamOptions::new());
    let corpus: [(&[u8], &str); 7] = [
        (b"nul\0byte", "nul\0byte"),
        (b"crlf\r", "crlf"),
        (b"lone \xff byte", "lone \u{fffd} byte"),
        (b"cut \xe2\x82", "cut \u{fffd}"),
        (b"overlong \xc0\xaf", "overlong \u{fffd}\u{fffd}"),
        (b"surrogate \xed\xa0\x80", "surrogate \u{fffd}\u{fffd}\u{fffd}"),
        (b"inner \xef\xbb\xbfmark", "inner \u{feff}mark"),
    ];
    let bytes: Vec<u8> = corpus.iter().flat_map(|(line, _)| [line, &b"\n"[..]].concat()).collect();
    fs::write(folder.path().join("a"), bytes).unwrap();
    test.run(1)?;
    assert_eq!(seen.batches(), [corpus.map(|(_, text)| text)]);
    assert_eq!(test.ssc().progress().lines.invalid_sequences, 7);
    Ok(())
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// 32: few file descriptors are enough for many files, and where none is left the error says what to raise.
#[test]
fn with_few_file_descriptors_files_are_read_and_a_lack_is_told_by_its_name() -> Result<()> {
    let name = "input_faults::with_few_file_descriptors_files_are_read_and_a_lack_is_told_by_its_name";
    if std::env::var_os("TIDEMILL_TEST_ALONE").is_none() {
        again(name, "ulimit -n 64; exec");
        return Ok(());
    }
    keep_log();
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    let seen = lines_of(&test, &folder, FileStreamOptions::new());
    (0..300).for_each(|n| fs::write(folder.path().join(n.to_string()), "x\n").unwrap());
    test.run(1)?;
    assert_eq!(seen.batches()[0].len(), 300);
    let before = open_files();
    fs::write(folder.path().join("more"), "x\n").unwrap();
    let path = folder.path().to_path_buf();
    let hoard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hoarded = hoard.clone();
    let test = TestContext::new();
    let lines = test
        .ssc()
        .text_file_stream_with(folder.path().display().to_string(), FileStreamOptions::new().new_files_only(false));
    let lines = lines.transform(move |rdd, _| {
        let mut hoard = hoarded.lock().unwrap();
        if hoard.is_empty() {
            while let Ok(file) = File::open(path.join("more")) {
                hoard.push(file);
            }
        }
        Ok(rdd)
    });
    lines.for_each_batch(|_, _| Ok::<_, tidemill::Error>(()));
    let error = test.run(1).unwrap_err();
    hoard.lock().unwrap().clear();
    let text = error.to_string();
    assert!(text.contains("oo many open files") && text.contains("ulimit -n"), "{text}");
    drop(test);
    assert_eq!(open_files(), before, "none is left open");
    Ok(())
}
