//! All that a client sees: REST, GraphQL, errors, sessions.
