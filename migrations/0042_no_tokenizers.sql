-- A tokenizer may be megabytes, and a version is read for each thing that is asked of it, while only the engine reads a
-- tokenizer, in the file. Null and not absent: the release before this one asks for the field.
update model_version
set config = jsonb_set(config, '{input,tokenizer}', 'null')
where config #> '{input,tokenizer}' is not null;
