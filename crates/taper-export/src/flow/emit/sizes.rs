//! Sizes that the graph computes when it runs.

use super::{Emitted, Emitter, Trouble};
use crate::onnx::parts::{Atom, Size};
use crate::onnx::{Node, Tensor, Value};

impl Emitter<'_> {
    /// A list of sizes: a constant if all are fixed, else computed.
    pub(super) fn list(&mut self, title: &str, sizes: &[Size]) -> Emitted {
        let fixed: Option<Vec<i64>> = sizes.iter().map(Size::fixed).collect();
        if let Some(fixed) = fixed {
            return Ok(self.graph.helper(&format!("{title}.sizes"), Tensor::i64(&fixed))?);
        }
        let mut node = Node::new("Concat", format!("{title}.sizes"));
        for size in sizes {
            node = node.input(&self.size(size)?);
        }
        Ok(self.graph.node(node.int("axis", 0))?)
    }

    /// One size as a list of one element, computed once for the whole graph.
    fn size(&mut self, size: &Size) -> Emitted {
        if let Some(value) = self.sizes.get(size) {
            return Ok(value.clone());
        }
        let mut sum: Option<Value> = None;
        for (factors, coefficient) in size.terms() {
            let term = self.term(factors, coefficient)?;
            sum = Some(match sum {
                None => term,
                Some(sum) => self.graph.node(Node::new("Add", "size").inputs([&sum, &term]))?,
            });
        }
        let value = match sum {
            Some(sum) => sum,
            None => self.graph.helper("size.number", Tensor::i64(&[0]))?,
        };
        self.sizes.insert(size.clone(), value.clone());
        Ok(value)
    }

    fn term(&mut self, factors: &[Atom], coefficient: i64) -> Emitted {
        let mut product = match (factors, coefficient) {
            ([_, ..], 1) => None,
            _ => Some(self.graph.helper("size.number", Tensor::i64(&[coefficient]))?),
        };
        for factor in factors {
            let atom = self.atom(factor)?;
            product = Some(match product {
                None => atom,
                Some(product) => self.graph.node(Node::new("Mul", "size").inputs([&product, &atom]))?,
            });
        }
        product.ok_or_else(|| Trouble::Refuse("a size is empty".to_owned(), "report it as a fault of Taper"))
    }

    fn atom(&mut self, atom: &Atom) -> Emitted {
        let (name, size) = match atom {
            Atom::Quotient(size, divisor) => {
                let (size, divisor) =
                    (self.size(size)?, self.graph.helper("size.number", Tensor::i64(&[*divisor]))?);
                return Ok(self.graph.node(Node::new("Div", "size").inputs([&size, &divisor]))?);
            }
            Atom::Named(name) => (name, Size::named(name)),
        };
        if let Some(value) = self.sizes.get(&size) {
            return Ok(value.clone());
        }
        let Some((input, axis)) = self.named.get(name).cloned() else {
            let reason = format!("it depends on the size `{name}`, which only running the graph can tell");
            return Err(Trouble::Refuse(reason, "keep that size fixed"));
        };
        let shape = self.graph.node(Node::new("Shape", format!("{name}.shape")).input(&input))?;
        let axis = self.graph.helper(&format!("{name}.axis"), Tensor::i64(&[axis as i64]))?;
        let gather = Node::new("Gather", format!("{name}.size")).inputs([&shape, &axis]);
        let value = self.graph.node(gather.int("axis", 0))?;
        self.sizes.insert(size, value.clone());
        Ok(value)
    }
}
