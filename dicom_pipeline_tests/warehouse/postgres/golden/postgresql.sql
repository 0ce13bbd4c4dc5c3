CREATE TABLE "dicom_image_meta" (
    "tenant_id" character varying(64) COLLATE "C" NOT NULL,
    "study_date" date NOT NULL,
    "study_uid" character varying(64) COLLATE "C" NOT NULL,
    "series_uid" character varying(64) COLLATE "C" NOT NULL,
    "sop_uid" character varying(64) COLLATE "C" NOT NULL,
    "patient_id" character varying(64) NOT NULL,
    "study_uid_hash" character varying(20) NOT NULL,
    "series_uid_hash" character varying(20) NOT NULL,
    "study_date_origin" character varying(8) NOT NULL,
    "content_date" date,
    "content_time" time without time zone,
    "instance_number" integer,
    "image_type" character varying(128),
    "image_orientation_patient" character varying(128),
    "image_position_patient" character varying(64),
    "slice_thickness" double precision,
    "spacing_between_slices" double precision,
    "slice_location" double precision,
    "samples_per_pixel" integer,
    "photometric_interpretation" character varying(32),
    "width" integer,
    "columns" integer,
    "bits_allocated" integer,
    "bits_stored" integer,
    "high_bit" integer,
    "pixel_representation" integer,
    "rescale_intercept" double precision,
    "rescale_slope" double precision,
    "rescale_type" character varying(64),
    "window_center" character varying(64),
    "window_width" character varying(64),
    "transfer_syntax_uid" character varying(64) NOT NULL,
    "pixel_data_location" character varying(512),
    "thumbnail_location" character varying(512),
    "sop_class_uid" character varying(64) NOT NULL,
    "image_status" character varying(32),
    "space_size" bigint,
    "created_time" timestamp without time zone NOT NULL,
    "updated_time" timestamp without time zone NOT NULL,
    PRIMARY KEY ("tenant_id", "study_date", "study_uid", "series_uid", "sop_uid")
) PARTITION BY RANGE ("study_date");
COMMENT ON TABLE "dicom_image_meta" IS 'One row for each SOP instance of the archive';
COMMENT ON COLUMN "dicom_image_meta"."tenant_id" IS 'Tenant that owns the archive; leads every key';
COMMENT ON COLUMN "dicom_image_meta"."study_date" IS 'Study Date; the partition of the row';
COMMENT ON COLUMN "dicom_image_meta"."study_uid" IS 'Study Instance UID';
COMMENT ON COLUMN "dicom_image_meta"."series_uid" IS 'Series Instance UID';
COMMENT ON COLUMN "dicom_image_meta"."sop_uid" IS 'SOP Instance UID';
COMMENT ON COLUMN "dicom_image_meta"."patient_id" IS 'Patient ID';
COMMENT ON COLUMN "dicom_image_meta"."study_uid_hash" IS 'SeaHash of study_uid as 20 digits; no protection of privacy';
COMMENT ON COLUMN "dicom_image_meta"."series_uid_hash" IS 'SeaHash of series_uid as 20 digits; no protection of privacy';
COMMENT ON COLUMN "dicom_image_meta"."study_date_origin" IS 'Study Date as the text in the file, YYYYMMDD';
COMMENT ON COLUMN "dicom_image_meta"."content_date" IS 'Content date';
COMMENT ON COLUMN "dicom_image_meta"."content_time" IS 'Content time';
COMMENT ON COLUMN "dicom_image_meta"."instance_number" IS 'Instance number';
COMMENT ON COLUMN "dicom_image_meta"."image_type" IS 'Image type, values joined by a backslash';
COMMENT ON COLUMN "dicom_image_meta"."image_orientation_patient" IS 'Row and column direction cosines, six numbers joined by a backslash';
COMMENT ON COLUMN "dicom_image_meta"."image_position_patient" IS 'Position of the first pixel in mm, three numbers joined by a backslash';
COMMENT ON COLUMN "dicom_image_meta"."slice_thickness" IS 'Slice thickness in mm';
COMMENT ON COLUMN "dicom_image_meta"."spacing_between_slices" IS 'Spacing between slices in mm';
COMMENT ON COLUMN "dicom_image_meta"."slice_location" IS 'Slice location in mm';
COMMENT ON COLUMN "dicom_image_meta"."samples_per_pixel" IS 'Samples per pixel';
COMMENT ON COLUMN "dicom_image_meta"."photometric_interpretation" IS 'Photometric interpretation';
COMMENT ON COLUMN "dicom_image_meta"."width" IS 'Rows: number of image rows, despite the column''s name';
COMMENT ON COLUMN "dicom_image_meta"."columns" IS 'Columns: number of image columns';
COMMENT ON COLUMN "dicom_image_meta"."bits_allocated" IS 'Bits allocated';
COMMENT ON COLUMN "dicom_image_meta"."bits_stored" IS 'Bits stored';
COMMENT ON COLUMN "dicom_image_meta"."high_bit" IS 'High bit';
COMMENT ON COLUMN "dicom_image_meta"."pixel_representation" IS 'Pixel representation: 0 unsigned, 1 two''s complement';
COMMENT ON COLUMN "dicom_image_meta"."rescale_intercept" IS 'Rescale intercept';
COMMENT ON COLUMN "dicom_image_meta"."rescale_slope" IS 'Rescale slope';
COMMENT ON COLUMN "dicom_image_meta"."rescale_type" IS 'Rescale type, such as HU';
COMMENT ON COLUMN "dicom_image_meta"."window_center" IS 'Window centers joined by a backslash';
COMMENT ON COLUMN "dicom_image_meta"."window_width" IS 'Window widths joined by a backslash';
COMMENT ON COLUMN "dicom_image_meta"."transfer_syntax_uid" IS 'Transfer Syntax UID of the file; 1.2.840.10008.1.2 where the file names none';
COMMENT ON COLUMN "dicom_image_meta"."pixel_data_location" IS 'Where the pixel data is kept; kept for others to fill, always NULL';
COMMENT ON COLUMN "dicom_image_meta"."thumbnail_location" IS 'Where a thumbnail is kept; kept for others to fill, always NULL';
COMMENT ON COLUMN "dicom_image_meta"."sop_class_uid" IS 'SOP Class UID';
COMMENT ON COLUMN "dicom_image_meta"."image_status" IS 'Status of the row, always ACTIVE';
COMMENT ON COLUMN "dicom_image_meta"."space_size" IS 'Size of the file in bytes';
COMMENT ON COLUMN "dicom_image_meta"."created_time" IS 'When the row was first loaded, UTC';
COMMENT ON COLUMN "dicom_image_meta"."updated_time" IS 'When the row last changed, UTC';
CREATE TABLE "dicom_state_meta" (
    "tenant_id" character varying(64) COLLATE "C" NOT NULL,
    "study_date" date NOT NULL,
    "study_uid" character varying(64) COLLATE "C" NOT NULL,
    "series_uid" character varying(64) COLLATE "C" NOT NULL,
    "patient_id" character varying(64) NOT NULL,
    "study_uid_hash" character varying(20) NOT NULL,
    "series_uid_hash" character varying(20) NOT NULL,
    "study_date_origin" character varying(8) NOT NULL,
    "patient_name" character varying(64),
    "patient_sex" character varying(1),
    "patient_birth_date" date,
    "patient_birth_time" time without time zone,
    "patient_age" character varying(16),
    "patient_size" double precision,
    "patient_weight" double precision,
    "pregnancy_status" integer,
    "study_time" time without time zone,
    "accession_number" character varying(16) NOT NULL,
    "study_id" character varying(16),
    "study_description" character varying(64),
    "modality" character varying(16),
    "series_number" integer,
    "series_date" date,
    "series_time" time without time zone,
    "series_description" character varying(256),
    "body_part_examined" character varying(64),
    "protocol_name" character varying(64),
    "series_related_instances" integer,
    "created_time" timestamp without time zone NOT NULL,
    "updated_time" timestamp without time zone NOT NULL,
    PRIMARY KEY ("tenant_id", "study_date", "study_uid", "series_uid")
) PARTITION BY RANGE ("study_date");
COMMENT ON TABLE "dicom_state_meta" IS 'One row for each series of the archive and study date';
COMMENT ON COLUMN "dicom_state_meta"."tenant_id" IS 'Tenant that owns the archive; leads every key';
COMMENT ON COLUMN "dicom_state_meta"."study_date" IS 'Study Date; the partition of the row';
COMMENT ON COLUMN "dicom_state_meta"."study_uid" IS 'Study Instance UID';
COMMENT ON COLUMN "dicom_state_meta"."series_uid" IS 'Series Instance UID';
COMMENT ON COLUMN "dicom_state_meta"."patient_id" IS 'Patient ID';
COMMENT ON COLUMN "dicom_state_meta"."study_uid_hash" IS 'SeaHash of study_uid as 20 digits; no protection of privacy';
COMMENT ON COLUMN "dicom_state_meta"."series_uid_hash" IS 'SeaHash of series_uid as 20 digits; no protection of privacy';
COMMENT ON COLUMN "dicom_state_meta"."study_date_origin" IS 'Study Date as the text in the file, YYYYMMDD';
COMMENT ON COLUMN "dicom_state_meta"."patient_name" IS 'Patient''s name';
COMMENT ON COLUMN "dicom_state_meta"."patient_sex" IS 'Patient''s sex: M, F or O';
COMMENT ON COLUMN "dicom_state_meta"."patient_birth_date" IS 'Birth date';
COMMENT ON COLUMN "dicom_state_meta"."patient_birth_time" IS 'Birth time';
COMMENT ON COLUMN "dicom_state_meta"."patient_age" IS 'Patient''s age, such as 042Y';
COMMENT ON COLUMN "dicom_state_meta"."patient_size" IS 'Height in metres';
COMMENT ON COLUMN "dicom_state_meta"."patient_weight" IS 'Weight in kilograms';
COMMENT ON COLUMN "dicom_state_meta"."pregnancy_status" IS 'Pregnancy status; kept for others to fill, always NULL';
COMMENT ON COLUMN "dicom_state_meta"."study_time" IS 'Study time';
COMMENT ON COLUMN "dicom_state_meta"."accession_number" IS 'Accession Number; X32CRC and a CRC-32 of tenant and study where the file has none of 1 to 16 bytes';
COMMENT ON COLUMN "dicom_state_meta"."study_id" IS 'Study ID';
COMMENT ON COLUMN "dicom_state_meta"."study_description" IS 'Study description';
COMMENT ON COLUMN "dicom_state_meta"."modality" IS 'Modality, such as CT or MR';
COMMENT ON COLUMN "dicom_state_meta"."series_number" IS 'Series number';
COMMENT ON COLUMN "dicom_state_meta"."series_date" IS 'Series date';
COMMENT ON COLUMN "dicom_state_meta"."series_time" IS 'Series time';
COMMENT ON COLUMN "dicom_state_meta"."series_description" IS 'Series description';
COMMENT ON COLUMN "dicom_state_meta"."body_part_examined" IS 'Body part examined';
COMMENT ON COLUMN "dicom_state_meta"."protocol_name" IS 'Protocol name';
COMMENT ON COLUMN "dicom_state_meta"."series_related_instances" IS 'Distinct SOP instances of the series on this date, counted by the load';
COMMENT ON COLUMN "dicom_state_meta"."created_time" IS 'When the row was first loaded, UTC';
COMMENT ON COLUMN "dicom_state_meta"."updated_time" IS 'When the row last changed, UTC';
CREATE TABLE "dicom_reject" (
    "tenant_id" character varying(64) COLLATE "C" NOT NULL,
    "partition_date" date NOT NULL,
    "path_hash" character varying(64) COLLATE "C" NOT NULL,
    "path" text NOT NULL,
    "file_size" bigint,
    "reason" character varying(64) NOT NULL,
    "field" character varying(64),
    "run_id" character varying(64) NOT NULL,
    "created_time" timestamp without time zone NOT NULL,
    PRIMARY KEY ("tenant_id", "partition_date", "path_hash")
);
COMMENT ON TABLE "dicom_reject" IS 'One row for each file that could not be taken, with its reason';
COMMENT ON COLUMN "dicom_reject"."tenant_id" IS 'Tenant that owns the archive; leads every key';
COMMENT ON COLUMN "dicom_reject"."partition_date" IS 'Date of the partition that was loaded';
COMMENT ON COLUMN "dicom_reject"."path_hash" IS 'SHA-256 of path as 64 hexadecimal digits; stands for it in the key';
COMMENT ON COLUMN "dicom_reject"."path" IS 'Path of the file relative to the archive''s root';
COMMENT ON COLUMN "dicom_reject"."file_size" IS 'Size of the file in bytes, NULL if it could not be asked';
COMMENT ON COLUMN "dicom_reject"."reason" IS 'Why the file was refused; docs/reasons.md explains each code';
COMMENT ON COLUMN "dicom_reject"."field" IS 'Keyword of the attribute that was the reason, if one was';
COMMENT ON COLUMN "dicom_reject"."run_id" IS 'Run that first refused the file for this reason';
COMMENT ON COLUMN "dicom_reject"."created_time" IS 'When the file was first refused for this reason, UTC';
CREATE TABLE "dicom_load" (
    "tenant_id" character varying(64) COLLATE "C" NOT NULL,
    "partition_date" date NOT NULL,
    "run_id" character varying(64) COLLATE "C" NOT NULL,
    "code_version" character varying(64) NOT NULL,
    "started_time" timestamp without time zone NOT NULL,
    "finished_time" timestamp without time zone NOT NULL,
    "files_listed" bigint NOT NULL,
    "files_accepted" bigint NOT NULL,
    "files_rejected" bigint NOT NULL,
    "rows_inserted" bigint NOT NULL,
    "rows_updated" bigint NOT NULL,
    "rows_deleted" bigint NOT NULL,
    "digest" character varying(64) NOT NULL,
    PRIMARY KEY ("tenant_id", "partition_date", "run_id", "started_time")
);
COMMENT ON TABLE "dicom_load" IS 'The ledger: one row for each load of a tenant''s date';
COMMENT ON COLUMN "dicom_load"."tenant_id" IS 'Tenant that owns the archive; leads every key';
COMMENT ON COLUMN "dicom_load"."partition_date" IS 'Date of the partition that was loaded';
COMMENT ON COLUMN "dicom_load"."run_id" IS 'Run that loaded the slice';
COMMENT ON COLUMN "dicom_load"."code_version" IS 'Version of dicom-pipeline that loaded it';
COMMENT ON COLUMN "dicom_load"."started_time" IS 'When the load of the slice began, UTC';
COMMENT ON COLUMN "dicom_load"."finished_time" IS 'When the slice was ready to commit, UTC';
COMMENT ON COLUMN "dicom_load"."files_listed" IS 'Files listed in the archive for this date';
COMMENT ON COLUMN "dicom_load"."files_accepted" IS 'Files that became rows';
COMMENT ON COLUMN "dicom_load"."files_rejected" IS 'Files refused, each a row of dicom_reject';
COMMENT ON COLUMN "dicom_load"."rows_inserted" IS 'Image rows inserted by this load';
COMMENT ON COLUMN "dicom_load"."rows_updated" IS 'Image rows changed by this load';
COMMENT ON COLUMN "dicom_load"."rows_deleted" IS 'Image rows deleted by this load';
COMMENT ON COLUMN "dicom_load"."digest" IS 'Order-independent digest of the slice''s image rows';
CREATE OR REPLACE FUNCTION "public".dicom_ensure_partition(parent text, day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    home CONSTANT text := 'public';
    first CONSTANT date := date_trunc('month', day::timestamp)::date;
    child CONSTANT text := parent || to_char(first, '"_y"YYYY"m"MM');
BEGIN
    IF parent NOT IN ('dicom_image_meta', 'dicom_state_meta') THEN
        RAISE EXCEPTION 'not a partitioned table' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (SELECT FROM pg_class WHERE relname = child AND relnamespace = quote_ident(home)::regnamespace) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(format('%I.%I', home, parent), 0));
    IF EXISTS (SELECT FROM pg_class WHERE relname = child AND relnamespace = quote_ident(home)::regnamespace) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING ALL)', home, child, parent);
    EXECUTE format('ALTER TABLE %1$I.%3$I ATTACH PARTITION %1$I.%2$I FOR VALUES FROM (%4$L) TO (%5$L)',
        home, child, parent, first, (first + interval '1 month')::date);
EXCEPTION
    WHEN invalid_object_definition THEN
        RETURN;
END
$body$;
REVOKE ALL ON FUNCTION "public".dicom_ensure_partition(text, date) FROM PUBLIC;
COMMENT ON FUNCTION "public".dicom_ensure_partition(text, date) IS 'Makes the monthly partition that holds a day, with the rights of the tables'' owner';
