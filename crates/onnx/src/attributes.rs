//! Attributes of a node: every one is read by its operator, or the node is refused.

use std::collections::BTreeMap;

use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto, attribute_proto::AttributeType};

use crate::Refusal;

/// The attributes that no reader has taken yet.
pub(crate) struct Attributes<'a> {
    left: BTreeMap<&'a str, &'a AttributeProto>,
}

impl<'a> Attributes<'a> {
    /// Lists the attributes of a node.
    pub(crate) fn new(node: &'a NodeProto) -> Result<Self, Refusal> {
        let mut left = BTreeMap::new();
        for attribute in &node.attribute {
            if !attribute.ref_attr_name.is_empty() {
                return Err(Refusal::UnknownAttribute {
                    attribute: attribute.name.clone(),
                });
            }
            if left.insert(attribute.name.as_str(), attribute).is_some() {
                return Err(Refusal::DuplicateAttribute {
                    attribute: attribute.name.clone(),
                });
            }
        }
        Ok(Attributes { left })
    }

    /// Refuses what is left.
    pub(crate) fn finish(&self) -> Result<(), Refusal> {
        match self.left.keys().next() {
            Some(attribute) => Err(Refusal::UnknownAttribute {
                attribute: (*attribute).to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Names of what is left.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.left.keys().copied()
    }

    fn take(
        &mut self,
        name: &'static str,
        wanted: AttributeType,
        expected: &'static str,
    ) -> Result<Option<&'a AttributeProto>, Refusal> {
        let Some(attribute) = self.left.remove(name) else {
            return Ok(None);
        };
        if attribute.r#type != i32::from(wanted) {
            return Err(Refusal::AttributeType {
                attribute: name.to_owned(),
                expected,
            });
        }
        Ok(Some(attribute))
    }

    pub(crate) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, Refusal> {
        Ok(self.take(name, AttributeType::Int, "int")?.map(|attribute| attribute.i))
    }

    /// An attribute that is 0 or 1.
    pub(crate) fn flag(&mut self, name: &'static str, default: bool) -> Result<bool, Refusal> {
        match self.integer(name)? {
            None => Ok(default),
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(value) => Err(Refusal::AttributeValue {
                attribute: name,
                value: value.to_string(),
                supported: "0 or 1",
            }),
        }
    }

    pub(crate) fn float(&mut self, name: &'static str) -> Result<Option<f64>, Refusal> {
        Ok(self
            .take(name, AttributeType::Float, "float")?
            .map(|attribute| f64::from(attribute.f)))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        self.take(name, AttributeType::String, "string")?
            .map(|attribute| {
                std::str::from_utf8(&attribute.s).map_err(|_| Refusal::AttributeType {
                    attribute: name.to_owned(),
                    expected: "string in UTF-8",
                })
            })
            .transpose()
    }

    pub(crate) fn tensor(&mut self, name: &'static str) -> Result<Option<&'a TensorProto>, Refusal> {
        self.take(name, AttributeType::Tensor, "tensor")?
            .map(|attribute| {
                attribute.t.as_ref().ok_or_else(|| Refusal::AttributeType {
                    attribute: name.to_owned(),
                    expected: "tensor",
                })
            })
            .transpose()
    }

    pub(crate) fn integers(&mut self, name: &'static str) -> Result<Option<&'a [i64]>, Refusal> {
        Ok(self
            .take(name, AttributeType::Ints, "ints")?
            .map(|attribute| attribute.ints.as_slice()))
    }

    /// A list of finite floats.
    pub(crate) fn floats(&mut self, name: &'static str) -> Result<Option<Vec<f64>>, Refusal> {
        let Some(attribute) = self.take(name, AttributeType::Floats, "floats")? else {
            return Ok(None);
        };
        let values: Vec<f64> = attribute.floats.iter().copied().map(f64::from).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Refusal::NotFinite);
        }
        Ok(Some(values))
    }

    /// A list of floats, whatever they are.
    pub(crate) fn singles(&mut self, name: &'static str) -> Result<Option<&'a [f32]>, Refusal> {
        Ok(self
            .take(name, AttributeType::Floats, "floats")?
            .map(|attribute| attribute.floats.as_slice()))
    }

    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(attribute) = self.take(name, AttributeType::Strings, "strings")? else {
            return Ok(None);
        };
        attribute
            .strings
            .iter()
            .map(|bytes| String::from_utf8(bytes.clone()))
            .collect::<Result<_, _>>()
            .map(Some)
            .map_err(|_| Refusal::AttributeType {
                attribute: name.to_owned(),
                expected: "strings in UTF-8",
            })
    }
}
