//! A graph while it is drawn: every operation gives its result a name of its own, by which the next one
//! takes it.

use crate::proto::{
    Attribute, Dimension, Graph as GraphProto, Kind, ML_DOMAIN, Node, Tensor, TensorShape,
    TensorType, Type, TypeInfo, ValueInfo,
};

/// The name of a tensor in the graph. Ours begin with `/`, which no input's does.
pub type Edge = String;

/// A side of an input or output.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    Fixed(usize),
    /// Known when the model runs; equal names are equal sizes.
    Named(&'static str),
}

pub const BATCH: Side = Side::Named("batch");

#[derive(Default)]
pub struct Graph {
    proto: GraphProto,
    scope: String,
    named: usize,
}

impl Graph {
    pub fn finish(mut self, name: &str) -> GraphProto {
        self.proto.name = Some(name.to_owned());
        self.proto
    }

    /// What is drawn in `draw` is named after `scope`.
    pub fn within<T>(&mut self, scope: &str, draw: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::take(&mut self.scope);
        self.scope = if outer.is_empty() { scope.to_owned() } else { format!("{outer}/{scope}") };
        let drawn = draw(self);
        self.scope = outer;
        drawn
    }

    pub fn input(&mut self, name: &str, kind: Type, shape: &[Side]) -> Edge {
        self.proto.input.push(value_info(name, kind, shape));
        name.to_owned()
    }

    /// The tensor under the name that callers ask for.
    pub fn output(&mut self, name: &str, kind: Type, shape: &[Side], edge: &str) {
        self.node("Identity", "", &[edge], vec![], vec![name.to_owned()]);
        self.proto.output.push(value_info(name, kind, shape));
    }

    pub fn op(&mut self, kind: &str, inputs: &[&str]) -> Edge {
        self.op_with(kind, inputs, vec![])
    }

    pub fn op_with(&mut self, kind: &str, inputs: &[&str], attributes: Vec<Attribute>) -> Edge {
        let name = self.fresh(kind);
        self.node(kind, "", inputs, attributes, vec![name.clone()]);
        name
    }

