-- Least-privilege accounts for dicom-pipeline on Apache Doris 2.1.8 or later, for the database `dicom`.
--
--   dicom_loader  what the pipeline runs as: loads, reads back, makes a month's partition when its first date comes.
--   dicom_reader  what reports and applications run as: reads, nothing else.
--
-- Run it as root or another account with ADMIN_PRIV, in a MySQL client on the frontend's query port:
--
--   mysql -h <fe-host> -P 9030 -u root -p < deploy/doris/grants.sql
--
-- then make the login accounts, with passwords that only your secret store knows:
--
--   CREATE USER 'etl'@'%' IDENTIFIED BY '<password>' DEFAULT ROLE 'dicom_loader';
--   CREATE USER 'reports'@'%' IDENTIFIED BY '<password>' DEFAULT ROLE 'dicom_reader';
--
-- The tables are made by the first load. Let an account that may CREATE do that once (root will do), or grant
-- CREATE_PRIV to dicom_loader as well. `dicom-pipeline doctor` tells each account what it lacks.

CREATE DATABASE IF NOT EXISTS `dicom`;

CREATE ROLE IF NOT EXISTS `dicom_loader`;
GRANT SELECT_PRIV, LOAD_PRIV, ALTER_PRIV ON internal.`dicom`.* TO ROLE 'dicom_loader';

CREATE ROLE IF NOT EXISTS `dicom_reader`;
GRANT SELECT_PRIV ON internal.`dicom`.* TO ROLE 'dicom_reader';
