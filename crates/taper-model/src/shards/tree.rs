//! A binary tree over the shards of a batch, in which sums are made.

use std::ops::Range;

/// The sum of `2^level` neighbouring shards, or of as many as there are up to the last: those from `index · 2^level` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    level: u32,
    index: usize,
}

impl Node {
    /// One shard.
    pub(super) fn leaf(shard: usize) -> Self {
        Self { level: 0, index: shard }
    }

    fn parent(self) -> Self {
        Self { level: self.level + 1, index: self.index / 2 }
    }

    /// The first of its shards.
    fn first(self) -> usize {
        self.index << self.level
    }
}

/// The sums so far. Two that are the halves of a larger one are added at once, so that no more are held than the tree
/// has levels, as long as they come in order.
#[derive(Debug)]
pub(super) struct Tree<T> {
    shards: usize,
    held: Vec<(Node, T)>,
}

impl<T> Tree<T> {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards, held: Vec::new() }
    }

    /// Takes the sum that follows those that were taken before; `add` adds the second to the first.
    pub(super) fn push(&mut self, mut node: Node, mut sum: T, mut add: impl FnMut(&mut T, T)) {
        while 1 << node.level < self.shards {
            if node.index.is_multiple_of(2) {
                let is_last = Node { index: node.index + 1, ..node }.first() >= self.shards;
                if !is_last {
                    break;
                }
            } else {
                let left = Node { index: node.index - 1, ..node };
                let Some((_, mut total)) = self.held.pop_if(|(held, _)| *held == left) else { break };
                add(&mut total, sum);
                sum = total;
            }
            node = node.parent();
        }
        self.held.push((node, sum));
    }

    /// The sums that are left, in order: one alone, if all shards were taken.
    pub(super) fn into_held(self) -> Vec<(Node, T)> {
        self.held
    }
}

/// The sums that neighbouring shards leave, as [`Tree::into_held`] gives them.
pub(super) fn nodes(shards: usize, own: Range<usize>) -> Vec<Node> {
    let mut tree = Tree::new(shards);
    own.for_each(|shard| tree.push(Node::leaf(shard), (), |_, ()| ()));
    tree.into_held().into_iter().map(|(node, ())| node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums written out as text, so that their order can be read.
    fn sum(shards: usize, ranks: usize) -> String {
        let add = |total: &mut String, part: String| *total = format!("({total}+{part})");
        let mut whole = Tree::new(shards);
        for rank in 0..ranks {
            let own = rank * shards / ranks..(rank + 1) * shards / ranks;
            let mut tree = Tree::new(shards);
            own.clone().for_each(|shard| tree.push(Node::leaf(shard), shard.to_string(), add));
            let held = tree.into_held();
            assert_eq!(held.iter().map(|(node, _)| *node).collect::<Vec<_>>(), nodes(shards, own));
            held.into_iter().for_each(|(node, text)| whole.push(node, text, add));
        }
        let held = whole.into_held();
        assert_eq!(held.len(), 1, "{shards} shards on {ranks} ranks");
        held[0].1.clone()
    }

    #[test]
    fn the_tree_is_that_of_the_shards_alone() {
        let expected =
            ["0", "(0+1)", "((0+1)+2)", "((0+1)+(2+3))", "(((0+1)+(2+3))+4)", "(((0+1)+(2+3))+(4+5))"];
        for (place, expected) in expected.into_iter().enumerate() {
            let shards = place + 1;
            for ranks in 1..=shards {
                assert_eq!(sum(shards, ranks), expected, "{shards} shards on {ranks} ranks");
            }
        }
        assert_eq!(sum(64, 1), sum(64, 16));
        assert_eq!(sum(60, 1), sum(60, 20));
    }
}
