//! The table: what the runtimes of each profile can do.

use super::{Feature, Profile};

/// A row of the table.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) opsets: [i64; 2],
    /// Why no others.
    pub(super) why_opsets: &'static str,
    /// What it has not, and why.
    pub(super) lacks: &'static [(Feature, &'static str)],
    /// The only operators it has, if not all of its operator sets that Taper writes.
    pub(super) ops: Option<&'static [&'static str]>,
    pub(super) is_tried: bool,
}

/// The row of a profile.
pub(super) fn target(profile: Profile) -> &'static Target {
    match profile {
        Profile::Portable => &PORTABLE,
        Profile::OnnxRuntime => &ONNX_RUNTIME,
        Profile::WindowsMl => &WINDOWS_ML,
        Profile::TensorRt => &TENSOR_RT,
        Profile::OpenCv => &OPEN_CV,
        Profile::Candle => &CANDLE,
    }
}

const ARGMAX_IN_OPENCV: &str = "OpenCV 4.12 answers wrongly, without a word; 5.0 does not";

static PORTABLE: Target = Target {
    name: "portable",
    about: "ONNX Runtime, OpenVINO, tract, rten, OpenCV and ncnn alike",
    opsets: [12, 17],
    why_opsets: "runtimes from before 2023 know none beyond 17",
    lacks: &[
        (Feature::Half, "ncnn takes numbers of float32 alone"),
        (Feature::Bytes, "ncnn takes numbers of float32 alone"),
        (Feature::ArgMax, ARGMAX_IN_OPENCV),
        (Feature::Int8, "ncnn has no QuantizeLinear"),
        (Feature::ExternalData, "pnnx, which converts it for ncnn, goes on without the weights"),
    ],
    ops: Some(PORTABLE_OPS),
    is_tried: true,
};

static ONNX_RUNTIME: Target = Target {
    name: "onnxruntime",
    about: "ONNX Runtime, also in browsers",
    opsets: [12, 22],
    why_opsets: "Taper writes no others",
    lacks: &[],
    ops: None,
    is_tried: true,
};

static WINDOWS_ML: Target = Target {
    name: "windows-ml",
    about: "the Windows ML that is part of Windows",
    opsets: [12, 12],
    why_opsets: "it reads none beyond 12",
    lacks: &[(
        Feature::Int8,
        "one scale for each channel came with operator set 13, and it reads none beyond 12",
    )],
    ops: None,
    is_tried: false,
};

static TENSOR_RT: Target = Target {
    name: "tensorrt",
    about: "TensorRT 10 and 11",
    opsets: [12, 22],
    why_opsets: "Taper writes no others",
    lacks: &[(
        Feature::Int8,
        "it takes signed values with zero point 0 only, and Taper writes unsigned ones",
    )],
    ops: None,
    is_tried: false,
};

static OPEN_CV: Target = Target {
    name: "opencv",
    about: "OpenCV's dnn module",
    opsets: [12, 22],
    why_opsets: "Taper writes no others",
    lacks: &[(Feature::ArgMax, ARGMAX_IN_OPENCV)],
    ops: None,
    is_tried: true,
};

static CANDLE: Target = Target {
    name: "candle",
    about: "candle-onnx 0.11",
    opsets: [12, 22],
    why_opsets: "Taper writes no others",
    lacks: &[
        (Feature::Half, "its Gemm computes in float32 alone"),
        (Feature::Int8, "it has no QuantizeLinear"),
        (Feature::ExternalData, "it reads one file only"),
    ],
    ops: Some(CANDLE_OPS),
    is_tried: true,
};

/// What every runtime of `docs/runtimes.md` computed rightly in a small network; `Gather`, which a dilated pool becomes,
/// ncnn does not.
const PORTABLE_OPS: &[&str] = &[
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Concat",
    "Conv",
    "Div",
    "Erf",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "MaxPool",
    "Mul",
    "Pad",
    "Relu",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Transpose",
];

/// What `simple_eval` of candle-onnx 0.11.1 has arms for, but `Pad`, which has another form there.
const CANDLE_OPS: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "Cos",
    "CumSum",
    "Div",
    "Dropout",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "Gelu",
    "Gemm",
    "Greater",
    "GreaterOrEqual",
    "HardSwish",
    "Identity",
    "If",
    "LSTM",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "MatMul",
    "MaxPool",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "OneHot",
    "Or",
    "PRelu",
    "Pow",
    "RNN",
    "Range",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "ScatterND",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Size",
    "Slice",
    "Softmax",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Tile",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Where",
    "Xor",
];
