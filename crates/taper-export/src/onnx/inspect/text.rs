//! What `taper inspect` prints.

use std::fmt;

use taper_graph::thousands;

use super::{ConstantInfo, Inspection, NodeInfo, ValueInfo};
use crate::onnx::tensor::Dim;

impl fmt::Display for ConstantInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value)?;
        if let Some(bytes) = self.bytes {
            write!(f, ", {} bytes", thousands(bytes))?;
        }
        match &self.file {
            Some(file) => write!(f, " in the file {file}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ValueInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(data_type) = self.data_type {
            write!(f, " {data_type}")?;
        }
        match &self.dims {
            None => Ok(()),
            Some(dims) => {
                let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
                write!(f, " [{}]", dims.join(", "))
            }
        }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opset = |(domain, version): &(String, i64)| match domain.as_str() {
            "" => version.to_string(),
            domain => format!("{domain} {version}"),
        };
        let list = |values: &[ValueInfo]| {
            values.iter().map(ValueInfo::to_string).collect::<Vec<_>>().join("\n            ")
        };
        let opsets: Vec<String> = self.opsets.iter().map(opset).collect();
        let mut row = |name: &str, text: &str| writeln!(f, "{name:<11} {text}");
        row("graph", &self.graph)?;
        row("format", &format!("IR {}, opset {}", self.ir_version, opsets.join(", ")))?;
        row("producer", &self.producer)?;
        row("inputs", &list(&self.inputs))?;
        row("outputs", &list(&self.outputs))?;
        let counts: Vec<String> = self.op_counts.iter().map(|(op, count)| format!("{count} {op}")).collect();
        row("nodes", &format!("{}: {}", self.nodes.len(), counts.join(", ")))?;
        row("parameters", &format!("{} in {} constants", thousands(self.parameters), self.constants.len()))?;
        row("size", &format!("{} bytes", thousands(self.bytes as u64)))?;
        if !self.metadata.is_empty() {
            writeln!(f, "metadata")?;
        }
        for (key, value) in &self.metadata {
            writeln!(f, "  {key}: {value}")?;
        }
        if !self.constants.is_empty() {
            writeln!(f, "constants")?;
        }
        for constant in &self.constants {
            writeln!(f, "  {constant}")?;
        }
        writeln!(f)?;
        let width = |text: fn(&NodeInfo) -> &str| {
            self.nodes.iter().map(|node| text(node).chars().count()).max().unwrap_or(0)
        };
        let (names, ops) = (width(|node| &node.name), width(|node| &node.op));
        for node in &self.nodes {
            let outputs: Vec<String> = node.outputs.iter().map(ValueInfo::to_string).collect();
            let (inputs, outputs) = (node.inputs.join(", "), outputs.join(", "));
            write!(f, "{:<names$}  {:<ops$}  {inputs} → {outputs}", node.name, node.op)?;
            match node.body_nodes {
                0 => writeln!(f)?,
                count => writeln!(f, "  ({count} nodes inside)")?,
            }
        }
        Ok(())
    }
}
