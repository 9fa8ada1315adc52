//! What the benchmarks over HTTP share: callers, CPU time, and the least that a handler does.

pub(crate) mod callers;
pub(crate) mod cpu;
pub(crate) mod cryptography;
pub(crate) mod floor;
pub(crate) mod recorded;
