//! From drafts to steps: chooses kernels and cuts the steps into phases and runs.

use std::ops::Range;
use std::sync::Mutex;

use taper_graph::{Graph, Op};
use taper_kernels::Isa;
use taper_kernels::blocked::Blocked;

use super::draft::{Draft, Drafts, Kind, draft};
use super::step::Step;
use super::steps::conv::ConvStep;
use super::steps::elementwise::{Function, MapStep};
use super::steps::linear::LinearStep;
use super::steps::merge::{AddStep, ConcatStep};
use super::steps::norm::NormStep;
use super::steps::normalize::NormalizeStep;
use super::steps::pool::{AvgPoolStep, MaxPoolStep};
use super::tail::{self, Tail};
use super::{Around, Contribution, Node, Phase, Plan, Purpose, Run};
use crate::error::ModelError;

/// Compiles a graph, which may be an operation of a larger computation.
pub(super) fn build(
    graph: &Graph,
    purpose: Purpose,
    around: Option<Around>,
    isa: Isa,
) -> Result<Plan, ModelError> {
    let mut drafts = draft(graph, purpose);
    if let Some(around) = around {
        drafts.fit_into(around);
    }
    let own_parameters = parameters_of_nodes(graph);
    let mut steps: Vec<Node> = Vec::new();
    for draft in &drafts.steps {
        let dead = input_is_dead(&drafts, &steps, draft);
        let own = |&node: &usize| own_parameters[node].clone();
        steps.push(Node {
            names: draft.nodes.iter().map(|&node| graph.nodes()[node].name.clone()).collect(),
            step: step(graph, &drafts, draft, dead, purpose, isa)?,
            inputs: draft.inputs.clone(),
            output: draft.output,
            gradients: vec![None; draft.inputs.len()],
            parameters: draft.nodes.iter().map(own).find(|own| !own.is_empty()).unwrap_or(0..0),
            macs: draft.nodes.iter().map(|&node| graph.nodes()[node].macs).sum(),
        });
    }
    let tail = around.is_none().then(|| tail::start(&steps)).flatten();
    let tail = tail.map(|first| Tail {
        first,
        input: steps[first].inputs[0],
        phase: phases(&steps, first..steps.len()).swap_remove(0),
    });
    let before = tail.as_ref().map_or(steps.len(), |tail| tail.first);
    let mut plan = Plan {
        name: graph.name().to_owned(),
        isa,
        phases: phases(&steps, 0..before),
        tail,
        output: drafts.output,
        buffers: drafts.buffers,
        steps,
        purpose,
        transient_images: 0,
        chunks: Vec::new(),
        tails: Vec::new(),
        idle: Mutex::default(),
        scratch: Mutex::default(),
    };
    plan.find_contributions();
    plan.find_transients();
    Ok(plan)
}

/// The parameters of each node among those of the graph.
fn parameters_of_nodes(graph: &Graph) -> Vec<Range<usize>> {
    let ends = graph.nodes().iter().scan(0, |end, node| {
        let start = *end;
        *end += node.params.len();
        Some(start..*end)
    });
    ends.collect()
}

/// Whether the step's only input has no gradient where it is 0, because of the step before, and nothing else reads it.
fn input_is_dead(drafts: &Drafts, steps: &[Node], draft: &Draft) -> bool {
    let input = draft.inputs[0];
    let producer = steps.iter().find(|node| node.output == input);
    drafts.readers(input) == 1 && producer.is_some_and(|node| node.step.zero_is_dead())
}

