//! Sizes that may depend on named ones: `N`, `2*N`, `T + 1`, `floor(H/2)`.

mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tensor::Dim;

/// A size made of more parts is given a name instead, so that no graph makes the arithmetic long.
const MOST_PARTS: usize = 128;

/// A size as a polynomial with whole coefficients over names, in one canonical form: equal sizes compare equal.
///
/// What is too long, or holds a number beyond 64 bits, becomes a name of its own: nothing is known of it but that it
/// equals itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Size {
    /// Coefficients, none of them 0, by the sorted factors they go with; the constant goes with none.
    terms: Arc<Terms>,
}

type Terms = BTreeMap<Vec<Atom>, i64>;

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
        let name = name.into();
        let name = if name_parts(&name) > MOST_PARTS { digest(&name) } else { name };
        Self { terms: Arc::new(BTreeMap::from([(vec![Atom::Named(name)], 1)])) }
    }

    /// `terms`, or a name for `what` if they are not exact or too long.
    fn of(terms: Option<Terms>, what: impl FnOnce() -> String) -> Self {
        match terms {
            Some(terms) if parts(&terms) <= MOST_PARTS => Self { terms: Arc::new(terms) },
            _ => Self::named(digest(&what())),
        }
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
        self != other && self.minus(other).fixed().is_some_and(|difference| difference != 0)
    }

    /// Whether the two are multiples of the same names by different numbers: equal only where a name stands for 0.
    pub(crate) fn differs_by_factor(&self, other: &Self) -> bool {
        let (mut own, mut others) = (self.terms(), other.terms());
        match (own.next(), own.next(), others.next(), others.next()) {
            (Some((factors, a)), None, Some((same, b)), None) => factors == same && a != b,
            _ => false,
        }
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut terms = Terms::clone(&self.terms);
        let sum =
            other.terms().try_for_each(|(factors, number)| add_term(&mut terms, factors.to_vec(), number));
        Self::of(sum.map(|()| terms), || format!("({self}) + ({other})"))
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.plus(&other.times(&Size::from(-1)))
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        let product = || {
            (self.terms.len().checked_mul(other.terms.len())? <= MOST_PARTS).then_some(())?;
            let mut terms = BTreeMap::new();
            for (left, a) in self.terms() {
                for (right, b) in other.terms() {
                    let mut factors = [left, right].concat();
                    factors.sort();
                    add_term(&mut terms, factors, a.checked_mul(b)?)?;
                }
            }
            Some(terms)
        };
        Self::of(product(), || format!("({self}) * ({other})"))
    }

    /// Divided by `divisor`, which is positive, rounded down.
    pub(crate) fn over(&self, divisor: i64) -> Self {
        let quotient = || {
            let (mut whole, mut rest) = (BTreeMap::new(), BTreeMap::new());
            for (factors, coefficient) in self.terms() {
                let is_whole = coefficient.checked_rem(divisor)? == 0;
                if is_whole || factors.is_empty() {
                    add_term(&mut whole, factors.to_vec(), coefficient.checked_div_euclid(divisor)?)?;
                }
                if !is_whole {
                    let left = if factors.is_empty() { coefficient.rem_euclid(divisor) } else { coefficient };
                    add_term(&mut rest, factors.to_vec(), left)?;
                }
            }
            // What is left of a number alone is less than the divisor.
            if rest.keys().any(|factors| !factors.is_empty()) {
                let common = rest.values().fold(divisor, |common, &coefficient| gcd(common, coefficient));
                rest.values_mut().for_each(|coefficient| *coefficient /= common);
                let rest = Box::new(Self { terms: Arc::new(rest) });
                add_term(&mut whole, vec![Atom::Quotient(rest, divisor / common)], 1)?;
            }
            Some(whole)
        };
        Self::of(quotient(), || format!("({self}) / {divisor}"))
    }

    /// Divided by `divisor`, which is positive, rounded up.
    pub(crate) fn over_up(&self, divisor: i64) -> Self {
        self.plus(&Size::from(-1)).over(divisor).plus(&Size::from(1))
    }

    /// Divided by `divisor`, if that leaves no rest.
    pub(crate) fn exactly_over(&self, divisor: &Self) -> Option<Self> {
        let mut divisors = divisor.terms();
        let ((factors, coefficient), None) = (divisors.next()?, divisors.next()) else { return None };
        let mut terms = BTreeMap::new();
        for (own, own_coefficient) in self.terms() {
            let mut left = own.to_vec();
            for factor in factors {
                left.remove(left.iter().position(|known| known == factor)?);
            }
            (own_coefficient.checked_rem(coefficient)? == 0).then_some(())?;
            add_term(&mut terms, left, own_coefficient / coefficient)?;
        }
        Some(Self { terms: Arc::new(terms) })
    }

    /// Its value where the names stand for `values`; `None` if one is not among them.
    #[cfg(feature = "candle")]
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

