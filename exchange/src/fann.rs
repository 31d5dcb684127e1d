//! fann.
