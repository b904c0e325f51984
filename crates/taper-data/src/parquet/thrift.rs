//! Structs in Thrift's compact protocol, which headers of pages and the footer are
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).
//!
//! The decoder's own reader counts the elements of lists that it does not know, however many a few bytes claim, even behind the
//! end of the file (<https://github.com/apache/arrow-rs/issues/9874>). This one does no more than there are bytes.

/// Structs and lists within each other.
const DEPTH: usize = 16;
/// Fields of a struct that are kept, from 1 on.
const KEPT: usize = 11;

/// Why bytes are no struct.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It goes on behind the bytes.
    Short,
    /// What is wrong with it: the rest of a sentence that it begins.
    Broken(&'static str),
}

type Result<T> = std::result::Result<T, Trouble>;

/// The whole numbers and truth values of a struct, by `[field of it, field of the struct there]`; 0 for those of itself.
pub(super) struct Fields {
    values: [[Option<i64>; KEPT]; KEPT],
    /// Its own fields: of which type each is, and how many bytes there are from its value on.
    places: [Option<(u8, usize)>; KEPT],
    /// Bytes that it takes.
    pub(super) len: usize,
}

impl Fields {
    /// The struct that `bytes` begin with.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut fields = Self { values: [[None; KEPT]; KEPT], places: [None; KEPT], len: 0 };
        let mut rest = Rest(bytes);
        rest.fields(Some(&mut fields), 0, 0)?;
        fields.len = bytes.len() - rest.0.len();
        Ok(fields)
    }

    /// The type of a field of its own, as the protocol numbers them, and how many of the bytes are from its value on.
    pub(super) fn place(&self, field: usize) -> Option<(u8, usize)> {
        self.places[field]
    }

    /// A field that there may be.
    pub(super) fn get(&self, place: [usize; 2]) -> Option<i64> {
        self.values[place[0]][place[1]]
    }

    /// A count or a size that must be there, and is never negative.
    pub(super) fn count(&self, place: [usize; 2]) -> Result<u32> {
        let value = self.get(place).ok_or(Trouble::Broken("lacks a field"))?;
        u32::try_from(value).map_err(|_| Trouble::Broken("has a size that is negative or beyond 32 bits"))
    }
}

/// The size of a list and the type of its elements; `bytes` are cut to those of the elements.
pub(super) fn list(bytes: &mut &[u8]) -> Result<(u64, u8)> {
    let mut rest = Rest(bytes);
    let found = rest.list()?;
    *bytes = rest.0;
    Ok(found)
}

