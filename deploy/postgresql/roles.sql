-- Least-privilege roles for dicom-pipeline on PostgreSQL 15 or later.
--
-- Three group roles, none of which can log in:
--
--   dicom_owner   owns the tables; creates and alters them. Used when the tables are first made and when a new version
--                 adds a column, never by the schedule.
--   dicom_loader  what the pipeline runs as: reads and writes rows. It owns nothing; monthly partitions are made by a
--                 function that runs with the owner's rights. The ledger is append-only to it.
--   dicom_reader  what reports and applications run as: reads, nothing else.
--
-- Run it as a superuser, or as a role that may create roles and owns the database and the schema, in the database that
-- is to hold the tables; before or after they exist, and again whenever you like. Use a database of its own: what every
-- role may do by default (connect, make temporary tables, use the schema) is taken away.
--
--   psql -v ON_ERROR_STOP=1 -d <database> -f deploy/postgresql/roles.sql
--
-- Then give your login roles a part, with passwords that only your secret store knows:
--
--   CREATE ROLE etl LOGIN IN ROLE dicom_loader;      \password etl
--   CREATE ROLE reports LOGIN IN ROLE dicom_reader;  \password reports
--   GRANT dicom_owner TO <administrator>;
--
-- and make the tables once as their owner, by a load of any one date (``role`` is set for that connection only):
--
--   DICOM_PIPELINE_WAREHOUSE='postgresql://<administrator>@<host>/<database>?options=-crole%3Ddicom_owner' \
--       dicom-pipeline load <archive> --from <date> --to <date>
--
-- From then on `dicom-pipeline doctor` tells each role whether it may write, and if not, what it lacks.
--
-- The server's own log repeats values of rows it refuses. Unless it is as closed as the database itself, set
-- log_error_verbosity = terse, log_min_error_statement = panic, log_statement = none,
-- log_parameter_max_length = 0 and log_parameter_max_length_on_error = 0.

\set ON_ERROR_STOP on
\if :{?schema}
\else
    \set schema public
\endif

BEGIN;

SELECT format('CREATE ROLE %I NOLOGIN', name)
FROM unnest(ARRAY['dicom_owner', 'dicom_loader', 'dicom_reader']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

-- Nobody comes near who was not asked in: PostgreSQL lets every role connect and make temporary tables by default.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database())
\gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO dicom_owner, dicom_loader, dicom_reader', current_database())
\gexec
-- A load compares the new rows with the old ones in a temporary table.
SELECT format('GRANT TEMPORARY ON DATABASE %I TO dicom_owner, dicom_loader', current_database())
\gexec

REVOKE ALL ON SCHEMA :"schema" FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA :"schema" TO dicom_owner;
GRANT USAGE ON SCHEMA :"schema" TO dicom_loader, dicom_reader;

-- Tables that exist already get their owner and grants; partitions need no grants, access goes through their parents.
SELECT format('ALTER TABLE %I.%I OWNER TO dicom_owner', schemaname, tablename)
FROM pg_tables
WHERE schemaname = :'schema' AND tablename ~ '^dicom_((image|state)_meta(_y\d{4,}m\d\d)?|reject|load)$'
\gexec
SELECT format('ALTER FUNCTION %s OWNER TO dicom_owner', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = :'schema'::regnamespace AND proname = 'dicom_ensure_partition'
\gexec
SELECT format('REVOKE ALL ON TABLE %1$I.%2$I FROM dicom_loader, dicom_reader', schemaname, tablename),
    format('GRANT SELECT ON TABLE %1$I.%2$I TO dicom_reader', schemaname, tablename),
    format('GRANT SELECT, INSERT%3$s ON TABLE %1$I.%2$I TO dicom_loader', schemaname, tablename,
        CASE tablename WHEN 'dicom_load' THEN '' ELSE ', UPDATE, DELETE' END)
FROM pg_tables
WHERE schemaname = :'schema' AND tablename IN ('dicom_image_meta', 'dicom_state_meta', 'dicom_reject', 'dicom_load')
\gexec
SELECT format('GRANT EXECUTE ON FUNCTION %s TO dicom_loader', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = :'schema'::regnamespace AND proname = 'dicom_ensure_partition'
\gexec

-- Tables that the owner makes later get theirs by default; run this file again afterwards to make the ledger
-- append-only, which defaults cannot say of one table.
ALTER DEFAULT PRIVILEGES FOR ROLE dicom_owner IN SCHEMA :"schema" GRANT SELECT ON TABLES TO dicom_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE dicom_owner IN SCHEMA :"schema"
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dicom_loader;
ALTER DEFAULT PRIVILEGES FOR ROLE dicom_owner IN SCHEMA :"schema" GRANT EXECUTE ON FUNCTIONS TO dicom_loader;

COMMIT;
