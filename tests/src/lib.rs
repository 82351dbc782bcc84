//! Fixtures for everything that needs Postgres.
