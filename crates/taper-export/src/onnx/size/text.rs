//! Sizes as text.

use std::fmt;

use super::{Atom, Size};

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
            if coefficient.unsigned_abs() != 1 || parts.is_empty() {
                parts.insert(0, coefficient.unsigned_abs().to_string());
            }
            write!(f, "{sign}{}", parts.join("*"))?;
        }
        Ok(())
    }
}
