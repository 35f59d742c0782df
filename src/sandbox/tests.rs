//! The wire, tried with a plain HTTP client.