    /// One that gives several tensors.
    pub fn op_of_many<const N: usize>(
        &mut self,
        kind: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> [Edge; N] {
        let names = [(); N].map(|()| self.fresh(kind));
        self.node(kind, "", inputs, attributes, names.to_vec());
        names
    }

    pub fn cast(&mut self, edge: &str, to: Type) -> Edge {
        self.op_with("Cast", &[edge], vec![int("to", i64::from(to as i32))])
    }

    pub fn transpose(&mut self, edge: &str, order: &[i64]) -> Edge {
        self.op_with("Transpose", &[edge], vec![ints("perm", order)])
    }

    /// A side of 0 stays as it is, one of -1 is what is left.
    pub fn reshape(&mut self, edge: &str, shape: &[i64]) -> Edge {
        let shape = self.ints(shape);
        self.op("Reshape", &[edge, &shape])
    }

    pub fn concat(&mut self, edges: &[Edge], axis: i64) -> Edge {
        match edges {
            [one] => one.clone(),
            _ => {
                let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
                self.op_with("Concat", &edges, vec![int("axis", axis)])
            }
        }
    }

    /// The place of each text among `keys`, as a number of its own for each; `default` for all others.
    pub fn places(&mut self, texts: &str, keys: &[(&str, i64)], default: i64) -> Edge {
        if keys.is_empty() {
            // an encoder without keys is refused
            let (default, shape) = (self.int(default), self.op("Shape", &[texts]));
            return self.op("Expand", &[&default, &shape]);
        }
        let name = self.fresh("LabelEncoder");
        let strings: Vec<Vec<u8>> = keys.iter().map(|(key, _)| key.as_bytes().to_vec()).collect();
        let attributes = vec![
            Attribute { strings, r#type: Some(Kind::Strings as i32), ..named("keys_strings") },
            ints("values_int64s", &keys.iter().map(|(_, place)| *place).collect::<Vec<_>>()),
            int("default_int64", default),
        ];
        self.node("LabelEncoder", ML_DOMAIN, &[texts], attributes, vec![name.clone()]);
        name
    }

    /// How long `edge` is along `axis`, as a tensor of one number.
    pub fn size(&mut self, edge: &str, axis: i64) -> Edge {
        let attributes = vec![int("start", axis), int("end", axis + 1)];
        self.op_with("Shape", &[edge], attributes)
    }

    /// The same as one number without a shape.
    pub fn length(&mut self, edge: &str, axis: i64) -> Edge {
        let size = self.size(edge, axis);
        self.reshape(&size, &[])
    }

    /// 0, 1, 2, …: so many.
    pub fn count(&mut self, length: &str) -> Edge {
        let [from, by] = [0, 1].map(|n| self.int(n));
        self.op("Range", &[&from, length, &by])
    }

    /// From `from` to before `to`, along one axis.
    pub fn slice(&mut self, edge: &str, axis: i64, from: &str, to: &str) -> Edge {
        let axis = self.ints(&[axis]);
        self.op("Slice", &[edge, from, to, &axis])
    }

    pub fn reduce(&mut self, kind: &str, edge: &str, axis: i64, keep: bool) -> Edge {
        let axes = self.ints(&[axis]);
        self.op_with(kind, &[edge, &axes], vec![int("keepdims", keep.into())])
    }

    pub fn ints(&mut self, values: &[i64]) -> Edge {
        let raw = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(Type::Int64, &[values.len()], raw)
    }

    /// One number without a shape.
    pub fn int(&mut self, value: i64) -> Edge {
        self.constant(Type::Int64, &[], value.to_le_bytes().to_vec())
    }

    pub fn float(&mut self, value: f32) -> Edge {
        self.constant(Type::Float, &[], value.to_le_bytes().to_vec())
    }

    pub fn double(&mut self, value: f64) -> Edge {
        self.constant(Type::Double, &[], value.to_le_bytes().to_vec())
    }

    pub fn floats(&mut self, values: &[f32], shape: &[usize]) -> Edge {
        let raw = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(Type::Float, shape, raw)
    }

    pub fn doubles(&mut self, values: &[f64]) -> Edge {
        let raw = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(Type::Double, &[values.len()], raw)
    }

    pub fn strings(&mut self, values: &[String]) -> Edge {
        let name = self.fresh("constant");
        self.proto.initializer.push(Tensor {
            dims: vec![values.len() as i64],
            data_type: Some(Type::String as i32),
            string_data: values.iter().map(|text| text.as_bytes().to_vec()).collect(),
            name: Some(name.clone()),
            raw_data: None,
        });
        name
    }

    fn constant(&mut self, kind: Type, shape: &[usize], raw: Vec<u8>) -> Edge {
        let name = self.fresh("constant");
        self.proto.initializer.push(Tensor {
            dims: shape.iter().map(|&side| side as i64).collect(),
            data_type: Some(kind as i32),
            string_data: vec![],
            name: Some(name.clone()),
            raw_data: Some(raw),
        });
        name
    }

    fn fresh(&mut self, kind: &str) -> Edge {
        self.named += 1;
        format!("/{}/{kind}_{}", self.scope, self.named)
    }

    fn node(
        &mut self,
        kind: &str,
        domain: &str,
        inputs: &[&str],
        attribute: Vec<Attribute>,
        output: Vec<String>,
    ) {
        self.proto.node.push(Node {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            name: output.first().cloned(),
            output,
            op_type: Some(kind.to_owned()),
            attribute,
            domain: (!domain.is_empty()).then(|| domain.to_owned()),
        });
    }
}

fn named(name: &str) -> Attribute {
    Attribute { name: Some(name.to_owned()), ..Attribute::default() }
}

pub fn int(name: &str, value: i64) -> Attribute {
    Attribute { i: Some(value), r#type: Some(Kind::Int as i32), ..named(name) }
}

pub fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { ints: values.to_vec(), r#type: Some(Kind::Ints as i32), ..named(name) }
}

pub fn float(name: &str, value: f32) -> Attribute {
    Attribute { f: Some(value), r#type: Some(Kind::Float as i32), ..named(name) }
}

pub fn text(name: &str, value: &str) -> Attribute {
    let s = Some(value.as_bytes().to_vec());
    Attribute { s, r#type: Some(Kind::String as i32), ..named(name) }
}

fn value_info(name: &str, kind: Type, shape: &[Side]) -> ValueInfo {
    let side = |side: &Side| match *side {
        Side::Fixed(size) => Dimension { dim_value: Some(size as i64), dim_param: None },
        Side::Named(name) => Dimension { dim_value: None, dim_param: Some(name.to_owned()) },
    };
    let shape = TensorShape { dim: shape.iter().map(side).collect() };
    let tensor = TensorType { elem_type: Some(kind as i32), shape: Some(shape) };
    let r#type = Some(TypeInfo { tensor_type: Some(tensor) });
    ValueInfo { name: Some(name.to_owned()), r#type }
}
