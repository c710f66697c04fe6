//! The stable ids of what a program remembers, and the shape of the program that a checkpoint is compared with.
//!
//! An id is given by the user, or made of the operations that lead to the place: it does not depend on what else there is
//! in the program, and not on lines of source.

use super::{
    graph::Graph,
    node::{ErasedStream, Remembered},
};
use crate::{
    base::{Error, Result, time::ms},
    checkpoint::{Part, Program},
};
use rapidhash::v3::rapidhash_v3;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Derived ids that are longer are cut, and end in a hash of the whole.
const LONGEST: usize = 160;

/// The ids of all streams that outputs read, by their address.
pub(super) struct Uids {
    of: HashMap<*const (), String>,
}

fn address(stream: &Arc<dyn ErasedStream>) -> *const () {
    Arc::as_ptr(stream).cast()
}

/// Makes ids different that are not.
#[derive(Default)]
struct Numbered(BTreeMap<String, usize>);

impl Numbered {
    fn next(&mut self, uid: String) -> String {
        let count = self.0.entry(uid.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { uid } else { format!("{uid}#{count}") }
    }
}

fn shortened(uid: String) -> String {
    if uid.len() <= LONGEST {
        return uid;
    }
    let start: String = uid.chars().take(LONGEST - 20).collect();
    format!("{start}~{:016x}", rapidhash_v3(uid.as_bytes()))
}

impl Uids {
    fn derived(&self, graph: &Graph, stream: &Arc<dyn ErasedStream>) -> String {
        let operation = stream.site().operation;
        if let Some(id) = stream.input() {
            let inputs = graph.inputs();
            let identity = inputs.iter().find(|input| input.id() == id).and_then(|input| input.identity());
            return identity.map_or(operation.to_owned(), |identity| format!("{operation}({})", word(&identity)));
        }
        let parents: Vec<_> = stream
            .parents()
            .iter()
            .map(|parent| self.of.get(&address(parent)).map_or("", String::as_str).to_owned())
            .collect();
        shortened(format!("{}/{operation}", parents.join("+")))
    }

    pub(super) fn of(graph: &Graph) -> Self {
        let (mut uids, mut numbered) = (Self { of: HashMap::new() }, Numbered::default());
        for stream in graph.used_streams() {
            let uid = stream.given_uid().unwrap_or_else(|| uids.derived(graph, &stream));
            uids.of.insert(address(&stream), numbered.next(uid));
        }
        uids
    }
}

/// The text as part of an id: one word without commas.
fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() || c == ',' { '_' } else { c }).collect()
}

/// Something that remembers, with its id.
pub(super) struct Remembering {
    pub(super) part: Part,
    pub(super) stream: Arc<dyn ErasedStream>,
    /// Which of what the stream remembers it is.
    pub(super) index: usize,
}

impl Remembering {
    pub(super) fn with<R>(&self, f: impl FnOnce(&Remembered<'_>) -> R) -> Option<R> {
        self.stream.remembered().get(self.index).map(f)
    }
}

impl Graph {
    /// Gives inputs and outputs their ids.
    pub(crate) fn identify(&self) -> Result<()> {
        let uids = Uids::of(self);
        self.check_given()?;
        for stream in self.used_streams() {
            let (Some(id), Some(uid)) = (stream.input(), uids.of.get(&address(&stream))) else { continue };
            self.inputs().iter().filter(|input| input.id() == id).for_each(|input| input.set_uid(uid.clone()));
        }
        let mut numbered = Numbered::default();
        for output in self.outputs() {
            let stream = uids.of.get(&address(&output.stream)).map_or("", String::as_str);
            output.set_uid(numbered.next(shortened(format!("{stream}/{}", output.site.operation))));
        }
        Ok(())
    }

    /// Two streams with one given id would share what is remembered.
    fn check_given(&self) -> Result<()> {
        let mut given = HashSet::new();
        for stream in self.used_streams() {
            if let Some(uid) = stream.given_uid().filter(|uid| !given.insert(uid.clone())) {
                return Err(Error::invalid(format!(
                    "two streams have the uid \"{uid}\", the second at \"{}\"; give each its own",
                    stream.site()
                )));
            }
        }
        Ok(())
    }

    pub(super) fn find_remembering(&self) -> Vec<Remembering> {
        let uids = Uids::of(self);
        let mut seen: HashMap<*const (), usize> = HashMap::new();
        let mut found: Vec<Remembering> = Vec::new();
        for stream in self.used_streams() {
            for (index, remembered) in stream.remembered().iter().enumerate() {
                let given = stream.given_uid();
                let uid = uids.of.get(&address(&stream)).cloned().unwrap_or_default();
                let uid = remembered.part.map_or(uid.clone(), |part| format!("{uid}/{part}"));
                let at = std::ptr::from_ref(remembered.state).cast::<()>();
                if let Some(known) = seen.get(&at) {
                    // A stream that was given an id speaks for the operator.
                    if given.is_some() && found[*known].part.uid_is_derived {
                        (found[*known].part.uid, found[*known].part.uid_is_derived) = (uid, false);
                    }
                    continue;
                }
                seen.insert(at, found.len());
                let (site, types) = (stream.site().to_string(), remembered.state.types());
                let part = Part { uid, uid_is_derived: given.is_none(), site, types };
                found.push(Remembering { part, stream: stream.clone(), index });
            }
        }
        found
    }

    /// The shape of the program.
    ///
    /// # Errors
    /// Invalid, if two streams have one uid.
    pub(crate) fn describe(&self, name: String) -> Result<Program> {
        self.identify()?;
        let given: HashSet<_> = self.used_streams().iter().filter_map(|stream| stream.given_uid()).collect();
        let part = |uid: &str, site: String, types: &str| Part {
            uid: uid.to_owned(),
            uid_is_derived: !given.contains(uid),
            site,
            types: types.to_owned(),
        };
        // An input that no output reads has no id, and nothing of it is remembered.
        let inputs = self.inputs();
        let inputs = inputs.iter().filter(|input| !input.uid().is_empty());
        Ok(Program {
            name,
            batch_ms: ms(self.batch_duration),
            inputs: inputs.map(|input| part(input.uid(), input.site().to_string(), input.types())).collect(),
            operators: self.remembering().iter().map(|remembering| remembering.part.clone()).collect(),
            outputs: self.outputs().iter().map(|output| part(output.uid(), output.site.to_string(), "")).collect(),
        })
    }
}
