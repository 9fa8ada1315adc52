-- Version 2 of the tables. {schema} stands for the schema of the store.

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
