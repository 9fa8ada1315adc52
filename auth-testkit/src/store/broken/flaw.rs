//! [`Flaw`]: the ways in which a [`BrokenStore`](super::BrokenStore) is broken.

macro_rules! flaws {
    ($($(#[doc = $doc:literal])+ $flaw:ident => $found_by:ident,)*) => {
        /// One way to break the store contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Flaw {
            $($(#[doc = $doc])+ $flaw,)*
        }

        impl Flaw {
            /// Every flaw.
            pub const ALL: &[Self] = &[$(Self::$flaw),*];

            /// Those by which a caller is answered in another way than if it were alone, which
            /// [`history`](crate::store::history) finds as well.
            pub const OF_ISOLATION: &[Self] = &[
                Self::IgnoresAbsent,
                Self::IgnoresPresent,
                Self::IgnoresAt,
                Self::IgnoresCheck,
                Self::ReadsChecksWithoutLock,
                Self::ChecksThenActs,
                Self::LocksOnlyWhatIsThere,
                Self::WritesOneByOne,
                Self::AppliesHalfOfAConflict,
                Self::AppliesBesidesAFullCounter,
                Self::AcknowledgesEarly,
                Self::AppliesReplays,
                Self::RemembersRefusedIds,
                Self::RetriesUnderANewId,
                Self::ConflictsUnderLoad,
                Self::IgnoresBelow,
                Self::ExcludesTheBound,
                Self::AddsWithoutLock,
                Self::MovesTheWindow,
                Self::LeavesCountersWithoutAnEnd,
                Self::NothingExpires,
                Self::ExpiresAMomentLate,
                Self::GoesByTheLatestTime,
                Self::ReadsAreStale,
                Self::ReadsALateReplica,
                Self::ReadsUncommitted,
                Self::GetsInTwoSnapshots,
            ];

            /// The test of the suites that is there to find it. Others may find it as well.
            #[must_use]
            pub const fn found_by(self) -> &'static str {
                match self {
                    $(Self::$flaw => stringify!($found_by),)*
                }
            }
        }
    };
}

flaws! {
    /// Takes `Absent` for `Any`.
    IgnoresAbsent => absent_holds_of_what_is_missing_or_expired,
    /// Takes `Present` for `Any`.
    IgnoresPresent => present_holds_of_what_is_neither_missing_nor_expired,
    /// Takes `At` for `Present`.
    IgnoresAt => at_holds_of_just_that_version,
    /// Takes `Any` for `Present`.
    WantsWhatMayBeMissing => any_always_holds,
    /// Leaves out every check.
    IgnoresCheck => at_holds_of_just_that_version,
    /// Reads the keys of checks, but does not lock them.
    ReadsChecksWithoutLock => a_check_is_locked,
    /// Reads preconditions first and writes afterwards, with others in between.
    ChecksThenActs => one_of_many_takes_what_is_absent,
    /// Applies the first half of a batch that conflicts.
    AppliesHalfOfAConflict => a_conflicting_batch_changes_nothing,
    /// Applies what else is in a batch whose counter is full.
    AppliesBesidesAFullCounter => a_batch_with_a_full_counter_changes_nothing,
    /// Names no key of a conflict.
    NamesNoKey => a_conflict_names_the_keys_that_failed,
    /// Names every key of the batch, whether it failed or not.
    NamesEveryKey => a_conflict_names_the_keys_that_failed,
    /// Looks at counters before preconditions.
    TellsFullFirst => a_conflict_is_told_before_a_full_counter,
    /// Refuses a batch without writes.
    RefusesEmptyBatches => an_empty_batch_succeeds,
    /// Gives records versions of its own.
    MakesItsOwnVersions => a_commit_s_id_is_the_version_of_what_it_writes,
    /// Answers before the batch is applied.
    AcknowledgesEarly => an_acknowledged_commit_is_seen,
    /// Applies a batch again that was applied before.
    AppliesReplays => a_replay_succeeds_without_effect,
    /// Takes the id of a refused batch for one that was applied.
    RemembersRefusedIds => a_refused_id_is_not_remembered,
    /// Takes a commit for a replay of another tenant's.
    RemembersIdsOfAllTenants => a_replay_is_a_matter_of_one_tenant,
    /// Has no bound for counters.
    IgnoresBelow => a_counter_stops_at_its_bound,
    /// Refuses the highest sum that is permitted.
    ExcludesTheBound => a_counter_stops_at_its_bound,
    /// Reads a counter first and writes it afterwards, with others in between.
    AddsWithoutLock => a_bound_holds_when_many_add,
    /// Moves a counter's `keep_until` with every addition.
    MovesTheWindow => a_counter_s_window_ends_when_it_ends,
    /// Adds for ever to a record that was put to be kept for ever.
    LeavesCountersWithoutAnEnd => a_counter_without_an_end_gets_one,
    /// Cuts a counter to 63 bits.
    CountsIn63Bits => a_counter_holds_64_bits,
    /// Tells the sums of a batch in the reverse order.
    TellsSumsInReverse => a_counter_is_the_sum_of_what_was_added,
    /// Keeps the first of the index entries that a put replaces.
    KeepsAnOldEntry => a_put_replaces_the_entries,
    /// Keeps the index entries of an expired record that is written over.
    KeepsEntriesOfTheExpired => a_put_over_an_expired_record_replaces_it_whole,
    /// Keeps one index entry of a record only.
    KeepsOneEntry => a_record_may_have_several_entries,
    /// Takes expired records for present.
    NothingExpires => absent_holds_of_what_is_missing_or_expired,
    /// Lets a record expire a moment after its `keep_until` instead of at it.
    ExpiresAMomentLate => absent_holds_of_what_is_missing_or_expired,
    /// Loses `keep_until`.
    DropsKeepUntil => a_record_is_read_as_it_was_written,
    /// Keeps the first `keep_until` of a record for good.
    NeverMovesKeepUntil => a_put_moves_keep_until,
    /// Goes by its own clock instead of the batch's time.
    ReadsItsOwnClock => expiry_goes_by_the_batch_s_time,
    /// Reads and writes values as JSON instead of as text.
    ReformatsValues => a_record_is_read_as_it_was_written,
    /// Hides expired records from reads.
    HidesTheExpired => an_expired_record_is_read_until_it_is_swept,
    /// Keeps all tenants' records in one place.
    OneShelfForAllTenants => tenants_do_not_see_one_another,
    /// Answers a read with what the one before it saw.
    ReadsAreStale => an_acknowledged_commit_is_seen,
    /// Reads the keys of one `get` at two moments.
    GetsInTwoSnapshots => a_get_is_one_snapshot,
    /// Leaves missing keys out of the answer.
    LeavesMissingKeysOut => a_get_answers_in_the_order_of_the_keys,
    /// Reads the entries of one page at two moments.
    PagesInTwoSnapshots => a_page_is_one_snapshot,
    /// Returns the cursor's own entry again.
    RepeatsTheCursor => a_cursor_is_exclusive,
    /// Leaves one record out between two pages.
    LosesARecordBetweenPages => pages_join_to_the_whole_range,
    /// Ends a scan after its first page.
    EndsAfterOnePage => pages_join_to_the_whole_range,
    /// Finds nothing after a cursor whose record is gone.
    NeedsTheCursorsRecord => a_cursor_is_exclusive,
    /// Counts pages instead of remembering where the last one ended.
    PagesByOffset => changes_before_the_cursor_shift_nothing,
    /// Takes the end of a range for its start if it is the smaller one.
    TurnsRangesRound => an_empty_range_has_no_entries,
    /// Skips nothing.
    IgnoresSkip => skip_leaves_entries_out,
    /// Scans in ascending order only.
    IgnoresDirection => a_scan_goes_by_the_bytes_of_the_keys,
    /// Counts past the cap.
    IgnoresTheCap => a_count_stops_at_its_cap,
    /// Gives the pages of several ranges in the reverse order.
    PagesInReverse => several_ranges_have_a_page_each,
    /// Reads however much is asked for.
    ReadsWithoutLimits => a_read_takes_what_is_permitted_and_no_more,
    /// Sweeps records that are still kept.
    SweepsTheLiving => the_expired_are_swept_and_nothing_else,
    /// Does not sweep a record just at its `keep_until`.
    SweepsAMomentLate => the_expired_are_swept_and_nothing_else,
    /// Sweeps more than it is told to.
    SweepsWithoutLimit => a_sweep_keeps_its_limit,
    /// Says that nothing is left when there is.
    SaysThatNothingIsLeft => a_sweep_keeps_its_limit,
    /// Always says that there is more to sweep.
    SaysThatThereIsMore => the_expired_are_swept_and_nothing_else,
    /// Sweeps a range in every tenant.
    SweepsRangesOfAllTenants => a_range_is_swept_in_one_tenant,
    /// Gives records before they are due.
    IgnoresTheDueTime => the_oldest_are_due_first,
    /// Gives the newest due records first.
    GivesTheNewestFirst => the_oldest_are_due_first,
    /// Gives the due records of other shards.
    IgnoresShards => a_worker_sees_its_queue_and_shards,
    /// Gives the due records of other queues.
    IgnoresQueues => a_worker_sees_its_queue_and_shards,
    /// Gives the due records of one tenant only.
    GivesOneTenantsWork => every_tenant_s_records_are_due,
    /// Gives each due record once.
    ReadingClaims => reading_does_not_claim,
    /// Locks the keys under which a record stands, and only reads the others.
    LocksOnlyWhatIsThere => a_check_of_absence_is_locked,
    /// Writes the records of a batch one after another.
    WritesOneByOne => a_get_is_one_snapshot,
    /// Takes the answer of a commit that met others for lost, and commits again under another id.
    RetriesUnderANewId => a_bound_holds_when_many_add,
    /// Refuses a commit because it met others, though its preconditions hold.
    ConflictsUnderLoad => a_bound_holds_when_many_add,
    /// Reads from a replica that has the newest commits a moment later.
    ReadsALateReplica => an_acknowledged_commit_is_seen,
    /// Reads what a batch writes that is being refused.
    ReadsUncommitted => what_is_refused_is_never_seen,
    /// Goes by the latest time that any batch has told.
    GoesByTheLatestTime => callers_may_disagree_about_the_time,
    /// Archives the records of one tenant only.
    ArchivesOneTenant => tenants_are_archived_side_by_side,
    /// Archives by key first, then by tenant.
    ArchivesByKeyFirst => pages_go_by_tenant_and_key,
    /// Leaves what has expired out of the archive.
    ArchivesWithoutTheExpired => an_archived_record_is_whole,
    /// Leaves index entries out of the archive.
    ArchivesWithoutEntries => an_archived_record_is_whole,
    /// Leaves the queue out of the archive.
    ArchivesWithoutDue => an_archived_record_is_whole,
    /// Begins a page with the place itself.
    RepeatsThePlace => a_place_is_exclusive,
    /// Finds nothing after a place whose record is gone.
    NeedsThePlacesRecord => a_place_is_exclusive,
    /// Counts records instead of going by the place.
    ArchivesByOffset => what_is_present_throughout_is_archived_once,
    /// Archives and restores however much is asked for.
    ArchivesWithoutLimits => an_archive_takes_what_is_permitted_and_no_more,
    /// Gives restored records versions of their own.
    RestoresUnderNewVersions => a_restored_database_is_equal,
    /// Loses `keep_until` when it restores.
    RestoresForEver => a_restored_database_is_equal,
    /// Restores records without their index entries.
    RestoresWithoutEntries => a_restored_database_is_scanned_and_due,
    /// Restores everything into one tenant.
    RestoresIntoOneTenant => a_restored_database_is_scanned_and_due,
    /// Begins counters anew when it restores.
    RestoresCountersAtZero => a_restored_database_goes_on,
    /// Writes over what is there.
    RestoresOverWhatIsThere => what_is_there_is_left_alone,
    /// Takes an expired record for none when it restores.
    RestoresOverTheExpired => what_is_there_is_left_alone,
    /// Says that it wrote what it left alone.
    CountsWhatItKept => what_is_there_is_left_alone,
    /// Refuses all records if one of them is there.
    RefusesWhatIsThere => to_restore_twice_is_harmless,
    /// Looks what is there first and writes afterwards, with others in between.
    LooksThenRestores => of_many_that_restore_a_record_one_writes_it,
}
