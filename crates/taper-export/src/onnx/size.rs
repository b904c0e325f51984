//! Sizes that may depend on named ones: `N`, `2*N`, `T + 1`, `floor(H/2)`.

use std::collections::BTreeMap;
use std::fmt;

use super::tensor::Dim;

/// A size as a polynomial with whole coefficients over names, in one canonical form: equal sizes compare equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Size {
    /// Coefficients, none of them 0, by the sorted factors they go with; the constant goes with none.
    terms: BTreeMap<Vec<Atom>, i64>,
}

/// What a size is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Atom {
    /// A named size.
    Named(String),
    /// A size divided by a number that does not divide its terms, rounded down.
    Quotient(Box<Size>, i64),
}

impl Size {
    /// The size called `name`.
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self { terms: BTreeMap::from([(vec![Atom::Named(name.into())], 1)]) }
    }

    /// The number, if it depends on no name.
    pub(crate) fn fixed(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// Whether it is the number `value`.
    pub(crate) fn is(&self, value: i64) -> bool {
        self.fixed() == Some(value)
    }

    /// Whether the two are known to differ: the difference is a number other than 0.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.plus(&other.times(&Size::from(-1))).fixed().is_some_and(|difference| difference != 0)
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut terms = self.terms.clone();
        for (factors, coefficient) in &other.terms {
            add_term(&mut terms, factors.clone(), *coefficient);
        }
        Self { terms }
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        let mut terms = BTreeMap::new();
        for (left, a) in &self.terms {
            for (right, b) in &other.terms {
                let mut factors = [&left[..], &right[..]].concat();
                factors.sort();
                add_term(&mut terms, factors, a.saturating_mul(*b));
            }
        }
        Self { terms }
    }

    /// Divided by `divisor`, rounded down.
    pub(crate) fn over(&self, divisor: i64) -> Self {
        let (mut whole, mut rest) = (BTreeMap::new(), BTreeMap::new());
        for (factors, &coefficient) in &self.terms {
            let is_whole = coefficient % divisor == 0;
            if is_whole || factors.is_empty() {
                add_term(&mut whole, factors.clone(), coefficient.div_euclid(divisor));
            }
            if !is_whole {
                let left = if factors.is_empty() { coefficient.rem_euclid(divisor) } else { coefficient };
                add_term(&mut rest, factors.clone(), left);
            }
        }
        // What is left of a number alone is less than the divisor.
        if rest.keys().any(|factors| !factors.is_empty()) {
            let common = rest.values().fold(divisor, |common, &coefficient| gcd(common, coefficient));
            rest.values_mut().for_each(|coefficient| *coefficient /= common);
            add_term(&mut whole, vec![Atom::Quotient(Box::new(Self { terms: rest }), divisor / common)], 1);
        }
        Self { terms: whole }
    }

    /// Divided by `divisor`, if that leaves no rest.
    pub(crate) fn exactly_over(&self, divisor: &Self) -> Option<Self> {
        let mut divisors = divisor.terms.iter();
        let ((factors, &coefficient), None) = (divisors.next()?, divisors.next()) else { return None };
        let mut terms = BTreeMap::new();
        for (own, &own_coefficient) in &self.terms {
            let mut left = own.clone();
            for factor in factors {
                left.remove(left.iter().position(|known| known == factor)?);
            }
            (own_coefficient % coefficient == 0).then_some(())?;
            add_term(&mut terms, left, own_coefficient / coefficient);
        }
        Some(Self { terms })
    }

    /// Its value where the names stand for `values`; `None` if one is not among them.
    pub(crate) fn value(&self, values: &BTreeMap<String, i64>) -> Option<i64> {
        let atom = |atom: &Atom| match atom {
            Atom::Named(name) => values.get(name).copied(),
            Atom::Quotient(size, divisor) => Some(size.value(values)?.div_euclid(*divisor)),
        };
        self.terms.iter().try_fold(0i64, |sum, (factors, &coefficient)| {
            let term =
                factors.iter().try_fold(coefficient, |product, factor| product.checked_mul(atom(factor)?));
            sum.checked_add(term?)
        })
    }

    /// Its terms: factors and coefficient.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&[Atom], i64)> {
        self.terms.iter().map(|(factors, &coefficient)| (&factors[..], coefficient))
    }

    /// As a file declares it.
    pub(crate) fn to_dim(&self) -> Dim {
        match self.fixed().and_then(|size| usize::try_from(size).ok()) {
            Some(size) => Dim::Fixed(size),
            None => Dim::Symbolic(self.to_string()),
        }
    }
}

