//! Reads the answers of Redis.

use redis::Value;

use crate::packed::Damage;

/// A list.
pub(crate) fn list(value: Value) -> Result<Vec<Value>, Damage> {
    match value {
        Value::Array(list) => Ok(list),
        _ => Err(Damage::Shape),
    }
}

/// A list of so many.
pub(crate) fn array<const N: usize>(value: Value) -> Result<[Value; N], Damage> {
    list(value)?.try_into().map_err(|_| Damage::Shape)
}

/// Bytes.
pub(crate) fn bytes(value: Value) -> Result<Vec<u8>, Damage> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(Damage::Shape),
    }
}

/// Bytes, or nothing.
pub(crate) fn optional(value: Value) -> Result<Option<Vec<u8>>, Damage> {
    if value == Value::Nil { Ok(None) } else { bytes(value).map(Some) }
}

/// Text.
pub(crate) fn text(value: Value) -> Result<String, Damage> {
    match value {
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => Ok(text),
        other => String::from_utf8(bytes(other)?).map_err(|_| Damage::Shape),
    }
}

/// A number.
pub(crate) fn number(value: &Value) -> Result<u32, Damage> {
    match value {
        Value::Int(number) => u32::try_from(*number).map_err(|_| Damage::Shape),
        _ => Err(Damage::Shape),
    }
}
