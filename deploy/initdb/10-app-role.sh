#!/bin/sh
# Run by the postgres image when its volume is new: makes the role that the services log in as, with
# its password. The first migration finds it and leaves it as it is.
set -eu

psql --set=ON_ERROR_STOP=1 --set=password="$CUPOLA_APP_PASSWORD" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
create role cupola_app login noinherit nobypassrls password :'password';
SQL
