//! The elements of a constant, in whichever field of its message they are.

use std::borrow::Cow;

use super::proto::TensorProto;
use super::tensor::DataType;

/// The element type of a constant, if it has as many elements as its sizes say; the text says what is wrong.
pub(super) fn check_data(tensor: &TensorProto) -> Result<DataType, String> {
    let data_type = DataType::from_code(tensor.data_type)
        .ok_or_else(|| format!("its element type {} is unknown", tensor.data_type))?;
    let sizes = tensor.dims.iter().map(|&size| usize::try_from(size).ok());
    let elements = sizes.into_iter().try_fold(1usize, |product, size| product.checked_mul(size?));
    let elements = elements.ok_or_else(|| format!("its sizes {:?} are impossible", tensor.dims))?;
    if !tensor.external_data.is_empty() {
        return Ok(data_type);
    }
    let (found, wanted, what) = match data_type.bytes().filter(|_| !tensor.raw_data.is_empty()) {
        Some(bytes) => (tensor.raw_data.len(), elements.saturating_mul(bytes), "bytes"),
        None => (listed(tensor, data_type), elements, "elements"),
    };
    if found == wanted {
        return Ok(data_type);
    }
    Err(format!("it has {found} {what}, but {data_type} {:?} takes {wanted}", tensor.dims))
}

/// The number of elements in the list that is for the type.
fn listed(tensor: &TensorProto, data_type: DataType) -> usize {
    match data_type {
        DataType::Float32 => tensor.float_data.len(),
        DataType::Float64 => tensor.double_data.len(),
        DataType::Int64 => tensor.int64_data.len(),
        DataType::UInt32 | DataType::UInt64 => tensor.uint64_data.len(),
        DataType::Text => tensor.string_data.len(),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::Bool
        | DataType::Float16
        | DataType::BFloat16 => tensor.int32_data.len(),
    }
}

/// The elements, little endian; `None` for text, and for what lies in another file.
pub(super) fn bytes(tensor: &TensorProto, data_type: DataType) -> Option<Cow<'_, [u8]>> {
    let width = data_type.bytes().filter(|_| tensor.external_data.is_empty())?;
    if !tensor.raw_data.is_empty() {
        return Some(Cow::Borrowed(&tensor.raw_data));
    }
    // Numbers of fewer bits are the lower bytes of those that hold them.
    fn lower<const N: usize>(numbers: impl Iterator<Item = [u8; N]>, width: usize) -> Vec<u8> {
        numbers.flat_map(|number| number.into_iter().take(width)).collect()
    }
    Some(Cow::Owned(match data_type {
        DataType::Float32 => lower(tensor.float_data.iter().map(|x| x.to_le_bytes()), width),
        DataType::Float64 => lower(tensor.double_data.iter().map(|x| x.to_le_bytes()), width),
        DataType::Int64 => lower(tensor.int64_data.iter().map(|x| x.to_le_bytes()), width),
        DataType::UInt32 | DataType::UInt64 => {
            lower(tensor.uint64_data.iter().map(|x| x.to_le_bytes()), width)
        }
        _ => lower(tensor.int32_data.iter().map(|x| x.to_le_bytes()), width),
    }))
}