/// Bytes that are not yet read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn skip(&mut self, count: u64) -> Result<()> {
        let count = usize::try_from(count).map_err(|_| Trouble::Short)?;
        self.0 = self.0.get(count..).ok_or(Trouble::Short)?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        let (&first, rest) = self.0.split_first().ok_or(Trouble::Short)?;
        self.0 = rest;
        Ok(first)
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Trouble::Broken("has a number without an end"))
    }

    /// Signs in the lowest bit.
    fn zigzag(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The size of a list, and the type of its elements.
    fn list(&mut self) -> Result<(u64, u8)> {
        let start = self.byte()?;
        Ok((if start >> 4 == 15 { self.varint()? } else { u64::from(start >> 4) }, start & 15))
    }

    /// The fields of a struct, which is field `outer` of the whole or, at depth 0, the whole itself.
    fn fields(&mut self, mut whole: Option<&mut Fields>, outer: usize, depth: usize) -> Result<()> {
        let mut id: i64 = 0;
        loop {
            let start = self.byte()?;
            let (delta, kind) = (start >> 4, start & 15);
            if kind == 0 {
                return Ok(());
            }
            id = if delta == 0 { self.zigzag()? } else { id.saturating_add(delta.into()) };
            let place = usize::try_from(id).unwrap_or(KEPT);
            if let (0, Some(whole), true) = (depth, whole.as_deref_mut(), place < KEPT)
                && whole.places[place].replace((kind, self.0.len())).is_some()
            {
                return Err(Trouble::Broken("has a field twice"));
            }
            let value = match kind {
                1 | 2 => Some(i64::from(kind == 1)),
                4..=6 => Some(self.zigzag()?),
                12 if depth == 0 => {
                    // Those whose numbers are not kept are only passed over.
                    let kept = whole.as_deref_mut().filter(|_| (1..KEPT).contains(&place));
                    self.fields(kept, place, 1)?;
                    None
                }
                _ => {
                    self.pass(kind, depth)?;
                    None
                }
            };
            if let (Some(value), Some(whole), true) = (value, whole.as_deref_mut(), place < KEPT) {
                whole.values[outer][place] = Some(value);
            }
        }
    }

    /// Passes over a value that is no truth value of a struct.
    fn pass(&mut self, kind: u8, depth: usize) -> Result<()> {
        if depth >= DEPTH {
            return Err(Trouble::Broken("has too many structs within each other"));
        }
        match kind {
            // A truth value, or a byte.
            1..=3 => self.skip(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip(8),
            8 => {
                let len = self.varint()?;
                self.skip(len)
            }
            9 | 10 => {
                let (count, kind) = self.list()?;
                self.pass_all(&[kind], count, depth)
            }
            11 => match self.varint()? {
                0 => Ok(()),
                count => {
                    let kinds = self.byte()?;
                    self.pass_all(&[kinds >> 4, kinds & 15], count, depth)
                }
            },
            12 => self.fields(None, 0, depth + 1),
            13 => self.skip(16),
            _ => Err(Trouble::Broken("has a field of no known type")),
        }
    }

    /// Passes over `count` times values of `kinds`, of which each has a byte at least.
    fn pass_all(&mut self, kinds: &[u8], count: u64, depth: usize) -> Result<()> {
        if count > self.0.len() as u64 {
            return Err(Trouble::Short);
        }
        (0..count).try_for_each(|_| kinds.iter().try_for_each(|&kind| self.pass(kind, depth + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_and_all_else_is_passed_over() {
        // 1: 0, 2: 300, 3: -1; 5: { 1: 7, 5: {8: "ab"}, 7: true }; 14: [true, false]; 15: {1.0: -1}; 40: [[3]].
        let bytes = [
            &[0x15, 0, 0x15, 0xd8, 4, 0x15, 1][..],
            &[0x2c, 0x15, 14, 0x4c, 0x88, 2, b'a', b'b', 0, 0x21, 0],
            &[0x99, 0x21, 1, 2],
            &[0x1b, 1, 0x76, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 1],
            &[0x09, 80, 0x19, 0x15, 6, 0],
            b"the page",
        ]
        .concat();
        let fields = Fields::parse(&bytes).unwrap();
        assert_eq!(fields.len, bytes.len() - 8);
        assert_eq!([[0, 1], [0, 2], [0, 3]].map(|place| fields.get(place)), [Some(0), Some(300), Some(-1)]);
        assert_eq!(
            [[5, 1], [5, 7], [5, 5], [6, 1]].map(|place| fields.get(place)),
            [Some(7), Some(1), None, None]
        );
        assert_eq!(fields.count([0, 2]), Ok(300));
        assert!(fields.count([0, 3]).is_err() && fields.count([0, 4]).is_err());
        for len in 0..fields.len {
            assert_eq!(Fields::parse(&bytes[..len]).err(), Some(Trouble::Short), "{len} bytes");
        }
    }

    #[test]
    fn no_list_is_longer_than_its_bytes() {
        for element in 0..=15 {
            let bytes = [&[0x99, 0xf0 | element, 0xff, 0xff, 0xff, 0xff, 7][..], &[0; 100]].concat();
            assert_eq!(Fields::parse(&bytes).err(), Some(Trouble::Short));
        }
        let deep = [0x9c].repeat(100);
        assert!(matches!(Fields::parse(&deep), Err(Trouble::Broken(_))));
        assert!(matches!(Fields::parse(&[0x1f, 0]), Err(Trouble::Broken(_))));
        assert!(matches!(
            Fields::parse(&[0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Err(Trouble::Broken(_))
        ));
    }
}
