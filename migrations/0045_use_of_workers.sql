-- What is in use on a worker: what its live attempts asked for, each rank of a gang by itself, and what is left there
-- of attempts that have ended until their processes have. It is counted anew each time, so that nothing can leak.
create function use_of(worker uuid)
    returns table (running bigint, cpu_milli bigint, memory_bytes bigint, accelerator_milli bigint)
    language sql stable as $$
    select count(*), coalesce(sum(j.cpu_milli), 0)::bigint, coalesce(sum(j.memory_bytes), 0)::bigint,
           coalesce(sum(j.accelerator_milli), 0)::bigint
    from (select a.job_id from attempt a where a.worker_id = worker and a.ended_at is null
          union all
          select s.job_id from seat s join attempt a on a.job_id = s.job_id and a.number = s.number
          where s.worker_id = worker and s.left_at is null and (s.rank > 0 or a.ended_at is not null)) here
    join job j on j.id = here.job_id
$$;
