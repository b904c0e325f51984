//! The footer of a file: its schema, and where its columns are.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::thrift::{Fields, Trouble};

/// The last bytes of a file: how long the footer before them is, and the magic number.
const END: u64 = 8;

/// Reads the footer, once it is known that its lists are no longer than itself.
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
            match Fields::parse(&footer) {
                Err(Trouble::Short) => {
                    return Err(ParquetError::General("it goes on behind its end".to_owned()));
                }
                Err(Trouble::Broken(cause)) => return Err(ParquetError::General(format!("it {cause}"))),
                Ok(_) => {}
            }
        }
    }
    ParquetMetaDataReader::new().parse_and_finish(file)
}
