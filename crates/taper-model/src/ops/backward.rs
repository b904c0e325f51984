//! The backward pass without what candle's own does besides: a tensor of zeros for every gradient and another one for
//! the sum, made by a pool of threads that takes the processor from the kernels.

use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{Result, Storage, Tensor};

use super::record::{Differentiate, made};

/// [`Tensor::backward`] of `loss`, sooner.
///
/// That is so where all between the variables and the loss are ops of this module, or reshapes of candle's. Where there
/// is any other op, `relu` of candle's instead of [`activation`](super::activation) say, it is candle's backward pass.
///
/// # Errors
/// Candle's, if an op has no gradient.
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// let (x, weight) = (Tensor::new(&[[2f32, 3.0]], &Device::Cpu)?, Var::new(&[[1f32, 1.0]], &Device::Cpu)?);
/// let loss = taper_model::ops::linear(&x, &weight, None)?;
/// let gradients = taper_model::ops::backward(&loss)?;
/// let found = gradients.get(&weight).map(Tensor::to_vec2::<f32>).transpose()?;
/// assert_eq!(found, Some(vec![vec![2.0, 3.0]]));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    // Those that a tensor was made from come after it.
    let nodes = loss.sorted_nodes();
    let links = nodes.iter().enumerate().map(|(place, node)| Link::of(node, &nodes[place + 1..]));
    match links.collect::<Option<Vec<Link<'_>>>>() {
        Some(links) if !links.is_empty() => walk(loss, &nodes, &links),
        _ => loss.backward(),
    }
}

/// How the gradient of a tensor goes on.
enum Link<'a> {
    Variable,
    /// Through the op that made the tensor.
    Op(Arc<dyn Differentiate>),
    /// As it is, in another shape.
    View(&'a Tensor),
}

impl<'a> Link<'a> {
    /// None for a tensor that another op of candle's made.
    fn of(node: &Tensor, before: &[&'a Tensor]) -> Option<Self> {
        if node.is_variable() {
            return Some(Self::Variable);
        }
        if let Some(op) = made(node) {
            return Some(Self::Op(op));
        }
        // Only candle's views share memory. The next that does is what this is a view of, or another view of that; all
        // have their elements in the same order, so it does not matter which.
        let own = elements(node)?;
        before.iter().find(|other| elements(other) == Some(own)).map(|other| Self::View(other))
    }
}

/// Which elements a contiguous tensor has: the address of its storage, the first, the end.
fn elements(tensor: &Tensor) -> Option<(usize, usize, usize)> {
    let (storage, layout) = tensor.storage_and_layout();
    let (start, end) = layout.contiguous_offsets()?;
    Some((std::ptr::from_ref::<Storage>(&storage).addr(), start, end))
}

fn walk(loss: &Tensor, nodes: &[&Tensor], links: &[Link<'_>]) -> Result<GradStore> {
    let mut gradients = GradStore::default();
    gradients.insert(loss, loss.ones_like()?);
    for (node, link) in nodes.iter().zip(links) {
        if matches!(link, Link::Variable) {
            continue;
        }
        // What was made from it may have had no gradient for it.
        let Some(dy) = gradients.remove(node) else { continue };
        match link {
            Link::Variable => {}
            Link::View(of) => add(&mut gradients, of, dy.reshape(of.shape())?)?,
            Link::Op(op) => {
                for (input, found) in op.inputs().iter().zip(op.gradients(node, &dy)?) {
                    if let Some(found) = found.filter(|_| input.track_op()) {
                        add(&mut gradients, input, found)?;
                    }
                }
            }
        }
    }
    Ok(gradients)
}

/// Adds to the gradient of a tensor.
fn add(gradients: &mut GradStore, of: &Tensor, gradient: Tensor) -> Result<()> {
    let sum = match gradients.remove(of) {
        Some(other) => (other + gradient)?.detach(),
        None => gradient,
    };
    gradients.insert(of, sum);
    Ok(())
}