/// How much there is of a size.
fn parts(terms: &Terms) -> usize {
    let factor = |factor: &Atom| match factor {
        Atom::Named(name) => name_parts(name),
        Atom::Quotient(size, _) => 1 + parts(&size.terms),
    };
    terms.keys().map(|factors| 1 + factors.iter().map(factor).sum::<usize>()).sum()
}

fn name_parts(name: &str) -> usize {
    1 + name.len() / 16
}

/// A short name for what is too long (FNV-1a).
fn digest(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("size_{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// The greatest common divisor.
fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// The product of `sizes`.
pub(crate) fn product<'a>(sizes: impl IntoIterator<Item = &'a Size>) -> Size {
    sizes.into_iter().fold(Size::from(1), |product, size| product.times(size))
}

/// Adds to a term, which goes if nothing is left of it; `None` if the number becomes too large.
fn add_term(terms: &mut Terms, factors: Vec<Atom>, coefficient: i64) -> Option<()> {
    match terms.get(&factors).copied().unwrap_or(0).checked_add(coefficient)? {
        0 => terms.remove(&factors),
        sum => terms.insert(factors, sum),
    };
    Some(())
}

impl From<i64> for Size {
    fn from(value: i64) -> Self {
        let terms = if value == 0 { BTreeMap::new() } else { BTreeMap::from([(Vec::new(), value)]) };
        Self { terms: Arc::new(terms) }
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

    #[test]
    fn what_is_too_long_or_too_large_becomes_a_name() {
        let pair = Size::named("N").plus(&Size::from(1));
        let long = (0..60).fold(pair.clone(), |size, place| size.times(&pair.plus(&Size::from(place))));
        let deep = (0..500).fold(Size::named("H"), |size, _| size.plus(&Size::from(1)).over(2));
        let large = Size::from(i64::MAX).plus(&Size::from(1));
        let name = Size::named("a".repeat(1 << 20));
        for size in [&long, &deep, &large, &name] {
            assert!(parts(&size.terms) <= MOST_PARTS && size.fixed().is_none(), "{size}");
            assert!(!size.differs(&Size::from(3)) && !size.differs(size));
        }
        assert_eq!(large.exactly_over(&large), Some(Size::from(1)));
        assert_eq!(large, Size::from(i64::MAX).plus(&Size::from(1)));
        assert_ne!(large, Size::from(i64::MAX).plus(&Size::from(2)));
        assert_ne!(name, Size::named("a".repeat((1 << 20) - 1)));
    }

    #[test]
    fn no_number_overflows() {
        let numbers = [i64::MIN, i64::MIN + 1, -1, 1, i64::MAX - 1, i64::MAX];
        for (a, b) in numbers.into_iter().flat_map(|a| numbers.map(|b| (Size::from(a), b))) {
            let other = Size::from(b);
            for size in [a.plus(&other), a.minus(&other), a.times(&other), a.over(b), a.over_up(b.max(1))] {
                assert!(!size.to_string().is_empty());
            }
            let _ = a.exactly_over(&other);
            assert_eq!(a.differs(&other), a != other && a.minus(&other).fixed().is_some());
        }
    }
}
