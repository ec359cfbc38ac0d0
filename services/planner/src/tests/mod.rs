//! The rules of a plan, one test each, in a world small enough to read.

mod books;
mod caps;
mod example;
mod gangs;
mod lending;
mod order;
mod reclaiming;
mod reserving;
mod scene;
mod seeds;
mod stopping;
