-- Version 2 of the tables. {schema} stands for the schema of the store.

-- As version 1 has them, but for one thing: records and entries are reached key by key, because for `key = ANY (…)`, or
-- a join, the planner of a new database may go through all of a tenant until the next ANALYZE.
CREATE OR REPLACE FUNCTION {schema}.commit_1(
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
    FOR n IN 1 .. cardinality(delete_keys) LOOP
        DELETE FROM {schema}.record AS r WHERE r.tenant = of_tenant AND r.key = delete_keys[n];
    END LOOP;

    -- Most changes of a record leave its entries as they are: only what differs is written.
    FOR n IN 1 .. coalesce(cardinality(indexed), 0) LOOP
        DELETE FROM {schema}.entry AS e WHERE e.tenant = of_tenant AND e.key = indexed[n]
        AND NOT EXISTS (
            SELECT FROM unnest(entry_keys, entry_names, entry_bytes) AS new (key, name, bytes)
            WHERE new.key = e.key AND new.name = e.name AND new.bytes = e.bytes
        );
    END LOOP;
    FOR n IN 1 .. cardinality(entry_keys) LOOP
        INSERT INTO {schema}.entry (tenant, name, bytes, key)
        VALUES (of_tenant, entry_names[n], entry_bytes[n], entry_keys[n])
        ON CONFLICT DO NOTHING;
    END LOOP;
    outcome := 'applied';
END
$$;

CREATE OR REPLACE FUNCTION {schema}.remove_1(tenants text[], keys bytea[], expired_at bigint) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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

-- Applies batches one after the other in one transaction, and answers each as `commit_1` does.
--   lock_keys: the keys of all batches, with the tenant of each
--   sizes:     of each batch how many puts, deletes, adds, checks and entries are its own; the arrays after it
--              hold those of the first batch, then those of the second, and so on
CREATE FUNCTION {schema}.commit_2(
    lock_tenants text[], lock_keys bytea[],
    of_tenants text[], commit_ids bytea[], at_times bigint[], sizes integer[],
    conditions text[], versions bytea[],
    put_keys bytea[], put_values text[], put_keep bigint[],
    put_queues text[], put_due bigint[], put_shards smallint[], put_entries smallint[],
    delete_keys bytea[],
    add_keys bytea[], add_by text[], add_below text[], add_keep bigint[],
    check_keys bytea[],
    entry_keys bytea[], entry_names text[], entry_bytes bytea[]
)
RETURNS TABLE (outcome text, named bytea[], sums text[])
LANGUAGE plpgsql AS $$
DECLARE
    -- Of each kind, the last of the batch before and the last of this one.
    p integer := 0; to_p integer;
    d integer := 0; to_d integer;
    a integer := 0; to_a integer;
    c integer := 0; to_c integer;
    e integer := 0; to_e integer;
    k integer; to_k integer;
BEGIN
    -- All before the first is changed: batch by batch they would not be taken in one order.
    PERFORM {schema}.lock_1(lock_tenants, lock_keys);

    FOR n IN 1 .. cardinality(of_tenants) LOOP
        to_p := p + sizes[5*n - 4];
        to_d := d + sizes[5*n - 3];
        to_a := a + sizes[5*n - 2];
        to_c := c + sizes[5*n - 1];
        to_e := e + sizes[5*n];
        k := p + d + a + c;
        to_k := to_p + to_d + to_a + to_c;
        SELECT one.outcome, one.named, one.sums INTO outcome, named, sums FROM {schema}.commit_1(
            of_tenants[n], commit_ids[n], at_times[n],
            conditions[k+1 : to_k], versions[k+1 : to_k],
            put_keys[p+1 : to_p], put_values[p+1 : to_p], put_keep[p+1 : to_p],
            put_queues[p+1 : to_p], put_due[p+1 : to_p], put_shards[p+1 : to_p], put_entries[p+1 : to_p],
            delete_keys[d+1 : to_d],
            add_keys[a+1 : to_a], add_by[a+1 : to_a], add_below[a+1 : to_a], add_keep[a+1 : to_a],
            check_keys[c+1 : to_c],
            entry_keys[e+1 : to_e], entry_names[e+1 : to_e], entry_bytes[e+1 : to_e]
        ) AS one;
        RETURN NEXT;
        p := to_p; d := to_d; a := to_a; c := to_c; e := to_e;
    END LOOP;
END
$$;
