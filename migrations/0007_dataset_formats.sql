-- Plain text and zips of images are datasets too.
alter table dataset_version drop constraint dataset_version_format_check;
alter table dataset_version add constraint dataset_version_format_check
    check (format in ('csv', 'tsv', 'jsonl', 'text', 'images'));
