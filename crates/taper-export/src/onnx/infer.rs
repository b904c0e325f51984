//! From the types of a node's inputs to the types of its outputs.

use super::fact::{Fact, shape};
use super::proto::{AttributeProto, AttributeType, NodeProto};
use super::scope::MOST_DIMENSIONS;
use super::size::Size;
use super::table::{NEWEST, Op};
use super::tensor::DataType;

/// The dimensions that a node works on.
pub(super) enum Axes {
    /// Themselves, counted from the end where negative.
    Listed(Vec<i64>),
    /// How many there are; which, is known when the graph runs.
    Counted(usize),
}

/// A node with what is known of its inputs, as the operators' rules see it.
pub(super) struct Call<'a> {
    pub(super) op: &'static Op,
    pub(super) opset: i64,
    pub(super) node: &'a NodeProto,
    pub(super) inputs: Vec<Option<&'a Fact>>,
}

impl<'a> Call<'a> {
    /// Checks the node against the table, and works out the types of its outputs.
    pub(super) fn infer(&self) -> Result<Vec<Fact>, String> {
        self.check_version()?;
        self.check_counts()?;
        self.node.attribute.iter().try_for_each(|attribute| self.check_attribute(attribute))?;
        let missing = |wanted: &&super::table::Attribute| {
            wanted.required && self.in_force(wanted.opsets) && self.attribute(wanted.name).is_none()
        };
        if let Some(wanted) = self.op.attributes.iter().find(missing) {
            return Err(format!("its attribute `{}` is missing; set it", wanted.name));
        }
        if let Some(Some(first)) = self.inputs.first()
            && !(self.op.takes)(first.data_type, self.opset)
        {
            let opset = self.opset;
            return Err(format!(
                "it does not take {} in operator set {opset}; cast it first",
                first.data_type
            ));
        }
        let facts = (self.op.infer)(self)?;
        if facts.len() < self.node.output.len() {
            let (found, made) = (self.node.output.len(), facts.len());
            return Err(format!("it has {found} outputs but makes {made}; remove the others"));
        }
        Ok(facts)
    }

