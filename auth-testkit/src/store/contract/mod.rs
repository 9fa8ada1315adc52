//! The contract, sentence by sentence: each function proves one on an empty store, and its name is the
//! sentence.

pub mod archiving;
pub mod atomicity;
pub mod counters;
pub mod due;
pub mod index;
pub mod paging;
pub mod preconditions;
pub mod races;
pub mod reading;
pub mod replay;
pub mod restoring;
pub mod retention;
pub mod sizes;
pub mod sweeping;
pub mod tenants;
pub mod writing_meanwhile;
