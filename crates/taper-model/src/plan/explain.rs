//! A plan in words.

use std::fmt;

use super::{Plan, Purpose};

/// The steps of a [`Plan`], one a line: what is fused, on which kernel, the shape of the output, the bytes that one image
/// and the weights take, and the multiply-adds for one image.
#[derive(Debug, Clone, Copy)]
pub struct Explanation<'a>(pub(super) &'a Plan);

impl Plan {
    /// The steps, in order; see [`Explanation`].
    ///
    /// ```
    /// use taper_graph::Preset;
    /// use taper_model::Plan;
    /// let plan = Plan::training(&Preset::Tutorial.graph()?)?;
    /// let text = plan.explain().to_string();
    /// assert!(text.contains("bias + relu + max_pool2d 2×2 + dropout 0.3"));
    /// # Ok::<(), taper_model::ModelError>(())
    /// ```
    #[must_use]
    pub fn explain(&self) -> Explanation<'_> {
        Explanation(self)
    }
}

/// One line of the table.
struct Row {
    names: String,
    what: String,
    output: String,
    value_bytes: usize,
    weight_bytes: usize,
    macs: u64,
}

impl Explanation<'_> {
    fn rows(&self) -> Vec<Row> {
        let plan = self.0;
        let rows = plan.steps.iter().map(|node| {
            let buffer = &plan.buffers[node.output];
            let layout = buffer.layout;
            let gradient =
                if buffer.gradient && plan.purpose == Purpose::Training { buffer.gradient_len() } else { 0 };
            Row {
                names: node.names.join(" "),
                what: node.step.describe(),
                output: match (layout.height, layout.width) {
                    (1, 1) => format!("{}", layout.channels),
                    (height, width) => format!("{}×{height}×{width}", layout.channels),
                },
                value_bytes: (layout.image() + gradient) * size_of::<f32>() + node.step.saved_len(),
                weight_bytes: node.step.parameter_len() * size_of::<f32>(),
                macs: node.macs,
            }
        });
        rows.collect()
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, rows) = (self.0, self.rows());
        let purpose = match plan.purpose {
            Purpose::Training => "training",
            Purpose::Inference => "inference",
        };
        writeln!(f, "{} for {purpose} on {}: {} steps", plan.name, plan.isa.name(), rows.len())?;
        let width = |text: fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
        let (names, what, output) = (
            width(|r| r.names.chars().count()),
            width(|r| r.what.chars().count()),
            width(|r| r.output.chars().count()),
        );
        writeln!(
            f,
            "{:names$}  {:what$}  {:output$}  {:>11}  {:>11}  {:>12}",
            "nodes", "step", "output", "bytes/image", "weights", "multiply-adds"
        )?;
        for row in &rows {
            writeln!(
                f,
                "{:names$}  {:what$}  {:output$}  {:>11}  {:>11}  {:>12}",
                row.names, row.what, row.output, row.value_bytes, row.weight_bytes, row.macs
            )?;
        }
        let training = plan.purpose == Purpose::Training;
        if let Some(name) =
            plan.tail.as_ref().filter(|_| training).and_then(|tail| plan.steps[tail.first].names.first())
        {
            writeln!(f, "from {name} on, each thread runs its share of the batch at once")?;
        }
        let total = |part: fn(&Row) -> u64| rows.iter().map(part).sum::<u64>();
        write!(
            f,
            "in all: {} bytes an image, {} of weights, {} multiply-adds",
            total(|row| row.value_bytes as u64),
            total(|row| row.weight_bytes as u64),
            total(|row| row.macs)
        )
    }
}
