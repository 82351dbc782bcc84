//! What every endpoint shares.

mod alias;
mod middleware;
