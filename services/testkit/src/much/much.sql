-- A tenant with very much: 10,000 jobs of a month with their attempts, events, figures and logs, 20 sweeps of 100 of
-- them each, and 1,000 models, of which half are public and the first has 200 versions. All are copies of the tenant's
-- newest training that has succeeded and of the version that it has made. For psql, with `tenant` and `now`.
\set ON_ERROR_STOP on
begin;
-- the rows are right as they are: what they set off is not needed, but for what is searched
set local session_replication_role = replica;

create function pg_temp.id_at(moment timestamptz, n int) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
            || '8' || substr(md5(n::text), 4, 15))::uuid
$$;

create temp table first as
select j.id as job, j.tenant_id as tenant, to_jsonb(v) as version, to_jsonb(m) as model
from tenant t
join job j on j.tenant_id = t.id and j.kind = 'train' and j.status = 'succeeded'
join model_version v on v.job_id = j.id
join model m on m.id = v.model_id
where t.slug = :'tenant'
order by j.id desc limit 1;

create temp table made as
select n, pg_temp.id_at(at, n) as id, at, status,
       case when n between 201 and 2200 then pg_temp.id_at(:'now'::timestamptz, 100000 + (n - 201) / 100) end as sweep
from (select n, :'now'::timestamptz - n * interval '4 minutes' as at,
             case when n <= 100 then 'queued' when n % 10 = 0 then 'failed' when n % 15 = 1 then 'cancelled'
                  else 'succeeded' end as status
      from generate_series(1, 10000) n) each;

insert into sweep (id, tenant_id, name, parallelism, metric, minimize, created_at)
select distinct sweep, tenant, 'sweep ' || (n - 201) / 100, 4, 'val_loss', true, :'now'::timestamptz
from made, first where sweep is not null;

insert into job
select r.*
from first f join job j on j.id = f.job cross join made m
cross join lateral jsonb_populate_record(j, jsonb_build_object(
    'id', m.id, 'name', 'training ' || m.n, 'status', m.status, 'created_at', m.at, 'not_before', m.at,
    'started_at', case when m.status <> 'queued' then m.at + interval '1 second' end,
    'finished_at', case when m.status <> 'queued' then m.at + interval '90 seconds' end,
    'attempt', case when m.status = 'queued' then 0 else 1 end,
    'cause', case m.status when 'failed' then jsonb_build_object(
        'code', 'loss_not_finite', 'message', 'the loss is no number any more', 'retryable', false) end,
    'sweep_id', m.sweep, 'point', case when m.sweep is not null then jsonb_build_object('seed', m.n) end)) r;

insert into attempt
select r.*
from first f join attempt a on a.job_id = f.job and a.outcome = 'succeeded' cross join made m
cross join lateral jsonb_populate_record(a, jsonb_build_object(
    'job_id', m.id, 'number', 1, 'assigned_at', m.at, 'started_at', m.at + interval '1 second',
    'ended_at', m.at + interval '90 seconds', 'millis', 90000, 'paid_millis', 90000,
    'outcome', case m.status when 'cancelled' then 'stopped' else m.status end)) r
where m.status <> 'queued';

insert into job_event (job_id, number, tenant_id, at, kind, data)
select m.id, e.number, e.tenant_id, m.at, e.kind, e.data
from first f join job_event e on e.job_id = f.job cross join made m;

insert into job_metric (job_id, name, step, tenant_id, epoch, value, at)
select m.id, e.name, e.step, e.tenant_id, e.epoch, e.value + m.n % 97 / 1000.0, m.at
from first f join job_metric e on e.job_id = f.job cross join made m
where m.n between 101 and 3000 and m.status <> 'queued';

insert into job_log (job_id, attempt, line_no, tenant_id, at, line)
select m.id, 1, e.line_no, e.tenant_id, m.at, e.line
from first f join job_log e on e.job_id = f.job cross join made m
where m.n between 101 and 1100;

-- from here on as always: what is public is searched
set local session_replication_role = origin;

create temp table models as
select n, pg_temp.id_at(:'now'::timestamptz - n * interval '1 minute', n) as id from generate_series(1, 1000) n;

insert into model (id, tenant_id, name, visibility, created_at, description, card, licence, tags)
select m.id, f.tenant, 'model-' || lpad(m.n::text, 4, '0'), case m.n % 2 when 0 then 'public' else 'private' end,
       :'now'::timestamptz - m.n * interval '1 minute', 'Copy ' || m.n || ' of what was trained first',
       repeat('What it is for, and what it is not for. ', 50), 'mit',
       array['copy', 'kind-' || m.n % 20]
from models m, first f;

insert into model_version
select r.*
from first f
join (select id, row_number() over (order by n) as place, at from made where status = 'succeeded') j on true
join (select id, n, 1 as number, n as place from models
      union all
      select m.id, m.n, number, 1000 + number from models m, generate_series(2, 200) number where m.n = 1) m
     on m.place = j.place
cross join lateral jsonb_populate_record(null::model_version, f.version || jsonb_build_object(
    'model_id', m.id, 'number', m.number, 'job_id', j.id, 'attempt', 1, 'created_at', j.at, 'manifest', 'none',
    'revision', substr(md5(m.id::text || m.number) || md5(m.number::text), 1, 40), 'licence', 'mit')) r;

insert into model_tally (model_id, downloads, likes, predictions, trending, is_settled)
select id, n % 50, n % 7, n, n / 1000.0, true from models;
commit;
vacuum analyze;
