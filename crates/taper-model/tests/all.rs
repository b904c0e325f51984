//! Models and ops against PyTorch's answers in `fixtures/`, finite differences and themselves.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/autograd.rs"]
mod autograd;
#[path = "all/behaviour.rs"]
mod behaviour;
#[path = "all/composed.rs"]
mod composed;
#[path = "all/device.rs"]
mod device;
#[path = "all/extras.rs"]
mod extras;
#[path = "all/fixture.rs"]
mod fixture;
#[path = "all/hand_written.rs"]
mod hand_written;
#[path = "all/inspect.rs"]
mod inspect;
#[path = "all/isa.rs"]
mod isa;
#[path = "all/layers.rs"]
mod layers;
#[path = "all/network.rs"]
mod network;
#[path = "all/on_candle.rs"]
mod on_candle;
#[path = "all/operators.rs"]
mod operators;
#[path = "all/overlap.rs"]
mod overlap;
#[path = "all/plan.rs"]
mod plan;
#[path = "all/shapes.rs"]
mod shapes;
#[path = "all/shards.rs"]
mod shards;
#[path = "all/state.rs"]
mod state;