/// The greatest common divisor.
fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// The product of `sizes`.
pub(crate) fn product<'a>(sizes: impl IntoIterator<Item = &'a Size>) -> Size {
    sizes.into_iter().fold(Size::from(1), |product, size| product.times(size))
}

fn add_term(terms: &mut BTreeMap<Vec<Atom>, i64>, factors: Vec<Atom>, coefficient: i64) {
    let entry = terms.entry(factors);
    let sum = match &entry {
        std::collections::btree_map::Entry::Occupied(old) => old.get().saturating_add(coefficient),
        std::collections::btree_map::Entry::Vacant(_) => coefficient,
    };
    match (entry, sum) {
        (std::collections::btree_map::Entry::Occupied(old), 0) => {
            old.remove();
        }
        (std::collections::btree_map::Entry::Vacant(_), 0) => {}
        (entry, sum) => {
            entry.and_modify(|old| *old = sum).or_insert(sum);
        }
    }
}

impl From<i64> for Size {
    fn from(value: i64) -> Self {
        let mut terms = BTreeMap::new();
        add_term(&mut terms, Vec::new(), value);
        Self { terms }
    }
}

impl From<i32> for Size {
    fn from(value: i32) -> Self {
        Self::from(i64::from(value))
    }
}

impl From<usize> for Size {
    fn from(value: usize) -> Self {
        Self::from(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&Dim> for Size {
    fn from(dim: &Dim) -> Self {
        match dim {
            Dim::Fixed(size) => Self::from(*size),
            Dim::Symbolic(name) => Self::named(name),
        }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Named(name) => f.write_str(name),
            Atom::Quotient(size, divisor) if size.terms.len() == 1 => write!(f, "floor({size}/{divisor})"),
            Atom::Quotient(size, divisor) => write!(f, "floor(({size})/{divisor})"),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        // The constant, which sorts first, reads better at the end.
        let (numbers, products): (Vec<_>, Vec<_>) =
            self.terms.iter().partition(|(factors, _)| factors.is_empty());
        for (place, (factors, coefficient)) in products.into_iter().chain(numbers).enumerate() {
            let sign = match (place, *coefficient < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            let mut parts: Vec<String> = factors.iter().map(Atom::to_string).collect();
            if coefficient.abs() != 1 || parts.is_empty() {
                parts.insert(0, coefficient.abs().to_string());
            }
            write!(f, "{sign}{}", parts.join("*"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_form() {
        let (n, t) = (Size::named("N"), Size::named("T"));
        let both = n.plus(&Size::from(1)).times(&t);
        assert_eq!(both, t.plus(&t.times(&n)));
        assert_eq!(both.to_string(), "N*T + T");
        assert_eq!(n.plus(&n.times(&Size::from(-1))), Size::from(0));
        assert_eq!(Size::default().fixed(), Some(0));
    }

    #[test]
    fn division_rounds_down_and_keeps_what_divides() {
        let h = Size::named("H");
        let sizes = [
            (h.times(&Size::from(4)).plus(&Size::from(7)).over(2), "2*H + 3"),
            (h.plus(&Size::from(-1)).over(2), "floor((H + 1)/2) - 1"),
            (h.plus(&Size::from(6)).over(3), "floor(H/3) + 2"),
            (h.times(&Size::from(2)).over(4), "floor(H/2)"),
            (Size::from(-1).over(2), "-1"),
            (Size::from(7).over(2), "3"),
        ];
        for (size, text) in sizes {
            assert_eq!(size.to_string(), text);
        }
        for value in 1..9 {
            let half = h.plus(&Size::from(-1)).over(2).value(&BTreeMap::from([("H".to_owned(), value)]));
            assert_eq!(half, Some((value - 1).div_euclid(2)));
        }
    }

    #[test]
    fn exact_division_takes_factors_out() {
        let (n, t) = (Size::named("N"), Size::named("T"));
        let product = n.times(&t).times(&Size::from(6));
        assert_eq!(product.exactly_over(&n.times(&Size::from(2))), Some(t.times(&Size::from(3))));
        assert_eq!(product.exactly_over(&Size::from(4)), None);
        assert_eq!(n.exactly_over(&t), None);
        assert!(Size::from(2).differs(&Size::from(3)) && !n.differs(&t));
        assert!(n.differs(&n.plus(&Size::from(1))));
    }
}
