//! TFRecords: how TensorFlow frames messages in a file.
//!
//! The length (u64, little-endian), its checksum, the message, its checksum; see `tensorflow/core/lib/io/record_writer.h`.

/// CRC-32C (Castagnoli), bits reversed: RFC 3720, section 12.1.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// What each byte adds to a checksum.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 { (rest >> 1) ^ POLYNOMIAL } else { rest >> 1 };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
};

/// Appends `message` to `file` as one record.
pub(super) fn append(file: &mut Vec<u8>, message: &[u8]) {
    let length = (message.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(crc32c(&length)).to_le_bytes());
    file.extend(message);
    file.extend(masked(crc32c(message)).to_le_bytes());
}

fn crc32c(bytes: &[u8]) -> u32 {
    let next = |crc: u32, byte: &u8| (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)];
    !bytes.iter().fold(!0, next)
}

/// As TensorFlow stores a checksum, for which a checksum over bytes that hold one would be weak.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4, and the check value of the usual tables.
    #[test]
    fn checksums_are_those_of_the_standard() {
        let ascending: Vec<u8> = (0..32).collect();
        let expected = [
            (&b"123456789"[..], 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
        ];
        for (bytes, crc) in expected {
            assert_eq!(crc32c(bytes), crc, "{bytes:?}");
        }
    }
}
