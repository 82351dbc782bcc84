//! What the read models' SQL is made of: bulk writes, pages, columns as values.

pub(crate) mod bulk;
pub(crate) mod by_ids;
pub mod page;
pub(crate) mod row;
