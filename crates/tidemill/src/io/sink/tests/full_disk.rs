//! Sinks on a disk that is full for a while: nothing torn is seen, and all goes on when there is room.

use crate::{
    Config,
    base::files::whole::read_text,
    io::{RollingOptions, Sink, TextDirectories},
    keys, seconds,
    testing::TestContext,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A disk of one MiB, unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { folder }),
            other => {
                eprintln!("SKIPPED: a small disk cannot be mounted here, so a full one is not tried: {other:?}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Leaves about so many bytes free.
    fn fill(&self, free: usize) {
        fs::write(self.path("ballast"), vec![0; (1 << 20) - free]).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.folder.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the small disk stays mounted");
    }
}

fn texts(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let shown = paths.iter().filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with(['.', '_']));
    shown.map(|path| read_text(path).unwrap().1).collect()
}

/// Runs two batches of 100 KB; the second finds room only when it is tried for the third time.
fn run(disk: &SmallDisk, save: impl FnOnce(&crate::DStream<String>)) {
    let config = Config::new().set(keys::BATCH_RETRY_TIMEOUT, "20s").set(keys::BATCH_ON_FAILURE, "stop");
    let test = TestContext::with_config(config);
    let (tries, ballast) = (Arc::new(AtomicUsize::new(0)), disk.path("ballast"));
    let counted = tries.clone();
    let rows = |first: usize| (first..first + 1_000).map(|n| format!("{n:099}")).collect::<Vec<String>>();
    let stream = test.stream(vec![rows(0), rows(1_000)]).repartition(1).map_partitions(move |rows| {
        let rows: Vec<String> = rows.collect();
        if rows.iter().any(|row| row.ends_with("1500")) && counted.fetch_add(1, Ordering::Relaxed) == 2 {
            fs::remove_file(&ballast).unwrap();
        }
        rows.into_iter()
    });
    save(&stream);
    test.run(1).unwrap();
    disk.fill(280_000);
    test.run(1).unwrap();
    assert_eq!(tries.load(Ordering::Relaxed), 3);
    test.ssc().stop_gracefully().unwrap();
}

#[test]
fn directories_wait_for_room() {
    let Some(disk) = SmallDisk::new() else { return };
    disk.fill(600_000);
    run(&disk, |rows| {
        rows.map(|row| row.repeat(2)).save_as_text_files(disk.path("out").display().to_string(), "");
    });
    for (batch, first) in [("out-1000", 0), ("out-2000", 1_000)] {
        assert!(disk.path(batch).join("_SUCCESS").exists());
        assert_eq!(texts(&disk.path(batch)).concat().lines().count(), 1_000);
        assert!(texts(&disk.path(batch))[0].starts_with(&format!("{first:099}")));
    }
}

#[test]
fn rolling_files_wait_for_room() {
    let Some(disk) = SmallDisk::new() else { return };
    disk.fill(600_000);
    run(&disk, |rows| {
        let options = RollingOptions::new().max_age(seconds(60));
        rows.map(|row| row.repeat(2)).save_as_rolling_files(disk.path("out").display().to_string(), options);
    });
    let all = texts(&disk.path("out"));
    assert_eq!(all.len(), 1);
    let expected: String = (0..2_000).map(|n| format!("{n:099}{n:099}\n")).collect();
    assert!(all[0] == expected, "what was written is not what came");
}

#[test]
fn a_write_without_room_leaves_nothing() {
    let Some(disk) = SmallDisk::new() else { return };
    disk.fill(100_000);
    let sink = TextDirectories::new(disk.path("out").display().to_string(), "");
    let time = crate::Time::from_ms(1_000);
    Sink::<String>::begin(&sink, time).unwrap();
    let error = sink.write(time, 0, &mut vec!["x".repeat(100); 10_000].into_iter()).unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("part-00000"), "{error}");
    assert_eq!(fs::read_dir(disk.path("out-1000")).unwrap().count(), 0);
}
