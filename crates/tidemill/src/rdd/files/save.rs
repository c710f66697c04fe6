//! Actions that write a directory of files: the workers write one part for each partition, and the driver declares the
//! directory complete.

use super::objects;
use crate::{
    base::files::{Codec, OutputMode, PartWriter},
    base::{Data, Result, Show},
    rdd::{
        node::{Rdd, Site},
        task::{Cursor, TaskContext, guarded},
    },
};
use std::io::Write as _;

impl<T: Data + Show> Rdd<T> {
    /// Writes each partition as a text file `part-00000` and so on into the new directory `path`, one line for each
    /// record as it is [shown](Show), and then the empty file `_SUCCESS`.
    ///
    /// # Errors
    /// If the directory exists or cannot be written to; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("counts");
    /// let sc = tidemill::Context::local(2);
    /// sc.parallelize(vec![("a".to_string(), 1), ("b".to_string(), 2)], 1).save_as_text_file(path.display().to_string())?;
    /// assert_eq!(std::fs::read_to_string(path.join("part-00000"))?, "(a,1)\n(b,2)\n");
    /// assert!(path.join("_SUCCESS").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_file(&self, path: impl AsRef<str>) -> Result<()> {
        self.save_text_at(Site::here("save_as_text_file"), path.as_ref(), OutputMode::MustNotExist, None)
    }

    /// As [`save_as_text_file`](Self::save_as_text_file), compressed; the codec's extension is added to the names.
    ///
    /// # Errors
    /// If the directory exists or cannot be written to; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// use tidemill::base::files::Codec;
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("numbers").display().to_string();
    /// let sc = tidemill::Context::local(2);
    /// sc.range(0, 4, 1, 2).save_as_text_file_compressed(&path, Codec::Gzip)?;
    /// assert_eq!(sc.text_file(format!("{path}/part-00001.gz"), 1)?.collect()?, ["2", "3"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_file_compressed(&self, path: impl AsRef<str>, codec: Codec) -> Result<()> {
        let site = Site::here("save_as_text_file_compressed");
        self.save_text_at(site, path.as_ref(), OutputMode::MustNotExist, Some(codec))
    }

    pub(crate) fn save_text_at(&self, site: Site, path: &str, mode: OutputMode, codec: Option<Codec>) -> Result<()> {
        self.save_at(site, path, mode, codec, move |parts, rdd, partition, task| {
            let (mut part, cursor, mut lines) = (parts.part(partition)?, Cursor::default(), Vec::new());
            for chunk in rdd.chunks(partition, task) {
                lines.clear();
                let shown = guarded(&site, task, &cursor, || {
                    chunk.iter().try_for_each(|record| {
                        cursor.step();
                        writeln!(lines, "{}", record.shown())
                    })
                });
                shown?;
                part.write(&lines)?;
            }
            part.commit()
        })
    }
}

impl<T: Data> Rdd<T> {
    /// Writes each partition as an object file into the new directory `path`;
    /// [`Context::object_file`](crate::Context::object_file) reads them.
    ///
    /// Records are in postcard, which does not describe itself: only a program that knows their type can read them.
    ///
    /// # Errors
    /// If the directory exists or cannot be written to; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("pairs").display().to_string();
    /// let sc = tidemill::Context::local(2);
    /// sc.parallelize(vec![('a', 1), ('b', 2)], 2).save_as_object_file(&path)?;
    /// assert_eq!(sc.object_file::<(char, i32)>(&path)?.collect()?, vec![('a', 1), ('b', 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn save_as_object_file(&self, path: impl AsRef<str>) -> Result<()> {
        self.save_objects_at(Site::here("save_as_object_file"), path.as_ref(), OutputMode::MustNotExist)
    }

    pub(crate) fn save_objects_at(&self, site: Site, path: &str, mode: OutputMode) -> Result<()> {
        self.save_at(site, path, mode, None, |parts, rdd, partition, task| {
            objects::write(parts, partition, rdd.chunks(partition, task))
        })
    }

    fn save_at(
        &self,
        site: Site,
        path: &str,
        mode: OutputMode,
        codec: Option<Codec>,
        save: impl Fn(&PartWriter, &Rdd<T>, usize, &TaskContext) -> Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        let directory = crate::base::files::paths::without_scheme(path)?;
        let ready = if self.session().is_driver() {
            PartWriter::create(directory, mode, codec)
                .map(drop)
                .map_err(|error| error.context(format_args!("\"{site}\"")))
        } else {
            Ok(())
        };
        self.session().agree(ready)?;
        let parts = PartWriter::at(directory, codec);
        let writer = parts.clone();
        self.run(site, move |rdd, partition, task| task.expect(save(&writer, rdd, partition, task)))?;
        let finished = if self.session().is_driver() { parts.finish(self.num_partitions()) } else { Ok(()) };
        self.session().agree(finished)
    }
}
