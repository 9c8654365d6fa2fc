//! Applies updates to encoded items. Attributes that an update does not change are copied as bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use super::super::codec::{self, ItemRef, Kind, MAX_DEPTH, ValueRef};
use super::super::number::NumberError;
use super::ast::{Path, Segment, Term, Update};

/// The reason why an update does not fit the stored item, as DynamoDB's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// A path leads through a missing value, or through a value that is not a map or list.
    #[error("The document path provided in the update expression is invalid for update")]
    Path,
    /// A stored or computed operand has the wrong type.
    #[error("An operand in the update expression has an incorrect data type")]
    Type,
    /// An operand is missing.
    #[error("The provided expression refers to an attribute that does not exist in the item")]
    Missing,
    /// A sum is out of range.
    #[error("{0}")]
    Number(#[from] NumberError),
    /// The result nests too deeply.
    #[error("Nesting Levels have exceeded supported limits")]
    Nesting,
}

/// Returns the item after the update. `old` is the stored item, or the key attributes if no item exists.
pub fn apply(update: &Update, old: ItemRef<'_>) -> Result<Vec<u8>, UpdateError> {
    let mut tree = Tree::new(old);
    let mut sets = Vec::with_capacity(update.sets.len() + update.adds.len());
    for (path, term) in &update.sets {
        sets.push((path, compute(term, old)?.into_owned()));
    }
    for (path, operand) in &update.adds {
        sets.push((path, add(path.find(old), ValueRef(operand))?));
    }
    // Elements beyond the end of a list are appended in the order of their indexes.
    sets.sort_by(|(one, _), (two, _)| one.inner.cmp(&two.inner));
    // The indexes of removed elements refer to the old lists, so removals come before appends.
    for path in &update.removes {
        tree.remove(path)?;
    }
    for (path, value) in sets {
        tree.set(path, value)?;
    }
    for (path, operand) in &update.deletes {
        match path.find(old) {
            Some(set) => match subtract_set(set, ValueRef(operand))? {
                Some(rest) => tree.set(path, rest)?,
                None => tree.remove(path)?,
            },
            None => tree.check_parent(path)?,
        }
    }
    tree.encode()
}

fn compute<'a>(term: &'a Term, item: ItemRef<'a>) -> Result<Cow<'a, [u8]>, UpdateError> {
    let number = |term| {
        let value = compute(term, item)?;
        ValueRef(&value).number().ok_or(UpdateError::Type)
    };
    match term {
        Term::Path(path) => path.find(item).map(|value| Cow::Borrowed(value.0)).ok_or(UpdateError::Missing),
        Term::Value(value) => Ok(Cow::Borrowed(value)),
        Term::IfNotExists(path, other) => match path.find(item) {
            Some(value) => Ok(Cow::Borrowed(value.0)),
            None => compute(other, item),
        },
        Term::ListAppend(front, back) => {
            let (front, back) = (compute(front, item)?, compute(back, item)?);
            let (front, back) = (ValueRef(&front), ValueRef(&back));
            if front.kind() != Some(Kind::L) || back.kind() != Some(Kind::L) {
                return Err(UpdateError::Type);
            }
            Ok(Cow::Owned([front.0, back.payload()].concat()))
        }
        Term::Plus(left, right) => Ok(Cow::Owned(codec::encode_number(&number(left)?.add(&number(right)?)?))),
        Term::Minus(left, right) => {
            Ok(Cow::Owned(codec::encode_number(&number(left)?.subtract(&number(right)?)?)))
        }
    }
}

