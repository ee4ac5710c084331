//! The client of leases, over stores that do what a test tells them. Time is virtual.

mod acquire;
mod guard;
mod keeper;
mod release;
mod store;
mod told;
