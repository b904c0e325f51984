//! A finished ONNX file in memory.

use std::collections::BTreeMap;

use prost::Message;

use super::error::BuildError;
use super::external::least_len;
use super::precision::{Precision, convert};
use super::proto::{GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto};
use super::validate::validate;

/// The version of the standard operator set, and the version of the file format that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpsetVersion {
    opset: i64,
    ir: i64,
}

impl Default for OpsetVersion {
    /// Opset 17 in format version 8: of 95 small models tried in eight runtimes, what loads in all of them.
    fn default() -> Self {
        Self { opset: 17, ir: 8 }
    }
}

impl OpsetVersion {
    /// Operator set `opset` with the oldest version of the file format that has it.
    ///
    /// # Errors
    /// [`BuildError::Opset`] outside 12 to 22.
    ///
    /// ```
    /// use taper_export::onnx::OpsetVersion;
    /// assert_eq!(OpsetVersion::new(12)?.ir(), 7);
    /// assert!(OpsetVersion::new(11).is_err());
    /// # Ok::<(), taper_export::onnx::BuildError>(())
    /// ```
    pub fn new(opset: i64) -> Result<Self, BuildError> {
        // https://github.com/onnx/onnx/blob/main/docs/Versioning.md#released-versions
        let ir = match opset {
            12..=14 => 7,
            15..=18 => 8,
            19 | 20 => 9,
            21 | 22 => 10,
            _ => return Err(BuildError::Opset { opset }),
        };
        Ok(Self { opset, ir })
    }

    /// The version of the operator set.
    pub fn opset(self) -> i64 {
        self.opset
    }

    /// The version of the file format.
    pub fn ir(self) -> i64 {
        self.ir
    }
}

/// An ONNX file: a complete graph with its weights. The same model always gives the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxModel {
    proto: ModelProto,
}

impl OnnxModel {
    pub(super) fn new(graph: GraphProto, version: OpsetVersion, metadata: BTreeMap<String, String>) -> Self {
        let standard = OperatorSetIdProto { domain: String::new(), version: version.opset };
        let entry = |(key, value)| StringStringEntryProto { key, value };
        let proto = ModelProto {
            ir_version: version.ir,
            producer_name: "taper".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph),
            opset_import: vec![standard],
            metadata_props: metadata.into_iter().map(entry).collect(),
            ..ModelProto::default()
        };
        Self { proto }
    }

    /// A file of these messages, if they are valid.
    pub(crate) fn from_proto(proto: ModelProto) -> Result<Self, BuildError> {
        validate(&proto)?;
        Ok(Self { proto })
    }

    /// The same file, of float32, with weights or all values in another precision. [`Precision`] says which.
    ///
    /// # Errors
    /// [`BuildError::Constant`] for a number beyond float16, or what the operators do not take.
    ///
    /// ```
    /// use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion, Precision, Tensor};
    /// let mut graph = GraphBuilder::new("third", OpsetVersion::default());
    /// let x = graph.input("x", DataType::Float32, &[Dim::Symbolic("N".to_owned())])?;
    /// let third = graph.constant("third", Tensor::f32(&[], &[0.333]))?;
    /// let y = graph.node(Node::new("Mul", "third").inputs([&x, &third]))?;
    /// graph.output(&y, "y")?;
    /// let half = graph.finish([])?.with_precision(Precision::Float16)?;
    /// assert_eq!(half.proto().graph.as_ref().unwrap().initializer[0].raw_data, [0x54, 0x35]);
    /// # Ok::<(), taper_export::onnx::BuildError>(())
    /// ```
    pub fn with_precision(mut self, precision: Precision) -> Result<Self, BuildError> {
        if precision == Precision::Float32 {
            return Ok(self);
        }
        self.proto.graph = self.proto.graph.map(|graph| convert(graph, precision)).transpose()?;
        validate(&self.proto)?;
        Ok(self)
    }

    /// The same file with a text for a human reader.
    pub fn with_doc(mut self, doc: impl Into<String>) -> Self {
        self.proto.doc_string = doc.into();
        self
    }

    /// The file's bytes. No reader takes more than 2 GiB of them; [`OnnxModel::write`] makes two files then.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }

    /// The number of bytes of the file.
    pub fn encoded_len(&self) -> usize {
        self.proto.encoded_len()
    }

    /// The number of bytes of the file when its large constants lie in another.
    pub(super) fn least_len(&self) -> usize {
        let constants = self.proto.graph.iter().flat_map(|graph| &graph.initializer);
        let movable: usize = constants.map(|it| it.raw_data.len() - least_len(it)).sum();
        self.encoded_len() - movable
    }

    /// The version of the standard operator set.
    pub fn opset(&self) -> i64 {
        self.proto.opset_import.first().map_or(0, |set| set.version)
    }

    /// The file's messages, to be looked into.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }
}