fn add(stored: Option<ValueRef<'_>>, operand: ValueRef<'_>) -> Result<Vec<u8>, UpdateError> {
    let Some(stored) = stored else { return Ok(operand.0.to_vec()) };
    let kind = operand.kind().filter(|kind| stored.kind() == Some(*kind)).ok_or(UpdateError::Type)?;
    if kind == Kind::N {
        let (stored, operand) = (stored.number(), operand.number());
        let (stored, operand) = stored.zip(operand).ok_or(UpdateError::Type)?;
        return Ok(codec::encode_number(&stored.add(&operand)?));
    }
    let mut elements: Vec<&[u8]> = stored.elements().chain(operand.elements()).collect();
    elements.sort_unstable();
    elements.dedup();
    let mut bytes = Vec::new();
    codec::put_sorted_set(kind, elements.into_iter(), &mut bytes);
    Ok(bytes)
}

/// Returns the set without the elements of `operand`, or `None` if no elements remain.
fn subtract_set(set: ValueRef<'_>, operand: ValueRef<'_>) -> Result<Option<Vec<u8>>, UpdateError> {
    let kind = operand.kind().filter(|kind| set.kind() == Some(*kind)).ok_or(UpdateError::Type)?;
    let gone: HashSet<&[u8]> = operand.elements().collect();
    let rest: Vec<&[u8]> = set.elements().filter(|element| !gone.contains(element)).collect();
    if rest.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    codec::put_sorted_set(kind, rest.into_iter(), &mut bytes);
    Ok(Some(bytes))
}

/// An item during an update. Only values that a path leads into are decoded.
struct Tree<'a> {
    /// The length of the old item in bytes.
    length: usize,
    attributes: BTreeMap<Cow<'a, str>, Node<'a>>,
}

