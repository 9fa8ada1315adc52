//! The lists of the contracts' tests, and the macros that read them.

use super::contract;
use super::contract_test::{ArchiveTest, ContractTest};

/// The tests of the store, by file. Every function of [`contract`] stands here or in the list of the
/// archive, and nowhere else.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_contract_list {
    ($then:path, $($with:tt)*) => {
        $then! {
            [$($with)*]
            atomicity::a_batch_is_applied_whole,
            atomicity::a_conflicting_batch_changes_nothing,
            atomicity::a_batch_with_a_full_counter_changes_nothing,
            atomicity::a_conflict_names_the_keys_that_failed,
            atomicity::a_conflict_is_told_before_a_full_counter,
            atomicity::an_empty_batch_succeeds,
            atomicity::a_commit_s_id_is_the_version_of_what_it_writes,
            atomicity::records_of_both_classes_are_kept,
            preconditions::any_always_holds,
            preconditions::absent_holds_of_what_is_missing_or_expired,
            preconditions::present_holds_of_what_is_neither_missing_nor_expired,
            preconditions::at_holds_of_just_that_version,
            preconditions::at_does_not_hold_of_an_earlier_version,
            replay::a_replay_succeeds_without_effect,
            replay::a_replay_leaves_later_changes_alone,
            replay::a_refused_id_is_not_remembered,
            replay::a_replay_is_a_matter_of_one_tenant,
            replay::concurrent_replays_are_applied_once,
            retention::expiry_goes_by_the_batch_s_time,
            retention::an_expired_record_is_read_until_it_is_swept,
            retention::a_put_over_an_expired_record_replaces_it_whole,
            retention::a_put_moves_keep_until,
            retention::callers_may_disagree_about_the_time,
            counters::a_counter_is_the_sum_of_what_was_added,
            counters::a_counter_stops_at_its_bound,
            counters::a_record_that_is_no_counter_is_not_added_to,
            counters::a_counter_s_window_ends_when_it_ends,
            counters::a_counter_without_an_end_gets_one,
            counters::a_counter_holds_64_bits,
            counters::a_counter_is_a_record,
            index::a_record_is_found_by_its_entries,
            index::a_put_replaces_the_entries,
            index::entries_go_with_their_record,
            index::entries_are_not_unique,
            index::a_record_may_have_several_entries,
            index::entries_sort_by_their_bytes,
            reading::a_record_is_read_as_it_was_written,
            reading::a_get_answers_in_the_order_of_the_keys,
            reading::an_acknowledged_commit_is_seen,
            reading::a_get_is_one_snapshot,
            reading::a_page_is_one_snapshot,
            reading::what_is_refused_is_never_seen,
            paging::a_scan_goes_by_the_bytes_of_the_keys,
            paging::pages_join_to_the_whole_range,
            paging::a_cursor_is_exclusive,
            paging::skip_leaves_entries_out,
            paging::a_count_stops_at_its_cap,
            paging::an_empty_range_has_no_entries,
            paging::several_ranges_have_a_page_each,
            writing_meanwhile::changes_before_the_cursor_shift_nothing,
            writing_meanwhile::what_is_present_throughout_appears_once,
            tenants::tenants_do_not_see_one_another,
            tenants::tenants_do_not_change_one_another,
            tenants::a_range_is_swept_in_one_tenant,
            sweeping::the_expired_are_swept_and_nothing_else,
            sweeping::what_was_swept_is_absent,
            sweeping::a_range_is_swept_whole,
            sweeping::a_sweep_keeps_its_limit,
            due::the_oldest_are_due_first,
            due::a_worker_sees_its_queue_and_shards,
            due::every_tenant_s_records_are_due,
            due::reading_does_not_claim,
            due::one_worker_claims_a_due_record,
            races::one_of_many_takes_what_is_absent,
            races::one_of_many_follows_a_version,
            races::one_of_many_consumes_a_record,
            races::a_bound_holds_when_many_add,
            races::no_change_is_lost,
            races::a_check_is_locked,
            races::a_check_of_absence_is_locked,
            sizes::keys_of_512_bytes_are_kept,
            sizes::keys_of_any_bytes_are_kept,
            sizes::a_batch_of_a_mebibyte_is_kept,
            sizes::a_read_takes_what_is_permitted_and_no_more,
            sizes::a_thousand_records_are_paged_and_swept,
        }
    };
}

