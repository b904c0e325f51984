//! Training loop, optimisers, schedules and history
