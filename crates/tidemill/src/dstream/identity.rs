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
    rdd::Site,
};
use rapidhash::v3::rapidhash_v3;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Derived ids that are longer are cut, and end in a hash of the whole.
const LONGEST: usize = 160;

/// The ids of what outputs read: of streams, and of the operators whose state streams show.
pub(super) struct Uids {
    /// What outputs read, parents first.
    used: Vec<Arc<dyn ErasedStream>>,
    of: HashMap<*const (), String>,
    operators: HashMap<*const (), Uid>,
}

struct Uid {
    uid: String,
    is_derived: bool,
}

fn address(stream: &Arc<dyn ErasedStream>) -> *const () {
    Arc::as_ptr(stream).cast()
}

/// The operator whose state a stream shows: what tells it from others, and where it stands in the program.
fn operator(stream: &Arc<dyn ErasedStream>) -> Option<(*const (), Site)> {
    let remembered = stream.remembered();
    let state = remembered.iter().find(|remembered| remembered.part.is_none())?;
    Some((std::ptr::from_ref(state.state).cast(), state.site))
}

/// The operator that an id given to `stream` is the id of. Where a call of the user's is made of many streams, the last
/// is what the user sees of it.
fn spoken_for(stream: &Arc<dyn ErasedStream>) -> Option<*const ()> {
    let (call, mut stream) = (stream.site().to_string(), stream.clone());
    loop {
        if let Some((operator, _)) = operator(&stream) {
            return Some(operator);
        }
        let parents = stream.parents();
        stream = parents.into_iter().find(|parent| parent.site().to_string() == call)?;
    }
}

/// Makes ids different that are not; those that were given stay as they are.
#[derive(Default)]
struct Numbered {
    given: HashSet<String>,
    counts: BTreeMap<String, usize>,
}

impl Numbered {
    fn next(&mut self, uid: String) -> String {
        let count = self.counts.entry(uid.clone()).or_insert(0);
        loop {
            *count += 1;
            let numbered = if *count == 1 { uid.clone() } else { format!("{uid}#{count}") };
            if !self.given.contains(&numbered) {
                return numbered;
            }
        }
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
    /// The id of an operation on the parents of `stream`.
    fn derived(&self, graph: &Graph, stream: &Arc<dyn ErasedStream>, operation: &str) -> String {
        if let Some(id) = stream.input() {
            let inputs = graph.inputs();
            let identity = inputs.iter().find(|input| input.id() == id).and_then(|input| input.identity());
            return identity.map_or(operation.to_owned(), |identity| format!("{operation}({})", word(&identity)));
        }
        let parents: Vec<_> = stream.parents().iter().map(|parent| self.of_stream(parent).to_owned()).collect();
        shortened(format!("{}/{operation}", parents.join("+")))
    }

    fn of_stream(&self, stream: &Arc<dyn ErasedStream>) -> &str {
        self.of.get(&address(stream)).map_or("", String::as_str)
    }

    /// Streams are numbered in the order in which they were declared: what outputs there are changes nothing.
    pub(super) fn of(graph: &Graph) -> Self {
        let used = graph.used_streams();
        let is_used: HashSet<_> = used.iter().map(address).collect();
        let streams: Vec<_> = graph.streams().into_iter().filter(|stream| is_used.contains(&address(stream))).collect();
        let mut numbered = Numbered::default();
        let mut uids = Self { used, of: HashMap::new(), operators: HashMap::new() };
        for (stream, uid) in streams.iter().filter_map(|stream| Some((stream, stream.given_uid()?))) {
            if let Some(operator) = spoken_for(stream) {
                uids.operators.entry(operator).or_insert(Uid { uid: uid.clone(), is_derived: false });
            }
            numbered.given.insert(uid);
        }
        for stream in &streams {
            let uid = uids.next(graph, stream, &mut numbered);
            uids.of.insert(address(stream), uid);
        }
        uids
    }

    /// Two streams with one given id would share what is remembered.
    fn check_given(&self) -> Result<()> {
        let mut given = HashSet::new();
        for stream in &self.used {
            if let Some(uid) = stream.given_uid().filter(|uid| !given.insert(uid.clone())) {
                return Err(Error::invalid(format!(
                    "two streams have the uid \"{uid}\", the second at \"{}\"; give each its own",
                    stream.site()
                )));
            }
        }
        Ok(())
    }

    fn next(&mut self, graph: &Graph, stream: &Arc<dyn ErasedStream>, numbered: &mut Numbered) -> String {
        let operation = stream.site().operation;
        let operator = operator(stream);
        if let Some((operator, site)) = operator
            && !self.operators.contains_key(&operator)
        {
            let uid = numbered.next(self.derived(graph, stream, site.operation));
            self.operators.insert(operator, Uid { uid, is_derived: true });
        }
        let of_operator = operator.and_then(|(operator, site)| Some((self.operators.get(&operator)?, site)));
        match (stream.given_uid(), of_operator) {
            (Some(given), _) => given,
            (None, Some((operator, site))) if site.operation == operation => operator.uid.clone(),
            (None, Some((operator, _))) => numbered.next(shortened(format!("{}/{operation}", operator.uid))),
            (None, None) => numbered.next(self.derived(graph, stream, operation)),
        }
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
        self.identified().map(drop)
    }

    fn identified(&self) -> Result<Uids> {
        let uids = Uids::of(self);
        uids.check_given()?;
        for stream in &uids.used {
            let (Some(id), uid) = (stream.input(), uids.of_stream(stream)) else { continue };
            self.inputs().iter().filter(|input| input.id() == id).for_each(|input| input.set_uid(uid.to_owned()));
        }
        let mut numbered = Numbered::default();
        for output in self.outputs() {
            let stream = uids.of_stream(&output.stream);
            output.set_uid(numbered.next(shortened(format!("{stream}/{}", output.site.operation))));
        }
        Ok(uids)
    }

    /// Everything that remembers, once, however many streams show it.
    pub(super) fn find_remembering(&self) -> Vec<Remembering> {
        let uids = Uids::of(self);
        let mut seen: HashSet<*const ()> = HashSet::new();
        let mut found: Vec<Remembering> = Vec::new();
        for stream in &uids.used {
            for (index, remembered) in stream.remembered().iter().enumerate() {
                let at = std::ptr::from_ref(remembered.state).cast::<()>();
                if !seen.insert(at) {
                    continue;
                }
                let (uid, uid_is_derived) = match (remembered.part, uids.operators.get(&at)) {
                    (None, Some(operator)) => (operator.uid.clone(), operator.is_derived),
                    (part, _) => {
                        let uid = format!("{}/{}", uids.of_stream(stream), part.unwrap_or_default());
                        (uid, stream.given_uid().is_none())
                    }
                };
                let (site, types) = (remembered.site.to_string(), remembered.state.types());
                found.push(Remembering {
                    part: Part { uid, uid_is_derived, site, types },
                    stream: stream.clone(),
                    index,
                });
            }
        }
        found
    }

    /// The shape of the program.
    ///
    /// # Errors
    /// Invalid, if two streams have one uid.
    pub(crate) fn describe(&self, name: String) -> Result<Program> {
        let uids = self.identified()?;
        let given: HashSet<_> = uids.used.iter().filter_map(|stream| stream.given_uid()).collect();
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

#[cfg(test)]
mod tests;
