#!/bin/sh
# Run by the postgres image when its volume is new: makes what each service logs in as, with its password. The
# migrations find them and leave them as they are.
set -eu

psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --set=gateway="$CUPOLA_GATEWAY_PASSWORD" \
    --set=scheduler="$CUPOLA_SCHEDULER_PASSWORD" \
    --set=worker="$CUPOLA_WORKER_PASSWORD" \
    --set=serving="$CUPOLA_SERVING_PASSWORD" <<'SQL'
create role cupola_gateway login noinherit nobypassrls password :'gateway';
create role cupola_scheduler login noinherit nobypassrls password :'scheduler';
create role cupola_worker login noinherit nobypassrls password :'worker';
create role cupola_serving login noinherit nobypassrls password :'serving';
SQL
