//! zkverdict-onnx
