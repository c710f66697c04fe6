//! COMPATIBILITY.md is true: what it names exists, and it names all of Spark's surface and all of ours.

use std::{collections::BTreeSet, fs, path::Path};

/// Spark's names, from its Scala documentation; each must have a row.
const SURFACE: &str = "start stop awaitTermination awaitTerminationOrTimeout remember checkpoint getState \
    addStreamingListener removeStreamingListener union transform getOrCreate getActive getActiveOrCreate \
    socketTextStream socketStream rawSocketStream textFileStream fileStream binaryRecordsStream queueStream \
    receiverStream ConstantInputDStream map flatMap filter mapPartitions glom repartition count reduce countByValue \
    groupByKey reduceByKey combineByKey mapValues flatMapValues cogroup join leftOuterJoin rightOuterJoin \
    fullOuterJoin transformWith window reduceByWindow countByWindow countByValueAndWindow groupByKeyAndWindow \
    reduceByKeyAndWindow updateStateByKey mapWithState stateSnapshots slice persist cache slideDuration print \
    foreachRDD saveAsTextFiles saveAsObjectFiles saveAsHadoopFiles saveAsNewAPIHadoopFiles unpersist distinct sample \
    randomSplit takeSample intersection subtract subtractByKey cartesian groupBy sortByKey sortBy \
    repartitionAndSortWithinPartitions pipe foreach foreachPartition collect toLocalIterator treeReduce \
    treeAggregate fold aggregate max min sum mean variance stdev stats histogram countByKey top takeOrdered take \
    first isEmpty saveAsTextFile saveAsObjectFile keys values keyBy collectAsMap lookup partitionBy aggregateByKey \
    foldByKey reduceByKeyLocally sampleByKey coalesce zip zipWithIndex zipWithUniqueId countApproxDistinct \
    parallelize range emptyRDD textFile wholeTextFiles binaryFiles binaryRecords objectFile broadcast \
    longAccumulator doubleAccumulator collectionAccumulator setCheckpointDir defaultParallelism onStreamingStarted \
    onReceiverStarted onReceiverError onReceiverStopped onBatchSubmitted onBatchStarted onBatchCompleted \
    onOutputOperationStarted onOutputOperationCompleted";

struct Row {
    spark: String,
    ours: Vec<String>,
    status: String,
    note: String,
}

/// What it says of Rust: the part on Python has tests of its own.
fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../COMPATIBILITY.md");
    let text = fs::read_to_string(path).unwrap();
    text.split("\n## Python\n").next().unwrap_or_default().to_owned()
}

/// The names between backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rows(document: &str) -> Vec<Row> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let of_cells = |cells: Vec<String>| match cells.as_slice() {
        [spark, ours, status, note] if spark.starts_with('`') => {
            Some(Row { spark: names(spark).remove(0), ours: names(ours), status: status.clone(), note: note.clone() })
        }
        _ => None,
    };
    document.lines().filter(|line| line.starts_with('|')).map(cells).filter_map(of_cells).collect()
}

/// What is wrong with a row on its face.
fn problem(row: &Row) -> Option<String> {
    match (row.status.as_str(), row.ours.is_empty(), row.note.is_empty()) {
        ("same", false, _) | ("differs", false, false) | ("absent", true, false) => None,
        (status, ..) => Some(format!("the row of \"{}\" says \"{status}\" without its method or its note", row.spark)),
    }
}

fn source_files(directory: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(fs::read_to_string(path).unwrap());
        }
    }
}

fn sources() -> Vec<String> {
    let mut files = Vec::new();
    source_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files
}

/// Whether a line opens an `impl` block (or the trait) of `type_name`.
fn opens(line: &str, type_name: &str) -> bool {
    let subject = line.trim_start_matches("pub trait ").trim_end_matches('{');
    let mut words = subject.split(|c: char| !c.is_alphanumeric());
    (line.starts_with("impl") || line.starts_with("pub trait"))
        && !line.contains(" for ")
        && words.any(|w| w == type_name)
}

/// The method that a line declares: in an `impl` block, or as an argument of a macro that declares several.
fn declared(line: &str, by_macro: bool, by_trait: bool) -> Option<String> {
    let line = line.trim_start();
    let rest = match by_macro {
        true => line.contains(',').then_some(line).filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())),
        false => ["pub fn ", "pub const fn "].iter().find_map(|prefix| line.strip_prefix(prefix)),
    };
    let rest = rest.or_else(|| line.strip_prefix("fn ").filter(|_| by_trait))?;
    Some(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
}

/// The public methods of `type_name`.
fn methods(type_name: &str, files: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files {
        let of_macro = file.contains("macro_rules!")
            && file.lines().any(|l| l.starts_with(' ') && opens(l.trim_start(), type_name));
        let (mut inside, mut in_macro) = (false, false);
        for line in file.lines() {
            if opens(line, type_name) {
                inside = true;
            } else if of_macro && line.ends_with("! {") && !line.starts_with("macro_rules") {
                in_macro = true;
            } else if line.starts_with('}') {
                (inside, in_macro) = (false, false);
            } else if inside || in_macro {
                found.extend(declared(line, in_macro, type_name == "StreamingListener"));
            }
        }
    }
    found
}

#[test]
fn every_method_that_is_named_exists() {
    let files = sources();
    let mut missing = Vec::new();
    for row in rows(&document()) {
        missing.extend(problem(&row));
        for ours in &row.ours {
            let (type_name, method) = ours.split_once("::").unwrap();
            let listener_event = type_name == "StreamingListener";
            let declared = files.iter().any(|file| file.contains(&format!("=> {method};")));
            let exists = methods(type_name, &files).contains(method) || (listener_event && declared);
            if !exists {
                missing.push(format!("\"{ours}\" is named but does not exist"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_whole_surface_has_a_row() {
    let known: BTreeSet<_> = rows(&document()).into_iter().map(|row| row.spark).collect();
    let missing: Vec<_> = SURFACE.split_whitespace().filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn every_public_method_is_in_the_document() {
    let (document, files) = (document(), sources());
    let named: BTreeSet<_> = names(&document).into_iter().collect();
    let mut missing = Vec::new();
    for type_name in ["StreamingContext", "DStream", "Rdd", "Context"] {
        let methods = methods(type_name, &files);
        assert!(methods.len() > 10, "the methods of {type_name} were not found");
        missing
            .extend(methods.into_iter().map(|method| format!("{type_name}::{method}")).filter(|m| !named.contains(m)));
    }
    assert!(missing.is_empty(), "not in COMPATIBILITY.md:\n{}", missing.join("\n"));
}

#[test]
fn a_wrong_row_is_found() {
    let row = |line: &str| rows(line).remove(0);
    assert!(problem(&row("| `map` | | same | |")).is_some());
    assert!(problem(&row("| `map` | `DStream::map` | differs | |")).is_some());
    assert!(problem(&row("| `map` | `DStream::map` | absent | why |")).is_some());
    assert!(problem(&row("| `map` | `DStream::map` | same | |")).is_none());
    assert!(!methods("DStream", &["impl<T> DStream<T> {\n    pub fn map() {}\n}\n".into()]).contains("filter"));
}
