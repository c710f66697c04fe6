//! Datasets from files and to files, against the plain contents.

use crate::{Context, ErrorKind, base::files::Codec};
use proptest::prelude::*;
use std::{fs, path::Path, sync::LazyLock};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::local(2));

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn text_is_saved_in_one_part_for_each_partition() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    CONTEXT.parallelize(vec![Some(1.5), None], 4).save_as_text_file(path.to_str().unwrap()).unwrap();
    assert_eq!(names(&path), ["_SUCCESS", "part-00000", "part-00001", "part-00002", "part-00003"]);
    let part = |n: usize| fs::read_to_string(path.join(format!("part-{n:05}"))).unwrap();
    assert_eq!((part(0), part(1), part(2), part(3)), ("".into(), "Some(1.5)\n".into(), "".into(), "None\n".into()));
}

#[test]
fn no_partitions_give_only_the_marker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    CONTEXT.empty::<i64>().save_as_text_file(path.to_str().unwrap()).unwrap();
    assert_eq!(names(&path), ["_SUCCESS"]);
}

#[test]
fn an_existing_directory_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "x").unwrap();
    let path = folder.path().to_str().unwrap();
    let numbers = CONTEXT.range(0, 3, 1, 1);
    for outcome in [numbers.save_as_text_file(path), numbers.save_as_object_file(path)] {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(path) && error.to_string().contains("save_as"), "{error}");
    }
    assert_eq!(names(folder.path()), ["mine"]);
}

#[test]
fn a_failed_job_leaves_no_marker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let bad = CONTEXT.range(0, 4, 1, 2).map(|n| if n == 3 { panic!("three") } else { n });
    let error = bad.save_as_text_file(path.to_str().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(!names(&path).iter().any(|name| name == "_SUCCESS" || name == "part-00001"), "{:?}", names(&path));
}

#[test]
fn every_codec_goes_round() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<_> = (0..3_000).map(|n| n.to_string()).collect();
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Deflate] {
        let path = folder.path().join(codec.extension()).display().to_string();
        CONTEXT.parallelize(lines.clone(), 3).save_as_text_file_compressed(&path, codec).unwrap();
        assert!(Path::new(&path).join(format!("part-00002.{}", codec.extension())).exists());
        assert_eq!(CONTEXT.text_file(format!("file:{path}"), 2).unwrap().collect().unwrap(), lines);
    }
}

#[test]
fn partitions_of_text_are_those_of_spark() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nine.txt");
    fs::write(&path, "a\nb\nc\nd\ne").unwrap();
    for (wanted, partitions) in [(1, 1), (2, 3), (5, 9)] {
        let text = CONTEXT.text_file(path.to_str().unwrap(), wanted).unwrap();
        assert_eq!(text.num_partitions(), partitions, "as in Spark for {wanted}");
        assert_eq!(text.collect().unwrap(), ["a", "b", "c", "d", "e"]);
    }
}

#[test]
fn a_path_that_names_nothing_is_an_error_at_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").display().to_string();
    let errors = [
        CONTEXT.text_file(&missing, 2).unwrap_err(),
        CONTEXT.whole_text_files(&missing, 2).unwrap_err(),
        CONTEXT.binary_files(&missing, 2).unwrap_err(),
        CONTEXT.binary_records(&missing, 2).unwrap_err(),
        CONTEXT.object_file::<i64>(&missing).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(&missing), "{error}");
    }
}

#[test]
fn a_file_that_goes_away_fails_the_job_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "x\n").unwrap();
    let text = CONTEXT.text_file(path.to_str().unwrap(), 1).unwrap();
    fs::remove_file(&path).unwrap();
    let error = text.count().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("a.txt"), "{error}");
}

#[test]
fn whole_files_come_with_their_paths() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("b.txt", "two\n"), ("a.txt", ""), (".hidden", "no"), ("_no", "no")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let all = CONTEXT.whole_text_files(folder.path().to_str().unwrap(), 0).unwrap();
    let short = |path: String| path.rsplit('/').next().unwrap().to_owned();
    let found: Vec<_> = all.map(move |(path, text)| (short(path), text)).collect().unwrap();
    assert_eq!(found, [("a.txt".to_owned(), String::new()), ("b.txt".to_owned(), "two\n".to_owned())]);
    assert_eq!(CONTEXT.binary_files(folder.path().to_str().unwrap(), 2).unwrap().count().unwrap(), 2);
}

#[test]
fn objects_of_another_type_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("objects").display().to_string();
    CONTEXT.parallelize(vec![u64::MAX; 3], 1).save_as_object_file(&path).unwrap();
    let error = CONTEXT.object_file::<(String, Vec<String>)>(&path).unwrap().count().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("part-00000"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn lines_and_objects_go_round(
        lines in prop::collection::vec("[a-z é]{0,40}", 0..60), saved in 1_usize..5, read in 1_usize..7,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (text, objects) = (folder.path().join("text"), folder.path().join("objects"));
        let rdd = CONTEXT.parallelize(lines.clone(), saved);
        rdd.save_as_text_file(text.to_str().unwrap()).unwrap();
        rdd.save_as_object_file(objects.to_str().unwrap()).unwrap();
        prop_assert_eq!(CONTEXT.text_file(text.to_str().unwrap(), read).unwrap().collect().unwrap(), lines.clone());
        let again = CONTEXT.object_file::<String>(objects.to_str().unwrap()).unwrap();
        prop_assert_eq!(again.collect().unwrap(), lines);
    }
}
