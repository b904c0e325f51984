//! The footer of a file: its schema, and where its columns are. Fields have the numbers of `parquet.thrift`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::thrift::{Fields, Trouble, list};

/// The last bytes of a file: how long the footer before them is, and the magic number.
const END: u64 = 8;

/// Types, as the protocol numbers them.
const INT: u8 = 5;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;
/// The types of a schema element's fields, from 1 on.
const ELEMENT: [u8; 10] = [INT, INT, INT, BINARY, INT, INT, INT, INT, INT, STRUCT];

/// Reads the footer, once it is known that nothing in it claims to be more than there is.
pub(super) fn read(mut file: &File) -> Result<ParquetMetaData> {
    let size = file.metadata()?.len();
    if let Some(before) = size.checked_sub(END) {
        let mut len = [0; 4];
        file.seek(SeekFrom::Start(before))?;
        file.read_exact(&mut len)?;
        // What is no footer at all is for the decoder to tell.
        if let Some(start) = before.checked_sub(u32::from_le_bytes(len).into()) {
            let mut footer = Vec::with_capacity(usize::try_from(before - start)?);
            file.seek(SeekFrom::Start(start))?;
            file.take(before - start).read_to_end(&mut footer)?;
            check(&footer).map_err(|trouble| match trouble {
                Trouble::Short => ParquetError::General("it goes on behind its end".to_owned()),
                Trouble::Broken(cause) => ParquetError::General(format!("it {cause}")),
            })?;
        }
    }
    ParquetMetaDataReader::new().parse_and_finish(file)
}

/// Whether lists are no longer than the bytes, and no group of the schema has more members than the schema: the decoder makes room
/// for as many as are claimed.
fn check(footer: &[u8]) -> std::result::Result<(), Trouble> {
    let Some((LIST, left)) = Fields::parse(footer)?.place(2) else {
        return Err(Trouble::Broken("has no schema"));
    };
    let mut elements = &footer[footer.len() - left..];
    let (count, STRUCT) = list(&mut elements)? else { return Err(Trouble::Broken("has no schema")) };
    for _ in 0..count {
        let element = Fields::parse(elements)?;
        // The decoder reads a field by its number, of whatever type it is.
        let fits = |(at, kind): (usize, u8)| element.place(at + 1).is_none_or(|(found, _)| found == kind);
        if !ELEMENT.into_iter().enumerate().all(fits) {
            return Err(Trouble::Broken("has a schema of other types than Parquet's"));
        }
        let members = u64::try_from(element.get([0, 5]).unwrap_or(0));
        if members.is_ok_and(|members| members > count) {
            return Err(Trouble::Broken("has a group with more members than its schema"));
        }
        elements = &elements[element.len..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_no_more_members_than_the_schema() {
        // 1: 1, 2: [{4: "s", 5: members}, {1: 1, 4: "a"}].
        let footer = |members: u8| {
            let elements = [0x48, 1, b's', 0x15, members * 2, 0, 0x15, 2, 0x38, 1, b'a', 0];
            [&[0x15, 2, 0x19, 0x2c][..], &elements, &[0]].concat()
        };
        assert_eq!(check(&footer(2)), Ok(()));
        assert_eq!(check(&footer(3)), Err(Trouble::Broken("has a group with more members than its schema")));
        assert_eq!(check(&[0x15, 2, 0]), Err(Trouble::Broken("has no schema")));
        assert_eq!(check(&[0x15, 2, 0x19, 0x25, 2, 2, 0]), Err(Trouble::Broken("has no schema")));
        let mut twice = footer(2);
        twice.splice(twice.len() - 1.., [0x09, 4, 0x05, 0]);
        assert_eq!(check(&twice), Err(Trouble::Broken("has a field twice")));
    }
}