    fn check_version(&self) -> Result<(), String> {
        match self.op.versions.first() {
            Some(&first) if first > self.opset => {
                let opset = self.opset;
                Err(format!(
                    "it came with operator set {first}, and this graph has {opset}; use {first} or newer"
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_counts(&self) -> Result<(), String> {
        let (least, most) = self.op.inputs;
        let given = self.inputs.len();
        let missing = self.inputs.iter().take(least).any(Option::is_none);
        if given < least || given > most || missing {
            let wanted = match most {
                _ if most == least => least.to_string(),
                usize::MAX => format!("{least} and more"),
                _ => format!("{least} to {most}"),
            };
            return Err(format!("it reads {given} values, some perhaps left out, but takes {wanted}"));
        }
        if self.node.output.is_empty() || self.node.output.len() > self.op.outputs {
            let (found, most) = (self.node.output.len(), self.op.outputs);
            return Err(format!("it has {found} outputs, but makes 1 to {most}"));
        }
        Ok(())
    }

    fn check_attribute(&self, attribute: &AttributeProto) -> Result<(), String> {
        let name = &attribute.name;
        if self.node.attribute.iter().filter(|other| other.name == *name).count() > 1 {
            return Err(format!("its attribute `{name}` is set twice; set it once"));
        }
        let opset = self.opset;
        let known =
            self.op.attributes.iter().find(|known| known.name == *name && self.in_force(known.opsets));
        let Some(known) = known else {
            return Err(format!("it has no attribute `{name}` in operator set {opset}; remove it"));
        };
        if attribute.r#type == known.kind as i32 {
            return check_choice(attribute, known.values);
        }
        let found = AttributeType::try_from(attribute.r#type).unwrap_or(AttributeType::Undefined);
        Err(format!("its attribute `{name}` is {found:?} and should be {:?}", known.kind))
    }

    fn in_force(&self, (first, last): (i64, i64)) -> bool {
        (first..=last).contains(&self.opset.min(NEWEST))
    }

    /// The input at `place`, which the table says is always there.
    pub(super) fn input(&self, place: usize) -> Result<&'a Fact, String> {
        self.optional(place).ok_or_else(|| format!("its input {place} is missing; give it"))
    }

    /// The input at `place`, if there is one.
    pub(super) fn optional(&self, place: usize) -> Option<&'a Fact> {
        self.inputs.get(place).copied().flatten()
    }

    /// The input at `place` with `rank` dimensions.
    pub(super) fn ranked(&self, place: usize, rank: usize) -> Result<&'a Fact, String> {
        let fact = self.input(place)?;
        if fact.rank() == rank {
            return Ok(fact);
        }
        Err(format!("its input {place} is {} and should have {rank} dimensions", shape(&fact.sizes)))
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name)?.i
    }

    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.attribute(name)?.s.as_deref()?).ok()
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&'a super::proto::TensorProto> {
        self.attribute(name)?.t.as_ref()
    }

    /// `axis`, counted from the end if negative, among `rank` dimensions.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize, String> {
        let count = rank as i64;
        match axis {
            axis if (0..count).contains(&axis) => Ok(axis as usize),
            axis if (-count..0).contains(&axis) => Ok((axis + count) as usize),
            _ => Err(format!("its axis {axis} is none of {rank} dimensions; give one that is there")),
        }
    }

    /// `axes`, counted from the end if negative, among `rank` dimensions, each of them once.
    pub(super) fn places(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, String> {
        let mut places = Vec::with_capacity(axes.len().min(rank));
        for &axis in axes {
            let place = self.axis(axis, rank)?;
            if places.contains(&place) {
                return Err(format!("its axis {axis} is listed twice; list it once"));
            }
            places.push(place);
        }
        Ok(places)
    }

    /// The axes, an attribute before operator set `since` and then the input at `place`; `None` if there are none.
    pub(super) fn axes(&self, place: usize, since: i64) -> Result<Option<Axes>, String> {
        match (self.optional(place), self.numbers(place)) {
            (Some(_), _) if self.opset < since => Err(format!(
                "it reads its axes as an input, which came with operator set {since}; write `axes`"
            )),
            (Some(_), Some(axes)) => Ok(Some(Axes::Listed(axes))),
            (Some(_), None) => Ok(Some(match self.count(place)? {
                0 => Axes::Listed(Vec::new()),
                count => Axes::Counted(count),
            })),
            (None, _) => Ok(self.ints("axes").map(|axes| Axes::Listed(axes.to_vec()))),
        }
    }

    /// How many numbers the list at `place` has, which are about one dimension each.
    pub(super) fn count(&self, place: usize) -> Result<usize, String> {
        let count = &self.ranked(place, 1)?.sizes[0];
        let few = count.fixed().and_then(|count| usize::try_from(count).ok());
        few.filter(|&count| count <= MOST_DIMENSIONS).ok_or_else(|| {
            format!("its input {place} has {count} numbers; give one for each dimension, at most {MOST_DIMENSIONS}")
        })
    }

    /// That the input at `place`, if there is one, is of a type that `takes` has.
    pub(super) fn check_type(&self, place: usize, takes: fn(DataType, i64) -> bool) -> Result<(), String> {
        match self.optional(place).map(|fact| fact.data_type) {
            Some(found) if !takes(found, self.opset) => {
                Err(format!("its input {place} is {found}, which it does not take; cast it"))
            }
            _ => Ok(()),
        }
    }

    /// That the inputs at `places`, as far as there are any, have one type.
    pub(super) fn check_alike(&self, places: impl IntoIterator<Item = usize>) -> Result<(), String> {
        let mut kinds =
            places.into_iter().filter_map(|place| self.optional(place)).map(|fact| fact.data_type);
        let Some(first) = kinds.next() else { return Ok(()) };
        match kinds.find(|&kind| kind != first) {
            Some(other) => Err(format!("it reads {first} and {other}; cast one of them")),
            None => Ok(()),
        }
    }

    /// The numbers of an input that must be known before the graph runs; `None` if they are not.
    pub(super) fn numbers(&self, place: usize) -> Option<Vec<i64>> {
        self.optional(place)?.known.as_ref()?.iter().map(Size::fixed).collect()
    }

    /// That all inputs have the type of the first.
    pub(super) fn same_types(&self) -> Result<DataType, String> {
        self.check_alike(0..self.inputs.len())?;
        Ok(self.input(0)?.data_type)
    }

    /// A size nobody can know before the graph runs, named after the node.
    pub(super) fn unknown(&self, place: usize) -> Size {
        let output = self.node.output.first().map_or("", |name| name);
        Size::named(format!("{output}.{place}"))
    }
}

/// That a text is one of `values`, if there are any.
fn check_choice(attribute: &AttributeProto, values: &[&str]) -> Result<(), String> {
    let found = attribute.s.as_deref().unwrap_or_default();
    if values.is_empty() || values.iter().any(|value| value.as_bytes() == found) {
        return Ok(());
    }
    let (name, found) = (&attribute.name, String::from_utf8_lossy(found));
    Err(format!("its attribute `{name}` is `{found}`; give one of {}", values.join(", ")))
}

/// The sizes of values laid over each other, aligned at the last dimension.
pub(super) fn broadcast(left: &[Size], right: &[Size]) -> Result<Vec<Size>, String> {
    let rank = left.len().max(right.len());
    let one = Size::from(1);
    let at = |sizes: &[Size], place: usize| {
        (place + sizes.len()).checked_sub(rank).map_or_else(|| one.clone(), |place| sizes[place].clone())
    };
    let pair = |place| match (at(left, place), at(right, place)) {
        (a, b) if a == b || b.is(1) => Ok(a),
        (a, b) if a.is(1) => Ok(b),
        (a, b) if a.fixed().is_some() && b.fixed().is_some() => {
            Err(format!("its inputs {} and {} do not fit: {a} is not {b}", shape(left), shape(right)))
        }
        // A named size beside a number can only be that number, or 1.
        (a, b) if b.fixed().is_some() && a.fixed().is_none() => Ok(b),
        (a, _) => Ok(a),
    };
    (0..rank).map(pair).collect()
}
