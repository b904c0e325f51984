//! The sum over all shards, wherever they were run.
//!
//! Every rank is home to a part of the gradients: the others send it theirs, it adds them up in the order of the tree, and
//! sends the sum to all. Every rank thus sends and receives all gradients not quite twice, which is the least there can be
//! (Rabenseifner 2004), and the ranks add at the same time. What there are few numbers of comes with every message, and is
//! added up by each rank for itself.

use std::ops::Range;

use super::Shards;
use super::tree::{Node, Tree, nodes};
use crate::exchange::{Exchange, ExchangeError, rounds};

/// What is added up over the shards of a batch: all that is complete at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sum {
    /// Of one [`Part`](crate::plan::Part), in the order of [`Plan::write_gradients`](crate::Plan).
    pub(super) gradients: Vec<f32>,
    /// Losses, counts and statistics.
    pub(super) totals: Vec<f64>,
}

impl Sum {
    /// Adds another.
    pub(super) fn add(&mut self, other: &Self) {
        add(&mut self.gradients, &other.gradients);
        add(&mut self.totals, &other.totals);
    }
}

fn add<T: Copy + std::ops::AddAssign>(sum: &mut [T], part: &[T]) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += *part);
}

/// The sum over all ranks of what each `held`: the sums over its own shards.
pub(super) fn all_reduce(
    exchange: &dyn Exchange,
    shards: Shards,
    held: Vec<(Node, Sum)>,
) -> Result<Sum, ExchangeError> {
    let (rank, size) = (exchange.rank(), exchange.size());
    let [len, totals] = held.first().map_or([0; 2], |(_, sum)| [sum.gradients.len(), sum.totals.len()]);
    if size == 1 || len + totals == 0 {
        return Ok(held.into_iter().next().map(|(_, sum)| sum).unwrap_or_default());
    }
    let home = |rank: usize| rank * len / size..(rank + 1) * len / size;

    let mut parts: Vec<Vec<(Node, Sum)>> = vec![Vec::new(); size];
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for (to, from) in rounds(rank, size) {
        sent.clear();
        held.iter().for_each(|(_, sum)| write(sum, home(to), &mut sent));
        let theirs = nodes(shards.count, shards.of(from));
        let each = 4 * home(rank).len() + 8 * totals;
        received.resize(theirs.len() * each, 0);
        exchange.send_receive(to, &sent, from, &mut received)?;
        // There may be fewer gradients than ranks, and nothing for this one.
        let sums = (0..theirs.len()).map(|place| read(&received[place * each..][..each], home(rank).len()));
        parts[from] = theirs.iter().copied().zip(sums).collect();
    }
    parts[rank] = held.iter().map(|(node, sum)| (*node, part(sum, home(rank)))).collect();
    let own = add_in_order(shards, parts);

    // Every number of it is overwritten.
    let mut whole = held.into_iter().next().map(|(_, sum)| sum).unwrap_or_default();
    whole.totals = own.totals;
    whole.gradients[home(rank)].copy_from_slice(&own.gradients);
    sent.clear();
    write_floats(&own.gradients, &mut sent);
    for (to, from) in rounds(rank, size) {
        received.resize(4 * home(from).len(), 0);
        exchange.send_receive(to, &sent, from, &mut received)?;
        let numbers = received.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        whole.gradients[home(from)].iter_mut().zip(numbers).for_each(|(own, number)| *own = number);
    }
    Ok(whole)
}

/// The root of the tree.
fn add_in_order(shards: Shards, parts: Vec<Vec<(Node, Sum)>>) -> Sum {
    let mut tree = Tree::new(shards.count);
    for (node, sum) in parts.into_iter().flatten() {
        tree.push(node, sum, |total, part| total.add(&part));
    }
    tree.into_held().into_iter().next().map(|(_, sum)| sum).unwrap_or_default()
}

/// Some of the gradients, and all totals.
fn part(sum: &Sum, home: Range<usize>) -> Sum {
    Sum { gradients: sum.gradients[home].to_vec(), totals: sum.totals.clone() }
}

/// [`part`] as bytes.
fn write(sum: &Sum, home: Range<usize>, bytes: &mut Vec<u8>) {
    write_floats(&sum.gradients[home], bytes);
    sum.totals.iter().for_each(|total| bytes.extend(total.to_le_bytes()));
}

fn write_floats(floats: &[f32], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.resize(start + 4 * floats.len(), 0);
    let places = bytes[start..].as_chunks_mut().0;
    places.iter_mut().zip(floats).for_each(|(place, float)| *place = float.to_le_bytes());
}

/// What [`write`] wrote of `len` gradients.
fn read(bytes: &[u8], len: usize) -> Sum {
    let (gradients, totals) = bytes.split_at(4 * len);
    Sum {
        gradients: gradients.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        totals: totals.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
    }
}
