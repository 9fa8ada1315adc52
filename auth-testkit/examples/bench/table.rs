//! [`Table`]: the barest store in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::store::Write;

use crate::scene::Failure;
use crate::served::floor::Driver;
use crate::served::recorded::Statement;

/// A map from keys to texts, of which no write asks what was there.
#[derive(Default)]
pub(crate) struct Table(Mutex<HashMap<Vec<u8>, Arc<str>>>);

impl Table {
    pub(crate) fn driver() -> Arc<dyn Driver> {
        Arc::new(Self::default())
    }
}

#[async_trait]
impl Driver for Table {
    async fn run(&self, statement: &Statement, number: u64) -> Result<(), Failure> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match statement {
            Statement::Get(keys) => {
                for key in keys {
                    std::hint::black_box(table.get(key.as_bytes()).cloned());
                }
            }
            Statement::Commit(batch) => {
                for write in batch.writes() {
                    let (mut key, text) = match write {
                        Write::Put { record, .. } => {
                            (record.key.as_bytes().to_vec(), &*record.value)
                        }
                        other => (other.key().as_bytes().to_vec(), ""),
                    };
                    key.extend(number.to_be_bytes());
                    table.insert(key, text.into());
                }
            }
        }
        Ok(())
    }
}