/// Expands to a module with a test for each sentence of the store contract.
///
/// The first argument is the name of the module. The second is a function that gives a future of a new,
/// empty store that nobody else uses: an `Arc<dyn Store>`, or a pair of that and a value that is kept
/// until the test has ended (such as a directory that its `Drop` removes). Each test runs on a
/// multi-threaded runtime of tokio, and fails with what the store did wrong.
#[macro_export]
macro_rules! store_contract {
    ($module:ident, $factory:expr) => {
        $crate::__store_contract_list! { $crate::__store_contract_module, $module, $factory }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_contract_module {
    ([$module:ident, $factory:expr] $($group:ident :: $test:ident),* $(,)?) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;

            $(
                #[$crate::store::tokio::test(
                    flavor = "multi_thread",
                    worker_threads = 4,
                    crate = "auth_testkit::store::tokio"
                )]
                async fn $test() {
                    let store = ($factory)().await;
                    let list = $crate::store::STORE_CONTRACT;
                    for test in list.iter().filter(|test| test.name == stringify!($test)) {
                        if let Err(violation) = test.run(store).await {
                            panic!("{violation}");
                        }
                        return;
                    }
                    panic!("{} is not a test of the contract", stringify!($test));
                }
            )*
        }
    };
}

macro_rules! as_data {
    ([] $($group:ident :: $test:ident),* $(,)?) => {
        /// The store contract: a test for each of its sentences.
        pub const STORE_CONTRACT: &[ContractTest] = &[
            $(ContractTest {
                name: stringify!($test),
                test: |store| Box::pin(contract::$group::$test(store)),
            }),*
        ];
    };
}

__store_contract_list! { as_data, }

/// The tests of the archive.
#[doc(hidden)]
#[macro_export]
macro_rules! __archive_contract_list {
    ($then:path, $($with:tt)*) => {
        $then! {
            [$($with)*]
            archiving::pages_go_by_tenant_and_key,
            archiving::an_archived_record_is_whole,
            archiving::a_place_is_exclusive,
            archiving::tenants_are_archived_side_by_side,
            archiving::an_archive_takes_what_is_permitted_and_no_more,
            archiving::what_is_present_throughout_is_archived_once,
            restoring::a_restored_database_is_equal,
            restoring::a_restored_database_is_scanned_and_due,
            restoring::a_restored_database_goes_on,
            restoring::what_is_there_is_left_alone,
            restoring::to_restore_twice_is_harmless,
            restoring::of_many_that_restore_a_record_one_writes_it,
        }
    };
}

/// Expands to a module with a test for each sentence of the archive contract.
///
/// The arguments are those of [`store_contract!`](crate::store_contract) with an `Arc<dyn Archive>` in
/// the place of the store; each test takes two of them, and moves records from one into the other.
#[macro_export]
macro_rules! archive_contract {
    ($module:ident, $factory:expr) => {
        $crate::__archive_contract_list! { $crate::__archive_contract_module, $module, $factory }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __archive_contract_module {
    ([$module:ident, $factory:expr] $($group:ident :: $test:ident),* $(,)?) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;

            $(
                #[$crate::store::tokio::test(
                    flavor = "multi_thread",
                    worker_threads = 4,
                    crate = "auth_testkit::store::tokio"
                )]
                async fn $test() {
                    let (from, into) = (($factory)().await, ($factory)().await);
                    let list = $crate::store::ARCHIVE_CONTRACT;
                    for test in list.iter().filter(|test| test.name == stringify!($test)) {
                        if let Err(violation) = test.run(from, into).await {
                            panic!("{violation}");
                        }
                        return;
                    }
                    panic!("{} is not a test of the contract", stringify!($test));
                }
            )*
        }
    };
}

macro_rules! archive_as_data {
    ([] $($group:ident :: $test:ident),* $(,)?) => {
        /// The archive contract: a test for each of its sentences.
        pub const ARCHIVE_CONTRACT: &[ArchiveTest] = &[
            $(ArchiveTest {
                name: stringify!($test),
                test: |from, into| Box::pin(contract::$group::$test(from, into)),
            }),*
        ];
    };
}

__archive_contract_list! { archive_as_data, }
