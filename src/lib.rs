//! Tramline.
pub mod sandbox;
