//! Tramline.
