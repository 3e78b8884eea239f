//! End-to-end and adversarial tests of zkverdict. The library is empty; `tests/e2e` holds the suites.
//!
//! | suite | what it asks |
//! |---|---|
//! | `decisions` | does the fixed-point program decide as ONNX Runtime does, on every row? |
//! | `bench_models` | are the models of the benchmark exact enough and small enough? |
//! | `progress` | is a proof that is watched the same, and are its stages told in order? |
//! | `proofs` | is every changed proof, public input and key rejected, natively and in the EVM? |
//! | `soundness` | is each soundness rule kept, and does the attack on it fail? |
//! | `widths` | can a sum be split, wrapped or borrowed from in another way? |
//! | `commitments` | do committed values bind and hide, and do hundreds of them fit one contract? |
//! | `artifacts` | is every damaged, foreign or stale file refused by name? |
//! | `properties` | do random models prove what they compute, close to the floats? |
//! | `chain` | does a real chain accept what the simulator accepts, and name what it refuses? |
//! | `ceremonies` | does a real ceremony's SRS work, and is a development one marked everywhere? |
//! | `documents` | does every pointer into the documents resolve? |
//! | `snapshots` | the sizes and the gas of the example models |
