-- Version 1 of the tables. {schema} stands for the schema of the store.

CREATE TABLE {schema}.record (
    tenant     text COLLATE "C" NOT NULL,
    key        bytea NOT NULL,
    version    bytea NOT NULL,
    value      text NOT NULL,
    keep_until bigint,
    due_queue  text COLLATE "C",
    due_at     bigint,
    due_shard  smallint,
    -- How many index entries belong to the record: most have none, and need not be looked up.
    entries    smallint NOT NULL,
    PRIMARY KEY (tenant, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX record_by_keep_until ON {schema}.record (keep_until) WHERE keep_until IS NOT NULL;
CREATE INDEX record_by_due ON {schema}.record (due_queue, due_at, due_shard) WHERE due_queue IS NOT NULL;

CREATE TABLE {schema}.entry (
    tenant text COLLATE "C" NOT NULL,
    name   text COLLATE "C" NOT NULL,
    bytes  bytea NOT NULL,
    key    bytea NOT NULL,
    PRIMARY KEY (tenant, name, bytes, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX entry_by_record ON {schema}.entry (tenant, key);

-- Whoever changes a record holds the lock of its key until the end of the transaction. It is a lock on
-- the name and not on the row, because a batch may also depend on a row that is not there. Locks are
-- taken in one order, so that no two transactions wait for each other.
CREATE FUNCTION {schema}.lock_1(tenants text[], keys bytea[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- Every statement after this has to see what the holder before it wrote.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the transaction is %, and not read committed', current_setting('transaction_isolation')
            USING HINT = 'ALTER ROLE … SET default_transaction_isolation TO "read committed"';
    END IF;
    PERFORM pg_advisory_xact_lock(place.lock) FROM (
        SELECT hashtextextended('{schema}/' || of.tenant || '/' || encode(of.key, 'hex'), 0) AS lock
        FROM unnest(tenants, keys) AS of (tenant, key)
        ORDER BY lock
    ) AS place;
END
$$;

-- Applies a batch, or says why not before anything is written.
--   conditions: of each key, in the order puts, deletes, adds, checks: (a)bsent, (p)resent, at a (v)ersion,
--               or anything else for none
--   outcome:    applied, replayed, conflict and full (with the keys), not_a_counter
-- Key by key and not set by set: most batches have one to three, and a statement on sets costs more to
-- start than these cost to run.
CREATE FUNCTION {schema}.commit_1(
    of_tenant text, commit_id bytea, at_time bigint,
    conditions text[], versions bytea[],
    put_keys bytea[], put_values text[], put_keep bigint[],
    put_queues text[], put_due bigint[], put_shards smallint[], put_entries smallint[],
    delete_keys bytea[],
    add_keys bytea[], add_by text[], add_below text[], add_keep bigint[],
    check_keys bytea[],
    entry_keys bytea[], entry_names text[], entry_bytes bytea[],
    OUT outcome text, OUT named bytea[], OUT sums text[]
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    most CONSTANT numeric := 18446744073709551615;
    changed bytea[] := put_keys || delete_keys || add_keys;
    keys bytea[] := changed || check_keys;
    held record;
    live boolean;
    total numeric;
    kept bigint[];
    indexed bytea[];
BEGIN
    PERFORM {schema}.lock_1(array_fill(of_tenant, ARRAY[cardinality(keys)]), keys);

    FOR n IN 1 .. cardinality(keys) LOOP
        SELECT r.version, r.keep_until, r.entries INTO held
        FROM {schema}.record AS r WHERE r.tenant = of_tenant AND r.key = keys[n];
        live := FOUND AND (held.keep_until IS NULL OR held.keep_until > at_time);
        IF held.version = commit_id THEN
            outcome := 'replayed';
            named := NULL;
            RETURN;
        END IF;
        IF (CASE conditions[n]
            WHEN 'a' THEN live
            WHEN 'p' THEN NOT live
            WHEN 'v' THEN NOT live OR held.version <> versions[n]
            ELSE false
        END) THEN
            named := named || keys[n];
        END IF;
        IF held.entries > 0 AND n <= cardinality(changed) THEN
            indexed := indexed || keys[n];
        END IF;
    END LOOP;
    IF named IS NOT NULL THEN
        outcome := 'conflict';
        RETURN;
    END IF;

    FOR n IN 1 .. cardinality(add_keys) LOOP
        SELECT r.value, r.keep_until INTO held
        FROM {schema}.record AS r WHERE r.tenant = of_tenant AND r.key = add_keys[n]
        AND (r.keep_until IS NULL OR r.keep_until > at_time);
        total := 0;
        IF FOUND THEN
            total := CASE WHEN held.value ~ '^[0-9]{1,20}$' THEN held.value::numeric END;
            IF total IS NULL OR total > most THEN
                outcome := 'not_a_counter';
                RETURN;
            END IF;
        END IF;
        total := least(total + add_by[n]::numeric, most);
        IF total > add_below[n]::numeric THEN
            outcome := 'full';
            named := ARRAY[add_keys[n]];
            RETURN;
        END IF;
        sums := sums || total::text;
        kept := kept || coalesce(held.keep_until, add_keep[n]);
    END LOOP;

    -- From here on nothing is refused.
    FOR n IN 1 .. cardinality(add_keys) LOOP
        INSERT INTO {schema}.record (tenant, key, version, value, keep_until, entries)
        VALUES (of_tenant, add_keys[n], commit_id, sums[n], kept[n], 0)
        ON CONFLICT (tenant, key) DO UPDATE SET version = excluded.version, value = excluded.value,
            keep_until = excluded.keep_until, due_queue = NULL, due_at = NULL, due_shard = NULL, entries = 0;
    END LOOP;
    FOR n IN 1 .. cardinality(put_keys) LOOP
        INSERT INTO {schema}.record
            (tenant, key, version, value, keep_until, due_queue, due_at, due_shard, entries)
        VALUES (of_tenant, put_keys[n], commit_id, put_values[n], put_keep[n],
            put_queues[n], put_due[n], put_shards[n], put_entries[n])
        ON CONFLICT (tenant, key) DO UPDATE SET version = excluded.version, value = excluded.value,
            keep_until = excluded.keep_until, due_queue = excluded.due_queue, due_at = excluded.due_at,
            due_shard = excluded.due_shard, entries = excluded.entries;
    END LOOP;
    IF cardinality(delete_keys) > 0 THEN
        DELETE FROM {schema}.record AS r WHERE r.tenant = of_tenant AND r.key = ANY (delete_keys);
    END IF;

    -- Most changes of a record leave its entries as they are: only what differs is written.
    IF indexed IS NOT NULL THEN
        DELETE FROM {schema}.entry AS e WHERE e.tenant = of_tenant AND e.key = ANY (indexed)
        AND NOT EXISTS (
            SELECT FROM unnest(entry_keys, entry_names, entry_bytes) AS new (key, name, bytes)
            WHERE new.key = e.key AND new.name = e.name AND new.bytes = e.bytes
        );
    END IF;
    FOR n IN 1 .. cardinality(entry_keys) LOOP
        INSERT INTO {schema}.entry (tenant, name, bytes, key)
        VALUES (of_tenant, entry_names[n], entry_bytes[n], entry_keys[n])
        ON CONFLICT DO NOTHING;
    END LOOP;
    outcome := 'applied';
END
$$;

-- Removes records that are still past their retention, or in the range, once they are locked.
CREATE FUNCTION {schema}.remove_1(tenants text[], keys bytea[], expired_at bigint) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    removed bigint;
BEGIN
    PERFORM {schema}.lock_1(tenants, keys);
    WITH gone AS (
        DELETE FROM {schema}.record AS r
        USING unnest(tenants, keys) AS doomed (tenant, key)
        WHERE r.tenant = doomed.tenant AND r.key = doomed.key
        AND (expired_at IS NULL OR r.keep_until <= expired_at)
        RETURNING r.tenant, r.key, r.entries
    ), unindexed AS (
        DELETE FROM {schema}.entry AS e USING gone
        WHERE gone.entries > 0 AND e.tenant = gone.tenant AND e.key = gone.key
    )
    SELECT count(*) INTO removed FROM gone;
    RETURN removed;
END
$$;

-- Writes records as they were archived, and leaves alone what stands under a key already.
CREATE FUNCTION {schema}.restore_1(
    tenants text[], keys bytea[], versions bytea[], put_values text[], put_keep bigint[],
    put_queues text[], put_due bigint[], put_shards smallint[], put_entries smallint[],
    entry_tenants text[], entry_keys bytea[], entry_names text[], entry_bytes bytea[]
) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    written bigint;
BEGIN
    PERFORM {schema}.lock_1(tenants, keys);
    WITH new AS (
        INSERT INTO {schema}.record
            (tenant, key, version, value, keep_until, due_queue, due_at, due_shard, entries)
        SELECT * FROM unnest(tenants, keys, versions, put_values, put_keep, put_queues, put_due,
            put_shards, put_entries)
        ON CONFLICT DO NOTHING
        RETURNING tenant, key
    ), indexed AS (
        INSERT INTO {schema}.entry (tenant, name, bytes, key)
        SELECT e.tenant, e.name, e.bytes, e.key
        FROM unnest(entry_tenants, entry_keys, entry_names, entry_bytes) AS e (tenant, key, name, bytes)
        JOIN new ON new.tenant = e.tenant AND new.key = e.key
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) INTO written FROM new;
    RETURN written;
END
$$;

-- For people. The parts of a key begin with 01 and end with 00.
CREATE VIEW {schema}.record_text AS
SELECT
    tenant,
    CASE substr(key, 1, 1) WHEN '\x6d' THEN 'main' WHEN '\x73' THEN 'side' END AS class,
    regexp_replace(
        replace(replace(encode(substr(key, 2), 'escape'), E'\x01', '/'), '\000', ''),
        '[\x02-\x1f\x7f]', '.', 'g'
    ) AS key,
    encode(version, 'hex') AS version,
    to_timestamp(keep_until / 1000.0) AS keep_until,
    due_queue,
    to_timestamp(due_at / 1000.0) AS due_at,
    due_shard,
    entries,
    value
FROM {schema}.record;
