//! What is permitted at most is possible, and more is refused.

use std::sync::Arc;

use auth_store::When::{Absent, Any};
use auth_store::limits::{
    MAX_BATCH_BYTES, MAX_BATCH_WRITES, MAX_GET_KEYS, MAX_KEY_LEN, MAX_PAGE, MAX_SCANS,
};
use auth_store::{Class, Key, Scan, Store, StoreError, Sweep, Want};

use crate::store::caller::Caller;
use crate::store::draft::{all_numbered, key, numbered, record, whole_index};
use crate::store::violation::{Finding, ensure};

/// A key as long as a key may be, of one byte over and over, which is none that is escaped.
fn longest(byte: u8) -> Result<Key, Finding> {
    // The class, the kind, and what begins and ends the two parts.
    let overhead = 1 + "long".len() + 4;
    let part = vec![byte; MAX_KEY_LEN - overhead];
    let key = Key::builder(Class::Main, "long").bytes(&part).build()?;
    ensure!(key.as_bytes().len() == MAX_KEY_LEN, "the kit's longest key is not the longest");
    Ok(key)
}

/// Keys of 512 bytes, and index entries as long, are told apart at their last byte.
pub async fn keys_of_512_bytes_are_kept(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let mut bytes = longest(b'a')?.as_bytes().to_vec();
    let keys = [longest(0x01)?, longest(b'a')?, longest(0xFF)?];
    for key in &keys {
        caller.apply([record(key).entry("kit_long", key.as_bytes()).put(Absent)]).await?;
    }
    // The last byte ends the part; the one before it is of the part.
    bytes[MAX_KEY_LEN - 2] = b'b';
    let neighbour = Key::from_bytes(&bytes).map_err(|error| Finding::new(error.to_string()))?;
    caller.missing(&neighbour).await?;
    for key in &keys {
        caller.present(key).await?;
    }
    let range = Key::builder(Class::Main, "long").range();
    for range in [range.into(), whole_index("kit_long")] {
        let found = caller.scanned(Scan::records(range, 1)).await?;
        ensure!(found == keys, "the longest keys are scanned as {found:?}");
    }
    Ok(())
}

/// Parts with zero bytes and 0xFF bytes, and empty ones, make keys of their own.
pub async fn keys_of_any_bytes_are_kept(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let parts: [&[u8]; 8] =
        [b"", b"\0", b"\0\0", b"\0\xff", b"\xff", b"\xff\xff", b"\xff\0", b"'%_\\\"\n"];
    let keys: Result<Vec<Key>, _> =
        parts.iter().map(|part| Key::builder(Class::Main, "odd").bytes(part).build()).collect();
    let keys = keys?;
    for (n, key) in keys.iter().enumerate() {
        caller.apply([record(key).value(&n.to_string()).put(Absent)]).await?;
    }
    for (n, found) in caller.find_all(&keys).await?.iter().enumerate() {
        let value = found.as_ref().map(|record| record.value.to_string());
        ensure!(value == Some(n.to_string()), "{:?} was read as {value:?}", parts[n]);
    }
    Ok(())
}

/// A batch of a mebibyte, in one record and in 256, is applied and read back whole.
pub async fn a_batch_of_a_mebibyte_is_kept(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("large")?;
    let text = |len: usize| format!("\"{}\"", "x".repeat(len.saturating_sub(2)));
    let value = text(MAX_BATCH_BYTES - subject.as_bytes().len());
    caller.apply([record(&subject).value(&value).put(Absent)]).await?;
    let found = caller.present(&subject).await?.value;
    ensure!(*found == *value, "a value of {} bytes came back with {}", value.len(), found.len());

    let keys = numbered("many", MAX_BATCH_WRITES as u64)?;
    let each = MAX_BATCH_BYTES / MAX_BATCH_WRITES - keys[0].as_bytes().len() - 8;
    let value = text(each);
    let writes: Vec<_> = keys.iter().map(|key| record(key).value(&value).put(Absent)).collect();
    caller.apply(writes).await?;
    let found = caller.find_all(&keys).await?;
    let whole = found.iter().flatten().filter(|record| *record.value == *value).count();
    ensure!(whole == keys.len(), "{whole} of {} large records came back whole", keys.len());
    Ok(())
}

/// A `get` takes 256 keys and a scan 64 ranges; more is refused as too large.
pub async fn a_read_takes_what_is_permitted_and_no_more(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("key", MAX_GET_KEYS as u64 + 1)?;
    caller.apply([record(&keys[0]).put(Any), record(&keys[MAX_GET_KEYS - 1]).put(Any)]).await?;
    let found = caller.find_all(&keys[..MAX_GET_KEYS]).await?;
    let present = [0, MAX_GET_KEYS - 1].iter().all(|i| found[*i].is_some());
    ensure!(present, "the first or the last of {MAX_GET_KEYS} keys is missing");
    let more = store.get(caller.tenant, &keys).await;
    ensure!(matches!(more, Err(StoreError::TooLarge)), "{} keys gave {more:?}", keys.len());

    let scan = Scan { want: Want::Keys, ..Scan::records(all_numbered("key"), 1) };
    let pages = store.scan(caller.tenant, &vec![scan.clone(); MAX_SCANS]).await?;
    ensure!(pages.len() == MAX_SCANS, "{MAX_SCANS} scans have {} pages", pages.len());
    let more = store.scan(caller.tenant, &vec![scan.clone(); MAX_SCANS + 1]).await;
    ensure!(matches!(more, Err(StoreError::TooLarge)), "too many scans gave {more:?}");
    // A page of nothing would look like the end of the scan.
    for limit in [0, MAX_PAGE + 1] {
        let odd = Scan { limit, ..scan.clone() };
        let page = store.scan(caller.tenant, &[odd]).await;
        ensure!(matches!(page, Err(StoreError::TooLarge)), "a page of {limit} gave {page:?}");
    }
    Ok(())
}

/// A page of 1000 records, and a sweep of as many.
pub async fn a_thousand_records_are_paged_and_swept(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("row", u64::from(MAX_PAGE) + 100)?;
    for some in keys.chunks(MAX_BATCH_WRITES) {
        caller.apply(some.iter().map(|key| record(key).put(Absent)).collect::<Vec<_>>()).await?;
    }
    let found = caller.scanned(Scan::records(all_numbered("row"), MAX_PAGE)).await?;
    ensure!(found == keys, "{} of {} records were scanned", found.len(), keys.len());
    let range = Sweep::Range { tenant: caller.tenant, range: all_numbered("row") };
    let removed = super::sweeping::to_the_end(&caller, range, 5000).await? as usize;
    ensure!(removed == keys.len(), "{removed} of {} records were swept", keys.len());
    Ok(())
}
