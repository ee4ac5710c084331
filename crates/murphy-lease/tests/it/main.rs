//! The client of leases, over stores that do what a test tells them. Time is virtual.

mod acquire;
mod election;
mod guard;
mod keeper;
mod kinds;
mod leaks;
mod line;
mod quorum;
mod release;
mod rest;
mod runtimes;
mod store;
