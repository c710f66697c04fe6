//! What tidemill is measured against: the loops an expert would write by hand for one job, the data, and the ruler.
//!
//! A loop by hand knows everything that an engine cannot: the types, the data, that nothing fails. It is the limit, not
//! a competitor; each benchmark states how close to it tidemill is to come.

pub mod hand;
pub mod measure;
pub mod ours;
pub mod words;