fn step(
    graph: &Graph,
    drafts: &Drafts,
    draft: &Draft,
    dead: bool,
    purpose: Purpose,
    isa: Isa,
) -> Result<Box<dyn Step>, ModelError> {
    let layout = |buffer: usize| drafts.buffers[buffer].layout;
    let ends = [layout(draft.inputs[0]), layout(draft.output)];
    let map = |function| -> Box<dyn Step> { Box::new(MapStep::new(function, ends, dead, isa)) };
    Ok(match &draft.kind {
        Kind::Conv { conv, following } => {
            Box::new(ConvStep::new(conv, following.clone(), ends, purpose, isa)?)
        }
        Kind::Linear => {
            let bias = matches!(&graph.nodes()[draft.nodes[0]].op, Op::Linear(linear) if linear.bias);
            Box::new(LinearStep::new(ends[0], ends[1].channels, bias, purpose, isa))
        }
        Kind::Norm { norm, residual, relu } => {
            let residual = residual.then(|| layout(draft.inputs[1]));
            Box::new(NormStep::new(norm, ends, residual, *relu, purpose, isa))
        }
        Kind::Normalize(normalize) => Box::new(NormalizeStep::new(normalize, ends, isa)?),
        Kind::Activation(function) => map(Function::Activation(*function)),
        Kind::Dropout(drop) => map(Function::Dropout(*drop)),
        Kind::Softmax => map(Function::Softmax),
        Kind::Flatten => map(Function::Flatten),
        Kind::MaxPool(pool) => Box::new(MaxPoolStep::new(pool, ends, isa)?),
        Kind::AvgPool(pool) => Box::new(AvgPoolStep::new(Some(pool), ends, isa)?),
        Kind::GlobalAvgPool => Box::new(AvgPoolStep::new(None, ends, isa)?),
        Kind::Add { relu } => {
            let inputs = [ends[0], draft.inputs.get(1).map_or(ends[0], |&buffer| layout(buffer))];
            Box::new(AddStep::new(inputs, ends[1], *relu, isa))
        }
        Kind::Concat => {
            let inputs: Vec<Blocked> = draft.inputs.iter().map(|&buffer| layout(buffer)).collect();
            Box::new(ConcatStep::new(&inputs, ends[1], isa)?)
        }
    })
}

/// Phases begin at barriers; within one, neighbours that want about as many images at a time form a run.
fn phases(steps: &[Node], own: Range<usize>) -> Vec<Phase> {
    let mut phases = vec![Phase { barrier: None, runs: Vec::new() }];
    for (index, node) in steps.iter().enumerate().take(own.end).skip(own.start) {
        if node.step.barrier().is_some() {
            phases.push(Phase { barrier: Some(index), runs: Vec::new() });
        }
        let place = phases.len() - 1;
        let runs = &mut phases[place].runs;
        let images = node.step.images();
        match runs.last_mut() {
            Some(run) if fits(run.images, images) => {
                run.steps.end = index + 1;
                run.images = run.images.max(images);
            }
            _ => runs.push(Run { steps: index..index + 1, images }),
        }
    }
    for phase in &mut phases {
        if phase.runs.is_empty() {
            phase.runs.push(Run { steps: 0..0, images: usize::MAX });
        }
        // A step without a wish takes what its neighbours take, or all.
        phase.runs.iter_mut().filter(|run| run.images == 0).for_each(|run| run.images = usize::MAX);
    }
    phases
}

/// Whether steps that want so many images at a time can be run together.
fn fits(a: usize, b: usize) -> bool {
    let (few, many) = (a.min(b), a.max(b));
    few == 0 || many == few || (many != usize::MAX && many <= 5 * few)
}

impl Plan {
    /// Which inputs want a gradient, and who gives it first.
    fn find_contributions(&mut self) {
        if self.purpose == Purpose::Inference {
            return;
        }
        let mut begun = vec![false; self.buffers.len()];
        for node in self.steps.iter_mut().rev() {
            for (input, contribution) in node.inputs.iter().zip(&mut node.gradients) {
                if self.buffers[*input].gradient {
                    let again = std::mem::replace(&mut begun[*input], true);
                    *contribution = Some(if again { Contribution::Further } else { Contribution::First });
                }
            }
        }
    }

    /// Values, in inference, and gradients, in training, that no run but the one that makes them reads.
    fn find_transients(&mut self) {
        let runs: Vec<Run> = self.phases.iter().flat_map(|phase| phase.runs.iter().cloned()).collect();
        for run in runs.iter().filter(|run| run.images != usize::MAX) {
            for step in run.steps.clone() {
                let (buffer, barrier) = (self.steps[step].output, self.steps[step].step.barrier().is_some());
                let readers = self.steps.iter().enumerate().filter(|(_, node)| node.inputs.contains(&buffer));
                let inside = readers.map(|(reader, _)| reader).all(|reader| run.steps.contains(&reader));
                if inside && buffer != self.output {
                    let training = self.purpose == Purpose::Training;
                    self.buffers[buffer].transient = !training;
                    // Backwards, a barrier waits for all images.
                    self.buffers[buffer].passing = training && !barrier;
                    self.transient_images = self.transient_images.max(run.images);
                }
            }
        }
    }
}
