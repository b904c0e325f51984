//! A step that does not begin its backward pass before a test lets it.

use std::sync::Arc;

use super::chunk::Sums;
use super::step::{Call, Forward, Inputs, Outcome, Step};
use super::{Node, Plan};

/// What a test does in front of a step's backward pass.
pub(crate) type Wait = Arc<dyn Fn() + Send + Sync>;

/// Around a step that neither saves anything nor has parameters.
struct Gate {
    step: Box<dyn Step>,
    wait: Wait,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.step.fmt(f)
    }
}

impl Step for Gate {
    fn describe(&self) -> String {
        self.step.describe()
    }

    fn images(&self) -> usize {
        self.step.images()
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], saved: &mut [u8]) -> Outcome {
        self.step.forward(call, x, y, saved)
    }

    fn backward(
        &self,
        call: &mut Call<'_>,
        place: usize,
        forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        sums: &mut Sums,
    ) -> Outcome {
        (self.wait)();
        self.step.backward(call, place, forward, dy, dx, sums)
    }
}

impl Plan {
    /// Lets the step that stands for the graph's node `name` wait.
    pub(crate) fn gate(&mut self, name: &str, wait: Wait) {
        let gated = |mut node: Node| {
            if node.names.iter().any(|own| own == name) {
                assert_eq!((node.step.saved_len(), node.step.parameter_len()), (0, 0), "{name}");
                node.step = Box::new(Gate { step: node.step, wait: Arc::clone(&wait) });
            }
            node
        };
        self.steps = std::mem::take(&mut self.steps).into_iter().map(gated).collect();
    }
}
