//! Classification metrics
