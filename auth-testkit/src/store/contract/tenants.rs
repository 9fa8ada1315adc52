//! A tenant's calls see and change that tenant's records only.

use std::sync::Arc;

use auth_store::When::{Absent, Any, Present};
use auth_store::{Class, KeyRange, Scan, Store, Sweep};

use crate::store::caller::{Caller, after};
use crate::store::draft::{add, key, numbered, record, whole_index};
use crate::store::violation::{Finding, ensure};

/// Names that a careless comparison takes for one another: by prefix, by pattern, by case of
/// punctuation, by length.
pub(super) const TENANTS: [&str; 6] =
    ["a", "a-b", "a_b", "axb", "ab", "a0000000000000000000000000000000"];

/// The same key is a record of its own in each tenant, for `get` and `scan`.
pub async fn tenants_do_not_see_one_another(store: Arc<dyn Store>) -> Result<(), Finding> {
    let first = Caller::new(&store);
    let subject = key("subject")?;
    for tenant in TENANTS {
        let caller = first.of(tenant)?;
        caller.missing(&subject).await?;
        let draft = record(&subject).value(tenant).entry("kit_a", b"same");
        caller.apply([draft.put(Absent)]).await?;
    }
    for tenant in TENANTS {
        let caller = first.of(tenant)?;
        let value = caller.present(&subject).await?.value;
        ensure!(&*value == tenant, "{tenant} reads the record of {value}");
        for range in [KeyRange::class(Class::Main).into(), whole_index("kit_a")] {
            let found = caller.records(Scan::records(range, 10)).await?;
            let values: Vec<&str> = found.iter().map(|record| &*record.value).collect();
            ensure!(values == [tenant], "{tenant} scans {values:?}");
        }
    }
    Ok(())
}

/// A commit changes, and its preconditions concern, its own tenant's records only.
pub async fn tenants_do_not_change_one_another(store: Arc<dyn Store>) -> Result<(), Finding> {
    let first = Caller::new(&store);
    let (subject, counter) = (key("subject")?, key("counter")?);
    for tenant in TENANTS {
        let draft = record(&subject).value(tenant).entry("kit_a", b"same");
        let counted = add(&counter, 1, Some(1), after(1000));
        let sums = first.of(tenant)?.sums([draft.put(Absent), counted]).await?;
        ensure!(sums == [1], "the counter of {tenant} begins at {sums:?}");
    }
    let gone = first.of(TENANTS[0])?;
    let draft = record(&subject).entry("kit_a", b"same");
    gone.apply([draft.delete(Present), record(&counter).value("9").put(Any)]).await?;
    for tenant in &TENANTS[1..] {
        let caller = first.of(tenant)?;
        let values = caller.find_all(&[subject.clone(), counter.clone()]).await?;
        let values: Vec<_> = values.iter().map(|r| r.as_ref().map(|r| &*r.value)).collect();
        ensure!(values == [Some(*tenant), Some("1")], "{tenant} was left with {values:?}");
        let entries = caller.scanned(Scan::records(whole_index("kit_a"), 10)).await?;
        ensure!(entries == [subject.clone()], "{tenant} was left with the entries {entries:?}");
    }
    Ok(())
}

/// A sweep of a range removes one tenant's records; a sweep of the expired removes every tenant's.
pub async fn a_range_is_swept_in_one_tenant(store: Arc<dyn Store>) -> Result<(), Finding> {
    let first = Caller::new(&store);
    let keys = numbered("swept", 3)?;
    for tenant in TENANTS {
        let writes: Vec<_> =
            keys.iter().map(|key| record(key).until(after(10)).put(Absent)).collect();
        first.of(tenant)?.apply(writes).await?;
    }
    let swept = first.of(TENANTS[2])?;
    let what = Sweep::Range { tenant: swept.tenant, range: KeyRange::class(Class::Main) };
    let removed = super::sweeping::to_the_end(&swept, what, 100).await?;
    ensure!(removed == 3, "{removed} records of one tenant's 3 were swept");
    for tenant in TENANTS {
        let left = first.of(tenant)?.find_all(&keys).await?.into_iter().flatten().count();
        let expected = if tenant == TENANTS[2] { 0 } else { 3 };
        ensure!(left == expected, "{tenant} has {left} records left");
    }
    let what = Sweep::Expired { now: after(10) };
    let removed = super::sweeping::to_the_end(&first, what, 100).await?;
    ensure!(removed == 15, "{removed} records of five tenants' 15 were swept");
    Ok(())
}
