SET sql_mode = 'ONLY_FULL_GROUP_BY';
SET query_timeout = 3600;
SYNC;
SELECT @@version_comment;
SHOW FRONTENDS;
SHOW BACKENDS;
SHOW GRANTS;
SELECT `SCHEMA_NAME` FROM `information_schema`.`schemata` WHERE `SCHEMA_NAME` = 'dicom';
CREATE DATABASE IF NOT EXISTS `dicom`;
CREATE TABLE IF NOT EXISTS `dicom`.`dicom_image_meta` (
    `tenant_id` VARCHAR(64) NOT NULL COMMENT 'Tenant that owns the archive; leads every key',
    `study_date` DATE NOT NULL COMMENT 'Study Date; the partition of the row',
    `study_uid` VARCHAR(64) NOT NULL COMMENT 'Study Instance UID',
    `series_uid` VARCHAR(64) NOT NULL COMMENT 'Series Instance UID',
    `sop_uid` VARCHAR(64) NOT NULL COMMENT 'SOP Instance UID',
    `patient_id` VARCHAR(64) NOT NULL COMMENT 'Patient ID',
    `study_uid_hash` VARCHAR(20) NOT NULL COMMENT 'SeaHash of study_uid as 20 digits; no protection of privacy',
    `series_uid_hash` VARCHAR(20) NOT NULL COMMENT 'SeaHash of series_uid as 20 digits; no protection of privacy',
    `study_date_origin` VARCHAR(8) NOT NULL COMMENT 'Study Date as the text in the file, YYYYMMDD',
    `content_date` DATE NULL COMMENT 'Content date',
    `content_time` VARCHAR(16) NULL COMMENT 'Content time',
    `instance_number` INT NULL COMMENT 'Instance number',
    `image_type` VARCHAR(128) NULL COMMENT 'Image type, values joined by a backslash',
    `image_orientation_patient` VARCHAR(128) NULL COMMENT 'Row and column direction cosines, six numbers joined by a backslash',
    `image_position_patient` VARCHAR(64) NULL COMMENT 'Position of the first pixel in mm, three numbers joined by a backslash',
    `slice_thickness` DOUBLE NULL COMMENT 'Slice thickness in mm',
    `spacing_between_slices` DOUBLE NULL COMMENT 'Spacing between slices in mm',
    `slice_location` DOUBLE NULL COMMENT 'Slice location in mm',
    `samples_per_pixel` INT NULL COMMENT 'Samples per pixel',
    `photometric_interpretation` VARCHAR(32) NULL COMMENT 'Photometric interpretation',
    `width` INT NULL COMMENT 'Rows: number of image rows, despite the column''s name',
    `columns` INT NULL COMMENT 'Columns: number of image columns',
    `bits_allocated` INT NULL COMMENT 'Bits allocated',
    `bits_stored` INT NULL COMMENT 'Bits stored',
    `high_bit` INT NULL COMMENT 'High bit',
    `pixel_representation` INT NULL COMMENT 'Pixel representation: 0 unsigned, 1 two''s complement',
    `rescale_intercept` DOUBLE NULL COMMENT 'Rescale intercept',
    `rescale_slope` DOUBLE NULL COMMENT 'Rescale slope',
    `rescale_type` VARCHAR(64) NULL COMMENT 'Rescale type, such as HU',
    `window_center` VARCHAR(64) NULL COMMENT 'Window centers joined by a backslash',
    `window_width` VARCHAR(64) NULL COMMENT 'Window widths joined by a backslash',
    `transfer_syntax_uid` VARCHAR(64) NOT NULL COMMENT 'Transfer Syntax UID of the file; 1.2.840.10008.1.2 where the file names none',
    `pixel_data_location` VARCHAR(512) NULL COMMENT 'Where the pixel data is kept; kept for others to fill, always NULL',
    `thumbnail_location` VARCHAR(512) NULL COMMENT 'Where a thumbnail is kept; kept for others to fill, always NULL',
    `sop_class_uid` VARCHAR(64) NOT NULL COMMENT 'SOP Class UID',
    `image_status` VARCHAR(32) NULL COMMENT 'Status of the row, always ACTIVE',
    `space_size` BIGINT NULL COMMENT 'Size of the file in bytes',
    `created_time` DATETIME(6) NOT NULL COMMENT 'When the row was first loaded, UTC',
    `updated_time` DATETIME(6) NOT NULL COMMENT 'When the row last changed, UTC'
)
ENGINE=OLAP UNIQUE KEY(`tenant_id`, `study_date`, `study_uid`, `series_uid`, `sop_uid`)
COMMENT 'One row for each SOP instance of the archive'
PARTITION BY RANGE(`study_date`) ()
DISTRIBUTED BY HASH(`series_uid`) BUCKETS 1
PROPERTIES ("replication_num" = "1", "enable_unique_key_merge_on_write" = "true", "light_schema_change" = "true");
CREATE TABLE IF NOT EXISTS `dicom`.`dicom_state_meta` (
    `tenant_id` VARCHAR(64) NOT NULL COMMENT 'Tenant that owns the archive; leads every key',
    `study_date` DATE NOT NULL COMMENT 'Study Date; the partition of the row',
    `study_uid` VARCHAR(64) NOT NULL COMMENT 'Study Instance UID',
    `series_uid` VARCHAR(64) NOT NULL COMMENT 'Series Instance UID',
    `patient_id` VARCHAR(64) NOT NULL COMMENT 'Patient ID',
    `study_uid_hash` VARCHAR(20) NOT NULL COMMENT 'SeaHash of study_uid as 20 digits; no protection of privacy',
    `series_uid_hash` VARCHAR(20) NOT NULL COMMENT 'SeaHash of series_uid as 20 digits; no protection of privacy',
    `study_date_origin` VARCHAR(8) NOT NULL COMMENT 'Study Date as the text in the file, YYYYMMDD',
    `patient_name` VARCHAR(64) NULL COMMENT 'Patient''s name',
    `patient_sex` VARCHAR(1) NULL COMMENT 'Patient''s sex: M, F or O',
    `patient_birth_date` DATE NULL COMMENT 'Birth date',
    `patient_birth_time` VARCHAR(16) NULL COMMENT 'Birth time',
    `patient_age` VARCHAR(16) NULL COMMENT 'Patient''s age, such as 042Y',
    `patient_size` DOUBLE NULL COMMENT 'Height in metres',
    `patient_weight` DOUBLE NULL COMMENT 'Weight in kilograms',
    `pregnancy_status` INT NULL COMMENT 'Pregnancy status; kept for others to fill, always NULL',
    `study_time` VARCHAR(16) NULL COMMENT 'Study time',
    `accession_number` VARCHAR(16) NOT NULL COMMENT 'Accession Number; X32CRC and a CRC-32 of tenant and study where the file has none of 1 to 16 bytes',
    `study_id` VARCHAR(16) NULL COMMENT 'Study ID',
    `study_description` VARCHAR(64) NULL COMMENT 'Study description',
    `modality` VARCHAR(16) NULL COMMENT 'Modality, such as CT or MR',
    `series_number` INT NULL COMMENT 'Series number',
    `series_date` DATE NULL COMMENT 'Series date',
    `series_time` VARCHAR(16) NULL COMMENT 'Series time',
    `series_description` VARCHAR(256) NULL COMMENT 'Series description',
    `body_part_examined` VARCHAR(64) NULL COMMENT 'Body part examined',
    `protocol_name` VARCHAR(64) NULL COMMENT 'Protocol name',
    `series_related_instances` INT NULL COMMENT 'Distinct SOP instances of the series on this date, counted by the load',
    `created_time` DATETIME(6) NOT NULL COMMENT 'When the row was first loaded, UTC',
    `updated_time` DATETIME(6) NOT NULL COMMENT 'When the row last changed, UTC'
)
ENGINE=OLAP UNIQUE KEY(`tenant_id`, `study_date`, `study_uid`, `series_uid`)
COMMENT 'One row for each series of the archive and study date'
PARTITION BY RANGE(`study_date`) ()
DISTRIBUTED BY HASH(`series_uid`) BUCKETS 1
PROPERTIES ("replication_num" = "1", "enable_unique_key_merge_on_write" = "true", "light_schema_change" = "true");
CREATE TABLE IF NOT EXISTS `dicom`.`dicom_reject` (
    `tenant_id` VARCHAR(64) NOT NULL COMMENT 'Tenant that owns the archive; leads every key',
    `partition_date` DATE NOT NULL COMMENT 'Date of the partition that was loaded',
    `path_hash` VARCHAR(64) NOT NULL COMMENT 'SHA-256 of path as 64 hexadecimal digits; stands for it in the key',
    `path` VARCHAR(65533) NOT NULL COMMENT 'Path of the file relative to the archive''s root',
    `file_size` BIGINT NULL COMMENT 'Size of the file in bytes, NULL if it could not be asked',
    `reason` VARCHAR(64) NOT NULL COMMENT 'Why the file was refused; docs/reasons.md explains each code',
    `field` VARCHAR(64) NULL COMMENT 'Keyword of the attribute that was the reason, if one was',
    `run_id` VARCHAR(64) NOT NULL COMMENT 'Run that first refused the file for this reason',
    `created_time` DATETIME(6) NOT NULL COMMENT 'When the file was first refused for this reason, UTC'
)
ENGINE=OLAP UNIQUE KEY(`tenant_id`, `partition_date`, `path_hash`)
COMMENT 'One row for each file that could not be taken, with its reason'
DISTRIBUTED BY HASH(`path_hash`) BUCKETS 1
PROPERTIES ("replication_num" = "1", "enable_unique_key_merge_on_write" = "true", "light_schema_change" = "true");
CREATE TABLE IF NOT EXISTS `dicom`.`dicom_load` (
    `tenant_id` VARCHAR(64) NOT NULL COMMENT 'Tenant that owns the archive; leads every key',
    `partition_date` DATE NOT NULL COMMENT 'Date of the partition that was loaded',
    `run_id` VARCHAR(64) NOT NULL COMMENT 'Run that loaded the slice',
    `started_time` DATETIME(6) NOT NULL COMMENT 'When the load of the slice began, UTC',
    `code_version` VARCHAR(64) NOT NULL COMMENT 'Version of dicom-pipeline that loaded it',
    `finished_time` DATETIME(6) NOT NULL COMMENT 'When the slice was ready to commit, UTC',
    `files_listed` BIGINT NOT NULL COMMENT 'Files listed in the archive for this date',
    `files_accepted` BIGINT NOT NULL COMMENT 'Files that became rows',
    `files_rejected` BIGINT NOT NULL COMMENT 'Files refused, each a row of dicom_reject',
    `rows_inserted` BIGINT NOT NULL COMMENT 'Image rows inserted by this load',
    `rows_updated` BIGINT NOT NULL COMMENT 'Image rows changed by this load',
    `rows_deleted` BIGINT NOT NULL COMMENT 'Image rows deleted by this load',
    `digest` VARCHAR(64) NOT NULL COMMENT 'Order-independent digest of the slice''s image rows'
)
ENGINE=OLAP UNIQUE KEY(`tenant_id`, `partition_date`, `run_id`, `started_time`)
COMMENT 'The ledger: one row for each load of a tenant''s date'
DISTRIBUTED BY HASH(`run_id`) BUCKETS 1
PROPERTIES ("replication_num" = "1", "enable_unique_key_merge_on_write" = "true", "light_schema_change" = "true");
CREATE TABLE IF NOT EXISTS `dicom`.`dicom_state_meta` (
    `tenant_id` VARCHAR(64) NOT NULL COMMENT 'Tenant that owns the archive; leads every key',
    `study_date` DATE NOT NULL COMMENT 'Study Date; the partition of the row',
    `study_uid` VARCHAR(64) NOT NULL COMMENT 'Study Instance UID',
    `series_uid` VARCHAR(64) NOT NULL COMMENT 'Series Instance UID',
    `patient_id` VARCHAR(64) NOT NULL COMMENT 'Patient ID',
    `study_uid_hash` VARCHAR(20) NOT NULL COMMENT 'SeaHash of study_uid as 20 digits; no protection of privacy',
    `series_uid_hash` VARCHAR(20) NOT NULL COMMENT 'SeaHash of series_uid as 20 digits; no protection of privacy',
    `study_date_origin` VARCHAR(8) NOT NULL COMMENT 'Study Date as the text in the file, YYYYMMDD',
    `patient_name` VARCHAR(64) NULL COMMENT 'Patient''s name',
    `patient_sex` VARCHAR(1) NULL COMMENT 'Patient''s sex: M, F or O',
    `patient_birth_date` DATE NULL COMMENT 'Birth date',
    `patient_birth_time` VARCHAR(16) NULL COMMENT 'Birth time',
    `patient_age` VARCHAR(16) NULL COMMENT 'Patient''s age, such as 042Y',
    `patient_size` DOUBLE NULL COMMENT 'Height in metres',
    `patient_weight` DOUBLE NULL COMMENT 'Weight in kilograms',
    `pregnancy_status` INT NULL COMMENT 'Pregnancy status; kept for others to fill, always NULL',
    `study_time` VARCHAR(16) NULL COMMENT 'Study time',
    `accession_number` VARCHAR(16) NOT NULL COMMENT 'Accession Number; X32CRC and a CRC-32 of tenant and study where the file has none of 1 to 16 bytes',
    `study_id` VARCHAR(16) NULL COMMENT 'Study ID',
    `study_description` VARCHAR(64) NULL COMMENT 'Study description',
    `modality` VARCHAR(16) NULL COMMENT 'Modality, such as CT or MR',
    `series_number` INT NULL COMMENT 'Series number',
    `series_date` DATE NULL COMMENT 'Series date',
    `series_time` VARCHAR(16) NULL COMMENT 'Series time',
    `series_description` VARCHAR(256) NULL COMMENT 'Series description',
    `body_part_examined` VARCHAR(64) NULL COMMENT 'Body part examined',
    `protocol_name` VARCHAR(64) NULL COMMENT 'Protocol name',
    `series_related_instances` INT NULL COMMENT 'Distinct SOP instances of the series on this date, counted by the load',
    `created_time` DATETIME(6) NOT NULL COMMENT 'When the row was first loaded, UTC',
    `updated_time` DATETIME(6) NOT NULL COMMENT 'When the row last changed, UTC'
)
ENGINE=OLAP UNIQUE KEY(`tenant_id`, `study_date`, `study_uid`, `series_uid`)
COMMENT 'One row for each series of the archive and study date'
PARTITION BY RANGE(`study_date`) ()
DISTRIBUTED BY HASH(`series_uid`) BUCKETS 4
PROPERTIES ("enable_unique_key_merge_on_write" = "true", "light_schema_change" = "true");
CREATE TABLE IF NOT EXISTS `dicom`.`dicom_load` (
    `tenant_id` VARCHAR(64) NOT NULL COMMENT 'Tenant that owns the archive; leads every key',
    `partition_date` DATE NOT NULL COMMENT 'Date of the partition that was loaded',
    `run_id` VARCHAR(64) NOT NULL COMMENT 'Run that loaded the slice',
    `started_time` DATETIME(6) NOT NULL COMMENT 'When the load of the slice began, UTC',
    `code_version` VARCHAR(64) NOT NULL COMMENT 'Version of dicom-pipeline that loaded it',
    `finished_time` DATETIME(6) NOT NULL COMMENT 'When the slice was ready to commit, UTC',
    `files_listed` BIGINT NOT NULL COMMENT 'Files listed in the archive for this date',
    `files_accepted` BIGINT NOT NULL COMMENT 'Files that became rows',
    `files_rejected` BIGINT NOT NULL COMMENT 'Files refused, each a row of dicom_reject',
    `rows_inserted` BIGINT NOT NULL COMMENT 'Image rows inserted by this load',
    `rows_updated` BIGINT NOT NULL COMMENT 'Image rows changed by this load',
    `rows_deleted` BIGINT NOT NULL COMMENT 'Image rows deleted by this load',
    `digest` VARCHAR(64) NOT NULL COMMENT 'Order-independent digest of the slice''s image rows'
)
ENGINE=OLAP UNIQUE KEY(`tenant_id`, `partition_date`, `run_id`, `started_time`)
COMMENT 'The ledger: one row for each load of a tenant''s date'
DISTRIBUTED BY HASH(`run_id`) BUCKETS 4
PROPERTIES ("enable_unique_key_merge_on_write" = "true", "light_schema_change" = "true");
ALTER TABLE `dicom`.`dicom_state_meta` ADD COLUMN `study_id` VARCHAR(16) NULL COMMENT 'Study ID';
ALTER TABLE `dicom`.`dicom_state_meta` MODIFY COLUMN `modality` VARCHAR(16) NULL COMMENT 'Modality, such as CT or MR';
SHOW ALTER TABLE COLUMN FROM `dicom` WHERE TableName = 'dicom_state_meta' ORDER BY CreateTime DESC LIMIT 1;
SELECT `TABLE_TYPE` FROM `information_schema`.`tables` WHERE `TABLE_SCHEMA` = 'dicom' AND `TABLE_NAME` = 'dicom_state_meta';
SELECT `COLUMN_NAME`, `COLUMN_TYPE`, `DATA_TYPE`, `CHARACTER_MAXIMUM_LENGTH`, `IS_NULLABLE`, `COLUMN_KEY` FROM `information_schema`.`columns` WHERE `TABLE_SCHEMA` = 'dicom' AND `TABLE_NAME` = 'dicom_state_meta' ORDER BY `ORDINAL_POSITION`;
SHOW PARTITIONS FROM `dicom`.`dicom_image_meta` WHERE PartitionName = 'p202401';
SHOW PARTITIONS FROM `dicom`.`dicom_image_meta` WHERE PartitionName = 'p000101';
ALTER TABLE `dicom`.`dicom_image_meta` ADD PARTITION IF NOT EXISTS `p202401` VALUES [("2024-01-01"), ("2024-02-01"));
ALTER TABLE `dicom`.`dicom_image_meta` ADD PARTITION IF NOT EXISTS `p000101` VALUES [("0001-01-01"), ("0001-02-01"));
ALTER TABLE `dicom`.`dicom_image_meta` ADD PARTITION IF NOT EXISTS `p999912` VALUES [("9999-12-01"), (MAXVALUE));
ALTER TABLE `dicom`.`dicom_state_meta` ADD PARTITION IF NOT EXISTS `p202312` VALUES [("2023-12-01"), ("2024-01-01"));
SELECT `tenant_id`, `study_date`, `study_uid`, `series_uid`, `sop_uid`, `patient_id`, `study_uid_hash`, `series_uid_hash`, `study_date_origin`, `content_date`, `content_time`, `instance_number`, `image_type`, `image_orientation_patient`, `image_position_patient`, `slice_thickness`, `spacing_between_slices`, `slice_location`, `samples_per_pixel`, `photometric_interpretation`, `width`, `columns`, `bits_allocated`, `bits_stored`, `high_bit`, `pixel_representation`, `rescale_intercept`, `rescale_slope`, `rescale_type`, `window_center`, `window_width`, `transfer_syntax_uid`, `pixel_data_location`, `thumbnail_location`, `sop_class_uid`, `image_status`, `space_size`, `created_time`, `updated_time` FROM `dicom`.`dicom_image_meta` WHERE `tenant_id` = 'hospital' AND `study_date` = '2024-01-15' ORDER BY `tenant_id`, `study_date`, `study_uid`, `series_uid`, `sop_uid`;
SELECT `tenant_id`, `study_date`, `study_uid`, `series_uid`, `patient_id`, `study_uid_hash`, `series_uid_hash`, `study_date_origin`, `patient_name`, `patient_sex`, `patient_birth_date`, `patient_birth_time`, `patient_age`, `patient_size`, `patient_weight`, `pregnancy_status`, `study_time`, `accession_number`, `study_id`, `study_description`, `modality`, `series_number`, `series_date`, `series_time`, `series_description`, `body_part_examined`, `protocol_name`, `series_related_instances`, `created_time`, `updated_time` FROM `dicom`.`dicom_state_meta` WHERE `tenant_id` = 'hospital' AND `study_date` = '2024-01-15' ORDER BY `tenant_id`, `study_date`, `study_uid`, `series_uid`;
SELECT `tenant_id`, `partition_date`, `path_hash`, `path`, `file_size`, `reason`, `field`, `run_id`, `created_time` FROM `dicom`.`dicom_reject` WHERE `tenant_id` = 'hospital' AND `partition_date` = '2024-01-15' ORDER BY `tenant_id`, `partition_date`, `path_hash`;
SELECT `tenant_id`, `partition_date`, `run_id`, `code_version`, `started_time`, `finished_time`, `files_listed`, `files_accepted`, `files_rejected`, `rows_inserted`, `rows_updated`, `rows_deleted`, `digest` FROM `dicom`.`dicom_load` WHERE `tenant_id` = 'hospital' AND `partition_date` = '2024-01-15' ORDER BY `tenant_id`, `partition_date`, `run_id`, `started_time`;
SELECT `tenant_id`, `study_date`, `study_uid`, `series_uid`, `sop_uid` FROM `dicom`.`dicom_image_meta` WHERE `tenant_id` = 'it''s a \\ "`ты' AND `study_date` = '0001-01-01';
SELECT `tenant_id`, `study_date`, `study_uid`, `series_uid` FROM `dicom`.`dicom_state_meta` WHERE `tenant_id` = 'it''s a \\ "`ты' AND `study_date` = '0001-01-01';
SELECT `tenant_id`, `partition_date`, `path_hash` FROM `dicom`.`dicom_reject` WHERE `tenant_id` = 'it''s a \\ "`ты' AND `partition_date` = '0001-01-01';
SELECT `columns` FROM `dicom`.`dicom_image_meta` ORDER BY `tenant_id`, `study_date`, `study_uid`, `series_uid`, `sop_uid`;
SELECT `run_id`, `started_time`, `finished_time` FROM `dicom`.`dicom_load` WHERE `tenant_id` = 'hospital' AND `partition_date` = '2024-01-15' ORDER BY `finished_time` DESC, `started_time` DESC, `run_id` DESC LIMIT 1;
SELECT `run_id`, `started_time`, `finished_time` FROM `dicom`.`dicom_load` WHERE `tenant_id` = 'it''s a \\ "`ты' AND `partition_date` = '0001-01-01' ORDER BY `finished_time` DESC, `started_time` DESC, `run_id` DESC LIMIT 1;
SELECT `partition_date`, max(`finished_time`), max_by(`run_id`, `finished_time`), max_by(`code_version`, `finished_time`), max_by(`files_listed`, `finished_time`), max_by(`files_accepted`, `finished_time`), max_by(`files_rejected`, `finished_time`) FROM `dicom`.`dicom_load` WHERE `tenant_id` = 'hospital' GROUP BY `partition_date`;
SELECT `partition_date`, max(`finished_time`), max_by(`run_id`, `finished_time`), max_by(`code_version`, `finished_time`), max_by(`files_listed`, `finished_time`), max_by(`files_accepted`, `finished_time`), max_by(`files_rejected`, `finished_time`) FROM `dicom`.`dicom_load` WHERE `tenant_id` = 'it''s a \\ "`ты' GROUP BY `partition_date`;
SELECT `run_id` FROM `dicom`.`dicom_load` WHERE `tenant_id` = 'hospital' AND `partition_date` = '2024-01-15' AND `run_id` = 'run-1' AND `started_time` = '2024-02-01 08:30:00.000000';
SELECT DISTINCT `study_date` FROM `dicom`.`dicom_image_meta` WHERE `tenant_id` = 'hospital';
SELECT DISTINCT `study_date` FROM `dicom`.`dicom_state_meta` WHERE `tenant_id` = 'hospital';
SELECT DISTINCT `partition_date` FROM `dicom`.`dicom_reject` WHERE `tenant_id` = 'hospital';
SELECT DISTINCT `tenant_id` FROM `dicom`.`dicom_image_meta`;
SELECT DISTINCT `tenant_id` FROM `dicom`.`dicom_state_meta`;
SELECT DISTINCT `tenant_id` FROM `dicom`.`dicom_reject`;
SELECT `study_date`, `modality`, count(*), coalesce(sum(`series_related_instances`), 0) FROM `dicom`.`dicom_state_meta` WHERE `tenant_id` = 'hospital' GROUP BY `study_date`, `modality` ORDER BY `study_date`, `modality` NULLS LAST;
SELECT `study_date`, `modality`, count(*), coalesce(sum(`series_related_instances`), 0) FROM `dicom`.`dicom_state_meta` WHERE `tenant_id` = 'it''s a \\ "`ты' GROUP BY `study_date`, `modality` ORDER BY `study_date`, `modality` NULLS LAST;
SELECT count(*), coalesce(sum(`images`), 0) FROM (SELECT min(`series_uid_hash`) AS `shown`, count(*) AS `images` FROM `dicom`.`dicom_image_meta` WHERE `tenant_id` = 'hospital' GROUP BY `sop_uid` HAVING count(*) > 1) `conflict`;
SELECT count(*), coalesce(sum(`images`), 0) FROM (SELECT min(`study_uid_hash`) AS `shown`, count(*) AS `images` FROM `dicom`.`dicom_image_meta` WHERE `tenant_id` = 'hospital' GROUP BY `study_uid` HAVING min(`patient_id`) <> max(`patient_id`)) `conflict`;
SELECT DISTINCT `shown` FROM (SELECT min(`series_uid_hash`) AS `shown`, count(*) AS `images` FROM `dicom`.`dicom_image_meta` WHERE `tenant_id` = 'hospital' GROUP BY `sop_uid` HAVING count(*) > 1) `conflict` ORDER BY `shown` LIMIT 20;
SELECT DISTINCT `shown` FROM (SELECT min(`study_uid_hash`) AS `shown`, count(*) AS `images` FROM `dicom`.`dicom_image_meta` WHERE `tenant_id` = 'hospital' GROUP BY `study_uid` HAVING min(`patient_id`) <> max(`patient_id`)) `conflict` ORDER BY `shown` LIMIT 20;