enum Node<'a> {
    /// An encoded value.
    Leaf(Cow<'a, [u8]>),
    /// A list. Removed elements keep their positions until the end.
    List(Vec<Option<Node<'a>>>),
    Map(BTreeMap<Cow<'a, str>, Node<'a>>),
}

impl<'a> Node<'a> {
    /// Decodes one level of a list or a map.
    fn open(&mut self) -> &mut Self {
        if let Node::Leaf(bytes) = self {
            let parts = match bytes {
                Cow::Borrowed(bytes) => open_value(ValueRef(bytes)),
                // Other paths of the same update do not reach a value that this update wrote.
                Cow::Owned(_) => None,
            };
            if let Some(parts) = parts {
                *self = parts;
            }
        }
        self
    }

    fn child(&mut self, segment: &Segment) -> Result<&mut Self, UpdateError> {
        match (self.open(), segment) {
            (Node::Map(entries), Segment::Name(name)) => {
                entries.get_mut(name.as_str()).ok_or(UpdateError::Path)
            }
            (Node::List(elements), Segment::Index(index)) => {
                elements.get_mut(*index).and_then(Option::as_mut).ok_or(UpdateError::Path)
            }
            _ => Err(UpdateError::Path),
        }
    }

    fn set_child(&mut self, segment: &Segment, value: Vec<u8>) -> Result<(), UpdateError> {
        let value = Node::Leaf(Cow::Owned(value));
        match (self.open(), segment) {
            (Node::Map(entries), Segment::Name(name)) => {
                entries.insert(Cow::Owned(name.clone()), value);
            }
            (Node::List(elements), Segment::Index(index)) => match elements.get_mut(*index) {
                Some(element) => *element = Some(value),
                None => elements.push(Some(value)),
            },
            _ => return Err(UpdateError::Path),
        }
        Ok(())
    }

    fn remove_child(&mut self, segment: &Segment) -> Result<(), UpdateError> {
        match (self.open(), segment) {
            (Node::Map(entries), Segment::Name(name)) => {
                entries.remove(name.as_str());
            }
            (Node::List(elements), Segment::Index(index)) => {
                if let Some(element) = elements.get_mut(*index) {
                    *element = None;
                }
            }
            _ => return Err(UpdateError::Path),
        }
        Ok(())
    }

    fn encode(&self, into: &mut Vec<u8>) {
        match self {
            Node::Leaf(bytes) => into.extend_from_slice(bytes),
            Node::List(elements) => {
                into.push(Kind::L as u8);
                let mut scratch = Vec::new();
                for element in elements.iter().flatten() {
                    scratch.clear();
                    element.encode(&mut scratch);
                    codec::put_bytes(&scratch, into);
                }
            }
            Node::Map(entries) => {
                into.push(Kind::M as u8);
                encode_entries(entries, into);
            }
        }
    }
}

fn open_value(value: ValueRef<'_>) -> Option<Node<'_>> {
    match value.kind()? {
        Kind::L => {
            let elements = value.elements().map(|element| Some(Node::Leaf(Cow::Borrowed(element))));
            Some(Node::List(elements.collect()))
        }
        Kind::M => Some(Node::Map(open_entries(value.entries()))),
        _ => None,
    }
}

fn open_entries(entries: ItemRef<'_>) -> BTreeMap<Cow<'_, str>, Node<'_>> {
    let attributes = entries.attributes();
    attributes.map(|(name, value)| (Cow::Borrowed(name), Node::Leaf(Cow::Borrowed(value.0)))).collect()
}

fn encode_entries(entries: &BTreeMap<Cow<'_, str>, Node<'_>>, into: &mut Vec<u8>) {
    let mut scratch = Vec::new();
    for (name, node) in entries {
        if let Node::Leaf(bytes) = node {
            codec::put_attribute(name, ValueRef(bytes), into);
            continue;
        }
        scratch.clear();
        node.encode(&mut scratch);
        codec::put_attribute(name, ValueRef(&scratch), into);
    }
}

impl<'a> Tree<'a> {
    fn new(item: ItemRef<'a>) -> Self {
        Self { length: item.0.len(), attributes: open_entries(item) }
    }

    /// Returns the list or map that contains the last step of a path, and that step. Returns `None` for a
    /// top-level attribute.
    fn parent<'t, 'p>(
        &'t mut self,
        path: &'p Path,
    ) -> Result<Option<(&'t mut Node<'a>, &'p Segment)>, UpdateError> {
        let Some((last, steps)) = path.inner.split_last() else { return Ok(None) };
        let mut node = self.attributes.get_mut(path.attribute.as_str()).ok_or(UpdateError::Path)?;
        for step in steps {
            node = node.child(step)?;
        }
        Ok(Some((node, last)))
    }

    fn set(&mut self, path: &Path, value: Vec<u8>) -> Result<(), UpdateError> {
        match self.parent(path)? {
            Some((parent, last)) => parent.set_child(last, value),
            None => {
                self.attributes.insert(Cow::Owned(path.attribute.clone()), Node::Leaf(Cow::Owned(value)));
                Ok(())
            }
        }
    }

    fn remove(&mut self, path: &Path) -> Result<(), UpdateError> {
        match self.parent(path)? {
            Some((parent, last)) => parent.remove_child(last),
            None => {
                self.attributes.remove(path.attribute.as_str());
                Ok(())
            }
        }
    }

    fn check_parent(&mut self, path: &Path) -> Result<(), UpdateError> {
        let Some((parent, last)) = self.parent(path)? else { return Ok(()) };
        match (parent.open(), last) {
            (Node::Map(_), Segment::Name(_)) | (Node::List(_), Segment::Index(_)) => Ok(()),
            _ => Err(UpdateError::Path),
        }
    }

    fn encode(&self) -> Result<Vec<u8>, UpdateError> {
        let mut bytes = Vec::with_capacity(self.length + 256);
        encode_entries(&self.attributes, &mut bytes);
        let changed =
            self.attributes.iter().filter(|(_, node)| !matches!(node, Node::Leaf(Cow::Borrowed(_))));
        for (name, _) in changed {
            if ItemRef(&bytes).get(name).is_some_and(|value| value.is_deeper_than(MAX_DEPTH)) {
                return Err(UpdateError::Nesting);
            }
        }
        Ok(bytes)
    }
}
